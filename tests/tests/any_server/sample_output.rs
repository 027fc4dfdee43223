//! `--json`, `--packets` and `--dry-run` of the sample.

use dunlin_sandbox::{Sandbox, SandboxOptions};
use dunlin_tests::{Tool, dunlin};
use serde_json::Value;
use tempfile::TempDir;

/// Password of the demonstration's user, which no output may have in clear.
const PASSWORD: &str = "\"demo\" password";

async fn sandbox() -> (Sandbox, TempDir) {
    let state = TempDir::new().unwrap();
    let options = SandboxOptions {
        port: 0,
        state_dir: Some(state.path().into()),
        ..SandboxOptions::default()
    };
    (Sandbox::start(options).await.unwrap(), state)
}

fn sample(sandbox: &Sandbox) -> Tool {
    dunlin(["sample"])
        .connecting_to(sandbox)
        .with_demo_credentials()
        .args(["--count=2", "--interval=10ms"])
}

#[tokio::test(flavor = "multi_thread")]
async fn json_lines_replace_the_text_of_the_sample() {
    let (sandbox, _state) = sandbox().await;
    let run = sample(&sandbox).args(["--json"]).run().await;
    run.exits(0);
    let events: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let count = |event: &str| events.iter().filter(|line| line["event"] == event).count();
    for (event, expected) in [
        ("attempt", 1),
        ("tcp", 1),
        ("tls", 1),
        ("connack", 1),
        ("suback", 1),
        ("puback", 2),
        ("message", 2),
        ("error", 0),
        ("summary", 1),
    ] {
        assert_eq!(count(event), expected, "{event}\n{}", run.stdout);
    }
    let summary = events.last().unwrap();
    assert_eq!(
        (&summary["sent"], &summary["received"]),
        (&2.into(), &2.into())
    );

    // A failure is an event as well.
    let run = sample(&sandbox)
        .args(["--json", "--auth-password=wrong"])
        .run()
        .await;
    run.exits(5);
    let error = run
        .stdout
        .lines()
        .find(|line| line.contains("\"event\":\"error\""))
        .unwrap();
    let error: Value = serde_json::from_str(error).unwrap();
    assert_eq!(
        (&error["id"], &error["code"]),
        (&"E-AUTH-DENIED".into(), &0x87.into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn packets_are_printed_beside_the_text_of_the_sample() {
    let (sandbox, _state) = sandbox().await;
    let plain = sample(&sandbox)
        .args(["--client-id=mqtt5-sample-1"])
        .run()
        .await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    let run = sample(&sandbox)
        .args(["--client-id=mqtt5-sample-1", "--packets"])
        .run()
        .await;
    run.exits(0);
    assert_eq!(run.stdout, plain.stdout, "standard output stays as it is");
    for packet in [
        "-> CONNECT",
        "<- CONNACK",
        "-> SUBSCRIBE",
        "-> PUBLISH",
        "<- PUBLISH",
        "-> DISCONNECT",
    ] {
        assert!(run.stderr.contains(packet), "{packet}\n{}", run.stderr);
    }
    assert!(!run.stderr.contains(PASSWORD));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_sends_nothing_and_shows_no_secret() {
    // Nobody listens there.
    let run = dunlin(["signed", "--endpoint", "localhost:1", "--authorizer-name=A"])
        .args(["--auth-token-key-name=k", "--auth-token-key-value=canary"])
        .args([
            "--auth-signature",
            &"A".repeat(342)
                .chars()
                .chain("==".chars())
                .collect::<String>(),
        ])
        .args(["--dry-run", "--packets=full"])
        .run()
        .await;
    run.exits(0);
    for words in [
        "to localhost:1 (TLS, ALPN mqtt); nothing is sent",
        "CONNECT",
        "SUBSCRIBE",
        "Hello from mqtt5 sample [1]",
    ] {
        assert!(run.stdout.contains(words), "{words}\n{}", run.stdout);
    }
    assert!(
        !run.stdout.contains("canary") && !run.stderr.contains("canary"),
        "{}",
        run.stdout
    );
}
