//! Messages that are worth sending for some time only: their interval goes down while they wait
//! (§3.3.2.3.3).

use std::time::Duration;

use dunlin_client::codec::{ConnAckProperties, Packet, PacketBuf};
use dunlin_client::engine::{Accepted, OperationId};
use dunlin_client::{Message, QoS, RequestError};

use crate::harness::{Client, options};
use crate::packets::{connack, connack_resumed, connack_with, puback, pubrec};

fn expiring(topic: &str, seconds: u32) -> Message<'_> {
    let mut message = Message::new(topic, "on").qos(QoS::AtLeastOnce);
    message.properties.message_expiry_interval = Some(seconds);
    message
}

fn publishes(client: &mut Client, message: Message<'_>) -> OperationId {
    match client.try_publish(message) {
        Ok(Accepted::Pending(id)) => id,
        other => panic!("{other:?}"),
    }
}

/// Topics with intervals, in the order in which they were sent.
fn sent(client: &mut Client) -> Vec<(String, Option<u32>)> {
    let interval = |packet: &PacketBuf| match packet.packet() {
        Packet::Publish(publish) => Some((
            publish.topic.map(|topic| topic.as_str().to_owned())?,
            publish.properties.message_expiry_interval,
        )),
        _ => None,
    };
    client.sends().iter().filter_map(interval).collect()
}

fn one_publish(topic: &str, seconds: u32) -> Vec<(String, Option<u32>)> {
    vec![(topic.to_owned(), Some(seconds))]
}

fn connects(client: &mut Client, connack: &PacketBuf) {
    client.opens();
    client.sends();
    client.receives(connack);
}

#[test]
fn the_interval_goes_down_by_the_whole_seconds_that_a_message_waits() {
    for (waited, left) in [
        (0, 10),
        (1, 10),
        (999, 10),
        (1000, 9),
        (1001, 9),
        (8999, 2),
        (9000, 1),
        (9999, 1),
    ] {
        let mut client = Client::new(options());
        publishes(&mut client, expiring("a", 10));
        client.advance(Duration::from_millis(waited));
        connects(&mut client, &connack());
        assert_eq!(
            sent(&mut client),
            one_publish("a", left),
            "after {waited} ms"
        );
    }
}

#[test]
fn a_message_that_has_waited_too_long_fails_and_is_not_sent() {
    let mut client = Client::new(options());
    let late = publishes(&mut client, expiring("late", 10));
    let never = publishes(&mut client, Message::new("never", "on"));
    let once = publishes(&mut client, expiring("once", 10).qos(QoS::AtMostOnce));
    client.advance(Duration::from_millis(9_999));
    assert_eq!(client.outcome(late), None);
    client.advance(Duration::from_millis(1));
    assert_eq!(
        client.outcome(late),
        Some(Err(RequestError::Expired)),
        "though nothing else happened"
    );
    assert_eq!(client.outcome(once), Some(Err(RequestError::Expired)));
    connects(&mut client, &connack());
    assert_eq!(sent(&mut client), [("never".to_owned(), None)]);
    assert!(matches!(client.outcome(never), Some(Ok(_))));
    assert_eq!(client.engine.load(), (0, 0));
}

#[test]
fn time_spent_waiting_for_the_receive_maximum_counts() {
    let receive_maximum = 1.try_into().ok();
    let mut client = Client::connected_to(&connack_with(ConnAckProperties {
        receive_maximum,
        ..Default::default()
    }));
    client.publishes("first", QoS::AtLeastOnce);
    let late = publishes(&mut client, expiring("late", 2));
    publishes(&mut client, expiring("next", 10));
    client.sends();
    client.advance(Duration::from_secs(3));
    assert_eq!(client.outcome(late), Some(Err(RequestError::Expired)));
    client.receives(&puback(1));
    assert_eq!(sent(&mut client), one_publish("next", 7));
}

#[test]
fn a_message_sent_at_once_keeps_its_expiry_interval_even_if_zero() {
    for seconds in [0, 1, u32::MAX] {
        let mut client = Client::connected();
        publishes(&mut client, expiring("a", seconds));
        assert_eq!(sent(&mut client), one_publish("a", seconds));
    }
}

/// [MQTT-4.4.0-1]
#[test]
fn a_message_that_was_on_the_wire_is_repeated_with_what_is_left_or_a_second() {
    let mut client = Client::connected();
    publishes(&mut client, expiring("a", 10));
    client.sends();
    client.advance(Duration::from_millis(4_500));
    client.loses_connection();
    connects(&mut client, &connack_resumed());
    assert_eq!(sent(&mut client), one_publish("a", 6));
    client.advance(Duration::from_secs(3600));
    client.loses_connection();
    connects(&mut client, &connack_resumed());
    assert_eq!(
        sent(&mut client),
        one_publish("a", 1),
        "an interval of 0 means never to some servers"
    );
    client.receives(&puback(1));
    assert!(client.engine.is_idle());
}

#[test]
fn a_message_of_a_lost_session_is_new_again_and_may_expire() {
    for (waits, left) in [(4, Some(6)), (10, None)] {
        let mut client = Client::connected();
        let first = publishes(&mut client, expiring("a", 10));
        client.sends();
        client.loses_connection();
        client.advance(Duration::from_secs(waits));
        connects(&mut client, &connack());
        assert_eq!(
            sent(&mut client),
            left.map_or(vec![], |left| one_publish("a", left))
        );
        assert_eq!(
            client.outcome(first),
            left.is_none().then_some(Err(RequestError::Expired))
        );
    }
}

#[test]
fn a_message_that_never_left_the_output_expires_like_one_that_waits() {
    let mut client = Client::connected();
    let Ok(Accepted::Pending(first)) = client.publishes_unwritten(expiring("a", 10)) else {
        panic!("refused")
    };
    client.loses_connection();
    client.advance(Duration::from_secs(10));
    assert_eq!(client.outcome(first), Some(Err(RequestError::Expired)));
}

/// [MQTT-4.3.3-6] [MQTT-4.3.3-7]
#[test]
fn an_exchange_that_has_reached_pubrec_goes_on_however_late() {
    let mut client = Client::connected();
    let first = publishes(&mut client, expiring("a", 1).qos(QoS::ExactlyOnce));
    client.receives(&pubrec(1));
    client.advance(Duration::from_secs(50));
    client.loses_connection();
    connects(&mut client, &connack_resumed());
    assert_eq!(client.outcome(first), None);
    client.receives(&crate::packets::pubcomp(1));
    assert!(matches!(client.outcome(first), Some(Ok(_))));
}

#[test]
fn expired_messages_free_space_in_the_queue() {
    let mut options = options();
    options.queue.count = 2;
    let mut client = Client::new(options);
    publishes(&mut client, expiring("a", 5));
    publishes(&mut client, expiring("b", 5));
    assert!(matches!(
        client.try_publish(expiring("c", 5)),
        Err(RequestError::QueueFull { .. })
    ));
    client.advance(Duration::from_secs(5));
    publishes(&mut client, expiring("d", 5));
    connects(&mut client, &connack());
    assert_eq!(sent(&mut client), one_publish("d", 5));
}

#[test]
fn a_session_that_is_moved_keeps_the_waiting_time() {
    let mut client = Client::new(options());
    publishes(&mut client, expiring("a", 10));
    client.advance(Duration::from_secs(4));
    let mut client = client.restarts_with(options());
    connects(&mut client, &connack());
    assert_eq!(sent(&mut client), one_publish("a", 6));
}
