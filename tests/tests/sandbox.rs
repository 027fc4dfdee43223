//! `dunlin sandbox` as scripts use it, and the sample against it with nothing but the command line.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that can't be set up fails")]

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use dunlin_tests::{Finished, Signal, Tool, dunlin, send_signal};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

/// A sandbox in a process of its own.
struct Process {
    child: Child,
    dir: TempDir,
    ready: Value,
}

async fn start(words: &[&str]) -> Process {
    let dir = TempDir::new().unwrap();
    let file = dir.path().join("ready.json");
    let child = dunlin(["sandbox", "--port", "0", "--ready-file"])
        .args([&file])
        .args(words)
        .env("DUNLIN_STATE_DIR", dir.path())
        .with_stdin()
        .spawn();
    let ready = timeout(Duration::from_secs(10), async {
        loop {
            match fs::read(&file) {
                Ok(text) => return serde_json::from_slice(&text).unwrap(),
                Err(_) => sleep(Duration::from_millis(10)).await,
            }
        }
    });
    Process {
        child,
        ready: ready.await.unwrap(),
        dir,
    }
}

impl Process {
    fn tool(&self, words: &[&str]) -> Tool {
        dunlin(words).env("DUNLIN_STATE_DIR", self.dir.path())
    }

    fn ready_file(&self) -> PathBuf {
        self.dir.path().join("ready.json")
    }

    async fn stop(self) -> Finished {
        send_signal(self.child.id().unwrap(), Signal::TERM);
        Finished::wait_for(self.child).await
    }
}

#[tokio::test]
async fn the_ready_file_holds_what_a_script_needs_and_goes_when_the_sandbox_goes() {
    let process = start(&[]).await;
    assert_eq!(process.ready["endpoint"], "localhost");
    assert!(process.ready["port"].as_u64().is_some_and(|port| port > 0));
    assert!(
        fs::read_to_string(process.ready["ca"].as_str().unwrap())
            .unwrap()
            .contains("BEGIN CERTIFICATE")
    );
    let file = process.ready_file();
    let port = process.ready["port"].to_string();
    let run = process.stop().await;
    run.exits(0);
    assert!(!file.exists());
    assert!(
        run.stdout.starts_with(&format!(
            "sandbox ready  mqtts://localhost:{port}  (ALPN mqtt)\n"
        )),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout
            .contains("try in another terminal:\n  dunlin --endpoint sandbox"),
        "{}",
        run.stdout
    );
}

#[tokio::test]
async fn listening_on_a_public_address_needs_confirmation() {
    let run = dunlin(["sandbox", "--port", "0", "--listen", "0.0.0.0"])
        .run()
        .await;
    run.exits(2);
    assert!(
        run.error_line().contains("add --yes if that is meant"),
        "{}",
        run.stderr
    );
    let run = start(&["--listen", "0.0.0.0", "--yes"]).await.stop().await;
    run.exits(0);
    assert!(
        run.error_line()
            .contains("warning: listening on 0.0.0.0: whoever reaches"),
        "{}",
        run.stderr
    );
    let words = ["--listen", "0.0.0.0", "--yes", "--anonymous"];
    let run = start(&words).await.stop().await;
    let risk =
        "whoever reaches this computer needs no password here and may publish and read everything";
    assert!(run.error_line().contains(risk), "{}", run.stderr);
    // An address of another computer: no port helps.
    let run = dunlin(["sandbox", "--port", "0", "--listen", "192.0.2.1", "--yes"])
        .env("DUNLIN_STATE_DIR", TempDir::new().unwrap().path());
    let run = run.run().await;
    run.exits(2);
    assert!(
        run.stderr
            .contains("--listen takes an address of this computer"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains("any free port"), "{}", run.stderr);
    let run = start(&["--listen", "127.0.0.1"]).await.stop().await;
    run.exits(0);
    assert_eq!(run.stderr, "");
}

#[tokio::test]
async fn the_sandbox_ends_with_its_standard_input_if_requested() {
    let mut process = start(&["--until-eof"]).await;
    drop(process.child.stdin.take());
    Finished::wait_for(process.child).await.exits(0);

    let mut process = start(&[]).await;
    drop(process.child.stdin.take());
    sleep(Duration::from_millis(200)).await;
    assert!(process.child.try_wait().unwrap().is_none());
    process.stop().await.exits(0);
}

#[tokio::test]
async fn the_commands_that_the_sandbox_prints_work() {
    let process = start(&[]).await;
    let unsigned = process
        .tool(&["--endpoint", "sandbox", "--count", "1"])
        .with_demo_credentials();
    unsigned.run().await.exits(0);

    let signature = process
        .tool(&["auth", "sign", "--sandbox", "hello"])
        .run()
        .await;
    signature.exits(0);
    let signed = [
        "--endpoint",
        "sandbox",
        "--authorizer_name",
        "DemoSigned",
        "--auth_token_key_name",
        "tok",
    ];
    let token = [
        "--auth_token_key_value",
        "hello",
        "--auth_signature",
        signature.stdout.trim(),
        "--count",
        "1",
    ];
    process.tool(&signed).args(token).run().await.exits(0);
    process.stop().await.exits(0);
}

#[tokio::test]
async fn the_json_log_has_one_object_per_line_in_the_order_of_events() {
    let process = start(&["--json"]).await;
    process
        .tool(&["--endpoint", "sandbox", "--count", "1"])
        .with_demo_credentials()
        .run()
        .await
        .exits(0);
    let run = process.stop().await;
    let lines: Vec<Value> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let events: Vec<&str> = lines
        .iter()
        .map(|line| line["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        events,
        [
            "ready",
            "connect",
            "subscribe",
            "publish",
            "receive",
            "unsubscribe",
            "disconnect"
        ]
    );
    assert!(
        lines
            .iter()
            .all(|line| line["v"] == 1 && line["ts"].is_string()),
        "{}",
        run.stdout
    );
    assert_eq!(
        lines.get(1).map(|line| &line["allowed"]),
        Some(&Value::Bool(true))
    );
}

#[tokio::test]
async fn a_log_reader_that_stalls_delays_neither_connections_nor_the_end() {
    let process = start(&["--json", "--profile", "mqtt5"]).await;
    // Without the pace of AWS IoT Core, and more lines than a pipe and the printer's queue hold.
    let flood = [
        "--endpoint",
        "sandbox",
        "--count",
        "1500",
        "--interval",
        "0",
    ];
    process
        .tool(&flood)
        .with_demo_credentials()
        .run()
        .await
        .exits(0);
    process
        .tool(&["--endpoint", "sandbox", "--count", "1"])
        .with_demo_credentials()
        .run()
        .await
        .exits(0);
    let mut child = process.child;
    send_signal(child.id().unwrap(), Signal::TERM);
    let status = timeout(Duration::from_secs(5), child.wait())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_closed_log_does_not_stop_the_sandbox() {
    let mut process = start(&[]).await;
    drop(process.child.stdout.take());
    process
        .tool(&["--endpoint", "sandbox", "--count", "1"])
        .with_demo_credentials()
        .run()
        .await
        .exits(0);
    process.stop().await.exits(0);
}

#[tokio::test]
async fn a_ca_from_the_environment_does_not_apply_to_the_sandbox() {
    let process = start(&[]).await;
    let other = process.dir.path().join("other.pem");
    fs::write(&other, "").unwrap();
    let tool = || {
        process
            .tool(&["--endpoint", "sandbox", "--count", "1"])
            .with_demo_credentials()
    };
    tool().env("DUNLIN_CA", &other).run().await.exits(0);
    tool()
        .args(["--ca".as_ref(), other.as_os_str()])
        .run()
        .await
        .exits(2);
    process.stop().await.exits(0);
}

#[tokio::test]
async fn a_port_in_use_is_an_error_that_says_what_to_do() {
    let process = start(&[]).await;
    let port = process.ready["port"].to_string();
    let run = process.tool(&["sandbox", "--port", &port]).run().await;
    run.exits(2);
    assert!(
        run.error_line().contains("can't listen on"),
        "{}",
        run.stderr
    );
    assert!(
        run.error_line().contains("dunlin sandbox --port 0"),
        "{}",
        run.stderr
    );
    process.stop().await.exits(0);
}

#[tokio::test]
async fn the_tool_finds_the_websocket_ports_and_the_log_names_the_way() {
    let process = start(&["--wss", "0", "--ws", "0", "--json"]).await;
    for key in ["wss_port", "ws_port"] {
        assert!(process.ready[key].as_u64().is_some_and(|port| port > 0));
    }
    for (transport, way, id) in [
        ("wss", "connect", "mqtt5-sample-1"),
        ("wss", "headers", "mqtt5-sample-2"),
        ("ws", "query", "mqtt5-sample-3"),
    ] {
        let words = [
            "pub",
            "-H",
            "sandbox",
            "--transport",
            transport,
            "--authorizer-as",
            way,
            "-i",
            id,
            "-t",
            "test/topic",
            "-m",
            "hello",
            "-q",
            "1",
        ];
        let tool = process.tool(&words).with_demo_credentials();
        tool.run().await.exits(0);
    }
    let run = process.stop().await;
    let connects: Vec<(String, String)> = run
        .stdout
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|line| line["event"] == "connect")
        .map(|line| {
            let text = |key: &str| line[key].as_str().unwrap().to_owned();
            (text("transport"), text("named_in"))
        })
        .collect();
    let expected = [("wss", "user_name"), ("wss", "header"), ("ws", "query")];
    assert_eq!(
        connects,
        expected.map(|(transport, place)| (transport.to_owned(), place.to_owned()))
    );
}

#[tokio::test]
async fn the_certificate_of_a_thing_connects_it() {
    let process = start(&["--client-certificates"]).await;
    let made = process.tool(&["sandbox", "cert", "lamp-7"]).run().await;
    made.exits(0);
    // The command that it prints, at the port of this sandbox.
    let path = |label: &str| {
        let line = made.stdout.lines().find(|line| line.starts_with(label));
        let mut words = line.unwrap().split_whitespace();
        words.nth(label.split(' ').count()).unwrap().to_owned()
    };
    let (ca, certificate, key) = (path("CA"), path("certificate"), path("private key"));
    let port = process.ready["port"].to_string();
    let words = [
        "pub",
        "-H",
        "localhost",
        "--port",
        &port,
        "--ca",
        &ca,
        "--cert",
        &certificate,
        "--key",
        &key,
        "-i",
        "lamp-7",
        "-t",
        "test/topic",
        "-m",
        "hello",
        "-q",
        "1",
    ];
    process.tool(&words).run().await.exits(0);
    let wrong = process.tool(&["sandbox", "cert", "a b"]).run().await;
    wrong.exits(2);
    assert!(wrong.stderr.contains("can't be the name of a thing"));
    process.stop().await.exits(0);
}
