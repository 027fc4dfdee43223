//! Custom authorizers with real programs as their Lambdas: from the command line to the sample's
//! exit code.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod handlers;
mod lambda;
mod processes;
mod warm;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dunlin_tests::{Finished, Tool, dunlin};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

/// A sandbox in a process of its own, with a folder of its own.
struct Process {
    child: Child,
    dir: TempDir,
}

impl Process {
    async fn start(words: &[&str]) -> Self {
        Self::start_in(TempDir::new().unwrap(), words).await
    }

    async fn start_in(dir: TempDir, words: &[&str]) -> Self {
        Self::start_with(dir, words, |tool| tool).await
    }

    async fn start_with(dir: TempDir, words: &[&str], describe: impl FnOnce(Tool) -> Tool) -> Self {
        let ready = dir.path().join("ready.json");
        let tool = dunlin(["sandbox", "--port", "0", "--until-eof", "--ready-file"])
            .args([&ready])
            .args(words)
            .env("DUNLIN_STATE_DIR", dir.path())
            .with_stdin();
        let child = describe(tool).spawn();
        let is_ready = async {
            while !ready.exists() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(10), is_ready).await.unwrap();
        Self { child, dir }
    }

    /// The sample, one message, as this user of that authorizer.
    fn sample(&self, authorizer: &str, user: &str, password: &str) -> Tool {
        dunlin([
            "--endpoint",
            "sandbox",
            "--count",
            "1",
            "--authorizer_name",
            authorizer,
        ])
        .args(["--auth_username", user, "--auth_password", password])
        .env("DUNLIN_STATE_DIR", self.dir.path())
    }

    async fn stop(mut self) -> Finished {
        drop(self.child.stdin.take());
        let run = Finished::wait_for(self.child).await;
        run.exits(0);
        run
    }

    async fn events(self) -> Vec<Value> {
        let run = self.stop().await;
        run.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }
}

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")
}

fn write(dir: &TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// Waits until a process has ended.
async fn wait_until_gone(pid: &str) {
    let ended = async {
        while has_process(pid) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        timeout(Duration::from_secs(10), ended).await.is_ok(),
        "{pid} is still there"
    );
}

/// A zombie has ended; whoever adopted it has yet to look at it.
fn has_process(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "))
}
