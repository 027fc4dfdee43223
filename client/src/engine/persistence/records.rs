//! Records of the application, which a store keeps together with the session in one commit.

use std::collections::BTreeMap;

use super::change::Change;
use crate::engine::inbound::{DeliveryId, Inbound};

/// First byte of the keys of the application's own records. The engine's keys have others.
pub(super) const APPLICATION: u8 = b'u';

/// Changes of the application's records that the store does not have yet. Boxed, because most
/// clients never have any.
#[derive(Debug, Default)]
pub(in crate::engine) struct Records(Option<Box<UnstoredRecords>>);

#[derive(Debug, Default)]
struct UnstoredRecords {
    /// For the next commit.
    due: Vec<Change>,
    /// For a commit after all consumers of their message have answered.
    waiting: BTreeMap<DeliveryId, Vec<Change>>,
}

impl Records {
    /// Returns `true` if there are changes for the next commit.
    pub(super) fn has_due(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|unstored| !unstored.due.is_empty())
    }

    /// Takes the changes for the next commit.
    pub(super) fn take_due(&mut self) -> Vec<Change> {
        self.0
            .as_mut()
            .map(|unstored| std::mem::take(&mut unstored.due))
            .unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.0 = None;
    }

    /// Drops changes that wait for a message: the application that had it is gone.
    pub(in crate::engine) fn forget_waiting(&mut self) {
        if let Some(unstored) = &mut self.0 {
            unstored.waiting.clear();
        }
    }

    /// Adds changes to the next commit.
    pub(in crate::engine) fn add(&mut self, records: Vec<Change>) {
        self.0
            .get_or_insert_default()
            .due
            .extend(records.into_iter().map(with_prefix));
    }

    /// Adds changes that wait until the message is answered.
    pub(in crate::engine) fn wait_for(&mut self, id: DeliveryId, records: Vec<Change>) {
        self.0
            .get_or_insert_default()
            .waiting
            .entry(id)
            .or_default()
            .extend(records);
    }

    /// Moves the changes of a message to the next commit, if all of its consumers have answered.
    #[inline]
    pub(in crate::engine) fn release(&mut self, id: DeliveryId, inbound: &mut Inbound) {
        // Called for each message, and hardly ever there are records.
        let has_waiting = self
            .0
            .as_ref()
            .is_some_and(|unstored| !unstored.waiting.is_empty());
        if !has_waiting || inbound.waits_for_consumers(id) {
            return;
        }
        if let Some(changes) = self.take_waiting(id) {
            self.add(changes);
        }
    }

    /// Drops the changes of a message that is delivered again.
    pub(in crate::engine) fn drop_waiting(&mut self, id: DeliveryId) {
        self.take_waiting(id);
    }

    fn take_waiting(&mut self, id: DeliveryId) -> Option<Vec<Change>> {
        self.0.as_mut()?.waiting.remove(&id)
    }
}

/// Adds the prefix that keeps the application's keys apart from those of the session.
fn with_prefix(change: Change) -> Change {
    let prefixed = |key: Vec<u8>| [&[APPLICATION][..], &key].concat();
    match change {
        Change::Put { key, value } => Change::Put {
            key: prefixed(key),
            value,
        },
        Change::Remove { key } => Change::Remove { key: prefixed(key) },
    }
}

/// Finds the application's records among all entries of a store.
pub(crate) fn application_records(entries: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let records = entries.into_iter().filter_map(|(mut key, value)| {
        (key.first() == Some(&APPLICATION)).then(|| (key.split_off(1), value))
    });
    records.collect()
}
