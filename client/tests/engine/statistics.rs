//! Statistics of an engine.

use std::time::Duration;

use dunlin_client::codec::{AckType, ReasonCode};
use dunlin_client::engine::{ByQoS, Statistics};
use dunlin_client::{ConnectOptions, Message, Offline, QoS, QueueLimits};

use crate::harness::{Client, options};
use crate::packets::{
    ack, at_least_once, at_most_once, connack, connack_resumed, exactly_once, puback, pubcomp,
    publish, pubrec, pubrel, suback, subscribe, unsuback, unsubscribe,
};

fn by_qos(at_most_once: u64, at_least_once: u64, exactly_once: u64) -> ByQoS {
    ByQoS {
        at_most_once,
        at_least_once,
        exactly_once,
    }
}

#[test]
fn every_packet_and_byte_is_counted_each_way() {
    let mut client = Client::new(options());
    assert_eq!(client.engine.statistics(), Statistics::default());
    client.opens();
    let mut sent = client.sends();

    // One message of each QoS in, with its acknowledgements.
    let received = [
        connack(),
        publish("a", at_most_once()),
        publish("b", at_least_once(1)),
        publish("c", exactly_once(2)),
    ];
    client.receives_all(&received);
    client.consumes_all();
    client.receives(&pubrel(2));

    // One of each QoS out, and a SUBSCRIBE.
    client.try_publish(Message::new("d", "on")).unwrap();
    client.publishes("e", QoS::AtLeastOnce);
    client.publishes("f", QoS::ExactlyOnce);
    client.subscribes(&["g"]);
    let answers = [
        puback(1),
        pubrec(2),
        pubcomp(2),
        suback(3, &[ReasonCode::Success]),
    ];
    client.receives_all(&answers);
    sent.extend(client.sends());

    // The counters agree with what was on the wire.
    let counted = client.engine.statistics();
    let bytes = |packets: &[_]| -> u64 { packets.iter().map(bytes_of).sum() };
    assert_eq!(
        (counted.packets_sent, counted.bytes_sent),
        (sent.len() as u64, bytes(&sent))
    );
    let all = bytes(&received) + bytes(&answers) + bytes_of(&pubrel(2));
    assert_eq!((counted.packets_received, counted.bytes_received), (9, all));
    assert_eq!(
        (counted.messages_sent, counted.messages_received),
        (by_qos(1, 1, 1), by_qos(1, 1, 1))
    );
    assert_eq!(
        (counted.acknowledged, counted.answered, counted.repeated),
        (2, 1, 0)
    );
    assert_eq!(
        (
            counted.connections,
            counted.resumed,
            counted.unfinished,
            counted.bytes_held
        ),
        (1, 0, 0, 0)
    );
}

fn bytes_of(packet: &dunlin_client::codec::PacketBuf) -> u64 {
    packet.as_bytes().len() as u64
}

#[test]
fn repetitions_are_no_new_messages() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    for _ in 0..3 {
        client.reconnects(&connack_resumed());
        client.sends();
    }
    let counted = client.engine.statistics();
    assert_eq!(
        (counted.messages_sent, counted.repeated),
        (by_qos(0, 1, 0), 3)
    );
    assert_eq!((counted.connections, counted.resumed), (4, 3));
}

#[test]
fn every_accepted_request_is_counted_once_by_how_it_ended() {
    let mut client = Client::connected_as(
        ConnectOptions {
            ack_timeout: Duration::from_secs(5),
            offline: Offline::DropOldest,
            queue: QueueLimits {
                count: 4,
                bytes: 1 << 20,
            },
            poison_guard: Some(1),
            ..options()
        },
        &connack(),
    );

    // Two requests are answered, and one is answered after its timeout.
    client.publishes("acknowledged", QoS::AtLeastOnce);
    client.publishes("refused", QoS::AtLeastOnce);
    client.receives_all(&[
        puback(1),
        ack(AckType::PubAck, 2, ReasonCode::NotAuthorized),
    ]);
    client.publishes("late", QoS::AtLeastOnce);
    client.advance(Duration::from_secs(5));
    client.receives(&puback(3));

    // Two requests are in flight when the connection ends: the poison guard fails one, the lost
    // session the other.
    client.publishes("poison", QoS::AtLeastOnce);
    client.publishes("lost", QoS::ExactlyOnce);
    client.sends();
    client.loses_connection();

    // Offline the queue of four is full, and one message expires.
    client.publishes("dropped", QoS::AtLeastOnce);
    let mut expiring = Message::new("expired", "on");
    expiring.properties.message_expiry_interval = Some(1);
    client.try_publish(expiring).unwrap();
    client.subscribes(&["kept"]);
    client.publishes("kept", QoS::AtLeastOnce);
    client.advance(Duration::from_secs(1));
    client.reconnects(&connack());

    // Each end has one request, and two are still open.
    let counted = client.engine.statistics();
    let ends = [
        counted.acknowledged,
        counted.refused,
        counted.timed_out,
        counted.poisoned,
        counted.lost,
        counted.dropped,
        counted.expired,
    ];
    assert_eq!((ends, counted.failed), ([1; 7], 0), "{counted:?}");
    assert_eq!(
        (counted.unfinished, counted.in_flight, counted.queued),
        (2, 2, 0)
    );

    // A client that gives up counts the rest.
    client
        .engine
        .fail_all(&dunlin_client::RequestError::SessionLost);
    assert_eq!(client.engine.statistics().lost, 3);
}

#[test]
fn queued_and_in_flight_requests_are_counted_separately() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    client.loses_connection();
    client.publishes("b", QoS::AtLeastOnce);
    client.publishes("c", QoS::AtMostOnce);
    let counted = client.engine.statistics();
    assert_eq!(
        (counted.unfinished, counted.in_flight, counted.queued),
        (3, 1, 2)
    );
    assert_eq!(counted.bytes_held, 10 + 10 + 8);
}

/// statistics_publish_qos1, statistics_publish_qos0, statistics_unsubscribe, statistics_subscribe
/// statistics_publish_qos1_requeue
#[test]
fn a_request_is_held_until_it_is_answered() {
    let held = |client: &Client| {
        let counted = client.engine.statistics();
        (
            counted.unfinished,
            counted.in_flight,
            counted.bytes_held as u64,
        )
    };
    let mut client = Client::connected();
    client.subscribes(&["a"]);
    assert_eq!(held(&client), (1, 1, bytes_of(&subscribe(1, &["a"]))));
    client.receives(&suback(1, &[ReasonCode::Success]));
    client.unsubscribes(&["a"]);
    assert_eq!(held(&client), (1, 1, bytes_of(&unsubscribe(2, &["a"]))));
    client.receives(&unsuback(2, &[ReasonCode::Success]));
    client.publishes("b", QoS::AtLeastOnce);
    let message = (1, 1, bytes_of(&publish("b", at_least_once(3))));
    assert_eq!(held(&client), message);
    client.reconnects(&connack_resumed());
    assert_eq!(held(&client), message, "it is on the wire again");
    client.receives(&puback(3));
    client.try_publish(Message::new("c", "on")).unwrap();
    assert_eq!(held(&client), (0, 0, 0));
    assert_eq!(
        (
            client.engine.statistics().acknowledged,
            client.engine.statistics().answered
        ),
        (1, 2)
    );
}

#[test]
fn another_engine_starts_counting_at_zero() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    let client = client.restarts_with(options());
    let counted = client.engine.statistics();
    assert_eq!(
        (
            counted.connections,
            counted.packets_sent,
            counted.unfinished
        ),
        (0, 0, 1)
    );
}
