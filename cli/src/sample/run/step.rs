//! Waiting for one step of the run while events, messages and signals are handled.

use std::future::{pending, ready};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use dunlin_client::transport::Opened;
use dunlin_client::{ConnectionError, EndCause, Event, ReceivedMessage, Subscription};
use dunlin_codec::ReasonCode;
use tokio::time::{Instant, sleep_until};

use super::SampleRun;
use crate::client_run::event_json::JsonEvent;
use crate::client_run::{Outstanding, RunOutcome, log_event};
use crate::diagnosis::{Diagnosis, Operation, operation, quoted};
use crate::sample::exception;

/// Step that the run waits for, with its time limit.
#[derive(Clone, Copy, Debug)]
pub(super) struct SampleWait {
    activity: SampleActivity,
    /// Start of the wait.
    since: Instant,
    /// Length of the wait, for the text of a time-out.
    limit: Duration,
    /// End of the wait; `None` without a limit.
    deadline: Option<Instant>,
}

/// Kind of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SampleActivity {
    /// Waiting for CONNACK.
    Connect,
    /// Waiting for an acknowledgement.
    Operate(Operation),
    /// Waiting for messages to come back.
    Receive,
    /// Pause between two messages.
    Pause,
    /// Waiting for the end of the connection.
    Stop,
}

impl SampleRun<'_> {
    /// Waits for `future` and handles everything that happens meanwhile.
    ///
    /// # Errors
    /// The reason that ends the run: a failure, a signal, a time-out, or a fault of the output.
    pub(super) async fn until<T>(
        &mut self,
        wait: SampleWait,
        future: impl Future<Output = T>,
    ) -> Result<T, RunOutcome> {
        let mut future = pin!(future);
        loop {
            tokio::select! {
                biased;
                value = &mut future => return Ok(value),
                step = self.step(wait) => step?,
            }
        }
    }

    /// Handles the next event, message, signal or time-out.
    ///
    /// Cancel safe: after an event or a message was taken, nothing is awaited.
    pub(super) async fn step(&mut self, wait: SampleWait) -> Result<(), RunOutcome> {
        let output = self.output.clone();
        let notice = self.notice.due(wait);
        tokio::select! {
            biased;
            // A signal goes first: it must not wait behind a flood of messages.
            exit = self.stop.received(), if !self.is_ending => Err(RunOutcome::Stopped(exit)),
            // Events go before messages, so that the transcript tells the connection first.
            event = after(output.ready(), self.events.next()) => match event {
                Some(event) => self.on_event(event, wait),
                // The stream of events ends only with the client.
                None => Err(self.timed_out(wait).into()),
            },
            message = after(output.ready(), next(&mut self.subscription)) => self.on_message(&message),
            () = passed(wait.deadline) => Err(self.timed_out(wait).into()),
            () = passed(notice) => {
                self.print_waiting(wait);
                Ok(())
            }
        }
    }

    /// Handles the events of the connection before the answer that came on it, which may overtake
    /// them.
    pub(super) async fn catch_up(&mut self, wait: SampleWait) -> Result<(), RunOutcome> {
        while !self.connection.is_up() {
            tokio::select! {
                biased;
                Some(event) = self.events.next() => self.on_event(event, wait)?,
                () = ready(()) => break,
            }
        }
        Ok(())
    }

    fn on_event(&mut self, event: Event, wait: SampleWait) -> Result<(), RunOutcome> {
        log_event(&event);
        self.notice.restart();
        match event {
            Event::Attempt {
                host,
                port,
                client_id,
                ..
            } => {
                self.connection.begin_attempt();
                let attempt = (
                    self.connection.attempt(),
                    self.connection.context().transport(),
                );
                self.report.attempt((&host, port), &client_id, attempt)?;
                self.transcript.attempt(&host, &client_id)?;
            }
            Event::Opened(opened) => {
                self.report.opened(&opened)?;
                self.on_opened(*opened);
            }
            Event::Connected(connected) => {
                self.connection.connected();
                self.report.connected(&connected)?;
                self.transcript.connected(ReasonCode::Success)?;
            }
            Event::Disconnected {
                cause: EndCause::Attempt(cause),
                retry_in,
            } => {
                let diagnosis = self.connection.failed(&cause);
                self.reason = EndCause::Attempt(Arc::clone(&cause))
                    .server_reason()
                    .cloned();
                self.transcript.connection_failure(exception::of(&cause))?;
                // The client would try again; the sample gives up after some refusals.
                match retry_in.filter(|_| {
                    self.connection
                        .may_try_again(&cause, self.config.is_reconnect_given)
                }) {
                    Some(retry_in) => {
                        self.report
                            .ended(&diagnosis, self.reason.as_ref(), Some(retry_in))?;
                        self.print_retry(&diagnosis, retry_in);
                    }
                    None => return Err(diagnosis.into()),
                }
            }
            Event::Disconnected {
                cause: EndCause::Connection(cause),
                retry_in,
            } => {
                self.reason = EndCause::Connection(Arc::clone(&cause))
                    .server_reason()
                    .cloned();
                self.on_disconnected(&cause, retry_in.is_none(), wait)?;
                if let (Some(retry_in), Some(last_failure)) =
                    (retry_in, self.connection.last_failure())
                {
                    let last_failure = last_failure.clone();
                    self.report
                        .ended(&last_failure, self.reason.as_ref(), Some(retry_in))?;
                    self.print_retry(&last_failure, retry_in);
                }
            }
            Event::MessageRefused(refused) => {
                let (topic, reason) = (quoted(&refused.topic), refused.reason);
                self.console
                    .warning(format_args!("a message to {topic} was refused: {reason}"));
            }
            Event::SubscriptionLost { cause, .. } => {
                let (context, progress) = (self.connection.context(), self.progress());
                return Err(
                    operation::failed(context, Operation::Subscribe, progress, &cause).into(),
                );
            }
            _ => {}
        }
        Ok(())
    }

    fn on_opened(&mut self, opened: Opened) {
        if self.connection.opened(opened) {
            self.console.warning(
                "the server selected no ALPN protocol; AWS IoT would have selected \"mqtt\"",
            );
        }
    }

    fn on_disconnected(
        &mut self,
        cause: &ConnectionError,
        is_last: bool,
        wait: SampleWait,
    ) -> Result<(), RunOutcome> {
        let code = match cause {
            ConnectionError::Disconnected(reason) => Some(reason.reason_code),
            _ => None,
        };
        self.transcript.disconnected(code)?;
        // With --strict, a violation of the protocol is not worth another connection.
        let is_fatal = self.config.is_strict && matches!(cause, ConnectionError::Protocol(_));
        let is_last = is_fatal || is_last && *cause != ConnectionError::Requested;
        Ok(self
            .connection
            .ended(cause, wait.outstanding(), self.progress(), is_last)?)
    }

    fn on_message(&mut self, message: &ReceivedMessage) -> Result<(), RunOutcome> {
        if self.counters.receive(message.topic(), message.payload()) {
            self.notice.received(!self.counters.is_complete());
        }
        self.report.json(&JsonEvent::message(message, None))?;
        Ok(self
            .transcript
            .received(message.topic(), message.payload())?)
    }

    fn timed_out(&self, wait: SampleWait) -> Diagnosis {
        let (context, timeout) = (self.connection.context(), wait.limit);
        match wait.activity {
            // Without a connection, the missing connection is the cause, whatever was waited for.
            _ if !self.connection.is_up() => self.connection.not_connected(timeout),
            SampleActivity::Operate(operation) => {
                operation::unacknowledged(context, operation, self.progress(), timeout)
            }
            _ => operation::not_received(context, self.progress(), timeout),
        }
    }
}

impl SampleWait {
    /// Wait that starts now. A pause and the end have no deadline here, because their futures end by
    /// themselves.
    pub(super) fn new(activity: SampleActivity, timeout: Duration) -> Self {
        let since = Instant::now();
        let has_deadline = !matches!(activity, SampleActivity::Pause | SampleActivity::Stop);
        Self {
            activity,
            since,
            limit: timeout,
            deadline: has_deadline.then(|| since + timeout),
        }
    }

    pub(super) fn activity(self) -> SampleActivity {
        self.activity
    }

    pub(super) fn since(self) -> Instant {
        self.since
    }

    /// End of the wait; `None` without a limit.
    pub(super) fn deadline(self) -> Option<Instant> {
        self.deadline
    }

    fn outstanding(self) -> Option<Outstanding> {
        match self.activity {
            SampleActivity::Operate(operation) => Some(Outstanding {
                operation,
                since: self.since,
            }),
            _ => None,
        }
    }
}

/// Next message of the subscription; pending for ever if there is none, or if it has ended.
async fn next(subscription: &mut Option<Subscription>) -> ReceivedMessage {
    match subscription {
        Some(stream) => match stream.next().await {
            Some(message) => message,
            None => pending().await,
        },
        None => pending().await,
    }
}

/// Runs `second` after `first`. Cancel safe if both are.
async fn after<T>(first: impl Future<Output = ()>, second: impl Future<Output = T>) -> T {
    first.await;
    second.await
}

/// Waits for the deadline; pending for ever without one.
async fn passed(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => pending().await,
    }
}
