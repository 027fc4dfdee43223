//! Time of an event, on the monotonic clock and as a date.

use std::time::{Duration, Instant, SystemTime};

/// Time of an event on both clocks, read by the owner of the socket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timestamp {
    /// Monotonic time, for all deadlines.
    pub(crate) instant: Instant,
    /// Calendar time, for policies with conditions on `aws:CurrentTime`.
    pub(crate) calendar: SystemTime,
}

impl core::ops::AddAssign<Duration> for Timestamp {
    fn add_assign(&mut self, time: Duration) {
        self.instant += time;
        self.calendar += time;
    }
}
