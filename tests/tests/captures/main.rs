//! Capture files: written by `--capture`, read by tshark and `inspect decode`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't be set up fails"
)]

mod decoded;
// The proxy is stopped with a signal.
#[cfg(unix)]
mod proxy;
mod replay;
mod written;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use dunlin_sandbox::{Answer, Authorizer, Lambda, Profile, Sandbox, SandboxOptions};
use dunlin_tests::Program;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

/// Password that must be in no capture.
const CANARY: &str = "canary-51d0";

/// Sandbox with and without TLS, and a folder for its state and for captures.
struct Served {
    sandbox: Sandbox,
    folder: TempDir,
}

impl Served {
    async fn start(fault: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let policy = serde_json::json!({
            "Version": "2012-10-17",
            "Statement": {"Effect": "Allow", "Action": "iot:*", "Resource": "*"}
        });
        let lambda = Lambda::Password {
            username: "demo".into(),
            password: CANARY.into(),
            answer: Answer::allow("canary", policy),
        };
        let options = SandboxOptions {
            port: 0,
            plain_port: Some(0),
            state_dir: Some(folder.path().into()),
            authorizers: vec![Authorizer::new("Canary", lambda)],
            // AWS lets a client identifier connect once a second; a replay may come sooner.
            profile: Profile::Mqtt5,
            anonymous: true,
            faults: fault.iter().map(|fault| fault.parse().unwrap()).collect(),
            ..SandboxOptions::default()
        };
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
            folder,
        }
    }

    fn url(&self) -> String {
        format!("mqtt://127.0.0.1:{}", self.sandbox.plain_port().unwrap())
    }

    /// Path of a capture, as text.
    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

/// Lines of tshark, without any setting for MQTT: for each packet that `filter` selects, the values of
/// `fields` with "|" between them. `None`, with a line on standard error, where tshark isn't
/// installed.
async fn tshark(file: &str, filter: &str, fields: &[&str]) -> Option<Vec<String>> {
    let program = Program::Tshark.find()?;
    let mut command = Command::new(program);
    // Checksums are checked, which tshark leaves out by default.
    command.args(["-o", "ip.check_checksum:TRUE"]);
    command.args(["-o", "tcp.check_checksum:TRUE"]);
    command.args([
        "-r",
        file,
        "-Y",
        filter,
        "-T",
        "fields",
        "-E",
        "separator=|",
    ]);
    for field in fields {
        command.args(["-e", field]);
    }
    // Its settings would be those of whoever runs the test.
    let home = TempDir::new().unwrap();
    command.env("HOME", home.path()).stdin(Stdio::null());
    let output = timeout(Duration::from_secs(60), command.output());
    let output = output.await.unwrap().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

/// True if the bytes of the file contain this text.
fn contains(file: impl AsRef<Path>, text: &str) -> bool {
    let bytes = std::fs::read(file).unwrap();
    bytes
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}
