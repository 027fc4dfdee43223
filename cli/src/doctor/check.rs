//! Stages of a check after the transport: CONNECT to PING, on the run's own client.

use std::future::pending;
use std::time::Duration;

use dunlin_client::{Message, QoS, Subscription};
use tokio::time::{Instant, timeout};

use super::evidence::Evidence;
use super::log::StageLog;
use super::plan::DoctorPlan;
use super::stage::Stage;
use crate::client_run::{Activity, ClientRun, RunOutcome, Wait};
use crate::diagnosis::Operation;

/// Runs all stages; the first failure ends the check.
///
/// # Errors
/// The reason that ends the check. The stage that failed is not printed yet.
pub(super) async fn run(
    plan: &DoctorPlan,
    run: &mut ClientRun,
    log: &StageLog,
) -> Result<(), RunOutcome> {
    // The observer of the transport records the stages before CONNECT.
    run.connect().await?;
    let mut maximum_qos = QoS::AtLeastOnce;
    if let Some(accepted) = &run.accepted {
        maximum_qos = maximum_qos.min(accepted.limits.maximum_qos);
        log.passed(
            Stage::Connect,
            &Evidence::connack(accepted),
            Some(accepted.elapsed),
        );
    }

    // The stream lives until UNSUBSCRIBE: dropped before, it would end the subscription.
    let mut messages = None;
    match &plan.topic {
        Some(topic) => {
            let outcome = exchange(plan, topic, maximum_qos, run, log, &mut messages).await;
            if outcome.is_err() {
                unsubscribe(topic, messages.is_some(), run).await;
                return outcome;
            }
        }
        None => log.skipped(&Stage::OF_TOPIC, "skipped: -t TOPIC includes them"),
    }

    // The connection is open and quiet: a ping measures the way to the server alone.
    let outcome = ping(run, log).await;
    if let Some(topic) = &plan.topic {
        unsubscribe(topic, messages.is_some(), run).await;
    }
    outcome
}

/// SUBSCRIBE, PUBLISH and RECEIVE on `topic`.
async fn exchange(
    plan: &DoctorPlan,
    topic: &str,
    qos: QoS,
    run: &mut ClientRun,
    log: &StageLog,
    messages: &mut Option<Subscription>,
) -> Result<(), RunOutcome> {
    // Subscribed first, so that the message finds the subscription.
    topic.clone_into(&mut run.counts.topic);
    let subscription = run
        .request(Operation::Subscribe, |client| async move {
            client.subscribe(topic, qos).await
        })
        .await?;
    let code = subscription
        .answer()
        .and_then(|answer| answer.reason_codes.first().copied())
        .unwrap_or_default();
    log.passed(Stage::Subscribe, &Evidence::suback(topic, code), None);
    let messages = messages.insert(subscription);

    // Never retained: a later subscriber must not get it.
    let sent = Instant::now();
    run.counts.sent = 1;
    run.request(Operation::Publish, |client| async move {
        let message = Message::new(topic, &plan.payload).qos(qos);
        client.publish(message).await?.await
    })
    .await?;
    run.acknowledged();
    log.passed(Stage::Publish, &Evidence::puback(topic, qos), None);

    // Messages of others may be on the same topic; only the random payload is our own.
    let wait = Wait::new(Activity::Receive, plan.receive_timeout);
    let mut others = 0;
    loop {
        let Some(message) = run.until(wait, messages.next()).await? else {
            // The stream ends with the client, whose last event has the reason.
            run.until(wait, pending::<()>()).await?;
            return Ok(());
        };
        if message.payload() == plan.payload.as_bytes() {
            break;
        }
        others += 1;
    }
    run.counts.received = 1;
    let evidence = Evidence::received(topic, others);
    log.passed(Stage::Receive, &evidence, Some(sent.elapsed()));
    Ok(())
}

/// PINGREQ and PINGRESP.
async fn ping(run: &mut ClientRun, log: &StageLog) -> Result<(), RunOutcome> {
    let wait = run.wait(Activity::Ping);
    let client = run.client.clone();
    match run.until(wait, client.ping()).await? {
        Some(time) => log.passed(Stage::Ping, &Evidence::pong(), Some(time)),
        // The connection has ended: the event that follows has the reason.
        None => run.until(wait, pending::<()>()).await?,
    }
    Ok(())
}

/// Ends the subscription, so that a session that goes on doesn't have it.
async fn unsubscribe(topic: &str, has_subscribed: bool, run: &ClientRun) {
    if has_subscribed && run.is_up() {
        // The check is over either way; an error here would hide its outcome.
        let _ = timeout(
            UNSUBSCRIBE_TIMEOUT,
            run.client.unsubscribe_many(&[topic], &[]),
        )
        .await;
    }
}

/// Longest wait for UNSUBACK at the end.
const UNSUBSCRIBE_TIMEOUT: Duration = Duration::from_secs(1);
