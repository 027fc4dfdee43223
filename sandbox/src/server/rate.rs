//! How much of something a second holds: messages, bytes, stored messages.

use std::time::{Duration, Instant};

/// Windows of one length, one after the other; each holds so much. What is taken beyond it counts
/// for the next ones.
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

    /// Whether there is something left.
    pub(crate) fn is_open(&mut self, now: Instant) -> bool {
        if now >= self.ends {
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
        self.taken < self.most
    }

    /// Takes some, whether it is there or not.
    pub(crate) const fn take(&mut self, some: u64) {
        self.taken = self.taken.saturating_add(some);
    }

    /// Takes one, if there is one.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        let is_open = self.is_open(now);
        if is_open {
            self.take(1);
        }
        is_open
    }

    /// When to ask again.
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
        window.take(25);
        assert!(!window.is_open(now + SECOND));
        assert!(window.is_open(now + 2 * SECOND));
    }
}
