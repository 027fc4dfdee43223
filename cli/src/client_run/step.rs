//! Handling of the client's events, and of time-outs.

use std::future::pending;
use std::time::Duration;

use dunlin_client::transport::Opened;
use dunlin_client::{ConnectError, ConnectionError, EndCause, Event};
use tokio::time::{Instant, sleep_until};

use super::event_json::JsonEvent;
use super::event_log::log_event;
use super::history::Outstanding;
use super::outcome::RunOutcome;
use super::run::ClientRun;
use super::waiting::{self, Activity, Wait};
use crate::diagnosis::{Diagnosis, Operation, Progress, operation, quoted};

impl ClientRun {
    /// Handles the next event or time-out.
    ///
    /// Cancel safe: after an event was taken, nothing is awaited.
    ///
    /// # Errors
    /// The reason that ends the run.
    pub(super) async fn next_event(&mut self, wait: Wait) -> Result<(), RunOutcome> {
        let output = self.output.clone();
        let notice = self.notice.due(wait, self.history.is_up());
        let mut stop = self.stop.clone();
        let handles_signals = !self.is_ending;
        tokio::select! {
            biased;
            exit = stop.received(), if handles_signals => Err(RunOutcome::Stopped(exit)),
            // Events wait for a slow reader, so that the output stays bounded.
            event = async { output.ready().await; self.events.next().await } => match event {
                Some(event) => self.on_event(event, wait),
                // The stream of events ends only with the client, which the end asks for.
                None if self.is_ending => pending().await,
                None => Err(self.timed_out(wait).into()),
            },
            () = passed(wait.deadline) => Err(self.timed_out(wait).into()),
            () = passed(notice) => {
                self.print_waiting(wait);
                Ok(())
            }
        }
    }

    fn on_event(&mut self, event: Event, wait: Wait) -> Result<(), RunOutcome> {
        log_event(&event);
        self.notice.restart();
        match event {
            Event::Attempt {
                host,
                port,
                client_id,
                ..
            } => {
                self.history.begin_attempt();
                let attempt = (self.history.attempt(), self.history.context().transport());
                self.report.attempt((&host, port), &client_id, attempt)?;
            }
            Event::Opened(opened) => self.on_opened(*opened)?,
            Event::Connected(connected) => {
                self.history.connected();
                self.report.connected(&connected)?;
                self.accepted = Some(connected);
            }
            Event::Disconnected {
                cause: EndCause::Attempt(cause),
                retry_in,
            } => self.on_failed(&cause, retry_in)?,
            Event::Disconnected {
                cause: EndCause::Connection(cause),
                retry_in,
            } => {
                self.on_disconnected(&cause, retry_in, wait)?;
            }
            Event::MessageRefused(refused) => {
                let (topic, reason) = (quoted(&refused.topic), refused.reason);
                self.warn(&format!("a message to {topic} was refused: {reason}"))?;
            }
            Event::MessageDropped { topic, count, .. } => {
                let topic = quoted(&topic);
                self.warn(&format!(
                    "{count} message(s) were dropped, the first to {topic}"
                ))?;
            }
            Event::ExpiryUnmeasured { messages } => {
                self.warn(&format!(
                    "{messages} stored message(s) may have expired: the clock was set back"
                ))?;
            }
            Event::SubscriptionLost { filter, cause } => {
                self.counts.topic = filter;
                let (context, progress) = (self.history.context(), self.progress());
                return Err(
                    operation::failed(context, Operation::Subscribe, progress, &cause).into(),
                );
            }
            _ => {}
        }
        Ok(())
    }

    fn on_opened(&mut self, opened: Opened) -> Result<(), RunOutcome> {
        self.report.opened(&opened)?;
        if self.history.opened(opened) {
            self.warn(
                "the server selected no ALPN protocol; AWS IoT would have selected \"mqtt\"",
            )?;
        }
        Ok(())
    }

    fn on_failed(
        &mut self,
        cause: &ConnectError,
        retry_in: Option<Duration>,
    ) -> Result<(), RunOutcome> {
        self.reason = match cause {
            ConnectError::Refused(reason) => Some(reason.clone()),
            _ => None,
        };
        let diagnosis = self.history.failed(cause);
        // The client would try again; the run gives up after some refusals.
        let retry_in = retry_in.filter(|_| {
            self.history
                .may_try_again(cause, self.limits.is_reconnect_given)
        });
        let Some(retry_in) = retry_in else {
            return Err(diagnosis.into());
        };
        self.report
            .ended(&diagnosis, self.reason.as_ref(), Some(retry_in))?;
        self.print_retry(&diagnosis, retry_in);
        Ok(())
    }

    fn on_disconnected(
        &mut self,
        cause: &ConnectionError,
        retry_in: Option<Duration>,
        wait: Wait,
    ) -> Result<(), RunOutcome> {
        // With --strict, a violation of the protocol is not worth another connection.
        let is_fatal = self.limits.is_strict && matches!(cause, ConnectionError::Protocol(_));
        let is_requested = *cause == ConnectionError::Requested;
        let is_last = is_fatal || retry_in.is_none() && !is_requested;
        // A close right after a request may be the answer to it.
        let outstanding = match wait.activity {
            Activity::Operate(operation) => Some(Outstanding {
                operation,
                since: wait.since,
            }),
            _ => None,
        };
        self.reason = match cause {
            ConnectionError::Disconnected(reason) => Some(reason.clone()),
            _ => None,
        };
        let progress = Progress {
            topic: &self.counts.topic,
            sent: self.counts.sent,
            acknowledged: self.counts.acknowledged,
            received: self.counts.received,
        };
        self.history.ended(cause, outstanding, progress, is_last)?;
        // The client tries again: the reason is told now, not only if it gives up.
        if let (Some(retry_in), Some(last_failure)) = (retry_in, self.history.last_failure()) {
            let last_failure = last_failure.clone();
            self.report
                .ended(&last_failure, self.reason.as_ref(), Some(retry_in))?;
            self.print_retry(&last_failure, retry_in);
        }
        Ok(())
    }

    /// Prints a warning on standard error, and with `--json` as an event.
    ///
    /// # Errors
    /// Errors of standard output.
    pub(crate) fn warn(&mut self, text: &str) -> std::io::Result<()> {
        self.console.warning(text);
        self.report.json(&JsonEvent::Warning {
            text: text.to_owned(),
        })
    }

    fn timed_out(&self, wait: Wait) -> Diagnosis {
        let context = self.history.context();
        match wait.activity {
            // Without a connection, the missing connection is the cause, whatever was waited for.
            _ if !self.history.is_up() => self.history.not_connected(wait.limit),
            Activity::Operate(operation) => {
                operation::unacknowledged(context, operation, self.progress(), wait.limit)
            }
            Activity::Receive => operation::not_received(context, self.progress(), wait.limit),
            Activity::Ping => operation::no_pong(wait.limit),
            // Of the other waits, only that for responses has an end.
            _ => operation::no_response(context, self.progress(), wait.limit),
        }
    }

    /// Prints the line that is due after some silence.
    fn print_waiting(&mut self, wait: Wait) {
        self.notice.set_printed();
        let what = match wait.activity {
            Activity::Operate(operation) if self.history.is_up() => waiting::unanswered(operation),
            Activity::Receive if self.history.is_up() => {
                "the message has not come back: the policy may lack iot:Receive".to_owned()
            }
            Activity::Ping if self.history.is_up() => {
                "no PINGRESP yet: the server or the network is slow, or silent".to_owned()
            }
            _ => self.history.waits_for(),
        };
        let until = waiting::until(wait.deadline);
        self.console.note(format_args!("waiting: {what}; {until}"));
    }

    fn print_retry(&self, diagnosis: &Diagnosis, retry_in: Duration) {
        self.console
            .note(waiting::retry(self.history.attempt(), diagnosis, retry_in));
    }
}

/// Waits for the deadline; pending for ever without one.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
