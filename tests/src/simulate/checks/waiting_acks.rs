//! Acknowledgements that can't be sent before that of an earlier message: they go in the order of
//! arrival.

use std::collections::BTreeMap;

use dunlin_client::codec::{Delivery, PacketId, QoS};
use dunlin_client::engine::DeliveryId;

/// Messages of QoS 1 and 2 that the client received, and which of them the application hasn't
/// answered.
#[derive(Debug, Default)]
pub(in crate::simulate) struct WaitingAcks {
    /// Messages of this connection, in the order of arrival.
    received: Vec<Received>,
    /// Messages that the application got and hasn't answered, from earlier connections too.
    unanswered: BTreeMap<Identifier, DeliveryId>,
}

/// QoS and packet identifier of a message. A repetition has those of the first transmission.
type Identifier = (QoS, PacketId);

/// A PUBLISH of this connection.
#[derive(Debug)]
struct Received {
    identifier: Identifier,
    /// `true` if the client refuses the message without asking the application.
    is_faulty: bool,
}

impl WaitingAcks {
    /// A connection opens: what the ones before brought is acknowledged when the server repeats it.
    pub(in crate::simulate) fn opens(&mut self) {
        self.received.clear();
    }

    /// The client has read a PUBLISH.
    pub(in crate::simulate) fn receives(&mut self, delivery: Delivery, is_faulty: bool) {
        self.received
            .extend(identifier_of(delivery).map(|identifier| Received {
                identifier,
                is_faulty,
            }));
    }

    /// The application got a message.
    pub(in crate::simulate) fn delivered(&mut self, delivery: Delivery, id: DeliveryId) {
        if let Some(identifier) = identifier_of(delivery) {
            self.unanswered.insert(identifier, id);
        }
    }

    /// A message is answered, by the application or for it.
    pub(in crate::simulate) fn answered(&mut self, id: DeliveryId) {
        self.unanswered.retain(|_, unanswered| *unanswered != id);
    }

    /// The session moves to another application, which has none of the messages.
    pub(in crate::simulate) fn move_session(&mut self) {
        self.unanswered.clear();
    }

    /// Number of acknowledgements that wait only for that of the message `id`, which isn't answered.
    /// 0 if this connection hasn't brought the message. Messages that the application has yet to
    /// get count as well, so the number may be too high.
    ///
    /// A client that `is_mistaken` about its session takes new messages for repetitions, so all
    /// messages after this one count.
    pub(in crate::simulate) fn behind(&self, id: DeliveryId, is_mistaken: bool) -> usize {
        let identifier = self
            .unanswered
            .iter()
            .find_map(|(identifier, unanswered)| (*unanswered == id).then_some(*identifier));
        let own = self
            .received
            .iter()
            .rposition(|each| Some(each.identifier) == identifier);
        own.and_then(|own| self.received.get(own + 1..))
            .unwrap_or_default()
            .iter()
            .filter(|each| {
                is_mistaken || each.is_faulty || !self.unanswered.contains_key(&each.identifier)
            })
            .count()
    }
}

fn identifier_of(delivery: Delivery) -> Option<Identifier> {
    Some((delivery.qos(), delivery.packet_id()?))
}
