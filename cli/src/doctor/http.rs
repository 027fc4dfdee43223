//! Stages of a check over HTTP: name, TCP, proxy and TLS by the transport's observer, then one request.

use std::io;

use dunlin_client::aws::http_publish::{self, HttpPublishError, HttpPublishOptions, HttpPublished};
use tokio::time::Instant;

use super::evidence::Evidence;
use super::log::StageLog;
use super::plan::DoctorPlan;
use super::stage::Stage;
use crate::client_run::{HttpCounts, Output, Report, ReportForm, RunOutcome, finish_http};
use crate::diagnosis::http;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::message::OutgoingMessage;
use crate::signal::StopSignal;

/// Publishes the message by one request, and prints each stage.
///
/// # Errors
/// [`Failure::Diagnosed`] with the failure of the first stage that fails; [`Failure::Local`] if
/// standard output can't be written.
pub(super) async fn check(
    plan: &DoctorPlan,
    mut options: HttpPublishOptions,
    message: OutgoingMessage,
) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let (context, results) = (&plan.connection.context, plan.connection.results);
    let output = Output::new(io::stdout());
    let form = match results.json {
        true => ReportForm::JsonStages,
        false => ReportForm::Stages,
    };
    let mut report = Report::new(form, output.clone());

    // The observer records the stages before the request.
    let log = StageLog::new(Stage::of(context, &options.transport), results.json);
    log.attach(output.clone());
    log.passed(Stage::Flags, &Evidence::flags(context), None);
    options.transport.observer = Some(log.observer(context));

    let mut counts = HttpCounts::new();
    let user_pairs = message.user_pairs();
    let began = Instant::now();
    let published = tokio::select! {
        biased;
        exit = stop.received() => {
            let outcome = Err(RunOutcome::Stopped(exit));
            return finish_http(&mut report, &output, counts, outcome, &mut stop).await;
        }
        published = http_publish::publish(message.as_message(&user_pairs), options) => published,
    };
    counts.count(&published);

    // An answer of any status ends the stage of HTTP; the status is the stage of the message.
    if let Some(evidence) = answered(&published) {
        log.passed(Stage::Http, &evidence, None);
    }
    let outcome = match published {
        Ok(_) => {
            let evidence = Evidence::published(&message.topic);
            log.passed(Stage::Publish, &evidence, Some(began.elapsed()));
            Ok(())
        }
        Err(error) => {
            let diagnosis = http::failed(context, &message, 0, &error);
            log.failed(&diagnosis);
            Err(diagnosis.into())
        }
    };
    finish_http(&mut report, &output, counts, outcome, &mut stop).await
}

/// Status and id of an answer; `None` if there was none.
fn answered(published: &Result<HttpPublished, HttpPublishError>) -> Option<Evidence> {
    match published {
        Ok(published) => Some(Evidence::answer(200, "OK", published.request_id.as_deref())),
        Err(HttpPublishError::Refused { refusal, .. }) => Some(Evidence::answer(
            refusal.status,
            refusal.reason,
            refusal.request_id.as_deref(),
        )),
        Err(_) => None,
    }
}
