//! The clock of [`ack_timeout`]: it adds up the time of all connections and stands still between
//! them.
//!
//! [`ack_timeout`]: dunlin_client::ConnectOptions::ack_timeout

use std::time::{Duration, Instant};

use dunlin_client::engine::Engine;

use crate::simulate::violation::{Checked, ensure};

/// Time of all connections together, and what happened on it.
#[derive(Debug)]
pub(in crate::simulate) struct RequestClock {
    timeout: Duration,
    /// Length of all connections before this one.
    before: Duration,
    /// Start of this connection; `None` while there is none.
    since: Option<Instant>,
    /// The clock at the start of each connection.
    starts: Vec<Duration>,
    /// The clock when the client last read an acknowledgement or sent SUBSCRIBE or UNSUBSCRIBE, or
    /// when its driver had output to take.
    last_progress: Duration,
}

/// Moment at which a request was accepted.
#[derive(Debug, Clone, Copy)]
pub(in crate::simulate) struct AcceptedAt {
    pub(in crate::simulate) at: Instant,
    clock: Duration,
    /// Number of connections before it.
    pub(super) connections: usize,
    was_connected: bool,
}

impl RequestClock {
    pub(super) const fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            before: Duration::ZERO,
            since: None,
            starts: Vec::new(),
            last_progress: Duration::ZERO,
        }
    }

    /// A connection was accepted.
    pub(super) fn start(&mut self, now: Instant) {
        self.stop(now);
        self.since = Some(now);
        self.starts.push(self.before);
    }

    /// The connection has ended.
    pub(in crate::simulate) fn stop(&mut self, now: Instant) {
        self.before = self.read(now);
        self.since = None;
    }

    /// The client read an acknowledgement or sent SUBSCRIBE or UNSUBSCRIBE, or its driver had output
    /// to take: the time of requests that aren't on the wire begins again.
    pub(in crate::simulate) fn progress(&mut self, now: Instant) {
        self.last_progress = self.read(now);
    }

    /// `engine` accepts a request.
    pub(in crate::simulate) fn accept(&self, engine: &Engine, now: Instant) -> AcceptedAt {
        AcceptedAt {
            at: now,
            clock: self.read(now),
            connections: self.starts.len(),
            was_connected: engine.is_connected(),
        }
    }

    pub(super) fn read(&self, now: Instant) -> Duration {
        let this = self.since.map(|at| now.saturating_duration_since(at));
        self.before + this.unwrap_or_default()
    }

    /// Returns `true` if a request may time out: the connections since lasted `ack_timeout`.
    pub(super) fn may_time_out(&self, accepted: &AcceptedAt, now: Instant) -> bool {
        self.read(now).saturating_sub(accepted.clock) >= self.timeout
    }

    /// A request that isn't on the wire, as far as is known, has to be over if nothing moved for
    /// `ack_timeout`.
    pub(in crate::simulate) fn check_waiting(
        &self,
        accepted: &AcceptedAt,
        now: Instant,
    ) -> Checked {
        // Without a connection, the next one begins the request's time.
        let start = self.starts.get(accepted.connections).copied();
        let start = start.filter(|_| !accepted.was_connected);
        let since = start.unwrap_or(accepted.clock).max(self.last_progress);
        self.check(since, now)
    }

    /// A request that was on the wire at `written` has to be over `ack_timeout` later.
    pub(super) fn check_written(&self, written: Duration, now: Instant) -> Checked {
        self.check(written, now)
    }

    fn check(&self, since: Duration, now: Instant) -> Checked {
        let (waited, timeout) = (self.read(now).saturating_sub(since), self.timeout);
        ensure(
            waited < timeout,
            "a request is acknowledged within ack_timeout of connected time",
            || format!("{waited:?} of {timeout:?}"),
        )
    }
}
