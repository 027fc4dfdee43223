//! `Wait`: the step that a run waits for, and the line on standard error after three seconds of
//! silence.

use std::time::Duration;

use tokio::time::Instant;

use crate::diagnosis::{Diagnosis, Operation, duration};

/// Step that a run waits for, with its time limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wait {
    pub(super) activity: Activity,
    pub(super) since: Instant,
    /// Length of the wait, for the text of a time-out.
    pub(super) limit: Duration,
    /// End of the wait; `None` without a limit.
    pub(super) deadline: Option<Instant>,
}

/// Kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Activity {
    /// Waiting for CONNACK.
    Connect,
    /// Waiting for the acknowledgement of a request.
    Operate(Operation),
    /// Waiting for a message that this run has published.
    Receive,
    /// Waiting for PINGRESP.
    Ping,
    /// Waiting for something that isn't due at any time: messages, input, the next message of an
    /// interval.
    Idle,
    /// Waiting for the end of the connection.
    Stop,
}

impl Wait {
    /// Wait that starts now and has to end within `limit`.
    pub(crate) fn new(activity: Activity, limit: Duration) -> Self {
        let since = Instant::now();
        Self {
            activity,
            since,
            limit,
            deadline: since.checked_add(limit),
        }
    }

    /// Wait without an end for a request that was sent at `since`.
    pub(crate) fn since(activity: Activity, since: Instant) -> Self {
        Self {
            activity,
            since,
            deadline: None,
            limit: Duration::ZERO,
        }
    }

    /// Wait without an end, for something that isn't due at any time.
    pub(crate) fn idle() -> Self {
        Self {
            deadline: None,
            ..Self::new(Activity::Idle, Duration::ZERO)
        }
    }
}

/// Silence after which a line is printed, and whether it was.
#[derive(Debug)]
pub(super) struct SilenceNotice {
    /// Time of the last step of the connection; each step starts the silence again.
    since: Instant,
    is_printed: bool,
}

impl SilenceNotice {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            is_printed: false,
        }
    }

    /// Starts the silence again after a step of the connection.
    pub(super) fn restart(&mut self) {
        *self = Self::new();
    }

    /// Time of the line; `None` if it was printed, or if nothing is due.
    pub(super) fn due(&self, wait: Wait, is_up: bool) -> Option<Instant> {
        let is_due = match wait.activity {
            Activity::Stop => false,
            // Without a connection, the connection is waited for.
            Activity::Idle => !is_up,
            Activity::Connect | Activity::Operate(_) | Activity::Receive | Activity::Ping => true,
        };
        (is_due && !self.is_printed).then(|| self.since.max(wait.since) + SILENCE)
    }

    pub(super) fn set_printed(&mut self) {
        self.is_printed = true;
    }
}

/// Text about a request without an answer.
pub(crate) fn unanswered(operation: Operation) -> String {
    format!(
        "no {} yet: the server is slow, or drops the packet without an answer",
        operation.answer()
    )
}

/// Text about the rest of a wait; `None` stands for a wait without an end.
pub(crate) fn until(deadline: Option<Instant>) -> String {
    match deadline {
        Some(deadline) => {
            let left = deadline.saturating_duration_since(Instant::now());
            format!("for {} more", duration(round_up(left)))
        }
        None => "until stopped".to_owned(),
    }
}

/// Text about a failed attempt and the time of the next one.
pub(crate) fn retry(attempt: u32, diagnosis: &Diagnosis, retry_in: Duration) -> String {
    format!(
        "attempt {attempt}: {} [{}]; next attempt in {}",
        diagnosis.headline,
        diagnosis.id.name(),
        duration(retry_in)
    )
}

/// Rounds up to whole seconds, so that a deadline reads as it was given.
fn round_up(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs() + u64::from(time.subsec_millis() > 0))
}

/// Time without progress after which a line is printed.
pub(crate) const SILENCE: Duration = Duration::from_secs(3);
