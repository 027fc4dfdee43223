//! Deadlines of requests on a clock that runs only while there is a connection.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::engine::outbound::accepted_request::OperationId;

/// Deadlines of requests that were sent, or wait to be sent while there is a connection.
///
/// Deadlines are points on a clock that adds up the time of all connections and stands still
/// between them. So a request that is queued again for the next connection keeps its deadline.
#[derive(Debug, Default)]
pub(in crate::engine) struct AckDeadlines {
    /// Length of all connections before this one.
    elapsed: Duration,
    /// Start of this connection; `None` while there is none.
    since: Option<Instant>,
    /// Time of the last acknowledgement, on the clock.
    acknowledged: Duration,
    /// In order of time. Some of the requests are complete by now.
    deadlines: VecDeque<AckDeadline>,
}

#[derive(Debug, Clone, Copy)]
struct AckDeadline {
    at: Duration,
    id: OperationId,
    /// `true` for the time until the request is sent: this deadline moves when the server
    /// acknowledges something.
    is_for_sending: bool,
}

impl AckDeadlines {
    /// Starts the clock with a connection.
    pub(in crate::engine) const fn start(&mut self, now: Instant) {
        self.since = Some(now);
    }

    /// Notes that the server acknowledged something.
    pub(in crate::engine) fn acknowledge(&mut self, now: Option<Instant>) {
        if let (Some(since), Some(now)) = (self.since, now) {
            self.acknowledged = self.at(since, now);
        }
    }

    /// Stops the clock with the connection. Returns the requests that were sent and have a
    /// deadline.
    pub(in crate::engine) fn stop(
        &mut self,
        now: Option<Instant>,
    ) -> impl Iterator<Item = OperationId> {
        // The clock stands still until the next connection.
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

    /// Gives requests that were sent the time `ack_timeout` from `now`.
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

    /// Gives requests that wait to be sent the time `ack_timeout` from `now`.
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

    /// Gives requests that wait to be sent the time `ack_timeout` from the last acknowledgement.
    pub(in crate::engine) fn add_again(
        &mut self,
        ids: impl Iterator<Item = OperationId>,
        ack_timeout: Duration,
    ) {
        self.insert(Some(self.acknowledged), ids, ack_timeout, true);
    }

    /// Returns `true` if the last acknowledgement is less than `ack_timeout` ago.
    pub(in crate::engine) fn makes_progress(&self, ack_timeout: Duration, now: Instant) -> bool {
        let is_recent = |now| {
            self.acknowledged
                .checked_add(ack_timeout)
                .is_none_or(|until| until > now)
        };
        self.since
            .is_some_and(|since| is_recent(self.at(since, now)))
    }

    /// Adds deadlines at `from` plus `ack_timeout`, in order of time.
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
        let added = ids.map(|id| AckDeadline {
            at,
            id,
            is_for_sending,
        });
        if self.deadlines.back().is_none_or(|last| last.at <= at) {
            self.deadlines.extend(added);
            return;
        }
        // The time counts from an earlier moment, or the time-out has become shorter since the last
        // connection.
        let place = self.deadlines.partition_point(|each| each.at <= at);
        let later = self.deadlines.split_off(place);
        self.deadlines.extend(added);
        self.deadlines.extend(later);
    }

    /// Time of the first deadline; `None` if there is none, and while there is no connection.
    pub(in crate::engine) fn next(&self) -> Option<Instant> {
        let deadline = self.deadlines.front()?.at;
        self.since?
            .checked_add(deadline.saturating_sub(self.elapsed))
    }

    /// Removes the first request whose time is over. The flag says that it was the time until it is
    /// sent.
    pub(in crate::engine) fn pop_due(&mut self, now: Instant) -> Option<(OperationId, bool)> {
        if self.next()? > now {
            return None;
        }
        self.deadlines
            .pop_front()
            .map(|each| (each.id, each.is_for_sending))
    }

    /// Drops the deadlines of complete requests: those at the front always, all of them when there
    /// are more than three times as many deadlines as `unfinished` requests, which may have two
    /// each.
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

    /// Shrinks what a burst has left.
    pub(in crate::engine) fn give_back_memory(&mut self) {
        self.deadlines.shrink_to(2 * self.deadlines.len());
    }

    /// Time on the clock at `now`, of a connection that started at `since`.
    fn at(&self, since: Instant, now: Instant) -> Duration {
        self.elapsed
            .saturating_add(now.saturating_duration_since(since))
    }
}
