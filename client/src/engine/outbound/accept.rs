//! Acceptance of requests: sent at once where nothing holds them back, queued otherwise.

use dunlin_codec::{Delivery, QoS};

use super::Outbound;
use super::accepted_request::OperationId;
use super::request::{PublishRequest, Request, first_delivery};
use super::send_context::SendContext;
use crate::engine::engine_event::Accepted;
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
}
