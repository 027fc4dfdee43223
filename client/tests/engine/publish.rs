//! Messages that the application publishes, at each QoS, on one connection (§4.3).

use std::time::Duration;

use dunlin_client::codec::{
    Ack, AckProperties, AckType, Packet, PayloadFormat, ReasonCode, UserProperty, Utf8String,
};
use dunlin_client::engine::{Accepted, OperationId, Outcome, Published};
use dunlin_client::{ConnectionError, Message, MessageProperties, QoS, RequestError, Violation};

use crate::harness::{Client, Ended, options};
use crate::packets::{
    ack, at_least_once, at_most_once, buf, connack, exactly_once, id, puback, pubcomp, publish,
    pubrec, pubrel, suback, subscribe, unsuback,
};

fn published(client: &mut Client, operation: OperationId) -> Published {
    match client.outcome(operation) {
        Some(Ok(Outcome::Published(published))) => published,
        other => panic!("{other:?}"),
    }
}

/// sub_pub_unsub_qos0 [MQTT-4.3.1-1] [MQTT-2.2.1-2]
#[test]
fn qos_0_is_sent_once_without_an_outcome() {
    let mut client = Client::connected();
    assert_eq!(
        client.try_publish(Message::new("a", "on")),
        Ok(Accepted::Sent)
    );
    assert_eq!(client.sends_bytes(), b"\x30\x06\x00\x01a\x00on");
    assert_eq!(client.engine.load(), (0, 0));
}

/// [MQTT-4.3.2-1] [MQTT-4.3.2-2] [MQTT-4.3.2-3]
#[test]
fn qos_1_completes_with_puback() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::AtLeastOnce);
    assert_eq!(client.sends(), [publish("a", at_least_once(1))]);
    assert_eq!(client.outcome(first), None);

    client.receives(&puback(1));
    let outcome = published(&mut client, first);
    assert_eq!(
        (outcome.packet_id, outcome.reason_code),
        (Some(id(1)), ReasonCode::Success)
    );
    assert!(client.engine.is_idle());
    assert!(client.sends().is_empty());
}

/// [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-4.3.3-3] [MQTT-4.3.3-4] [MQTT-4.3.3-5]
#[test]
fn qos_2_completes_with_pubcomp() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::ExactlyOnce);
    assert_eq!(client.sends(), [publish("a", exactly_once(1))]);
    client.receives(&pubrec(1));
    assert_eq!(client.sends(), [pubrel(1)]);
    assert_eq!(client.outcome(first), None);
    client.receives(&pubcomp(1));
    assert_eq!(published(&mut client, first).packet_id, Some(id(1)));
}

/// [U-4.3.2-1]
#[test]
fn acknowledgements_in_any_order_find_their_messages() {
    let mut client = Client::connected();
    let (first, second) = (
        client.publishes("a", QoS::AtLeastOnce),
        client.publishes("b", QoS::AtLeastOnce),
    );
    client.receives(&puback(2));
    assert_eq!(published(&mut client, second).packet_id, Some(id(2)));
    assert_eq!(client.outcome(first), None);
    client.receives(&puback(1));
    assert_eq!(published(&mut client, first).packet_id, Some(id(1)));
}

#[test]
fn puback_may_say_that_nobody_is_subscribed() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::AtLeastOnce);
    client.receives(&ack(AckType::PubAck, 1, ReasonCode::NoMatchingSubscribers));
    assert_eq!(
        published(&mut client, first).reason_code,
        ReasonCode::NoMatchingSubscribers
    );
}

/// awscrt_refusals_succeed [U-4.13.2-1]
#[test]
fn a_refusal_is_an_error_with_the_servers_words_and_concerns_one_message() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::AtLeastOnce);
    let user_properties = [UserProperty::new("k", "v").unwrap()];
    let properties = AckProperties {
        reason_string: Utf8String::new("not for you").ok(),
        user_properties: (&user_properties).into(),
    };
    let refusal = Ack {
        packet_id: id(1),
        reason_code: ReasonCode::NotAuthorized,
        properties,
    };
    client.receives(&buf(Packet::PubAck(refusal)));

    let Some(Err(RequestError::Refused(reason))) = client.outcome(first) else {
        panic!()
    };
    assert_eq!(reason.reason_code, ReasonCode::NotAuthorized);
    assert_eq!(reason.reason_string.as_deref(), Some("not for you"));
    assert_eq!(reason.user_properties, [("k".to_owned(), "v".to_owned())]);
    let second = client.publishes("a", QoS::AtLeastOnce);
    client.receives(&puback(2));
    published(&mut client, second);
}

/// [MQTT-4.3.3-4] [MQTT-4.4.0-2]
#[test]
fn no_pubrel_follows_a_refusing_pubrec() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::ExactlyOnce);
    client.sends();
    client.receives(&ack(AckType::PubRec, 1, ReasonCode::QuotaExceeded));
    assert!(client.sends().is_empty());
    assert!(matches!(
        client.outcome(first),
        Some(Err(RequestError::Refused(_)))
    ));
    assert!(client.engine.is_idle());
}

#[test]
fn pubrec_without_subscribers_goes_on_and_a_second_pubrec_is_answered_again() {
    let mut client = Client::connected();
    client.publishes("a", QoS::ExactlyOnce);
    client.sends();
    client.receives(&ack(AckType::PubRec, 1, ReasonCode::NoMatchingSubscribers));
    client.receives(&pubrec(1));
    assert_eq!(client.sends(), [pubrel(1), pubrel(1)]);
}

/// [U-3.6-1]
#[test]
fn pubcomp_for_a_forgotten_identifier_ends_the_exchange_well() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::ExactlyOnce);
    client.receives(&pubrec(1));
    client.receives(&ack(
        AckType::PubComp,
        1,
        ReasonCode::PacketIdentifierNotFound,
    ));
    assert_eq!(
        published(&mut client, first).reason_code,
        ReasonCode::PacketIdentifierNotFound
    );
}

/// [MQTT-4.6.0-4]
#[test]
fn pubrels_leave_in_the_order_of_the_pubrecs() {
    let mut client = Client::connected();
    for topic in ["a", "b", "c"] {
        client.publishes(topic, QoS::ExactlyOnce);
    }
    client.sends();
    client.receives_all(&[pubrec(2), pubrec(1), pubrec(3)]);
    assert_eq!(client.sends(), [pubrel(2), pubrel(1), pubrel(3)]);
}

/// gneiss_unknown_ids_end_the_connection
#[test]
fn unexpected_acknowledgements_are_harmless() {
    let mut client = Client::connected();
    client.receives_all(&[puback(9), pubcomp(9), suback(9, &[ReasonCode::Success])]);
    client.receives(&ack(AckType::PubRec, 9, ReasonCode::NotAuthorized));
    assert!(client.sends().is_empty());
    client.receives(&pubrec(9));
    assert_eq!(
        client.sends(),
        [ack(
            AckType::PubRel,
            9,
            ReasonCode::PacketIdentifierNotFound
        )]
    );
    assert!(client.engine.is_connected());
}

/// [MQTT-2.2.1-5]
#[test]
fn an_acknowledgement_of_the_wrong_kind_breaks_the_protocol() {
    let wrong = [
        (QoS::AtLeastOnce, pubrec(1)),
        (QoS::AtLeastOnce, pubcomp(1)),
        (QoS::ExactlyOnce, puback(1)),
        (QoS::ExactlyOnce, pubcomp(1)),
        (QoS::ExactlyOnce, suback(1, &[ReasonCode::Success])),
    ];
    for (qos, answer) in wrong {
        let mut client = Client::connected();
        client.publishes("a", qos);
        client.sends();
        client.receives(&answer);
        assert_eq!(
            client.sends(),
            [crate::packets::disconnect(ReasonCode::ProtocolError)]
        );
        let Ended::Connection(ConnectionError::Protocol(Violation::Unexpected {
            statement, ..
        })) = client.closes()
        else {
            panic!()
        };
        assert!(["MQTT-2.2.1-5", "MQTT-2.2.1-6"].contains(&statement));
    }
}

/// bind_packet_id_existing [MQTT-2.2.1-3]
#[test]
fn identifiers_come_from_one_pool_and_rotate() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    client.subscribes(&["b"]);
    client.publishes("c", QoS::ExactlyOnce);
    client.receives(&puback(1));
    client.publishes("d", QoS::AtLeastOnce);
    let expected = [
        publish("a", at_least_once(1)),
        subscribe(2, &["b"]),
        publish("c", exactly_once(3)),
        publish("d", at_least_once(4)),
    ];
    assert_eq!(client.sends(), expected);
}

/// bind_packet_id_wrap_around [MQTT-2.2.1-3]
#[test]
fn identifiers_wrap_around_past_those_in_flight() {
    let mut client = Client::connected();
    client.publishes("kept", QoS::AtLeastOnce);
    for number in 2..=u16::MAX {
        client.publishes("a", QoS::AtLeastOnce);
        client.receives(&puback(number));
    }
    client.sends();
    client.publishes("b", QoS::AtLeastOnce);
    assert_eq!(
        client.sends(),
        [publish("b", at_least_once(2))],
        "0 is none, and 1 is in flight"
    );
}

/// bind_packet_id_full_table
#[test]
fn requests_wait_when_all_identifiers_are_in_use() {
    let mut options = options();
    options.queue.count = 100_000;
    let mut client = Client::connected_as(options, &connack());
    for _ in 1..=u16::MAX {
        client.publishes("a", QoS::AtLeastOnce);
    }
    client.sends();
    let waiting = client.subscribes(&["b"]);
    assert!(client.sends().is_empty());
    assert_eq!(client.outcome(waiting), None);
    client.try_publish(Message::new("c", "on")).unwrap();
    assert_eq!(
        client.sends(),
        [publish("c", at_most_once())],
        "QoS 0 needs none"
    );
    client.receives(&puback(77));
    assert_eq!(client.sends(), [subscribe(77, &["b"])]);
}

/// awscrt_text_with_a_line_break_refused
#[test]
fn a_payload_that_claims_to_be_text_may_have_line_breaks() {
    let mut client = Client::connected();
    let mut message = Message::new("a", "{\n}");
    message.properties.payload_format_indicator = Some(PayloadFormat::Utf8);
    client.try_publish(message).unwrap();
    assert_eq!(client.sends().len(), 1);
}

/// bind_packet_id_empty [U-2.2.1-1]
#[test]
fn an_identifier_is_free_after_whatever_ends_its_exchange() {
    let mut options = options();
    options.queue.count = 100_000;
    let mut client = Client::connected_as(options, &connack());
    assert_eq!(client.engine.load().0, 0);
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::ExactlyOnce);
    client.publishes("c", QoS::ExactlyOnce);
    client.subscribes(&["d"]);
    client.unsubscribes(&["e"]);
    for _ in 6..=u16::MAX {
        client.publishes("f", QoS::AtLeastOnce);
    }
    client.sends();
    let refused = ack(AckType::PubRec, 3, ReasonCode::QuotaExceeded);
    let frees = [
        puback(1),
        pubcomp(2),
        refused,
        suback(4, &[ReasonCode::Success]),
        unsuback(5, &[ReasonCode::Success]),
    ];
    client.receives(&pubrec(2));
    for (number, free) in (1..).zip(frees) {
        client.publishes("g", QoS::AtLeastOnce);
        assert_ne!(
            client.sends(),
            [publish("g", at_least_once(number))],
            "it is still in use"
        );
        client.receives(&free);
        assert_eq!(client.sends(), [publish("g", at_least_once(number))]);
    }
    client.receives(&ack(AckType::PubAck, 9, ReasonCode::NotAuthorized));
    client.publishes("g", QoS::AtLeastOnce);
    assert_eq!(client.sends(), [publish("g", at_least_once(9))]);
}

/// awscrt_timeout_frees_the_id, publish_timeout
#[test]
fn an_acknowledgement_that_is_late_finds_its_identifier_still_taken() {
    let mut options = options();
    options.ack_timeout = Duration::from_secs(5);
    let mut client = Client::connected_as(options, &connack());
    let first = client.publishes("a", QoS::AtLeastOnce);
    client.sends();
    client.advance(Duration::from_millis(4_999));
    assert_eq!(client.outcome(first), None);
    client.advance(Duration::from_millis(1));
    let after = Duration::from_secs(5);
    assert_eq!(
        client.outcome(first),
        Some(Err(RequestError::Timeout { after }))
    );
    assert!(client.engine.is_idle(), "every request has its outcome");
    assert_eq!(client.engine.load().0, 1, "but the identifier is taken");

    client.receives(&puback(1));
    assert!(client.engine.is_connected());
    assert_eq!(client.engine.load(), (0, 0));
}

/// dynamic_operation_timeout_default
#[test]
fn the_time_for_an_acknowledgement_starts_on_the_wire() {
    let mut options = options();
    options.ack_timeout = Duration::from_secs(5);
    let mut client = Client::new(options);
    let first = client.publishes("a", QoS::AtLeastOnce);
    client.advance(Duration::from_secs(60));
    client.opens();
    client.receives(&connack());
    client.advance(Duration::from_millis(4_999));
    assert_eq!(client.outcome(first), None);
    client.advance(Duration::from_millis(1));
    assert!(client.outcome(first).is_some());
}

#[test]
fn an_outcome_is_returned_once_and_a_forgotten_one_never() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::AtLeastOnce);
    let second = client.publishes("b", QoS::AtLeastOnce);
    client.engine.forget(second);
    client.receives_all(&[puback(1), puback(2)]);
    published(&mut client, first);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for gone in [first, second] {
        assert!(matches!(
            client.engine.poll_outcome(gone, &mut cx),
            std::task::Poll::Ready(None)
        ));
    }
}

/// outbound_alias_manual_failure_empty_topic
#[test]
fn an_invalid_topic_is_refused_before_anything_is_sent() {
    let mut client = Client::connected();
    for topic in ["", "a/+", "#", "nul\0"] {
        let refused = client.try_publish(Message::new(topic, "on").qos(QoS::AtLeastOnce));
        assert!(matches!(refused, Err(RequestError::Topic(_))), "{topic}");
    }
    assert!(client.sends().is_empty());
    assert_eq!(client.engine.load(), (0, 0));
}

#[test]
fn properties_are_sent_as_the_application_wrote_them() {
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut client = Client::connected();
        let mut message = Message::new("a", String::from("21.5")).qos(qos);
        message.properties = MessageProperties {
            content_type: Some("text/plain"),
            response_topic: Some("answers"),
            correlation_data: Some(b"x"),
            user_properties: &[("unit", "celsius"), ("unit", "kelvin")],
            ..MessageProperties::default()
        };
        client.try_publish(message).unwrap();
        let sent = client.sends();
        let Packet::Publish(publish) = sent[0].packet() else {
            panic!()
        };
        let properties = publish.properties;
        assert_eq!(publish.payload, b"21.5");
        assert_eq!(properties.content_type.unwrap().as_str(), "text/plain");
        assert_eq!(properties.response_topic.unwrap().as_str(), "answers");
        assert_eq!(properties.correlation_data.unwrap().as_bytes(), b"x");
        let pairs = properties
            .user_properties
            .iter()
            .map(|pair| format!("{}={}", pair.name, pair.value));
        assert_eq!(pairs.collect::<Vec<_>>(), ["unit=celsius", "unit=kelvin"]);
    }
}

#[test]
fn a_property_that_cannot_be_sent_is_refused_by_name() {
    let long = "x".repeat(65_536);
    let breaks = [
        (
            MessageProperties {
                content_type: Some("nul\0"),
                ..Default::default()
            },
            "content type",
        ),
        (
            MessageProperties {
                response_topic: Some("a/+"),
                ..Default::default()
            },
            "the response topic: ",
        ),
        (
            MessageProperties {
                correlation_data: Some(long.as_bytes()),
                ..Default::default()
            },
            "correlation data",
        ),
        (
            MessageProperties {
                user_properties: &[("a", &long)],
                ..Default::default()
            },
            "user property",
        ),
    ];
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        for (properties, named) in &breaks {
            let mut client = Client::connected();
            let message = Message {
                properties: *properties,
                ..Message::new("a", "on").qos(qos)
            };
            let error = client.try_publish(message).unwrap_err().to_string();
            assert!(error.starts_with(named), "{error}");
            assert!(client.sends_bytes().is_empty());
            assert_eq!(client.engine.load(), (0, 0));
        }
    }
}
