//! The end of a connection, from either side (§3.14).

use std::time::Duration;

use dunlin_client::codec::{
    ConnAckProperties, Disconnect, DisconnectProperties, Packet, PacketType, ReasonCode, Sender,
    UserProperty, Utf8String,
};
use dunlin_client::engine::CloseCause;
use dunlin_client::{ConnectError, ConnectionError, DisconnectOptions, Message, OptionsError, QoS};

use crate::harness::{Client, Ended, options};
use crate::packets::{
    at_least_once, at_most_once, buf, connack, connack_with, disconnect, puback, publish, pubrec,
    pubrel,
};

#[test]
fn disconnect_is_sent_behind_everything_else() {
    let mut client = Client::connected();
    client.try_publish(Message::new("a", "on")).unwrap();
    client.disconnects();
    assert_eq!(
        client.sends(),
        [
            publish("a", at_most_once()),
            disconnect(ReasonCode::Success)
        ]
    );
    assert_eq!(
        client.closes(),
        Ended::Connection(ConnectionError::Requested)
    );
}

/// [MQTT-3.14.4-1] [MQTT-3.14.4-2]
#[test]
fn nothing_is_sent_after_disconnect() {
    let mut options = options();
    options.keep_alive = Duration::from_secs(10);
    let mut client = Client::connected_as(options, &connack());
    client.receives(&publish("in", at_least_once(1)));
    let id = client.messages()[0].1.unwrap();
    client.disconnects();
    client.sends();

    client.publishes("a", QoS::AtLeastOnce);
    client.subscribes(&["b"]);
    client.consumes(id);
    client.receives_all(&[publish("in", at_least_once(2)), pubrec(7), pubrel(7)]);
    client.advance(Duration::from_secs(100));
    client.disconnects();
    assert!(client.sends_bytes().is_empty());
    assert!(client.messages().is_empty());
    assert!(client.engine.should_close());
}

#[test]
fn disconnect_before_connack_ends_the_attempt_without_a_packet() {
    let mut client = Client::connecting(options());
    client.disconnects();
    assert!(client.sends().is_empty());
    assert_eq!(client.closes(), Ended::Attempt(ConnectError::Requested));
}

#[test]
fn disconnect_without_a_connection_does_nothing() {
    let mut client = Client::new(options());
    client.disconnects();
    assert!(client.sends().is_empty());
    client.opens();
    client.receives(&connack());
    assert!(client.engine.is_connected());
}

/// [U-3.14.2-1]
#[test]
fn a_disconnect_may_end_the_session_and_ask_for_the_will() {
    let leaves = |disconnect| {
        let mut client = Client::connected();
        client.engine.set_disconnect(disconnect).unwrap();
        client.disconnects();
        client.sends()
    };
    let says = |reason_code, session_expiry_interval| {
        let properties = DisconnectProperties {
            session_expiry_interval,
            ..DisconnectProperties::default()
        };
        [buf(Packet::Disconnect(Disconnect {
            reason_code,
            properties,
        }))]
    };
    let forget = DisconnectOptions {
        session_expiry_interval: Some(0),
        ..DisconnectOptions::default()
    };
    assert_eq!(leaves(forget), says(ReasonCode::Success, Some(0)));
    let longer = DisconnectOptions {
        session_expiry_interval: Some(86_400),
        with_will: true,
        ..DisconnectOptions::default()
    };
    assert_eq!(
        leaves(longer),
        says(ReasonCode::DisconnectWithWill, Some(86_400))
    );
    assert_eq!(
        leaves(DisconnectOptions::default()),
        [disconnect(ReasonCode::Success)]
    );
}

/// disconnect_fail_packet_too_big [MQTT-3.2.2-15]
#[test]
fn a_disconnect_that_is_larger_than_the_server_takes_is_a_bare_one() {
    for (maximum, fits) in [(9, true), (8, false), (2, false)] {
        let maximum_packet_size = maximum.try_into().ok();
        let properties = ConnAckProperties {
            maximum_packet_size,
            ..ConnAckProperties::default()
        };
        let mut client = Client::connected_to(&connack_with(properties));
        let forget = DisconnectOptions {
            session_expiry_interval: Some(0),
            ..DisconnectOptions::default()
        };
        client.engine.set_disconnect(forget).unwrap();
        client.disconnects();
        assert_eq!(
            client.sends() == [disconnect(ReasonCode::Success)],
            !fits,
            "{maximum}"
        );
    }
}

/// [MQTT-3.14.2-3] [MQTT-3.14.2-4]
#[test]
fn a_disconnect_has_a_reason_code_a_reason_string_and_user_properties_where_they_fit() {
    let disconnect = DisconnectOptions {
        reason_code: Some(ReasonCode::UnspecifiedError),
        reason_string: Some("battery low".to_owned()),
        user_properties: vec![("volts".to_owned(), "3.1".to_owned())],
        session_expiry_interval: Some(0),
        ..DisconnectOptions::default()
    };
    let user_properties = [UserProperty::new("volts", "3.1").unwrap()];
    let without_texts = DisconnectProperties {
        session_expiry_interval: Some(0),
        ..DisconnectProperties::default()
    };
    let whole = DisconnectProperties {
        reason_string: Some(Utf8String::new("battery low").unwrap()),
        user_properties: user_properties.as_slice().into(),
        ..without_texts
    };
    let says = |properties| {
        let reason_code = ReasonCode::UnspecifiedError;
        [buf(Packet::Disconnect(Disconnect {
            reason_code,
            properties,
        }))]
    };
    for (maximum, expected) in [(200, says(whole)), (20, says(without_texts))] {
        let maximum_packet_size = std::num::NonZeroU32::new(maximum);
        let properties = ConnAckProperties {
            maximum_packet_size,
            ..ConnAckProperties::default()
        };
        let mut client = Client::connected_to(&connack_with(properties));
        client.engine.set_disconnect(disconnect.clone()).unwrap();
        client.disconnects();
        assert_eq!(client.sends(), expected);
    }
}

#[test]
fn a_disconnect_that_a_client_may_not_send_is_refused() {
    for code in (0..=0xFF).filter_map(ReasonCode::from_code) {
        let disconnect = DisconnectOptions {
            reason_code: Some(code),
            ..DisconnectOptions::default()
        };
        let is_legal = code.is_legal_in(PacketType::Disconnect, Sender::Client);
        let expected = if is_legal {
            Ok(())
        } else {
            Err(OptionsError::DisconnectReasonCode { reason_code: code })
        };
        assert_eq!(
            Client::connected().engine.set_disconnect(disconnect),
            expected,
            "{code}"
        );
    }
    let disconnect = DisconnectOptions {
        reason_string: Some("a\0b".to_owned()),
        ..DisconnectOptions::default()
    };
    let refused = Client::connected().engine.set_disconnect(disconnect);
    assert!(
        matches!(
            refused,
            Err(OptionsError::Text {
                field: "disconnect reason string",
                ..
            })
        ),
        "{refused:?}"
    );
}

/// [U-3.14.2-1]
#[test]
fn a_session_that_ends_with_its_connection_is_not_prolonged() {
    let longer = DisconnectOptions {
        session_expiry_interval: Some(1),
        ..DisconnectOptions::default()
    };
    let forget = DisconnectOptions {
        session_expiry_interval: Some(0),
        ..DisconnectOptions::default()
    };
    for none in [None, Some(0)] {
        let mut options = options();
        options.session_expiry_interval = none;
        let mut client = Client::connected_as(options.clone(), &connack());
        assert_eq!(
            client.engine.set_disconnect(longer.clone()),
            Err(OptionsError::DisconnectSessionExpiry)
        );
        assert_eq!(client.engine.set_disconnect(forget.clone()), Ok(()));
        options.disconnect = longer.clone();
        assert_eq!(options.check(), Err(OptionsError::DisconnectSessionExpiry));
        let refused = Client::new(options).try_open();
        assert_eq!(
            refused,
            Err(ConnectError::Options(OptionsError::DisconnectSessionExpiry))
        );
    }
}

/// from_server_disconnect [U-3.14-1] [U-3.2.2-4]
#[test]
fn the_servers_disconnect_is_reported_with_its_properties_and_not_answered() {
    let user_properties = [UserProperty::new("k", "v").unwrap()];
    let properties = DisconnectProperties {
        reason_string: Utf8String::new("come back later").ok(),
        user_properties: (&user_properties).into(),
        server_reference: Utf8String::new("other").ok(),
        ..DisconnectProperties::default()
    };
    let packet = Disconnect {
        reason_code: ReasonCode::ServerMoved,
        properties,
    };
    let mut client = Client::connected();
    client.receives(&buf(Packet::Disconnect(packet)));
    assert!(client.sends().is_empty());
    let Ended::Connection(ConnectionError::Disconnected(reason)) = client.closes() else {
        panic!()
    };
    assert_eq!(
        (reason.packet_type, reason.reason_code),
        (PacketType::Disconnect, ReasonCode::ServerMoved)
    );
    assert_eq!(reason.reason_string.as_deref(), Some("come back later"));
    assert_eq!(reason.user_properties, [("k".to_owned(), "v".to_owned())]);
    assert_eq!(reason.server_reference.as_deref(), Some("other"));
}

/// rumqttc_disconnect_of_one_byte
#[test]
fn every_disconnect_reason_of_the_standard_is_reported_with_its_code() {
    let codes = ReasonCode::ALL.iter().copied();
    for code in codes.filter(|code| code.is_legal_in(PacketType::Disconnect, Sender::Server)) {
        let mut client = Client::connected();
        client.receives_bytes(&[0xE0, 0x01, code.code()]);
        let Ended::Connection(ConnectionError::Disconnected(reason)) = client.closes() else {
            panic!("{code}")
        };
        assert_eq!(reason.reason_code, code);
    }
}

#[test]
fn the_end_of_a_transport_is_reported_with_its_cause() {
    for (cause, expected) in [
        (CloseCause::Eof, ConnectionError::Closed),
        (CloseCause::Reset, ConnectionError::Reset),
    ] {
        let mut client = Client::connected();
        assert_eq!(client.engine.handle_closed(cause), expected.into());
    }
}

/// [MQTT-3.14.4-1]
#[test]
fn a_received_reason_takes_precedence_over_the_transport_error() {
    let mut client = Client::connected();
    client.receives(&disconnect(ReasonCode::SessionTakenOver));
    let ended: Ended = client.engine.handle_closed(CloseCause::Reset).into();
    assert!(matches!(
        ended,
        Ended::Connection(ConnectionError::Disconnected(_))
    ));
}

#[test]
fn a_client_is_idle_when_every_request_has_its_outcome_and_is_written() {
    let mut client = Client::connected();
    assert!(client.engine.is_idle());
    client.publishes_unwritten(Message::new("a", "on")).unwrap();
    assert!(!client.engine.is_idle());
    client.sends();
    assert!(client.engine.is_idle());
    client.publishes("a", QoS::AtLeastOnce);
    client.sends();
    assert!(!client.engine.is_idle());
    client.receives(&puback(1));
    assert!(client.engine.is_idle());
}

/// [MQTT-3.2.2-15]
#[test]
fn a_server_that_takes_no_reason_code_is_not_told_of_its_violation() {
    for (maximum, expected) in [
        (2, vec![]),
        (3, vec![disconnect(ReasonCode::ProtocolError)]),
    ] {
        let properties = ConnAckProperties {
            maximum_packet_size: maximum.try_into().ok(),
            ..ConnAckProperties::default()
        };
        let mut client = Client::connected_to(&connack_with(properties));
        client.receives(&connack());
        assert_eq!(client.sends(), expected, "{maximum}");
        let end = client.closes();
        assert!(
            matches!(end, Ended::Connection(ConnectionError::Protocol(_))),
            "{end:?}"
        );
    }
}
