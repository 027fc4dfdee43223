//! `Deadline`: time by which a transport has to be open, all stages included.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

use crate::error::{Stage, TransportError};

/// Deadline of opening a transport.
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

    /// Runs a stage. Returns `None` if the deadline passes first.
    pub(super) async fn run<T>(self, stage: impl Future<Output = T>) -> Option<T> {
        timeout_at(self.at, stage).await.ok()
    }

    /// Error of a stage that was not done in time.
    pub(super) fn passed(self, stage: Stage, addresses: Vec<SocketAddr>) -> TransportError {
        TransportError::TimedOut {
            stage,
            after: self.after,
            addresses,
        }
    }
}

const NEVER: Duration = Duration::from_secs(30 * 365 * 86_400);
