//! `dunlin pub` over HTTP: one request for each message, the next one after its answer.

use std::io;

use dunlin_client::aws::http_publish::{HttpPublishOptions, HttpPublisher};
use tokio::time::{Instant, sleep_until};

use super::plan::{PublishPlan, Source};
use super::template::Values;
use super::{input, json_line};
use crate::client_run::event_json::{JsonEvent, millis};
use crate::client_run::{HttpCounts, Output, Report, ReportForm, RunOutcome, finish_http};
use crate::diagnosis::http;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::message::OutgoingMessage;
use crate::signal::StopSignal;

/// Publishes everything; the first message that isn't accepted ends the run.
///
/// # Errors
/// [`Failure::Diagnosed`] with the explanation of a failure, [`Failure::Local`] if standard output
/// can't be written.
pub(super) async fn publish(
    plan: &PublishPlan,
    options: &HttpPublishOptions,
) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let form = match plan.connection.results.json {
        true => ReportForm::Json,
        false => ReportForm::Messages,
    };
    let output = Output::new(io::stdout());
    let mut run = HttpRun {
        plan,
        publisher: HttpPublisher::new(options.clone()),
        report: Report::new(form, output.clone()),
        output: output.clone(),
        next_at: None,
        counts: HttpCounts::new(),
    };
    let outcome = tokio::select! {
        biased;
        exit = stop.received() => Err(RunOutcome::Stopped(exit)),
        outcome = run.publish_all() => outcome,
    };

    let counts = run.counts;
    finish_http(&mut run.report, &output, counts, outcome, &mut stop).await
}

/// Messages of one run.
struct HttpRun<'a> {
    plan: &'a PublishPlan,
    publisher: HttpPublisher,
    report: Report,
    output: Output,
    /// Time at which the next message may be sent; `None` for the first one.
    next_at: Option<Instant>,
    counts: HttpCounts,
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
                    message.map_err(|fault| input::wrong_line(number, &fault, self.counts.sent))?;
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
            message = Values::new(self.counts.sent + 1).fill(message)?;
        }

        // One request, and its answer.
        let began = Instant::now();
        let user_pairs = message.user_pairs();
        let published = self
            .publisher
            .publish(message.as_message(&user_pairs))
            .await;
        self.counts.count(&published);
        let context = &self.plan.connection.context;
        let published = published
            .map_err(|error| http::failed(context, &message, self.counts.accepted, &error))?;
        if self.report.is_json() {
            self.output.ready().await;
            self.report.json(&JsonEvent::Published {
                seq: self.counts.sent,
                topic: &message.topic,
                status: 200,
                request_id: published.request_id.as_deref(),
                rtt_ms: millis(began.elapsed()),
            })?;
        }
        Ok(())
    }
}
