//! State that doesn't expire: sessions of an open connection, and exchanges that have begun
//! (§4.1, §4.3.3).

use std::time::Duration;

use dunlin_client::codec::{
    ConnAckProperties, Packet, PacketBuf, Publish, PublishProperties, ReasonCode, TopicName,
};
use dunlin_client::{ConnectionError, QoS};

use crate::harness::{Client, Ended, options};
use crate::packets::{
    at_least_once, buf, connack, connack_resumed, connack_with, disconnect, exactly_once, pingreq,
    puback, pubcomp, publish, pubrec, pubrel, with_dup,
};

const DAY: Duration = Duration::from_secs(86_400);

fn expiring(topic: &str, seconds: u32, delivery: dunlin_client::codec::Delivery) -> PacketBuf {
    let properties = PublishProperties {
        message_expiry_interval: Some(seconds),
        ..PublishProperties::default()
    };
    let topic = TopicName::new(topic).unwrap();
    buf(Packet::Publish(Publish {
        delivery,
        properties,
        ..Publish::new(topic, b"on")
    }))
}

/// [MQTT-4.1.0-1]
#[test]
fn a_session_does_not_expire_while_the_connection_is_open() {
    let mut options = options();
    options.session_expiry_interval = Some(1);
    options.ack_timeout = Duration::MAX;
    let mut client = Client::connected_as(options, &connack());
    let out = client.publishes("out", QoS::ExactlyOnce);
    client.receives(&publish("in", exactly_once(7)));
    client.consumes_all();
    client.sends();
    client.advance(DAY);
    client.receives_all(&[
        pubrec(1),
        publish("in", with_dup(exactly_once(7))),
        pubrel(7),
        pubcomp(1),
    ]);
    assert_eq!(client.sends(), [pubrel(1), pubrec(7), pubcomp(7)]);
    assert!(client.messages().is_empty(), "it was delivered yesterday");
    assert!(client.outcome(out).unwrap().is_ok());
}

/// [MQTT-4.3.3-13]
#[test]
fn an_exchange_is_finished_although_its_message_has_expired() {
    let mut client = Client::connected();
    client.receives(&expiring("in", 1, exactly_once(7)));
    client.consumes_all();
    client.advance(DAY);
    client.receives(&pubrel(7));
    assert_eq!(client.sends(), [pubrec(7), pubcomp(7)]);
}

/// The server's Session Expiry Interval applies, else the requested one, else 0. [U-3.1.2-3]
#[test]
fn the_servers_session_expiry_takes_precedence_over_the_requested_one() {
    for (asked, said, expected) in [
        (None, None, 0),
        (Some(3600), None, 3600),
        (Some(3600), Some(60), 60),
        (Some(3600), Some(0), 0),
        (Some(u32::MAX), None, u32::MAX),
    ] {
        let mut options = options();
        options.session_expiry_interval = asked;
        let said = ConnAckProperties {
            session_expiry_interval: said,
            ..ConnAckProperties::default()
        };
        let mut client = Client::connected_as(options, &connack_with(said));
        assert_eq!(client.connection().limits.session_expiry_interval, expected);
    }
}

/// restore_session_on_ping_timeout_reconnect
#[test]
fn a_session_goes_on_after_a_connection_that_went_silent() {
    let mut options = options();
    options.keep_alive = Duration::from_secs(10);
    options.ack_timeout = DAY;
    let mut client = Client::connected_as(options, &connack());
    let first = client.publishes("a", QoS::AtLeastOnce);
    let second = client.publishes("b", QoS::ExactlyOnce);
    client.sends();
    client.advance(Duration::from_secs(20));
    assert_eq!(client.sends(), [pingreq()]);
    let Ended::Connection(ConnectionError::KeepAliveTimeout { .. }) = client.closes() else {
        panic!()
    };
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    assert_eq!(
        client.sends(),
        [
            publish("a", with_dup(at_least_once(1))),
            publish("b", with_dup(exactly_once(2)))
        ]
    );
    client.receives_all(&[puback(1), pubrec(2), pubcomp(2)]);
    assert!(client.outcome(first).unwrap().is_ok() && client.outcome(second).unwrap().is_ok());
}

/// rmqtt_codec_expiry_0_refused
#[test]
fn a_message_that_expires_at_once_is_a_message() {
    let mut client = Client::connected();
    client.receives(&expiring("in", 0, at_least_once(1)));
    let (message, id) = client.messages().remove(0);
    assert_eq!(message.properties().message_expiry_interval, Some(0));
    client.consumes(id.unwrap());
    assert_eq!(client.sends(), [puback(1)]);
    client.receives(&disconnect(ReasonCode::Success));
}
