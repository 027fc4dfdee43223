//! Credentials of `--auth-cmd` and `--ask` against a sandbox: fresh for every connection, bounded,
//! and never shown.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use dunlin_sandbox::{Answer, Authorizer, DEMO_POLICY, Lambda, Sandbox, SandboxOptions};
use dunlin_tests::{Finished, Tool, dunlin, system_program};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

/// Password that the sandbox accepts, and that no output may have.
const CANARY: &str = "canary-7f3a";

struct Served {
    sandbox: Sandbox,
    folder: TempDir,
}

impl Served {
    async fn start(fault: Option<&str>) -> Self {
        let folder = TempDir::new().unwrap();
        let lambda = Lambda::Password {
            username: "demo".into(),
            password: CANARY.into(),
            answer: Answer::allow("demo", DEMO_POLICY.into()),
        };
        let options = SandboxOptions {
            port: 0,
            state_dir: Some(folder.path().into()),
            authorizers: vec![Authorizer::new("Canary", lambda)],
            faults: fault.iter().map(|fault| fault.parse().unwrap()).collect(),
            ..SandboxOptions::default()
        };
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
            folder,
        }
    }

    /// The sample with the output of a shell script as credentials.
    fn sample(&self, script: &str) -> Tool {
        let path = self.folder.path().join("credentials.sh");
        fs::write(&path, script).unwrap();
        dunlin(["sample", "--authorizer-name=Canary", "--count=1", "-vvv"])
            .args(["--interval=0", "--timeout=20s", "--auth-username=demo"])
            .args(["--auth-cmd", &format!("sh '{}'", path.display())])
            .connecting_to(&self.sandbox)
    }
}

#[track_caller]
fn hides_the_password(run: &Finished) {
    let printed = format!("{}{}", run.stdout, run.stderr);
    assert!(!printed.contains(CANARY), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_output_of_a_command_is_the_password_or_all_credentials() {
    let served = Served::start(None).await;
    for script in [
        &format!("echo {CANARY}"),
        &format!("echo '{{\"username\": \"demo\", \"password\": \"{CANARY}\"}}'"),
    ] {
        let run = served.sample(script).run().await;
        run.exits(0);
        hides_the_password(&run);
    }
    // The verbs for any server take it, too.
    let run = dunlin(["pub", "-t=test/topic", "-m=x", "--authorizer-name=Canary"])
        .args(["--auth-username=demo", "-q1", "--auth-cmd"])
        .args([format!("echo {CANARY}")])
        .args(["--client-id=mqtt5-sample-1"])
        .connecting_to(&served.sandbox)
        .run()
        .await;
    run.exits(0);
    hides_the_password(&run);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_runs_before_every_connection() {
    let served = Served::start(Some("reset@200ms")).await;
    let runs = served.folder.path().join("runs");
    // Each run prints another password; the sandbox accepts the third one alone.
    let script = format!(
        "echo run >> '{0}'; if [ $(wc -l < '{0}') -ge 3 ]; then echo wrong; else echo {CANARY}; fi",
        runs.display()
    );
    let run = served
        .sample(&script)
        .args(["--count=0", "--interval=100ms"])
        .run()
        .await;
    // Two connections were reset, and the third one was refused.
    run.exits(5);
    hides_the_password(&run);
    let count = fs::read_to_string(&runs).unwrap().lines().count();
    assert!(count >= 3, "{count}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_without_credentials_is_an_error_with_its_last_words() {
    let served = Served::start(None).await;
    for (script, words) in [
        (
            format!("echo {CANARY}; echo the vault is locked >&2; exit 4"),
            "exit status: 4; it says \"the vault is locked\"",
        ),
        (
            format!("echo '{{\"{CANARY}\": \"x\"}}'"),
            "without username",
        ),
        (format!("printf '{{\"password\": {CANARY}'"), "line 1"),
        ("true".to_owned(), "printed nothing"),
        (
            "head -c 300000 /dev/zero".to_owned(),
            "more than 262144 bytes",
        ),
    ] {
        let run = served.sample(&script).run().await;
        run.exits(2);
        assert!(
            run.stderr.contains("error[E-AUTH-CMD]: ") && run.error_line().contains(words),
            "{words}\n{}",
            run.stderr
        );
        hides_the_password(&run);
    }
    let missing = dunlin([
        "sample",
        "--auth-username=demo",
        "--auth-cmd=./no-such-program",
    ])
    .connecting_to(&served.sandbox)
    .run()
    .await;
    missing.exits(2);
    assert!(
        missing.stderr.contains("can't be started"),
        "{}",
        missing.stderr
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_hangs_is_named_and_not_a_firewall() {
    let served = Served::start(None).await;
    let run = served
        .sample("exec sleep 60")
        .args(["--timeout=4s"])
        .run()
        .await;
    run.exits(2);
    assert!(
        run.stderr
            .contains("waiting: the command of --auth-cmd still runs"),
        "{}",
        run.stderr
    );
    assert!(
        run.stderr.contains(
            "error[E-AUTH-CMD]: --auth-cmd brought no credentials: it still ran after 4 s"
        ),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("firewall"), "{}", run.stderr);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_typed_password_goes_before_the_command_and_that_before_the_environment() {
    let served = Served::start(None).await;
    let typed = served
        .sample("echo wrong")
        .args(["--auth-password", CANARY])
        .run()
        .await;
    typed.exits(0);
    let of_environment = served
        .sample(&format!("echo {CANARY}"))
        .env("DUNLIN_AUTH_PASSWORD", "wrong")
        .run()
        .await;
    of_environment.exits(0);
}

/// The tool with a terminal of its own, or with none.
fn asking(served: &Served) -> Vec<String> {
    let port = served.sandbox.port().to_string();
    let ca = served.sandbox.ca_path().display().to_string();
    [
        "--ask",
        "--authorizer-name=Canary",
        "--auth-username=demo",
        "--count=1",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!("--endpoint=localhost:{port}"), format!("--ca={ca}")])
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_asking_is_an_error() {
    let served = Served::start(None).await;
    // A session of its own has no terminal.
    let child = tokio::process::Command::new(system_program("setsid"))
        .arg("--wait")
        .arg(dunlin_tests::tool_path())
        .arg("sample")
        .args(asking(&served))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let run = Finished::wait_for(child).await;
    run.exits(2);
    assert!(
        run.stderr.contains("--ask needs a terminal"),
        "{}",
        run.stderr
    );
    assert_eq!(run.stdout, "");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_terminal_the_password_is_asked_for_and_not_shown() {
    let served = Served::start(None).await;
    let words = asking(&served).join(" ");
    let command = format!("'{}' sample {words}", dunlin_tests::tool_path().display());
    // script(1) runs it in a terminal, and passes on what is typed.
    let mut child = tokio::process::Command::new(system_program("script"))
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    // Typed after the question: before it, the terminal would show what is typed.
    let mut printed = Vec::new();
    let run = async {
        while !String::from_utf8_lossy(&printed).contains("--auth-password: ") {
            assert_ne!(
                stdout.read_buf(&mut printed).await.unwrap(),
                0,
                "no question"
            );
        }
        let answer = format!("{CANARY}\n");
        stdin.write_all(answer.as_bytes()).await.unwrap();
        let _ = stdout.read_to_end(&mut printed).await.unwrap();
        child.wait().await.unwrap()
    };
    let status = timeout(Duration::from_secs(30), run).await.unwrap();
    let printed = String::from_utf8_lossy(&printed);
    assert!(status.success(), "{printed}");
    assert!(printed.contains("Client Stopped!"), "{printed}");
    assert!(!printed.contains(CANARY), "{printed}");
}
