//! `OwnSandbox`: a sandbox in a process of its own, which a fleet can kill and start again.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::diagnosis::folder;
use crate::exit::Exit;
use crate::failure::Failure;

/// Sandbox process; dropping this kills it.
#[derive(Debug)]
pub(super) struct OwnSandbox {
    process: Process,
    /// Folder of its configuration, keys and ready file.
    folder: TempDir,
    /// Largest number of connections.
    connections: u32,
    pub(super) port: u16,
    /// File of its CA certificate.
    pub(super) ca: PathBuf,
}

/// Child process and the start of its standard error.
#[derive(Debug)]
struct Process {
    child: Child,
    stderr: Arc<Mutex<Vec<u8>>>,
}

/// Content of the ready file that the fleet needs.
#[derive(Deserialize)]
struct Ready {
    port: u16,
    ca: PathBuf,
}

/// Configuration with a default authorizer that always allows everything.
const CONFIG: &str = "\
demo = false
[[authorizer]]
name = \"Fleet\"
default = true
lambda.static = \"answer.json\"
";
const ANSWER: &str = r#"{
  "isAuthenticated": true,
  "principalId": "fleet",
  "disconnectAfterInSeconds": 86400,
  "refreshAfterInSeconds": 86400,
  "policyDocuments": [
    {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:*", "Resource": "*"}]}
  ]
}"#;
/// Longest wait until the sandbox is ready.
const PATIENCE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(10);
/// Bytes of standard error that are kept.
const MOST_STDERR: usize = 64 * 1024;

impl OwnSandbox {
    /// Starts a sandbox at a free port and waits until it is ready.
    ///
    /// # Errors
    /// [`Failure::Diagnosed`] if its files can't be written; [`Failure::Local`] if it can't start
    /// for another reason, or is not ready after 20 s.
    pub(super) async fn start(connections: u32) -> Result<Self, Failure> {
        let folder = folder::temporary()?;
        for (file, content) in [("sandbox.toml", CONFIG), ("answer.json", ANSWER)] {
            fs::write(folder.path().join(file), content)
                .map_err(|error| folder::not_temporary(&error))?;
        }
        let mut process = Process::start(folder.path(), 0, connections)?;
        let Ready { port, ca } = process.ready(folder.path()).await?;
        Ok(Self {
            process,
            folder,
            connections,
            port,
            ca,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.child.id()
    }

    /// Kills the process; its clients see a connection that breaks.
    ///
    /// # Errors
    /// The process can't be killed, or its ready file can't be removed.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.process.child.kill()?;
        self.process.child.wait()?;
        fs::remove_file(self.folder.path().join(READY)).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    }

    /// Starts the process again, at the same port and with the same keys.
    ///
    /// # Errors
    /// See [`start`](Self::start).
    pub(super) async fn restart(&mut self) -> Result<(), Failure> {
        self.process = Process::start(self.folder.path(), self.port, self.connections)?;
        self.process.ready(self.folder.path()).await.map(drop)
    }
}

impl Process {
    fn start(folder: &Path, port: u16, connections: u32) -> io::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["sandbox", "--until-eof", "--port", &port.to_string()])
            .args(["--max-connections", &connections.to_string(), "--config"])
            .arg(folder.join("sandbox.toml"))
            .arg("--state-dir")
            .arg(folder)
            .arg("--ready-file")
            .arg(folder.join(READY))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = Arc::default();
        if let Some(pipe) = child.stderr.take() {
            let kept = Arc::clone(&stderr);
            thread::spawn(move || keep_start(pipe, &kept));
        }
        Ok(Self { child, stderr })
    }

    /// Waits for the ready file.
    async fn ready(&mut self, folder: &Path) -> Result<Ready, Failure> {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            let ready = fs::read(folder.join(READY))
                .ok()
                .and_then(|text| serde_json::from_slice(&text).ok());
            if let Some(ready) = ready {
                return Ok(ready);
            }
            if let Some(status) = self.child.try_wait()? {
                return Err(self.ended(status));
            }
            sleep(POLL).await;
        }
        Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "the sandbox for the fleet is not ready after 20 s",
        )
        .into())
    }

    /// Error for a sandbox that ended by itself. What it said about its state folder is told with
    /// the advice for the temporary folder, in which the fleet has put it.
    fn ended(&self, status: ExitStatus) -> Failure {
        let stderr = self.stderr.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&stderr);
        // An error begins in the first column, and its continuations are indented.
        let headline = text
            .lines()
            .skip_while(|line| !line.starts_with("error"))
            .take_while(|line| line.starts_with("error") || !line.contains("try:"))
            .flat_map(str::split_whitespace)
            .collect::<Vec<_>>()
            .join(" ");
        let message = headline
            .split_once("]: ")
            .map_or("it gave no reason", |(_, message)| message);
        let error = io::Error::other(format!(
            "the sandbox for the fleet ended ({status}): {message}"
        ));
        if status.code() == Some(Exit::Usage.code().into()) {
            folder::not_temporary(&error).into()
        } else {
            error.into()
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already. If it can't be killed, it ends with its standard
        // input.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads standard error to its end, so that the process never waits for a reader, and keeps the
/// start of it.
fn keep_start(mut pipe: ChildStderr, kept: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(len @ 1..) = pipe.read(&mut bytes) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MOST_STDERR {
            kept.extend_from_slice(bytes.get(..len).unwrap_or_default());
        }
    }
}

const READY: &str = "ready.json";
