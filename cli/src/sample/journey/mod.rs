//! The run itself, step by step, with an ear on everything else that may happen.

mod notice;
mod turn;

use std::future::pending;
use std::time::Duration;

use dunlin_client::{Client, ClientOptions, Events, Message, QoS, RequestError, Subscription};
use dunlin_codec::ReasonCode;
use tokio::time::{sleep, timeout};

use self::notice::Notice;
use self::turn::{Activity, Wait};
use crate::config::SampleConfig;
use crate::diagnosis::{Operation, Progress, duration, operation};
use crate::sample::ending::Ending;
use crate::sample::link::Link;
use crate::sample::output::Output;
use crate::sample::tally::Tally;
use crate::sample::transcript::Transcript;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// One run of the sample.
pub(crate) struct Journey<'a> {
    config: &'a SampleConfig,
    client: Client,
    events: Events,
    subscription: Option<Subscription>,
    link: Link,
    tally: Tally,
    output: Output,
    transcript: Transcript<Output>,
    notice: Notice,
    console: Console,
    stop: StopSignal,
    /// Whether the end has begun, which no signal begins again.
    is_leaving: bool,
}

impl<'a> Journey<'a> {
    pub(crate) fn new(
        config: &'a SampleConfig,
        output: Output,
        console: Console,
        stop: StopSignal,
    ) -> Self {
        let link = Link::new(config.context.clone());
        let client = Client::start(ClientOptions {
            observer: Some(link.observer()),
            ..config.client.clone()
        });
        Self {
            config,
            events: client.events(),
            client,
            subscription: None,
            link,
            tally: Tally::new(&config.topic, &config.message),
            transcript: Transcript::new(output.clone()),
            output,
            notice: Notice::new(),
            console,
            stop,
            is_leaving: false,
        }
    }

    /// From the banner to "Client Stopped!".
    pub(crate) async fn play(&mut self) -> Result<(), Ending> {
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
    pub(crate) async fn leave(&mut self, ending: &Ending) {
        self.is_leaving = true;
        if matches!(ending, Ending::Output(_)) {
            self.transcript.mute();
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

    async fn close(&mut self) -> Result<(), Ending> {
        if self.subscription.is_some() && self.link.is_up() {
            self.unsubscribe().await?;
        }
        if self.link.is_up() {
            self.disconnect().await?;
        } else {
            self.client.disconnect_within(FLUSH_TIMEOUT).await;
        }
        Ok(())
    }

    /// Waits until the reader of standard output has all of it. A reader that stalls ends the
    /// waiting after a signal.
    pub(crate) async fn flush(&mut self, is_stopped: bool) -> Result<(), Ending> {
        let output = self.output.clone();
        if is_stopped {
            let _ = timeout(SLOW_END, output.flushed()).await;
            return Ok(());
        }
        tokio::select! {
            () = output.flushed() => Ok(output.check()?),
            exit = self.stop.received() => Err(Ending::Stopped(exit)),
        }
    }

    async fn connect(&mut self) -> Result<(), Ending> {
        let wait = self.wait(Activity::Connect);
        while !self.link.is_up() {
            self.turn(wait).await?;
        }
        Ok(())
    }

    async fn subscribe(&mut self) -> Result<(), Ending> {
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

    async fn publish(&mut self) -> Result<(), Ending> {
        self.transcript.sending(self.config.count)?;
        while self
            .config
            .count
            .is_none_or(|count| self.tally.sent() < u64::from(count))
        {
            if self.tally.sent() > 0 {
                self.until(self.wait(Activity::Pause), sleep(self.config.interval))
                    .await?;
            }
            self.publish_one().await?;
        }
        Ok(())
    }

    async fn publish_one(&mut self) -> Result<(), Ending> {
        let output = self.output.clone();
        self.until(self.wait(Activity::Pause), output.ready())
            .await?;
        let payload = self.tally.next_payload();
        self.transcript.publishing(&self.config.topic, &payload)?;
        let message = Message::new(&self.config.topic, &payload).qos(QoS::AtLeastOnce);
        let client = self.client.clone();
        let published = self
            .operate(Operation::Publish, || async {
                client.publish(message.clone()).await?.await
            })
            .await?;
        self.tally.acknowledge();
        self.transcript.puback(published.reason_code)?;
        Ok(())
    }

    /// Waits until every message of ours has come back.
    async fn collect(&mut self) -> Result<(), Ending> {
        let wait = Wait::new(Activity::Receive, self.config.receive_timeout);
        while !self.tally.all_came_back() {
            self.turn(wait).await?;
        }
        self.transcript.total(self.tally.received())?;
        Ok(())
    }

    async fn unsubscribe(&mut self) -> Result<(), Ending> {
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

    async fn disconnect(&mut self) -> Result<(), Ending> {
        self.is_leaving = true;
        self.transcript.stopping()?;
        let client = self.client.clone();
        let wait = self.wait(Activity::Stop);
        self.until(wait, client.disconnect_within(FLUSH_TIMEOUT))
            .await?;
        while self.link.is_up() {
            self.turn(wait).await?;
        }
        self.transcript.stopped()?;
        Ok(())
    }

    /// Does a request, and again if the connection was lost under it: its answer will never come.
    async fn operate<T, F>(
        &mut self,
        operation: Operation,
        request: impl Fn() -> F,
    ) -> Result<T, Ending>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let wait = self.wait(Activity::Operate(operation));
        loop {
            let outcome = self.until(wait, request()).await?;
            self.catch_up(wait).await?;
            match outcome {
                Ok(value) => {
                    self.link.forget_drops();
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
                        self.link.context(),
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
    fn tell_refused(&mut self, operation: Operation, code: ReasonCode) -> Result<(), Ending> {
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
            sent: self.tally.sent(),
            acknowledged: self.tally.acknowledged(),
            received: self.tally.received(),
        }
    }
}

/// Time after which a line says that the end takes time.
const SLOW_END: Duration = Duration::from_secs(1);
/// A clean end that takes longer isn't worth waiting for.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);
/// For what has been sent and isn't acknowledged.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
