//! Messages that were received: what still has to be acknowledged, in which order, and what was delivered already.

use std::collections::{HashMap, VecDeque};

use dunlin_codec::{AckType, Delivery, PacketId};

/// Names a delivered message until it is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DeliveryId(u64);

/// What to do with a received PUBLISH.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Hand it to the application; with a name if it is to be acknowledged.
    Deliver(Option<DeliveryId>),
    /// QoS 2, and it was handed over before: say PUBREC again. [MQTT-4.3.3-10]
    Repeat(PacketId),
    /// QoS 2, handed over before, and its PUBREC is still to come.
    Ignore,
    /// More than this client said that it takes. [MQTT-3.3.4-9]
    TooMany,
}

/// Acknowledgements of one session, owed in the order of arrival. [MQTT-4.6.0-2] [MQTT-4.6.0-3]
#[derive(Debug, Default)]
pub(super) struct Inbound {
    owed: VecDeque<Owed>,
    /// The name of the first in `owed`.
    first: u64,
    /// QoS 2 messages whose PUBREL hasn't come, and whether PUBREC was sent.
    unreleased: HashMap<PacketId, bool>,
    /// Messages of QoS 1 in `owed`.
    unacknowledged: usize,
}

#[derive(Debug)]
struct Owed {
    packet_id: PacketId,
    ack_type: AckType,
    /// How many more have to take the message.
    takers: usize,
}

impl Inbound {
    /// Judges a PUBLISH under this client's Receive Maximum.
    pub(super) fn receive(&mut self, delivery: Delivery, receive_maximum: u16) -> Verdict {
        let (packet_id, ack_type) = match delivery {
            Delivery::AtMostOnce => return Verdict::Deliver(None),
            Delivery::AtLeastOnce { packet_id, .. } => (packet_id, AckType::PubAck),
            Delivery::ExactlyOnce { packet_id, .. } => match self.unreleased.get(&packet_id) {
                Some(true) => return Verdict::Repeat(packet_id),
                Some(false) => return Verdict::Ignore,
                None => (packet_id, AckType::PubRec),
            },
        };
        if self.unacknowledged + self.unreleased.len() >= usize::from(receive_maximum) {
            return Verdict::TooMany;
        }
        match ack_type {
            AckType::PubRec => drop(self.unreleased.insert(packet_id, false)),
            _ => self.unacknowledged += 1,
        }
        let id = DeliveryId(self.first + self.owed.len() as u64);
        self.owed.push_back(Owed { packet_id, ack_type, takers: 1 });
        Verdict::Deliver(Some(id))
    }

    /// The message goes to several: all of them have to take it.
    pub(super) fn share(&mut self, id: DeliveryId, takers: usize) {
        if let Some(owed) = self.find(id) {
            owed.takers = takers;
        }
    }

    /// One of its takers has the message.
    pub(super) fn take(&mut self, id: DeliveryId) {
        if let Some(owed) = self.find(id) {
            owed.takers = owed.takers.saturating_sub(1);
        }
    }

    /// Nothing for the messages of earlier connections: nobody waits for their acknowledgements any more.
    fn find(&mut self, id: DeliveryId) -> Option<&mut Owed> {
        let index = id.0.checked_sub(self.first)?;
        self.owed.get_mut(usize::try_from(index).ok()?)
    }

    /// The next acknowledgement that may be sent.
    pub(super) fn next_due(&mut self) -> Option<(AckType, PacketId)> {
        if self.owed.front()?.takers > 0 {
            return None;
        }
        let owed = self.owed.pop_front()?;
        self.first += 1;
        match owed.ack_type {
            AckType::PubRec => drop(self.unreleased.insert(owed.packet_id, true)),
            _ => self.unacknowledged -= 1,
        }
        Some((owed.ack_type, owed.packet_id))
    }

    /// PUBREL came; whether its message was known. [MQTT-4.3.3-11]
    pub(super) fn release(&mut self, packet_id: PacketId) -> bool {
        self.unreleased.remove(&packet_id).is_some()
    }

    /// The connection is gone, and with it the right to acknowledge on it. QoS 2 identifiers stay: their messages were
    /// handed over, and the server will repeat them.
    pub(super) fn disconnected(&mut self) {
        self.first += self.owed.len() as u64;
        self.owed.clear();
        self.unacknowledged = 0;
        for sent in self.unreleased.values_mut() {
            *sent = true;
        }
    }

    /// The server has forgotten the session. [MQTT-3.2.2-5]
    pub(super) fn forget(&mut self) {
        self.unreleased.clear();
    }
}
