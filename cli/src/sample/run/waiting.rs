//! Lines on standard error while the run waits: what is due, until when, and why it may be missing.

use std::time::Duration;

use tokio::time::Instant;

use super::SampleRun;
use super::step::{Activity, Wait};
use crate::diagnosis::{Diagnosis, Operation, duration};

/// When the next line about waiting is due. Every step of the connection starts the time again.
#[derive(Debug)]
pub(super) struct WaitingNotice {
    since: Instant,
    is_told: bool,
}

impl WaitingNotice {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            is_told: false,
        }
    }

    /// Something happened: what is waited for now has just begun.
    pub(super) fn restart(&mut self) {
        *self = Self::new();
    }

    /// `None` if the line was printed, or if nothing is due.
    pub(super) fn due(&self, wait: Wait) -> Option<Instant> {
        let is_waiting = !matches!(wait.activity(), Activity::Pause | Activity::Stop);
        (is_waiting && !self.is_told).then(|| self.since.max(wait.since()) + SILENCE)
    }
}

impl SampleRun<'_> {
    /// Prints the line that is due.
    pub(super) fn tell_waiting(&mut self, wait: Wait) {
        self.notice.is_told = true;
        let left = wait
            .deadline()
            .map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let until = left.map_or_else(
            || "until stopped".to_owned(),
            |left| format!("for {} more", duration(round_up(left))),
        );
        let progress = self.progress();
        let what = match wait.activity() {
            _ if !self.connection.is_up() => self.connection.waits_for(),
            Activity::Operate(operation) => {
                let answer = match operation {
                    Operation::Subscribe => "SUBACK",
                    Operation::Publish => "PUBACK",
                    Operation::Unsubscribe => "UNSUBACK",
                };
                format!(
                    "no {answer} yet: the server is slow, or drops the packet without an answer"
                )
            }
            _ => format!(
                "acknowledged {}, received {}: the policy may lack iot:Receive",
                progress.acknowledged, progress.received
            ),
        };
        self.console.note(format_args!("waiting: {what}; {until}"));
    }

    /// Prints that an attempt failed and when the next one begins.
    pub(super) fn tell_retry(&self, diagnosis: &Diagnosis, retry_in: Duration) {
        let attempt = self.connection.attempt();
        self.console.note(format_args!(
            "attempt {attempt}: {} [{}]; next attempt in {}",
            diagnosis.headline,
            diagnosis.id.name(),
            duration(retry_in)
        ));
    }
}

/// Whole seconds, so that a deadline reads as it was given.
fn round_up(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_millis() > 0))
}

/// Time without what is due, after which a line says so.
const SILENCE: Duration = Duration::from_secs(3);
