//! The run itself, step by step, with an ear on everything else that may happen.

mod step;
mod waiting;

use std::future::pending;
use std::time::Duration;

use dunlin_client::{Client, ClientOptions, Events, Message, QoS, RequestError, Subscription};
use dunlin_codec::ReasonCode;
use tokio::time::{sleep, timeout};

use self::step::{Activity, Wait};
use self::waiting::WaitingNotice;
use crate::config::SampleConfig;
use crate::diagnosis::{Operation, Progress, duration, operation};
use crate::sample::connection::ConnectionHistory;
use crate::sample::counters::MessageCounters;
use crate::sample::outcome::RunOutcome;
use crate::sample::output::Output;
use crate::sample::transcript::Transcript;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// One run of the sample.
pub(crate) struct SampleRun<'a> {
    config: &'a SampleConfig,
    client: Client,
    events: Events,
    subscription: Option<Subscription>,
    connection: ConnectionHistory,
    counters: MessageCounters,
    output: Output,
    transcript: Transcript<Output>,
    notice: WaitingNotice,
    console: Console,
    stop: StopSignal,
    /// Whether the end has begun, which no signal begins again.
    is_leaving: bool,
}

impl<'a> SampleRun<'a> {
    pub(crate) fn new(
        config: &'a SampleConfig,
        output: Output,
        console: Console,
        stop: StopSignal,
    ) -> Self {
        let connection = ConnectionHistory::new(config.context.clone());
        let client = Client::start(ClientOptions {
            observer: Some(connection.observer()),
            ..config.client.clone()
        });
        Self {
            config,
            events: client.events(),
            client,
            subscription: None,
            connection,
            counters: MessageCounters::new(&config.topic, &config.message),
            transcript: Transcript::new(output.clone()),
            output,
            notice: WaitingNotice::new(),
            console,
            stop,
            is_leaving: false,
        }
    }

    /// From the banner to "Client Stopped!".
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

    /// Closes what is open after something has ended the run: cleanly, but not for long.
    pub(crate) async fn leave(&mut self, ending: &RunOutcome) {
        self.is_leaving = true;
        if matches!(ending, RunOutcome::Output(_)) {
            self.transcript.mute();
        }
        if matches!(ending, RunOutcome::Stopped(_)) {
            self.print_missing();
        }
        // The run has its ending already: a second one would only hide it.
        let console = self.console;
        let slow = async {
            sleep(SLOW_END).await;
            console.note(format_args!(
                "ending: UNSUBSCRIBE and DISCONNECT take time; {} at most, a second signal ends at once",
                duration(LEAVE_TIMEOUT)
            ));
            pending::<()>().await;
        };
        let closing = timeout(LEAVE_TIMEOUT, self.close());
        tokio::select! {
            _ = closing => {}
            () = slow => {}
        }
    }

    async fn close(&mut self) -> Result<(), RunOutcome> {
        if self.subscription.is_some() && self.connection.is_up() {
            self.unsubscribe().await?;
        }
        if self.connection.is_up() {
            self.disconnect().await?;
        } else {
            self.client.disconnect_within(FLUSH_TIMEOUT).await;
        }
        Ok(())
    }

    /// Waits until the reader of standard output has all of it. A reader that stalls ends the
    /// waiting after a signal.
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
        let wait = self.wait(Activity::Connect);
        while !self.connection.is_up() {
            self.step(wait).await?;
        }
        Ok(())
    }

    async fn subscribe(&mut self) -> Result<(), RunOutcome> {
        self.transcript.subscribing(&self.config.topic)?;
        let (client, topic) = (self.client.clone(), &self.config.topic);
        let subscription = self
            .operate(Operation::Subscribe, || {
                client.subscribe(topic, QoS::AtLeastOnce)
            })
            .await?;
        let code = subscription
            .answer()
            .and_then(|answer| answer.reason_codes.first().copied());
        self.transcript.suback(code.unwrap_or_default())?;
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
            if self.counters.sent() > 0 {
                self.until(self.wait(Activity::Pause), sleep(self.config.interval))
                    .await?;
            }
            self.publish_one().await?;
        }
        Ok(())
    }

    async fn publish_one(&mut self) -> Result<(), RunOutcome> {
        let output = self.output.clone();
        self.until(self.wait(Activity::Pause), output.ready())
            .await?;
        let payload = self.counters.next_payload();
        self.transcript.publishing(&self.config.topic, &payload)?;
        let message = Message::new(&self.config.topic, &payload).qos(QoS::AtLeastOnce);
        let client = self.client.clone();
        let published = self
            .operate(Operation::Publish, || async {
                client.publish(message.clone()).await?.await
            })
            .await?;
        self.counters.acknowledge();
        self.notice.acknowledged(!self.counters.is_complete());
        self.transcript.puback(published.reason_code)?;
        Ok(())
    }

    /// Waits until every message of ours has come back.
    async fn collect(&mut self) -> Result<(), RunOutcome> {
        let wait = Wait::new(Activity::Receive, self.config.receive_timeout);
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
            .operate(Operation::Unsubscribe, || client.unsubscribe(topic))
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

    async fn disconnect(&mut self) -> Result<(), RunOutcome> {
        self.is_leaving = true;
        self.transcript.stopping()?;
        let client = self.client.clone();
        let wait = self.wait(Activity::Stop);
        self.until(wait, client.disconnect_within(FLUSH_TIMEOUT))
            .await?;
        while self.connection.is_up() {
            self.step(wait).await?;
        }
        self.transcript.stopped()?;
        Ok(())
    }

    /// Does a request, and again if the connection was lost under it: its answer will never come.
    async fn operate<T, F>(
        &mut self,
        operation: Operation,
        request: impl Fn() -> F,
    ) -> Result<T, RunOutcome>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let wait = self.wait(Activity::Operate(operation));
        loop {
            let outcome = self.until(wait, request()).await?;
            self.catch_up(wait).await?;
            match outcome {
                Ok(value) => {
                    self.connection.forget_drops();
                    return Ok(value);
                }
                Err(RequestError::SessionLost) => {}
                // The event that tells why is on its way, with all there is to know.
                Err(RequestError::Stopped(_) | RequestError::Poisoned { .. }) => {
                    self.until(wait, pending()).await?;
                }
                Err(error) => {
                    if let RequestError::Refused(reason) = &error {
                        self.tell_refused(operation, reason.reason_code)?;
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

    /// A refusal is an acknowledgement too: the sample prints it like any other.
    fn tell_refused(&mut self, operation: Operation, code: ReasonCode) -> Result<(), RunOutcome> {
        match operation {
            Operation::Subscribe => self.transcript.suback(code)?,
            Operation::Publish => self.transcript.puback(code)?,
            Operation::Unsubscribe => self.transcript.unsuback(code)?,
        }
        Ok(())
    }

    fn wait(&self, activity: Activity) -> Wait {
        Wait::new(activity, self.config.timeout)
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

/// Time after which a line says that the end takes time.
const SLOW_END: Duration = Duration::from_secs(1);
/// A clean end that takes longer isn't worth waiting for.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// For what has been sent and isn't acknowledged.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
