//! Messages of QoS 1 and 2 for which the application has no memory: the client leaves with 0x97,
//! and the next connection has a smaller Receive Maximum.

use std::time::Duration;

use dunlin_client::codec::{Packet, PacketBuf, ReasonCode};
use dunlin_client::{ConnectOptions, ConnectionError, QoS};

use crate::harness::{Client, Ended, options};
use crate::packets::{
    at_least_once, connack, connack_resumed, disconnect, exactly_once, puback, publish, pubrec,
    with_dup,
};

fn options_with_receive_maximum_100() -> ConnectOptions {
    let mut options = options();
    options.receive_maximum = Some(100);
    options
}

fn announced_receive_maximum(connect: &PacketBuf) -> Option<u16> {
    let Packet::Connect(connect) = connect.packet() else {
        panic!()
    };
    let connect = connect.read();
    connect.properties.receive_maximum.map(Into::into)
}

/// Connects and returns the Receive Maximum of CONNECT.
fn opens(client: &mut Client) -> Option<u16> {
    client.opens();
    let connect = client.sends().remove(0);
    client.receives(&connack_resumed());
    announced_receive_maximum(&connect)
}

fn closes_over_memory_budget(client: &mut Client) {
    assert!(matches!(
        client.closes(),
        Ended::Connection(ConnectionError::MemoryBudget { .. })
    ));
}

#[test]
fn a_declined_message_ends_the_connection_after_what_was_taken_is_acknowledged() {
    let mut client = Client::connected_as(options_with_receive_maximum_100(), &connack());
    client.receives_all(&[1, 2, 3, 4].map(|id| publish("a", at_least_once(id))));
    let ids: Vec<_> = client
        .messages()
        .into_iter()
        .filter_map(|(_, id)| id)
        .collect();
    client.consumes(ids[0]);
    client.engine.received().decline(ids[3]);
    assert_eq!(
        client.sends(),
        [puback(1), disconnect(ReasonCode::QuotaExceeded)]
    );
    closes_over_memory_budget(&mut client);
    assert_eq!(opens(&mut client), Some(1), "half of three");
    // What the application has isn't delivered again, what was declined is.
    client.consumes(ids[1]);
    client.receives(&publish("a", with_dup(at_least_once(2))));
    assert_eq!(
        (client.sends(), client.messages().len()),
        (vec![puback(2)], 0)
    );
    client.receives(&publish("a", with_dup(at_least_once(3))));
    assert_eq!(client.messages().len(), 0);
    client.consumes(ids[2]);
    assert_eq!(client.sends(), [puback(3)]);
    client.receives(&publish("a", with_dup(at_least_once(4))));
    assert_eq!(client.consumes_all().len(), 1);
    assert_eq!(client.sends(), [puback(4)]);
}

#[test]
fn a_declined_message_of_qos_2_is_delivered_once_later() {
    let mut client = Client::connected_as(options_with_receive_maximum_100(), &connack());
    client.receives(&publish("a", exactly_once(1)));
    let id = client.messages().pop().unwrap().1.unwrap();
    client.engine.received().decline(id);
    assert_eq!(client.sends(), [disconnect(ReasonCode::QuotaExceeded)]);
    closes_over_memory_budget(&mut client);
    assert_eq!(opens(&mut client), Some(1));
    client.receives(&publish("a", with_dup(exactly_once(1))));
    assert_eq!(client.consumes_all().len(), 1);
    assert_eq!(client.sends(), [pubrec(1)]);
}

/// A loop that publishes and waits before it takes the next message goes on.
#[test]
fn a_request_that_waits_for_its_acknowledgement_gets_a_second() {
    let mut client = Client::connected_as(options_with_receive_maximum_100(), &connack());
    let request = client.publishes("b", QoS::AtLeastOnce);
    assert_eq!(client.sends().len(), 1);
    client.receives_all(&[1, 2].map(|id| publish("a", at_least_once(id))));
    let ids: Vec<_> = client
        .messages()
        .into_iter()
        .filter_map(|(_, id)| id)
        .collect();
    client.engine.received().decline(ids[1]);
    assert_eq!(client.sends(), []);
    assert!(client.engine.declines_messages());
    client.receives(&puback(1));
    assert!(matches!(client.outcome(request), Some(Ok(_))));
    client.advance(Duration::from_millis(999));
    assert_eq!(client.sends(), []);
    client.consumes(ids[0]);
    client.advance(Duration::from_millis(1));
    assert_eq!(
        client.sends(),
        [puback(1), disconnect(ReasonCode::QuotaExceeded)]
    );
    closes_over_memory_budget(&mut client);
}

/// The server knows nothing of the smaller Receive Maximum before the next CONNECT. [MQTT-3.3.4-9]
#[test]
fn while_a_connection_that_declines_stays_open_its_announced_receive_maximum_holds() {
    let mut client = Client::connected_as(options_with_receive_maximum_100(), &connack());
    client.publishes("b", QoS::AtLeastOnce);
    client.sends();
    client.receives_all(
        &(1..=50)
            .map(|id| publish("a", at_least_once(id)))
            .collect::<Vec<_>>(),
    );
    let ids: Vec<_> = client
        .messages()
        .into_iter()
        .filter_map(|(_, id)| id)
        .collect();

    // The budget declines one message; the server still sends all that was announced.
    client.engine.received().decline(ids[49]);
    client.receives_all(
        &(51..=100)
            .map(|id| publish("a", at_least_once(id)))
            .collect::<Vec<_>>(),
    );
    assert_eq!(client.sends(), [], "the server keeps to what was announced");
    assert_eq!(
        client.engine.blocking_message(),
        Some(ids[0]),
        "the announced one is used up"
    );
    client
        .messages()
        .into_iter()
        .filter_map(|(_, id)| id)
        .for_each(|id| client.engine.received().decline(id));

    // An unfinished request delays the end of the connection for a second at most.
    client.advance(Duration::from_secs(1));
    assert_eq!(client.sends(), [disconnect(ReasonCode::QuotaExceeded)]);
    closes_over_memory_budget(&mut client);

    // The next connection announces less.
    assert_eq!(
        opens(&mut client),
        Some(25),
        "half of those that were outstanding"
    );
    client.receives_all(
        &(1..=25)
            .map(|id| publish("b", exactly_once(id)))
            .collect::<Vec<_>>(),
    );
    assert!(
        client.engine.blocking_message().is_some(),
        "what this connection announced is used up"
    );
}

#[test]
fn a_connection_that_has_drained_leaves_at_once() {
    let mut client = Client::connected_as(options_with_receive_maximum_100(), &connack());
    client.publishes("b", QoS::AtLeastOnce);
    client.sends();
    client.receives(&publish("a", at_least_once(1)));
    let id = client.messages().pop().unwrap().1.unwrap();
    client.engine.received().leave_declined();
    assert_eq!(client.sends(), [], "nothing was declined");
    client.engine.received().decline(id);
    client.engine.received().leave_declined();
    assert_eq!(client.sends(), [disconnect(ReasonCode::QuotaExceeded)]);
}

#[test]
fn the_receive_maximum_grows_again_with_each_connection_that_fits() {
    let mut client = Client::connected_as(options_with_receive_maximum_100(), &connack());
    client.receives_all(
        &(1..=40)
            .map(|id| publish("a", at_least_once(id)))
            .collect::<Vec<_>>(),
    );
    let last = client.messages().pop().unwrap().1.unwrap();
    client.engine.received().decline(last);
    client.sends();
    closes_over_memory_budget(&mut client);
    for expected in [20, 40, 80, 100, 100] {
        assert_eq!(opens(&mut client), Some(expected));
        client.loses_connection();
    }
}
