//! Rate limits: a number of messages or bytes in each second.

use std::time::{Duration, Instant};

/// Windows of one length, one after the other, each with the same limit. What is taken beyond the
/// limit counts for the next windows.
#[derive(Debug, Clone)]
pub(crate) struct RateWindow {
    most: u64,
    length: Duration,
    taken: u64,
    ends: Instant,
}

impl RateWindow {
    pub(crate) fn new(most: u32, length: Duration, now: Instant) -> Self {
        Self {
            most: most.into(),
            length,
            taken: 0,
            ends: now + length,
        }
    }

    /// `true` if the limit of this window isn't used up.
    pub(crate) fn is_open(&mut self, now: Instant) -> bool {
        if now >= self.ends {
            // Whole windows that have passed since the last call, this one included. Each pays back
            // one limit's worth of what was taken beyond it.
            let over = now.saturating_duration_since(self.ends);
            let windows = over
                .as_nanos()
                .checked_div(self.length.as_nanos())
                .map_or(u64::MAX, |count| {
                    u64::try_from(count).unwrap_or(u64::MAX).saturating_add(1)
                });
            self.taken = self.taken.saturating_sub(self.most.saturating_mul(windows));
            self.ends = now + self.length;
        }
        // Open until the limit is reached, so one last packet may go beyond it.
        self.taken < self.most
    }

    /// Takes a number, even beyond the limit.
    pub(crate) const fn take(&mut self, some: u64) {
        self.taken = self.taken.saturating_add(some);
    }

    /// Takes one, unless the limit is used up; returns `true` if it did.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        let is_open = self.is_open(now);
        if is_open {
            self.take(1);
        }
        is_open
    }

    /// End of this window.
    pub(crate) const fn ends(&self) -> Instant {
        self.ends
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "virtual time has to begin somewhere"
    )]
    fn a_window_holds_so_much_and_the_next_one_is_another() {
        let now = Instant::now();
        let mut window = RateWindow::new(2, SECOND, now);
        assert_eq!([(); 3].map(|()| window.try_take(now)), [true, true, false]);
        assert!(window.try_take(window.ends()));
    }

    #[test]
    #[expect(
        clippy::disallowed_methods,
        reason = "virtual time has to begin somewhere"
    )]
    fn what_is_taken_beyond_it_is_missing_later() {
        let now = Instant::now();
        let mut window = RateWindow::new(10, SECOND, now);
        // 25 of 10: the two next windows pay 10 each, and 5 are left in the second.
        window.take(25);
        assert!(!window.is_open(now + SECOND));
        assert!(window.is_open(now + 2 * SECOND));
    }
}
