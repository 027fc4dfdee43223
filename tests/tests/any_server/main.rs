//! `dunlin connect`, `pub` and `sub` against mosquitto and the sandbox.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod bounded;
mod client_certificates;
mod copy;
mod errors;
mod formats;
mod mosquitto_clients;
mod network;
mod options;
mod other_verbs;
mod proxies;
mod queue;
mod sample_output;

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use dunlin_tests::{Mosquitto, Program, Tool, dunlin};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// `dunlin` with this verb, at the plain port of the broker.
fn at(broker: &Mosquitto, verb: &str) -> Tool {
    let address = broker.plain_address();
    dunlin([verb])
        .args([
            "--endpoint",
            &format!("mqtt://localhost:{}", address.port()),
        ])
        .args(["-u", Mosquitto::USER])
        .env("DUNLIN_PASSWORD", Mosquitto::PASSWORD)
}

/// One of mosquitto's tools at the plain port of the broker, with MQTT 5; `None` if they aren't
/// installed.
fn mosquitto_tool(broker: &Mosquitto, name: &str) -> Option<Command> {
    let path: PathBuf = Program::MosquittoClients.find()?.with_file_name(name);
    let port = broker.plain_address().port().to_string();
    let mut command = Command::new(path);
    command
        .args(["-h", "127.0.0.1", "-p", &port, "-V", "5"])
        .args(["-u", Mosquitto::USER, "-P", Mosquitto::PASSWORD])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    Some(command)
}

/// Standard output and exit code of a process that is to end within [`LONGEST`].
async fn bytes_of(mut child: Child, stdin: &[u8]) -> (Vec<u8>, Option<i32>) {
    if let Some(mut input) = child.stdin.take() {
        // A process that has ended doesn't read its input.
        let _ = input.write_all(stdin).await;
    }
    let mut stderr = child.stderr.take();
    let read_errors = async {
        let mut text = String::new();
        if let Some(stderr) = &mut stderr {
            let _ = stderr.read_to_string(&mut text).await;
        }
        text
    };
    let ended = timeout(LONGEST, async {
        let mut bytes = Vec::new();
        let mut stdout = child.stdout.take().unwrap();
        let (_, text, status) =
            tokio::join!(stdout.read_to_end(&mut bytes), read_errors, child.wait());
        (bytes, text, status.unwrap().code())
    });
    let (bytes, text, code) = ended.await.unwrap();
    if code != Some(0) {
        println!("{text}");
    }
    (bytes, code)
}

/// Waits until a run with `--packets` has printed this word on standard error, and reads on.
async fn until_packet(child: &mut Child, word: &str) {
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    timeout(LONGEST, async {
        loop {
            let line = lines.next_line().await.unwrap();
            let line = line.unwrap_or_else(|| panic!("no {word}"));
            if line.contains(word) {
                return;
            }
        }
    })
    .await
    .unwrap();
    // The tool must never wait for its standard error.
    tokio::spawn(async move { while lines.next_line().await.is_ok_and(|line| line.is_some()) {} });
}

/// A `dunlin sub --json` that is running, and its lines.
struct Subscriber {
    child: Child,
    lines: tokio::io::Lines<BufReader<ChildStdout>>,
}

impl Subscriber {
    /// Starts the tool and waits for SUBACK.
    async fn start(tool: Tool) -> Self {
        let mut child = tool.args(["--json"]).spawn();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut subscriber = Self { child, lines };
        subscriber.until("suback").await;
        subscriber
    }

    /// Next event of this kind; earlier ones are skipped.
    async fn until(&mut self, event: &str) -> Value {
        loop {
            let line = timeout(LONGEST, self.lines.next_line()).await;
            let line = line.unwrap().unwrap();
            let line = line.unwrap_or_else(|| panic!("no line with {event}"));
            let value: Value = serde_json::from_str(&line).unwrap();
            assert_eq!(value["v"], 1, "{line}");
            if value["event"] == event {
                return value;
            }
            assert_ne!(value["event"], "error", "{line}");
        }
    }

    async fn code(mut self) -> Option<i32> {
        let status = timeout(LONGEST, self.child.wait()).await;
        status.unwrap().unwrap().code()
    }
}

/// Longest time of a run.
const LONGEST: Duration = Duration::from_secs(30);
