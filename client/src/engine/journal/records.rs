//! The application's own records, which are kept with the session in one commit.

use std::collections::BTreeMap;

use super::Change;
use super::record::APPLICATION;
use crate::engine::Engine;
use crate::engine::inbound::DeliveryId;

/// Changes of the application's records that aren't with the store yet.
#[derive(Debug, Default)]
pub(in crate::engine) struct Records {
    /// To be kept with the next changes.
    due: Vec<Change>,
    /// To be kept once their message was taken by all streams that have it.
    waiting: BTreeMap<DeliveryId, Vec<Change>>,
}

impl Records {
    pub(super) const fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    pub(super) fn take_due(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.due)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// The application that had the messages is gone.
    pub(in crate::engine) fn forget_waiting(&mut self) {
        self.waiting.clear();
    }

    fn add(&mut self, records: Vec<Change>) {
        self.due.extend(records.into_iter().map(with_prefix));
    }
}

impl Engine {
    /// Changes records of the application's own, which are kept beside the session: the changes come with the next ones of
    /// [`take_changes`](Self::take_changes). Without a journal they are gone.
    pub fn write_records(&mut self, records: Vec<Change>) {
        if self.keeps_journal() {
            self.session.records.add(records);
        }
    }

    /// As [`take`](Self::take), and changes records of the application's own: they are kept in one commit with the fact that
    /// the message was taken, or not at all. Of several takers' records all are kept with the last answer. Without a
    /// journal, and where a taker has abandoned the message, they are gone.
    pub fn take_with(&mut self, id: DeliveryId, records: Vec<Change>) {
        if self.keeps_journal() && !self.session.inbound.is_abandoned(id) {
            self.session.records.waiting.entry(id).or_default().extend(records);
        }
        self.take(id);
    }

    /// One more answer was given for a message: perhaps the last.
    pub(in crate::engine) fn release_records(&mut self, id: DeliveryId) {
        let records = &mut self.session.records;
        // Hardly ever there are any, and this is asked for each message.
        if records.waiting.is_empty() || self.session.inbound.waits_for_takers(id) {
            return;
        }
        if let Some(changes) = records.waiting.remove(&id) {
            records.add(changes);
        }
    }

    /// The message comes again, and the records with it.
    pub(in crate::engine) fn drop_records(&mut self, id: DeliveryId) {
        self.session.records.waiting.remove(&id);
    }
}

/// Keeps the application's keys apart from those of the session.
fn with_prefix(change: Change) -> Change {
    let prefixed = |key: Vec<u8>| [&[APPLICATION][..], &key].concat();
    match change {
        Change::Put { key, value } => Change::Put { key: prefixed(key), value },
        Change::Remove { key } => Change::Remove { key: prefixed(key) },
    }
}

/// The application's records among all that a store has.
pub(crate) fn application_records(entries: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let records = entries.into_iter().filter_map(|(mut key, value)| {
        (key.first() == Some(&APPLICATION)).then(|| (key.split_off(1), value))
    });
    records.collect()
}
