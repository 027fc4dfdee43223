//! An observer: sees what is on the wire, packet by packet, and may use the client meanwhile.

use std::sync::{Arc, Mutex, OnceLock};

use dunlin_client::codec::{DecodeOptions, PacketBuf, PacketType};
use dunlin_client::{Client, Direction, Message, Observer, QoS};

use crate::packets::{at_least_once, at_most_once, connack, puback, publish};
use crate::server::TestServer;
use crate::{connected_as, disconnect_ending_session, millis, options, soon};

type Seen = Arc<Mutex<Vec<(Direction, PacketBuf)>>>;

/// Observer that records each packet.
fn recording_observer() -> (Observer, Seen) {
    let seen = Seen::default();
    let notes = Arc::clone(&seen);
    let observer = Observer::new(move |packet| {
        let mut bytes = packet.bytes.into();
        let packet_buf = PacketBuf::take(&mut bytes, &DecodeOptions::any_size())
            .unwrap()
            .unwrap();
        assert!(bytes.is_empty(), "one packet");
        notes.lock().unwrap().push((packet.direction, packet_buf));
    });
    (observer, seen)
}

#[tokio::test]
async fn every_packet_is_observed_once_complete_and_in_order() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    let (observer, seen) = recording_observer();
    options.observer = Some(observer);
    let (client, _, mut peer) = connected_as(&server, options).await;

    let receipt = soon(client.publish(Message::new("a", "on").qos(QoS::AtLeastOnce)))
        .await
        .unwrap();
    peer.expects(publish("a", at_least_once(1))).await;
    let packets = [
        puback(1),
        publish("b", at_least_once(7)),
        publish("c", at_most_once()),
    ];
    let bytes: Vec<u8> = packets
        .iter()
        .flat_map(|packet| packet.as_bytes().to_vec())
        .collect();

    // Packets that arrive in pieces of three bytes.
    for part in bytes.chunks(3) {
        peer.sends_bytes(part).await;
        tokio::task::yield_now().await;
    }
    soon(receipt).await.unwrap();
    peer.expects(puback(7)).await;
    soon(client.disconnect()).await;

    // Both directions together begin with CONNECT; each direction has its own order.
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let (sent, received) = (Direction::Sent, Direction::Received);
    assert_eq!(
        (seen[0].0, seen[0].1.packet().packet_type()),
        (sent, PacketType::Connect)
    );
    let of = |direction| -> Vec<_> {
        seen[1..]
            .iter()
            .filter(|each| each.0 == direction)
            .map(|each| each.1.clone())
            .collect()
    };
    assert_eq!(of(received)[0], connack());
    assert_eq!(of(received)[1..], packets);
    assert_eq!(
        of(sent),
        [
            publish("a", at_least_once(1)),
            puback(7),
            disconnect_ending_session()
        ]
    );
}

#[tokio::test]
async fn a_packet_that_is_not_completely_written_is_not_observed() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.queue.bytes = 100 << 20;
    let (observer, seen) = recording_observer();
    options.observer = Some(observer);
    let (client, _, mut peer) = connected_as(&server, options).await;
    let types = || {
        seen.lock()
            .unwrap()
            .iter()
            .map(|each| each.1.packet().packet_type())
            .collect::<Vec<_>>()
    };
    let payload = vec![7; 32 << 20];
    let receipt = client
        .publish(Message::new("a", &payload).qos(QoS::AtLeastOnce))
        .await
        .unwrap();
    tokio::time::sleep(millis(50)).await;
    assert_eq!(types(), [PacketType::Connect, PacketType::ConnAck]);
    peer.receives().await;
    peer.sends(&puback(1)).await;
    soon(receipt).await.unwrap();
    assert_eq!(types()[2..], [PacketType::Publish, PacketType::PubAck]);
}

#[tokio::test]
async fn an_observer_may_use_the_client() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    let client: Arc<OnceLock<Client>> = Arc::default();
    let late = Arc::clone(&client);
    options.observer = Some(Observer::new(move |packet| {
        if packet.direction == Direction::Received
            && let Some(client) = late.get()
        {
            drop(client.try_publish(Message::new("seen", "on")).unwrap());
        }
    }));
    let (started, _, mut peer) = connected_as(&server, options).await;
    client.set(started).unwrap();
    peer.sends(&publish("b", at_most_once())).await;
    peer.expects(publish("seen", at_most_once())).await;
}

#[tokio::test]
async fn observed_packets_do_not_print_their_content() {
    let server = TestServer::start().await;
    let mut options = options(&server);
    options.connect.password = Some(b"s3cret".as_slice().into());
    let printed = Arc::new(Mutex::new(String::new()));
    let notes = Arc::clone(&printed);
    options.observer = Some(Observer::new(move |packet| {
        *notes.lock().unwrap() += &format!("{packet:?}");
    }));
    let (client, _, _peer) = connected_as(&server, options).await;
    drop(client);
    let printed = printed.lock().unwrap();
    assert!(
        printed.starts_with("ObservedPacket { direction: Sent, bytes: "),
        "{printed}"
    );
    assert!(
        !printed.contains("s3cret")
            && !printed.contains(&format!("{:?}", b"s3cret").replace(['[', ']'], ""))
    );
}
