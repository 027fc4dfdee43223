//! The commands of README.md, run in their order.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use dunlin_tests::{Program, Signal, send_signal};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Lines of the README's blocks that begin with this, with the lines that continue them.
fn commands(readme: &str, prompt: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut continues = false;
    for line in readme.lines() {
        let text = match line.strip_prefix(prompt) {
            Some(text) => {
                commands.push(String::new());
                text
            }
            None if continues => line.trim_start(),
            None => continue,
        };
        continues = text.ends_with('\\');
        commands
            .last_mut()
            .unwrap()
            .push_str(text.trim_end_matches('\\'));
    }
    commands
}

/// Commands between backquotes inside of sentences.
fn inline_commands(readme: &str) -> Vec<String> {
    let prose = readme.split("```").step_by(2).collect::<String>();
    prose
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.starts_with("dunlin "))
        .map(|code| code.replace('\n', " "))
        .collect()
}

/// A shell in the folder of the README, in which `dunlin` is installed.
struct Reader {
    root: PathBuf,
    state: TempDir,
    path: String,
    _bin: TempDir,
    sandbox: Option<Child>,
    plain_port: Option<u64>,
}

impl Reader {
    fn new() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let bin = TempDir::new().unwrap();
        std::os::unix::fs::symlink(dunlin_tests::tool_path(), bin.path().join("dunlin")).unwrap();
        let path = std::env::var("PATH").unwrap();
        Self {
            root: root.to_owned(),
            state: TempDir::new().unwrap(),
            path: format!("{}:{path}", bin.path().display()),
            _bin: bin,
            sandbox: None,
            plain_port: None,
        }
    }

    fn shell(&self, text: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", text])
            .current_dir(&self.root)
            .env("PATH", &self.path)
            .env("DUNLIN_STATE_DIR", self.state.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, text: &str) -> Output {
        let output = self.shell(text).output();
        timeout(Duration::from_secs(60), output)
            .await
            .unwrap()
            .unwrap()
    }

    /// Ends the sandbox before, and waits until this one is ready.
    async fn start_sandbox(&mut self, text: &str) {
        self.end_sandbox().await;
        // Other programs may use the default ports.
        let text = text.replace("--plain 1883", "--plain 0");
        let ready = self.state.path().join("ready.json");
        let file = ready.display();
        let child = self
            .shell(&format!("exec {text} --port 0 --ready-file {file}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        self.sandbox = Some(child.unwrap());
        let mut tries = 0;
        while !ready.exists() {
            tries += 1;
            assert!(tries < 200, "no sandbox: {text}");
            sleep(Duration::from_millis(50)).await;
        }
        let ready: Value = serde_json::from_slice(&fs::read(ready).unwrap()).unwrap();
        self.plain_port = ready.get("plain_port").and_then(Value::as_u64);
    }

    /// Ends the sandbox with Ctrl-C, as the README says.
    async fn end_sandbox(&mut self) {
        if let Some(mut sandbox) = self.sandbox.take() {
            send_signal(sandbox.id().unwrap(), Signal::INT);
            let ended = timeout(Duration::from_secs(10), sandbox.wait())
                .await
                .unwrap();
            assert_eq!(ended.unwrap().code(), Some(0));
            let _ = fs::remove_file(self.state.path().join("ready.json"));
        }
    }
}

/// The same load for a moment, by few clients, at the port that was free.
fn shortened(text: &str, plain_port: Option<u64>) -> String {
    let port = plain_port.unwrap_or_default();
    text.replace(":1883", &format!(":{port}"))
        .replace("--count 10000", "--count 500")
        .replace("--duration 1m", "--duration 1s")
        .replace("--clients 10000", "--clients 5 --duration 1s")
}

fn readme() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    fs::read_to_string(root.join("README.md")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readme_work_in_their_order() {
    // The README runs the handlers of examples/.
    if !(Program::Python.is_installed() && Program::Node.is_installed()) {
        return;
    }
    let mut reader = Reader::new();
    let mut run = 0;
    for text in commands(&readme(), "$ ") {
        println!("$ {text}");
        if text.starts_with("dunlin sandbox") {
            reader.start_sandbox(&text).await;
            continue;
        }
        let text = shortened(&text, reader.plain_port);
        let output = reader.run(&text).await;
        let (out, err) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert_eq!(output.status.code(), Some(0), "{text}\n{out}\n{err}");
        assert!(!err.contains("warning"), "{text}\n{err}");
        run += 1;
    }
    reader.end_sandbox().await;
    assert!(run >= 11, "{run}");
}

#[tokio::test]
async fn the_commands_for_aws_are_complete() {
    let reader = Reader::new();
    let commands = commands(&readme(), "dunlin ");
    assert_eq!(commands.len(), 2, "{commands:?}");
    for text in commands {
        // AWS isn't asked: nobody listens on the port, which is found out after all checks.
        let text = format!("dunlin {text} --connect-to 127.0.0.1:1 --reconnect 0");
        let mut command = reader.shell(&text);
        command
            .env("ENDPOINT", "x-ats.iot.eu-west-1.amazonaws.com")
            .env("TOKEN", "hello")
            .env("SIGNATURE", format!("{}==", "A".repeat(342)));
        let output = command.output().await.unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{text}\n{err}");
    }
}

#[tokio::test]
async fn the_flags_in_the_sentences_exist() {
    let reader = Reader::new();
    let inline = inline_commands(&readme());
    assert!(inline.len() >= 6, "{inline:?}");
    for text in inline {
        // Flags are checked in front of --help, which ends the run.
        let output = reader.run(&format!("{text} --help")).await;
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{text}\n{err}");
    }
}
