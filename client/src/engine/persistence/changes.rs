//! Changes of a session, to be stored before the output that depends on them is sent.

use std::collections::BTreeSet;

use dunlin_codec::ReasonCode;

use super::change::Change;
use super::record::{Key, RequestRecord, encode_identity};
use crate::engine::clock_reading::ClockReading;
use crate::engine::outbound::accepted_request::OperationId;
use crate::engine::session::Session;

impl Session {
    /// Starts to record changes, with none so far.
    pub(in crate::engine) fn record_changes(&mut self) {
        self.outbound.operations.record_changes();
        self.inbound.dirty.start();
        self.subscriptions.dirty.start();
        self.stored_identity = Some(Box::new(None));
    }

    /// Marks the whole session as changed.
    pub(in crate::engine) fn mark_all_dirty(&mut self) {
        self.outbound.operations.mark_all_dirty();
        self.inbound.mark_all_dirty();
        self.subscriptions.mark_all_dirty();
    }

    /// Stops to record changes.
    pub(in crate::engine) fn stop_recording(&mut self) {
        self.outbound.operations.stop_recording();
        self.inbound.dirty.stop();
        self.subscriptions.dirty.stop();
        self.stored_identity = None;
        self.records.clear();
    }

    /// Returns `true` if changes are recorded.
    #[inline]
    pub(in crate::engine) const fn is_recording(&self) -> bool {
        self.stored_identity.is_some()
    }

    /// Returns `true` if anything has changed since the changes were last taken.
    pub(in crate::engine) fn has_changes(&self) -> bool {
        self.outbound.operations.has_changes() || self.has_urgent_changes()
    }

    /// Returns `true` if nothing has changed but that requests are complete.
    pub(in crate::engine) fn has_only_completions(&self) -> bool {
        self.outbound.operations.has_only_ended() && !self.has_urgent_changes()
    }

    /// Returns `true` if anything beside requests has changed.
    fn has_urgent_changes(&self) -> bool {
        self.inbound.dirty.is_dirty()
            || self.subscriptions.dirty.is_dirty()
            || self.is_identity_dirty()
            || self.records.has_due()
    }

    fn is_identity_dirty(&self) -> bool {
        self.stored_identity
            .as_ref()
            .is_some_and(|stored| stored.as_ref().as_ref() != Some(&self.identity))
    }

    /// Takes the changes since they were last taken. Requests in `unstaged` count as not sent.
    pub(in crate::engine) fn take_changes(
        &mut self,
        unstaged: &BTreeSet<OperationId>,
        clock: ClockReading,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        // The identity first: an entry without it is not a session.
        if self.is_identity_dirty() {
            changes.push(Key::Identity.change(Some(encode_identity(&self.identity))));
            self.stored_identity = Some(Box::new(Some(self.identity.clone())));
        }

        // Requests that are complete are deleted, with their packets.
        let (changed, ended) = self.outbound.operations.take_changes();
        for number in ended {
            changes.push(Key::Request(number).change(None));
            changes.push(Key::Packet(number).change(None));
        }
        for id in changed {
            self.take_request(id, unstaged.contains(&id), clock, &mut changes);
        }

        // A message without a record was released, or not answered yet.
        for packet_id in self.inbound.dirty.take() {
            let record = self.inbound.record(packet_id);
            let value = record.map(|code| code.into_iter().map(ReasonCode::code).collect());
            changes.push(Key::Received(packet_id).change(value));
        }
        // A subscription without a record has ended.
        for filter in self.subscriptions.dirty.take() {
            let value = self.subscriptions.record(&filter);
            changes.push(Key::Subscription(&filter).change(value));
        }
        // Records of the application go into the same commit.
        changes.append(&mut self.records.take_due());
        changes
    }

    fn take_request(
        &mut self,
        id: OperationId,
        is_unstaged: bool,
        clock: ClockReading,
        changes: &mut Vec<Change>,
    ) {
        let number = id.generation();
        let operations = &mut self.outbound.operations;
        let was_persisted = operations.set_persisted(id);
        let Some(operation) = operations.get_by(id) else {
            return;
        };
        // The record says how far the request is; it changes often, and is small.
        let record = RequestRecord::new(operation, is_unstaged, clock).encode();
        changes.push(Key::Request(number).change(Some(record)));
        // A packet never changes: it is stored once, and deleted with PUBREC.
        if operation.request.size() == 0 {
            changes.push(Key::Packet(number).change(None));
        } else if !was_persisted {
            let packet = operation.request.packet().into_owned();
            changes.push(Key::Packet(number).change(Some(packet)));
        }
    }
}
