//! Runs of the real tool, bounded in time and free of what the environment of the tests may say.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use dunlin_sandbox::Sandbox;
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::binary;

/// A run of `dunlin` that is being put together.
#[derive(Debug)]
pub struct Tool {
    command: Command,
}

/// A run that has ended.
#[derive(Debug)]
pub struct Finished {
    /// `None` if a signal ended it.
    pub code: Option<i32>,
    /// Everything on standard output; bytes that are no UTF-8 replaced.
    pub stdout: String,
    /// Everything on standard error.
    pub stderr: String,
    /// Time from the start to the end of the process.
    pub took: Duration,
}

/// `dunlin` with these words.
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
        .env_remove("CLICOLOR_FORCE")
        .env("DUNLIN_NO_ARGV_WARNING", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Tool { command }
}

impl Tool {
    /// `--endpoint`, `--port` and `--ca` of a sandbox.
    #[must_use]
    pub fn at(self, sandbox: &Sandbox) -> Self {
        let port = sandbox.port().to_string();
        self.words(["--endpoint", sandbox.endpoint(), "--port", &port, "--ca"])
            .words([sandbox.ca_path()])
    }

    /// Adds the credentials of the user whom `DemoUnsigned` knows.
    #[must_use]
    pub fn as_demo(self) -> Self {
        self.words([
            "--authorizer_name",
            "DemoUnsigned",
            "--auth_username",
            "demo",
            "--auth_password",
            "demo",
        ])
    }

    /// More words.
    #[must_use]
    pub fn words<I>(mut self, words: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.command.args(words);
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Gives the tool a pipe as standard input, instead of nothing.
    #[must_use]
    pub fn with_stdin(mut self) -> Self {
        self.command.stdin(Stdio::piped());
        self
    }

    /// Runs it through the shell with SIGHUP ignored, as nohup(1) does.
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

    /// Starts it, with pipes at stdout and stderr. Dropped, it is killed.
    ///
    /// # Panics
    /// If it can't be started.
    #[must_use]
    pub fn spawn(mut self) -> Child {
        self.command.spawn().expect("dunlin starts")
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// If that takes longer than half a minute.
    pub async fn run(self) -> Finished {
        Finished::of(self.spawn()).await
    }
}

impl Finished {
    /// Waits for the end of a run.
    ///
    /// # Panics
    /// If that takes longer than half a minute.
    #[expect(
        clippy::disallowed_methods,
        reason = "a test measures how long a process takes"
    )]
    pub async fn of(mut child: Child) -> Self {
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

    /// Standard error in one line, so that wrapping doesn't matter.
    #[must_use]
    pub fn error_line(&self) -> String {
        self.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// # Panics
    /// Unless it ended with this code, and a code of a failure comes with an error that has an id.
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
