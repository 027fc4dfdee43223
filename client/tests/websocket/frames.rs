//! Packets in frames: cut anywhere in both directions, with control frames between them.

use dunlin_client::codec::DecodeOptions;
use dunlin_client::codec::{Packet, PacketBuf, ReasonCode, Sender};
use dunlin_client::{Message, QoS};
use dunlin_test_support::packets::{at_most_once, publish, suback};
use dunlin_test_support::websocket::{BINARY, PING, PONG, WebSocketServer, frame};

use crate::{connected, soon};

/// Packets of a frame.
fn packets_of(payload: &[u8]) -> Vec<PacketBuf> {
    let mut input = bytes::BytesMut::from(payload);
    let options = DecodeOptions::any_size().with_sender(Sender::Client);
    let mut packets = Vec::new();
    while let Some(packet) = PacketBuf::take(&mut input, &options).unwrap() {
        packets.push(packet);
    }
    assert!(input.is_empty(), "a packet is cut");
    packets
}

/// MQTT-6.0.0-2
#[tokio::test]
async fn packets_arrive_however_they_are_framed() {
    let server = WebSocketServer::start().await;
    let (client, _events, mut peer) = connected(&server).await;
    let (stream, ()) = tokio::join!(client.subscribe("lamp/+", QoS::AtMostOnce), async {
        peer.receives().await;
        let suback = suback(1, &[ReasonCode::Success]);
        peer.sends(BINARY, suback.as_bytes()).await;
    });
    let mut stream = stream.unwrap();
    let message = publish("lamp/1", at_most_once());
    let message = message.as_bytes();

    // Many packets in one frame.
    peer.sends(BINARY, &message.repeat(3)).await;
    // A frame for each byte.
    for byte in message {
        peer.sends(BINARY, &[*byte]).await;
    }
    // A message of fragments, one of them empty, with a ping among them; cut into bytes below.
    let (first, second) = message.split_at(4);
    let fragments = [
        frame(0x02, first),
        frame(PING, b"between"),
        frame(0x00, b""),
        frame(0x80, second),
    ]
    .concat();
    for byte in fragments {
        peer.sends_bytes(&[byte]).await;
    }

    for _ in 0..5 {
        assert_eq!(soon(stream.next()).await.unwrap().topic(), "lamp/1");
    }
    assert_eq!(peer.receives().await, (PONG, b"between".to_vec()));
}

/// MQTT-6.0.0-1
#[tokio::test]
async fn packets_that_are_sent_at_once_share_a_frame() {
    let server = WebSocketServer::start().await;
    let (client, _events, mut peer) = connected(&server).await;

    for _ in 0..100 {
        // Without a yield of the runtime, the driver sees all of them at once.
        drop(client.try_publish(Message::new("lamp/1", "on")).unwrap());
    }

    let (first, payload) = peer.receives().await;
    assert_eq!(first, BINARY);
    let packets = packets_of(&payload);
    assert_eq!(packets.len(), 100);
    assert!(matches!(packets[0].packet(), Packet::Publish(_)));
}

#[tokio::test]
async fn a_large_packet_is_sent_in_several_frames() {
    let server = WebSocketServer::start().await;
    let (client, _events, mut peer) = connected(&server).await;
    let payload = vec![7; 1_000_000];

    let (receipt, received) = tokio::join!(
        client.publish(Message::new("lamp/1", payload.as_slice())),
        async {
            let mut received = Vec::new();
            while received.len() < payload.len() {
                let (first, frame) = peer.receives().await;
                assert_eq!(first, BINARY);
                assert!(frame.len() <= 256 * 1024);
                received.extend(frame);
            }
            received
        }
    );

    drop(receipt.unwrap());
    let packets = packets_of(&received);
    let Packet::Publish(publish) = packets[0].packet() else {
        panic!("another packet");
    };
    assert_eq!(publish.payload, payload);
}

#[tokio::test]
async fn a_ping_is_answered_with_its_payload() {
    let server = WebSocketServer::start().await;
    let (_client, _events, mut peer) = connected(&server).await;
    for payload in [&b""[..], b"alive?", &[0xff; 125]] {
        peer.sends(PING, payload).await;
        assert_eq!(peer.receives().await, (PONG, payload.to_vec()));
    }
}
