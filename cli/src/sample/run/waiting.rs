//! Lines on standard error while the run waits: what is missing, until when, and the likely cause.

use std::time::Duration;

use tokio::time::Instant;

use super::SampleRun;
use super::step::{SampleActivity, SampleWait};
use crate::client_run::waiting::{self, SILENCE};
use crate::diagnosis::Diagnosis;

/// Time at which the next line about waiting is due.
#[derive(Debug)]
pub(super) struct WaitingNotice {
    /// Time of the last step of the connection; each step starts the silence again.
    since: Instant,
    is_printed: bool,
    missing: MissingNotice,
}

/// Acknowledged messages that haven't come back yet, as far as the user knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MissingNotice {
    None,
    /// Time of the last message that came back, or of the first one that didn't.
    Since(Instant),
    /// The line was printed.
    Printed,
}

impl WaitingNotice {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            is_printed: false,
            missing: MissingNotice::None,
        }
    }

    /// Starts the silence again after a step of the connection.
    pub(super) fn restart(&mut self) {
        self.since = Instant::now();
        self.is_printed = false;
    }

    /// Records an acknowledgement; `is_missing` is true if a message hasn't come back.
    pub(super) fn acknowledged(&mut self, is_missing: bool) {
        if is_missing && self.missing == MissingNotice::None {
            self.missing = MissingNotice::Since(Instant::now());
        }
    }

    /// Records a message that came back; `is_missing` is true if others haven't.
    pub(super) fn received(&mut self, is_missing: bool) {
        self.missing = if is_missing {
            MissingNotice::Since(Instant::now())
        } else {
            MissingNotice::None
        };
    }

    /// True if a line has said that messages are missing, and they still are.
    pub(super) fn has_reported_missing(&self) -> bool {
        self.missing == MissingNotice::Printed
    }

    /// `None` if the line was printed, or if nothing is waited for.
    pub(super) fn due(&self, wait: SampleWait) -> Option<Instant> {
        match (wait.activity(), self.missing) {
            (SampleActivity::Stop, _) => None,
            // Between two messages, only those that haven't come back are waited for.
            (SampleActivity::Pause, MissingNotice::Since(since)) => Some(since + SILENCE),
            (SampleActivity::Pause, MissingNotice::None | MissingNotice::Printed) => None,
            _ if self.is_printed => None,
            _ => Some(self.since.max(wait.since()) + SILENCE),
        }
    }
}

impl SampleRun<'_> {
    /// Prints the line that is due.
    pub(super) fn print_waiting(&mut self, wait: SampleWait) {
        if wait.activity() == SampleActivity::Pause {
            self.notice.missing = MissingNotice::Printed;
        } else {
            self.notice.is_printed = true;
        }
        // The end of the wait: a deadline, the next message, or a signal.
        let until = match (wait.deadline(), self.config.count) {
            (None, Some(_)) => "sending goes on".to_owned(),
            (deadline, _) => waiting::until(deadline),
        };
        let progress = self.progress();
        let what = match wait.activity() {
            // Without a connection, the connection is waited for, whatever the step is.
            _ if !self.connection.is_up() => self.connection.waits_for(),
            SampleActivity::Operate(operation) => waiting::unanswered(operation),
            _ => format!(
                "acknowledged {}, received {}: the policy may lack iot:Receive",
                progress.acknowledged, progress.received
            ),
        };
        self.console.note(format_args!("waiting: {what}; {until}"));
    }

    /// Prints how many messages came back, if a line has said that some were missing.
    pub(super) fn print_missing(&self) {
        if self.notice.has_reported_missing() {
            let progress = self.progress();
            self.console.note(format_args!(
                "stopped: {} of {} acknowledged messages were received",
                progress.received, progress.acknowledged
            ));
        }
    }

    /// Prints that an attempt failed and when the next one begins.
    pub(super) fn print_retry(&self, diagnosis: &Diagnosis, retry_in: Duration) {
        let attempt = self.connection.attempt();
        self.console
            .note(waiting::retry(attempt, diagnosis, retry_in));
    }
}
