//! Phases of a network connection: open, closing, broken off.

use std::time::{Duration, Instant};

use crate::engine::CloseCause;

/// Time that the server gets to take the last output, and to close its side.
pub(super) const CLOSING_TIME: Duration = Duration::from_secs(1);
/// Time in which a DISCONNECT may arrive that explains why nothing can be written any more.
const READ_ON_AFTER_BREAK: Duration = Duration::from_millis(500);

/// Phase of a network connection.
pub(super) enum ConnectionPhase {
    /// Bytes go both ways.
    Open,
    /// The engine wants to close: the remaining output may be written until `deadline`.
    Closing {
        deadline: Instant,
        /// True if DISCONNECT is part of the output.
        sends_disconnect: bool,
    },
    /// Nothing can be written any more. Boxed, because it is rare and large.
    Broken(Box<BrokenOff>),
}

/// Failure of a transport that takes no output any more.
pub(super) struct BrokenOff {
    pub(super) cause: CloseCause,
    /// End of the time in which a DISCONNECT may still arrive.
    pub(super) deadline: Instant,
    /// Size of the output that wasn't written, in bytes.
    pub(super) unwritten: usize,
}

impl ConnectionPhase {
    /// A connection that closes once its output is written, or after [`CLOSING_TIME`].
    pub(super) fn closing(now: Instant, sends_disconnect: bool) -> Self {
        Self::Closing {
            deadline: now + CLOSING_TIME,
            sends_disconnect,
        }
    }

    /// A connection that closes at once: nothing leaves any more.
    pub(super) const fn closed(now: Instant) -> Self {
        Self::Closing {
            deadline: now,
            sends_disconnect: false,
        }
    }

    /// A connection whose transport failed for `cause` with `unwritten` bytes of output left.
    pub(super) fn broken(cause: CloseCause, unwritten: usize, now: Instant) -> Self {
        Self::Broken(Box::new(BrokenOff {
            cause,
            deadline: now + READ_ON_AFTER_BREAK,
            unwritten,
        }))
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Open)
    }

    pub(super) const fn is_broken(&self) -> bool {
        matches!(self, Self::Broken(_))
    }

    /// Failure of the transport; `None` while output can be written.
    pub(super) fn broken_off(&self) -> Option<&BrokenOff> {
        match self {
            Self::Broken(broken) => Some(broken),
            Self::Open | Self::Closing { .. } => None,
        }
    }

    /// End of the time for closing; `None` if the connection isn't closing.
    pub(super) const fn closing_deadline(&self) -> Option<Instant> {
        match self {
            Self::Closing { deadline, .. } => Some(*deadline),
            Self::Open | Self::Broken(_) => None,
        }
    }

    /// True if the time for closing is over.
    pub(super) fn is_closing_over(&self, now: Instant) -> bool {
        self.closing_deadline().is_some_and(|until| until <= now)
    }

    /// True if DISCONNECT is part of the last output.
    pub(super) const fn sends_disconnect(&self) -> bool {
        matches!(
            self,
            Self::Closing {
                sends_disconnect: true,
                ..
            }
        )
    }
}
