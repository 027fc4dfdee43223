//! The application's own records, which are kept with the session in one commit.

use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::engine::inbound::DeliveryId;
use crate::engine::persistence::changes::Change;
use crate::engine::persistence::record::APPLICATION;

/// Changes of the application's records that aren't with the store yet. Most clients never have
/// any: boxed, so that those don't pay for it.
#[derive(Debug, Default)]
pub(in crate::engine) struct Records(Option<Box<Pending>>);

#[derive(Debug, Default)]
struct Pending {
    /// To be kept with the next changes.
    due: Vec<Change>,
    /// To be kept once their message was taken by all streams that have it.
    waiting: BTreeMap<DeliveryId, Vec<Change>>,
}

impl Records {
    pub(in crate::engine) fn has_due(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|pending| !pending.due.is_empty())
    }

    pub(in crate::engine) fn take_due(&mut self) -> Vec<Change> {
        self.0
            .as_mut()
            .map(|pending| std::mem::take(&mut pending.due))
            .unwrap_or_default()
    }

    pub(in crate::engine) fn clear(&mut self) {
        self.0 = None;
    }

    /// The application that had the messages is gone.
    pub(in crate::engine) fn forget_waiting(&mut self) {
        if let Some(pending) = &mut self.0 {
            pending.waiting.clear();
        }
    }

    fn add(&mut self, records: Vec<Change>) {
        self.0
            .get_or_insert_default()
            .due
            .extend(records.into_iter().map(with_prefix));
    }

    fn wait_for(&mut self, id: DeliveryId, records: Vec<Change>) {
        self.0
            .get_or_insert_default()
            .waiting
            .entry(id)
            .or_default()
            .extend(records);
    }

    fn take_waiting(&mut self, id: DeliveryId) -> Option<Vec<Change>> {
        self.0.as_mut()?.waiting.remove(&id)
    }

    fn has_waiting(&self) -> bool {
        self.0
            .as_ref()
            .is_some_and(|pending| !pending.waiting.is_empty())
    }
}

impl Engine {
    /// Changes records of the application's own, which are kept beside the session: the changes
    /// come with the next ones of [`take_changes`](Self::take_changes). Without a journal they
    /// are gone.
    pub fn write_records(&mut self, records: Vec<Change>) {
        if self.keeps_journal() {
            self.session.records.add(records);
        }
    }

    /// As [`take`](Self::take), and changes records of the application's own: they are kept in one
    /// commit with the fact that the message was taken, or not at all. Of several takers'
    /// records all are kept with the last answer. Without a journal, and where a taker has
    /// abandoned the message, they are gone.
    pub fn take_with(&mut self, id: DeliveryId, records: Vec<Change>) {
        if self.keeps_journal() && !self.session.inbound.is_abandoned(id) {
            self.session.records.wait_for(id, records);
        }
        self.take(id);
    }

    /// One more answer was given for a message: perhaps the last.
    pub(in crate::engine) fn release_records(&mut self, id: DeliveryId) {
        let records = &mut self.session.records;
        // Hardly ever there are any, and this is asked for each message.
        if !records.has_waiting() || self.session.inbound.waits_for_takers(id) {
            return;
        }
        if let Some(changes) = records.take_waiting(id) {
            records.add(changes);
        }
    }

    /// The message comes again, and the records with it.
    pub(in crate::engine) fn drop_records(&mut self, id: DeliveryId) {
        self.session.records.take_waiting(id);
    }
}

/// Keeps the application's keys apart from those of the session.
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

/// The application's records among all that a store has.
pub(crate) fn application_records(entries: Vec<(Vec<u8>, Vec<u8>)>) -> Vec<(Vec<u8>, Vec<u8>)> {
    let records = entries.into_iter().filter_map(|(mut key, value)| {
        (key.first() == Some(&APPLICATION)).then(|| (key.split_off(1), value))
    });
    records.collect()
}
