//! `Stats`: number and rate of messages, for `--stats`.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::client_run::ClientRun;
use crate::client_run::event_json::JsonEvent;

/// Counts since the last line, and since the start.
pub(super) struct Stats {
    interval: Duration,
    /// Time of the next line.
    due: Instant,
    since: Instant,
    messages: u64,
    bytes: u64,
    all_messages: u64,
}

impl Stats {
    pub(super) fn new(interval: Duration) -> Self {
        let now = Instant::now();
        Self {
            interval,
            due: now + interval,
            since: now,
            messages: 0,
            bytes: 0,
            all_messages: 0,
        }
    }

    /// Counts a message with a payload of `bytes`.
    pub(super) fn count(&mut self, bytes: usize) {
        self.messages += 1;
        self.bytes += bytes as u64;
        self.all_messages += 1;
    }

    /// Waits until a line is due. Cancel safe.
    pub(super) async fn due(&self) {
        sleep_until(self.due).await;
    }

    /// Prints the line: on standard error, or with `--json` as an event.
    ///
    /// # Errors
    /// Errors of standard output.
    pub(super) fn print(&mut self, run: &mut ClientRun) -> std::io::Result<()> {
        let now = Instant::now();
        let seconds = now.duration_since(self.since).as_secs_f64().max(0.001);
        let per_second = self.messages as f64 / seconds;
        let bytes_per_second = self.bytes as f64 / seconds;
        if run.report.is_json() {
            run.report.json(&JsonEvent::Stats {
                messages: self.messages,
                bytes: self.bytes,
                per_second,
                bytes_per_second,
            })?;
        } else {
            run.console.note(format_args!(
                "stats: {} messages ({} in all), {per_second:.1} messages/s, {bytes_per_second:.0} payload bytes/s",
                self.messages, self.all_messages
            ));
        }
        (self.messages, self.bytes, self.since) = (0, 0, now);
        self.due = now + self.interval;
        Ok(())
    }
}
