//! `dunlin pub` over HTTP: one request for each message, the next one after its answer.

use std::io::{self, Write as _};
use std::time::Duration;

use dunlin_client::aws::http_publish::{HttpPublishOptions, HttpPublisher, PublishRequest};
use tokio::time::{Instant, sleep_until, timeout};

use super::plan::{PublishPlan, Source};
use super::template::Values;
use super::{input, json_line};
use crate::client_run::event_json::{ErrorJson, JsonEvent, millis};
use crate::client_run::{Output, Report, ReportForm, RunOutcome};
use crate::diagnosis::http;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::message::OutgoingMessage;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Prints the request of the first message without secrets, and sends nothing. Messages of standard
/// input aren't read.
///
/// # Errors
/// [`Failure::Diagnosed`] for a message that can't be sent, [`Failure::Local`] if standard output
/// can't be written.
pub(super) fn print_request(
    plan: &PublishPlan,
    options: &HttpPublishOptions,
) -> Result<Exit, Failure> {
    let context = &plan.connection.context;
    let mut message = plan.message.clone();
    if let Source::Payload(payload) = &plan.source {
        message.payload = payload.clone();
    }
    if plan.template {
        message = Values::new(1).fill(message)?;
    }
    // JSON lines bring their own topics.
    let has_request = !message.topic.is_empty();
    let request = has_request
        .then(|| PublishRequest::new(message.as_message(&message.user_pairs()), options))
        .transpose()
        .map_err(|error| http::failed(context, &message.topic, 0, &error))?;

    let mut out = io::stdout().lock();
    let is_json = plan.connection.results.json;
    if !is_json {
        let address = context.address();
        let scheme = context.transport();
        writeln!(out, "to {scheme}://{address}; nothing is sent")?;
    }
    if let Some(request) = request {
        let text = request.to_string();
        match is_json {
            true => JsonEvent::WouldSend { packet: text }.write(&mut out)?,
            false => writeln!(out, "{text}")?,
        }
    }
    out.flush()?;
    Ok(Exit::Done)
}

/// Publishes everything; the first message that isn't accepted ends the run.
///
/// # Errors
/// [`Failure::Diagnosed`] with the explanation of a failure, [`Failure::Local`] if standard output
/// can't be written.
pub(super) async fn publish(
    plan: &PublishPlan,
    options: &HttpPublishOptions,
    console: Console,
) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let form = match plan.connection.results.json {
        true => ReportForm::Json,
        false => ReportForm::Messages,
    };
    let output = Output::new(io::stdout());
    let begun = Instant::now();
    let mut run = HttpRun {
        plan,
        publisher: HttpPublisher::new(options.clone()),
        report: Report::new(form, output.clone()),
        output: output.clone(),
        next_at: None,
        sent: 0,
        acknowledged: 0,
    };
    let outcome = tokio::select! {
        biased;
        exit = stop.received() => Err(RunOutcome::Stopped(exit)),
        outcome = run.publish_all() => outcome,
    };

    // The error and the summary are the last lines of JSON.
    let exit = match &outcome {
        Ok(()) => Exit::Done,
        Err(RunOutcome::Stopped(exit)) => *exit,
        Err(RunOutcome::Failed(diagnosis)) => diagnosis.id.exit(),
        Err(RunOutcome::Output(_)) => Exit::Internal,
    };
    if let Err(RunOutcome::Failed(diagnosis)) = &outcome {
        let error = ErrorJson::new(diagnosis, None, false);
        run.report.json(&JsonEvent::Error(error))?;
    }
    run.report.json(&JsonEvent::Summary {
        sent: run.sent,
        acked: run.acknowledged,
        received: 0,
        duration_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
        exit_code: exit.code(),
    })?;
    if timeout(SLOW_READER, output.flushed()).await.is_err() {
        console.note("ending: the reader of standard output takes no more");
    }
    match outcome {
        Ok(()) => {
            output.check()?;
            Ok(exit)
        }
        // A signal is no failure: it has an exit code and no error.
        Err(RunOutcome::Stopped(exit)) => Ok(exit),
        Err(RunOutcome::Failed(diagnosis)) => Err(Failure::Diagnosed(diagnosis)),
        Err(RunOutcome::Output(error)) => Err(Failure::Local(error)),
    }
}

/// Messages of one run.
struct HttpRun<'a> {
    plan: &'a PublishPlan,
    publisher: HttpPublisher,
    report: Report,
    output: Output,
    /// Time at which the next message may be sent; `None` for the first one.
    next_at: Option<Instant>,
    /// Number of requests.
    sent: u64,
    /// Number of messages that the server has accepted.
    acknowledged: u64,
}

impl HttpRun<'_> {
    /// Publishes each message of the plan.
    ///
    /// # Errors
    /// The reason that ends the run.
    async fn publish_all(&mut self) -> Result<(), RunOutcome> {
        match &self.plan.source {
            Source::Stored => Ok(()),
            Source::Payload(payload) => {
                let message = OutgoingMessage {
                    payload: payload.clone(),
                    ..self.plan.message.clone()
                };
                for _ in 0..self.plan.repeat {
                    self.publish(message.clone()).await?;
                }
                Ok(())
            }
            Source::Lines | Source::JsonLines => self.publish_input().await,
        }
    }

    /// Publishes each message of standard input.
    async fn publish_input(&mut self) -> Result<(), RunOutcome> {
        let mut lines = input::lines();
        let mut number = 0_u64;
        while let Some(batch) = lines.recv().await {
            for line in batch? {
                number += 1;
                let message = match &self.plan.source {
                    Source::JsonLines => json_line::message(&line, self.plan),
                    _ => self.plan.message_of_line(line).map(Some),
                };
                let message =
                    message.map_err(|fault| input::wrong_line(number, &fault, self.sent))?;
                // A line without a message, such as another event of `sub --json`, is skipped.
                if let Some(message) = message {
                    self.publish(message).await?;
                }
            }
        }
        Ok(())
    }

    /// Publishes one message, once the interval is over, and waits for the answer.
    async fn publish(&mut self, mut message: OutgoingMessage) -> Result<(), RunOutcome> {
        // The interval lies between the starts of two messages; a delay isn't made up for.
        if let Some(interval) = self.plan.interval {
            if let Some(at) = self.next_at {
                sleep_until(at).await;
            }
            self.next_at = Some(Instant::now() + interval);
        }
        if self.plan.template {
            message = Values::new(self.sent + 1).fill(message)?;
        }

        // One request, and its answer.
        let began = Instant::now();
        let user_pairs = message.user_pairs();
        let published = self
            .publisher
            .publish(message.as_message(&user_pairs))
            .await;
        self.sent += 1;
        let context = &self.plan.connection.context;
        let published = published
            .map_err(|error| http::failed(context, &message.topic, self.acknowledged, &error))?;
        self.acknowledged += 1;
        if self.report.is_json() {
            self.output.ready().await;
            self.report.json(&JsonEvent::Published {
                seq: self.sent,
                topic: &message.topic,
                status: 200,
                request_id: published.request_id.as_deref(),
                rtt_ms: millis(began.elapsed()),
            })?;
        }
        Ok(())
    }
}

/// Longest wait for a reader of standard output at the end.
const SLOW_READER: Duration = Duration::from_secs(1);
