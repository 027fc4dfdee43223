//! Requests that wait: for a connection, or behind the server's Receive Maximum (§4.9).

use dunlin_client::codec::{AckType, ConnAckProperties, PacketBuf, ReasonCode};
use dunlin_client::engine::{Accepted, Outcome};
use dunlin_client::{Message, QoS, QueueLimits, RequestError};

use crate::harness::{Client, options};
use crate::packets::{
    ack, at_least_once, at_most_once, connack, connack_resumed_with, connack_with, exactly_once,
    puback, pubcomp, publish, pubrec, pubrel, suback, subscribe, unsubscribe,
};

fn connack_with_receive_maximum(messages: u16) -> PacketBuf {
    connack_with(ConnAckProperties {
        receive_maximum: messages.try_into().ok(),
        ..ConnAckProperties::default()
    })
}

fn connack_resumed_with_receive_maximum(messages: u16) -> PacketBuf {
    let receive_maximum = messages.try_into().ok();
    connack_resumed_with(ConnAckProperties {
        receive_maximum,
        ..ConnAckProperties::default()
    })
}

/// offline_operation_submission_then_connect
#[test]
fn requests_made_offline_are_sent_in_order_after_connack() {
    let mut client = Client::new(options());
    let first = client.publishes("a", QoS::AtLeastOnce);
    let second = client.publishes("b", QoS::AtMostOnce);
    client.subscribes(&["c"]);
    client.publishes("d", QoS::ExactlyOnce);
    assert!(client.sends().is_empty());
    client.opens();
    client.sends();
    client.receives(&connack());

    let expected = [
        publish("a", at_least_once(1)),
        publish("b", at_most_once()),
        subscribe(2, &["c"]),
        publish("d", exactly_once(3)),
    ];
    assert_eq!(client.sends(), expected);
    assert_eq!(client.outcome(first), None);
    assert!(
        matches!(client.outcome(second), Some(Ok(Outcome::Published(published))) if published.packet_id.is_none())
    );
}

/// flow_control_receive_maximum [MQTT-3.3.4-7] [MQTT-4.9.0-2] [MQTT-4.9.0-1]
#[test]
fn messages_wait_behind_the_servers_receive_maximum() {
    let mut client = Client::connected_to(&connack_with_receive_maximum(2));
    let operations: Vec<_> = (0..30)
        .map(|number| client.publishes(&format!("t/{number}"), QoS::AtLeastOnce))
        .collect();
    let mut in_flight: std::collections::VecDeque<_> = client.sends().into();
    assert_eq!(in_flight.len(), 2);
    for number in 1..=30 {
        assert_eq!(
            in_flight.pop_front(),
            Some(publish(&format!("t/{}", number - 1), at_least_once(number)))
        );
        client.receives(&puback(number));
        in_flight.extend(client.sends());
        assert!(in_flight.len() <= 2);
    }
    assert!(
        operations
            .into_iter()
            .all(|id| client.outcome(id).is_some_and(|outcome| outcome.is_ok()))
    );
}

/// rumqttc_refused_pubrec_leaks_the_window [U-4.9-1] [MQTT-3.3.4-7]
#[test]
fn send_quota_is_restored_by_puback_pubcomp_and_a_refusing_pubrec_only() {
    let mut client = Client::connected_to(&connack_with_receive_maximum(1));
    client.publishes("a", QoS::ExactlyOnce);
    client.publishes("b", QoS::ExactlyOnce);
    client.publishes("c", QoS::AtLeastOnce);
    client.publishes("d", QoS::AtLeastOnce);
    assert_eq!(client.sends(), [publish("a", exactly_once(1))]);
    client.receives(&pubrec(1));
    assert_eq!(client.sends(), [pubrel(1)]);
    client.receives(&pubcomp(1));
    assert_eq!(client.sends(), [publish("b", exactly_once(2))]);
    client.receives(&ack(AckType::PubRec, 2, ReasonCode::NotAuthorized));
    assert_eq!(client.sends(), [publish("c", at_least_once(3))]);
    client.receives(&ack(AckType::PubAck, 3, ReasonCode::NotAuthorized));
    assert_eq!(client.sends(), [publish("d", at_least_once(4))]);
}

/// awscrt_window_blocks_everything, gneiss_qos_0_behind_the_window [MQTT-3.3.4-8] [MQTT-4.9.0-3]
#[test]
fn a_full_window_holds_back_nothing_else() {
    let mut client = Client::connected_to(&connack_with_receive_maximum(1));
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::AtLeastOnce);
    client.sends();
    client.subscribes(&["c"]);
    client.try_publish(Message::new("d", "on")).unwrap();
    client.unsubscribes(&["e"]);
    assert_eq!(
        client.sends(),
        [
            subscribe(2, &["c"]),
            publish("d", at_most_once()),
            unsubscribe(3, &["e"])
        ]
    );
    client.receives_all(&[
        publish("f", at_least_once(1)),
        publish("g", exactly_once(2)),
    ]);
    client.consumes_all();
    assert_eq!(client.sends(), [puback(1), pubrec(2)]);
    client.receives(&pubrel(2));
    assert_eq!(client.sends(), [pubcomp(2)]);
}

/// [MQTT-3.3.4-8]
#[test]
fn a_window_that_is_full_after_connecting_holds_back_nothing_else() {
    let mut client = Client::new(options());
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::AtLeastOnce);
    client.subscribes(&["c"]);
    client.opens();
    client.sends();
    client.receives(&connack_with_receive_maximum(1));
    assert_eq!(
        client.sends(),
        [publish("a", at_least_once(1)), subscribe(2, &["c"])]
    );
    client.receives(&puback(1));
    assert_eq!(client.sends(), [publish("b", at_least_once(3))]);
}

/// mqtt_protocol_core_resume_ignores_receive_maximum [MQTT-3.3.4-7]
#[test]
fn repetitions_obey_the_new_receive_maximum_and_go_first() {
    let mut client = Client::connected();
    for topic in ["a", "b", "c"] {
        client.publishes(topic, QoS::AtLeastOnce);
    }
    client.loses_connection();
    client.publishes("d", QoS::AtLeastOnce);
    client.opens();
    client.sends();
    client.receives(&connack_resumed_with_receive_maximum(1));
    for (number, topic) in [(1, "a"), (2, "b"), (3, "c")] {
        assert_eq!(
            client.sends(),
            [publish(
                topic,
                crate::packets::with_dup(at_least_once(number))
            )]
        );
        client.receives(&puback(number));
    }
    assert_eq!(client.sends(), [publish("d", at_least_once(4))]);
}

#[test]
fn a_repetition_acknowledged_before_it_was_sent_restores_no_send_quota() {
    let mut client = Client::connected();
    let operations: Vec<_> = ["a", "b"]
        .iter()
        .map(|topic| client.publishes(topic, QoS::AtLeastOnce))
        .collect();
    client.loses_connection();
    client.publishes("c", QoS::AtLeastOnce);
    client.opens();
    client.sends();
    client.receives(&connack_resumed_with_receive_maximum(1));
    assert_eq!(client.sends().len(), 1);
    client.receives(&puback(2));
    assert!(client.outcome(operations[1]).is_some());
    assert!(client.sends().is_empty(), "the first is still out there");
    client.receives(&puback(1));
    assert_eq!(client.sends(), [publish("c", at_least_once(3))]);
}

/// Servers count what waits for PUBCOMP, so it is counted here. [MQTT-4.9.0-2]
#[test]
fn released_messages_of_a_resumed_session_use_send_quota() {
    let mut client = Client::connected();
    client.publishes("a", QoS::ExactlyOnce);
    client.receives(&pubrec(1));
    client.loses_connection();
    for topic in ["b", "c"] {
        client.publishes(topic, QoS::AtLeastOnce);
    }
    client.opens();
    client.sends();
    client.receives(&connack_resumed_with_receive_maximum(2));
    assert_eq!(client.sends(), [pubrel(1), publish("b", at_least_once(2))]);
    client.receives(&pubcomp(1));
    assert_eq!(client.sends(), [publish("c", at_least_once(3))]);
}

/// [MQTT-4.9.0-2]
#[test]
fn unexpected_acknowledgements_restore_no_send_quota() {
    let mut client = Client::connected_to(&connack_with_receive_maximum(1));
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::AtLeastOnce);
    client.sends();
    client.receives_all(&[puback(9), pubcomp(8), puback(7)]);
    assert!(client.sends().is_empty());
}

/// awscrt_timeout_keeps_the_token
#[test]
fn a_late_acknowledgement_restores_the_send_quota_once() {
    let mut options = options();
    options.ack_timeout = std::time::Duration::from_secs(5);
    let mut client = Client::connected_as(options, &connack_with_receive_maximum(1));
    client.publishes("a", QoS::AtLeastOnce);
    client.advance(std::time::Duration::from_secs(6));
    client.publishes("b", QoS::AtLeastOnce);
    client.publishes("c", QoS::AtLeastOnce);
    assert_eq!(
        client.sends(),
        [publish("a", at_least_once(1))],
        "the server may still be at it"
    );
    client.receives(&puback(1));
    assert_eq!(client.sends(), [publish("b", at_least_once(2))]);
    client.receives(&puback(1));
    assert!(client.sends().is_empty());
}

#[test]
fn the_queue_is_bounded_by_count() {
    let mut options = options();
    options.queue = QueueLimits {
        count: 2,
        bytes: 1 << 20,
    };
    let mut client = Client::new(options);
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::AtMostOnce);
    let refused = client.try_publish(Message::new("c", "on"));
    assert!(matches!(
        refused,
        Err(RequestError::QueueFull { count: 2, .. })
    ));
    client.opens();
    client.receives(&connack());
    client.receives(&puback(1));
    client.sends();
    assert_eq!(
        client.try_publish(Message::new("c", "on")),
        Ok(Accepted::Sent)
    );
}

#[test]
fn the_queue_is_bounded_by_bytes_in_requests_and_in_the_output() {
    let mut options = options();
    options.queue = QueueLimits {
        count: 100,
        bytes: 1000,
    };
    let payload = [0; 600];
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut client = Client::connected_as(options.clone(), &connack());
        client.sends();
        let message = Message::new("a", &payload).qos(qos);
        client.publishes_unwritten(message.clone()).unwrap();
        let refused = client.publishes_unwritten(message);
        assert!(
            matches!(refused, Err(RequestError::QueueFull { .. })),
            "nobody has written the first"
        );
    }
}

#[test]
fn a_server_that_reads_no_answers_is_read_no_further() {
    let mut options = options();
    options.queue = QueueLimits {
        count: 100,
        bytes: 1000,
    };
    let mut client = Client::connected_as(options, &connack());
    let flood = pubrel(1).as_bytes().repeat(10_000);
    let mut input = bytes::BytesMut::new();
    let fits = (0..).take_while(|_| {
        input.extend_from_slice(&flood);
        client.engine.handle_input(&mut input, client.now());
        client.engine.read_interest()
    });
    assert!(
        fits.count() < 30,
        "five bytes of PUBCOMP for four of PUBREL, a mebibyte of them"
    );
    assert_eq!(
        client.sends().first(),
        Some(&ack(
            AckType::PubComp,
            1,
            ReasonCode::PacketIdentifierNotFound
        ))
    );
    assert!(client.engine.read_interest());
}

#[test]
fn a_single_request_always_fits_into_the_queue() {
    let mut options = options();
    options.queue = QueueLimits {
        count: 1,
        bytes: 10,
    };
    let mut client = Client::new(options);
    assert!(
        client
            .try_publish(Message::new("a", &[0; 100]).qos(QoS::AtLeastOnce))
            .is_ok()
    );
}

#[test]
fn stopping_fails_all_waiting_requests() {
    let mut client = Client::connected_to(&connack_with_receive_maximum(1));
    let operations = [
        client.publishes("a", QoS::AtLeastOnce),
        client.publishes("b", QoS::ExactlyOnce),
    ];
    let subscription = client.subscribes(&["c"]);
    client.engine.fail_all(&RequestError::SessionLost);
    for id in operations.into_iter().chain([subscription]) {
        assert_eq!(client.outcome(id), Some(Err(RequestError::SessionLost)));
    }
    assert_eq!(client.engine.load().0, 0);
    client.receives(&suback(2, &[ReasonCode::Success]));
    assert!(client.engine.is_connected());
}
