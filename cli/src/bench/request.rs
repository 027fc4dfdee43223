//! `bench request`: one client answers requests, the others send them.

use std::sync::Arc;

use dunlin_client::{Client, Message, QoS, RequestError, Subscription};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::advice::LoadFacts;
use super::counters::{Counter, Counters};
use super::outcome::{self, Elapsed, Ended};
use super::plan::TrafficPlan;
use super::pool::{ClientPool, ClientReporter};
use super::progress::LoadProgress;
use super::report::Load;
use super::stamp::Clock;
use super::traffic::{TrafficRun, next_due};
use crate::diagnosis::Operation;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Runs the load and prints the report.
///
/// # Errors
/// [`Failure::Local`] if the signals can't be handled or the report can't be written.
pub(super) async fn run(plan: TrafficPlan, console: Console) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let (plan, counters) = (Arc::new(plan), Arc::new(Counters::default()));
    let target = &plan.target;
    let progress = LoadProgress::start(
        plan.kind,
        &counters,
        plan.connections(),
        target.shows_progress,
        console,
    );
    let reporter = ClientReporter {
        counters: Arc::clone(&counters),
        context: Arc::new(target.context.clone()),
        load: Arc::new(LoadFacts::from(&*plan)),
        notes: progress.notes(),
        expects_outage: Arc::default(),
    };
    let ended = |elapsed, stopped| Ended {
        elapsed: Elapsed::all(elapsed),
        arrived: None,
        stopped,
        drain: plan.drain,
    };

    // Connect, and report at once if a signal comes meanwhile.
    let began = Instant::now();
    let pool = tokio::select! {
        pool = ClientPool::connect(target, plan.connections(), &reporter) => pool,
        exit = stop.received() => {
            drop(progress);
            let ended = ended(began.elapsed(), Some(exit));
            return outcome::print(target, Load::of(&plan), &counters, ended, console);
        }
    };

    // The last client answers.
    let mut answering = JoinSet::new();
    let (responder, requesters) = match pool.clients().split_last() {
        Some((responder, requesters)) => (Some(responder), requesters),
        None => (None, pool.clients()),
    };
    if let Some(responder) = responder {
        match responder.subscribe(&plan.topic, QoS::AtLeastOnce).await {
            Ok(requests) => drop(answering.spawn(answer(responder.clone(), requests))),
            Err(error) => reporter.request_failed(Operation::Subscribe, &error),
        }
    }

    // The others send requests, if somebody answers.
    let (end, over) = watch::channel(false);
    let run = TrafficRun {
        plan: Arc::clone(&plan),
        reporter,
        clock: Clock::start(),
        number: 0,
        begun: Instant::now(),
        over,
    };
    let mut asking = JoinSet::new();
    if !answering.is_empty() {
        for (number, client) in (0..).zip(requesters) {
            asking.spawn(ask_in_parallel(run.clone(), client.clone(), number));
        }
    }

    // Until all is answered, the time is over, the server is gone, or a signal comes.
    let stopped = tokio::select! {
        () = async { while asking.join_next().await.is_some() {} } => None,
        () = passed(plan.duration.map(|duration| run.begun + duration)) => None,
        () = pool.server_gone() => None,
        exit = stop.received() => Some(exit),
    };
    let elapsed = run.begun.elapsed();
    let _ = end.send(true);

    // Wait for the last responses, unless nobody is left to get them.
    if stopped.is_none() {
        tokio::select! {
            _ = timeout(plan.drain, async { while asking.join_next().await.is_some() {} }) => {}
            () = pool.stopped() => {}
        }
    }
    pool.disconnect().await;
    drop(progress);
    let ended = ended(elapsed, stopped);
    outcome::print(target, Load::of(&plan), &counters, ended, console)
}

/// Waits until `at`; `None` never comes.
async fn passed(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

/// Answers each request with its own payload, until the client stops.
async fn answer(responder: Client, mut requests: Subscription) {
    while let Some(request) = requests.next().await {
        let Some(reply) = request.reply(request.payload()) else {
            continue;
        };
        match responder.publish(reply).await {
            Ok(receipt) => drop(receipt),
            Err(_) => break,
        }
    }
}

/// Sends the requests of one client, `--in-flight` at a time.
async fn ask_in_parallel(run: TrafficRun, client: Client, number: u32) {
    let (next, mut asking) = (Arc::new(Counter::default()), JoinSet::new());
    for _ in 0..run.plan.in_flight {
        asking.spawn(ask(run.clone(), client.clone(), number, Arc::clone(&next)));
    }
    while asking.join_next().await.is_some() {}
}

/// Sends requests one after another; `next` counts those of all tasks of this client.
async fn ask(run: TrafficRun, client: Client, number: u32, next: Arc<Counter>) {
    let (plan, counters) = (&run.plan, run.counters());
    let payload = vec![b'x'; plan.size];
    loop {
        // The next number of this client, until its share is used up or the time is over.
        let sequence = next.take();
        if plan.share(number).is_some_and(|share| sequence >= share) {
            return;
        }
        let Some(due) = next_due(&run, number, sequence).await else {
            return;
        };
        counters.sent.add(1);
        let request = Message::new(&plan.topic, &payload).qos(plan.qos);
        match client.request_with(request, plan.drain).await {
            Ok(_) => {
                counters.received.add(1);
                counters.end_to_end.record(due.elapsed());
            }
            // A request without a response is counted, and the next one may get one.
            Err(error) => {
                run.reporter.request_failed(Operation::Publish, &error);
                if is_permanent(&error) {
                    return;
                }
            }
        }
    }
}

/// True if every further request would fail in the same way.
fn is_permanent(error: &RequestError) -> bool {
    matches!(
        error,
        RequestError::Stopped(_)
            | RequestError::TooLarge { .. }
            | RequestError::QoSNotSupported { .. }
            | RequestError::Limit(_)
            | RequestError::Encode(_)
    )
}
