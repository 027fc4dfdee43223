//! Processes that the programs of `--exec` and `--auth-cmd` have started: they end with the program.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use dunlin_sandbox::{Profile, Sandbox, SandboxOptions};
use dunlin_tests::{Finished, Signal, Tool, dunlin, send_signal};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::{sleep, timeout};

/// Sandbox without TLS that lets everybody in, and a folder for the numbers of processes.
struct Server {
    sandbox: Sandbox,
    folder: TempDir,
}

impl Server {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let options = SandboxOptions {
            port: 0,
            plain_port: Some(0),
            anonymous: true,
            profile: Profile::Mqtt5,
            state_dir: Some(folder.path().into()),
            ..SandboxOptions::default()
        };
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
            folder,
        }
    }

    fn tool(&self, verb: &str) -> Tool {
        let port = self.sandbox.plain_port().unwrap();
        dunlin([verb, "-H", &format!("mqtt://localhost:{port}")])
    }

    /// Command that runs `before`, starts a process that runs for ten minutes, writes its number to
    /// the file that is returned, and waits for it.
    fn command(&self, before: &str) -> (String, PathBuf) {
        let file = self.folder.path().join("pid");
        let new = self.folder.path().join("pid.new");
        let script = self.folder.path().join("script.sh");
        let text = format!(
            "{before}\nsleep 600 &\necho $! > '{0}' && mv '{0}' '{1}'\nwait\nwait\n",
            new.display(),
            file.display()
        );
        fs::write(&script, text).unwrap();
        (format!("sh '{}'", script.display()), file)
    }
}

/// Number of the process, once the file is there.
async fn number(file: &Path) -> u32 {
    let read = async {
        loop {
            match fs::read_to_string(file) {
                Ok(number) => return number.trim().parse().unwrap(),
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        }
    };
    timeout(Duration::from_secs(30), read).await.unwrap()
}

/// Waits until no process has this number.
async fn ends(pid: u32) {
    // A process that has ended and that nobody has waited for yet is a zombie.
    let runs =
        || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    let ended = timeout(Duration::from_secs(10), async {
        while runs() {
            sleep(Duration::from_millis(20)).await;
        }
    });
    assert!(ended.await.is_ok(), "process {pid} still runs");
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_a_program_that_takes_too_long_end_with_it() {
    let server = Server::start().await;
    // The second shell and its child ignore SIGTERM.
    for before in ["", "trap '' TERM"] {
        let (command, file) = server.command(before);
        let mut responder = server
            .tool("respond")
            .args(["-t=run", "-q1", "--json"])
            .args(["--exec", &command, "--exec-timeout=1s"])
            .spawn();
        let mut lines = BufReader::new(responder.stdout.take().unwrap()).lines();
        // A request before the subscription would be lost.
        while !lines.next_line().await.unwrap().unwrap().contains("suback") {}
        let request = server.tool("request").args(["-t=run", "-m=x", "-W=3s"]);
        let (_, pid) = tokio::join!(request.run(), number(&file));
        ends(pid).await;
        // The responder goes on.
        send_signal(responder.id().unwrap(), Signal::TERM);
        let run = Finished::wait_for(responder).await;
        run.exits(143);
        assert!(
            run.stderr.contains("took longer than 1 s"),
            "{}",
            run.stderr
        );
        fs::remove_file(file).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_a_credentials_command_end_with_a_run_that_times_out() {
    let server = Server::start().await;
    let (command, file) = server.command("");
    let run = server
        .tool("pub")
        .args(["-t=a", "-m=x", "-W=3s", "-u=u", "--auth-cmd", &command])
        .run()
        .await;
    run.exits(2);
    ends(number(&file).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn children_of_a_program_end_with_a_run_that_is_stopped() {
    let server = Server::start().await;
    for signals in [1, 2] {
        let (command, file) = server.command("trap '' TERM INT");
        let run = server
            .tool("pub")
            .args(["-t=a", "-m=x", "-u=u", "--auth-cmd", &command])
            .spawn();
        let pid = number(&file).await;
        send_signal(run.id().unwrap(), Signal::INT);
        if signals == 2 {
            // A repetition within half a second is the same signal.
            sleep(Duration::from_millis(600)).await;
            // The run may have ended after the first one.
            let _ = std::process::Command::new("kill")
                .args(["-INT", &run.id().unwrap().to_string()])
                .status();
        }
        Finished::wait_for(run).await.exits(130);
        ends(pid).await;
        fs::remove_file(file).unwrap();
    }
}
