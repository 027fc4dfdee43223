//! From received bytes to what they change: one packet after another, in order.

use std::time::Instant;

use bytes::BytesMut;
use dunlin_codec::{
    Ack, AckProperties, AckType, FixedHeader, Packet, PacketBuf, PacketId, PacketType, PublishProperties, ReasonCode,
    Repeated, SubAckProperties,
};

use super::inbound::Verdict;
use super::link::conduct;
use super::operation::{Answered, Kind, Outcome, Phase, Published};
use super::session::requested;
use super::{Ended, Engine, EngineEvent, State};
use crate::error::{ConnectionError, RequestError, ServerReason, Violation, owned};
use crate::message::ReceivedMessage;

impl Engine {
    /// Takes every whole packet at the front of `input`; the beginning of another one stays there.
    ///
    /// A breach of the protocol shows in [`should_close`](Self::should_close); what follows it isn't looked at.
    pub fn handle_input(&mut self, input: &mut BytesMut, now: Instant) {
        if let State::Open(connection) = &mut self.state {
            connection.received(now);
        }
        while !self.should_close() {
            match self.handle_packet(input, now) {
                Ok(true) => {}
                Ok(false) => break,
                Err(violation) => self.handle_violation(violation),
            }
        }
        self.send_due_acks();
        if let State::Open(connection) = &mut self.state {
            let operations = &self.session.operations;
            connection.forget_deadlines(operations.load().0, |id| operations.is_over(id));
        }
    }

    /// Whether more should be read: there is a connection, and it isn't at its end.
    #[must_use]
    pub const fn read_interest(&self) -> bool {
        matches!(self.state, State::Connecting { .. } | State::Open(_))
    }

    /// Takes one packet; `false` if there is no whole one.
    fn handle_packet(&mut self, input: &mut BytesMut, now: Instant) -> Result<bool, Violation> {
        let Some(header) = FixedHeader::peek(input, self.decode.max_packet_size)? else { return Ok(false) };
        if header.packet_type == PacketType::Publish && self.is_connected() {
            let Some(packet) = PacketBuf::take(input, &self.decode)? else { return Ok(false) };
            self.handle_publish(packet)?;
            return Ok(true);
        }
        let Some((packet, len)) = Packet::decode_with(input, &self.decode)? else { return Ok(false) };
        match self.state {
            State::Open(_) => self.handle_open(&packet)?,
            _ => self.handle_first(&packet, now)?,
        }
        bytes::Buf::advance(input, len);
        Ok(true)
    }

    /// Until CONNACK nothing else may come. [MQTT-3.2.0-1]
    fn handle_first(&mut self, packet: &Packet<'_>, now: Instant) -> Result<(), Violation> {
        match packet {
            Packet::ConnAck(connack) => self.handle_connack(connack, now),
            Packet::Auth(_) => Err(conduct(PacketType::Auth, "nobody asked for authentication", "MQTT-4.12.0-6")),
            Packet::Disconnect(_) => Err(conduct(PacketType::Disconnect, "before CONNACK", "MQTT-3.14.0-1")),
            other => Err(conduct(other.packet_type(), "before CONNACK", "MQTT-3.2.0-1")),
        }
    }

    fn handle_open(&mut self, packet: &Packet<'_>) -> Result<(), Violation> {
        match packet {
            Packet::PubAck(ack) => self.handle_ack(AckType::PubAck, ack),
            Packet::PubRec(ack) => self.handle_pubrec(ack),
            Packet::PubRel(ack) => self.handle_pubrel(ack),
            Packet::PubComp(ack) => self.handle_ack(AckType::PubComp, ack),
            Packet::SubAck(ack) => {
                self.handle_answer(PacketType::SubAck, ack.packet_id, &ack.properties, ack.reason_codes)
            }
            Packet::UnsubAck(ack) => {
                self.handle_answer(PacketType::UnsubAck, ack.packet_id, &ack.properties, ack.reason_codes)
            }
            Packet::PingResp => {
                if let State::Open(connection) = &mut self.state {
                    connection.pong();
                }
                Ok(())
            }
            Packet::Disconnect(disconnect) => {
                let cause = ConnectionError::Disconnected(ServerReason::of_disconnect(disconnect));
                self.state = State::Closing(Ended::Connection(cause));
                Ok(())
            }
            Packet::ConnAck(_) => Err(conduct(PacketType::ConnAck, "a second one", "MQTT-3.2.0-2")),
            Packet::Auth(_) => Err(conduct(PacketType::Auth, "nobody asked for authentication", "MQTT-4.12.0-6")),
            // The decoder refuses what only clients send; a PUBLISH takes its own way.
            Packet::Connect(_) | Packet::Subscribe(_) | Packet::Unsubscribe(_) | Packet::PingReq | Packet::Publish(_) => {
                Ok(())
            }
        }
    }

    fn handle_publish(&mut self, packet: PacketBuf) -> Result<(), Violation> {
        let Packet::Publish(publish) = packet.packet() else { return Ok(()) };
        let PublishProperties { topic_alias, .. } = publish.properties;
        if topic_alias.is_some() {
            // This client announces no Topic Alias Maximum. [MQTT-3.1.2-27]
            let (fault, statement) = ("a topic alias above this client's maximum", "MQTT-3.1.2-27");
            let reason_code = ReasonCode::TopicAliasInvalid;
            return Err(Violation::Conduct { packet_type: PacketType::Publish, fault, statement, reason_code });
        }
        let receive_maximum = self.options.receive_maximum.map_or(u16::MAX, Into::into);
        match self.session.inbound.receive(publish.delivery, receive_maximum) {
            Verdict::Deliver(id) => {
                if let Some(message) = ReceivedMessage::from_packet(packet) {
                    self.events.push_back(EngineEvent::Message(message, id));
                }
            }
            Verdict::Repeat(packet_id) => self.send_ack(AckType::PubRec, packet_id, ReasonCode::Success),
            Verdict::Ignore => {}
            Verdict::TooMany => {
                let (fault, statement) = ("more than this client's Receive Maximum", "MQTT-3.3.4-9");
                let reason_code = ReasonCode::ReceiveMaximumExceeded;
                return Err(Violation::Conduct { packet_type: PacketType::Publish, fault, statement, reason_code });
            }
        }
        Ok(())
    }

    /// PUBACK and PUBCOMP end an exchange. One that nobody waits for is ignored.
    fn handle_ack(&mut self, ack_type: AckType, ack: &Ack<'_>) -> Result<(), Violation> {
        self.check_explanation(ack_type.packet_type(), &ack.properties)?;
        let Some(key) = self.session.ids.owner(ack.packet_id) else { return Ok(()) };
        let Some(operation) = self.session.operations.get(key) else { return Ok(()) };
        match (ack_type, operation.kind, operation.phase) {
            (AckType::PubAck, Kind::PublishAtLeastOnce, Phase::Sent(_))
            | (AckType::PubComp, Kind::PublishExactlyOnce, Phase::Released(_)) => {}
            _ => return Err(conduct(ack_type.packet_type(), "for a request of another kind", "MQTT-2.2.1-5")),
        }
        let outcome = if ack.reason_code.is_error() && ack_type == AckType::PubAck {
            Err(refused(ack_type, ack))
        } else {
            Ok(published(ack))
        };
        self.end_publish(key, ack.packet_id, outcome);
        Ok(())
    }

    /// PUBREC below 0x80 is answered by PUBREL, whatever happened before; above, it ends the exchange. [MQTT-4.3.3-4]
    fn handle_pubrec(&mut self, ack: &Ack<'_>) -> Result<(), Violation> {
        self.check_explanation(PacketType::PubRec, &ack.properties)?;
        let owner = self.session.ids.owner(ack.packet_id);
        let Some((key, operation)) = owner.and_then(|key| Some((key, self.session.operations.get_mut(key)?))) else {
            if !ack.reason_code.is_error() {
                self.send_ack(AckType::PubRel, ack.packet_id, ReasonCode::PacketIdentifierNotFound);
            }
            return Ok(());
        };
        if operation.kind != Kind::PublishExactlyOnce {
            return Err(conduct(PacketType::PubRec, "for a request of another kind", "MQTT-2.2.1-5"));
        }
        if ack.reason_code.is_error() {
            self.end_publish(key, ack.packet_id, Err(refused(AckType::PubRec, ack)));
        } else {
            operation.phase = Phase::Released(ack.packet_id);
            self.session.operations.drop_packet(key);
            self.send_pubrel(ack.packet_id);
        }
        Ok(())
    }

    fn handle_pubrel(&mut self, ack: &Ack<'_>) -> Result<(), Violation> {
        self.check_explanation(PacketType::PubRel, &ack.properties)?;
        let known = self.session.inbound.release(ack.packet_id);
        let reason_code = if known { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
        self.send_ack(AckType::PubComp, ack.packet_id, reason_code);
        Ok(())
    }

    /// Repeats the PUBREL of a resumed exchange. It takes no quota: only PUBLISH does.
    pub(super) fn repeat_pubrel(&mut self, key: u32) {
        if let Some(Phase::Released(packet_id)) = self.session.operations.get(key).map(|operation| operation.phase) {
            self.send_pubrel(packet_id);
        }
    }

    fn end_publish(&mut self, key: u32, packet_id: PacketId, outcome: Result<Outcome, RequestError>) {
        self.session.ids.release(packet_id);
        self.session.operations.finish(key, outcome);
        if let State::Open(connection) = &mut self.state {
            connection.return_quota();
        }
        self.pump();
    }

    /// SUBACK or UNSUBACK: one code for each filter, or the server has lost count. [MQTT-3.8.4-6] [MQTT-3.11.3-1]
    fn handle_answer(
        &mut self,
        packet_type: PacketType,
        packet_id: PacketId,
        properties: &SubAckProperties<'_>,
        reason_codes: Repeated<'_, ReasonCode>,
    ) -> Result<(), Violation> {
        let &SubAckProperties { reason_string, user_properties } = properties;
        self.check_explanation(packet_type, &AckProperties { reason_string, user_properties })?;
        let Some(key) = self.session.ids.owner(packet_id) else { return Ok(()) };
        let Some(operation) = self.session.operations.get(key) else { return Ok(()) };
        let (kind, packet) = (operation.kind, operation.packet.clone());
        let expected = match kind {
            Kind::Subscribe | Kind::Resubscribe => PacketType::SubAck,
            Kind::Unsubscribe => PacketType::UnsubAck,
            Kind::PublishAtMostOnce | Kind::PublishAtLeastOnce | Kind::PublishExactlyOnce => PacketType::PubAck,
        };
        if packet_type != expected {
            return Err(conduct(packet_type, "for a request of another kind", "MQTT-2.2.1-6"));
        }
        let filters = requested(&packet);
        if filters.len() != reason_codes.len() {
            return Err(conduct(packet_type, "not one reason code for each filter", "MQTT-3.8.4-6"));
        }
        for ((filter, options), code) in filters.into_iter().zip(reason_codes) {
            match kind {
                Kind::Subscribe | Kind::Resubscribe if !code.is_error() => self.session.subscribed(filter, options),
                Kind::Resubscribe => {
                    self.session.unsubscribed(filter);
                    let reason = ServerReason::new(packet_type, code, reason_string, user_properties);
                    self.events.push_back(EngineEvent::SubscriptionLost { filter: filter.to_owned(), reason });
                }
                _ => {}
            }
        }
        self.session.ids.release(packet_id);
        let outcome = Answered {
            packet_id,
            reason_codes: reason_codes.iter().collect(),
            reason_string: reason_string.map(|text| text.to_string()),
            user_properties: owned(user_properties),
        };
        self.session.operations.finish(key, Ok(Outcome::Answered(outcome)));
        Ok(())
    }

    /// A client that asked for no explanations gets none. [MQTT-3.1.2-29]
    fn check_explanation(&self, packet_type: PacketType, properties: &AckProperties<'_>) -> Result<(), Violation> {
        let asked_for_none = self.options.request_problem_information == Some(false);
        if asked_for_none && (properties.reason_string.is_some() || !properties.user_properties.is_empty()) {
            return Err(conduct(packet_type, "problem information that nobody asked for", "MQTT-3.1.2-29"));
        }
        Ok(())
    }
}

fn refused(ack_type: AckType, ack: &Ack<'_>) -> RequestError {
    let AckProperties { reason_string, user_properties } = ack.properties;
    RequestError::Refused(ServerReason::new(ack_type.packet_type(), ack.reason_code, reason_string, user_properties))
}

fn published(ack: &Ack<'_>) -> Outcome {
    Outcome::Published(Published {
        packet_id: Some(ack.packet_id),
        reason_code: ack.reason_code,
        reason_string: ack.properties.reason_string.map(|text| text.to_string()),
        user_properties: owned(ack.properties.user_properties),
    })
}
