//! The engine without sockets: bytes in, bytes and events out.
#![expect(
    clippy::disallowed_methods,
    reason = "an engine is told the time; any time does"
)]

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::BytesMut;
use dunlin_client::engine::{Accepted, Engine, EngineEvent};
use dunlin_client::{ConnectOptions, Message, QoS};

use super::HotPath;
use crate::client::wire;

const MANY: u32 = 1000;
/// Messages that are published before the server's answers are read.
const WINDOW: u32 = 100;

pub fn hot_paths() -> Vec<HotPath> {
    vec![
        publish_at_most_once(),
        publish("engine: publish QoS 1, acknowledged", QoS::AtLeastOnce),
        publish("engine: publish QoS 2, acknowledged", QoS::ExactlyOnce),
        receive("engine: receive QoS 0", 0),
        receive("engine: receive QoS 1, acknowledged", 1),
    ]
}

fn publish_at_most_once() -> HotPath {
    let (mut engine, mut wire, now) = (connected(), BytesMut::new(), Instant::now());
    HotPath::new("engine: publish QoS 0", MANY, move || {
        for _ in 0..MANY {
            let sent = engine.publish(&Message::new("lamp/7", &[b'x'; 64]), now);
            assert_eq!(sent, Ok(Accepted::Sent));
        }
        engine.poll_transmit(&mut wire, now);
        wire.clear();
    })
}

fn publish(name: &'static str, qos: QoS) -> HotPath {
    let (mut engine, mut wire, mut input) = (connected(), BytesMut::new(), BytesMut::new());
    let now = Instant::now();
    HotPath::new(name, MANY, move || {
        for _ in 0..MANY / WINDOW {
            let receipts: Vec<_> = (0..WINDOW)
                .map(
                    |_| match engine.publish(&Message::new("lamp/7", &[b'x'; 64]).qos(qos), now) {
                        Ok(Accepted::Pending(id)) => id,
                        other => panic!("{other:?}"),
                    },
                )
                .collect();
            // With QoS 2 two exchanges follow each other.
            while engine.poll_transmit(&mut wire, now) {
                answer(&wire, &mut input);
                wire.clear();
                engine.handle_input(&mut input, now);
            }
            for id in receipts {
                let outcome = engine.poll_outcome(id, &mut Context::from_waker(Waker::noop()));
                assert!(matches!(outcome, Poll::Ready(Some(Ok(_)))));
            }
        }
    })
}

fn receive(name: &'static str, qos: u8) -> HotPath {
    let (mut engine, mut wire) = (connected(), BytesMut::new());
    let packet = wire::publish("lamp/7", qos, &[b'x'; 64]);
    let stream = packet.repeat(MANY as usize);
    HotPath::new(name, MANY, move || {
        let mut input = BytesMut::from(stream.as_slice());
        engine.handle_input(&mut input, Instant::now());
        while let Some(event) = engine.poll_event() {
            if let EngineEvent::Message(_, Some(id)) = event {
                engine.received().consume(id);
            }
        }
        engine.poll_transmit(&mut wire, Instant::now());
        wire.clear();
    })
}

/// Engine after CONNACK, with all events taken.
fn connected() -> Engine {
    let mut engine = Engine::new(ConnectOptions::new("lamp-7"));
    engine.open(Instant::now()).expect("the options are plain");
    let mut connack = BytesMut::from(wire::CONNACK.as_slice());
    engine.handle_input(&mut connack, Instant::now());
    assert!(engine.is_connected());
    let mut connect = BytesMut::new();
    engine.poll_transmit(&mut connect, Instant::now());
    while engine.poll_event().is_some() {}
    engine
}

/// Appends the answers of a server to all packets in `wire`.
fn answer(mut wire: &[u8], input: &mut BytesMut) {
    while let Some(packet) = wire::packet(wire) {
        let answer = match (packet.packet_type, packet.qos()) {
            (wire::PUBLISH, 1) => wire::PUBACK,
            (wire::PUBLISH, _) => wire::PUBREC,
            _ => wire::PUBCOMP,
        };
        if let Some(packet_id) = packet.packet_id() {
            input.extend_from_slice(&wire::ack(answer, packet_id));
        }
        wire = &wire[packet.len..];
    }
}
