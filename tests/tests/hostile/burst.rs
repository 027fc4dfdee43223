//! A burst that waits in a session, against an application that publishes one message for each that
//! it takes.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use dunlin_client::codec::{Packet, ReasonCode};
use dunlin_client::engine::Statistics;
use dunlin_client::{Client, ClientOptions, ConnectionError, EndCause, Event, Message, QoS};
use dunlin_tests::{Cutter, Mosquitto};

use crate::attack::{as_alice, attack, connect, options, wait_for};
use crate::packets::{delivery, publish as publish_packet};
use crate::server::serve;

/// Messages in the burst, and the client's Receive Maximum.
fn bursts() -> Vec<(usize, u16)> {
    if std::env::var_os("DUNLIN_FULL").is_none_or(|value| value != "1") {
        return vec![(1_100, 20)];
    }
    let of_all = |messages| [20, 100, 1_024].map(|receive_maximum| (messages, receive_maximum));
    [1_100, 2_000, 5_000].into_iter().flat_map(of_all).collect()
}

/// mosquitto 2.0.11 sends more than the client's Receive Maximum when it resumes a session.
/// [MQTT-3.3.4-9]
#[test]
fn a_burst_above_the_receive_maximum_arrives_message_by_message() {
    for (messages, receive_maximum) in bursts() {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let name =
                format!("{messages} messages of {qos} at a Receive Maximum of {receive_maximum}");
            attack(&name, 16 << 20, burst(messages, receive_maximum, qos));
        }
    }
}

/// A server that overshoots without bound is left with 0x93. [MQTT-3.3.4-9]
#[test]
fn a_flood_at_resumption_ends_the_connection() {
    let server = serve(|number, peer| {
        peer.accept_client(number > 1)?;
        if number == 1 {
            return Ok(());
        }
        for id in 1..=20_000 {
            // The client may have left.
            let _ = peer.send(&publish_packet(
                "burst/1",
                delivery(QoS::AtLeastOnce, id, true),
                b"x",
            ));
        }
        let received = peer.receive_until_end();
        // Later ones end when the test does.
        let Some(last) = received.last().filter(|_| number == 2) else {
            return Ok(());
        };
        let Packet::Disconnect(disconnect) = last.packet() else {
            panic!("{last:?}")
        };
        assert_eq!(disconnect.reason_code, ReasonCode::ReceiveMaximumExceeded);
        Ok(())
    });
    // 17,408 messages of a packet, an entry in the stream and one among the acknowledgements, whose
    // lists double as they grow. 7 MiB were seen.
    attack("a flood at resumption", 16 << 20, async {
        let client = connect(options(server.address, "flooded")).await;
        let mut events = client.events();
        let stream = client.subscribe("burst/+", QoS::AtLeastOnce).await.unwrap();
        let cause = wait_for(&mut events, |event| match event {
            Event::Disconnected {
                cause: EndCause::Connection(cause),
                ..
            } => match &**cause {
                ConnectionError::Protocol(violation) => Some(*violation),
                _ => None,
            },
            _ => None,
        });
        assert_eq!(
            cause.await.reason_code(),
            ReasonCode::ReceiveMaximumExceeded
        );
        drop(stream);
        client.disconnect().await;
    });
}

async fn burst(messages: usize, receive_maximum: u16, qos: QoS) {
    let change = |options: &mut ClientOptions| {
        options.connect.receive_maximum = Some(receive_maximum);
        options.connect.maximum_packet_size = None;
    };
    let Some(statistics) = take_burst(messages, qos, change).await else {
        return;
    };
    assert_eq!(
        (statistics.connections, statistics.resumed),
        (2, 1),
        "the burst itself costs no connection"
    );
}

/// Takes a burst from mosquitto, one message after another; `None` without mosquitto.
pub(crate) async fn take_burst(
    messages: usize,
    qos: QoS,
    change: impl FnOnce(&mut ClientOptions),
) -> Option<Statistics> {
    let broker = Mosquitto::start_with_long_queues().await?;
    let cutter = Cutter::start(broker.plain_address()).await;
    let mut options = as_alice(cutter.address(), "subscriber");
    change(&mut options);
    let client = connect(options).await;
    let mut stream = client.subscribe("burst/+", qos).await.unwrap();

    // While the subscriber is away, the burst waits for it.
    cutter.block();
    publish(broker.plain_address(), messages, qos).await;
    cutter.unblock();

    let (mut next, mut seen) = (0, BTreeSet::new());
    while next < messages {
        let message = stream.next().await.unwrap();
        let number: usize = std::str::from_utf8(message.payload())
            .unwrap()
            .parse()
            .unwrap();
        if seen.insert(number) {
            assert_eq!(number, next, "first deliveries come in order");
            next += 1;
        } else {
            assert!(
                qos == QoS::AtLeastOnce && message.dup(),
                "{number} came twice at {qos}"
            );
        }
        let answer = Message::new("answers", message.payload()).qos(QoS::AtLeastOnce);
        client.publish(answer).await.unwrap().await.unwrap();
    }
    let statistics = client.statistics();
    client.disconnect().await;
    Some(statistics)
}

async fn publish(broker: SocketAddr, messages: usize, qos: QoS) {
    let publisher: Client = connect(as_alice(broker, "publisher")).await;
    let mut receipts = Vec::with_capacity(messages);
    for number in 0..messages {
        let payload = number.to_string();
        receipts.push(
            publisher
                .publish(Message::new("burst/1", &payload).qos(qos))
                .await
                .unwrap(),
        );
    }
    for receipt in receipts {
        receipt.await.unwrap();
    }
    publisher.disconnect().await;
}
