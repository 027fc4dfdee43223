//! The JSON lines of every verb, checked against the schema that `dunlin explain schema` prints.

#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

mod validator;

use std::collections::BTreeSet;
use std::time::Duration;

use dunlin_sandbox::{Sandbox, SandboxOptions};
use dunlin_tests::{Finished, dunlin};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;
use validator::Schema;

/// Sandbox that lets everybody in, without TLS.
struct Server {
    sandbox: Sandbox,
    _state: TempDir,
}

impl Server {
    async fn start() -> Self {
        let state = TempDir::new().unwrap();
        let options = SandboxOptions {
            port: 0,
            plain_port: Some(0),
            anonymous: true,
            state_dir: Some(state.path().into()),
            ..SandboxOptions::default()
        };
        Self {
            sandbox: Sandbox::start(options).await.unwrap(),
            _state: state,
        }
    }

    fn url(&self) -> String {
        format!("mqtt://localhost:{}", self.sandbox.plain_port().unwrap())
    }
}

async fn schema() -> Schema {
    let run = dunlin(["explain", "schema"]).run().await;
    run.exits(0);
    Schema::parse(&run.stdout)
}

/// Lines of standard output, each of which must be an object of the definition.
#[track_caller]
fn checked(schema: &Schema, definition: &str, run: &Finished) -> Vec<Value> {
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(!lines.is_empty(), "no line\n{}", run.stderr);
    for line in &lines {
        assert_eq!(schema.check(definition, line), Ok(()));
    }
    lines
}

#[tokio::test]
async fn the_schema_has_no_keyword_that_this_test_does_not_check() {
    assert_eq!(schema().await.unknown_keywords(), [""; 0]);
}

#[tokio::test]
async fn a_line_that_differs_from_the_schema_is_found() {
    let schema = schema().await;
    let good = json!({"v": 1, "message": "m", "line": 1});
    assert_eq!(schema.check("policy_mistake", &good), Ok(()));
    for bad in [
        json!({"v": 2, "message": "m"}),
        json!({"v": 1}),
        json!({"v": 1, "message": 7}),
        json!({"v": 1, "message": "m", "line": 1.5}),
        json!({"v": 1, "message": "m", "unknown": true}),
        json!("text"),
    ] {
        assert!(schema.check("policy_mistake", &bad).is_err(), "{bad}");
    }
    let tagged = json!({"v": 1, "ts": "t", "event": "nonsense"});
    assert!(schema.check("sandbox_line", &tagged).is_err());
    assert!(schema.check("code", &json!(256)).is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_of_bench_are_as_the_schema_says() {
    let schema = schema().await;
    let server = Server::start().await;
    let folder = TempDir::new().unwrap();
    let url = server.url();
    for verb in ["connect", "pub", "pubsub", "request"] {
        let count = ["--count=20"].into_iter().filter(|_| verb != "connect");
        let run = dunlin(["bench", verb, "--json", "--endpoint", &url])
            .args(count)
            .run()
            .await;
        run.exits(0);
        let lines = checked(&schema, "bench_report", &run);
        assert_eq!(lines.len(), 1);
        std::fs::write(folder.path().join(verb), run.stdout).unwrap();
    }
    let report = folder.path().join("pub");
    let merged = dunlin(["bench", "merge", "--json"])
        .args([&report, &report])
        .run()
        .await;
    merged.exits(0);
    let lines = checked(&schema, "bench_report", &merged);
    assert_eq!(lines[0]["sent"], 40);
    // Nobody publishes, so this one ends with an error and its report.
    let idle = dunlin([
        "bench",
        "sub",
        "--json",
        "--duration=200ms",
        "--drain=0",
        "--endpoint",
    ])
    .args([&url])
    .run()
    .await;
    let _ = checked(&schema, "bench_report", &idle);
    let fleet = dunlin([
        "bench",
        "fleet",
        "--json",
        "--clients=3",
        "--duration=300ms",
    ])
    .args(["--interval=100ms", "--endpoint", &url])
    .run()
    .await;
    let _ = checked(&schema, "fleet_report", &fleet);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_verbs_that_connect_are_as_the_schema_says() {
    let schema = schema().await;
    let server = Server::start().await;
    let url = server.url();
    // A retained message, so that `sub` has one.
    for words in [
        &["connect", "--json", "--duration=0"][..],
        &[
            "pub",
            "--json",
            "-q1",
            "-r",
            "-t=a/b",
            "-m=x",
            "--user-property=k=v",
        ],
        &[
            "pub",
            "--json",
            "-q1",
            "-t=a/b",
            "--hex",
            "-m=00ff",
            "--dry-run",
        ],
        &["sub", "--json", "-q1", "-t=a/b", "-C=1"],
        &["sub", "--json", "-t=nothing", "-C=1", "-W=1s"],
        &["request", "--json", "-t=nobody", "-m=x", "-W=1s"],
        &["doctor", "--json", "-t=a/c", "--all"],
    ] {
        let run = dunlin(words).args(["--endpoint", &url]).run().await;
        let _ = checked(&schema, "run_line", &run);
    }
    let mut responder = dunlin(["respond", "--json", "-t=echo", "-C=1", "--endpoint"])
        .args([&url])
        .spawn();
    let mut lines = BufReader::new(responder.stdout.take().unwrap()).lines();
    let mut request = None;
    let mut events = BTreeSet::new();
    while let Ok(Ok(Some(line))) = timeout(Duration::from_secs(20), lines.next_line()).await {
        let line: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(schema.check("run_line", &line), Ok(()));
        let event = line["event"].as_str().unwrap().to_owned();
        if event == "suback" {
            let words = ["request", "--json", "-t=echo", "-m=x", "--endpoint", &url];
            request = Some(dunlin(words).spawn());
        }
        let _ = events.insert(event);
    }
    assert!(
        events.contains("answered") && events.contains("summary"),
        "{events:?}"
    );
    let run = Finished::wait_for(request.unwrap()).await;
    run.exits(0);
    let _ = checked(&schema, "run_line", &run);
    // A failing check, with TLS.
    let check = dunlin(["doctor", "--json", "--all", "--authorizer-name=Nobody"])
        .connecting_to(&server.sandbox)
        .run()
        .await;
    let _ = checked(&schema, "run_line", &check);
    // The sample, which ends with an error here: the sandbox knows no such authorizer.
    let sample = dunlin(["sample", "--json", "--authorizer-name=Nobody", "--count=1"])
        .args(["--auth-username=me"])
        .connecting_to(&server.sandbox)
        .run()
        .await;
    let _ = checked(&schema, "run_line", &sample);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_offline_verbs_are_as_the_schema_says() {
    let schema = schema().await;
    let folder = TempDir::new().unwrap();
    let policy = folder.path().join("policy.json");
    let printed = dunlin(["auth", "policy"]).run().await;
    std::fs::write(&policy, &printed.stdout).unwrap();
    for words in [
        &["--action=publish", "--topic=test/topic"][..],
        &["--action=publish", "--topic=other"],
        &["--action=retain-publish", "--topic=other"],
        &["--action=connect", "--client-id=other"],
    ] {
        let run = dunlin(["auth", "eval", "--json", "--policy"])
            .args([&policy])
            .args(words)
            .run()
            .await;
        let _ = checked(&schema, "evaluated_action", &run);
    }
    let broken = folder.path().join("broken.json");
    std::fs::write(
        &broken,
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:*:*:topic/a"}]}"#,
    )
    .unwrap();
    let lint = dunlin(["auth", "lint", "--json", "--client-id=zzz", "--policy"])
        .args([&broken])
        .run()
        .await;
    assert_eq!(lint.code, Some(7));
    assert!(checked(&schema, "policy_mistake", &lint).len() > 1);
    for words in [
        &["0x87"][..],
        &["suback", "135"],
        &["E-DNS"],
        &["exit", "7"],
        &["MQTT-3.3.1-4"],
        &["receive-maximum"],
        &["limits"],
        &[],
    ] {
        let run = dunlin(["explain", "--json"]).args(words).run().await;
        let _ = checked(&schema, "explanation", &run);
    }
    for packet in [
        "300400016100",
        "101000044d5154540502003c000000036162",
        "20",
        "ff00",
    ] {
        let run = dunlin(["inspect", "decode", "--json", packet]).run().await;
        let _ = checked(&schema, "decoded_packet", &run);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_about_captures_are_as_the_schema_says() {
    let schema = schema().await;
    let server = Server::start().await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("pub.pcapng").display().to_string();
    let url = server.url();
    let run = dunlin(["pub", "-q1", "-t=a/b", "-m=x", "--endpoint", &url]);
    run.args(["--capture", &file]).run().await.exits(0);
    let run = dunlin(["inspect", "decode", "--json", &file]).run().await;
    assert!(checked(&schema, "conversation_line", &run).len() > 6);
    // The second time the identifier connects too soon for AWS, which is a difference.
    for _ in 0..2 {
        let run = dunlin(["inspect", "replay", "--json", &file, "--endpoint", &url]);
        let run = run.args(["--fast", "-W", "1s"]).run().await;
        let _ = checked(&schema, "replay_line", &run);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_sandbox_are_as_the_schema_says() {
    let schema = schema().await;
    let state = TempDir::new().unwrap();
    let mut sandbox = dunlin(["sandbox", "--json", "--explain-decisions", "--port=0"])
        .args(["--until-eof", "--state-dir"])
        .args([state.path()])
        .with_stdin()
        .spawn();
    let mut lines = BufReader::new(sandbox.stdout.take().unwrap()).lines();
    let mut next = async || {
        let line = timeout(Duration::from_secs(20), lines.next_line()).await;
        let line: Value = serde_json::from_str(&line.unwrap().unwrap()?).unwrap();
        assert_eq!(schema.check("sandbox_line", &line), Ok(()));
        Some(line["event"].as_str().unwrap().to_owned())
    };
    assert_eq!(next().await.as_deref(), Some("ready"));
    // One run that succeeds, and one that is refused.
    for password in ["demo", "wrong"] {
        let _ = dunlin([
            "sample",
            "--endpoint=sandbox",
            "--authorizer-name=DemoUnsigned",
        ])
        .args([
            "--auth-username=demo",
            "--count=1",
            "--auth-password",
            password,
        ])
        .args(["--state-dir".as_ref(), state.path()])
        .run()
        .await;
    }
    drop(sandbox.stdin.take());
    let mut events = BTreeSet::new();
    while let Some(event) = next().await {
        let _ = events.insert(event);
    }
    for event in ["connect", "subscribe", "publish", "receive", "disconnect"] {
        assert!(events.contains(event), "{event} is missing: {events:?}");
    }
}
