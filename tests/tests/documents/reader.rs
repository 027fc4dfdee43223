//! `Reader`: types the commands of a page into a shell.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use dunlin_tests::{Signal, send_signal};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// Root folder of the repository.
pub(crate) fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Lines of a page's blocks that begin with this, with the lines that continue them.
pub(crate) fn commands(page: &str, prompt: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut continues = false;
    for line in page.lines() {
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
pub(crate) fn inline_commands(page: &str) -> Vec<String> {
    let prose = page.split("```").step_by(2).collect::<String>();
    prose
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|code| code.starts_with("dunlin "))
        .map(|code| code.replace('\n', " "))
        .collect()
}

/// A shell in which `dunlin` is installed, in a folder with the repository's `examples`.
pub(crate) struct Reader {
    folder: TempDir,
    state: TempDir,
    path: String,
    _bin: TempDir,
    sandbox: Option<Child>,
    /// Ports of the sandbox that runs, with TLS and without; `None` without a sandbox.
    port: Option<u64>,
    plain_port: Option<u64>,
}

impl Reader {
    pub(crate) fn new() -> Self {
        let (folder, bin) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let link = std::os::unix::fs::symlink::<PathBuf, PathBuf>;
        link(
            dunlin_tests::tool_path().to_owned(),
            bin.path().join("dunlin"),
        )
        .unwrap();
        link(
            repository().join("examples"),
            folder.path().join("examples"),
        )
        .unwrap();
        let path = std::env::var("PATH").unwrap();
        Self {
            folder,
            state: TempDir::new().unwrap(),
            path: format!("{}:{path}", bin.path().display()),
            _bin: bin,
            sandbox: None,
            port: None,
            plain_port: None,
        }
    }

    /// Folder in which commands run.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn shell(&self, text: &str) -> Command {
        let mut command = Command::new("sh");
        command
            .args(["-c", text])
            .current_dir(self.folder.path())
            .env("PATH", &self.path)
            .env("DUNLIN_STATE_DIR", self.state.path())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        // The pages don't expect a proxy.
        for proxy in ["HTTPS_PROXY", "ALL_PROXY"] {
            command.env_remove(proxy).env_remove(proxy.to_lowercase());
        }
        command
    }

    /// Runs each command of a page, in order, and returns their number without those that start a
    /// sandbox. Each has to end with exit code 0 and without a warning, or else as a comment
    /// `# exit code N` says.
    pub(crate) async fn run_page(&mut self, page: &str) -> usize {
        let mut run = 0;
        for text in commands(page, "$ ") {
            println!("$ {text}");
            if text.starts_with("dunlin sandbox") {
                self.start_sandbox(&text).await;
                continue;
            }
            let expected = match text.split_once("# exit code ") {
                Some((_, code)) => code.trim().parse().unwrap(),
                None => 0,
            };
            let output = self.run(&self.shortened(&text)).await;
            let (out, err) = (
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr),
            );
            assert_eq!(output.status.code(), Some(expected), "{text}\n{out}\n{err}");
            assert!(!err.contains("warning"), "{text}\n{err}");
            run += 1;
        }
        self.end_sandbox().await;
        run
    }

    /// Checks that the verbs and flags of a command exist. Nothing is run: flags are checked in
    /// front of --help, which ends the run.
    pub(crate) async fn parse(&self, text: &str) {
        for part in text.split(" | ").filter(|part| part.starts_with("dunlin")) {
            let part = part.split_once(" # ").map_or(part, |(command, _)| command);
            let output = self.run(&format!("{part} --help")).await;
            let err = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{part}\n{err}");
        }
    }

    pub(crate) async fn run(&self, text: &str) -> Output {
        let output = self.shell(text).output();
        timeout(Duration::from_secs(60), output)
            .await
            .unwrap()
            .unwrap()
    }

    /// Ends the sandbox before, and waits until this one is ready.
    pub(crate) async fn start_sandbox(&mut self, text: &str) {
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
        self.port = ready.get("port").and_then(Value::as_u64);
        self.plain_port = ready.get("plain_port").and_then(Value::as_u64);
    }

    /// Ends the sandbox with Ctrl-C, as the pages say.
    pub(crate) async fn end_sandbox(&mut self) {
        if let Some(mut sandbox) = self.sandbox.take() {
            send_signal(sandbox.id().unwrap(), Signal::INT);
            let ended = timeout(Duration::from_secs(10), sandbox.wait())
                .await
                .unwrap();
            assert_eq!(ended.unwrap().code(), Some(0));
            let _ = fs::remove_file(self.state.path().join("ready.json"));
        }
    }

    /// The same command at the ports that were free, and the same load for a moment, by few clients.
    pub(crate) fn shortened(&self, text: &str) -> String {
        let (port, plain) = (
            self.port.unwrap_or_default(),
            self.plain_port.unwrap_or_default(),
        );
        // A capture replaces no file, and the folder of the page is the repository.
        let capture = self.state.path().join("run.pcapng");
        text.replace("run.pcapng", &capture.display().to_string())
            .replace(":8883", &format!(":{port}"))
            .replace(":1883", &format!(":{plain}"))
            .replace("--count 10000", "--count 500")
            .replace("--duration 1m", "--duration 1s")
            .replace("--clients 10000", "--clients 5 --duration 1s")
            .replace("--clients 1000 --duration 10s", "--clients 5 --duration 1s")
    }
}
