//! Messages from the server: delivered, acknowledged in order, each once at QoS 2 (§4.3, §4.6).

use dunlin_client::QoS;
use dunlin_client::codec::{
    AckType, Packet, PayloadFormat, Publish, PublishProperties, ReasonCode, TopicName,
};

use crate::harness::{Client, options};
use crate::packets::{
    ack, at_least_once, at_most_once, buf, connack, connack_resumed, disconnect, exactly_once,
    puback, pubcomp, publish, pubrec, pubrel, with_dup,
};

/// [MQTT-3.3.4-1] [MQTT-4.3.1-1]
#[test]
fn qos_0_is_delivered_and_not_acknowledged() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_most_once()));
    let messages = client.messages();
    let (message, id) = &messages[0];
    assert_eq!(
        (message.topic(), message.payload(), message.qos()),
        ("a", &b"on"[..], QoS::AtMostOnce)
    );
    assert_eq!(*id, None);
    assert!(client.sends().is_empty());
}

/// receive_qos1_return_puback [MQTT-4.3.2-4] [MQTT-2.2.1-5]
#[test]
fn qos_1_is_acknowledged_when_the_application_has_consumed_it() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(0x1234)));
    let (_, id) = client.messages().remove(0);
    assert!(client.sends().is_empty());
    client.consumes(id.unwrap());
    assert_eq!(client.sends_bytes(), [0x40, 0x02, 0x12, 0x34]);
}

/// [MQTT-4.3.2-5]
#[test]
fn after_puback_the_same_identifier_is_another_message() {
    let mut client = Client::connected();
    for delivery in [at_least_once(1), with_dup(at_least_once(1))] {
        client.receives(&publish("a", delivery));
        assert_eq!(client.consumes_all(), ["a"]);
        assert_eq!(client.sends(), [puback(1)]);
    }
}

/// [MQTT-4.3.3-8] [MQTT-4.3.3-11] [MQTT-4.3.3-12]
#[test]
fn qos_2_completes_its_four_packets_with_any_repetitions() {
    let mut client = Client::connected();
    for _ in 0..2 {
        client.receives(&publish("a", exactly_once(1)));
        assert_eq!(client.consumes_all(), ["a"]);
        assert_eq!(client.sends(), [pubrec(1)]);
        client.receives(&pubrel(1));
        assert_eq!(client.sends(), [pubcomp(1)]);
    }
}

/// rumqttc_qos_2_delivered_twice [MQTT-4.3.3-10]
#[test]
fn a_repeated_message_of_qos_2_is_acknowledged_again_and_delivered_once() {
    let mut client = Client::connected();
    client.receives(&publish("a", exactly_once(1)));
    client.receives(&publish("a", with_dup(exactly_once(1))));
    assert!(client.sends().is_empty(), "the first isn't taken yet");
    assert_eq!(client.consumes_all(), ["a"]);
    assert_eq!(client.sends(), [pubrec(1)]);
    client.receives(&publish("a", exactly_once(1)));
    client.receives(&publish("a", with_dup(exactly_once(1))));
    assert_eq!(client.sends(), [pubrec(1), pubrec(1)]);
    assert!(client.messages().is_empty());
}

/// [MQTT-4.3.3-11] [U-3.6-1]
#[test]
fn a_pubrel_for_nothing_is_answered_each_time() {
    let mut client = Client::connected();
    client.receives_all(&[pubrel(1), pubrel(1)]);
    let not_found = ack(AckType::PubComp, 1, ReasonCode::PacketIdentifierNotFound);
    assert_eq!(client.sends(), [not_found.clone(), not_found]);
    assert!(client.engine.is_connected());
}

/// puback_ordering, manual_pub_ack_multiple_publishes [MQTT-4.6.0-2] [MQTT-4.6.0-3]
#[test]
fn acknowledgements_leave_in_the_order_of_arrival() {
    let mut client = Client::connected();
    client.receives_all(&[
        publish("a", at_least_once(7)),
        publish("b", exactly_once(3)),
        publish("c", at_least_once(5)),
        publish("d", exactly_once(1)),
    ]);
    let ids: Vec<_> = client
        .messages()
        .into_iter()
        .map(|(_, id)| id.unwrap())
        .collect();
    client.consumes(ids[2]);
    client.consumes(ids[1]);
    assert!(client.sends().is_empty());
    client.consumes(ids[0]);
    assert_eq!(client.sends(), [puback(7), pubrec(3), puback(5)]);
    client.consumes(ids[3]);
    assert_eq!(client.sends(), [pubrec(1)]);
}

#[test]
fn a_message_for_several_is_acknowledged_when_all_of_them_have_it() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(1)));
    let id = client.messages()[0].1.unwrap();
    client.engine.received().set_consumers(id, 2);
    client.consumes(id);
    assert!(client.sends().is_empty());
    client.consumes(id);
    assert_eq!(client.sends(), [puback(1)]);
    client.consumes(id);
    assert!(client.sends().is_empty());
}

/// rumqttc_three_subscription_identifiers
#[test]
fn a_message_may_carry_many_subscription_identifiers() {
    let mut client = Client::connected();
    client.receives_bytes(&[
        0x32, 0x13, 0, 1, b'a', 0, 7, 9, 0x0B, 1, 0x0B, 0xFF, 0x7F, 0x0B, 0x80, 0x80, 1, b'o',
        b'n', b'!', b'?',
    ]);
    let (message, _) = client.messages().remove(0);
    assert_eq!((message.topic(), message.payload()), ("a", &b"on!?"[..]));
    let identifiers: Vec<_> = message
        .properties()
        .subscription_identifiers
        .iter()
        .map(|each| each.get())
        .collect();
    assert_eq!(identifiers, [1, 16_383, 16_384]);
}

/// [U-3.3.2-2] The receiver may check, and this one leaves that to the application.
#[test]
fn a_payload_that_is_not_what_it_claims_is_delivered_as_it_is() {
    let mut client = Client::connected();
    client.receives_bytes(&[0x32, 0x0A, 0, 1, b'a', 0, 7, 2, 0x01, 1, 0xFF, 0xFE]);
    let (message, id) = client.messages().remove(0);
    assert_eq!(message.payload(), [0xFF, 0xFE]);
    assert_eq!(
        message.properties().payload_format_indicator,
        Some(PayloadFormat::Utf8)
    );
    client.consumes(id.unwrap());
    assert_eq!(client.sends(), [puback(7)]);
}

/// [MQTT-2.2.1-5]
#[test]
fn both_directions_have_identifiers_of_their_own() {
    let mut client = Client::connected();
    client.publishes("out", QoS::ExactlyOnce);
    client.receives(&publish("in", exactly_once(1)));
    client.consumes_all();
    client.receives_all(&[pubrec(1), pubrel(1)]);
    client.receives(&pubcomp(1));
    assert_eq!(client.sends()[1..], [pubrec(1), pubrel(1), pubcomp(1)][..]);
    assert!(client.engine.is_idle());
}

/// awscrt_no_own_receive_maximum [MQTT-3.3.4-9] [U-3.3.4-2]
#[test]
fn exceeding_the_receive_maximum_is_a_violation() {
    for second in [
        publish("b", at_least_once(2)),
        publish("b", exactly_once(2)),
    ] {
        let mut options = options();
        options.receive_maximum = Some(1);
        let mut client = Client::connected_as(options, &connack());
        client.receives_all(&[publish("a", at_least_once(1)), publish("0", at_most_once())]);
        assert!(client.engine.is_connected(), "QoS 0 isn't counted");
        client.receives(&second);
        assert_eq!(
            client.sends(),
            [disconnect(ReasonCode::ReceiveMaximumExceeded)]
        );
        assert!(client.engine.should_close());
    }
}

/// [MQTT-3.3.4-9]
#[test]
fn the_receive_quota_is_restored_after_puback_and_after_pubcomp() {
    let mut options = options();
    options.receive_maximum = Some(1);
    let mut client = Client::connected_as(options, &connack());
    for _ in 0..3 {
        client.receives(&publish("a", at_least_once(1)));
        client.consumes_all();
        client.receives(&publish("b", exactly_once(2)));
        client.consumes_all();
        client.receives(&publish("b", with_dup(exactly_once(2))));
        client.receives(&pubrel(2));
    }
    assert!(client.engine.is_connected());
    client.receives(&publish("b", exactly_once(2)));
    client.consumes_all();
    client.receives(&publish("a", at_least_once(1)));
    assert!(client.engine.should_close(), "PUBREC frees nothing");
}

/// The quota is reset with each connection (§4.9), whatever was left of it on the last one.
#[test]
fn messages_of_the_last_connection_use_no_receive_quota_on_this_one() {
    let mut options = options();
    options.receive_maximum = Some(1);
    let mut client = Client::connected_as(options, &connack());
    client.receives(&publish("a", exactly_once(1)));
    client.consumes_all();
    client.reconnects(&connack_resumed());
    client.sends();
    client.receives_all(&[publish("b", at_least_once(2))]);
    client.receives(&pubrel(1));
    client.consumes_all();
    assert_eq!(client.sends(), [pubcomp(1), puback(2)]);
}

#[test]
fn a_message_carries_its_properties_and_flags() {
    let properties = PublishProperties {
        payload_format_indicator: Some(PayloadFormat::Utf8),
        message_expiry_interval: Some(9),
        ..PublishProperties::default()
    };
    let topic = TopicName::new("a/b").unwrap();
    let publish = Publish {
        retain: true,
        properties,
        delivery: with_dup(at_least_once(1)),
        ..Publish::new(topic, b"")
    };
    let mut client = Client::connected();
    client.receives(&buf(Packet::Publish(publish)));
    let (message, _) = client.messages().remove(0);
    assert!(message.retain() && message.dup());
    assert_eq!((message.topic(), message.payload()), ("a/b", &b""[..]));
    assert_eq!(message.properties().message_expiry_interval, Some(9));
    let copy = message.to_owned_buffer();
    assert_eq!(
        (copy.topic(), copy.properties()),
        (message.topic(), message.properties())
    );
}

/// [MQTT-4.2-1]
#[test]
fn input_split_anywhere_has_the_same_result() {
    let conversation = [
        connack(),
        publish("a", at_most_once()),
        publish("b", at_least_once(1)),
        publish("c", exactly_once(2)),
        pubrel(2),
        puback(9),
        pubrel(77),
        crate::packets::pingresp(),
    ];
    let mut bytes = Vec::new();
    conversation
        .iter()
        .for_each(|packet| bytes.extend_from_slice(packet.as_bytes()));
    let answers = |pieces: &[&[u8]]| {
        let mut client = Client::connecting(options());
        let mut topics = Vec::new();
        for piece in pieces {
            client.receives_bytes(piece);
            topics.extend(client.consumes_all());
        }
        assert!(client.engine.is_connected());
        topics
    };
    assert_eq!(answers(&[&bytes]), ["a", "b", "c"]);
    for cut in 0..bytes.len() {
        assert_eq!(
            answers(&[&bytes[..cut], &bytes[cut..]]),
            ["a", "b", "c"],
            "cut at {cut}"
        );
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(answers(&single), ["a", "b", "c"]);
}

/// A server that forgets may send what is new before what it repeats. [MQTT-4.6.0-3]
#[test]
fn a_repeated_pubrec_waits_for_those_before_it() {
    let mut client = Client::connected();
    client.receives(&publish("a", exactly_once(1)));
    client.consumes_all();
    client.reconnects(&connack_resumed());
    client.receives_all(&[
        publish("b", exactly_once(2)),
        publish("a", with_dup(exactly_once(1))),
    ]);
    assert!(client.sends().is_empty());
    assert_eq!(client.consumes_all(), ["b"]);
    assert_eq!(client.sends(), [pubrec(2), pubrec(1)]);
}
