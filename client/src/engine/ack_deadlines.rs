//! Deadlines of acknowledgements: a clock that runs only while there is a connection.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::operation::OperationId;

/// When requests on the wire time out.
///
/// Deadlines are points on a clock that adds up the time of all connections and stands still between them. So a request
/// that is queued again for the next connection keeps its deadline.
#[derive(Debug, Default)]
pub(super) struct AckDeadlines {
    /// Length of all connections before this one.
    elapsed: Duration,
    /// When this connection was accepted; `None` while there is none.
    since: Option<Instant>,
    /// In order of time. Some of the requests are over by now.
    deadlines: VecDeque<(Duration, OperationId)>,
}

impl AckDeadlines {
    /// A connection was accepted.
    pub(super) const fn start(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// The connection is closed. Returns the requests that have a deadline.
    pub(super) fn stop(&mut self, now: Option<Instant>) -> impl Iterator<Item = OperationId> {
        if let (Some(since), Some(now)) = (self.since.take(), now) {
            self.elapsed = self.elapsed.saturating_add(now.saturating_duration_since(since));
        }
        self.deadlines.iter().map(|(_, id)| *id)
    }

    /// These requests are on their way: each has so much time from `now`.
    pub(super) fn add(
        &mut self,
        ids: impl Iterator<Item = OperationId>,
        ack_timeout: Duration,
        now: Instant,
    ) {
        // A time beyond the clock's range is never.
        let Some(deadline) = self.since.and_then(|since| self.at(since, now).checked_add(ack_timeout)) else {
            return;
        };
        if self.deadlines.back().is_none_or(|(last, _)| *last <= deadline) {
            self.deadlines.extend(ids.map(|id| (deadline, id)));
            return;
        }
        // The time-out has become shorter since the last connection.
        let place = self.deadlines.partition_point(|(each, _)| *each <= deadline);
        let later = self.deadlines.split_off(place);
        self.deadlines.extend(ids.map(|id| (deadline, id)));
        self.deadlines.extend(later);
    }

    /// When the first of them times out; `None` while there is no connection.
    pub(super) fn next(&self) -> Option<Instant> {
        let (deadline, _) = self.deadlines.front()?;
        self.since?.checked_add(deadline.saturating_sub(self.elapsed))
    }

    /// The next request whose time is over.
    pub(super) fn pop_due(&mut self, now: Instant) -> Option<OperationId> {
        if self.next()? > now {
            return None;
        }
        self.deadlines.pop_front().map(|(_, id)| id)
    }

    /// Drops the deadlines of requests that are over: at the front whenever it is called, all of them when they have become
    /// more than twice the `unfinished` requests.
    pub(super) fn forget(&mut self, unfinished: usize, is_over: impl Fn(OperationId) -> bool) {
        while self.deadlines.front().is_some_and(|(_, id)| is_over(*id)) {
            self.deadlines.pop_front();
        }
        if self.deadlines.len() > 64 + 2 * unfinished {
            self.deadlines.retain(|(_, id)| !is_over(*id));
        }
    }

    /// Gives back memory that a burst has left.
    pub(super) fn give_back_memory(&mut self) {
        self.deadlines.shrink_to(2 * self.deadlines.len());
    }

    /// The time on the clock.
    fn at(&self, since: Instant, now: Instant) -> Duration {
        self.elapsed.saturating_add(now.saturating_duration_since(since))
    }
}
