//! Connections that begin with few messages at a time, if asked to.

use dunlin_client::codec::{ConnAckProperties, PacketBuf};
use dunlin_client::engine::Session;
use dunlin_client::{ConnectOptions, QoS};

use crate::harness::{Client, options};
use crate::packets::{
    at_least_once, connack, connack_resumed, connack_resumed_with, exactly_once, puback, pubcomp,
    publish, pubrec, with_dup,
};

fn options_with_slow_start(first: u16) -> ConnectOptions {
    ConnectOptions {
        slow_start: Some(first),
        ..options()
    }
}

fn acknowledges(client: &mut Client, numbers: impl IntoIterator<Item = u16>) -> Vec<PacketBuf> {
    numbers
        .into_iter()
        .for_each(|number| client.receives(&puback(number)));
    client.sends()
}

#[test]
fn repetitions_and_queued_messages_are_sent_in_doubling_windows() {
    let mut client = Client::connected_as(options_with_slow_start(2), &connack());
    for number in 1..=10 {
        client.publishes(&format!("t/{number}"), QoS::AtLeastOnce);
    }
    assert_eq!(
        client.sends().len(),
        10,
        "the first connection has nothing to be slow about"
    );
    client.loses_connection();
    for number in 11..=20 {
        client.publishes(&format!("t/{number}"), QoS::AtLeastOnce);
    }
    client.reconnects(&connack_resumed());
    let repeated: Vec<_> = (1..=10)
        .map(|number| publish(&format!("t/{number}"), with_dup(at_least_once(number))))
        .collect();
    assert_eq!(client.sends(), repeated[..2]);
    assert_eq!(acknowledges(&mut client, [1]), repeated[2..3]);
    assert_eq!(
        acknowledges(&mut client, [2]),
        repeated[3..6],
        "four at a time by now"
    );
    let next = acknowledges(&mut client, 3..=6);
    assert_eq!((next.len(), &next[..4]), (8, &repeated[6..]));
    assert_eq!(acknowledges(&mut client, 7..=20).len(), 6);
    assert!(client.engine.is_idle());
}

/// [MQTT-4.9.0-2]
#[test]
fn a_smaller_receive_maximum_of_the_server_applies() {
    let mut client = Client::connected_as(options_with_slow_start(16), &connack());
    for _ in 0..10 {
        client.publishes("a", QoS::AtLeastOnce);
    }
    client.sends();
    let receive_maximum = 3.try_into().ok();
    client.reconnects(&connack_resumed_with(ConnAckProperties {
        receive_maximum,
        ..Default::default()
    }));
    assert_eq!(client.sends().len(), 3);
}

#[test]
fn a_connection_after_a_lost_session_begins_slowly_too() {
    let mut client = Client::connected_as(options_with_slow_start(1), &connack());
    for _ in 0..3 {
        client.publishes("a", QoS::AtLeastOnce);
    }
    client.sends();
    client.reconnects(&connack());
    assert_eq!(client.sends(), [publish("a", at_least_once(4))]);
}

#[test]
fn a_connection_after_a_session_that_ended_with_its_own_begins_slowly_too() {
    let options = ConnectOptions {
        session_expiry_interval: None,
        ..options_with_slow_start(1)
    };
    let mut client = Client::connected_as(options, &connack());
    for _ in 0..3 {
        client.publishes("a", QoS::AtLeastOnce);
    }
    assert_eq!(client.sends().len(), 3);
    client.reconnects(&connack());
    assert_eq!(client.sends(), [publish("a", at_least_once(4))]);
}

/// [MQTT-4.3.3-6]
#[test]
fn releases_are_repeated_at_once_and_count() {
    let mut client = Client::connected_as(options_with_slow_start(1), &connack());
    for topic in ["a", "b"] {
        client.publishes(topic, QoS::ExactlyOnce);
    }
    client.publishes("c", QoS::AtLeastOnce);
    client.receives_all(&[pubrec(1), pubrec(2)]);
    client.sends();
    client.reconnects(&connack_resumed());
    assert_eq!(client.sends().len(), 2);
    client.receives(&pubcomp(1));
    assert_eq!(
        client.sends(),
        [publish("c", with_dup(at_least_once(3)))],
        "two at a time by now"
    );
}

#[test]
fn slow_start_is_off_by_default() {
    let mut client = Client::connected();
    for _ in 0..100 {
        client.publishes("a", QoS::ExactlyOnce);
    }
    client.sends();
    client.reconnects(&connack_resumed());
    let sent = client.sends();
    assert_eq!(
        (sent.len(), sent.last()),
        (100, Some(&publish("a", with_dup(exactly_once(100)))))
    );
}

#[test]
fn a_session_of_another_process_counts_as_followed() {
    let mut client = Client::with_session(options_with_slow_start(1), Session::assumed_empty());
    for _ in 0..2 {
        client.publishes("a", QoS::AtLeastOnce);
    }
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    assert_eq!(client.sends().len(), 1);
}
