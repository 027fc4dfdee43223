//! The example `exactly_once` is killed at any time while messages of QoS 2 arrive: each is in its
//! records once.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use dunlin_client::store::{FileStore, Store};
use dunlin_client::transport::TransportOptions;
use dunlin_client::{Client, ClientOptions, ConnectOptions, Message, QoS};
use dunlin_tests::Mosquitto;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use super::{crashes, moment};

/// Messages that are published while the process runs once.
const MESSAGES: usize = 50;
/// Messages that may wait for a slow process: the broker drops those above 1,000.
const WAITING: usize = 500;

#[tokio::test]
async fn a_message_of_qos_2_counts_once_however_often_its_receiver_is_killed() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("session");
    // The subscription is there before anything is published.
    let (mut process, mut lines) = start(&broker, &store);
    expect_line(&mut lines, "ready").await;
    process.kill().await.unwrap();

    let publisher = Client::connect(options(&broker)).await.unwrap();
    let (mut published, mut random) = (0, fastrand::Rng::new());
    let mut received = 0;
    for _ in 0..crashes() {
        let (mut process, mut lines) = start(&broker, &store);
        let counting = tokio::spawn(async move {
            let mut count = 0;
            while let Ok(Some(line)) = lines.next_line().await {
                count += usize::from(line.contains(": "));
            }
            count
        });
        let killing = async {
            sleep(moment(&mut random)).await;
            process.kill().await.unwrap();
        };
        let count = if published - received > WAITING {
            0
        } else {
            MESSAGES
        };
        let publishing = async {
            for number in published..published + count {
                publish(&publisher, number).await;
            }
        };
        tokio::join!(killing, publishing);
        published += count;
        received += counting.await.unwrap();
    }
    // The last process takes what is left, and shows that nothing comes twice behind it.
    let (mut process, mut lines) = start(&broker, &store);
    publish(&publisher, published).await;
    expect_line(&mut lines, &format!("{published}: 1")).await;
    published += 1;
    process.kill().await.unwrap();
    publisher.disconnect().await;

    let records = FileStore::open(&store)
        .unwrap()
        .application_records()
        .unwrap();
    let stock: BTreeMap<usize, u64> = records
        .into_iter()
        .map(|(item, pieces)| {
            let item = String::from_utf8(item).unwrap().parse().unwrap();
            (item, u64::from_be_bytes(pieces[..].try_into().unwrap()))
        })
        .collect();
    let lost = (0..published)
        .filter(|number| !stock.contains_key(number))
        .count();
    let twice = stock.values().filter(|pieces| **pieces > 1).count();
    println!(
        "{} kills: {published} published, {received} received between kills, {lost} lost, {twice} twice",
        crashes()
    );
    assert_eq!((lost, twice, stock.len()), (0, 0, published));
    assert!(received > 0, "it gets somewhere between kills");
}

async fn publish(publisher: &Client, number: usize) {
    let topic = format!("delivery/{number}");
    let receipt = publisher
        .publish(Message::new(&topic, "1").qos(QoS::ExactlyOnce))
        .await
        .unwrap();
    timeout(Duration::from_secs(20), receipt)
        .await
        .unwrap()
        .unwrap();
}

fn start(broker: &Mosquitto, store: &Path) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut process = Command::new(env!("CARGO_BIN_EXE_exactly_once"))
        .args(["127.0.0.1", &broker.plain_address().port().to_string()])
        .arg(store)
        .env("MQTT_USERNAME", Mosquitto::USER)
        .env("MQTT_PASSWORD", Mosquitto::PASSWORD)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let lines = BufReader::new(process.stdout.take().unwrap()).lines();
    (process, lines)
}

async fn expect_line(lines: &mut Lines<BufReader<ChildStdout>>, expected: &str) {
    let reading = async {
        loop {
            match lines.next_line().await.unwrap() {
                Some(line) if line == expected => return true,
                Some(_) => {}
                None => return false,
            }
        }
    };
    assert!(
        timeout(Duration::from_secs(60), reading).await.unwrap(),
        "it ended before {expected:?}"
    );
}

fn options(broker: &Mosquitto) -> ClientOptions {
    let address = broker.plain_address();
    let transport = TransportOptions {
        connect_to: Some(address),
        timeout: Duration::from_secs(5),
        ..TransportOptions::new("localhost", address.port())
    };
    let mut connect = ConnectOptions::new("publisher");
    connect.username = Some(Mosquitto::USER.into());
    connect.password = Some(Mosquitto::PASSWORD.as_bytes().into());
    ClientOptions::new(transport, connect)
}
