//! Rate limit of messages: what is above the rate of a service waits and is sent later.

use std::time::{Duration, Instant};

use crate::limits::Pace;

/// Rate limiter of one connection: a token bucket for messages and one for bytes.
#[derive(Debug)]
pub(in crate::engine) struct Pacer {
    messages: Bucket,
    bytes: Bucket,
    /// The message that was held back first; `None` while none is.
    held: Option<HeldBack>,
}

#[derive(Debug, Clone, Copy)]
struct HeldBack {
    since: Instant,
    /// Time at which it may be sent.
    until: Instant,
}

/// A token bucket that holds the tokens of one second, described by the time at which it is full:
/// so no timer has to add tokens.
#[derive(Debug)]
struct Bucket {
    per_second: u64,
    full_at: Instant,
}

/// Time whose tokens a bucket holds, and the longest time that a message is held back.
const SECOND: Duration = Duration::from_secs(1);

impl Pacer {
    /// Full buckets, for a connection that begins `now`.
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

    /// Returns `true` if a PUBLISH of `size` bytes may be sent. If not, the caller asks again at
    /// [`due`](Self::due).
    pub(in crate::engine) fn admits(&mut self, size: usize, now: Instant) -> bool {
        // A message that is held back waits a second at most.
        let since = self.held.map_or(now, |held| held.since);
        let until = self
            .messages
            .has(1, now)
            .max(self.bytes.has(size, now))
            .min(since + SECOND);
        self.held = (until > now).then_some(HeldBack { since, until });
        self.held.is_none()
    }

    /// Counts a PUBLISH of `size` bytes that is sent or was received.
    pub(in crate::engine) fn take(&mut self, size: usize, now: Instant) {
        self.messages.take(1, now);
        self.bytes.take(size, now);
    }

    /// Time at which the message that was held back may be sent; `None` while none is.
    pub(in crate::engine) fn due(&self) -> Option<Instant> {
        self.held.map(|held| held.until)
    }

    /// Forgets a message that is not held back any more.
    pub(in crate::engine) fn forget_due(&mut self, now: Instant) {
        self.held = self.held.filter(|held| held.until > now);
    }
}

impl Bucket {
    /// Time at which `amount` tokens may be taken; for more than the bucket holds, when it is full.
    fn has(&self, amount: usize, now: Instant) -> Instant {
        let missing = self.cost(amount).min(SECOND);
        let full_after = self.full_at.saturating_duration_since(now);
        now + (full_after + missing).saturating_sub(SECOND)
    }

    /// Takes `amount` tokens. What the bucket lacks is a debt of at most one second.
    fn take(&mut self, amount: usize, now: Instant) {
        self.full_at = (self.full_at.max(now) + self.cost(amount)).min(now + 2 * SECOND);
    }

    /// Time that it takes to earn `amount` tokens.
    fn cost(&self, amount: usize) -> Duration {
        let amount = u64::try_from(amount).unwrap_or(u64::MAX);
        Duration::from_nanos(amount.saturating_mul(1_000_000_000) / self.per_second)
    }
}
