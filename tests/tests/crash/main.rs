//! Processes with a store that are killed at any time: 5 times each way by default, 200 with
//! `DUNLIN_FULL=1`.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod creating;
mod publishing;
mod receiving;

use std::time::Duration;

/// Number of times that a process is killed.
fn crashes() -> usize {
    if std::env::var_os("DUNLIN_FULL").is_some_and(|value| value == "1") {
        200
    } else {
        5
    }
}

/// Time from the start of a process until it is killed: from before it connects to long after.
fn moment(random: &mut fastrand::Rng) -> Duration {
    Duration::from_millis(random.u64(0..400))
}
