//! Deadlines of acknowledgements: a clock that runs only while there is a connection.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::outbound::operation::OperationId;

/// When requests time out that are on the wire, or wait for it.
///
/// Deadlines are points on a clock that adds up the time of all connections and stands still
/// between them. So a request that is queued again for the next connection keeps its deadline.
#[derive(Debug, Default)]
pub(in crate::engine) struct AckDeadlines {
    /// Length of all connections before this one.
    elapsed: Duration,
    /// When this connection was accepted; `None` while there is none.
    since: Option<Instant>,
    /// When the server acknowledged a message last, on the clock.
    acknowledged: Duration,
    /// In order of time. Some of the requests are over by now.
    deadlines: VecDeque<Deadline>,
}

#[derive(Debug, Clone, Copy)]
struct Deadline {
    at: Duration,
    id: OperationId,
    /// Whether it limits the time before the request is on the wire: it moves when the server
    /// acknowledges something.
    is_for_sending: bool,
}

impl AckDeadlines {
    /// A connection was accepted.
    pub(in crate::engine) const fn start(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// The server has acknowledged a message.
    pub(in crate::engine) fn acknowledge(&mut self, now: Option<Instant>) {
        if let (Some(since), Some(now)) = (self.since, now) {
            self.acknowledged = self.at(since, now);
        }
    }

    /// The connection is closed. Returns the requests on the wire that have a deadline.
    pub(in crate::engine) fn stop(
        &mut self,
        now: Option<Instant>,
    ) -> impl Iterator<Item = OperationId> {
        if let (Some(since), Some(now)) = (self.since.take(), now) {
            self.elapsed = self
                .elapsed
                .saturating_add(now.saturating_duration_since(since));
        }
        self.deadlines
            .iter()
            .filter(|each| !each.is_for_sending)
            .map(|each| each.id)
    }

    /// These requests are on their way: each has so much time from `now`.
    pub(in crate::engine) fn add(
        &mut self,
        ids: impl Iterator<Item = OperationId>,
        ack_timeout: Duration,
        now: Instant,
    ) {
        self.insert(
            self.since.map(|since| self.at(since, now)),
            ids,
            ack_timeout,
            false,
        );
    }

    /// These requests wait to be sent: each has so much time from `now`.
    pub(in crate::engine) fn add_waiting(
        &mut self,
        ids: impl Iterator<Item = OperationId>,
        ack_timeout: Duration,
        now: Instant,
    ) {
        self.insert(
            self.since.map(|since| self.at(since, now)),
            ids,
            ack_timeout,
            true,
        );
    }

    /// These requests wait to be sent: each has so much time from the last acknowledgement.
    pub(in crate::engine) fn add_again(
        &mut self,
        ids: impl Iterator<Item = OperationId>,
        ack_timeout: Duration,
    ) {
        self.insert(Some(self.acknowledged), ids, ack_timeout, true);
    }

    /// Whether the last acknowledgement is less than `ack_timeout` ago.
    pub(in crate::engine) fn moves_on(&self, ack_timeout: Duration, now: Instant) -> bool {
        let is_recent = |now| {
            self.acknowledged
                .checked_add(ack_timeout)
                .is_none_or(|until| until > now)
        };
        self.since
            .is_some_and(|since| is_recent(self.at(since, now)))
    }

    fn insert(
        &mut self,
        from: Option<Duration>,
        ids: impl Iterator<Item = OperationId>,
        ack_timeout: Duration,
        is_for_sending: bool,
    ) {
        // A time beyond the clock's range is never.
        let Some(at) = from.and_then(|from| from.checked_add(ack_timeout)) else {
            return;
        };
        let added = ids.map(|id| Deadline {
            at,
            id,
            is_for_sending,
        });
        if self.deadlines.back().is_none_or(|last| last.at <= at) {
            self.deadlines.extend(added);
            return;
        }
        // It counts from an earlier moment, or the time-out has become shorter since the last
        // connection.
        let place = self.deadlines.partition_point(|each| each.at <= at);
        let later = self.deadlines.split_off(place);
        self.deadlines.extend(added);
        self.deadlines.extend(later);
    }

    /// When the first of them times out; `None` while there is no connection.
    pub(in crate::engine) fn next(&self) -> Option<Instant> {
        let deadline = self.deadlines.front()?.at;
        self.since?
            .checked_add(deadline.saturating_sub(self.elapsed))
    }

    /// The next request whose time is over, and whether that is the time for being sent.
    pub(in crate::engine) fn pop_due(&mut self, now: Instant) -> Option<(OperationId, bool)> {
        if self.next()? > now {
            return None;
        }
        self.deadlines
            .pop_front()
            .map(|each| (each.id, each.is_for_sending))
    }

    /// Drops the deadlines of requests that are over: at the front whenever it is called, all of
    /// them when they have become more than three times the `unfinished` requests, which may
    /// have two each.
    pub(in crate::engine) fn forget(
        &mut self,
        unfinished: usize,
        is_over: impl Fn(OperationId) -> bool,
    ) {
        while self.deadlines.front().is_some_and(|each| is_over(each.id)) {
            self.deadlines.pop_front();
        }
        if self.deadlines.len() > 64 + 3 * unfinished {
            self.deadlines.retain(|each| !is_over(each.id));
        }
    }

    /// Gives back memory that a burst has left.
    pub(in crate::engine) fn give_back_memory(&mut self) {
        self.deadlines.shrink_to(2 * self.deadlines.len());
    }

    /// The time on the clock.
    fn at(&self, since: Instant, now: Instant) -> Duration {
        self.elapsed
            .saturating_add(now.saturating_duration_since(since))
    }
}
