//! Answers to CONNECT: success with the limits of the server, refusals, and none at all.

use std::time::Duration;

use dunlin_client::codec::{
    ConnAck, ConnAckProperties, Packet, PacketType, ReasonCode, Sender, UserProperty, Utf8String,
};
use dunlin_client::{ConnectError, QoS, ServerReason};

use crate::harness::{Client, Ended, options};
use crate::packets::{at_most_once, disconnect};
use crate::packets::{
    buf, connack, connack_resumed, connack_with, pingresp, publish, refusal, suback,
};

use crate::connect::assert_breach;

fn refused(client: &mut Client) -> ServerReason {
    match client.closes() {
        Ended::Attempt(ConnectError::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn connack_sets_the_limits_of_the_server() {
    let user_properties = [UserProperty::new("k", "v").unwrap()];
    let properties = ConnAckProperties {
        receive_maximum: 7.try_into().ok(),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        reason_string: Utf8String::new("welcome").ok(),
        user_properties: (&user_properties).into(),
        server_keep_alive: Some(9),
        ..ConnAckProperties::default()
    };
    let mut client = Client::connected_to(&connack_with(properties));
    let connected = client.connection();

    assert!(!connected.session_present);
    assert_eq!(connected.limits.receive_maximum, 7);
    assert_eq!(connected.limits.maximum_qos, QoS::AtLeastOnce);
    assert!(!connected.limits.retain_available);
    assert_eq!(connected.limits.keep_alive, 9);
    assert_eq!(connected.limits.session_expiry_interval, 3600);
    assert_eq!(connected.reason_string.as_deref(), Some("welcome"));
    assert_eq!(
        connected.user_properties,
        [("k".to_owned(), "v".to_owned())]
    );
}

/// [U-3.2.2-2]
#[test]
fn absent_connack_properties_have_their_default_on_each_connection() {
    let strict = ConnAckProperties {
        receive_maximum: 1.try_into().ok(),
        maximum_qos: Some(QoS::AtMostOnce),
        maximum_packet_size: 10.try_into().ok(),
        wildcard_subscription_available: Some(false),
        ..ConnAckProperties::default()
    };
    let mut client = Client::connected_to(&connack_with(strict));
    client.connection();
    client.reconnects(&connack_resumed());
    let limits = client.connection().limits;

    assert_eq!(
        (limits.receive_maximum, limits.maximum_qos),
        (65_535, QoS::ExactlyOnce)
    );
    assert_eq!(
        (limits.maximum_packet_size, limits.topic_alias_maximum),
        (268_435_460, 0)
    );
    assert!(limits.retain_available && limits.wildcard_subscription_available);
    assert!(limits.shared_subscription_available && limits.subscription_identifier_available);
}

/// auto_assigned_client_id, receive_assigned_client_id [MQTT-3.1.3-7]
#[test]
fn an_assigned_client_identifier_is_kept_for_later_connections() {
    let mut options = options();
    options.client_id = String::new();
    let assigned = Utf8String::new("auto-1").ok();
    let properties = ConnAckProperties {
        assigned_client_identifier: assigned,
        ..ConnAckProperties::default()
    };
    let mut client = Client::connected_as(options, &connack_with(properties));
    assert_eq!(client.connection().client_id, "auto-1");

    client.loses_connection();
    client.opens();
    let sent = client.sends();
    let Packet::Connect(connect) = sent[0].packet() else {
        panic!("{sent:?}")
    };
    let connect = connect.read();
    assert_eq!(
        (connect.client_id.as_str(), connect.clean_start),
        ("auto-1", false)
    );
}

/// [MQTT-3.2.2-16]
#[test]
fn a_missing_assigned_client_identifier_is_a_violation() {
    let mut options = options();
    options.client_id = String::new();
    let mut client = Client::connecting(options);
    client.receives(&connack());
    assert_breach(&mut client, "MQTT-3.2.2-16");
}

/// [MQTT-3.2.2-7] [U-3.2.2-4]
#[test]
fn a_refusal_contains_all_properties_of_connack_and_is_not_answered() {
    let user_properties = [UserProperty::new("k", "v").unwrap()];
    let properties = ConnAckProperties {
        reason_string: Utf8String::new("no such user").ok(),
        user_properties: (&user_properties).into(),
        server_reference: Utf8String::new("other:8883").ok(),
        ..ConnAckProperties::default()
    };
    let reason_code = ReasonCode::UseAnotherServer;
    let mut client = Client::connecting(options());
    client.receives(&buf(Packet::from(&ConnAck {
        reason_code,
        properties,
        session_present: false,
    })));

    assert!(client.sends().is_empty());
    let reason = refused(&mut client);
    assert_eq!(
        (reason.packet_type, reason.reason_code),
        (PacketType::ConnAck, reason_code)
    );
    assert_eq!(reason.reason_string.as_deref(), Some("no such user"));
    assert_eq!(reason.user_properties, [("k".to_owned(), "v".to_owned())]);
    assert_eq!(reason.server_reference.as_deref(), Some("other:8883"));
}

/// direct_connect_connack_refusal
#[test]
fn every_refusal_of_the_standard_is_reported_with_its_code() {
    for code in ReasonCode::ALL
        .iter()
        .copied()
        .filter(|code| code.is_error())
    {
        if code.is_legal_in(PacketType::ConnAck, Sender::Server) {
            let mut client = Client::connecting(options());
            client.receives(&refusal(code));
            assert_eq!(refused(&mut client).reason_code, code);
        }
    }
}

/// mqtt5_no_connack_timeout, connack_timeout [U-3.2-1]
#[test]
fn a_missing_connack_ends_the_attempt_after_its_timeout() {
    let mut options = options();
    options.connack_timeout = Duration::from_secs(20);
    let mut client = Client::connecting(options);
    client.advance(Duration::from_millis(19_999));
    assert!(!client.engine.should_close());
    client.advance(Duration::from_millis(1));

    assert!(client.sends().is_empty());
    let after = Duration::from_secs(20);
    assert_eq!(
        client.closes(),
        Ended::Attempt(ConnectError::ConnAckTimeout { after })
    );
}

/// [MQTT-3.2.0-1]
#[test]
fn any_packet_before_connack_is_a_violation() {
    for early in [
        publish("a", at_most_once()),
        suback(1, &[ReasonCode::Success]),
        pingresp(),
    ] {
        let mut client = Client::connecting(options());
        client.receives(&early);
        assert_breach(&mut client, "MQTT-3.2.0-1");
    }
    let mut client = Client::connecting(options());
    client.receives(&disconnect(ReasonCode::ServerBusy));
    assert_breach(&mut client, "MQTT-3.14.0-1");
}

/// [MQTT-4.12.0-6]
#[test]
fn auth_without_an_authentication_method_ends_the_attempt() {
    let mut client = Client::connecting(options());
    client.receives_bytes(&[0xF0, 0x07, 0x18, 0x05, 0x15, 0x00, 0x02, b'm', b'e']);
    assert_breach(&mut client, "MQTT-4.12.0-6");

    let method = Utf8String::new("me").ok();
    let mut client = Client::connecting(options());
    client.receives(&connack_with(ConnAckProperties {
        authentication_method: method,
        ..ConnAckProperties::default()
    }));
    assert_breach(&mut client, "MQTT-4.12.0-6");
}

#[test]
fn a_transport_that_closes_before_connack_is_reported_as_closed() {
    let mut client = Client::connecting(options());
    assert_eq!(
        client.loses_connection(),
        Ended::Attempt(ConnectError::Closed { reset: true })
    );
}
