//! Outcome of requests when a connection is lost and the server kept or lost the session (§4.4).

use std::time::Duration;

use dunlin_client::codec::{AckType, Packet, ReasonCode};
use dunlin_client::engine::{Accepted, CloseCause, Outcome};
use dunlin_client::{CleanStart, Message, QoS, RequestError};

use crate::harness::{Client, options};
use crate::packets::{
    ack, at_least_once, connack, connack_resumed, exactly_once, puback, pubcomp, publish, pubrec,
    pubrel, with_dup,
};

/// operation_processing_reconnect_rejoin_session [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.6.0-1]
/// [MQTT-3.1.2-23] operation_processing_reconnect_rejoin_session_fail_all
/// operation_processing_reconnect_rejoin_session_fail_qos0
#[test]
fn a_resumed_session_repeats_messages_in_their_order_with_dup() {
    let mut client = Client::connected();
    for (topic, qos) in [
        ("a", QoS::AtLeastOnce),
        ("b", QoS::ExactlyOnce),
        ("c", QoS::AtLeastOnce),
    ] {
        client.publishes(topic, qos);
    }
    client.try_publish(Message::new("d", "on")).unwrap();
    client.reconnects(&connack_resumed());
    let expected = [
        publish("a", with_dup(at_least_once(1))),
        publish("b", with_dup(exactly_once(2))),
        publish("c", with_dup(at_least_once(3))),
    ];
    assert_eq!(
        client.sends(),
        expected,
        "and nothing of QoS 0 [MQTT-4.3.1-1]"
    );
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends(), expected);
}

/// rumqttc_resends_in_id_order_without_dup [MQTT-4.6.0-1]
#[test]
fn the_order_is_that_of_sending_and_not_that_of_the_identifiers() {
    let mut client = Client::connected();
    for number in 1..=65_533 {
        client.publishes("x", QoS::AtLeastOnce);
        client.receives(&puback(number));
    }
    client.sends();
    for topic in ["a", "b", "c", "d"] {
        client.publishes(topic, QoS::AtLeastOnce);
    }
    client.loses_connection();
    client.publishes("e", QoS::AtLeastOnce);
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    let expected = [
        publish("a", with_dup(at_least_once(65_534))),
        publish("b", with_dup(at_least_once(65_535))),
        publish("c", with_dup(at_least_once(1))),
        publish("d", with_dup(at_least_once(2))),
        publish("e", at_least_once(3)),
    ];
    assert_eq!(client.sends(), expected);
}

/// [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.6.0-4]
#[test]
fn after_pubrec_only_pubrel_is_repeated_in_the_order_of_the_pubrecs() {
    let mut client = Client::connected();
    for topic in ["a", "b", "c"] {
        client.publishes(topic, QoS::ExactlyOnce);
    }
    client.receives_all(&[pubrec(3), pubrec(1)]);
    client.reconnects(&connack_resumed());
    assert_eq!(
        client.sends(),
        [
            pubrel(3),
            pubrel(1),
            publish("b", with_dup(exactly_once(2)))
        ]
    );
    client.receives_all(&[pubcomp(3), pubcomp(1), pubrec(2)]);
    assert_eq!(client.sends(), [pubrel(2)]);
    client.receives(&pubcomp(2));
    assert!(client.engine.is_idle());
}

#[test]
fn a_repeated_pubrel_that_nobody_answers_times_out() {
    let mut options = options();
    options.ack_timeout = Duration::from_secs(5);
    let mut client = Client::connected_as(options, &connack());
    let first = client.publishes("a", QoS::ExactlyOnce);
    client.receives(&pubrec(1));
    client.reconnects(&connack_resumed());
    client.advance(Duration::from_secs(5));
    assert!(matches!(
        client.outcome(first),
        Some(Err(RequestError::Timeout { .. }))
    ));
}

/// [MQTT-4.4.0-1]
#[test]
fn nothing_is_repeated_on_an_open_connection() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::ExactlyOnce);
    client.sends();
    client.advance(Duration::from_secs(3600));
    assert!(client.sends().is_empty());
}

/// [MQTT-4.4.0-2]
#[test]
fn acknowledged_messages_are_not_repeated_whatever_the_reason_code() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::ExactlyOnce);
    client.receives(&ack(AckType::PubAck, 1, ReasonCode::QuotaExceeded));
    client.receives(&ack(AckType::PubRec, 2, ReasonCode::QuotaExceeded));
    client.reconnects(&connack_resumed());
    assert!(client.sends().is_empty());
}

/// discard_session_on_server_clean_start, operation_processing_reconnect_no_session
/// awscrt_dup_on_a_new_session [MQTT-3.2.2-5] [MQTT-4.4.0-1]
#[test]
fn a_lost_session_repeats_nothing_and_publishes_qos_1_again() {
    let mut client = Client::connected();
    let first = client.publishes("a", QoS::AtLeastOnce);
    let sent = client.publishes("b", QoS::ExactlyOnce);
    let released = client.publishes("c", QoS::ExactlyOnce);
    let last = client.publishes("d", QoS::AtLeastOnce);

    // Two messages of each QoS are in flight, one of them beyond PUBREC; one more is queued.
    client.receives(&pubrec(3));
    client.loses_connection();
    client.publishes("e", QoS::AtLeastOnce);
    client.opens();
    client.sends();
    client.receives(&connack());

    // QoS 1 becomes new messages, QoS 2 fails.
    let expected = [
        publish("a", at_least_once(5)),
        publish("d", at_least_once(6)),
        publish("e", at_least_once(7)),
    ];
    assert_eq!(
        client.sends(),
        expected,
        "new identifiers, no DUP, the old order"
    );
    assert_eq!(client.outcome(sent), Some(Err(RequestError::SessionLost)));
    assert_eq!(
        client.outcome(released),
        Some(Err(RequestError::SessionLost))
    );
    client.receives_all(&[puback(5), puback(6)]);
    assert!(matches!(
        client.outcome(first),
        Some(Ok(Outcome::Published(_)))
    ));
    assert!(matches!(
        client.outcome(last),
        Some(Ok(Outcome::Published(_)))
    ));
}

/// [MQTT-3.1.2-4]
#[test]
fn a_clean_start_discards_the_session() {
    let mut options = options();
    options.clean_start = CleanStart::Always;
    let mut client = Client::connected_as(options, &connack());
    let first = client.publishes("a", QoS::ExactlyOnce);
    client.receives(&publish("in", exactly_once(1)));
    client.consumes_all();
    client.reconnects(&connack());
    assert!(client.sends().is_empty());
    assert_eq!(client.outcome(first), Some(Err(RequestError::SessionLost)));
    client.receives(&publish("in", exactly_once(1)));
    assert_eq!(client.consumes_all(), ["in"], "another message by now");
}

/// rumqttc_pubrel_after_a_resume [MQTT-4.3.3-10] [MQTT-3.2.2-5] [MQTT-4.3.3-11]
#[test]
fn a_message_of_qos_2_is_delivered_once_across_a_resumed_session() {
    let mut client = Client::connected();
    client.receives_all(&[
        publish("taken", exactly_once(1)),
        publish("waiting", exactly_once(2)),
    ]);
    let waiting = client.messages();
    client.consumes(waiting[0].1.unwrap());
    assert_eq!(client.sends(), [pubrec(1)]);

    client.reconnects(&connack_resumed());
    client.receives_all(&[
        publish("taken", with_dup(exactly_once(1))),
        publish("waiting", with_dup(exactly_once(2))),
    ]);
    assert_eq!(
        client.sends(),
        [pubrec(1)],
        "the other one still waits to be taken"
    );
    assert!(client.messages().is_empty());
    client.consumes(waiting[1].1.unwrap());
    assert_eq!(client.sends(), [pubrec(2)]);
    client.receives_all(&[pubrel(1), pubrel(2)]);
    assert_eq!(client.sends(), [pubcomp(1), pubcomp(2)]);
}

/// [MQTT-3.2.2-5] [MQTT-4.3.3-11]
#[test]
fn a_pubrel_of_a_lost_session_is_answered_and_changes_nothing() {
    let mut client = Client::connected();
    client.receives(&publish("a", exactly_once(1)));
    client.consumes_all();
    client.reconnects(&connack());
    client.sends();
    client.receives(&pubrel(1));
    assert_eq!(
        client.sends(),
        [ack(
            AckType::PubComp,
            1,
            ReasonCode::PacketIdentifierNotFound
        )]
    );
    assert!(client.engine.is_connected());
}

/// Messages that wait for the application don't accumulate over connections.
#[test]
fn a_message_that_still_waits_is_not_delivered_again_when_it_is_repeated() {
    let mut client = Client::connected();
    client.receives_all(&[
        publish("a", at_least_once(1)),
        publish("b", at_least_once(2)),
    ]);
    let ids: Vec<_> = client
        .messages()
        .into_iter()
        .map(|(_, id)| id.unwrap())
        .collect();

    // The application has both messages: repetitions are not delivered again.
    for _ in 0..3 {
        client.reconnects(&connack_resumed());
        client.receives_all(&[
            publish("a", with_dup(at_least_once(1))),
            publish("b", with_dup(at_least_once(2))),
        ]);
        assert!(client.messages().is_empty());
    }

    // One is consumed while there is no connection; its acknowledgement is due on the repetition.
    client.loses_connection();
    client.consumes(ids[1]);
    client.reconnects(&connack_resumed());
    assert!(
        client.sends().is_empty(),
        "acknowledgements of the last connection aren't sent on this one"
    );
    client.receives_all(&[
        publish("a", with_dup(at_least_once(1))),
        publish("b", with_dup(at_least_once(2))),
    ]);
    assert!(client.sends().is_empty());

    // Acknowledgements leave in order.
    client.consumes(ids[0]);
    assert_eq!(client.sends(), [puback(1), puback(2)]);

    // The same identifier is a new message now.
    client.consumes(ids[0]);
    client.receives(&publish("c", at_least_once(1)));
    assert_eq!(client.consumes_all(), ["c"]);
    assert_eq!(client.sends(), [puback(1)]);
}

#[test]
fn a_new_message_under_the_identifier_of_one_that_still_waits_is_delivered() {
    for (connack, delivery) in [
        (connack_resumed(), at_least_once(1)),
        (connack(), with_dup(at_least_once(1))),
    ] {
        let mut client = Client::connected();
        client.receives(&publish("old", at_least_once(1)));
        let old = client.messages()[0].1.unwrap();
        client.reconnects(&connack);
        client.receives(&publish("new", delivery));
        client.consumes(old);
        assert!(client.sends().is_empty());
        assert_eq!(client.consumes_all(), ["new"]);
        assert_eq!(client.sends(), [puback(1)]);
    }
}

/// [MQTT-4.4.0-1]
#[test]
fn a_message_that_timed_out_is_repeated_to_complete_its_exchange() {
    let mut options = options();
    options.ack_timeout = Duration::from_secs(5);
    let mut client = Client::connected_as(options, &connack());
    let first = client.publishes("a", QoS::AtLeastOnce);
    client.advance(Duration::from_secs(5));
    assert!(matches!(
        client.outcome(first),
        Some(Err(RequestError::Timeout { .. }))
    ));
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends(), [publish("a", with_dup(at_least_once(1)))]);
    client.reconnects(&connack());
    assert!(client.sends().is_empty(), "but not published again");
    assert_eq!(client.engine.load(), (0, 0));
}

/// [MQTT-3.3.1-3]
#[test]
fn messages_that_stayed_in_the_output_are_sent_as_new() {
    for (connack, next) in [(connack(), 5), (connack_resumed(), 4)] {
        let mut client = Client::connected();
        client.publishes("sent", QoS::AtLeastOnce);
        client.sends();
        client
            .publishes_unwritten(Message::new("unsent", "on").qos(QoS::AtLeastOnce))
            .unwrap();
        client
            .publishes_unwritten(Message::new("second", "on").qos(QoS::ExactlyOnce))
            .unwrap();
        client.engine.handle_closed(CloseCause::Reset);
        client.opens();
        client.sends();
        client.receives(&connack);
        let sent = client.sends();
        let unsent = [
            publish("unsent", at_least_once(next)),
            publish("second", exactly_once(next + 1)),
        ];
        assert_eq!(sent[1..], unsent);
    }
}

/// A server can't have what isn't whole, and what was whole may be there. [MQTT-3.3.1-1]
#[test]
fn unwritten_messages_are_sent_as_new_and_the_others_repeated() {
    for unwritten in 0..50 {
        for connack in [connack(), connack_resumed()] {
            let mut client = Client::connected();
            let topics = ["a", "b", "c"];
            let ids = topics.map(|topic| {
                match client.publishes_unwritten(Message::new(topic, "on").qos(QoS::ExactlyOnce)) {
                    Ok(Accepted::Pending(id)) => id,
                    other => panic!("{other:?}"),
                }
            });

            // `unwritten` bytes of the output were not written: the messages that they touch count
            // as never sent.
            let taken = client.sends_bytes().len();
            let each = taken / topics.len();
            let whole = taken.saturating_sub(unwritten) / each;
            client.engine.handle_unwritten(unwritten);
            client.reconnects(&connack);

            // Written messages are repeated if the session goes on, and fail if it is lost; the
            // others are new.
            let sent = client.sends();
            let has_session = connack == connack_resumed();
            let repeated = if has_session { whole } else { 0 };
            assert_eq!(
                sent.len(),
                repeated + topics.len() - whole,
                "{unwritten}: {sent:?}"
            );
            for (index, packet) in sent.iter().enumerate() {
                let Packet::Publish(publish) = packet.packet() else {
                    panic!("{packet:?}")
                };
                let topic = topics[if has_session { index } else { whole + index }];
                assert_eq!(
                    (publish.topic.unwrap().as_str(), publish.delivery.dup()),
                    (topic, index < repeated)
                );
            }

            // Only messages that were written can be lost.
            for (index, id) in ids.into_iter().enumerate() {
                let lost =
                    (index < whole && !has_session).then_some(Err(RequestError::SessionLost));
                assert_eq!(client.outcome(id), lost, "{unwritten}: {index}");
            }
        }
    }
}

#[test]
fn unwritten_messages_that_timed_out_are_finished() {
    let mut options = options();
    options.ack_timeout = Duration::from_secs(5);
    let mut client = Client::connected_as(options, &connack());
    let id = client.publishes("a", QoS::AtLeastOnce);
    let taken = client.sends_bytes().len();
    client.advance(Duration::from_secs(5));
    assert!(matches!(
        client.outcome(id),
        Some(Err(RequestError::Timeout { .. }))
    ));
    client.engine.handle_unwritten(taken);
    client.reconnects(&connack_resumed());
    assert!(client.sends().is_empty());
    assert_eq!(client.engine.load(), (0, 0));
}

/// operation_processing_disconnect: every policy of this engine keeps what waits.
#[test]
fn requests_outlive_attempts_that_fail() {
    let mut client = Client::new(options());
    client.publishes("a", QoS::AtLeastOnce);
    for _ in 0..3 {
        client.opens();
        client.loses_connection();
    }
    client.opens();
    client.sends();
    client.receives(&connack());
    assert_eq!(client.sends(), [publish("a", at_least_once(1))]);
}

#[test]
fn a_partial_packet_of_the_last_connection_is_discarded() {
    let mut client = Client::connected();
    client.receives_bytes(&publish("a", at_least_once(1)).as_bytes()[..5]);
    client.reconnects(&connack_resumed());
    client.receives(&publish("b", at_least_once(1)));
    assert_eq!(client.consumes_all(), ["b"]);
}

/// A server that lost the session said so in a CONNACK that never came; then its new one is
/// present.
#[test]
fn a_message_of_qos_1_under_a_known_identifier_is_another_one_if_the_session_may_be() {
    let mut client = Client::connected();
    client.receives(&publish("a", at_least_once(1)));
    client.messages();
    client.loses_connection();
    client.opens();
    client.loses_connection();
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    client.receives(&publish("c", with_dup(at_least_once(1))));
    assert_eq!(client.consumes_all(), ["c"]);
    assert_eq!(client.sends(), [puback(1)]);
}

/// [MQTT-4.3.3-10] mosquitto 2.0 repeats without DUP what it has read from its disk.
#[test]
fn a_repetition_of_qos_2_is_the_same_message_even_if_the_session_may_be_another() {
    let mut client = Client::connected();
    client.receives(&publish("a", exactly_once(2)));
    client.consumes_all();
    client.loses_connection();
    client.opens();
    client.reconnects(&connack_resumed());
    for repetition in [exactly_once(2), with_dup(exactly_once(2))] {
        client.receives(&publish("a", repetition));
        assert!(client.messages().is_empty());
        assert_eq!(client.sends(), [pubrec(2)]);
    }
}
