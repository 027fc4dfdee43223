//! Requests and responses: one client answers, the others ask.

use std::sync::Arc;

use dunlin_client::{Client, Message, QoS, Subscription};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::plan::Plan;
use super::progress::Progress;
use super::report::{Load, Report, Took};
use super::stamp::Clock;
use super::tally::Tally;
use super::traffic::{Run, disconnect, next_due};
use super::way::gone;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;

pub(super) async fn run(plan: Plan, console: Console) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let (plan, tally) = (Arc::new(plan), Arc::new(Tally::default()));
    let progress = Progress::start(&tally, plan.connections(), plan.way.shows_progress);
    let began = Instant::now();
    let mut clients = tokio::select! {
        clients = plan.way.connect_all(plan.connections(), &tally) => clients,
        exit = stop.received() => {
            drop(progress);
            let took = Took::all(began.elapsed());
            return Report::new(&plan.way, Load::of(&plan), &tally, took, None, Some(exit)).tell(console);
        }
    };
    let watching = plan.way.watch(&clients, &tally, console);
    let responder = clients.pop();
    let mut answering = JoinSet::new();
    if let Some(responder) = &responder {
        match responder.subscribe(&plan.topic, QoS::AtLeastOnce).await {
            Ok(requests) => drop(answering.spawn(answer(responder.clone(), requests))),
            Err(error) => tally.failed(&error),
        }
    }
    let (end, over) = watch::channel(false);
    let run = Run {
        plan: Arc::clone(&plan),
        tally: Arc::clone(&tally),
        clock: Clock::start(),
        number: 0,
        begun: Instant::now(),
        over,
    };
    let mut asking = JoinSet::new();
    if !answering.is_empty() {
        for (number, client) in (0..).zip(&clients) {
            asking.spawn(ask_in_parallel(run.clone(), client.clone(), number));
        }
    }
    let stopped = tokio::select! {
        () = async { while asking.join_next().await.is_some() {} } => None,
        () = passed(plan.duration.map(|duration| run.begun + duration)) => None,
        () = gone(&clients) => None,
        exit = stop.received() => Some(exit),
    };
    let seconds = run.begun.elapsed();
    let _ = end.send(true);
    drop(watching);
    let _ = tokio::time::timeout(plan.drain, async {
        while asking.join_next().await.is_some() {}
    })
    .await;
    clients.extend(responder);
    disconnect(clients).await;
    drop(progress);
    Report::new(
        &plan.way,
        Load::of(&plan),
        &tally,
        Took::all(seconds),
        None,
        stopped,
    )
    .tell(console)
}

/// `None` never passes.
async fn passed(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

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

async fn ask_in_parallel(run: Run, client: Client, number: u32) {
    let (next, mut asking) = (Arc::new(super::tally::Counter::default()), JoinSet::new());
    for _ in 0..run.plan.in_flight {
        asking.spawn(ask(run.clone(), client.clone(), number, Arc::clone(&next)));
    }
    while asking.join_next().await.is_some() {}
}

async fn ask(run: Run, client: Client, number: u32, next: Arc<super::tally::Counter>) {
    let Run { plan, tally, .. } = &run;
    let payload = vec![b'x'; plan.size];
    loop {
        let sequence = next.take();
        if plan.share(number).is_some_and(|share| sequence >= share) {
            return;
        }
        let Some(due) = next_due(&run, number, sequence).await else {
            return;
        };
        tally.sent.add(1);
        let request = Message::new(&plan.topic, &payload).qos(plan.qos);
        match client.request_with(request, plan.drain).await {
            Ok(_) => {
                tally.received.add(1);
                tally.end_to_end.record(due.elapsed());
            }
            Err(error) => {
                tally.failed(&error);
                if matches!(error, dunlin_client::RequestError::Stopped(_)) {
                    return;
                }
            }
        }
    }
}
