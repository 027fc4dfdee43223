//! The way of an accepted request into the output, at once or from the queue.

use std::time::{Duration, Instant};

use dunlin_codec::{AckType, PacketId, ReasonCode};

use super::Outbound;
use super::accepted_request::{Expiry, OperationId, RequestStage, TimeLimit};
use super::expiry::seconds_left;
use super::outcome::{Outcome, Published};
use super::queue::Queue;
use super::request::Request;
use super::send_context::SendContext;
use crate::engine::output::WrittenRequest;
use crate::error::RequestError;

impl Outbound {
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
    pub(super) fn set_sent(
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
    pub(super) fn set_expiry(&mut self, id: OperationId, seconds: u32, now: Option<Instant>) {
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
