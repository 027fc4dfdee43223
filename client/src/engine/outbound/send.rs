//! From accepted requests to bytes: identifiers, the send quota, what goes now and what waits.

use dunlin_codec::{Ack, AckType, Delivery, FixedHeader, Packet, PacketId, QoS, ReasonCode};

use crate::engine::outbound::expiry::seconds_left;
use crate::engine::outbound::operation::{Kind, OperationId, Outcome, Phase, Published};
use crate::engine::outbound::queue::Queue;
use crate::engine::outbound::request::requested;
use crate::engine::subscriptions::renewal::missing_feature;
use crate::engine::{Engine, State};
use crate::error::RequestError;
use crate::event::ServerLimits;

impl Engine {
    /// Takes a request in: it is sent at once if it may be, or waits.
    pub(in crate::engine) fn accept(
        &mut self,
        kind: Kind,
        packet: Vec<u8>,
    ) -> Result<OperationId, RequestError> {
        if let State::Open(connection) = &self.state {
            connection.check_size(packet.len())?;
            check_subscriptions(kind, &packet, &connection.limits)?;
        }
        let id = self.session.operations.insert(kind, packet);
        let is_paced = self.is_paced();
        let waits = self
            .session
            .operations
            .get_by(id)
            .is_some_and(|each| each.takes_turns(is_paced));
        // A full window holds back messages of QoS 1 and 2, and nothing else. [MQTT-3.3.4-8]
        if self.is_connected() && !waits && !self.session.ids.is_full() {
            self.send(id);
        } else {
            self.session.wait_last(id);
            self.pump();
            if self
                .session
                .operations
                .get_by(id)
                .is_some_and(|each| each.phase == Phase::Queued)
            {
                self.limit_waiting_for(id);
            }
        }
        Ok(id)
    }

    /// Sends what waits, in order, until the server's Receive Maximum, the identifiers or the pace
    /// are used up.
    pub(in crate::engine) fn pump(&mut self) {
        if !self.session.may_have_waiting() {
            return;
        }
        while let State::Open(connection) = &mut self.state {
            let Some((id, operation)) = self.session.first_waiting() else {
                return;
            };
            if operation.takes_quota() && !connection.quota.has_room() {
                return self.pump_at_most_once();
            }
            let message = operation.is_publish().then_some(operation.packet.len());
            if operation.needs_id() && self.session.ids.is_full() {
                return self.pump_at_most_once();
            }
            if message.is_some_and(|size| !connection.admits(size, self.now)) {
                return;
            }
            self.session.take_first_waiting();
            connection.count(message, self.now);
            self.send(id);
        }
    }

    /// Sends messages of QoS 0 past those that wait for the window: only the pace holds them back.
    fn pump_at_most_once(&mut self) {
        while let State::Open(connection) = &mut self.state {
            if connection.pacer.is_none() {
                return;
            }
            let operations = &self.session.operations;
            let Some(id) = self.session.queue.oldest_at_most_once(operations) else {
                return;
            };
            let Some(size) = operations
                .get_by(id)
                .map(|operation| operation.packet.len())
            else {
                return;
            };
            if !connection.admits(size, self.now) {
                return;
            }
            connection.count(Some(size), self.now);
            self.send(id);
            self.session.queue.leave_gap(&self.session.operations);
        }
    }

    /// Sends what has waited for a connection: everything in order, or what needs no quota past
    /// what does.
    pub(in crate::engine) fn flush_queue(&mut self) {
        self.pump();
        let is_paced = self.is_paced();
        let (mut queue, mut held_back) =
            (std::mem::take(&mut self.session.queue), Queue::default());
        while let Some(id) = queue.pop_front(&self.session.operations) {
            let waits = self
                .session
                .operations
                .get_by(id)
                .is_some_and(|each| each.takes_turns(is_paced));
            if waits || self.session.ids.is_full() {
                held_back.push_back(id);
            } else {
                self.send(id);
            }
        }
        self.session.queue = held_back;
        self.limit_waiting();
    }

    /// Puts one request into the output, under an identifier of its own, or fails it.
    pub(in crate::engine) fn send(&mut self, id: OperationId) {
        let Err(error) = self.try_send(id) else {
            return;
        };
        let operations = &mut self.session.operations;
        match operations.get_by(id).map(|operation| operation.phase) {
            // The server may know the identifier of what was on the wire before: it stays taken.
            Some(Phase::Repeat(_)) => {
                operations.settle(id.key(), Err(error));
                operations.drop_packet(id.key());
            }
            _ => operations.finish(id.key(), Err(error)),
        }
    }

    fn try_send(&mut self, id: OperationId) -> Result<(), RequestError> {
        let State::Open(connection) = &mut self.state else {
            return Ok(());
        };
        let Some(operation) = self.session.operations.get_by(id) else {
            return Ok(());
        };
        if operation.takes_quota()
            && !connection.outbound_aliases.choose_by_themselves()
            && let Some((header, id_at)) = without_properties(&operation.packet)
        {
            // Limits may have changed since the request was accepted. [MQTT-3.2.2-15]
            connection.check_size(operation.packet.len())?;
            connection.check_publish(operation.qos(), header.flags & RETAIN != 0)?;
            return self.try_copy(id, id_at);
        }
        let (kind, phase, expires) = (operation.kind, operation.phase, operation.expires);
        let bytes = operation.packet.clone();
        let left = expires
            .zip(self.now)
            .map(|(expires, now)| seconds_left(expires, now));
        let Ok(Some((mut packet, _))) = Packet::decode(&bytes) else {
            return Ok(());
        };
        // Limits may have changed since the request was accepted. [MQTT-3.2.2-15]
        connection.check_size(bytes.len())?;
        check_subscriptions(kind, &bytes, &connection.limits)?;
        if let Packet::Publish(publish) = &mut packet {
            connection.check_publish(publish.delivery.qos(), publish.retain)?;
            let interval = &mut publish.properties.message_expiry_interval;
            if let (Some(seconds), Some(left)) = (&interval, left) {
                // A repetition is due however late. Some servers take 0 for "never", so it isn't
                // said unasked.
                *interval = Some(left.max(1.min(*seconds)));
            }
        }
        let aliased = match &mut packet {
            Packet::Publish(publish) => connection.shorten(publish),
            _ => None,
        };
        if kind == Kind::PublishAtMostOnce {
            packet.encode(&mut self.output)?;
            connection.bind(aliased);
            self.count_message(QoS::AtMostOnce, false);
            let outcome = Outcome::Published(Published::unacknowledged());
            self.session.operations.finish(id.key(), Ok(outcome));
            return Ok(());
        }
        let (packet_id, repeated) = match phase {
            // It was on the wire before, under this identifier. [MQTT-3.3.1-1]
            Phase::Repeat(packet_id) => (packet_id, true),
            _ => (
                self.session
                    .ids
                    .allocate(id.key())
                    .ok_or(RequestError::NoPacketId)?,
                false,
            ),
        };
        identify(&mut packet, packet_id, repeated);
        leave_out(&mut packet, &connection.limits);
        if let Err(error) = packet.encode(&mut self.output) {
            self.session.ids.release(packet_id);
            return Err(error.into());
        }
        connection.bind(aliased);
        match packet {
            Packet::Publish(publish) => self.count_message(publish.delivery.qos(), repeated),
            _ => self.counts().packets_sent += 1,
        }
        self.sent(id, packet_id, repeated);
        Ok(())
    }

    /// A message is in the output.
    pub(in crate::engine) const fn count_message(&mut self, qos: QoS, repeated: bool) {
        let counts = self.counts();
        counts.packets_sent += 1;
        if repeated {
            counts.repeated += 1;
        } else {
            counts.messages_sent.count(qos);
        }
    }

    /// Sends a message as it was accepted, but for its identifier and DUP.
    fn try_copy(&mut self, id: OperationId, id_at: usize) -> Result<(), RequestError> {
        let Some(operation) = self.session.operations.get_by(id) else {
            return Ok(());
        };
        let (packet_id, repeated) = match operation.phase {
            Phase::Repeat(packet_id) => (packet_id, true),
            _ => (
                self.session
                    .ids
                    .allocate(id.key())
                    .ok_or(RequestError::NoPacketId)?,
                false,
            ),
        };
        let start = self.output.len();
        self.output.extend_from_slice(&operation.packet);
        if let Some(place) = self.output.get_mut(start + id_at..start + id_at + 2) {
            place.copy_from_slice(&packet_id.get().to_be_bytes());
        }
        if let Some(first) = self.output.get_mut(start).filter(|_| repeated) {
            *first |= DUP;
        }
        let qos = operation.qos();
        self.count_message(qos, repeated);
        self.sent(id, packet_id, repeated);
        Ok(())
    }

    /// Takes note of a request that is in the output now.
    pub(in crate::engine) fn sent(&mut self, id: OperationId, packet_id: PacketId, repeated: bool) {
        let order = self.session.next_order();
        let Some(operation) = self.session.operations.get_mut(id.key()) else {
            return;
        };
        operation.phase = Phase::Sent(packet_id);
        let is_timed = operation.is_timed;
        if !repeated {
            operation.order = order;
        }
        let State::Open(connection) = &mut self.state else {
            return;
        };
        if operation.takes_quota() {
            connection.quota.take();
        }
        self.awaits(id, repeated, is_timed);
    }

    /// Sends the PUBREL of an exchange whose PUBREC came.
    pub(in crate::engine) fn send_pubrel(&mut self, packet_id: PacketId) {
        self.send_ack(AckType::PubRel, packet_id, ReasonCode::Success);
    }

    pub(in crate::engine) fn send_ack(
        &mut self,
        ack_type: AckType,
        packet_id: PacketId,
        reason_code: ReasonCode,
    ) {
        let ack = Ack {
            reason_code,
            ..Ack::success(packet_id)
        };
        self.counts().packets_sent += 1;
        let encoded = ack.encode(ack_type, &mut self.output);
        debug_assert_eq!(encoded, Ok(()), "{ack:?}");
    }

    /// Sends the acknowledgements whose turn it is.
    pub(in crate::engine) fn send_due_acks(&mut self) {
        loop {
            while self.is_connected() {
                let Some(due) = self.session.inbound.next_due() else {
                    break;
                };
                self.send_ack(due.ack_type, due.packet_id, due.reason_code);
            }
            if !self.refuse_unmatched() {
                break;
            }
        }
    }

    /// Puts a small packet of the engine's own into the output. It is valid by construction.
    pub(in crate::engine) fn send_packet(&mut self, packet: &Packet<'_>) {
        self.counts().packets_sent += 1;
        let encoded = packet.encode(&mut self.output);
        debug_assert_eq!(encoded, Ok(()), "{packet:?}");
    }
}

/// Where the identifier of a PUBLISH is, if it has no properties: neither an expiry that has gone
/// down nor an alias that this server doesn't know, so it needn't be encoded again.
fn without_properties(packet: &[u8]) -> Option<(FixedHeader, usize)> {
    let header = FixedHeader::peek(packet, u32::MAX).ok()??;
    let body = packet.get(usize::from(header.header_len)..)?;
    let (topic_len, _) = body.split_first_chunk()?;
    let after_topic = 2 + usize::from(u16::from_be_bytes(*topic_len));
    (*body.get(after_topic + 2)? == 0)
        .then_some((header, usize::from(header.header_len) + after_topic))
}

/// Bits in the fixed header of a PUBLISH (§3.3.1).
const DUP: u8 = 0b1000;
const RETAIN: u8 = 0b0001;

/// Gives a request its identifier.
fn identify(packet: &mut Packet<'_>, id: PacketId, dup: bool) {
    match packet {
        Packet::Publish(publish) => {
            publish.delivery = Delivery::new(publish.delivery.qos(), id, dup);
        }
        Packet::Subscribe(subscribe) => subscribe.packet_id = id,
        Packet::Unsubscribe(unsubscribe) => unsubscribe.packet_id = id,
        _ => {}
    }
}

/// Takes out what this connection's server has nothing for: it would answer 0xA1 (§3.2.2.3.12).
const fn leave_out(packet: &mut Packet<'_>, limits: &ServerLimits) {
    if let Packet::Subscribe(subscribe) = packet
        && !limits.subscription_identifier_available
    {
        subscribe.properties.subscription_identifier = None;
    }
}

/// Whether the server has what a SUBSCRIBE asks for.
fn check_subscriptions(
    kind: Kind,
    packet: &[u8],
    limits: &ServerLimits,
) -> Result<(), RequestError> {
    let has_all = limits.wildcard_subscription_available && limits.shared_subscription_available;
    if has_all || !matches!(kind, Kind::Subscribe | Kind::Resubscribe) {
        return Ok(());
    }
    requested(packet).into_iter().try_for_each(|(filter, _)| {
        match missing_feature(filter, limits) {
            None => Ok(()),
            Some(missing) => Err(missing),
        }
    })
}
