//! Servers that break the rules of the connection itself: each is told the right code, and the
//! client connects again.

use std::time::Duration;

use dunlin_client::codec::{Delivery, Packet, QoS, ReasonCode};
use dunlin_client::{ConnectionError, EndCause, Event, Reconnect, RepeatedViolation, StopCause};

use crate::attack::{attack, connect, options, wait_for};
use crate::packets::{delivery, publish, raw_publish};
use crate::server::serve;

/// Packets that the server sends, and the Reason Code of the client's DISCONNECT.
fn violations() -> Vec<(Vec<u8>, ReasonCode)> {
    let quick = Delivery::AtMostOnce;
    let three =
        (1..=3).flat_map(|id| publish("lamp/1", delivery(QoS::AtLeastOnce, id, false), b"on"));
    vec![
        // An alias that stands for nothing, and one above the maximum. [U-3.3.4-1] [MQTT-3.1.2-26]
        (
            raw_publish(b"", quick, b"\x23\x00\x01", b"on"),
            ReasonCode::ProtocolError,
        ),
        (
            raw_publish(b"lamp/1", quick, b"\x23\x00\x03", b"on"),
            ReasonCode::TopicAliasInvalid,
        ),
        // The same in messages that are faulty besides.
        (
            raw_publish(b"", quick, b"\x08\x00\x01#\x23\x00\x01", b"on"),
            ReasonCode::ProtocolError,
        ),
        (
            raw_publish(b"#", quick, b"\x23\x00\x03", b"on"),
            ReasonCode::TopicAliasInvalid,
        ),
        // An unknown property, and one twice. [U-2.2.2-1]
        (
            raw_publish(b"lamp/1", quick, b"\x7F\x00", b"on"),
            ReasonCode::MalformedPacket,
        ),
        (
            raw_publish(b"lamp/1", quick, b"\x01\x00\x01\x00", b"on"),
            ReasonCode::ProtocolError,
        ),
        // Framing: QoS 3, reserved flags, a length of five bytes, more properties than packet.
        (
            b"\x36\x06\x00\x01a\x00\x01\x00".to_vec(),
            ReasonCode::MalformedPacket,
        ),
        (b"\xD1\x00".to_vec(), ReasonCode::MalformedPacket),
        (
            b"\x30\xFF\xFF\xFF\xFF\x7F".to_vec(),
            ReasonCode::MalformedPacket,
        ),
        (
            b"\x30\x04\x00\x01a\x09".to_vec(),
            ReasonCode::MalformedPacket,
        ),
        // A second CONNACK, and what only clients send. [MQTT-3.2.0-2]
        (b"\x20\x03\x00\x00\x00".to_vec(), ReasonCode::ProtocolError),
        (b"\xC0\x00".to_vec(), ReasonCode::ProtocolError),
        // More than the Receive Maximum on a new session. [MQTT-3.3.4-9]
        (three.collect(), ReasonCode::ReceiveMaximumExceeded),
    ]
}

/// [MQTT-4.13.2-1]
#[test]
fn a_client_connects_again_after_every_violation() {
    let server = serve(|number, peer| {
        // Each session is a new one, so that the client subscribes again.
        peer.accept_client(false)?;
        match violations().get(number as usize - 1) {
            Some((bytes, reason_code)) => {
                peer.send(bytes)?;
                let last = peer.receive_until_end().pop().unwrap();
                let Packet::Disconnect(disconnect) = last.packet() else {
                    panic!("{number}: {last:?}")
                };
                assert_eq!(
                    disconnect.reason_code, *reason_code,
                    "{number}: {bytes:02X?}"
                );
            }
            None => {
                peer.send(&publish("lamp/end", Delivery::AtMostOnce, b"end"))?;
                peer.receive_until_end();
            }
        }
        Ok(())
    });
    attack("one violation after another", 1 << 20, async {
        let mut options = options(server.address, "patient");
        options.connect.topic_alias_maximum = 2;
        options.connect.receive_maximum = Some(2.try_into().unwrap());
        options.reconnect = fast_reconnect();
        let client = connect(options).await;
        let mut lamps = client.subscribe("lamp/+", QoS::AtLeastOnce).await.unwrap();
        while lamps.next().await.unwrap().payload() != b"end" {}
        assert_eq!(
            client.statistics().connections,
            violations().len() as u64 + 1
        );
        client.disconnect().await;
    });
}

#[test]
fn the_same_violation_again_and_again_stops_a_client_that_asks_for_it() {
    let server = serve(|_, peer| {
        peer.accept_client(false)?;
        peer.send(b"\xD1\x00")?;
        peer.receive_until_end();
        Ok(())
    });
    attack("the same violation again and again", 1 << 20, async {
        let mut options = options(server.address, "strict");
        options.reconnect = Reconnect {
            on_repeated_violation: RepeatedViolation::Stop,
            ..fast_reconnect()
        };
        let client = connect(options).await;
        let mut events = client.events();
        let _lamps = client.subscribe("lamp/+", QoS::AtLeastOnce).await.unwrap();
        let cause = wait_for(&mut events, |event| match event {
            Event::Stopped(cause) => Some(cause.clone()),
            _ => None,
        });
        let StopCause::Final(EndCause::Connection(cause)) = cause.await else {
            panic!()
        };
        assert!(matches!(*cause, ConnectionError::Protocol(_)), "{cause}");
        assert_eq!(client.statistics().connections, 5);
    });
}

fn fast_reconnect() -> Reconnect {
    let delay = Duration::from_millis(10);
    Reconnect {
        min_delay: delay,
        base_delay: delay,
        max_delay: delay,
        ..Reconnect::default()
    }
}
