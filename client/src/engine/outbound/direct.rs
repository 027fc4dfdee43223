//! The short way: a message that needn't wait is encoded once, into the output.

use dunlin_codec::{Delivery, Publish, QoS};

use crate::engine::outbound::operation::{Kind, OperationId};
use crate::engine::{Engine, State};
use crate::error::RequestError;
use crate::message::Message;

impl Engine {
    /// Whether a message of QoS 0 goes straight into the output: none waits, and it isn't too much
    /// at once.
    pub(in crate::engine) fn may_send_once(&mut self, size: usize) -> bool {
        let State::Open(connection) = &mut self.state else {
            return false;
        };
        connection.pacer.is_none()
            || self.session.queue.len() == 0 && connection.admits(size, self.now)
    }

    /// Writes a message of QoS 0 straight into the output.
    pub(in crate::engine) fn send_once(
        &mut self,
        message: &Message<'_>,
    ) -> Result<(), RequestError> {
        let start = self.output.len();
        let user_properties = message.checked_user_properties()?;
        let mut publish = message.to_packet(Delivery::AtMostOnce, &user_properties)?;
        let State::Open(connection) = &mut self.state else {
            return Ok(());
        };
        let aliased = connection.shorten(&mut publish);
        publish.encode(&mut self.output)?;
        if let Err(too_large) = connection.check_size(self.output.len() - start) {
            self.output.truncate(start);
            return Err(too_large);
        }
        connection.bind(aliased);
        connection.count(Some(self.output.len() - start), self.now);
        self.count_message(QoS::AtMostOnce, false);
        Ok(())
    }

    /// Whether a message of QoS 1 or 2 needn't wait for others, nor for room, and leaves as it is
    /// kept.
    pub(in crate::engine) fn may_send_now(&self) -> bool {
        let State::Open(connection) = &self.state else {
            return false;
        };
        connection.quota.has_room()
            && connection.takes_messages_as_they_are()
            && !self.session.ids.is_full()
            && !self.session.may_have_waiting()
    }

    /// Writes a message of QoS 1 or 2 straight into the output, and keeps what it wrote.
    pub(in crate::engine) fn send_now(
        &mut self,
        kind: Kind,
        publish: &Publish<'_>,
    ) -> Result<OperationId, RequestError> {
        let State::Open(connection) = &self.state else {
            return Err(RequestError::Offline);
        };
        let (operations, ids) = (&mut self.session.operations, &mut self.session.ids);
        let packet_id = ids
            .allocate(operations.next_key())
            .ok_or(RequestError::NoPacketId)?;
        let qos = publish.delivery.qos();
        let publish = Publish {
            delivery: Delivery::new(qos, packet_id, false),
            ..*publish
        };
        let start = self.output.len();
        let encoded = publish.encode(&mut self.output).map_err(RequestError::from);
        if let Err(error) = encoded.and_then(|()| connection.check_size(self.output.len() - start))
        {
            self.output.truncate(start);
            ids.release(packet_id);
            return Err(error);
        }
        let mut packet = operations.buffer();
        packet.extend_from_slice(self.output.get(start..).unwrap_or_default());
        let id = operations.insert(kind, packet);
        self.count_message(qos, false);
        self.sent(id, packet_id, false);
        Ok(id)
    }
}
