//! Every packet that the codec rejects, against an engine of each mode.

use std::time::Instant;

use bytes::BytesMut;
use dunlin_client::codec::{
    DecodeError, DecodeOptions, Delivery, ErrorScope, Packet, ReasonCode, Sender,
};
use dunlin_client::engine::{CloseCause, Engine, EngineEvent};
use dunlin_client::{ConnectOptions, ConnectionError, EndCause, InvalidMessages, Violation};
use dunlin_tests::{hex_bytes, shared_vectors};

use crate::packets::connack;

/// Packets of a server that the codec rejects, from our vectors and from those of other projects.
fn rejected() -> Vec<(Vec<u8>, DecodeError)> {
    let own = include_str!("../../../codec/tests/golden/vectors/rejected.tsv");
    let own = own
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split('\t').nth(2));
    let others = shared_vectors("mqtt5.jsonl").unwrap_or_default();
    let hex = own.chain(others.iter().filter_map(|vector| vector["hex"].as_str()));
    let options = DecodeOptions::any_size().with_sender(Sender::Server);
    hex.map(hex_bytes)
        .filter_map(|bytes| {
            Packet::decode_with(&bytes, &options)
                .err()
                .map(|error| (bytes, error))
        })
        .collect()
}

struct Run {
    events: Vec<EngineEvent>,
    sent: Vec<u8>,
    ended: Option<EndCause>,
    invalid_messages: u64,
}

/// Gives these bytes to an engine with an open connection.
fn run(bytes: &[u8], invalid_messages: InvalidMessages) -> Run {
    #[expect(
        clippy::disallowed_methods,
        reason = "an instant to count from; no time passes"
    )]
    let now = Instant::now();
    let options = ConnectOptions {
        invalid_messages,
        topic_alias_maximum: u16::MAX,
        ..ConnectOptions::new("lamp-7")
    };
    let mut engine = Engine::new(options);
    engine.open(now).unwrap();
    let mut sent = BytesMut::new();
    engine.poll_transmit(&mut sent, now);
    engine.handle_input(&mut BytesMut::from(&connack(false)[..]), now);
    while engine.poll_event().is_some() {}
    engine.handle_input(&mut BytesMut::from(bytes), now);
    let events = std::iter::from_fn(|| engine.poll_event()).collect();
    let mut sent = BytesMut::new();
    engine.poll_transmit(&mut sent, now);
    let ended = engine
        .should_close()
        .then(|| engine.handle_closed(CloseCause::Eof));
    let invalid_messages = engine.statistics().invalid_messages;
    Run {
        events,
        sent: sent.to_vec(),
        ended,
        invalid_messages,
    }
}

/// [MQTT-4.13.2-1] [U-4.13.1-1]
#[test]
fn every_rejected_packet_is_refused_or_ends_the_connection_as_its_scope_says() {
    let (mut messages, mut connections) = (0, 0);
    for (bytes, error) in rejected() {
        let strict = run(&bytes, InvalidMessages::CloseConnection);
        expect_disconnect(&strict, error, &bytes);
        let lenient = run(&bytes, InvalidMessages::Refuse);
        match error.scope {
            ErrorScope::Connection => {
                connections += 1;
                expect_disconnect(&lenient, error, &bytes);
            }
            ErrorScope::Message(message) => {
                messages += 1;
                assert_eq!(
                    (lenient.ended, lenient.invalid_messages),
                    (None, 1),
                    "{error}: {bytes:02X?}"
                );
                let [EngineEvent::MessageRefused(refused)] = &lenient.events[..] else {
                    panic!("{:?}: {bytes:02X?}", lenient.events)
                };
                assert_eq!(refused.reason, error);
                let id = message
                    .delivery
                    .packet_id()
                    .map(|id| id.get().to_be_bytes());
                let acknowledgement: &[u8] = match (message.delivery, id) {
                    (Delivery::AtLeastOnce { .. }, Some([high, low])) => {
                        &[0x40, 3, high, low, 0x80]
                    }
                    (Delivery::ExactlyOnce { .. }, Some([high, low])) => {
                        &[0x50, 3, high, low, 0x80]
                    }
                    _ => &[],
                };
                assert_eq!(lenient.sent, acknowledgement, "{error}: {bytes:02X?}");
            }
        }
    }
    println!(
        "rejected packets: {messages} in a message's scope, {connections} in the connection's"
    );
    assert!(
        messages >= 15 && connections >= 80,
        "{messages} and {connections}"
    );
}

/// Checks that the client sends only DISCONNECT, with the error's reason code.
fn expect_disconnect(run: &Run, error: DecodeError, bytes: &[u8]) {
    assert_eq!(
        run.sent,
        [0xE0, 1, error.reason_code as u8],
        "{error}: {bytes:02X?}"
    );
    let expected = ConnectionError::Protocol(Violation::Packet(error));
    assert_eq!(run.ended, Some(expected.into()), "{bytes:02X?}");
    assert!(
        run.events.is_empty() && run.invalid_messages == 0,
        "{bytes:02X?}"
    );
    assert_ne!(error.reason_code, ReasonCode::Success);
}
