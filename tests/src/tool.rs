//! Runs of the real tool, bounded in time and free of what the environment of the tests may say.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use dunlin_sandbox::Sandbox;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::binary;

/// Command of `dunlin` with its arguments and environment.
#[derive(Debug)]
pub struct Tool {
    command: Command,
}

/// Output and exit code of a finished run.
#[derive(Debug)]
pub struct Finished {
    /// Exit code; `None` if a signal ended the process.
    pub code: Option<i32>,
    /// Standard output; invalid UTF-8 is replaced.
    pub stdout: String,
    /// Standard error; invalid UTF-8 is replaced.
    pub stderr: String,
    /// Time from the start to the end of the process.
    pub took: Duration,
}

/// Command of `dunlin` with these arguments.
pub fn dunlin<I>(words: I) -> Tool
where
    I: IntoIterator,
    I::Item: AsRef<OsStr>,
{
    let mut command = Command::new(binary::path());
    for (name, _) in std::env::vars_os() {
        let name_of = name.to_string_lossy().to_ascii_uppercase();
        if name_of.starts_with("DUNLIN_") || name_of.ends_with("_PROXY") {
            command.env_remove(name);
        }
    }
    command
        .args(words)
        .env_remove("SSL_CERT_FILE")
        .env_remove("SSLKEYLOGFILE")
        .env_remove("CLICOLOR_FORCE")
        .env("DUNLIN_NO_ARGV_WARNING", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Tool { command }
}

impl Tool {
    /// Adds `--endpoint`, `--port` and `--ca` of a sandbox.
    #[must_use]
    pub fn connecting_to(self, sandbox: &Sandbox) -> Self {
        let port = sandbox.port().to_string();
        self.args(["--endpoint", sandbox.endpoint(), "--port", &port, "--ca"])
            .args([sandbox.ca_path()])
    }

    /// Adds the credentials that `DemoUnsigned` accepts.
    #[must_use]
    pub fn with_demo_credentials(self) -> Self {
        self.args([
            "--authorizer_name",
            "DemoUnsigned",
            "--auth_username",
            "demo",
            "--auth_password",
            "demo",
        ])
    }

    /// Adds arguments.
    #[must_use]
    pub fn args<I>(mut self, words: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.command.args(words);
        self
    }

    /// Sets an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Connects standard input to a pipe; the default is an empty input.
    #[must_use]
    pub fn with_stdin(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// Sends standard output to this file or device, instead of a pipe.
    ///
    /// # Panics
    /// If it can't be opened.
    #[must_use]
    pub fn stdout_to(mut self, path: &str) -> Self {
        let file = std::fs::OpenOptions::new().write(true).open(path);
        self.command.stdout(file.expect("the file can be opened"));
        self
    }

    /// Runs the tool through the shell with SIGHUP ignored, as nohup(1) does.
    #[must_use]
    pub fn under_nohup(self) -> Self {
        let inner = self.command.as_std();
        let mut command = Command::new("sh");
        command
            .args(["-c", "trap '' HUP; exec \"$0\" \"$@\""])
            .arg(inner.get_program())
            .args(inner.get_args());
        for (name, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        Self { command }
    }

    /// Starts the process with pipes at stdout and stderr. Dropping the `Child` kills it.
    ///
    /// # Panics
    /// If the process can't be started.
    #[must_use]
    pub fn spawn(mut self) -> Child {
        self.command.spawn().expect("dunlin starts")
    }

    /// Runs the process to its end.
    ///
    /// # Panics
    /// If the process runs for longer than 30 s.
    pub async fn run(self) -> Finished {
        Finished::wait_for(self.spawn()).await
    }
}

impl Finished {
    /// Waits for the end of a process.
    ///
    /// # Panics
    /// If the process runs for longer than 30 s.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test measures how long a process takes"
    )]
    pub async fn wait_for(mut child: Child) -> Self {
        let began = Instant::now();
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut out = child.stdout.take();
        let mut err = child.stderr.take();
        let ended = timeout(LONGEST_RUN, async {
            let read_out = async {
                if let Some(out) = &mut out {
                    out.read_to_end(&mut stdout)
                        .await
                        .expect("stdout can be read");
                }
            };
            let read_err = async {
                if let Some(err) = &mut err {
                    err.read_to_end(&mut stderr)
                        .await
                        .expect("stderr can be read");
                }
            };
            let (_, _, status) = tokio::join!(read_out, read_err, child.wait());
            status.expect("the run ends")
        });
        let status: Option<ExitStatus> = ended.await.ok();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&stdout), text(&stderr));
        let status = status
            .unwrap_or_else(|| panic!("still running after {LONGEST_RUN:?}\n{stdout}\n{stderr}"));
        Self {
            code: status.code(),
            stdout,
            stderr,
            took: began.elapsed(),
        }
    }

    /// Standard error with all whitespace as single spaces, so that wrapping doesn't matter.
    #[must_use]
    pub fn error_line(&self) -> String {
        self.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Checks the exit code, and that a failure prints an error with an id.
    ///
    /// # Panics
    /// If either is missing.
    #[track_caller]
    pub fn exits(&self, code: i32) {
        assert_eq!(self.code, Some(code), "\n{}\n{}", self.stdout, self.stderr);
        let is_failure = !matches!(code, 0 | 129 | 130 | 143);
        // A packet that breaks the protocol is what `inspect decode` was asked for: its finding is
        // on standard output.
        let is_finding = code == 10 && self.stderr.is_empty();
        assert!(
            !is_failure || is_finding || self.stderr.contains("error["),
            "exit {code} without an error\n{}\n{}",
            self.stdout,
            self.stderr
        );
    }
}

const LONGEST_RUN: Duration = Duration::from_secs(30);
