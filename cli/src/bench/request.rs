//! Requests and responses: one client answers, the others ask.

use std::sync::Arc;

use dunlin_client::{Client, Message, QoS, Subscription};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::counters::Counters;
use super::plan::TrafficPlan;
use super::progress::Progress;
use super::report::{Elapsed, Load, Report};
use super::stamp::Clock;
use super::target::all_disconnected;
use super::traffic::{TrafficRun, disconnect, next_due};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;

pub(super) async fn run(plan: TrafficPlan, console: Console) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let (plan, counters) = (Arc::new(plan), Arc::new(Counters::default()));
    let progress = Progress::start(&counters, plan.connections(), plan.target.shows_progress);
    let began = Instant::now();
    let mut clients = tokio::select! {
        clients = plan.target.connect_all(plan.connections(), &counters) => clients,
        exit = stop.received() => {
            drop(progress);
            let took = Elapsed::all(began.elapsed());
            return Report::new(&plan.target, Load::of(&plan), &counters, took, None, Some(exit)).tell(console);
        }
    };
    let watching = plan.target.watch(&clients, &counters, console);
    let responder = clients.pop();
    let mut answering = JoinSet::new();
    if let Some(responder) = &responder {
        match responder.subscribe(&plan.topic, QoS::AtLeastOnce).await {
            Ok(requests) => drop(answering.spawn(answer(responder.clone(), requests))),
            Err(error) => counters.failed(&error),
        }
    }
    let (end, over) = watch::channel(false);
    let run = TrafficRun {
        plan: Arc::clone(&plan),
        counters: Arc::clone(&counters),
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
        () = all_disconnected(&clients) => None,
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
        &plan.target,
        Load::of(&plan),
        &counters,
        Elapsed::all(seconds),
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

async fn ask_in_parallel(run: TrafficRun, client: Client, number: u32) {
    let (next, mut asking) = (
        Arc::new(super::counters::Counter::default()),
        JoinSet::new(),
    );
    for _ in 0..run.plan.in_flight {
        asking.spawn(ask(run.clone(), client.clone(), number, Arc::clone(&next)));
    }
    while asking.join_next().await.is_some() {}
}

async fn ask(run: TrafficRun, client: Client, number: u32, next: Arc<super::counters::Counter>) {
    let TrafficRun { plan, counters, .. } = &run;
    let payload = vec![b'x'; plan.size];
    loop {
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
            Err(error) => {
                counters.failed(&error);
                if matches!(error, dunlin_client::RequestError::Stopped(_)) {
                    return;
                }
            }
        }
    }
}
