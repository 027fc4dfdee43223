//! `SampleRun`: the steps of the sample, during which events, messages and signals are handled.

mod step;
mod waiting;

use std::future::pending;
use std::time::Duration;

use dunlin_client::{
    Client, ClientOptions, Events, Message, QoS, RequestError, ServerReason, Subscription,
};
use dunlin_codec::ReasonCode;
use tokio::time::{Instant, sleep, timeout};

use self::step::{SampleActivity, SampleWait};
use self::waiting::WaitingNotice;
use crate::capture::CaptureFile;
use crate::client_run::event_json::{ErrorJson, GrantJson, JsonEvent, millis, name_of};
use crate::client_run::{ConnectionHistory, Output, Report, ReportForm, RunOutcome};
use crate::config::SampleConfig;
use crate::diagnosis::{Diagnosis, Operation, Progress, duration, operation};
use crate::exit::Exit;
use crate::sample::counters::MessageCounters;
use crate::sample::transcript::Transcript;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// One run of the sample, from the banner to the end of the connection.
pub(crate) struct SampleRun<'a> {
    config: &'a SampleConfig,
    client: Client,
    events: Events,
    subscription: Option<Subscription>,
    connection: ConnectionHistory,
    counters: MessageCounters,
    output: Output,
    transcript: Transcript<Output>,
    /// Events of `--json`, which replace the transcript.
    pub(super) report: Report,
    /// Reason of the server's packet that caused the last failure; `None` if no packet did.
    pub(super) reason: Option<ServerReason>,
    begun: Instant,
    notice: WaitingNotice,
    console: Console,
    stop: StopSignal,
    /// True once the end has begun; signals are then handled elsewhere.
    is_ending: bool,
}

impl<'a> SampleRun<'a> {
    /// Starts the client of the sample.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a capture file that can't be created.
    pub(crate) fn new(
        config: &'a SampleConfig,
        output: Output,
        console: Console,
        stop: StopSignal,
    ) -> Result<Self, Diagnosis> {
        let mut connection = ConnectionHistory::new(config.context.clone());
        if let Some(file) =
            CaptureFile::asked_for(&config.capture, config.results.show_secrets, console)?
        {
            connection.capture_to(file);
        }
        let client = Client::start(ClientOptions {
            observer: Some(connection.printing_observer(config.results.packet_print())),
            ..config.client.clone()
        });
        let mut transcript = Transcript::new(output.clone());
        let form = if config.results.json {
            transcript.mute();
            ReportForm::Json
        } else {
            ReportForm::Messages
        };
        Ok(Self {
            config,
            events: client.events(),
            client,
            subscription: None,
            connection,
            counters: MessageCounters::new(&config.topic, &config.message),
            transcript,
            report: Report::new(form, output.clone()),
            reason: None,
            begun: Instant::now(),
            output,
            notice: WaitingNotice::new(),
            console,
            stop,
            is_ending: false,
        })
    }

    /// Runs all steps, from the banner to "Client Stopped!".
    ///
    /// # Errors
    /// The reason that ended the run before its last step; the caller then calls
    /// [`end_early`](Self::end_early).
    pub(crate) async fn run(&mut self) -> Result<(), RunOutcome> {
        self.transcript.banner(self.config.kind)?;
        self.transcript.starting()?;
        self.connect().await?;
        self.subscribe().await?;
        self.publish().await?;
        self.collect().await?;
        self.unsubscribe().await?;
        self.disconnect().await
    }

    /// Closes subscription and connection after `ending` has ended the run, within
    /// [`END_TIMEOUT`].
    pub(crate) async fn end_early(&mut self, ending: &RunOutcome) {
        self.is_ending = true;
        if matches!(ending, RunOutcome::Output(_)) {
            // Nobody reads the lines of the end; the connection is closed all the same.
            self.transcript.mute();
        }
        if matches!(ending, RunOutcome::Stopped(_)) {
            self.print_missing();
        }
        // The reason of the end is known: an error while closing would only hide it.
        let console = self.console;
        let slow = async {
            sleep(SLOW_END).await;
            console.note(format_args!(
                "ending: UNSUBSCRIBE and DISCONNECT take time; {} at most, a second signal ends at once",
                duration(END_TIMEOUT)
            ));
            pending::<()>().await;
        };
        let closing = timeout(END_TIMEOUT, self.close());
        tokio::select! {
            _ = closing => {}
            () = slow => {}
        }
    }

    async fn close(&mut self) -> Result<(), RunOutcome> {
        // The scripts unsubscribe before they stop, so that the server keeps nothing of the run.
        if self.subscription.is_some() && self.connection.is_up() {
            self.unsubscribe().await?;
        }
        if self.connection.is_up() {
            self.disconnect().await?;
        } else {
            // An attempt to connect may be under way: it is given up.
            self.client.disconnect_within(FLUSH_TIMEOUT).await;
        }
        Ok(())
    }

    /// Waits until all output is written. After a signal (`is_stopped`) the wait is limited, because
    /// the reader may have stalled.
    ///
    /// # Errors
    /// [`RunOutcome::Output`] if the output can't be written, [`RunOutcome::Stopped`] for a signal.
    pub(crate) async fn flush(&mut self, is_stopped: bool) -> Result<(), RunOutcome> {
        let output = self.output.clone();
        if is_stopped {
            let _ = timeout(SLOW_END, output.flushed()).await;
            return Ok(());
        }
        tokio::select! {
            () = output.flushed() => Ok(output.check()?),
            exit = self.stop.received() => Err(RunOutcome::Stopped(exit)),
        }
    }

    async fn connect(&mut self) -> Result<(), RunOutcome> {
        let wait = self.wait(SampleActivity::Connect);
        while !self.connection.is_up() {
            self.step(wait).await?;
        }
        Ok(())
    }

    async fn subscribe(&mut self) -> Result<(), RunOutcome> {
        self.transcript.subscribing(&self.config.topic)?;
        let (client, topic) = (self.client.clone(), &self.config.topic);
        let subscription = self
            .request(Operation::Subscribe, || {
                client.subscribe(topic, QoS::AtLeastOnce)
            })
            .await?;
        // The server may grant a lower QoS than asked for; the scripts print the granted one.
        let code = subscription
            .answer()
            .and_then(|answer| answer.reason_codes.first().copied());
        self.transcript.suback(code.unwrap_or_default())?;
        self.report.json(&JsonEvent::Suback {
            filters: vec![GrantJson::new(&self.config.topic, code.unwrap_or_default())],
        })?;
        self.subscription = Some(subscription);
        Ok(())
    }

    async fn publish(&mut self) -> Result<(), RunOutcome> {
        self.transcript.sending(self.config.count)?;
        while self
            .config
            .count
            .is_none_or(|count| self.counters.sent() < u64::from(count))
        {
            // The pause stands between two messages: none before the first, none after the last.
            if self.counters.sent() > 0 {
                self.until(
                    self.wait(SampleActivity::Pause),
                    sleep(self.config.interval),
                )
                .await?;
            }
            self.publish_one().await?;
        }
        Ok(())
    }

    async fn publish_one(&mut self) -> Result<(), RunOutcome> {
        let output = self.output.clone();
        self.until(self.wait(SampleActivity::Pause), output.ready())
            .await?;
        // Counted as sent before PUBACK, since it may come back before it is acknowledged.
        let payload = self.counters.next_payload();
        self.transcript.publishing(&self.config.topic, &payload)?;
        let message = Message::new(&self.config.topic, &payload).qos(QoS::AtLeastOnce);
        let (client, since) = (self.client.clone(), Instant::now());
        let published = self
            .request(Operation::Publish, || async {
                client.publish(message.clone()).await?.await
            })
            .await?;
        self.counters.acknowledge();
        self.notice.acknowledged(!self.counters.is_complete());
        self.transcript.puback(published.reason_code)?;
        self.report.json(&JsonEvent::Puback {
            seq: self.counters.sent(),
            packet_id: published.packet_id.map(Into::into),
            code: published.reason_code.code(),
            name: &name_of(published.reason_code),
            rtt_ms: millis(since.elapsed()),
        })?;
        Ok(())
    }

    /// Waits until all messages of this run have come back.
    async fn collect(&mut self) -> Result<(), RunOutcome> {
        // The time starts with the last acknowledgement.
        let wait = SampleWait::new(SampleActivity::Receive, self.config.receive_timeout);
        while !self.counters.is_complete() {
            self.step(wait).await?;
        }
        self.transcript.total(self.counters.received())?;
        Ok(())
    }

    async fn unsubscribe(&mut self) -> Result<(), RunOutcome> {
        self.transcript.unsubscribing(&self.config.topic)?;
        let (client, topic) = (self.client.clone(), &self.config.topic);
        let unsubscribed = self
            .request(Operation::Unsubscribe, || client.unsubscribe(topic))
            .await?;
        self.subscription = None;
        self.transcript.unsuback(
            unsubscribed
                .reason_codes
                .first()
                .copied()
                .unwrap_or_default(),
        )?;
        Ok(())
    }

    /// Writes the end of the connection to the capture, if there is one.
    pub(crate) fn close_capture(&self) {
        self.connection.close_capture();
    }

    async fn disconnect(&mut self) -> Result<(), RunOutcome> {
        self.is_ending = true;
        // The line comes before DISCONNECT, as in the scripts.
        self.transcript.stopping()?;
        let client = self.client.clone();
        let wait = self.wait(SampleActivity::Stop);
        self.until(wait, client.disconnect_within(FLUSH_TIMEOUT))
            .await?;
        while self.connection.is_up() {
            self.step(wait).await?;
        }
        self.transcript.stopped()?;
        Ok(())
    }

    /// Sends a request, and sends it again if the session was lost, because no answer can come then.
    async fn request<T, F>(
        &mut self,
        operation: Operation,
        request: impl Fn() -> F,
    ) -> Result<T, RunOutcome>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let wait = self.wait(SampleActivity::Operate(operation));
        loop {
            let outcome = self.until(wait, request()).await?;
            // The events of the connection are printed before the answer.
            self.catch_up(wait).await?;
            match outcome {
                Ok(value) => {
                    self.connection.forget_drops();
                    return Ok(value);
                }
                // Connected again without the session: the loop sends the request once more.
                Err(RequestError::SessionLost) => {}
                // The event with the cause follows, and knows more than this error.
                Err(RequestError::Stopped(_) | RequestError::Poisoned { .. }) => {
                    self.until(wait, pending()).await?;
                }
                Err(error) => {
                    // Printed first: the error on stderr must not overtake the transcript.
                    if let RequestError::Refused(reason) = &error {
                        self.reason = Some(reason.clone());
                        self.print_refusal(operation, reason.reason_code)?;
                    }
                    return Err(operation::failed(
                        self.connection.context(),
                        operation,
                        self.progress(),
                        &error,
                    )
                    .into());
                }
            }
        }
    }

    /// Prints a refusal like any other acknowledgement, as the scripts do.
    fn print_refusal(&mut self, operation: Operation, code: ReasonCode) -> Result<(), RunOutcome> {
        match operation {
            Operation::Subscribe => self.transcript.suback(code)?,
            Operation::Publish => self.transcript.puback(code)?,
            Operation::Unsubscribe => self.transcript.unsuback(code)?,
        }
        Ok(())
    }

    /// Writes the error and the summary of `--json`.
    ///
    /// # Errors
    /// Errors of standard output.
    pub(crate) fn summarize(&mut self, outcome: &Result<(), RunOutcome>) -> std::io::Result<()> {
        if let Err(RunOutcome::Failed(diagnosis)) = outcome {
            let error = ErrorJson::new(diagnosis, self.reason.as_ref(), false);
            self.report.json(&JsonEvent::Error(error))?;
        }
        self.report.json(&JsonEvent::Summary {
            sent: self.counters.sent(),
            acked: self.counters.acknowledged(),
            received: self.counters.received(),
            duration_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            exit_code: exit_of(outcome).code(),
        })
    }

    fn wait(&self, activity: SampleActivity) -> SampleWait {
        SampleWait::new(activity, self.config.timeout)
    }

    fn progress(&self) -> Progress<'a> {
        Progress {
            topic: &self.config.topic,
            sent: self.counters.sent(),
            acknowledged: self.counters.acknowledged(),
            received: self.counters.received(),
        }
    }
}

/// Exit code of a run that ended like this.
fn exit_of(outcome: &Result<(), RunOutcome>) -> Exit {
    match outcome {
        Ok(()) => Exit::Done,
        Err(RunOutcome::Stopped(exit)) => *exit,
        Err(RunOutcome::Failed(diagnosis)) => diagnosis.id.exit(),
        Err(RunOutcome::Output(_)) => Exit::Internal,
    }
}

/// Time after which a line says that the end takes long.
const SLOW_END: Duration = Duration::from_secs(1);
/// Longest time for UNSUBSCRIBE and DISCONNECT at an early end.
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest time for unacknowledged messages at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
