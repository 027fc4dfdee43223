//! Packets and properties that this client never sends, whatever it is asked for or receives.

use std::time::Duration;

use dunlin_client::codec::{
    Ack, AckProperties, AckType, AuthProperties, DisconnectProperties, Packet, PacketBuf,
    PacketType, ReasonCode,
};
use dunlin_client::{Authentication, AuthenticationError, Authenticator, QoS, secret::Secret};

use crate::harness::{Client, options};
use crate::packets::{
    ack, at_least_once, buf, connack_with, exactly_once, id, pubcomp, publish, pubrec, pubrel,
    suback, unsuback,
};

struct Yes;

impl Authenticator for Yes {
    fn begin(&mut self) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
        Ok(None)
    }

    fn respond(
        &mut self,
        _: Option<&[u8]>,
    ) -> Result<Option<Secret<Vec<u8>>>, AuthenticationError> {
        Ok(None)
    }

    fn finish(&mut self, _: Option<&[u8]>) -> Result<(), AuthenticationError> {
        Ok(())
    }
}

/// Packets of every type that a client can send.
fn all_client_packets() -> Vec<PacketBuf> {
    let mut options = options();
    options.keep_alive = Duration::from_secs(10);
    options.authentication = Some(Authentication::new("YES", || Yes));
    let mut client = Client::new(options);
    client.opens();
    client.receives(&connack_with(dunlin_client::codec::ConnAckProperties {
        authentication_method: dunlin_client::codec::Utf8String::new("YES").ok(),
        ..dunlin_client::codec::ConnAckProperties::default()
    }));
    client.engine.reauthenticate(client.now()).unwrap();
    client.subscribes(&["a"]);
    client.unsubscribes(&["a"]);
    client.publishes("b", QoS::ExactlyOnce);
    client.receives_all(&[
        suback(1, &[ReasonCode::Success]),
        unsuback(2, &[ReasonCode::Success]),
        pubrec(3),
    ]);
    client.receives_all(&[pubcomp(3), pubrec(9), pubrel(9)]);
    client.receives_all(&[
        publish("c", at_least_once(1)),
        publish("d", exactly_once(2)),
    ]);
    for (_, id) in client.messages() {
        client
            .engine
            .received()
            .answer(id.unwrap(), ReasonCode::NoMatchingSubscribers)
            .unwrap();
    }
    client.receives(&pubrel(2));
    client.advance(Duration::from_secs(9));
    client.disconnects();
    client.sends()
}

/// A server can't be overrun by explanations that nobody gives.
///
/// [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3]
/// [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.15.2-2] [MQTT-3.15.2-3]
#[test]
fn answers_carry_no_reason_string_and_no_user_property() {
    let mut seen = std::collections::BTreeSet::new();
    for packet in all_client_packets() {
        seen.insert(packet.packet().packet_type() as u8);
        match packet.packet() {
            Packet::PubAck(Ack { properties, .. })
            | Packet::PubRec(Ack { properties, .. })
            | Packet::PubRel(Ack { properties, .. })
            | Packet::PubComp(Ack { properties, .. }) => {
                assert_eq!(properties, AckProperties::default());
            }
            Packet::Disconnect(said) => {
                assert_eq!(said.properties, DisconnectProperties::default());
            }
            Packet::Auth(said) => {
                let AuthProperties {
                    reason_string,
                    user_properties,
                    ..
                } = said.properties;
                assert!(reason_string.is_none() && user_properties.is_empty());
            }
            _ => {}
        }
    }
    let all = [1, 3, 4, 5, 6, 7, 8, 10, 12, 14, 15];
    assert_eq!(
        Vec::from_iter(seen),
        all,
        "the test is about every packet of a client"
    );
}

/// [MQTT-3.1.0-2] [MQTT-3.1.0-1]
#[test]
fn a_connection_carries_one_connect_and_that_first() {
    let types: Vec<_> = all_client_packets()
        .iter()
        .map(|packet| packet.packet().packet_type())
        .collect();
    assert_eq!(
        types.iter().position(|each| *each == PacketType::Connect),
        Some(0)
    );
    assert_eq!(
        types
            .iter()
            .filter(|each| **each == PacketType::Connect)
            .count(),
        1
    );
}

/// A PUBREC or PUBREL for an exchange that nobody knows of is answered in the fewest bytes.
#[test]
fn an_unknown_packet_identifier_is_answered_with_its_code_alone() {
    let mut client = Client::connected();
    client.receives_all(&[pubrec(9), pubrel(9)]);
    let not_found = |ack_type| ack(ack_type, 9, ReasonCode::PacketIdentifierNotFound);
    assert_eq!(
        client.sends(),
        [not_found(AckType::PubRel), not_found(AckType::PubComp)]
    );
    let refusing = Ack {
        reason_code: ReasonCode::QuotaExceeded,
        ..Ack::success(id(9))
    };
    client.receives(&buf(refusing.into_packet(AckType::PubRec)));
    assert!(client.sends().is_empty());
}
