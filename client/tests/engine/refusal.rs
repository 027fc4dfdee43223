//! Messages that are wrong only in themselves: refused one by one, while the connection stays
//! (§4.13.1).

use dunlin_client::codec::{
    AckType, Delivery, Packet, PacketBuf, PayloadFormat, Publish, PublishProperties, ReasonCode,
    TopicAlias, TopicName,
};
use dunlin_client::engine::EngineEvent;
use dunlin_client::{
    ConnectOptions, ConnectionError, InvalidMessages, QoS, RefusedMessage, Violation,
};

use crate::harness::{Client, Ended, options};
use crate::packets::{
    ack, at_least_once, at_most_once, buf, connack, connack_resumed, disconnect, exactly_once,
    puback, pubcomp, publish, pubrec, pubrel, with_dup,
};

/// A message to `a` whose Response Topic is `r/#`.
fn faulty_publish(delivery: Delivery) -> Vec<u8> {
    with_topic(b"a", delivery, b"\x08\x00\x03r/#")
}

fn with_topic(topic: &[u8], delivery: Delivery, properties: &[u8]) -> Vec<u8> {
    let id = delivery
        .packet_id()
        .map(|id| id.get().to_be_bytes().to_vec())
        .unwrap_or_default();
    let first = 0x30 | u8::from(delivery.dup()) << 3 | delivery.qos().level() << 1;
    let len = |bytes: &[u8]| u8::try_from(bytes.len()).unwrap();
    let body = [
        &[0, len(topic)],
        topic,
        &id,
        &[len(properties)],
        properties,
        b"on",
    ]
    .concat();
    [&[first, len(&body)], &*body].concat()
}

impl Client {
    fn refused(&mut self) -> Vec<RefusedMessage> {
        let refused = |event| match event {
            EngineEvent::MessageRefused(refused) => Some(*refused),
            EngineEvent::Message(message, _) => panic!("delivered: {message:?}"),
            _ => None,
        };
        self.events().into_iter().filter_map(refused).collect()
    }

    /// Topic and violated statement of the only message that was refused.
    #[track_caller]
    fn refused_once(&mut self) -> (String, Option<&'static str>) {
        let [refused] = <[_; 1]>::try_from(self.refused()).unwrap();
        (refused.topic, refused.reason.statement)
    }
}

fn strict_options() -> ConnectOptions {
    ConnectOptions {
        invalid_messages: InvalidMessages::CloseConnection,
        ..options()
    }
}

fn options_with_receive_maximum(receive_maximum: u16) -> ConnectOptions {
    ConnectOptions {
        receive_maximum: Some(receive_maximum),
        ..options()
    }
}

fn refusing_ack(ack_type: AckType, packet_id: u16) -> PacketBuf {
    ack(ack_type, packet_id, ReasonCode::UnspecifiedError)
}

/// [U-4.13.1-1] [MQTT-3.3.2-14] [MQTT-4.3.3-9]
#[test]
fn a_faulty_message_is_refused_and_the_connection_stays() {
    let mut client = Client::connected();
    client.receives_bytes(&faulty_publish(at_most_once()));
    assert!(client.sends().is_empty(), "QoS 0 isn't acknowledged");
    assert_eq!(
        client.refused_once(),
        ("a".to_owned(), Some("MQTT-3.3.2-14"))
    );

    client.receives_bytes(&faulty_publish(at_least_once(1)));
    assert_eq!(client.sends(), [refusing_ack(AckType::PubAck, 1)]);
    let refused = client.refused().remove(0);
    assert_eq!(
        (refused.qos, refused.reason.reason_code),
        (QoS::AtLeastOnce, ReasonCode::ProtocolError)
    );

    client.receives_bytes(&faulty_publish(exactly_once(2)));
    assert_eq!(client.sends(), [refusing_ack(AckType::PubRec, 2)]);
    assert_eq!(client.refused().len(), 1);
    // The exchange is over, so the identifier may stand for another message.
    client.receives_all(&[
        publish("b", exactly_once(2)),
        publish("c", at_least_once(1)),
    ]);
    assert_eq!(client.consumes_all(), ["b", "c"]);
    assert_eq!(client.sends(), [pubrec(2), puback(1)]);
    client.receives(&pubrel(2));
    assert_eq!(client.sends(), [pubcomp(2)]);
    let statistics = client.engine.statistics();
    assert_eq!(
        (
            statistics.invalid_messages,
            statistics.messages_received.exactly_once
        ),
        (3, 2)
    );
    assert!(client.engine.is_connected());
}

/// [MQTT-4.6.0-2] [MQTT-4.6.0-3]
#[test]
fn a_refusal_waits_for_the_acknowledgements_before_it() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(1)));
    client.receives_bytes(&faulty_publish(exactly_once(2)));
    client.receives(&publish("c", at_least_once(3)));
    assert!(client.sends().is_empty());
    let messages: Vec<_> = client
        .messages()
        .into_iter()
        .filter_map(|(_, id)| id)
        .collect();
    client.consumes(messages[1]);
    assert!(client.sends().is_empty());
    client.consumes(messages[0]);
    assert_eq!(
        client.sends(),
        [puback(1), refusing_ack(AckType::PubRec, 2), puback(3)]
    );
}

/// [MQTT-3.3.4-9]
#[test]
fn refused_messages_restore_the_receive_quota() {
    let mut client = Client::connected_as(options_with_receive_maximum(2), &connack());
    for round in 0..1000 {
        client.receives_bytes(&faulty_publish(at_least_once(1 + round)));
        client.receives_bytes(&faulty_publish(exactly_once(2000 + round)));
        assert_eq!(client.sends().len(), 2);
    }
    client.receives_all(&[
        publish("a", at_least_once(1)),
        publish("b", exactly_once(2)),
    ]);
    client.receives_bytes(&faulty_publish(at_least_once(3)));
    assert_eq!(
        client.sends(),
        [disconnect(ReasonCode::ReceiveMaximumExceeded)],
        "a refused one counts, too"
    );
}

/// [MQTT-4.3.3-10]
#[test]
fn a_refusal_that_was_not_sent_is_sent_when_the_server_repeats_the_message() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(1)));
    client.receives_bytes(&faulty_publish(exactly_once(2)));
    let held = client.messages();
    client.reconnects(&connack_resumed());
    client.receives(&publish("a", with_dup(at_least_once(1))));
    client.receives_bytes(&faulty_publish(with_dup(exactly_once(2))));
    assert!(client.sends().is_empty());
    client.consumes(held[0].1.unwrap());
    assert_eq!(
        client.sends(),
        [puback(1), refusing_ack(AckType::PubRec, 2)]
    );
}

#[test]
fn a_faulty_message_that_is_repeated_is_counted_and_reported_once() {
    let mut client = Client::connected();
    client.receives_bytes(&faulty_publish(exactly_once(1)));
    client.receives_bytes(&faulty_publish(at_most_once()));
    assert_eq!(client.refused().len(), 2);
    client.receives(&publish("a", exactly_once(2)));
    let held = client.messages();
    client.receives_bytes(&faulty_publish(exactly_once(3)));
    assert_eq!(client.refused().len(), 1);
    client.reconnects(&connack_resumed());
    client.receives(&publish("a", with_dup(exactly_once(2))));
    client.receives_bytes(&faulty_publish(with_dup(exactly_once(3))));
    assert!(client.refused().is_empty());
    assert_eq!(client.engine.statistics().dropped_messages.refused.count, 3);
    client.consumes(held[0].1.unwrap());
    assert_eq!(
        client.sends(),
        [pubrec(2), refusing_ack(AckType::PubRec, 3)]
    );
}

/// [MQTT-3.3.2-8] [MQTT-3.1.2-26]
#[test]
fn the_alias_of_a_refused_message_counts_if_its_topic_is_valid() {
    let mut options = options();
    options.topic_alias_maximum = 3;
    let mut client = Client::connected_as(options, &connack());
    client.receives_bytes(&with_topic(
        b"lamp/1",
        at_most_once(),
        b"\x08\x00\x01#\x23\x00\x01",
    ));
    assert_eq!(client.refused_once().0, "lamp/1");
    client.receives(&aliased(None, 1, None, b"on"));
    assert_eq!(client.consumes_all(), ["lamp/1"]);
    // The topic of an alias is told.
    client.receives_bytes(&with_topic(
        b"",
        at_most_once(),
        b"\x08\x00\x01#\x23\x00\x01",
    ));
    assert_eq!(
        client.refused_once(),
        ("lamp/1".to_owned(), Some("MQTT-3.3.2-14"))
    );
    // An alias that was set to no topic name never stands for an earlier topic: its messages are
    // refused like the first.
    client.receives_bytes(&with_topic(b"lamp/#", at_most_once(), b"\x23\x00\x01"));
    assert_eq!(
        client.refused_once(),
        ("lamp/#".to_owned(), Some("MQTT-3.3.2-2"))
    );
    client.receives(&aliased(None, 1, None, b"on"));
    assert_eq!(client.refused_once(), (String::new(), Some("MQTT-3.3.2-2")));
    client.receives(&aliased(Some("lamp/2"), 1, None, b"on"));
    client.receives(&aliased(None, 1, None, b"on"));
    assert_eq!(client.consumes_all(), ["lamp/2", "lamp/2"]);
    // What breaks the connection's rules does so in a refused message as well.
    client.receives_bytes(&with_topic(
        b"a",
        at_most_once(),
        b"\x08\x00\x01#\x23\x00\x04",
    ));
    assert_eq!(client.sends(), [disconnect(ReasonCode::TopicAliasInvalid)]);
}

/// [U-3.3.4-1]
#[test]
fn a_faulty_message_under_an_unset_alias_ends_the_connection() {
    let mut options = options();
    options.topic_alias_maximum = 3;
    let mut client = Client::connected_as(options, &connack());
    client.receives_bytes(&with_topic(
        b"",
        at_least_once(1),
        b"\x08\x00\x01#\x23\x00\x02",
    ));
    assert_eq!(client.sends(), [disconnect(ReasonCode::ProtocolError)]);
}

#[test]
fn a_strict_client_closes_the_connection_with_the_faults_reason_code() {
    for (bytes, expected) in [
        (faulty_publish(at_least_once(1)), ReasonCode::ProtocolError),
        (
            with_topic(b"a\0", at_most_once(), b""),
            ReasonCode::MalformedPacket,
        ),
    ] {
        let mut client = Client::connected_as(strict_options(), &connack());
        client.receives_bytes(&bytes);
        assert_eq!(client.sends(), [disconnect(expected)]);
        let Ended::Connection(ConnectionError::Protocol(Violation::Packet(error))) =
            client.closes()
        else {
            panic!()
        };
        assert_eq!(error.reason_code, expected);
        assert_eq!(client.engine.statistics().invalid_messages, 0);
    }
}

fn aliased(
    topic: Option<&str>,
    alias: u16,
    format: Option<PayloadFormat>,
    payload: &[u8],
) -> PacketBuf {
    let properties = PublishProperties {
        topic_alias: TopicAlias::new(alias),
        payload_format_indicator: format,
        ..PublishProperties::default()
    };
    let topic = topic.map(|topic| TopicName::new(topic).unwrap());
    let delivery = if format.is_some() {
        at_least_once(1)
    } else {
        at_most_once()
    };
    buf(Packet::Publish(Publish {
        delivery,
        retain: false,
        topic,
        properties,
        payload,
    }))
}

/// [U-3.3.2-2]
#[test]
fn a_payload_is_checked_only_if_asked() {
    let text = Some(PayloadFormat::Utf8);
    let mut asked = options();
    asked.topic_alias_maximum = 1;
    let mut client = Client::connected_as(asked.clone(), &connack());
    client.receives(&aliased(Some("a"), 1, text, b"\xFF"));
    assert_eq!(client.consumes_all(), ["a"]);

    asked.validate_payload_format = true;
    let mut client = Client::connected_as(asked.clone(), &connack());
    client.receives(&aliased(Some("a"), 1, text, "ö".as_bytes()));
    client.receives(&aliased(Some("a"), 1, None, b"\xFF"));
    assert_eq!(client.consumes_all(), ["a", "a"]);
    client.sends();
    client.receives(&aliased(Some("b"), 1, text, b"\xFF"));
    assert_eq!(
        client.sends(),
        [ack(AckType::PubAck, 1, ReasonCode::PayloadFormatInvalid)]
    );
    assert_eq!(client.refused_once(), ("b".to_owned(), Some("U-3.3.2-2")));
    client.receives(&aliased(None, 1, None, b"on"));
    assert_eq!(client.consumes_all(), ["b"]);

    asked.invalid_messages = InvalidMessages::CloseConnection;
    let mut client = Client::connected_as(asked, &connack());
    client.receives(&aliased(Some("b"), 1, text, b"\xFF"));
    assert_eq!(
        client.sends(),
        [disconnect(ReasonCode::PayloadFormatInvalid)]
    );
}

#[test]
fn a_long_topic_is_cut_in_the_event() {
    let mut client = Client::connected();
    let topic = [&[b'x'; 60_000][..], b"#"].concat();
    let len = |len: usize| u16::try_from(len).unwrap().to_be_bytes();
    let body = [&len(topic.len()), &*topic, &[0]].concat();
    // 60,004 bytes.
    let remaining = [0x80 | 0x64, 0x80 | 0x54, 3];
    assert_eq!(body.len(), 0x64 + (0x54 << 7) + (3 << 14));
    client.receives_bytes(&[&[0x30], &remaining[..], &body].concat());
    assert_eq!(client.refused_once().0.len(), 1024);
}
