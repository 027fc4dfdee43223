//! Which received messages have come further, for those who keep them, and messages put back.

use dunlin_codec::{AckType, PacketId, ReasonCode};

use crate::engine::inbound::{DeliveryId, Inbound, Owed, Place, Unreleased};

impl Inbound {
    /// All that there is counts as changed, where that is to be known.
    pub(in crate::engine) fn note_all(&mut self) {
        if let Some(noted) = &mut self.noted {
            noted.extend(self.unreleased.keys());
        }
    }

    /// It changes, and that may have to be known.
    #[inline(always)]
    pub(in crate::engine) fn note(&mut self, packet_id: PacketId) {
        if self.noted.is_some() {
            self.note_change(packet_id);
        }
    }

    #[cold]
    pub(in crate::engine) fn note_change(&mut self, packet_id: PacketId) {
        if let Some(noted) = &mut self.noted {
            noted.insert(packet_id);
        }
    }

    /// What is to be known of a message of QoS 2 that the application has: nothing but that PUBREC
    /// was sent, or what it is to be answered with.
    pub(in crate::engine) fn record(&self, packet_id: PacketId) -> Option<Option<ReasonCode>> {
        let unreleased = self.unreleased.get(&packet_id)?;
        if unreleased.received {
            return Some(None);
        }
        let owed = match unreleased.owed {
            Some(place) => self.owed.get(self.index_of(place)?),
            None => self.unrepeated.get(&packet_id),
        };
        let is_taken = |each: &&Owed| each.takers == 0 && !each.abandoned;
        owed.filter(|each| each.ack_type == AckType::PubRec)
            .filter(is_taken)
            .map(|each| Some(each.answer))
    }

    /// An earlier process had it, as it was recorded.
    pub(in crate::engine) fn restore(&mut self, packet_id: PacketId, answer: Option<ReasonCode>) {
        let received = answer.is_none();
        self.unreleased.insert(
            packet_id,
            Unreleased {
                received,
                counted: false,
                owed: None,
            },
        );
        if let Some(answer) = answer {
            let (name, ack_type) = (DeliveryId(self.first), AckType::PubRec);
            self.first += 1;
            self.moved.insert(name, Place::Unrepeated(packet_id));
            let owed = Owed {
                name,
                packet_id,
                ack_type,
                takers: 0,
                answer,
                abandoned: false,
                excess: 0,
                released: false,
            };
            self.unrepeated.insert(packet_id, owed);
        }
    }
}
