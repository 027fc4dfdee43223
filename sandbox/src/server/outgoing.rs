//! What waits for one subscriber: bounded, in order, and no more unacknowledged than the client takes.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use dunlin_codec::{Delivery, PacketId, QoS};

use crate::server::limits::MAX_QUEUED;
use crate::server::message::Message;

/// The queue and the identifiers in use.
#[derive(Debug)]
pub(crate) struct Outgoing {
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    unacknowledged: HashSet<PacketId>,
    receive_maximum: usize,
    last_id: u16,
}

/// One message for one subscriber.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

impl Outgoing {
    pub(crate) fn new(receive_maximum: u16) -> Self {
        Self {
            queue: VecDeque::new(),
            queued_bytes: 0,
            unacknowledged: HashSet::new(),
            receive_maximum: receive_maximum.into(),
            last_id: 0,
        }
    }

    /// `false` where the subscriber is too far behind, with more than `room` bytes waiting: the message is dropped.
    pub(crate) fn push(&mut self, queued: Queued, room: usize) -> bool {
        let bytes = self.queued_bytes + queued.message.len();
        if self.queue.len() >= MAX_QUEUED || bytes > room {
            return false;
        }
        self.queued_bytes = bytes;
        self.queue.push_back(queued);
        true
    }

    pub(crate) const fn queued_bytes(&self) -> usize {
        self.queued_bytes
    }

    /// The next message that may be sent now. Order is kept: QoS 0 waits behind a QoS 1 that must wait.
    pub(crate) fn pop(&mut self) -> Option<Queued> {
        let next = self.queue.front()?;
        // [MQTT-3.3.4-9]
        if next.qos > QoS::AtMostOnce && self.unacknowledged.len() >= self.receive_maximum {
            return None;
        }
        let next = self.queue.pop_front()?;
        self.queued_bytes -= next.message.len();
        Some(next)
    }

    /// Takes an identifier where the QoS needs one.
    pub(crate) fn begin(&mut self, qos: QoS) -> Delivery {
        if qos == QoS::AtMostOnce {
            return Delivery::AtMostOnce;
        }
        let packet_id = self.free_id();
        self.unacknowledged.insert(packet_id);
        Delivery::new(qos, packet_id, false)
    }

    /// `false` where nothing with this identifier is under way.
    pub(crate) fn acknowledge(&mut self, packet_id: PacketId) -> bool {
        self.unacknowledged.remove(&packet_id)
    }

    /// Rotating, so that a late acknowledgement isn't taken for another message's. At most `receive_maximum` of all
    /// identifiers are in use, and that is fewer than there are.
    fn free_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_id)
                && !self.unacknowledged.contains(&id)
            {
                return id;
            }
        }
    }
}
