//! Acknowledgements of a client: one for each message of this connection, in the order of arrival.

use std::collections::{BTreeSet, VecDeque};

use dunlin_client::codec::{Ack, Delivery, Packet, PacketId, ReasonCode};

use crate::simulate::violation::{Checked, ensure};

/// QoS 2 messages whose PUBREC was sent and whose PUBREL hasn't come: part of the session.
#[derive(Debug)]
pub(super) struct Inbound {
    unreleased: BTreeSet<PacketId>,
}

/// Acknowledgements that a client still has to send on one connection.
#[derive(Debug, Default)]
pub(super) struct PendingAcks {
    pubacks: VecDeque<PacketId>,
    pubrecs: VecDeque<PacketId>,
    pubcomps: Vec<(PacketId, ReasonCode)>,
    /// PUBRECs needn't keep their order.
    in_any_order: bool,
    /// `false` if the trace may show packets as received that arrived too late for the client.
    is_complete: bool,
}

impl Inbound {
    pub(super) const fn new() -> Self {
        Self {
            unreleased: BTreeSet::new(),
        }
    }

    pub(super) fn forget(&mut self) {
        self.unreleased.clear();
    }

    pub(super) fn received(&mut self, ack: &Ack<'_>) {
        if !ack.reason_code.is_error() {
            self.unreleased.insert(ack.packet_id);
        }
    }

    /// PUBREL came; whether its message was known.
    pub(super) fn released(&mut self, ack: &Ack<'_>) -> bool {
        self.unreleased.remove(&ack.packet_id)
    }
}

impl PendingAcks {
    pub(super) fn new(is_complete: bool) -> Self {
        Self {
            is_complete,
            ..Self::default()
        }
    }

    /// Messages that aren't acknowledged.
    pub(super) fn len(&self) -> usize {
        self.pubacks.len() + self.pubrecs.len()
    }

    pub(super) fn arrives(&mut self, delivery: Delivery) {
        match delivery {
            Delivery::AtMostOnce => {}
            Delivery::AtLeastOnce { packet_id, .. } => self.pubacks.push_back(packet_id),
            Delivery::ExactlyOnce { packet_id, .. } => self.pubrecs.push_back(packet_id),
        }
    }

    pub(super) const fn in_any_order(&mut self) {
        self.in_any_order = true;
    }

    pub(super) fn is_released(&mut self, ack: &Ack<'_>, known: bool) {
        let code = if known {
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdentifierNotFound
        };
        self.pubcomps.push((ack.packet_id, code));
    }

    pub(super) fn acknowledges(&mut self, ack: &Ack<'_>) -> Checked {
        let due = self.pubacks.pop_front();
        ensure(
            due == Some(ack.packet_id),
            "[MQTT-4.6.0-2] PUBACKs go in the order of arrival",
            || format!("{} where {due:?} was due", Packet::PubAck(*ack)),
        )
    }

    pub(super) fn receives(&mut self, ack: &Ack<'_>) -> Checked {
        let any = self
            .pubrecs
            .iter()
            .position(|due| *due == ack.packet_id)
            .filter(|_| self.in_any_order);
        let due = self.pubrecs.remove(any.unwrap_or_default());
        ensure(
            due == Some(ack.packet_id),
            "[MQTT-4.6.0-3] PUBRECs go in the order of arrival",
            || format!("{} where {due:?} was due", Packet::PubRec(*ack)),
        )
    }

    pub(super) fn completes(&mut self, ack: &Ack<'_>) -> Checked {
        let due = self.pubcomps.iter().position(|(id, code)| {
            *id == ack.packet_id && (*code == ack.reason_code || !self.is_complete)
        });
        ensure(
            due.is_some(),
            "[MQTT-4.3.3-11] PUBCOMP answers PUBREL, 0x92 for an unknown one",
            || {
                format!(
                    "{} where {:?} were due",
                    Packet::PubComp(*ack),
                    self.pubcomps
                )
            },
        )?;
        self.pubcomps.remove(due.unwrap_or_default());
        Ok(())
    }
}
