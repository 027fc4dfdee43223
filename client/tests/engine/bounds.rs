//! Memory that is bounded whatever the server does, and whatever the application doesn't.

use std::collections::VecDeque;

use bytes::BytesMut;
use dunlin_client::codec::{Packet, PacketBuf, Publish, ReasonCode, TopicName};
use dunlin_client::engine::DeliveryId;
use dunlin_client::{ConnectOptions, ConnectionError, QoS};

use crate::harness::{Client, Ended, options};
use crate::packets::{
    at_least_once, at_most_once, buf, connack, connack_resumed, disconnect, exactly_once, puback,
    pubcomp, publish, pubrec, pubrel, suback, with_dup,
};

fn options_with_receive_maximum(receive_maximum: u16) -> ConnectOptions {
    ConnectOptions {
        receive_maximum: Some(receive_maximum),
        ..options()
    }
}

/// Connects, receives `packets`, and returns the messages that the engine delivers of them.
fn delivered_after_connect(
    client: &mut Client,
    connack: &PacketBuf,
    packets: [PacketBuf; 2],
) -> Vec<DeliveryId> {
    client.opens();
    client.sends();
    client.receives(connack);
    client.receives_all(&packets);
    client
        .messages()
        .into_iter()
        .filter_map(|(_, id)| id)
        .collect()
}

fn two_messages(first: u16) -> [PacketBuf; 2] {
    [
        publish("a", at_least_once(first)),
        publish("b", exactly_once(first + 1)),
    ]
}

fn is_full(client: &mut Client) -> bool {
    if !client.engine.should_close() {
        return false;
    }
    assert_eq!(
        client.sends().last(),
        Some(&disconnect(ReasonCode::QuotaExceeded))
    );
    assert_eq!(
        client.closes(),
        Ended::Connection(ConnectionError::BacklogFull { messages: 4 })
    );
    true
}

/// [MQTT-3.2.2-5]
#[test]
fn messages_of_repeatedly_lost_sessions_do_not_accumulate() {
    let mut client = Client::new(options_with_receive_maximum(2));
    let mut unconsumed = Vec::new();
    for _ in 0..2 {
        unconsumed.extend(delivered_after_connect(
            &mut client,
            &connack(),
            two_messages(1),
        ));
        assert!(!is_full(&mut client));
        client.loses_connection();
    }
    for _ in 0..10 {
        assert!(
            delivered_after_connect(&mut client, &connack(), two_messages(1)).is_empty(),
            "the application has four of them"
        );
        assert!(is_full(&mut client));
    }
    // The application wakes up.
    client.consumes(unconsumed.remove(0));
    assert_eq!(
        delivered_after_connect(&mut client, &connack(), two_messages(1)).len(),
        2
    );
    assert!(!is_full(&mut client));
}

/// [MQTT-4.3.3-10] [MQTT-4.4.0-1]
#[test]
fn a_server_that_repeats_nothing_is_disconnected_above_the_bound() {
    let mut client = Client::new(options_with_receive_maximum(2));
    delivered_after_connect(&mut client, &connack(), two_messages(1));
    client.loses_connection();
    delivered_after_connect(&mut client, &connack_resumed(), two_messages(3));
    client.loses_connection();
    assert!(delivered_after_connect(&mut client, &connack_resumed(), two_messages(5)).is_empty());
    assert!(is_full(&mut client));
    // What it repeats is no more than what is there already.
    let repeated = [
        publish("a", with_dup(at_least_once(1))),
        publish("b", with_dup(exactly_once(2))),
    ];
    assert!(delivered_after_connect(&mut client, &connack_resumed(), repeated).is_empty());
    assert!(!is_full(&mut client));
}

/// [MQTT-4.3.3-4]
#[test]
fn messages_that_are_released_before_their_pubrec_still_count() {
    let mut client = Client::connected_as(options_with_receive_maximum(2), &connack());
    for topic in ["a", "b"] {
        client.receives_all(&[publish(topic, exactly_once(1)), pubrel(1)]);
    }
    assert_eq!(client.messages().len(), 2);
    client.sends();
    client.receives(&publish("c", exactly_once(1)));
    assert_eq!(
        client.sends(),
        [disconnect(ReasonCode::ReceiveMaximumExceeded)]
    );
    assert!(client.messages().is_empty());
}

/// [MQTT-4.3.3-4]
#[test]
fn messages_that_are_released_instead_of_repeated_do_not_accumulate() {
    let mut client = Client::new(options_with_receive_maximum(2));
    let released = [publish("a", exactly_once(1)), publish("b", exactly_once(2))];
    assert_eq!(
        delivered_after_connect(&mut client, &connack(), released.clone()).len(),
        2
    );
    for delivered in [2, 0] {
        client.loses_connection();
        delivered_after_connect(&mut client, &connack_resumed(), [pubrel(1), pubrel(2)]);
        client.receives_all(&released);
        assert_eq!(client.messages().len(), delivered);
    }
    assert!(is_full(&mut client));
}

/// [MQTT-2.2.1-4]
#[test]
fn messages_that_share_one_identifier_do_not_accumulate() {
    let mut client = Client::new(options_with_receive_maximum(2));
    let twice = [
        publish("a", at_least_once(1)),
        publish("b", at_least_once(1)),
    ];
    let unconsumed = delivered_after_connect(&mut client, &connack(), twice.clone());
    client.loses_connection();
    assert_eq!(
        delivered_after_connect(&mut client, &connack_resumed(), twice.clone()).len(),
        2
    );
    client.loses_connection();
    assert!(delivered_after_connect(&mut client, &connack_resumed(), twice).is_empty());
    assert!(is_full(&mut client));
    unconsumed.into_iter().for_each(|id| client.consumes(id));
    assert!(
        client.sends().is_empty(),
        "the server can't be answered any more"
    );
}

/// [MQTT-3.3.1-1]
#[test]
fn new_messages_under_an_unacknowledged_identifier_do_not_accumulate() {
    let mut client = Client::new(options_with_receive_maximum(1));
    let [message, _] = two_messages(1);
    for round in 0..3 {
        client.opens();
        client.sends();
        client.receives_all(&[
            if round == 0 {
                connack()
            } else {
                connack_resumed()
            },
            message.clone(),
        ]);
        assert_eq!(
            client.messages().len(),
            usize::from(round < 2),
            "round {round}"
        );
        client.loses_connection();
    }
}

#[test]
fn consumed_messages_use_no_memory() {
    let mut client = Client::new(options_with_receive_maximum(2));
    for round in 0..50 {
        let ids = delivered_after_connect(&mut client, &connack(), two_messages(1));
        assert_eq!(ids.len(), 2, "round {round}");
        client.loses_connection();
        ids.into_iter().for_each(|id| client.consumes(id));
    }
}

#[test]
fn a_message_for_several_is_unconsumed_until_all_have_it() {
    let mut client = Client::new(options_with_receive_maximum(2));
    let mut shared = Vec::new();
    for _ in 0..2 {
        let ids = delivered_after_connect(&mut client, &connack(), two_messages(1));
        ids.iter()
            .for_each(|id| client.engine.received().set_consumers(*id, 2));
        shared.extend(ids);
        client.loses_connection();
    }
    client.consumes(shared[0]);
    assert!(delivered_after_connect(&mut client, &connack(), two_messages(1)).is_empty());
    assert!(is_full(&mut client));
    client.consumes(shared[0]);
    assert_eq!(
        delivered_after_connect(&mut client, &connack(), two_messages(1)).len(),
        2
    );
}

#[test]
fn a_moved_session_does_not_count_deliveries_of_the_old_application() {
    let mut client = Client::new(options_with_receive_maximum(2));
    for _ in 0..2 {
        delivered_after_connect(&mut client, &connack(), two_messages(1));
        client.loses_connection();
    }
    let mut client = client.restarts_with(options_with_receive_maximum(2));
    let repeated = [
        publish("a", with_dup(at_least_once(1))),
        publish("b", with_dup(exactly_once(2))),
    ];
    let ids = delivered_after_connect(&mut client, &connack_resumed(), repeated);
    ids.into_iter().for_each(|id| client.consumes(id));
    assert_eq!(client.sends(), [puback(1), pubrec(2)]);
}

#[test]
fn unpolled_events_stop_the_reading() {
    let mut client = Client::connected();
    client.events();
    let flood = publish("a", at_most_once()).as_bytes().repeat(1000);
    let mut read = 0;
    while client.engine.read_interest() {
        client
            .engine
            .handle_input(&mut BytesMut::from(&flood[..]), client.now());
        read += 1;
    }
    assert_eq!(read, 66, "thousand, and no more than one read above 65,536");
    assert_eq!(client.messages().len(), 66_000);
    assert!(client.engine.read_interest());
}

/// Each costs the same, however many there are: a quadratic search would take minutes.
#[test]
fn twenty_thousand_subscriptions_are_granted_and_ended_one_by_one() {
    let mut client = Client::connected();
    let packet_id = |number: u32| u16::try_from(number % 65_535 + 1).unwrap();
    let filters: Vec<_> = (0..20_000_u32)
        .map(|number| format!("f/{number}"))
        .collect();
    for (number, filter) in (0..).zip(&filters) {
        client.subscribes(&[filter]);
        client.receives(&suback(packet_id(number), &[ReasonCode::GrantedQoS1]));
    }
    client.sends();
    let session = client.engine.into_session();
    assert!(
        session
            .subscriptions()
            .map(|(filter, _)| filter)
            .eq(filters.iter().map(String::as_str))
    );
    let mut options = options();
    options.queue.count = filters.len();
    let mut client = Client::with_session(options, session);
    for filter in &filters {
        client
            .engine
            .unsubscribe(&[filter])
            .map(|id| client.engine.forget(id))
            .unwrap();
    }
    assert_eq!(client.engine.into_session().subscriptions().count(), 0);
}

#[test]
fn a_full_engine_holds_what_its_limits_say() {
    let mut options = options();
    options.queue.count = 100;
    let mut client = Client::connected_as(options, &connack());
    for _ in 0..1000 {
        let _refused =
            client.try_publish(dunlin_client::Message::new("a", "on").qos(QoS::AtLeastOnce));
    }
    let statistics = client.engine.statistics();
    assert_eq!((statistics.unfinished, statistics.in_flight), (100, 100));
}

/// [MQTT-4.3.3-10]
#[test]
fn repetitions_of_a_message_have_one_pending_pubrec() {
    let mut client = Client::connected_as(options_with_receive_maximum(2), &connack());
    client.receives(&publish("a", exactly_once(1)));
    client.consumes_all();
    assert_eq!(client.sends(), [pubrec(1)]);
    // Nobody takes this one, and what comes behind it waits.
    client.receives(&publish("b", at_least_once(2)));
    for _ in 0..100 {
        client.receives(&publish("a", with_dup(exactly_once(1))));
    }
    assert!(!client.engine.should_close());
    assert_eq!(client.consumes_all(), ["b"]);
    assert_eq!(client.sends(), [puback(2), pubrec(1)]);
    client.receives(&publish("a", with_dup(exactly_once(1))));
    assert_eq!(client.sends(), [pubrec(1)], "each time that it is asked");
    client.receives(&pubrel(1));
    assert_eq!(client.sends(), [pubcomp(1)]);
}

/// mosquitto_sends_all_at_resumption [MQTT-3.3.4-9]
#[test]
fn a_resumed_session_may_exceed_the_receive_maximum_up_to_a_bound() {
    const TOLERATED: u16 = 2 + 16_384;
    let mut client = Client::connected_as(options_with_receive_maximum(2), &connack());
    client.reconnects(&connack_resumed());
    let (mut held, mut order) = (VecDeque::new(), Vec::new());
    for id in 1..=TOLERATED {
        let delivery = if id % 2 == 0 {
            exactly_once(id)
        } else {
            at_least_once(id)
        };
        client.receives(&publish(&id.to_string(), delivery));
        held.extend(client.messages());
    }
    assert!(client.engine.is_connected() && client.sends().is_empty());
    // Each that is taken makes place for another, and acknowledgements keep their order.
    for id in TOLERATED + 1..TOLERATED + 100 {
        let (message, name) = held.pop_front().unwrap();
        order.push(message.topic().to_owned());
        client.consumes(name.unwrap());
        let of_qos_2 = message.qos() == QoS::ExactlyOnce;
        let packet_id = message.topic().parse().unwrap();
        assert_eq!(
            client.sends(),
            [if of_qos_2 {
                pubrec(packet_id)
            } else {
                puback(packet_id)
            }]
        );
        if of_qos_2 {
            client.receives(&pubrel(packet_id));
            assert_eq!(client.sends(), [pubcomp(packet_id)]);
        }
        client.receives(&publish(&id.to_string(), at_least_once(id)));
        held.extend(client.messages());
    }
    assert!(
        order
            .iter()
            .map(|topic| topic.parse::<u16>().unwrap())
            .eq(1..100)
    );
    client.receives(&publish("one more", at_least_once(60_000)));
    assert_eq!(
        client.sends(),
        [disconnect(ReasonCode::ReceiveMaximumExceeded)]
    );
    // What the application has is not delivered again.
    client.closes();
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    for (message, _) in &held {
        let id = message.topic().parse().unwrap();
        let delivery = if message.qos() == QoS::ExactlyOnce {
            exactly_once(id)
        } else {
            at_least_once(id)
        };
        client.receives(&publish(message.topic(), with_dup(delivery)));
    }
    assert!(client.messages().is_empty() && client.engine.is_connected());
    held.into_iter()
        .for_each(|(_, name)| client.consumes(name.unwrap()));
    assert_eq!(client.sends().len(), usize::from(TOLERATED));
}

/// [MQTT-3.3.4-9]
#[test]
fn messages_of_a_resumed_session_are_bounded_in_bytes() {
    const LARGE: usize = 1 << 20;
    let large = |id| {
        let publish = Publish {
            delivery: at_least_once(id),
            ..Publish::new(topic(), &[b'x'; LARGE])
        };
        buf(Packet::Publish(publish))
    };
    let mut client = Client::connected_as(options_with_receive_maximum(2), &connack());
    client.reconnects(&connack_resumed());
    // Two within the Receive Maximum, and almost 16 MiB above it.
    (1..=17).for_each(|id| client.receives(&large(id)));
    assert!(client.engine.is_connected());
    let first = client.messages().remove(0).1.unwrap();
    client.receives(&large(18));
    assert_eq!(
        client.sends(),
        [disconnect(ReasonCode::ReceiveMaximumExceeded)]
    );
    client.consumes(first);
}

/// [MQTT-3.3.4-9]
#[test]
fn a_new_session_may_not_exceed_the_receive_maximum() {
    let mut client = Client::connected_as(options_with_receive_maximum(2), &connack());
    client.reconnects(&connack());
    (1..=3).for_each(|id| client.receives(&publish("a", with_dup(at_least_once(id)))));
    assert_eq!(
        client.sends(),
        [disconnect(ReasonCode::ReceiveMaximumExceeded)]
    );
}

pub(crate) fn topic() -> TopicName<'static> {
    TopicName::new("a").unwrap()
}
