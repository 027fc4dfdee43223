//! What a client's store has: written at once, but at times that takes a while.

use std::collections::BTreeMap;
use std::time::{Instant, UNIX_EPOCH};

use dunlin_client::engine::{Change, ClockReading, Engine, Session, SinceBoot};

use super::checks::{Breach, Checked, ensure};

/// Keys with their values.
type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A store without a disk.
#[derive(Debug)]
pub(super) struct Keeping {
    entries: Entries,
    /// When the machine started.
    began: Instant,
    /// How often what is staged is still not kept when it is asked for.
    delay: usize,
    /// Whether it wasn't when it was last asked for.
    pub(super) is_late: bool,
}

impl Keeping {
    pub(super) fn new(began: Instant) -> Self {
        Self {
            entries: Entries::new(),
            began,
            delay: 0,
            is_late: false,
        }
    }

    /// Lets its client wait, for that many looks at what is to be sent.
    pub(super) fn delays(&mut self, looks: usize) {
        self.delay = looks;
    }

    /// Writes down what has changed.
    pub(super) fn keeps(&mut self, engine: &mut Engine, now: Instant) {
        for change in engine.take_changes(self.clock(now)) {
            match change {
                Change::Put { key, value } => drop(self.entries.insert(key, value)),
                Change::Remove { key } => drop(self.entries.remove(&key)),
            }
        }
    }

    /// Whether what is to be sent is kept.
    pub(super) fn has_staged(&mut self, engine: &mut Engine, now: Instant) -> bool {
        if engine.stage() {
            self.keeps(engine, now);
        }
        self.is_late = self.delay > 0 && engine.has_output();
        self.delay -= usize::from(self.is_late);
        !self.is_late
    }

    /// The session that another process finds.
    pub(super) fn restores(&self, now: Instant) -> Checked<Option<Session>> {
        let session = Session::restore(self.entries.clone(), self.clock(now));
        session.map_err(|error| Breach::new("what is kept is a session", error))
    }

    /// What was kept in pieces is what is kept of the whole.
    pub(super) fn check(&mut self, engine: &mut Engine, now: Instant) -> Checked {
        self.keeps(engine, now);
        let pieces = timeless(&self.entries);
        self.entries.clear();
        engine.close_journal();
        engine.keep_journal();
        self.keeps(engine, now);
        let whole = timeless(&self.entries);
        ensure(
            pieces == whole,
            "what was kept in pieces is the whole",
            || {
                let (less, more) = (beside(&whole, &pieces), beside(&pieces, &whole));
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
fn timeless(entries: &Entries) -> Entries {
    let mut entries = entries.clone();
    for (key, value) in &mut entries {
        if key.first() == Some(&b'm') {
            value.truncate(TIMELESS);
        }
    }
    entries
}

/// Bytes of a request's record before the time that is left.
const TIMELESS: usize = 21;

/// What is in `one`, and not or otherwise in `other`.
fn beside<'a>(one: &'a Entries, other: &Entries) -> Vec<(&'a Vec<u8>, &'a Vec<u8>)> {
    one.iter()
        .filter(|(key, value)| other.get(*key) != Some(value))
        .collect()
}
