//! `dunlin request`: publishes a request and prints its responses.

#![expect(
    clippy::disallowed_methods,
    reason = "the time from a request to its response is measured in real time"
)]

mod plan;

use std::future::pending;
use std::io::Write as _;
use std::time::Duration;

use dunlin_client::{ReceivedMessage, Subscription};
use tokio::time::{Instant, timeout};

use self::plan::RequestPlan;
use crate::args::{RequestArgs, Sources};
use crate::client_run::event_json::{GrantJson, JsonEvent};
use crate::client_run::{Activity, ClientRun, ReportForm, RunOutcome, dry_run};
use crate::diagnosis::{Operation, duration};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Sends the request and waits for its responses.
///
/// # Errors
/// [`Failure::Diagnosed`] for flags that can't be used and for what went wrong with the server, such
/// as a response that doesn't come; [`Failure::Local`] if a response can't be written.
pub(crate) fn run(
    typed: RequestArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    // Checked before a runtime starts: mistakes need no threads.
    let plan = RequestPlan::new(typed, sources, console)?;
    if plan.connection.results.dry_run {
        return dry_run::print_for(&plan.connection, &plan.packets()?);
    }
    block_on(request(plan, console))
}

async fn request(mut plan: RequestPlan, console: Console) -> Result<Exit, Failure> {
    let stop = StopSignal::install()?;
    let mut run = ClientRun::start(&plan.connection, ReportForm::Messages, console, stop)?;
    // The stream lives until DISCONNECT: dropped before, it would end the subscription.
    let mut responses = None;
    let outcome = exchange(&mut plan, &mut run, &mut responses).await;
    if responses.is_some() && run.is_up() {
        // The run is over either way; an error here would hide its reason.
        let _ = timeout(
            UNSUBSCRIBE_TIMEOUT,
            run.client.unsubscribe_many(&[plan.response_topic()], &[]),
        )
        .await;
    }
    run.finish(outcome).await
}

/// Subscribes, publishes the request, and prints the responses.
async fn exchange(
    plan: &mut RequestPlan,
    run: &mut ClientRun,
    responses: &mut Option<Subscription>,
) -> Result<(), RunOutcome> {
    run.connect().await?;
    if let Some(connected) = &run.accepted {
        plan.choose_response_topic(connected);
    }
    let plan = &*plan;

    // Subscribed first, because a response may come before the acknowledgement of the request.
    run.counts.topic = plan.response_topic().to_owned();
    let subscription = run
        .request(Operation::Subscribe, |client| async move {
            client
                .subscribe(plan.response_topic(), plan.request.qos)
                .await
        })
        .await?;
    let code = subscription
        .answer()
        .and_then(|answer| answer.reason_codes.first().copied());
    run.report.json(&JsonEvent::Suback {
        filters: vec![GrantJson::new(
            plan.response_topic(),
            code.unwrap_or_default(),
        )],
    })?;
    let responses = responses.insert(subscription);

    // The time begins with the request, not with its acknowledgement.
    run.counts.topic.clone_from(&plan.request.topic);
    run.counts.sent = 1;
    let begun = Instant::now();
    run.request(Operation::Publish, |client| async move {
        let pairs = plan.request.user_pairs();
        let message = plan.request.as_message(&pairs);
        client.publish(message).await?.await
    })
    .await?;
    run.acknowledged();

    let wait = run.wait(Activity::Idle);
    while run.counts.received < plan.count {
        let Some(response) = run.until(wait, responses.next()).await? else {
            // The stream ends with the client, whose last event has the reason.
            run.until(wait, pending::<()>()).await?;
            return Ok(());
        };
        if plan.is_response(&response) {
            print(run, &response, begun.elapsed())?;
        } else {
            run.warn("a message with other correlation data is not a response to this request")?;
        }
    }
    Ok(())
}

/// Prints a response on standard output, and its time on standard error.
fn print(run: &mut ClientRun, response: &ReceivedMessage, rtt: Duration) -> Result<(), RunOutcome> {
    run.counts.received += 1;
    if run.report.is_json() {
        return Ok(run.report.json(&JsonEvent::response(response, rtt))?);
    }
    // One call, so that a response is written whole or not at all.
    let mut line = response.payload().to_vec();
    line.push(b'\n');
    run.output.write_all(&line)?;
    run.console.note(format_args!(
        "response {} after {}",
        run.counts.received,
        duration(rtt)
    ));
    Ok(())
}

/// Longest wait for UNSUBACK at the end.
const UNSUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(1);
