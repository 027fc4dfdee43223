//! Rates that a service allows: what would be too much at once waits for its turn, and is sent
//! later.

use std::time::{Duration, Instant};

use crate::engine::open::Connection;
use crate::engine::{Engine, State};

/// How much a connection may carry each second, both ways together. A second's worth may leave at
/// once.
///
/// Messages above it wait in the queue, whose limits hold. Received messages count too, but one
/// message a second leaves whatever is received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// PUBLISH packets a second; at least 1.
    pub messages: u32,
    /// Their bytes a second.
    pub bytes: u32,
}

/// The pace of one connection.
#[derive(Debug)]
pub(in crate::engine) struct Pacer {
    messages: Bucket,
    bytes: Bucket,
    /// When the next message may leave that was held back, and since when it is.
    held: Option<Held>,
}

#[derive(Debug, Clone, Copy)]
struct Held {
    since: Instant,
    until: Instant,
}

/// A bucket that holds a second's worth, told by the time when it will be full: nothing needs to be
/// counted meanwhile.
#[derive(Debug)]
struct Bucket {
    per_second: u64,
    full_at: Instant,
}

/// What a bucket holds, and the longest that a message is held back.
const SECOND: Duration = Duration::from_secs(1);

impl Pacer {
    /// Of a connection that begins `now`: the buckets are full.
    pub(in crate::engine) fn new(pace: Pace, now: Instant) -> Self {
        // 0 is refused before there is a connection.
        let bucket = |rate: u32| Bucket {
            per_second: rate.max(1).into(),
            full_at: now,
        };
        Self {
            messages: bucket(pace.messages),
            bytes: bucket(pace.bytes),
            held: None,
        }
    }

    /// Whether a PUBLISH of `size` bytes may leave. If not, it may be asked again when it is
    /// [`due`](Self::due).
    pub(in crate::engine) fn admits(&mut self, size: usize, now: Instant) -> bool {
        let since = self.held.map_or(now, |held| held.since);
        let until = self
            .messages
            .has(1, now)
            .max(self.bytes.has(size, now))
            .min(since + SECOND);
        self.held = (until > now).then_some(Held { since, until });
        self.held.is_none()
    }

    /// A PUBLISH of `size` bytes went one way or the other.
    pub(in crate::engine) fn take(&mut self, size: usize, now: Instant) {
        self.messages.take(1, now);
        self.bytes.take(size, now);
    }

    /// When something that was held back may leave.
    pub(in crate::engine) fn due(&self) -> Option<Instant> {
        self.held.map(|held| held.until)
    }
}

impl Connection {
    /// Whether a message of `size` bytes may leave now, as far as a pace is set.
    pub(in crate::engine) fn admits(&mut self, size: usize, now: Option<Instant>) -> bool {
        match (&mut self.pacer, now) {
            (Some(pacer), Some(now)) => pacer.admits(size, now),
            _ => true,
        }
    }

    /// A PUBLISH of `size` bytes, if it is one, is sent or was received.
    pub(in crate::engine) fn count(&mut self, size: Option<usize>, now: Option<Instant>) {
        if let (Some(pacer), Some(size), Some(now)) = (&mut self.pacer, size, now) {
            pacer.take(size, now);
        }
    }
}

impl Engine {
    /// Whether messages may have to wait for their turn.
    pub(in crate::engine) const fn is_paced(&self) -> bool {
        matches!(&self.state, State::Open(connection) if connection.pacer.is_some())
    }

    /// What was held back may have its turn.
    pub(in crate::engine) fn keep_pace(&mut self, now: Instant) {
        self.pump();
        if let State::Open(Connection {
            pacer: Some(pacer), ..
        }) = &mut self.state
        {
            // What isn't held back any more is over.
            pacer.held = pacer.held.filter(|held| held.until > now);
        }
    }
}

impl Bucket {
    /// When so much may be taken out: of more than it holds, when it is full.
    fn has(&self, amount: usize, now: Instant) -> Instant {
        let missing = self.cost(amount).min(SECOND);
        let full_after = self.full_at.saturating_duration_since(now);
        now + (full_after + missing).saturating_sub(SECOND)
    }

    /// What is more than it holds is owed, but no more than a second's worth.
    fn take(&mut self, amount: usize, now: Instant) {
        self.full_at = (self.full_at.max(now) + self.cost(amount)).min(now + 2 * SECOND);
    }

    fn cost(&self, amount: usize) -> Duration {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        Duration::from_nanos(amount.saturating_mul(1_000_000_000) / self.per_second)
    }
}
