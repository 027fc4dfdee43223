//! `dunlin respond`: answers requests with their own payload, a text, or the output of a program.

#![expect(
    clippy::disallowed_methods,
    reason = "the time that an answer takes is measured in real time"
)]

mod answer;

use std::future::pending;
use std::time::Duration;

use dunlin_client::{
    Acknowledgement, ReceivedMessage, RequestError, SubscribeOptions, Subscription,
};
use dunlin_codec::{ReasonCode, SubscriptionOptions};
use tokio::time::{Instant, timeout};

use self::answer::Answer;
use crate::args::{RespondArgs, Sources};
use crate::client_run::event_json::{GrantJson, JsonEvent};
use crate::client_run::{ClientRun, ReportForm, RunOutcome, Wait, dry_run};
use crate::config::{ConnectionConfig, Faults};
use crate::diagnosis::{Diagnosis, Operation, duration, quoted};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::message::encode_subscribe;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::subscribe::{Streams, filters};
use crate::terminal::Console;

/// Filters, and what requests are answered with.
struct RespondPlan {
    connection: ConnectionConfig,
    filters: Vec<(String, SubscriptionOptions)>,
    answer: Answer,
    /// Number of requests after which the run ends; `None` for no limit.
    count: Option<u64>,
}

/// Answers requests until the count is reached or the verb is stopped.
///
/// # Errors
/// [`Failure::Diagnosed`] for flags that can't be used and for what went wrong with the server;
/// [`Failure::Local`] if standard output can't be written.
pub(crate) fn run(
    typed: RespondArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    // Checked before a runtime starts: mistakes need no threads.
    let mut faults = Faults::default();
    let filters = faults.collect(filters("respond", &typed.subscription));
    let answer = faults.collect(Answer::new(
        typed.message,
        typed.exec.as_deref(),
        typed.exec_timeout,
    ));
    let connection = ConnectionConfig::new(typed.connection, "respond", faults, sources, console)?;
    let (Some(filters), Some(answer)) = (filters, answer) else {
        return Err(Diagnosis::usage("missing: --topic").into());
    };
    if connection.results.dry_run {
        return dry_run::print_for(&connection, &[encode_subscribe(&filters, None)?]);
    }
    let plan = RespondPlan {
        connection,
        filters,
        answer,
        count: typed.count,
    };
    block_on(respond(plan, console))
}

async fn respond(plan: RespondPlan, console: Console) -> Result<Exit, Failure> {
    let stop = StopSignal::install()?;
    let mut run = ClientRun::start(&plan.connection, ReportForm::Messages, console, stop)?;
    // The streams live until DISCONNECT: dropped before, they would end the subscriptions.
    let mut streams = None;
    let outcome = answer_all(&plan, &mut run, &mut streams).await;
    if streams.is_some() && run.is_up() && !plan.connection.keeps_session {
        let filters = plan.filters.iter().map(|(filter, _)| filter.as_str());
        let filters: Vec<&str> = filters.collect();
        // The run is over either way; an error here would hide its reason.
        let _ = timeout(
            UNSUBSCRIBE_TIMEOUT,
            run.client.unsubscribe_many(&filters, &[]),
        )
        .await;
    }
    run.finish(outcome).await
}

/// Subscribes, and answers one request after the other.
async fn answer_all(
    plan: &RespondPlan,
    run: &mut ClientRun,
    streams: &mut Option<Streams>,
) -> Result<(), RunOutcome> {
    run.connect().await?;
    let answers = run
        .request(Operation::Subscribe, |client| async move {
            let filters = plan.filters.iter().map(|(filter, options)| {
                let options = SubscribeOptions {
                    subscription: *options,
                    ..SubscribeOptions::default()
                };
                (filter.as_str(), options)
            });
            client.subscribe_many(filters, &[]).await
        })
        .await?;

    run.report.json(&JsonEvent::Suback {
        filters: grants(&plan.filters, &answers),
    })?;

    // A filter that was refused ends the run: its requests would stay unanswered.
    let mut subscriptions = Vec::new();
    for ((filter, _), answer) in plan.filters.iter().zip(answers) {
        match answer {
            Ok(subscription) => subscriptions.push(subscription),
            Err(error) => {
                run.counts.topic.clone_from(filter);
                return Err(run.failed(Operation::Subscribe, &error).await);
            }
        }
    }
    let streams = streams.insert(Streams::new(subscriptions, None));

    loop {
        let requests = run.until(Wait::idle(), streams.next()).await?;
        if requests.is_empty() {
            // The streams end with the client, whose last event has the reason.
            run.until(Wait::idle(), pending::<()>()).await?;
        }
        for (request, acknowledgement) in requests {
            run.counts.received += 1;
            answer_one(plan, run, &request, acknowledgement).await?;
            if plan.count.is_some_and(|count| run.counts.received >= count) {
                return Ok(());
            }
        }
    }
}

/// Codes of SUBACK for the filters.
fn grants<'a>(
    filters: &'a [(String, SubscriptionOptions)],
    answers: &[Result<Subscription, RequestError>],
) -> Vec<GrantJson<'a>> {
    let grants = filters.iter().zip(answers).map(|((filter, _), answer)| {
        let code = match answer {
            Ok(subscription) => subscription
                .answer()
                .and_then(|answer| answer.reason_codes.first().copied())
                .unwrap_or_default(),
            Err(RequestError::Refused(reason)) => reason.reason_code,
            Err(_) => ReasonCode::UnspecifiedError,
        };
        GrantJson::new(filter, code)
    });
    grants.collect()
}

/// Answers a request, and acknowledges it after the server has the answer: a request whose answer
/// was lost comes again.
async fn answer_one(
    plan: &RespondPlan,
    run: &mut ClientRun,
    request: &ReceivedMessage,
    acknowledgement: Acknowledgement,
) -> Result<(), RunOutcome> {
    let begun = Instant::now();
    let Some(response_topic) = request.properties().response_topic else {
        acknowledgement.accept();
        let topic = quoted(request.topic());
        return Ok(run.warn(&format!(
            "a message to {topic} has no response topic and gets no answer"
        ))?);
    };
    let payload = match run.until(Wait::idle(), plan.answer.to(request)).await? {
        Ok(payload) => payload,
        Err(error) => {
            acknowledgement.accept();
            let topic = quoted(request.topic());
            return Ok(run.warn(&format!("a request to {topic} gets no answer: {error}"))?);
        }
    };

    // The answer has the QoS and the Correlation Data of the request (§4.10).
    let response_topic = response_topic.as_str();
    run.counts.topic = response_topic.to_owned();
    run.counts.sent += 1;
    run.request(Operation::Publish, |client| {
        let answer = request.reply(payload.as_slice());
        async move {
            match answer {
                Some(answer) => client.publish(answer).await?.await.map(drop),
                None => Ok(()),
            }
        }
    })
    .await?;
    run.acknowledged();
    acknowledgement.accept();

    let time = begun.elapsed();
    if run.report.is_json() {
        let event = JsonEvent::answered(request, response_topic, payload.len(), time);
        run.report.json(&event)?;
    } else {
        run.console.note(format_args!(
            "answered a request to {} in {}",
            quoted(request.topic()),
            duration(time)
        ));
    }
    Ok(())
}

/// Longest wait for UNSUBACK at the end.
const UNSUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(1);
