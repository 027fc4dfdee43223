//! `Deadline`: the one point in time by which every stage must be done.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{Stage, TransportError};

#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    at: Instant,
    after: Duration,
}

impl Deadline {
    #[expect(
        clippy::disallowed_methods,
        reason = "the deadline of one call to open a transport"
    )]
    pub(super) fn after(after: Duration) -> Self {
        let now = Instant::now();
        // A time beyond the clock's range is never.
        let at = now.checked_add(after).unwrap_or(now + NEVER);
        Self { at, after }
    }

    /// `None` if the time is up before the stage is done.
    pub(super) async fn run<T>(self, stage: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.at, stage).await.ok()
    }

    /// The error for that.
    pub(super) fn passed(self, stage: Stage, addresses: Vec<SocketAddr>) -> TransportError {
        TransportError::TimedOut {
            stage,
            after: self.after,
            addresses,
        }
    }
}

const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);
