//! A sandbox for a fleet, in a process of its own: it can be killed, and comes back at the same
//! port.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::diagnosis::folder;
use crate::failure::Failure;

/// Dropped, it is gone.
#[derive(Debug)]
pub(super) struct OwnSandbox {
    child: Child,
    folder: TempDir,
    connections: u32,
    pub(super) port: u16,
    pub(super) ca: PathBuf,
}

#[derive(Deserialize)]
struct Ready {
    port: u16,
    ca: PathBuf,
}

/// Everything is allowed, to everybody, by a default authorizer whose answer is fixed.
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
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_AGAIN: Duration = Duration::from_millis(10);

impl OwnSandbox {
    pub(super) async fn start(connections: u32) -> Result<Self, Failure> {
        let folder = folder::temporary()?;
        for (file, content) in [("sandbox.toml", CONFIG), ("answer.json", ANSWER)] {
            fs::write(folder.path().join(file), content)
                .map_err(|error| folder::not_temporary(&error))?;
        }
        let mut child = spawn(folder.path(), 0, connections)?;
        let Ready { port, ca } = ready(folder.path(), &mut child).await?;
        Ok(Self {
            child,
            folder,
            connections,
            port,
            ca,
        })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// As a crash: nobody is told.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        fs::remove_file(self.folder.path().join(READY)).or_else(|error| match error.kind() {
            io::ErrorKind::NotFound => Ok(()),
            _ => Err(error),
        })
    }

    /// At the same port, with the same keys.
    pub(super) async fn restart(&mut self) -> io::Result<()> {
        self.child = spawn(self.folder.path(), self.port, self.connections)?;
        ready(self.folder.path(), &mut self.child).await.map(drop)
    }
}

impl Drop for OwnSandbox {
    fn drop(&mut self) {
        // It may be gone already; and if it isn't, its standard input ends with us.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(folder: &Path, port: u16, connections: u32) -> io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["sandbox", "--until-eof", "--port", &port.to_string()])
        .args(["--max-connections", &connections.to_string(), "--config"])
        .arg(folder.join("sandbox.toml"))
        .arg("--state-dir")
        .arg(folder)
        .arg("--ready-file")
        .arg(folder.join(READY))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
}

const READY: &str = "ready.json";

async fn ready(folder: &Path, child: &mut Child) -> io::Result<Ready> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if let Some(ready) = fs::read(folder.join(READY))
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
        {
            return Ok(ready);
        }
        if let Some(status) = child.try_wait()? {
            return Err(io::Error::other(format!(
                "the sandbox for the fleet ended: {status}"
            )));
        }
        sleep(LOOK_AGAIN).await;
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        "the sandbox for the fleet doesn't get ready",
    ))
}
