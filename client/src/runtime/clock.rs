//! Clocks of the runtime. The engine reads none: time is an argument of its methods.

use std::time::{Instant, SystemTime};

use crate::engine::{ClockReading, SinceBoot};

/// Current time of tokio's clock, which tests can pause.
#[expect(
    clippy::disallowed_methods,
    reason = "the clock of the client, read by its runtime alone"
)]
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// This moment on all clocks.
#[expect(
    clippy::disallowed_methods,
    reason = "the calendar of the machine, for the times in the store"
)]
pub(crate) fn read() -> ClockReading {
    ClockReading {
        now: now(),
        date: SystemTime::now(),
        boot: since_boot(),
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Option<SinceBoot> {
    use std::sync::OnceLock;
    use std::time::Duration;

    use rustix::time::{ClockId, clock_gettime};

    static BOOT_ID: OnceLock<Option<u128>> = OnceLock::new();
    let boot_id = BOOT_ID.get_or_init(|| {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
        u128::from_str_radix(&text.trim().replace('-', ""), 16).ok()
    });
    let time = clock_gettime(ClockId::Boottime);
    let elapsed = Duration::new(
        u64::try_from(time.tv_sec).ok()?,
        u32::try_from(time.tv_nsec).ok()?,
    );
    Some(SinceBoot {
        boot_id: (*boot_id)?,
        elapsed,
    })
}

/// Other systems tell when they started, but not whether the calendar was set since.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const fn since_boot() -> Option<SinceBoot> {
    None
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use super::*;

    #[test]
    fn the_boot_identifier_stays_the_same_and_the_time_since_boot_grows() {
        let Some((first, second)) = since_boot().zip(since_boot()) else {
            return;
        };
        assert_eq!(first.boot_id, second.boot_id);
        assert!(first.elapsed <= second.elapsed);
    }
}
