//! The clock of the sandbox, read by the tasks that own sockets alone.

use std::time::{Instant, SystemTime};

use crate::server::Timestamp;

/// Time on both clocks.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the sandbox, read by its connections alone"
)]
pub(crate) fn now() -> Timestamp {
    Timestamp {
        instant: instant(),
        calendar: SystemTime::now(),
    }
}

/// Monotonic time, that of the runtime.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the sandbox, read by its connections alone"
)]
pub(crate) fn instant() -> Instant {
    tokio::time::Instant::now().into_std()
}
