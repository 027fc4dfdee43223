//! `inspect replay`: a capture of a run, sent again to servers that answer alike and differently.

use std::time::Duration;

use dunlin_tests::{Finished, Tool, dunlin};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::{CANARY, Served};

/// Flags for the sandbox of `served`, with the credentials that its authorizer accepts.
fn with_credentials(tool: Tool, served: &Served, password: &str) -> Tool {
    tool.connecting_to(&served.sandbox)
        .args(["--authorizer-name=Canary", "--auth-username=demo"])
        .env("DUNLIN_AUTH_PASSWORD", password)
}

/// Capture of the sample: CONNECT, SUBSCRIBE, two messages there and back, UNSUBSCRIBE, DISCONNECT.
async fn captured(served: &Served) -> String {
    let file = served.file("sample.pcapng");
    let tool = dunlin(["sample", "--count=2", "--interval=100ms"]);
    let tool = with_credentials(tool, served, CANARY);
    tool.args(["--capture", &file]).run().await.exits(0);
    file
}

async fn replayed(file: &str, served: &Served, password: &str, flags: &[&str]) -> Finished {
    let tool = dunlin(["inspect", "replay", file, "--timeout=2s"]);
    with_credentials(tool, served, password)
        .args(flags)
        .run()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_server_gives_equal_answers_in_time_and_as_fast_as_possible() {
    let served = Served::start(None).await;
    let file = captured(&served).await;
    for flags in [&[][..], &["--fast"]] {
        let run = replayed(&file, &served, CANARY, flags).await;
        run.exits(0);
        // CONNACK, SUBACK, PUBACK and PUBLISH twice each, UNSUBACK.
        let totals = "6 packets sent on 1 connections; 7 answers in the capture, 0 differences\n";
        assert_eq!(run.stdout, totals, "{flags:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_that_denies_is_a_difference_of_the_answers() {
    let served = Served::start(None).await;
    let file = captured(&served).await;
    let stricter = Served::start(Some("suback=0x87")).await;
    let run = replayed(&file, &stricter, CANARY, &["--fast"]).await;
    assert_eq!(run.code, Some(7), "{}\n{}", run.stdout, run.stderr);
    let suback = run.stdout.lines().find(|line| line.contains("SUBACK"));
    let suback = suback.unwrap_or_else(|| panic!("{}", run.stdout));
    assert!(
        suback.contains("Granted QoS 1 (0x01) in the capture, Not authorized (0x87) now"),
        "{suback}"
    );
    // Without a subscription no message comes.
    let missing = run.stdout.matches("in the capture, none now").count();
    assert!(missing >= 2, "{}", run.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credentials_are_those_of_the_flags() {
    let served = Served::start(None).await;
    let file = captured(&served).await;
    let run = replayed(&file, &served, "another", &["--fast", "--json"]).await;
    assert_eq!(run.code, Some(7), "{}\n{}", run.stdout, run.stderr);
    let first: Value = serde_json::from_str(run.stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["event"], "difference");
    assert_eq!(first["packet"], "CONNACK");
    assert_eq!(first["captured"], "Success (0x00)");
    assert_ne!(first["now"], "Success (0x00)");
    let last: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["event"], "summary");
    assert_eq!(last["answers"], 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_replayed_is_refused_with_the_reason() {
    let served = Served::start(None).await;
    let text = served.file("text");
    std::fs::write(&text, "no capture").unwrap();
    let run = replayed(&text, &served, CANARY, &[]).await;
    run.exits(2);
    let run = replayed(&served.file("missing"), &served, CANARY, &[]).await;
    run.exits(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_sends_everything_but_answers_is_not_waited_for_without_end() {
    let served = Served::start(None).await;
    let file = captured(&served).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("mqtt://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        // AUTH is no answer. The server sends one every 50 ms until the client has gone.
        while stream.write_all(b"\xf0\x00").await.is_ok() {
            sleep(Duration::from_millis(50)).await;
        }
    });
    let run = dunlin(["inspect", "replay", &file, "--timeout=1s", "--fast"])
        .args(["--endpoint", &url])
        .run();
    let run = timeout(Duration::from_secs(30), run).await.unwrap();
    assert_eq!(run.code, Some(7), "{}\n{}", run.stdout, run.stderr);
    let missing = run.stdout.matches("in the capture, none now").count();
    assert_eq!(missing, 7, "{}", run.stdout);
}
