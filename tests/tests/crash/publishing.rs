//! A process that publishes is killed at any time, and its session goes on in the next one: what
//! the store had arrives at mosquitto, and at QoS 2 once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::transport::{CaBundle, Roots, TlsConnector, TlsOptions, TransportOptions};
use dunlin_client::{Client, ClientOptions, ConnectOptions, QoS, Subscription};
use dunlin_tests::Mosquitto;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use super::{crashes, moment};

/// Number of messages that the process would publish if it weren't killed.
const NUMBERS: usize = 400;

#[tokio::test]
async fn a_killed_process_loses_no_persisted_message_and_repeats_none_of_qos_2() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let (watching, subscription) = subscribed_watcher(&broker).await;
    let counting = tokio::spawn(count(subscription));
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("session");
    let (mut next, mut kept) = (0, Vec::new());
    let (crashes, mut random) = (crashes(), fastrand::Rng::new());
    for _ in 0..crashes {
        let after = moment(&mut random);
        let output = run(&broker, &store, next, next + NUMBERS, Some(after)).await;
        next = output.begun.last().map_or(next, |last| last + 1);
        kept.extend(output.kept);
    }
    let output = run(&broker, &store, next, next + 2, None).await;
    kept.extend(output.kept);
    assert!(output.is_done, "what was kept is acknowledged in time");

    // What the last process left at the broker arrives before the subscription ends.
    sleep(Duration::from_millis(500)).await;
    watching.disconnect().await;
    let arrivals = counting.await.unwrap();
    let twice = arrivals.values().filter(|count| **count > 1).count();
    println!(
        "{crashes} crashes: {} begun, {} kept, {} arrived, {twice} of QoS 1 more than once",
        next + 2,
        kept.len(),
        arrivals.len()
    );
    assert!(
        kept.len() > 20,
        "it gets somewhere between crashes: {}",
        kept.len()
    );
    for number in kept {
        assert!(arrivals.contains_key(&number), "{number} is lost");
    }
    for (number, count) in arrivals {
        assert!(
            count == 1 || number % 2 == 1,
            "{number} came {count} times at QoS 2"
        );
    }
}

/// Counts how often each number arrives, until the client stops.
async fn count(mut subscription: Subscription) -> BTreeMap<usize, usize> {
    let mut arrivals = BTreeMap::new();
    while let Some(message) = subscription.next().await {
        *arrivals.entry(number(message.payload())).or_default() += 1;
    }
    arrivals
}

/// Output of a device before it ended.
#[derive(Default)]
struct DeviceOutput {
    begun: Vec<usize>,
    kept: Vec<usize>,
    is_done: bool,
}

async fn run(
    broker: &Mosquitto,
    store: &Path,
    from: usize,
    to: usize,
    kill_after: Option<Duration>,
) -> DeviceOutput {
    let mut device = Command::new(env!("CARGO_BIN_EXE_device"))
        .arg(broker.address().port().to_string())
        .args([&broker.ca(), store])
        .args([from.to_string(), to.to_string()])
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(device.stdout.take().unwrap()).lines();
    let listening = async {
        let mut output = DeviceOutput::default();
        while let Ok(Some(line)) = lines.next_line().await {
            match line.split_once(' ') {
                Some(("begun", number)) => output.begun.push(number.parse().unwrap()),
                Some(("kept", number)) => output.kept.push(number.parse().unwrap()),
                _ => output.is_done = line == "done",
            }
        }
        output
    };
    let ending = async {
        if let Some(after) = kill_after {
            sleep(after).await;
            device.kill().await.unwrap();
        }
        device.wait().await.unwrap();
    };
    let both = async { tokio::join!(listening, ending).0 };
    timeout(Duration::from_secs(60), both).await.unwrap()
}

async fn subscribed_watcher(broker: &Mosquitto) -> (Client, Subscription) {
    let tls = TlsOptions {
        roots: Roots::Only(CaBundle::from_pem_file(broker.ca()).unwrap()),
        ..TlsOptions::default()
    };
    let transport = TransportOptions {
        connect_to: Some(broker.address()),
        tls: Some(Arc::new(TlsConnector::new(&tls).unwrap())),
        timeout: Duration::from_secs(5),
        ..TransportOptions::new("localhost", broker.address().port())
    };
    let mut connect = ConnectOptions::new("watching");
    connect.username = Some(Mosquitto::USER.into());
    connect.password = Some(Mosquitto::PASSWORD.as_bytes().into());
    let client = Client::connect(ClientOptions::new(transport, connect))
        .await
        .unwrap();
    let subscription = client.subscribe("up", QoS::ExactlyOnce).await.unwrap();
    (client, subscription)
}

fn number(payload: &[u8]) -> usize {
    std::str::from_utf8(payload).unwrap().parse().unwrap()
}
