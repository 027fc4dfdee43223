//! The commands of README.md, run in their order.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use dunlin_tests::{Program, Signal, dunlin, send_signal};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Lines that begin with `$ `, with the lines that continue them.
fn commands(readme: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut continues = false;
    for line in readme.lines() {
        let text = match line.strip_prefix("$ ") {
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

async fn end(sandbox: Option<Child>) {
    if let Some(mut sandbox) = sandbox {
        send_signal(sandbox.id().unwrap(), Signal::INT);
        let ended = timeout(Duration::from_secs(10), sandbox.wait())
            .await
            .unwrap();
        assert_eq!(ended.unwrap().code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_readme_work_in_their_order() {
    // The README runs the handlers of examples/.
    if !(Program::Python.is_installed() && Program::Node.is_installed()) {
        return;
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    let state = TempDir::new().unwrap();
    // The verb finds the binary as an installed one.
    let bin = TempDir::new().unwrap();
    std::os::unix::fs::symlink(dunlin_tests::tool_path(), bin.path().join("dunlin")).unwrap();
    let path = format!(
        "{}:{}",
        bin.path().display(),
        std::env::var("PATH").unwrap()
    );
    let shell = |text: &str| {
        let mut command = Command::new("sh");
        command
            .args(["-c", text])
            .current_dir(root)
            .env("PATH", &path)
            .env("DUNLIN_STATE_DIR", state.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        command
    };
    let mut sandbox: Option<Child> = None;
    let mut run = 0;
    for text in commands(&readme) {
        println!("$ {text}");
        if text.starts_with("dunlin sandbox") {
            end(sandbox.take()).await;
            // Another program may use the default port.
            let child = shell(&format!("exec {text} --port 0"))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            sandbox = Some(child.unwrap());
            let mut tries = 0;
            while dunlin([
                "--endpoint",
                "sandbox",
                "--authorizer-name",
                "none",
                "--reconnect",
                "0",
            ])
            .env("DUNLIN_STATE_DIR", state.path())
            .run()
            .await
            .code
                == Some(3)
            {
                tries += 1;
                assert!(tries < 50, "no sandbox: {text}");
                sleep(Duration::from_millis(200)).await;
            }
        } else if text.contains("bench") {
            // Needs a server, or minutes.
            println!("  (not run)");
        } else {
            let output = timeout(Duration::from_secs(60), shell(&text).output())
                .await
                .unwrap()
                .unwrap();
            let (out, err) = (
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            );
            assert_eq!(output.status.code(), Some(0), "{text}\n{out}\n{err}");
            assert!(!err.contains("warning"), "{text}\n{err}");
            run += 1;
        }
    }
    end(sandbox).await;
    assert!(run >= 6, "{run}");
}
