//! `ClientRun`: the client of one verb, with events, signals and time-outs handled while the verb
//! waits.

use std::future::pending;
use std::io;
use std::pin::pin;
use std::time::Duration;

use dunlin_client::store::Store;
use dunlin_client::{Client, ClientOptions, Connected, Events, RequestError, ServerReason};
use tokio::time::{Instant, sleep, timeout};

use super::event_json::{ErrorJson, JsonEvent};
use super::history::ConnectionHistory;
use super::outcome::{self, RunOutcome};
use super::output::Output;
use super::report::{Report, ReportForm};
use super::waiting::{Activity, SilenceNotice, Wait};
use crate::capture::CaptureFile;
use crate::config::ConnectionConfig;
use crate::diagnosis::{Diagnosis, Operation, Progress, duration, operation};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Client of a verb, and everything that is told about its connection.
#[derive(Debug)]
pub(crate) struct ClientRun {
    pub(crate) client: Client,
    pub(super) events: Events,
    pub(super) history: ConnectionHistory,
    pub(crate) report: Report,
    pub(crate) output: Output,
    pub(crate) console: Console,
    pub(super) stop: StopSignal,
    pub(super) notice: SilenceNotice,
    pub(crate) counts: RunCounts,
    pub(super) limits: RunLimits,
    /// Answer to the last CONNECT that was accepted; `None` before the first one.
    pub(crate) accepted: Option<Box<Connected>>,
    /// Reason of the server's packet that caused the last failure; `None` if no packet did.
    pub(super) reason: Option<ServerReason>,
    /// True once the end has begun; signals are then handled elsewhere.
    pub(super) is_ending: bool,
    begun: Instant,
}

/// Counts of a run, which errors and the summary name.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunCounts {
    /// Topic of the last request.
    pub(crate) topic: String,
    pub(crate) sent: u64,
    pub(crate) acknowledged: u64,
    pub(crate) received: u64,
}

/// Choices of the user about failures.
#[derive(Clone, Copy, Debug)]
pub(super) struct RunLimits {
    timeout: Duration,
    pub(super) is_reconnect_given: bool,
    pub(super) is_strict: bool,
}

impl ClientRun {
    /// Starts the client; it connects by itself. The report has `form`, or JSON lines if the user
    /// asked for them.
    ///
    /// # Errors
    /// The same as of [`start_with_store`](Self::start_with_store).
    pub(crate) fn start(
        config: &ConnectionConfig,
        form: ReportForm,
        console: Console,
        stop: StopSignal,
    ) -> Result<Self, Failure> {
        Self::start_with_store(config, form, None::<Box<dyn Store>>, console, stop)
    }

    /// Starts the client like [`start`](Self::start), and goes on with the session in `store`, if
    /// there is one.
    ///
    /// # Errors
    /// [`Failure::Diagnosed`] for a store that can't be read, or a capture file that can't be created.
    pub(crate) fn start_with_store(
        config: &ConnectionConfig,
        form: ReportForm,
        store: Option<impl Store>,
        console: Console,
        stop: StopSignal,
    ) -> Result<Self, Failure> {
        let form = match (config.results.json, form) {
            (true, ReportForm::Stages) => ReportForm::JsonStages,
            (true, _) => ReportForm::Json,
            (false, form) => form,
        };
        // The observer sees every packet: for --packets, --capture, and for the bytes that E-PROTOCOL shows.
        let mut history = ConnectionHistory::new(config.context.clone());
        if let Some(file) =
            CaptureFile::asked_for(&config.capture, config.results.show_secrets, console)?
        {
            history.capture_to(file);
        }
        let options = ClientOptions {
            observer: Some(history.printing_observer(config.results.packet_print())),
            ..config.client.clone()
        };
        let client = match store {
            Some(store) => Client::start_with_store(options, store)
                .map_err(|error| Diagnosis::usage(format!("--store: {error}")))?,
            None => Client::start(options),
        };
        let output = Output::new(io::stdout());
        Ok(Self {
            events: client.events(),
            client,
            history,
            report: Report::new(form, output.clone()),
            output,
            console,
            stop,
            notice: SilenceNotice::new(),
            counts: RunCounts::default(),
            limits: RunLimits {
                timeout: config.timeout,
                is_reconnect_given: config.is_reconnect_given,
                is_strict: config.is_strict,
            },
            accepted: None,
            reason: None,
            is_ending: false,
            begun: Instant::now(),
        })
    }

    /// Waits until the server has accepted the client.
    ///
    /// # Errors
    /// The reason that ends the run, like those of all waits here.
    pub(crate) async fn connect(&mut self) -> Result<(), RunOutcome> {
        let wait = self.wait(Activity::Connect);
        while !self.history.is_up() {
            self.next_event(wait).await?;
        }
        Ok(())
    }

    /// Waits for `future`, and handles everything that happens meanwhile.
    ///
    /// Cancel safe if `future` is.
    ///
    /// # Errors
    /// The reason that ends the run: a failure, a signal, a time-out, or a fault of the output.
    pub(crate) async fn until<T>(
        &mut self,
        wait: Wait,
        future: impl Future<Output = T>,
    ) -> Result<T, RunOutcome> {
        let mut future = pin!(future);
        let mut stop = self.stop.clone();
        loop {
            let handles_signals = !self.is_ending;
            tokio::select! {
                biased;
                // A signal goes first: it must not wait behind a flood of messages.
                exit = stop.received(), if handles_signals => return Err(RunOutcome::Stopped(exit)),
                // Events go before messages, so that the connection is told first.
                event = self.next_event(wait) => event?,
                value = &mut future => return Ok(value),
            }
        }
    }

    /// Sends a request and waits for its answer; sends it again if the session was lost, because no
    /// answer can come then.
    ///
    /// # Errors
    /// The reason that ends the run; a request that failed is explained.
    pub(crate) async fn request<T, F>(
        &mut self,
        operation: Operation,
        request: impl Fn(Client) -> F,
    ) -> Result<T, RunOutcome>
    where
        F: Future<Output = Result<T, RequestError>>,
    {
        let wait = self.wait(Activity::Operate(operation));
        loop {
            let answer = request(self.client.clone());
            match self.until(wait, answer).await? {
                Ok(value) => {
                    self.history.forget_drops();
                    return Ok(value);
                }
                // Connected again without the session: the loop sends the request once more.
                Err(RequestError::SessionLost) => {}
                Err(error) => return Err(self.failed(operation, &error).await),
            }
        }
    }

    /// Reason for the end of the run after a request failed.
    pub(crate) async fn failed(
        &mut self,
        operation: Operation,
        error: &RequestError,
    ) -> RunOutcome {
        // A client that has stopped says why in the event that follows, which knows more.
        if let RequestError::Stopped(_) | RequestError::Poisoned { .. } = error {
            let wait = self.wait(Activity::Operate(operation));
            if let Err(outcome) = self.until(wait, pending::<()>()).await {
                return outcome;
            }
        }
        self.reason = match error {
            RequestError::Refused(reason) => Some(reason.clone()),
            _ => None,
        };
        let context = self.history.context();
        operation::failed(context, operation, self.progress(), error).into()
    }

    /// Counts an acknowledgement: earlier losses of the connection had other causes.
    pub(crate) fn acknowledged(&mut self) {
        self.counts.acknowledged += 1;
        self.history.forget_drops();
    }

    /// Wait of this kind that has to end within `--timeout`.
    pub(crate) fn wait(&self, activity: Activity) -> Wait {
        Wait::new(activity, self.limits.timeout)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.history.is_up()
    }

    /// Facts of the connection that an error may show.
    pub(crate) fn context(&self) -> &crate::diagnosis::RunContext {
        self.history.context()
    }

    /// Counts for an error.
    pub(crate) fn progress(&self) -> Progress<'_> {
        Progress {
            topic: &self.counts.topic,
            sent: self.counts.sent,
            acknowledged: self.counts.acknowledged,
            received: self.counts.received,
        }
    }

    /// Disconnects, and waits for the end of the connection. Messages that are on their way get
    /// [`FLUSH_TIMEOUT`].
    ///
    /// # Errors
    /// A fault of the output, or a connection that failed at the end.
    pub(crate) async fn disconnect(&mut self) -> Result<(), RunOutcome> {
        self.is_ending = true;
        let client = self.client.clone();
        let wait = self.wait(Activity::Stop);
        self.until(wait, client.disconnect_within(FLUSH_TIMEOUT))
            .await?;
        while self.history.is_up() {
            self.next_event(wait).await?;
        }
        self.report.stopped()?;
        Ok(())
    }

    /// Ends the run: closes the connection, writes the rest of the output, and then the error.
    ///
    /// `closing` is what is to be done before DISCONNECT, after a signal as well.
    ///
    /// # Errors
    /// [`Failure::Diagnosed`] with the explanation of a failure, [`Failure::Local`] if standard
    /// output can't be written.
    pub(crate) async fn finish(mut self, outcome: Result<(), RunOutcome>) -> Result<Exit, Failure> {
        self.is_ending = true;
        let outcome = match outcome {
            Ok(()) => self.disconnect().await,
            Err(outcome) => {
                self.end_early().await;
                Err(outcome)
            }
        };
        self.history.close_capture();
        // The error and the summary are the last lines of JSON.
        let exit = outcome::exit(&outcome);
        if let Err(RunOutcome::Failed(diagnosis)) = &outcome {
            self.report.json(&JsonEvent::Error(ErrorJson::new(
                diagnosis,
                self.reason.as_ref(),
                false,
            )))?;
        }
        self.report.json(&JsonEvent::Summary {
            sent: self.counts.sent,
            acked: self.counts.acknowledged,
            received: self.counts.received,
            duration_ms: u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX),
            exit_code: exit.code(),
        })?;
        outcome::write_and_end(outcome, &self.output, &mut self.stop).await
    }

    /// Closes the connection after something has ended the run, within [`END_TIMEOUT`].
    async fn end_early(&self) {
        let console = self.console;
        let slow = async {
            sleep(SLOW_END).await;
            console.note(format_args!(
                "ending: DISCONNECT takes time; {} at most, a second signal ends at once",
                duration(END_TIMEOUT)
            ));
            pending::<()>().await;
        };
        // The reason of the end is known: an error while closing would only hide it.
        let client = self.client.clone();
        tokio::select! {
            _ = timeout(END_TIMEOUT, client.disconnect_within(FLUSH_TIMEOUT)) => {}
            () = slow => {}
        }
    }
}

/// Time after which a line says that the end takes long.
const SLOW_END: Duration = Duration::from_secs(1);
/// Longest time for DISCONNECT at an early end.
const END_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest time for unacknowledged messages at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_millis(500);
