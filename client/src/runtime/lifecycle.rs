//! Lifecycle of a client: running, stopping, stopped.

use std::time::{Duration, Instant};

use crate::error::{RequestError, StopCause};

/// Lifecycle of a client.
#[derive(Debug, Default)]
pub(crate) enum Lifecycle {
    /// Nobody has asked the client to stop.
    #[default]
    Running,
    /// The client was asked to stop: accepted requests may finish, then it disconnects.
    Stopping(FlushTime),
    /// The client has stopped for good.
    Stopped(StopCause),
}

/// Time that accepted requests get after a request to stop.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FlushTime {
    /// The driver hasn't seen the request yet; this much time follows.
    Requested {
        flush_for: Duration,
        /// End of the time of an earlier request.
        earlier: Option<Instant>,
    },
    /// Requests may finish until then.
    Until(Instant),
    /// Requests may take any length of time.
    Unlimited,
}

/// Progress of a requested stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopProgress {
    /// Nobody has asked the client to stop.
    NotRequested,
    /// Requests may still finish, until this time; `None` for any length of time.
    Flushing(Option<Instant>),
    /// The time is over, but not all requests are done.
    TimeOver,
    /// All requests are done.
    Idle,
}

impl StopProgress {
    /// True if the client should disconnect.
    pub(crate) const fn is_over(self) -> bool {
        matches!(self, Self::TimeOver | Self::Idle)
    }

    /// Time at which the progress changes by itself.
    pub(crate) const fn deadline(self) -> Option<Instant> {
        match self {
            Self::Flushing(until) => until,
            Self::NotRequested | Self::TimeOver | Self::Idle => None,
        }
    }
}

impl Lifecycle {
    /// True if the client runs, and wasn't asked to stop.
    pub(crate) const fn is_running(&self) -> bool {
        matches!(self, Self::Running)
    }

    /// True if the client has stopped for good.
    pub(crate) const fn has_stopped(&self) -> bool {
        matches!(self, Self::Stopped(_))
    }

    /// Cause of the stop, once the client has stopped.
    pub(crate) const fn stop_cause(&self) -> Option<&StopCause> {
        match self {
            Self::Stopped(cause) => Some(cause),
            Self::Running | Self::Stopping(_) => None,
        }
    }

    /// Checks that requests are accepted: until the client has stopped.
    ///
    /// # Errors
    /// [`RequestError::Stopped`].
    pub(crate) fn check_running(&self) -> Result<(), RequestError> {
        match self {
            Self::Stopped(cause) => Err(RequestError::Stopped(cause.clone())),
            Self::Running | Self::Stopping(_) => Ok(()),
        }
    }

    /// Asks the client to stop, after at most `flush_for` in which accepted requests may finish. If
    /// called more than once, the earliest end counts.
    pub(crate) fn request_stop(&mut self, flush_for: Duration) {
        // Several requests to stop: the earliest end counts, and a later one never extends the
        // time.
        let (flush_for, earlier) = match *self {
            Self::Stopped(_) => return,
            Self::Running | Self::Stopping(FlushTime::Unlimited) => (flush_for, None),
            Self::Stopping(FlushTime::Until(until)) => (flush_for, Some(until)),
            Self::Stopping(FlushTime::Requested {
                flush_for: other,
                earlier,
            }) => (flush_for.min(other), earlier),
        };
        *self = Self::Stopping(FlushTime::Requested { flush_for, earlier });
    }

    /// Progress of the stop at this time; `is_idle` tells whether all requests are done. The first
    /// call after a request starts its time.
    pub(crate) fn stop_progress(
        &mut self,
        now: Instant,
        is_idle: impl FnOnce() -> bool,
    ) -> StopProgress {
        let Self::Stopping(time) = self else {
            return StopProgress::NotRequested;
        };
        // The time begins when the driver sees the request, because `request_stop` has no clock. A
        // time beyond the clock's range is no limit.
        if let FlushTime::Requested { flush_for, earlier } = *time {
            let until = now.checked_add(flush_for).into_iter().chain(earlier).min();
            *time = until.map_or(FlushTime::Unlimited, FlushTime::Until);
        }
        match *time {
            _ if is_idle() => StopProgress::Idle,
            FlushTime::Until(until) if until <= now => StopProgress::TimeOver,
            FlushTime::Until(until) => StopProgress::Flushing(Some(until)),
            FlushTime::Unlimited | FlushTime::Requested { .. } => StopProgress::Flushing(None),
        }
    }
}
