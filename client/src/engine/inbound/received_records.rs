//! Records of received messages of QoS 2 for a store.

use dunlin_codec::{AckType, PacketId, ReasonCode};

use super::{DeliveryId, Inbound, Location, PendingAck, Unreleased};

impl Inbound {
    /// Marks all records as changed, if a store is in use.
    pub(in crate::engine) fn mark_all_dirty(&mut self) {
        self.dirty.mark_all(self.unreleased.keys().copied());
    }

    /// Marks a record as changed, if a store is in use.
    #[inline(always)]
    pub(super) fn mark_dirty(&mut self, packet_id: PacketId) {
        if self.dirty.is_recording() {
            self.mark_record(packet_id);
        }
    }

    #[cold]
    fn mark_record(&mut self, packet_id: PacketId) {
        self.dirty.mark(packet_id);
    }

    /// Record of a message of QoS 2 that the application has answered: `Some(None)` if PUBREC was
    /// sent, `Some(Some(reason_code))` if it is still to be sent. `None` if there is no such
    /// message, or if it was not answered.
    pub(in crate::engine) fn record(&self, packet_id: PacketId) -> Option<Option<ReasonCode>> {
        let unreleased = self.unreleased.get(&packet_id)?;
        if unreleased.is_received {
            return Some(None);
        }
        let pending = match unreleased.position {
            Some(position) => self.pending_acks.get(self.index_of(position)?),
            None => self.awaiting_redelivery.get(&packet_id),
        };
        pending
            .filter(|each| each.ack_type == AckType::PubRec && each.is_ready())
            .map(|each| Some(each.reason_code))
    }

    /// Restores a message from its record.
    pub(in crate::engine) fn restore(
        &mut self,
        packet_id: PacketId,
        reason_code: Option<ReasonCode>,
    ) {
        self.unreleased.insert(
            packet_id,
            Unreleased {
                is_received: reason_code.is_none(),
                is_counted: false,
                position: None,
            },
        );
        // The application answered, but PUBREC was not sent: it is due when the server repeats the
        // message.
        if let Some(reason_code) = reason_code {
            let id = DeliveryId(self.first_position);
            self.first_position += 1;
            self.moved
                .insert(id, Location::AwaitingRedelivery(packet_id));
            let pending = PendingAck {
                id,
                packet_id,
                ack_type: AckType::PubRec,
                consumers: 0,
                reason_code,
                is_abandoned: false,
                excess: 0,
                is_released: false,
            };
            self.awaiting_redelivery.insert(packet_id, pending);
        }
    }
}
