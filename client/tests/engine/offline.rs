//! Requests that are accepted without a connection, and messages that a full queue drops.

use dunlin_client::codec::{ConnAckProperties, PacketBuf, SubscriptionOptions};
use dunlin_client::engine::Accepted;
use dunlin_client::{ConnectOptions, Message, Offline, QoS, QueueLimits, RequestError};

use crate::harness::{Client, options};
use crate::packets::{at_least_once, connack, connack_with, puback, publish, subscribe};

fn offline(offline: Offline, count: usize, bytes: usize) -> ConnectOptions {
    ConnectOptions {
        offline,
        queue: QueueLimits { count, bytes },
        ..options()
    }
}

fn offline_with_large_queue(policy: Offline) -> ConnectOptions {
    offline(policy, 1000, 1 << 20)
}

fn connects(client: &mut Client) -> Vec<PacketBuf> {
    client.opens();
    client.sends();
    client.receives(&connack());
    client.sends()
}

fn message(qos: QoS) -> Message<'static> {
    Message::new("a", "on").qos(qos)
}

const EVERY_QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// offline_operation_submission_fail_qos0, offline_operation_submission_fail_all
#[test]
fn each_offline_policy_accepts_its_qos_levels() {
    let rows = [
        (Offline::KeepAll, [true, true, true], true),
        (Offline::DropQoS0, [false, true, true], true),
        (Offline::Reject, [false, false, false], false),
        (Offline::DropOldest, [true, true, true], true),
    ];
    for (policy, by_qos, others) in rows {
        let mut client = Client::new(offline_with_large_queue(policy));
        for connecting in [false, true] {
            if connecting {
                client.opens();
            }
            for (qos, taken) in EVERY_QOS.into_iter().zip(by_qos) {
                let accepted = client.try_publish(message(qos));
                assert_eq!(accepted.is_ok(), taken, "{policy:?} {qos}");
                assert!(taken || accepted == Err(RequestError::Offline));
            }
            let subscribed = client
                .engine
                .subscribe(&[("a", SubscriptionOptions::default())]);
            assert_eq!(
                (
                    subscribed.is_ok(),
                    client.engine.unsubscribe(&["a"]).is_ok()
                ),
                (others, others)
            );
        }
        client.sends();
        client.receives(&connack());
        for qos in EVERY_QOS {
            assert!(
                client.try_publish(message(qos)).is_ok(),
                "{policy:?} with a connection"
            );
        }
    }
}

/// operation_processing_disconnect_fail_qos0, operation_processing_disconnect_fail_all
/// operation_processing_disconnect_fail_non_qos1
#[test]
fn requests_accepted_before_the_connection_ended_stay_queued() {
    let receive_maximum = 1.try_into().ok();
    let one_at_a_time = connack_with(ConnAckProperties {
        receive_maximum,
        ..Default::default()
    });
    let mut client =
        Client::connected_as(offline_with_large_queue(Offline::Reject), &one_at_a_time);
    client.publishes("a", QoS::AtLeastOnce);
    client.publishes("b", QoS::AtLeastOnce);
    client.sends();
    client.loses_connection();
    assert_eq!(
        connects(&mut client),
        [
            publish("a", at_least_once(2)),
            publish("b", at_least_once(3))
        ]
    );
}

#[test]
fn a_full_queue_drops_the_oldest_message_that_was_not_sent() {
    let mut client = Client::new(offline(Offline::DropOldest, 4, 1 << 20));
    let filters = client.subscribes(&["filter"]);
    let ids: Vec<_> = ["a", "b", "c", "d", "e"]
        .iter()
        .map(|topic| client.publishes(topic, QoS::AtLeastOnce))
        .collect();
    for id in &ids[..2] {
        assert_eq!(client.outcome(*id), Some(Err(RequestError::Dropped)));
    }
    let kept: Vec<_> = ["c", "d", "e"]
        .iter()
        .zip(2..)
        .map(|(topic, id)| publish(topic, at_least_once(id)))
        .collect();
    let sent = connects(&mut client);
    assert_eq!(
        sent.first(),
        Some(&subscribe(1, &["filter"])),
        "it is no message"
    );
    assert_eq!(sent[1..], kept);
    assert_eq!(client.outcome(filters), None);
}

#[test]
fn a_full_queue_drops_by_bytes_too() {
    let mut client = Client::new(offline(Offline::DropOldest, 1000, 1000));
    let small: Vec<_> = (0..10)
        .map(|_| client.publishes("a", QoS::AtLeastOnce))
        .collect();
    let large = Message::new("b", &[0; 980]).qos(QoS::AtLeastOnce);
    assert!(client.try_publish(large).is_ok());
    let dropped = |id: &_| client.outcome(*id) == Some(Err(RequestError::Dropped));
    assert_eq!(
        small.iter().map(dropped).filter(|dropped| *dropped).count(),
        9,
        "8 bytes each"
    );
}

#[test]
fn a_request_that_can_never_fit_drops_nothing() {
    let mut client = Client::new(offline(Offline::DropOldest, 1000, 1000));
    let first = client.publishes("a", QoS::AtLeastOnce);
    let too_large = Message::new("b", &[0; 1001]).qos(QoS::AtLeastOnce);
    assert!(matches!(
        client.try_publish(too_large),
        Err(RequestError::QueueFull { .. })
    ));
    assert_eq!(client.outcome(first), None);
}

#[test]
fn messages_in_flight_are_never_dropped() {
    let mut client = Client::connected_as(offline(Offline::DropOldest, 2, 1 << 20), &connack());
    let sent = [
        client.publishes("a", QoS::AtLeastOnce),
        client.publishes("b", QoS::AtLeastOnce),
    ];
    let refused = client.try_publish(message(QoS::AtLeastOnce));
    assert!(matches!(
        refused,
        Err(RequestError::QueueFull { count: 2, .. })
    ));
    assert!(
        client
            .engine
            .subscribe(&[("c", SubscriptionOptions::default())])
            .is_err()
    );
    assert!(sent.into_iter().all(|id| client.outcome(id).is_none()));
}

#[test]
fn a_queue_behind_the_servers_receive_maximum_drops_its_oldest_too() {
    let receive_maximum = 1.try_into().ok();
    let one_at_a_time = connack_with(ConnAckProperties {
        receive_maximum,
        ..Default::default()
    });
    let mut client = Client::connected_as(offline(Offline::DropOldest, 2, 1 << 20), &one_at_a_time);
    client.publishes("a", QoS::AtLeastOnce);
    let dropped = client.publishes("b", QoS::AtLeastOnce);
    client.publishes("c", QoS::AtLeastOnce);
    assert_eq!(client.outcome(dropped), Some(Err(RequestError::Dropped)));
    client.sends();
    client.receives(&puback(1));
    assert_eq!(client.sends(), [publish("c", at_least_once(2))]);
}

#[test]
fn a_subscribe_drops_old_messages_as_well() {
    let mut client = Client::new(offline(Offline::DropOldest, 1, 1 << 20));
    let dropped = client.publishes("a", QoS::AtLeastOnce);
    client.subscribes(&["b"]);
    assert_eq!(client.outcome(dropped), Some(Err(RequestError::Dropped)));
    assert_eq!(connects(&mut client), [subscribe(1, &["b"])]);
}

#[test]
fn a_hundred_thousand_messages_cost_the_memory_of_the_few_that_are_kept() {
    let mut client = Client::new(offline(Offline::DropOldest, 10, 1 << 20));
    let mut accepted = Vec::new();
    for _ in 0..100_000 {
        match client.try_publish(message(QoS::AtLeastOnce)) {
            Ok(Accepted::Pending(id)) => accepted.push(id),
            other => panic!("{other:?}"),
        }
        assert_eq!(client.engine.load().0, accepted.len().min(10));
        if accepted.len() > 10 {
            let oldest = accepted.remove(accepted.len() - 11);
            assert_eq!(client.outcome(oldest), Some(Err(RequestError::Dropped)));
            accepted = accepted.split_off(accepted.len() - 10);
        }
    }
    assert_eq!(connects(&mut client).len(), 10);
}
