//! One moment on several clocks: how much time has passed between two processes, as far as that can
//! be known.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// One moment on the clocks that the expiry of stored messages is measured by.
///
/// The remaining time of a message is stored with the moment at which it was left. The next process
/// subtracts the time in between: by the clock of the machine if it hasn't started again since,
/// otherwise by the calendar. Where the calendar was set back, or stood before 2026 because nobody
/// had set it, the time in between can't be known:
/// [`Session::unmeasured_expiries`](super::Session::unmeasured_expiries) counts those messages, and
/// they keep the time that was left, less that since the machine has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockReading {
    /// The engine's clock. It means nothing to another process.
    pub now: Instant,
    /// The calendar. It may have been set to another time since it was read last.
    pub date: SystemTime,
    /// Time since the machine started; `None` where the system doesn't tell.
    pub boot: Option<SinceBoot>,
}

/// Time since the machine started, its sleep included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SinceBoot {
    /// Identifies the start: another one is another number. On Linux the content of
    /// `/proc/sys/kernel/random/boot_id`.
    pub boot_id: u128,
    /// Time since then: on Linux that of `CLOCK_BOOTTIME`.
    pub elapsed: Duration,
}

/// A moment as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredMoment {
    /// Milliseconds since 1970; 0 for any earlier date.
    pub(super) date: u64,
    /// Number of the machine's start, and milliseconds since then.
    pub(super) boot: Option<(u128, u64)>,
}

/// Time between a stored moment and now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Between {
    Known(Duration),
    /// At least so much.
    Unknown(Duration),
}

/// 2026-01-01 in milliseconds since 1970. This code is younger: an earlier date is that of a clock
/// that wasn't set.
const EARLIEST_DATE: u64 = 1_767_225_600_000;

impl ClockReading {
    pub(super) fn stored(&self) -> StoredMoment {
        StoredMoment {
            date: millis(self.date.duration_since(UNIX_EPOCH).unwrap_or_default()),
            boot: self.boot.map(|boot| (boot.boot_id, millis(boot.elapsed))),
        }
    }

    /// Time that has passed since `then`.
    pub(super) fn since(&self, then: StoredMoment) -> Between {
        let now = self.stored();
        let mut at_least = Duration::ZERO;
        if let (Some((boot_id, elapsed)), Some((then_boot_id, then_elapsed))) =
            (now.boot, then.boot)
        {
            if boot_id == then_boot_id {
                // The same start with less time since: the machine was put back to an earlier
                // state.
                let between = elapsed.checked_sub(then_elapsed).map(Duration::from_millis);
                return between.map_or(Between::Unknown(Duration::ZERO), Between::Known);
            }
            at_least = Duration::from_millis(elapsed);
        }
        match now.date.checked_sub(then.date) {
            Some(between) if then.date >= EARLIEST_DATE => {
                Between::Known(at_least.max(Duration::from_millis(between)))
            }
            _ => Between::Unknown(at_least),
        }
    }

    /// Returns `true` if `then` is a moment since the machine started, so that the time since then
    /// stays known.
    pub(super) fn is_of_this_boot(&self, then: StoredMoment) -> bool {
        self.boot
            .zip(then.boot)
            .is_some_and(|(now, (boot_id, _))| now.boot_id == boot_id)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[expect(
        clippy::disallowed_methods,
        reason = "the engine's own clock plays no part in what is tested"
    )]
    fn reading(date: u64, boot: Option<(u128, u64)>) -> ClockReading {
        let date = UNIX_EPOCH + Duration::from_secs(date);
        let boot = boot.map(|(boot_id, elapsed)| SinceBoot {
            boot_id,
            elapsed: Duration::from_secs(elapsed),
        });
        ClockReading {
            now: Instant::now(),
            date,
            boot,
        }
    }

    const IN_2026: u64 = 1_790_000_000;

    #[test]
    fn the_monotonic_clock_counts_when_the_calendar_is_set() {
        let then = reading(IN_2026, Some((1, 100))).stored();
        for date in [0, IN_2026 - 3600, IN_2026, IN_2026 + 3_600_000] {
            assert_eq!(
                reading(date, Some((1, 130))).since(then),
                Between::Known(Duration::from_secs(30))
            );
        }
        let earlier_state = reading(IN_2026, Some((1, 99)));
        assert_eq!(earlier_state.since(then), Between::Unknown(Duration::ZERO));
    }

    #[test]
    fn after_another_start_the_calendar_counts_unless_it_was_set() {
        for (before, after) in [
            (None, None),
            (Some((1, 100)), Some((2, 10))),
            (Some((1, 100)), None),
        ] {
            let then = reading(IN_2026, before).stored();
            let at_least = Duration::from_secs(after.map_or(0, |(_, elapsed)| elapsed));
            assert_eq!(
                reading(IN_2026 + 3600, after).since(then),
                Between::Known(HOUR)
            );
            assert_eq!(
                reading(IN_2026 - 3600, after).since(then),
                Between::Unknown(at_least),
                "set back"
            );
            assert_eq!(
                reading(5, after).since(then),
                Between::Unknown(at_least),
                "not set yet"
            );
            let then = reading(5, before).stored();
            assert_eq!(
                reading(IN_2026, after).since(then),
                Between::Unknown(at_least),
                "set meanwhile"
            );
            assert_eq!(
                reading(65, after).since(then),
                Between::Unknown(at_least),
                "never set"
            );
        }
    }

    #[test]
    fn after_a_restart_at_least_the_time_since_boot_has_passed() {
        let then = reading(IN_2026, Some((1, 100))).stored();
        let now = reading(IN_2026 + 1, Some((2, 3600)));
        assert_eq!(
            now.since(then),
            Between::Known(HOUR),
            "the calendar was set a little back"
        );
    }
}
