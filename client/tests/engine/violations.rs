//! Servers that break the protocol: what they are told, and what the application is (§4.13).

use dunlin_client::codec::{DecodeErrorKind, PacketType, ReasonCode};
use dunlin_client::{ConnectError, ConnectionError, InvalidMessages, QoS, Violation};

use crate::harness::{Client, Ended, options};
use crate::packets::{at_least_once, connack, connack_resumed, disconnect, puback, publish};

/// Reason Code of the DISCONNECT that answers these bytes, and the violation that they are.
#[track_caller]
fn disconnect_code_and_violation(client: &mut Client, bytes: &[u8]) -> (ReasonCode, Violation) {
    client.sends();
    client.receives_bytes(bytes);
    let sent = client.sends();
    let Ended::Connection(ConnectionError::Protocol(violation)) = client.closes() else {
        panic!()
    };
    assert_eq!(sent, [disconnect(violation.reason_code())], "{violation}");
    (violation.reason_code(), violation)
}

/// A client that closes the connection over a message that is wrong in itself.
fn strict_client() -> Client {
    let mut options = options();
    options.invalid_messages = InvalidMessages::CloseConnection;
    Client::connected_as(options, &connack())
}

fn decode_error(violation: Violation) -> DecodeErrorKind {
    match violation {
        Violation::Packet(error) => error.kind,
        other => panic!("{other:?}"),
    }
}

/// awscrt_always_0x82 [U-4.13.1-1] [MQTT-4.13.2-1] [U-1.2-1] [MQTT-1.5.4-2]
#[test]
fn malformed_packets_are_answered_with_0x81() {
    let malformed: [&[u8]; 9] = [
        &[0x36, 0x06, 0x00, 0x01, 0x61, 0x00, 0x01, 0x00], // QoS 3 [MQTT-3.3.1-4]
        &[0xD1, 0x00],                                     // reserved flags [MQTT-2.1.3-1]
        &[0x60, 0x02, 0x00, 0x01],                         // PUBREL's flags [MQTT-3.6.1-1]
        &[0xE1, 0x00],                                     // DISCONNECT's flags [MQTT-3.14.1-1]
        &[0x00, 0x00],                                     // no such packet
        &[0xD0, 0x80, 0x00],                               // a padded length [MQTT-1.5.5-1]
        &[0x30, 0x06, 0x00, 0x03, 0xED, 0xA0, 0x80, 0x00], // a surrogate [MQTT-1.5.4-1]
        &[0x30, 0x06, 0x00, 0x03, 0x61, 0x00, 0x62, 0x00], // NUL [MQTT-1.5.4-2]
        &[0x30, 0x01, 0x00],                               // half a topic [MQTT-3.3.2-1]
    ];
    for bytes in malformed {
        let (code, violation) = disconnect_code_and_violation(&mut strict_client(), bytes);
        assert_eq!(
            code,
            ReasonCode::MalformedPacket,
            "{bytes:02x?}: {violation}"
        );
        assert_eq!(
            decode_error(violation),
            DecodeErrorKind::Malformed,
            "{bytes:02x?}"
        );
    }
}

/// awscrt_lax_decoder
#[test]
fn packets_that_other_clients_tolerate_are_violations() {
    let breaches: [(&[u8], ReasonCode); 14] = [
        (&[0x30, 0x03, 0, 0, 0], ReasonCode::ProtocolError), // no topic and no alias
        (&[0x30, 0x04, 0, 1, b'#', 0], ReasonCode::ProtocolError), // a wildcard
        (
            &[0x30, 0x05, 0, 2, 0xC3, 0x28, 0],
            ReasonCode::MalformedPacket,
        ), // not UTF-8
        (
            &[0x30, 0x0E, 0, 1, b'a', 10, 2, 0, 0, 0, 1, 2, 0, 0, 0, 1],
            ReasonCode::ProtocolError,
        ), // twice
        (&[0x38, 0x04, 0, 1, b'a', 0], ReasonCode::ProtocolError), // a repetition of QoS 0
        (
            &[0x36, 0x06, 0, 1, b'a', 0, 1, 0],
            ReasonCode::MalformedPacket,
        ), // QoS 3
        (
            &[0x32, 0x06, 0, 1, b'a', 0, 0, 0],
            ReasonCode::ProtocolError,
        ), // packet identifier 0
        (
            &[0x32, 0x07, 0, 1, b'a', 0, 1, 0x80, 0],
            ReasonCode::MalformedPacket,
        ), // a padded length
        (
            &[0x30, 0x08, 0, 1, b'a', 9, 1, 1, 0, 0],
            ReasonCode::MalformedPacket,
        ), // properties beyond the end
        (&[0x91, 0x04, 0, 1, 0, 0], ReasonCode::MalformedPacket), // SUBACK's flags
        (&[0xB2, 0x04, 0, 1, 0, 0], ReasonCode::MalformedPacket), // UNSUBACK's
        (&[0x90, 0x05, 0, 1, 9, 0, 0], ReasonCode::MalformedPacket), // properties beyond the end
        (&[0x20, 0x03, 0, 0, 0], ReasonCode::ProtocolError), // a second CONNACK
        (&[0xD0, 0x01, 0], ReasonCode::MalformedPacket),     // a PINGRESP with something in it
    ];
    for (bytes, expected) in breaches {
        let (code, violation) = disconnect_code_and_violation(&mut strict_client(), bytes);
        assert_eq!(code, expected, "{bytes:02x?}: {violation}");
    }
    let connacks: [&[u8]; 4] = [
        &[0x20, 0x05, 0, 0, 2, 0x25, 2],    // Retain Available 2
        &[0x20, 0x05, 0, 0, 2, 0x24, 2],    // Maximum QoS 2
        &[0x20, 0x06, 0, 0, 3, 0x21, 0, 0], // Receive Maximum 0
        &[0x20, 0x03, 1, 0x87, 0],          // a session and a refusal
    ];
    for bytes in connacks {
        let mut client = Client::connecting(options());
        client.receives_bytes(bytes);
        let Ended::Attempt(ConnectError::Protocol(_)) = client.closes() else {
            panic!("{bytes:02x?}")
        };
    }
}

#[test]
fn packets_that_only_clients_send_are_answered_with_0x82() {
    let reversed: [&[u8]; 4] = [
        &[0xC0, 0x00],
        &[0xC1, 0x00], // its reserved flags don't matter any more
        &[0x82, 0x07, 0, 1, 0, 0, 1, 0x61, 0],
        &[0xA2, 0x06, 0, 1, 0, 0, 1, 0x61],
    ];
    for bytes in reversed {
        let (code, _) = disconnect_code_and_violation(&mut Client::connected(), bytes);
        assert_eq!(code, ReasonCode::ProtocolError, "{bytes:02x?}");
    }
}

/// [MQTT-3.2.0-2]
#[test]
fn a_second_connack_is_answered_with_0x82() {
    let (code, violation) =
        disconnect_code_and_violation(&mut Client::connected(), connack().as_bytes());
    assert_eq!(code, ReasonCode::ProtocolError);
    let Violation::Unexpected {
        packet_type,
        statement,
        ..
    } = violation
    else {
        panic!()
    };
    assert_eq!(
        (packet_type, statement),
        (PacketType::ConnAck, "MQTT-3.2.0-2")
    );
}

/// [MQTT-4.12.0-6] [U-3.15-1]
#[test]
fn authentication_on_a_connection_without_is_answered_with_0x82() {
    let auth = [0xF0, 0x07, 0x18, 0x05, 0x15, 0x00, 0x02, b'm', b'e'];
    let (code, violation) = disconnect_code_and_violation(&mut Client::connected(), &auth);
    assert_eq!(code, ReasonCode::ProtocolError, "{violation}");
}

/// inbound_alias_failure_disabled [MQTT-3.1.2-26] [MQTT-3.1.2-27] [U-3.3.4-1]
#[test]
fn an_alias_that_was_not_allowed_is_answered_with_0x94() {
    let with_topic = [0x30, 0x07, 0x00, 0x01, 0x61, 0x03, 0x23, 0x00, 0x03];
    let without = [0x30, 0x06, 0x00, 0x00, 0x03, 0x23, 0x00, 0x01];
    let at_qos_1 = [
        0x32, 0x09, 0x00, 0x01, 0x61, 0x00, 0x01, 0x03, 0x23, 0x00, 0x03,
    ];
    for bytes in [&with_topic[..], &without, &at_qos_1] {
        let (code, _) = disconnect_code_and_violation(&mut Client::connected(), bytes);
        assert_eq!(code, ReasonCode::TopicAliasInvalid);
    }
}

/// inbound_alias_zero_id [MQTT-3.3.2-8]
#[test]
fn alias_0_is_answered_with_0x94() {
    let bytes = [0x30, 0x07, 0x00, 0x01, 0x61, 0x03, 0x23, 0x00, 0x00];
    assert_eq!(
        disconnect_code_and_violation(&mut Client::connected(), &bytes).0,
        ReasonCode::TopicAliasInvalid
    );
}

/// awscrt_no_own_maximum_packet_size [MQTT-3.1.2-24] [U-3.1.2-4]
#[test]
fn a_packet_above_our_maximum_is_answered_with_0x95_before_it_is_complete() {
    let mut options = options();
    options.maximum_packet_size = Some(20);
    let mut client = Client::connected_as(options.clone(), &connack());
    let mut largest = vec![0x30, 18, 0x00, 0x01, 0x61, 0x00];
    largest.resize(20, b'x');
    client.receives_bytes(&largest);
    assert_eq!(client.consumes_all(), ["a"]);

    let (code, violation) = disconnect_code_and_violation(&mut client, &[0x30, 19]);
    assert_eq!(code, ReasonCode::PacketTooLarge);
    assert_eq!(decode_error(violation), DecodeErrorKind::TooLarge);
    let mut client = Client::connected_as(options, &connack());
    assert_eq!(
        disconnect_code_and_violation(&mut client, &[0x30, 0xFF, 0xFF, 0xFF, 0x7F]).0,
        ReasonCode::PacketTooLarge
    );
}

/// mqtt_protocol_core_packet_id_0_panics [MQTT-2.2.1-4]
#[test]
fn packet_identifier_0_is_a_violation() {
    for bytes in [
        &[0x32, 0x06, 0, 1, 0x61, 0, 0, 0][..],
        &[0x40, 2, 0, 0],
        &[0x62, 2, 0, 0],
    ] {
        disconnect_code_and_violation(&mut Client::connected(), bytes);
    }
}

/// [MQTT-3.1.2-29] [U-3.1.2-5]
#[test]
fn problem_information_that_was_not_requested_is_answered_with_0x82() {
    let explained: [&[u8]; 5] = [
        &[0x40, 0x08, 0x00, 0x01, 0x00, 0x04, 0x1F, 0x00, 0x01, b'x'],
        &[0x50, 0x08, 0x00, 0x01, 0x00, 0x04, 0x1F, 0x00, 0x01, b'x'],
        &[0x62, 0x08, 0x00, 0x01, 0x00, 0x04, 0x1F, 0x00, 0x01, b'x'],
        &[0x70, 0x08, 0x00, 0x01, 0x00, 0x04, 0x1F, 0x00, 0x01, b'x'],
        &[0x90, 0x08, 0x00, 0x01, 0x04, 0x1F, 0x00, 0x01, b'x', 0x00],
    ];
    for bytes in explained {
        let mut options = options();
        options.request_problem_information = Some(false);
        let mut client = Client::connected_as(options, &connack());
        assert_eq!(
            disconnect_code_and_violation(&mut client, bytes).0,
            ReasonCode::ProtocolError,
            "{bytes:02x?}"
        );
        let mut asked = Client::connected();
        asked.receives_bytes(bytes);
        assert!(asked.engine.is_connected(), "{bytes:02x?}");
    }
}

/// [MQTT-3.14.2-2]
#[test]
fn a_session_expiry_in_the_servers_disconnect_is_a_violation() {
    let bytes = [0xE0, 0x07, 0x00, 0x05, 0x11, 0x00, 0x00, 0x00, 0x0A];
    assert_eq!(
        disconnect_code_and_violation(&mut Client::connected(), &bytes).0,
        ReasonCode::ProtocolError
    );
}

#[test]
fn packets_after_a_violation_are_ignored() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    let mut bytes = publish("before", at_least_once(1)).as_bytes().to_vec();
    bytes.extend_from_slice(&[0xD1, 0x00]);
    bytes.extend_from_slice(publish("after", at_least_once(2)).as_bytes());
    bytes.extend_from_slice(puback(1).as_bytes());
    disconnect_code_and_violation(&mut client, &bytes);
    assert_eq!(client.consumes_all(), ["before"]);
    assert!(client.sends().is_empty());
}

#[test]
fn a_client_recovers_from_a_server_that_broke_the_protocol() {
    let mut client = Client::connected();
    client.publishes("a", QoS::AtLeastOnce);
    disconnect_code_and_violation(&mut client, &[0xD1, 0x00]);
    client.opens();
    client.sends();
    client.receives(&connack_resumed());
    assert_eq!(
        client.sends(),
        [publish("a", crate::packets::with_dup(at_least_once(1)))]
    );
}
