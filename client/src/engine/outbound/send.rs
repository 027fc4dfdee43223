//! The way of a request into the output: accepted, sent at once or queued, written.

use std::time::{Duration, Instant};

use dunlin_codec::{AckType, Delivery, PacketId, QoS, ReasonCode};

use super::Outbound;
use super::accepted_request::{Expiry, OperationId, RequestStage, TimeLimit};
use super::expiry::seconds_left;
use super::outcome::{Outcome, Published};
use super::queue::Queue;
use super::request::{PublishRequest, Request, first_delivery};
use super::send_context::SendContext;
use crate::engine::engine_event::Accepted;
use crate::engine::output::WrittenRequest;
use crate::error::RequestError;
use crate::message::Message;

impl Outbound {
    /// Accepts a message that passed all checks: writes it at once if nothing holds it back, or
    /// queues it.
    ///
    /// # Errors
    /// Content that cannot be encoded, or a packet that is too large for the server. Nothing is
    /// queued then.
    pub(in crate::engine) fn publish(
        &mut self,
        message: &Message<'_>,
        cx: &mut SendContext<'_>,
    ) -> Result<Accepted, RequestError> {
        // The common case at QoS 0: written, and forgotten.
        if message.qos == QoS::AtMostOnce && self.sends_at_most_once(message.load(), cx) {
            let user_properties = message.checked_user_properties()?;
            // By reference: a PUBLISH is large, and to move it takes time.
            let packet = message.to_packet(Delivery::AtMostOnce, &user_properties);
            let size = cx.write_publish(packet.as_ref().map_err(Clone::clone)?)?;
            if let Some(flow) = &mut cx.flow {
                flow.count(size, cx.now);
            }
            cx.statistics.count_sent(QoS::AtMostOnce, false);
            return Ok(Accepted::Sent);
        }
        // The common case at QoS 1 and 2: written, and a copy of the output is kept.
        let id = if message.qos != QoS::AtMostOnce && self.sends_now(cx) {
            self.send_new(message, cx)?
        } else {
            let user_properties = message.checked_user_properties()?;
            let publish = message.to_packet(first_delivery(message.qos), &user_properties)?;
            let mut packet = Vec::with_capacity(publish.encoded_len()?);
            publish.encode(&mut packet)?;
            let (qos, retain) = (message.qos, message.retain);
            self.submit(
                Request::Publish(PublishRequest {
                    qos,
                    retain,
                    packet,
                }),
                cx,
            )?
        };
        if let Some(seconds) = message.properties.message_expiry_interval {
            self.set_expiry(id, seconds, cx.now);
        }
        self.limit_request(id, cx.options.request_timeout.publish, cx.now);
        Ok(Accepted::Pending(id))
    }

    /// Returns `true` if a message of QoS 0 is written at once: none waits, and the rate limit
    /// admits it.
    fn sends_at_most_once(&self, size: usize, cx: &mut SendContext<'_>) -> bool {
        let Some(flow) = &mut cx.flow else {
            return false;
        };
        !flow.is_paced() || self.queue.len() == 0 && flow.admits(size, cx.now)
    }

    /// Returns `true` if a message of QoS 1 or 2 is written at once: nothing waits, there is space
    /// in the server's Receive Maximum, and the packet needs no change.
    fn sends_now(&self, cx: &SendContext<'_>) -> bool {
        let Some(flow) = &cx.flow else {
            return false;
        };
        flow.quota.has_space()
            && flow.is_plain()
            && !self.packet_ids.is_full()
            && !self.may_have_waiting()
    }

    /// Writes a new message of QoS 1 or 2, and keeps a copy of what was written.
    fn send_new(
        &mut self,
        message: &Message<'_>,
        cx: &mut SendContext<'_>,
    ) -> Result<OperationId, RequestError> {
        let user_properties = message.checked_user_properties()?;
        // The identifier is part of the packet, so it is reserved first.
        let (qos, retain) = (message.qos, message.retain);
        let packet_id = self
            .packet_ids
            .allocate(self.operations.next_key())
            .ok_or(RequestError::NoPacketId)?;
        let delivery = Delivery::new(qos, packet_id, false);
        // By reference: a PUBLISH is large, and to move it takes time.
        let packet = message.to_packet(delivery, &user_properties);
        let written = match &packet {
            Ok(publish) => cx.write_publish(publish),
            Err(error) => Err(error.clone()),
        };
        let size = match written {
            Ok(size) => size,
            Err(error) => {
                self.packet_ids.release(packet_id);
                return Err(error);
            }
        };
        // The copy is what is repeated after a reconnection.
        let mut packet = self.operations.buffer();
        packet.extend_from_slice(cx.output.last(size));
        let id = self.operations.insert(Request::Publish(PublishRequest {
            qos,
            retain,
            packet,
        }));
        cx.statistics.count_sent(qos, false);
        self.set_sent(id, packet_id, false, cx);
        Ok(id)
    }

    /// Accepts a request: sends it if it need not wait, or queues it after all others.
    ///
    /// # Errors
    /// The server takes no packet of this size, or lacks a feature that a filter needs. Nothing is
    /// queued then.
    pub(in crate::engine) fn submit(
        &mut self,
        request: Request,
        cx: &mut SendContext<'_>,
    ) -> Result<OperationId, RequestError> {
        // What the connection would refuse is refused now, not later.
        if let Some(flow) = &cx.flow {
            flow.check_size(request.size())?;
            if let Request::Subscribe(subscribe) = &request {
                flow.check_subscribe(subscribe)?;
            }
        }
        let waits = request.waits_in_queue(cx.is_paced());
        let id = self.operations.insert(request);
        // A full window holds back messages of QoS 1 and 2, and nothing else. [MQTT-3.3.4-8]
        if cx.flow.is_some() && !waits && !self.packet_ids.is_full() {
            self.send(id, cx);
            return Ok(id);
        }
        // The request waits, unless the queue moves at once.
        self.queue_last(id);
        self.send_queued(cx);
        let still_waits = self
            .operations
            .get_by(id)
            .is_some_and(|each| each.is_queued());
        // A request must not wait for ever behind a server that is stuck.
        if still_waits {
            self.limit_waiting_for(id, cx);
        }
        Ok(id)
    }

    /// Sends what waits, in order, until the server's Receive Maximum, the packet identifiers or
    /// the rate limit are used up.
    #[inline]
    pub(in crate::engine) fn send_queued(&mut self, cx: &mut SendContext<'_>) {
        // Called after each acknowledgement: mostly nothing waits.
        if self.may_have_waiting() {
            self.send_waiting(cx);
        }
    }

    fn send_waiting(&mut self, cx: &mut SendContext<'_>) {
        while cx.flow.is_some() {
            let is_full = self.packet_ids.is_full();
            let Some((id, operation)) = self.first_waiting() else {
                return;
            };
            let Some(flow) = &mut cx.flow else { return };
            // The first request waits for an acknowledgement; QoS 0 need not.
            let is_blocked = operation.request.needs_quota() && !flow.quota.has_space()
                || operation.needs_packet_id() && is_full;
            if is_blocked {
                return self.send_queued_at_most_once(cx);
            }
            // The rate limit counts messages only.
            if operation.request.is_publish() {
                let size = operation.request.size();
                if !flow.admits(size, cx.now) {
                    return;
                }
                flow.count(size, cx.now);
            }
            self.take_first_waiting();
            self.send(id, cx);
        }
    }

    /// Sends messages of QoS 0 past those that wait for the Receive Maximum: only the rate limit
    /// holds them back.
    fn send_queued_at_most_once(&mut self, cx: &mut SendContext<'_>) {
        while let Some(flow) = &mut cx.flow {
            if !flow.is_paced() {
                return;
            }
            let Some(id) = self.queue.oldest_at_most_once(&self.operations) else {
                return;
            };
            let Some(operation) = self.operations.get_by(id) else {
                return;
            };
            let size = operation.request.size();
            if !flow.admits(size, cx.now) {
                return;
            }
            flow.count(size, cx.now);
            self.send(id, cx);
            self.queue.leave_gap(&self.operations);
        }
    }

    /// Sends what has waited for a connection: first in order as far as the Receive Maximum allows,
    /// then what needs no quota past what does.
    pub(in crate::engine) fn send_after_connack(&mut self, cx: &mut SendContext<'_>) {
        self.send_queued(cx);
        let is_paced = cx.is_paced();
        let (mut queue, mut blocked) = (std::mem::take(&mut self.queue), Queue::default());
        // SUBSCRIBE, UNSUBSCRIBE and QoS 0 pass messages that wait for the window.
        while let Some(id) = queue.pop_front(&self.operations) {
            let waits = self
                .operations
                .get_by(id)
                .is_some_and(|each| each.request.waits_in_queue(is_paced));
            if waits || self.packet_ids.is_full() {
                blocked.push_back(id);
            } else {
                self.send(id, cx);
            }
        }
        self.queue = blocked;
        // The rest waits, but not for ever.
        self.limit_waiting(cx);
    }

    /// Writes one request under an identifier of its own, or fails it.
    pub(in crate::engine) fn send(&mut self, id: OperationId, cx: &mut SendContext<'_>) {
        let Err(error) = self.write_request(id, cx) else {
            return;
        };
        let (key, operations) = (id.key(), &mut self.operations);
        match operations.get_by(id).map(|operation| operation.stage) {
            // The server may know the identifier of what an earlier connection carried: it stays
            // reserved.
            Some(RequestStage::Resend(_)) => {
                operations.set_outcome(key, Err(error), cx.statistics);
                operations.drop_packet(key);
            }
            _ => operations.complete(key, Err(error), cx.statistics),
        }
    }

    /// Encodes one request into the output.
    fn write_request(
        &mut self,
        id: OperationId,
        cx: &mut SendContext<'_>,
    ) -> Result<(), RequestError> {
        let Some(flow) = cx.flow.as_deref_mut() else {
            return Ok(());
        };
        let Some(operation) = self.operations.get_by(id) else {
            return Ok(());
        };
        // A repetition that failed before is not sent any more: only its identifier is reserved.
        if operation.request.is_publish() && operation.request.size() == 0 {
            return Ok(());
        }
        // Limits may have changed since the request was accepted. [MQTT-3.2.2-15]
        flow.check_size(operation.request.size())?;
        match &operation.request {
            Request::Publish(publish) => flow.check_publish(publish.qos, publish.retain)?,
            Request::Subscribe(subscribe) => flow.check_subscribe(subscribe)?,
            Request::Unsubscribe(_) | Request::Authenticate => {}
        }

        // Repetitions have the identifier of the first time. [MQTT-3.3.1-1]
        let (packet_id, is_repetition) = match operation.stage {
            RequestStage::Resend(packet_id) => (Some(packet_id), true),
            _ if operation.request.has_packet_id() => {
                let packet_id = self.packet_ids.allocate(id.key());
                (Some(packet_id.ok_or(RequestError::NoPacketId)?), false)
            }
            _ => (None, false),
        };
        // The time that the message has waited is taken off its expiry interval.
        let seconds_left = operation
            .expiry
            .zip(cx.now)
            .map(|(expiry, now)| seconds_left(expiry.at, now));
        let has_identifiers = flow.server.subscription_identifier_available;
        // Each kind of request is encoded in one place.
        let written = match &operation.request {
            Request::Publish(publish) => {
                cx.write_accepted(publish, packet_id, is_repetition, seconds_left)
            }
            Request::Subscribe(subscribe) => packet_id.map_or(Ok(()), |packet_id| {
                subscribe.encode(packet_id, has_identifiers, cx.output.buffer())
            }),
            Request::Unsubscribe(unsubscribe) => packet_id.map_or(Ok(()), |packet_id| {
                unsubscribe.encode(packet_id, cx.output.buffer())
            }),
            // AUTH is written by the connection that it belongs to, and never waits.
            Request::Authenticate => Ok(()),
        };
        if let Err(error) = written {
            if let Some(packet_id) = packet_id.filter(|_| !is_repetition) {
                self.packet_ids.release(packet_id);
            }
            return Err(error);
        }

        // Written: counted, and its answer is awaited.
        match operation.request.message_qos() {
            Some(qos) => cx.statistics.count_sent(qos, is_repetition),
            None => cx.statistics.packets_sent += 1,
        }
        match packet_id {
            Some(packet_id) => self.set_sent(id, packet_id, is_repetition, cx),
            // QoS 0 ends here.
            None => {
                let outcome = Outcome::Published(Published::unacknowledged());
                self.operations
                    .complete(id.key(), Ok(outcome), cx.statistics);
            }
        }
        Ok(())
    }

    /// Notes that a request was written up to its end.
    fn set_sent(
        &mut self,
        id: OperationId,
        packet_id: PacketId,
        is_repetition: bool,
        cx: &mut SendContext<'_>,
    ) {
        let order = self.next_order();
        let Some(operation) = self.operations.get_mut(id.key()) else {
            return;
        };
        // The answer is awaited under this identifier.
        operation.stage = RequestStage::Sent(packet_id);
        // The order of repetitions is that of the first sends.
        if !is_repetition {
            operation.order = order;
        }
        // The message takes a place in the window until it is acknowledged.
        if let Some(flow) = &mut cx.flow
            && operation.request.needs_quota()
        {
            flow.quota.take();
        }
        cx.output.push_request(WrittenRequest {
            id,
            is_repetition,
            has_deadline: operation.time_limit == TimeLimit::ForAcknowledgement,
        });
    }

    /// Repeats the PUBREL of a resumed exchange. Servers count its message until PUBCOMP, so it is
    /// counted here.
    pub(in crate::engine) fn repeat_pubrel(&self, id: OperationId, cx: &mut SendContext<'_>) {
        let Some(operation) = self.operations.get_by(id) else {
            return;
        };
        let (RequestStage::Released(packet_id), Some(flow)) = (operation.stage, &mut cx.flow)
        else {
            return;
        };
        let has_deadline = operation.time_limit == TimeLimit::ForAcknowledgement;
        flow.quota.take();
        cx.write_ack(AckType::PubRel, packet_id, ReasonCode::Success);
        cx.output.push_request(WrittenRequest {
            id,
            is_repetition: true,
            has_deadline,
        });
    }

    /// Starts the Message Expiry Interval of a message that was accepted just now.
    fn set_expiry(&mut self, id: OperationId, seconds: u32, now: Option<Instant>) {
        if let Some(operation) = self.operations.get_mut(id.key()) {
            operation.expiry = now
                .and_then(|now| now.checked_add(Duration::from_secs(seconds.into())))
                .map(|at| Expiry {
                    at,
                    is_watched: false,
                });
            self.watch_expiry(id);
        }
    }
}
