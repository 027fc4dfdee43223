//! Cost of many clients, measured: run by hand, one after the other, as each counts this
//! process's memory and time.
//!
//! `cargo test --release -p dunlin-sandbox --test sandbox capacity::many -- --ignored --nocapture`,
//! and the same with `capacity::stalled`; on Linux, with 4,200 file descriptors (`ulimit -n`). The
//! clients are a process of their own.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use dunlin_codec::{QoS, ReasonCode};
use tokio::io::AsyncReadExt as _;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::client::{
    TestClient, TestSandbox, connect, handshake_at, publish, subscribe, subscription,
};

const COUNT: usize = 2000;
const STALLED: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn many_clients_at_once() {
    let sandbox = TestSandbox::mqtt5().await;
    let before = resident();
    let mut clients = clients(&sandbox, COUNT, "hold").await;
    let connects = sandbox
        .log
        .lock()
        .unwrap()
        .iter()
        .filter(|line| line.starts_with("connect "))
        .count();
    assert_eq!(connects, COUNT);
    sandbox.log.lock().unwrap().clear();
    let each = (resident() - before) / COUNT;
    println!(
        "{COUNT} clients connected: {} KiB in all, {each} bytes each",
        (resident() - before) / 1024
    );
    let took = newcomer(&sandbox, 0).await;
    println!("one more is served in {took:?}");
    clients.kill().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn stalled_subscribers_and_a_flood() {
    let sandbox = TestSandbox::mqtt5().await;
    let before = resident();
    let mut clients = clients(&sandbox, STALLED, "stall").await;
    let idle = slowest_of_20(&sandbox).await;
    println!(
        "{STALLED} subscribers that don't read: of 20 newcomers the slowest is served in {idle:?}"
    );
    let mut publisher = sandbox.connected_to_default("flood").await;
    let payload = "x".repeat(1000);
    let flood = tokio::spawn(async move {
        for _ in 0..20_000 {
            publisher
                .sends(publish("flood", &payload, QoS::AtMostOnce))
                .await;
        }
    });
    let slowest = slowest_of_20(&sandbox).await;
    println!("and under a flood in {slowest:?}");
    println!("{} KiB more than before", (resident() - before) / 1024);
    flood.abort();
    clients.kill().await.unwrap();
}

async fn slowest_of_20(sandbox: &TestSandbox) -> Duration {
    let mut slowest = Duration::ZERO;
    for number in 0..20 {
        slowest = slowest.max(newcomer(sandbox, number).await);
        sandbox.log.lock().unwrap().clear();
        sleep(Duration::from_millis(100)).await;
    }
    slowest
}

/// From the TCP connection to the answer to a PINGREQ.
#[expect(clippy::disallowed_methods, reason = "this test measures real time")]
async fn newcomer(sandbox: &TestSandbox, number: usize) -> Duration {
    let began = now();
    sandbox
        .connected_to_default(&format!("newcomer{number}"))
        .await
        .receives_nothing_more()
        .await;
    began.elapsed()
}

/// Starts another process with `count` clients and waits until all of them are connected.
async fn clients(sandbox: &TestSandbox, count: usize, what: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--ignored",
            "--exact",
            "--nocapture",
            "capacity::a_process_with_many_clients",
        ])
        .env(
            "CLIENTS",
            format!("{} {count} {what}", sandbox.sandbox.port()),
        )
        .env("CLIENTS_CA", sandbox.sandbox.ca_path())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut output = child.stdout.take().unwrap();
    let all_connected = async {
        let mut said = String::new();
        while !said.contains("all connected") {
            let mut part = [0; 256];
            let length = output.read(&mut part).await.unwrap();
            assert!(length > 0, "{said}");
            said.push_str(&String::from_utf8_lossy(part.get(..length).unwrap()));
        }
    };
    timeout(Duration::from_secs(300), all_connected)
        .await
        .unwrap();
    child
}

/// No test of its own: the other process of the two above.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "part of a measurement"]
async fn a_process_with_many_clients() {
    let Ok(asked) = std::env::var("CLIENTS") else {
        return;
    };
    let ca = std::env::var_os("CLIENTS_CA").unwrap();
    let [port, count, what] = asked.split(' ').collect::<Vec<_>>().try_into().unwrap();
    let (port, count): (u16, usize) = (port.parse().unwrap(), count.parse().unwrap());
    let mut clients = Vec::new();
    for number in 0..count {
        let stream = handshake_at(port, Path::new(&ca), "localhost", &[b"mqtt"])
            .await
            .unwrap();
        let mut client = TestClient::new(stream);
        client
            .sends(connect(&format!("{what}{number}"), "", ""))
            .await;
        assert_eq!(client.receives_connack().await.0, ReasonCode::Success);
        if what == "stall" {
            client.sends(subscribe(&[subscription("flood")])).await;
            client.receives_suback().await;
        }
        clients.push(client);
    }
    println!("all connected");
    sleep(Duration::from_secs(300)).await;
}

/// Bytes of memory that this process has in use.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap();
    line.trim()
        .trim_end_matches(" kB")
        .trim()
        .parse::<usize>()
        .unwrap()
        * 1024
}

#[expect(
    clippy::disallowed_methods,
    reason = "a measurement is about real time"
)]
fn now() -> Instant {
    Instant::now()
}
