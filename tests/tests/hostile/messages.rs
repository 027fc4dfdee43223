//! Messages that are wrong only in themselves, from publishers whom a lax server lets pass: through
//! a raw server and through mosquitto, to the client and to the tool.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use dunlin_client::Event;
use dunlin_client::codec::{
    Ack, AckType, BinaryData, Connect, DecodeOptions, Delivery, Packet, PacketBuf, QoS, ReasonCode,
    Utf8String,
};
use dunlin_tests::{Mosquitto, dunlin};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::attack::{as_alice, attack, connect, options, wait_for};
use crate::packets::{WILDCARD_RESPONSE_TOPIC, delivery, publish, raw_publish};
use crate::server::{Peer, serve};

const ALL_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// Sends valid and faulty messages in turn, and expects each acknowledgement.
fn send_mixed_messages(peer: &mut Peer) -> io::Result<()> {
    peer.accept_client(false)?;
    for round in 1..=ROUNDS {
        for (place, qos) in (0..).zip(ALL_QOS) {
            let faulty = delivery(qos, round * 10 + place, false);
            let valid = delivery(qos, round * 10 + place + 5, false);
            peer.send(&raw_publish(
                b"lamp/1",
                faulty,
                WILDCARD_RESPONSE_TOPIC,
                b"off",
            ))?;
            peer.send(&publish("lamp/1", valid, b"on"))?;
            expect_ack(peer, faulty, ReasonCode::UnspecifiedError)?;
            expect_ack(peer, valid, ReasonCode::Success)?;
        }
    }
    peer.send(&publish("lamp/end", Delivery::AtMostOnce, b"end"))?;
    peer.receive_until_end();
    Ok(())
}

fn expect_ack(peer: &mut Peer, delivery: Delivery, reason_code: ReasonCode) -> io::Result<()> {
    let Some(packet_id) = delivery.packet_id() else {
        return Ok(());
    };
    let ack = Ack {
        reason_code,
        ..Ack::success(packet_id)
    };
    let ack_type = if delivery.qos() == QoS::AtLeastOnce {
        AckType::PubAck
    } else {
        AckType::PubRec
    };
    assert_eq!(peer.receive()?.packet(), ack.into_packet(ack_type));
    if ack_type == AckType::PubRec && reason_code == ReasonCode::Success {
        peer.send(
            PacketBuf::new(&Ack::success(packet_id).into_packet(AckType::PubRel))
                .unwrap()
                .as_bytes(),
        )?;
        assert_eq!(
            peer.receive()?.packet(),
            Ack::success(packet_id).into_packet(AckType::PubComp)
        );
    }
    Ok(())
}

const ROUNDS: u16 = 100;

/// [MQTT-3.3.2-14] [U-4.13.1-1]
#[test]
fn faulty_messages_reach_no_stream_and_valid_ones_do() {
    let server = serve(|_, peer| send_mixed_messages(peer));
    attack("faulty messages among valid ones", 1 << 20, async {
        let client = connect(options(server.address, "mixed")).await;
        let mut events = client.events();
        let mut lamps = client.subscribe("lamp/+", QoS::ExactlyOnce).await.unwrap();
        for _ in 0..3 * ROUNDS {
            assert_eq!(lamps.next().await.unwrap().payload(), b"on");
        }
        assert_eq!(lamps.next().await.unwrap().payload(), b"end");
        let refused = wait_for(&mut events, |event| match event {
            Event::MessageRefused(refused) => Some(refused.clone()),
            _ => None,
        });
        let refused = refused.await;
        assert_eq!(
            (refused.topic.as_str(), refused.reason.statement),
            ("lamp/1", Some("MQTT-3.3.2-14"))
        );
        let statistics = client.statistics();
        assert_eq!(
            (statistics.invalid_messages, statistics.connections),
            (3 * u64::from(ROUNDS), 1)
        );
        client.disconnect().await;
    });
}

/// Events that nobody takes are bounded in number, and each topic in length: 1,024 events of 1 KiB,
/// and the reads.
#[test]
fn many_faulty_messages_use_no_memory() {
    const FLOOD: usize = 50_000;
    let server = serve(|_, peer| {
        peer.accept_client(false)?;
        let topic = [&[b'x'; 2000][..], b"#"].concat();
        let one = raw_publish(&topic, Delivery::AtMostOnce, b"", b"");
        for _ in 0..FLOOD / 100 {
            peer.send(&one.repeat(100))?;
        }
        peer.send(&publish("lamp/1", Delivery::AtMostOnce, b"on"))?;
        peer.receive_until_end();
        Ok(())
    });
    attack("a flood of faulty messages", 3 << 20, async {
        let client = connect(options(server.address, "flooded")).await;
        let mut lamps = client.subscribe("lamp/+", QoS::AtMostOnce).await.unwrap();
        assert_eq!(lamps.next().await.unwrap().payload(), b"on");
        assert_eq!(client.statistics().invalid_messages, FLOOD as u64);
        client.disconnect().await;
    });
}

/// Publishes these bytes to mosquitto, without a client that would refuse to.
async fn publish_raw(broker: &Mosquitto, packet: &[u8]) {
    let mut stream = TcpStream::connect(broker.plain_address()).await.unwrap();
    let connect = Connect {
        client_id: Utf8String::new("attacker").unwrap(),
        clean_start: true,
        username: Some(Utf8String::new(Mosquitto::USER).unwrap()),
        password: Some(BinaryData::new(Mosquitto::PASSWORD.as_bytes()).unwrap()),
        ..Connect::default()
    };
    stream
        .write_all(PacketBuf::new(&Packet::from(&connect)).unwrap().as_bytes())
        .await
        .unwrap();
    stream.write_all(packet).await.unwrap();
    // CONNACK, and the PUBACK that says that the message is the broker's.
    let mut input = BytesMut::new();
    for _ in 0..2 {
        let packet = loop {
            match PacketBuf::take(&mut input, &DecodeOptions::any_size()).unwrap() {
                Some(packet) => break packet,
                None => assert_ne!(
                    stream.read_buf(&mut input).await.unwrap(),
                    0,
                    "mosquitto hung up"
                ),
            }
        };
        match packet.packet() {
            Packet::ConnAck(connack) => {
                assert_eq!(connack.read().reason_code, ReasonCode::Success);
            }
            Packet::PubAck(ack) => assert!(!ack.reason_code.is_error(), "{ack:?}"),
            other => panic!("{other}"),
        }
    }
}

fn retained(topic: &[u8]) -> Vec<u8> {
    let mut packet = raw_publish(
        topic,
        delivery(QoS::AtLeastOnce, 1, false),
        WILDCARD_RESPONSE_TOPIC,
        b"off",
    );
    packet[0] |= 1;
    packet
}

/// mosquitto 2.0.11 relays a Response Topic with a wildcard, and keeps a retained message for every
/// new subscriber.
#[test]
fn a_faulty_message_that_mosquitto_relays_ends_no_subscriber() {
    attack("a faulty message through mosquitto", 1 << 20, async {
        let Some(broker) = Mosquitto::start().await else {
            return;
        };
        let client = connect(as_alice(broker.plain_address(), "subscriber")).await;
        let mut lamps = client.subscribe("lamp/+", QoS::AtLeastOnce).await.unwrap();
        publish_raw(&broker, &retained(b"lamp/1")).await;
        publish_raw(
            &broker,
            &raw_publish(b"lamp/1", delivery(QoS::AtLeastOnce, 1, false), b"", b"on"),
        )
        .await;
        assert_eq!(lamps.next().await.unwrap().payload(), b"on");
        // A newer broker refuses the message itself.
        let relayed = client.statistics().invalid_messages;
        client.disconnect().await;

        // A new start is sent the retained one.
        let client = connect(as_alice(broker.plain_address(), "another")).await;
        let mut lamps = client.subscribe("lamp/+", QoS::AtLeastOnce).await.unwrap();
        publish_raw(
            &broker,
            &raw_publish(b"lamp/2", delivery(QoS::AtLeastOnce, 1, false), b"", b"on"),
        )
        .await;
        assert_eq!(lamps.next().await.unwrap().topic(), "lamp/2");
        let statistics = client.statistics();
        assert_eq!(
            (statistics.invalid_messages, statistics.connections),
            (relayed, 1)
        );
        client.disconnect().await;
    });
}

/// [U-4.13.1-1]
#[tokio::test]
async fn the_tool_warns_of_invalid_messages_and_exits_with_10_if_strict() {
    let Some(broker) = Mosquitto::start().await else {
        return;
    };
    publish_raw(&broker, &retained(b"test/topic")).await;
    let port = broker.address().port().to_string();
    let sample = || {
        dunlin(["sample", "--endpoint", "localhost", "--port", &port, "--ca"])
            .args([broker.ca()])
            .args([
                "--auth-username",
                Mosquitto::USER,
                "--auth-password",
                Mosquitto::PASSWORD,
            ])
            .args(["--count", "1", "--interval", "0s", "--timeout", "10s"])
    };
    let lenient = sample().run().await;
    assert_eq!(lenient.code, Some(0), "{}", lenient.stderr);
    assert!(
        lenient
            .stderr
            .contains("a message to \"test/topic\" was refused: ")
            && lenient.stderr.contains("[MQTT-3.3.2-14]"),
        "{}",
        lenient.stderr
    );
    let strict = sample().args(["--strict"]).run().await;
    assert_eq!(strict.code, Some(10), "{}", strict.stderr);
    assert!(strict.stderr.contains("MQTT-3.3.2-14"), "{}", strict.stderr);
    assert!(strict.took < Duration::from_secs(10), "{:?}", strict.took);
}
