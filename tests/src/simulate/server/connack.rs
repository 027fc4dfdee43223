//! CONNACK of the server: acceptance, Session Present, and the limits of this connection.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::{Duration, Instant};

use dunlin_client::codec::{
    BinaryData, ConnAck, ConnAckProperties, Packet, PacketType, QoS, Utf8String,
};

use super::answer::reason_string;
use super::{ClientLimits, Server, Session, Stage, code};
use crate::simulate::auth_method::METHOD;
use crate::simulate::choices::Choices;
use crate::simulate::transcript::Transcript;

impl Server {
    /// Answers CONNECT.
    pub(super) fn answer_connect(
        &mut self,
        now: Instant,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        if !self.is_cooperative && choices.one_in(12) {
            let reason_code = code(PacketType::ConnAck, true, choices);
            let properties = ConnAckProperties {
                reason_string: reason_string(reason_code, choices),
                ..ConnAckProperties::default()
            };
            let connack = ConnAck {
                session_present: false,
                reason_code,
                properties,
            };
            connection.say(&Packet::from(&connack), transcript);
            connection.close();
            return;
        }
        let client = connection.client;
        let forgotten = self
            .session
            .as_ref()
            .is_none_or(|session| session.has_expired(now));
        let session_present = !client.clean_start && !forgotten;
        if !session_present {
            self.sessions += 1;
            self.session = Some(Session::new(self.sessions, self.behavior.first_id));
        }
        let mut properties = limits(client, choices);
        if connection.exchange.take().is_some() {
            properties.authentication_method = Utf8String::new(METHOD).ok();
            let last = connection.final_data(self.is_cooperative, choices);
            properties.authentication_data = last.and_then(|data| BinaryData::new(data).ok());
        }
        if let Some(session) = &mut self.session {
            session.resume();
            let expiry = properties
                .session_expiry_interval
                .unwrap_or(client.session_expiry_interval);
            session.expiry = Duration::from_secs(expiry.into());
        }
        let connack = ConnAck {
            session_present,
            properties,
            ..ConnAck::default()
        };
        connection.say(&Packet::from(&connack), transcript);
        connection.stage = Stage::Open;
        connection.is_resumed = session_present;
    }
}

/// Other limits at each connection, most often none.
fn limits(client: ClientLimits, choices: &mut Choices) -> ConnAckProperties<'static> {
    let maximum = choices.pick(&[0, 1, 2, 3, 8, 0]).unwrap_or_default();
    let size = choices.pick(&[0, 0, 0, 30, 60, 120]).unwrap_or_default();
    let not = |choices: &mut Choices| if choices.one_in(8) { Some(false) } else { None };
    ConnAckProperties {
        receive_maximum: NonZeroU16::new(maximum),
        maximum_packet_size: NonZeroU32::new(size),
        maximum_qos: choices
            .pick(&[
                None,
                None,
                None,
                None,
                None,
                None,
                Some(QoS::AtLeastOnce),
                Some(QoS::AtMostOnce),
            ])
            .flatten(),
        retain_available: not(choices),
        wildcard_subscription_available: not(choices),
        shared_subscription_available: not(choices),
        subscription_identifier_available: not(choices),
        topic_alias_maximum: choices.pick(&[None, Some(0), Some(1), Some(3)]).flatten(),
        server_keep_alive: choices.pick(&[None, None, Some(5), Some(60)]).flatten(),
        session_expiry_interval: choices.pick(&[None, None, None, Some(30)]).flatten(),
        assigned_client_identifier: if client.has_id {
            None
        } else {
            Utf8String::new("lamp-8").ok()
        },
        ..ConnAckProperties::default()
    }
}
