//! Wait for the messages that `bench sub` expects: its limits, and a line about it on standard
//! error.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::plan::TrafficPlan;
use super::pool::ClientReporter;
use super::progress::SILENCE;
use crate::diagnosis::{duration, quoted};

/// Waits until each connected client has received the number of messages that was asked for.
///
/// Gives up at the end of `--duration`, or without one after the time of `--timeout` without a
/// message. After three seconds without a message it prints once what is waited for.
///
/// Cancel safe.
pub(super) async fn all_received(plan: &TrafficPlan, reporter: &ClientReporter) {
    let counters = &reporter.counters;
    let begun = Instant::now();
    // All clients have connected or given up by now, so the number is final.
    let expected = plan.count.map(|count| count * counters.connected.get());
    let (mut received, mut last, mut is_noted) = (counters.received.get(), begun, false);
    while expected.is_none_or(|expected| received < expected) {
        // A load with a duration measures that time, with or without messages. Without one,
        // nobody may ever publish, and only the silence can end the wait.
        let left = match plan.duration {
            Some(duration) => duration.saturating_sub(begun.elapsed()),
            None => plan.silence.saturating_sub(last.elapsed()),
        };
        if left.is_zero() {
            return;
        }
        // Once in a run: a publisher may be slower than a message in three seconds.
        if !is_noted && last.elapsed() >= SILENCE {
            is_noted = true;
            let of_all = expected.map_or_else(String::new, |expected| format!(" of {expected}"));
            reporter.notes.print(format_args!(
                "waiting: received {received}{of_all} messages on {}: nobody publishes there, or \
                 the policy lacks iot:Receive; for {} more",
                quoted(&plan.filter_of(0)),
                duration(round_up(left))
            ));
        }

        // The counter is read, not awaited: a receiver that wakes a task costs time per message.
        sleep(POLL.min(left)).await;
        let now = counters.received.get();
        if now != received {
            (received, last) = (now, Instant::now());
        }
    }
}

/// Rounds up to whole seconds, so that a limit reads as it was given.
fn round_up(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_millis() > 0))
}

const POLL: Duration = Duration::from_millis(10);
