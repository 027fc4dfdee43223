//! From accepted requests to bytes: identifiers, the send quota, what goes now and what waits.

use std::collections::VecDeque;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use dunlin_codec::{Ack, AckType, Delivery, Packet, PacketId, ReasonCode, RetainHandling, SubscriptionOptions};

use super::operation::{Kind, Operation, OperationId, Outcome, Phase, Published};
use super::{Engine, State, encode_subscribe};
use crate::error::RequestError;
use crate::event::ServerLimits;
use crate::message::Message;

/// Filters in one SUBSCRIBE of the engine's own: as many as AWS IoT Core takes.
const FILTERS_PER_SUBSCRIBE: usize = 8;

impl Engine {
    /// Moves the bytes that are to be written into `into`, which should be empty. Acknowledgements are awaited from `now`.
    ///
    /// Returns whether there are any.
    pub fn poll_transmit(&mut self, into: &mut BytesMut, now: Instant) -> bool {
        if self.output.is_empty() {
            return false;
        }
        if into.is_empty() {
            std::mem::swap(&mut self.output, into);
        } else {
            into.unsplit(self.output.split());
        }
        if let State::Open(connection) = &mut self.state {
            connection.transmitted(self.options.ack_timeout, now);
        }
        true
    }

    /// Whether there is something to write.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Writes a message of QoS 0 straight into the output.
    pub(super) fn send_once(&mut self, message: &Message<'_>) -> Result<(), RequestError> {
        let start = self.output.len();
        message.to_packet(Delivery::AtMostOnce)?.encode(&mut self.output)?;
        if let State::Open(connection) = &self.state {
            if let Err(too_large) = connection.check_size(self.output.len() - start) {
                self.output.truncate(start);
                return Err(too_large);
            }
        }
        Ok(())
    }

    /// Takes a request in: it is sent at once if it may be, or waits.
    pub(super) fn accept(&mut self, kind: Kind, packet: Bytes) -> Result<OperationId, RequestError> {
        if let State::Open(connection) = &self.state {
            connection.check_size(packet.len())?;
            check_subscriptions(kind, &packet, &connection.limits)?;
        }
        let id = self.session.operations.insert(kind, packet);
        let waits = self.session.operations.get(id.key()).is_some_and(Operation::takes_quota);
        // A full window holds back messages of QoS 1 and 2, and nothing else. [MQTT-3.3.4-8]
        if self.is_connected() && !waits {
            self.send(id.key());
        } else {
            self.session.queue.push_back(id.key());
            self.pump();
        }
        Ok(id)
    }

    /// Sends messages as long as the server takes more: repetitions first, then the queue in order.
    pub(super) fn pump(&mut self) {
        while let State::Open(connection) = &self.state {
            if !connection.has_quota() {
                return;
            }
            let next = self.session.resend.pop_front().or_else(|| self.session.queue.pop_front());
            let Some(key) = next else { return };
            self.send(key);
        }
    }

    /// Sends everything in the queue that needs no quota, then pumps: for a connection that has just opened.
    pub(super) fn flush_queue(&mut self) {
        let waiting = std::mem::take(&mut self.session.queue);
        let mut held_back = VecDeque::new();
        for key in waiting {
            match self.session.operations.get(key) {
                Some(operation) if operation.takes_quota() => held_back.push_back(key),
                Some(_) => self.send(key),
                None => {}
            }
        }
        self.session.queue = held_back;
        self.pump();
    }

    /// Puts one request into the output, under an identifier of its own, or fails it.
    fn send(&mut self, key: u32) {
        if let Err(error) = self.try_send(key) {
            if let Some(Phase::Sent(id)) = self.session.operations.get(key).map(|operation| operation.phase) {
                self.session.ids.release(id);
            }
            self.session.operations.finish(key, Err(error));
        }
    }

    fn try_send(&mut self, key: u32) -> Result<(), RequestError> {
        let State::Open(connection) = &mut self.state else { return Ok(()) };
        let Some(operation) = self.session.operations.get(key) else { return Ok(()) };
        // Limits may have changed since the request was accepted. [MQTT-3.2.2-15]
        connection.check_size(operation.packet.len())?;
        let (kind, phase, bytes) = (operation.kind, operation.phase, operation.packet.clone());
        check_subscriptions(kind, &bytes, &connection.limits)?;
        let Ok(Some((mut packet, _))) = Packet::decode(&bytes) else { return Ok(()) };
        if let Packet::Publish(publish) = &packet {
            connection.check_publish(publish.delivery.qos(), publish.retain)?;
        }
        if kind == Kind::PublishAtMostOnce {
            packet.encode(&mut self.output)?;
            self.session.operations.finish(key, Ok(Outcome::Published(Published::unacknowledged())));
            return Ok(());
        }
        let (id, dup) = match phase {
            // It was on the wire before, under this identifier. [MQTT-3.3.1-1]
            Phase::Sent(id) => (id, true),
            _ => (self.session.ids.allocate(key).ok_or(RequestError::NoPacketId)?, false),
        };
        identify(&mut packet, id, dup);
        let encoded = packet.encode(&mut self.output);
        let order = if dup { None } else { Some(self.session.next_order()) };
        if let Some(operation) = self.session.operations.get_mut(key) {
            operation.phase = Phase::Sent(id);
            operation.order = order.unwrap_or(operation.order);
            if operation.takes_quota() {
                connection.take_quota();
            }
        }
        if let Some(name) = self.session.operations.id(key) {
            connection.awaits(name);
        }
        Ok(encoded?)
    }

    /// Sends the PUBREL of an exchange whose PUBREC came.
    pub(super) fn send_pubrel(&mut self, packet_id: PacketId) {
        self.send_ack(AckType::PubRel, packet_id, ReasonCode::Success);
    }

    pub(super) fn send_ack(&mut self, ack_type: AckType, packet_id: PacketId, reason_code: ReasonCode) {
        let ack = Ack { reason_code, ..Ack::success(packet_id) };
        self.send_packet(&ack.into_packet(ack_type));
    }

    /// Sends the acknowledgements whose turn it is.
    pub(super) fn send_due_acks(&mut self) {
        while self.is_connected() {
            let Some((ack_type, packet_id)) = self.session.inbound.next_due() else { break };
            self.send_ack(ack_type, packet_id, ReasonCode::Success);
        }
    }

    /// Puts a small packet of the engine's own into the output. It is valid by construction.
    pub(super) fn send_packet(&mut self, packet: &Packet<'_>) {
        let encoded = packet.encode(&mut self.output);
        debug_assert_eq!(encoded, Ok(()), "{packet:?}");
    }

    /// Asks again for what the server granted before it forgot the session.
    pub(super) fn renew_subscriptions(&mut self) {
        let active = self.session.subscriptions.clone();
        for chunk in active.chunks(FILTERS_PER_SUBSCRIBE) {
            // The server may remember the subscription after all: retained messages come only if it doesn't.
            let renewed = |options: SubscriptionOptions| match options.retain_handling {
                RetainHandling::Send => SubscriptionOptions { retain_handling: RetainHandling::SendIfNew, ..options },
                RetainHandling::SendIfNew | RetainHandling::DontSend => options,
            };
            let filters: Vec<_> =
                chunk.iter().map(|each| (each.filter.as_str(), renewed(each.options))).collect();
            if let Ok(packet) = encode_subscribe(&filters) {
                let id = self.session.operations.insert(Kind::Resubscribe, packet);
                self.send(id.key());
            }
        }
    }
}

/// Gives a request its identifier.
fn identify(packet: &mut Packet<'_>, id: PacketId, dup: bool) {
    match packet {
        Packet::Publish(publish) => publish.delivery = Delivery::new(publish.delivery.qos(), id, dup),
        Packet::Subscribe(subscribe) => subscribe.packet_id = id,
        Packet::Unsubscribe(unsubscribe) => unsubscribe.packet_id = id,
        _ => {}
    }
}

/// Whether the server has what a SUBSCRIBE asks for. [U-3.2.2-3]
fn check_subscriptions(
    kind: Kind,
    packet: &[u8],
    limits: &ServerLimits,
) -> Result<(), RequestError> {
    let has_all = limits.wildcard_subscription_available && limits.shared_subscription_available;
    if has_all || !matches!(kind, Kind::Subscribe | Kind::Resubscribe) {
        return Ok(());
    }
    let Ok(Some((Packet::Subscribe(subscribe), _))) = Packet::decode(packet) else { return Ok(()) };
    for each in &subscribe.subscriptions {
        if each.filter.is_shared() && !limits.shared_subscription_available {
            return Err(RequestError::SharedNotSupported);
        }
        if each.filter.has_wildcard() && !limits.wildcard_subscription_available {
            return Err(RequestError::WildcardNotSupported);
        }
    }
    Ok(())
}
