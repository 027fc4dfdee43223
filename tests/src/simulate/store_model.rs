//! Model of a store: changes are written at once, or after a delay.

use std::collections::BTreeMap;
use std::time::{Instant, UNIX_EPOCH};

use dunlin_client::engine::{Change, ClockReading, Engine, Session, SinceBoot};

use super::violation::{Checked, Violation, ensure};

/// Keys with their values.
type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store without a disk.
#[derive(Debug)]
pub(super) struct StoreModel {
    entries: Entries,
    /// Start of the machine.
    began: Instant,
    /// Number of times that staged output is still reported as not persisted.
    delay: usize,
    /// The last report was that staged output isn't persisted.
    pub(super) is_late: bool,
}

impl StoreModel {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            entries: Entries::new(),
            began,
            delay: 0,
            is_late: false,
        }
    }

    /// Delays the client: staged output counts as not persisted `looks` times.
    pub(super) fn delay_writes(&mut self, poll_outcomes: usize) {
        self.delay = poll_outcomes;
    }

    /// Writes down what has changed.
    pub(super) fn persist(&mut self, engine: &mut Engine, now: Instant) {
        for change in engine.recorder().take_changes(self.clock(now)) {
            match change {
                Change::Put { key, value } => drop(self.entries.insert(key, value)),
                Change::Remove { key } => drop(self.entries.remove(&key)),
            }
        }
    }

    /// Returns `true` if staged output is persisted.
    pub(super) fn has_staged(&mut self, engine: &mut Engine, now: Instant) -> bool {
        if engine.recorder().stage() {
            self.persist(engine, now);
        }
        self.is_late = self.delay > 0 && engine.has_output();
        self.delay -= usize::from(self.is_late);
        !self.is_late
    }

    /// The session that another process finds.
    pub(super) fn restore(&self, now: Instant) -> Checked<Option<Session>> {
        let session = Session::restore(self.entries.clone(), self.clock(now));
        session.map_err(|error| Violation::new("what is kept is a session", error))
    }

    /// Checks that the changes add up to the whole session.
    pub(super) fn check(&mut self, engine: &mut Engine, now: Instant) -> Checked {
        self.persist(engine, now);
        let pieces = without_remaining_time(&self.entries);
        self.entries.clear();
        engine.recorder().stop();
        engine.recorder().start();
        self.persist(engine, now);
        let whole = without_remaining_time(&self.entries);
        ensure(
            pieces == whole,
            "what was kept in pieces is the whole",
            || {
                let (less, more) = (difference(&whole, &pieces), difference(&pieces, &whole));
                format!("missing or changed {less:?}, left over or as before {more:?}")
            },
        )
    }

    /// The machine goes on while its processes come and go.
    fn clock(&self, now: Instant) -> ClockReading {
        let elapsed = now.saturating_duration_since(self.began);
        ClockReading {
            now,
            date: UNIX_EPOCH + elapsed,
            boot: Some(SinceBoot {
                boot_id: 1,
                elapsed,
            }),
        }
    }
}

/// Without the time that is left of a request, at its record's end: that depends on when it was
/// written.
fn without_remaining_time(entries: &Entries) -> Entries {
    let mut entries = entries.clone();
    for (key, value) in &mut entries {
        if key.first() == Some(&b'm') {
            value.truncate(BEFORE_REMAINING_TIME);
        }
    }
    entries
}

/// Bytes of a request's record before the time that is left.
const BEFORE_REMAINING_TIME: usize = 21;

/// Entries of `one` that `other` lacks or has with another value.
fn difference<'a>(one: &'a Entries, other: &Entries) -> Vec<(&'a Vec<u8>, &'a Vec<u8>)> {
    one.iter()
        .filter(|(key, value)| other.get(*key) != Some(value))
        .collect()
}
