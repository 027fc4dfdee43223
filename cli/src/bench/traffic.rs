//! Publishers and subscribers, and what passes between them.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::{
    Client, Message, QoS, Receipt, RequestError, StreamLimits, SubscribeOptions, Subscription,
    WhenFull,
};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::arrivals::{Arrivals, Arrived};
use super::counters::Counters;
use super::plan::{Traffic, TrafficPlan};
use super::progress::Progress;
use super::report::{Elapsed, Load, Report};
use super::stamp::{Clock, Stamp};
use super::target::{all_disconnected, spaced};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// What every task of a run has.
#[derive(Clone, Debug)]
pub(super) struct TrafficRun {
    pub(super) plan: Arc<TrafficPlan>,
    pub(super) counters: Arc<Counters>,
    pub(super) clock: Clock,
    /// Tells this run's messages from those of others.
    pub(super) number: u32,
    pub(super) begun: Instant,
    /// True when nothing more is to be sent.
    pub(super) over: watch::Receiver<bool>,
}

pub(super) async fn run(plan: TrafficPlan, console: Console) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let (plan, counters) = (Arc::new(plan), Arc::new(Counters::default()));
    let progress = Progress::start(&counters, plan.target.clients, plan.target.shows_progress);
    let began = Instant::now();
    let clients = tokio::select! {
        clients = plan.target.connect_all(plan.target.clients, &counters) => clients,
        exit = stop.received() => {
            drop(progress);
            let took = Elapsed::all(began.elapsed());
            return Report::new(&plan.target, Load::of(&plan), &counters, took, None, Some(exit)).tell(console);
        }
    };
    let watching = plan.target.watch(&clients, &counters, console);
    let streams = subscribe(&plan, &clients, &counters).await;
    let (end, over) = watch::channel(false);
    let run = TrafficRun {
        plan: Arc::clone(&plan),
        counters: Arc::clone(&counters),
        clock: Clock::start(),
        number: fastrand::u32(..),
        begun: Instant::now(),
        over,
    };
    let mut receivers = JoinSet::new();
    for stream in streams {
        receivers.spawn(receive(run.clone(), stream));
    }
    let mut publishers = JoinSet::new();
    if plan.verb != Traffic::Sub {
        for (number, client) in (0..).zip(&clients) {
            publishers.spawn(publish(run.clone(), client.clone(), number));
        }
    }
    let stopped = tokio::select! {
        () = finished(&run, &mut publishers, clients.is_empty()) => None,
        () = all_disconnected(&clients) => None,
        exit = stop.received() => Some(exit),
    };
    let seconds = run.begun.elapsed();
    let _ = end.send(true);
    drop(watching);
    let _ = timeout(plan.drain, async {
        while publishers.join_next().await.is_some() {}
    })
    .await;
    let heard = if stopped.is_none() {
        drained(&run).await
    } else {
        seconds
    };
    disconnect(clients).await;
    let arrived = collect(receivers).await;
    drop(progress);
    let took = Elapsed {
        sending: seconds,
        hearing: heard,
    };
    let report = Report::new(
        &plan.target,
        Load::of(&plan),
        &counters,
        took,
        arrived,
        stopped,
    );
    report.tell(console)
}

/// The sending, or for those who only listen the time or the number of messages.
async fn finished(run: &TrafficRun, publishers: &mut JoinSet<()>, is_idle: bool) {
    if run.plan.verb != Traffic::Sub {
        let all = async { while publishers.join_next().await.is_some() {} };
        match run.plan.duration {
            // Publishers may wait for a server that is gone.
            Some(duration) => drop(timeout_at(run.begun + duration, all).await),
            None => all.await,
        }
        return;
    }
    let enough = async {
        let wanted = run
            .plan
            .count
            .filter(|_| !is_idle)
            .map(|count| count * run.counters.connected.get());
        while !is_idle && wanted.is_none_or(|wanted| run.counters.received.get() < wanted) {
            sleep(LOOK_AGAIN).await;
        }
    };
    match run.plan.duration {
        Some(duration) => drop(timeout(duration, enough).await),
        None => enough.await,
    }
}

/// What was sent has come, or nothing more comes; how long after the beginning that was.
async fn drained(run: &TrafficRun) -> Duration {
    let TrafficRun { plan, counters, .. } = run;
    let open = || {
        let unacknowledged =
            plan.qos != QoS::AtMostOnce && counters.acknowledged.get() < counters.sent.get();
        unacknowledged || plan.knows_senders() && counters.received.get() < counters.sent.get()
    };
    let (mut before, mut since) = ((0, 0), Instant::now());
    while open() && since.elapsed() < plan.drain {
        let now = (counters.acknowledged.get(), counters.received.get());
        if now != before {
            (before, since) = (now, Instant::now());
        }
        sleep(LOOK_AGAIN).await;
    }
    if open() {
        since - run.begun
    } else {
        run.begun.elapsed()
    }
}

/// As many as a stamp can tell apart.
const MOST_NUMBERS: u64 = 0xffff_ffff;

const LOOK_AGAIN: Duration = Duration::from_millis(10);

async fn subscribe(
    plan: &TrafficPlan,
    clients: &[Client],
    counters: &Counters,
) -> Vec<Subscription> {
    let mut streams = Vec::new();
    if plan.verb == Traffic::Pub {
        return streams;
    }
    for (number, client) in (0..).zip(clients) {
        // A server that is faster than we are is slowed down, and nothing is lost here.
        let limits = StreamLimits {
            when_full: WhenFull::PauseReading,
            ..StreamLimits::default()
        };
        let options = SubscribeOptions {
            limits,
            ..plan.qos.into()
        };
        match client
            .subscribe_with(&plan.filter_of(number), options)
            .await
        {
            Ok(stream) => streams.push(stream),
            Err(error) => counters.failed(&error),
        }
    }
    streams
}

async fn receive(run: TrafficRun, mut stream: Subscription) -> Arrivals {
    let mut arrivals = Arrivals::default();
    while let Some(message) = stream.next().await {
        let Some(stamp) = Stamp::read(message.payload()) else {
            if !run.plan.knows_senders() {
                run.counters.received.add(1);
            }
            continue;
        };
        let is_ours = !run.plan.knows_senders() || stamp.run == run.number;
        if is_ours && arrivals.count(stamp) {
            run.counters.received.add(1);
            run.counters.end_to_end.record(run.clock.since(stamp.at));
        }
    }
    arrivals
}

/// Sends one client's share, each message when it is due.
async fn publish(run: TrafficRun, client: Client, number: u32) {
    let TrafficRun { plan, counters, .. } = &run;
    let topic = plan.topic_of(number);
    let mut payload = vec![b'x'; plan.size];
    let (acknowledged, receipts) = mpsc::channel(usize::from(plan.in_flight));
    // It goes on when all is sent, until its client ends.
    tokio::spawn(reap(run.clone(), receipts));
    for sequence in 0..plan.share(number).unwrap_or(MOST_NUMBERS) {
        let Some(due) = next_due(&run, number, sequence).await else {
            break;
        };
        let sequence = u32::try_from(sequence).unwrap_or(u32::MAX);
        let stamp = Stamp {
            run: run.number,
            sender: number,
            sequence,
            at: run.clock.at(due),
        };
        stamp.write(&mut payload);
        let receipt = match client
            .publish(Message::new(&topic, &payload).qos(plan.qos))
            .await
        {
            Ok(receipt) => receipt,
            Err(error) => {
                counters.failed(&error);
                break;
            }
        };
        counters.sent.add(1);
        if plan.qos == QoS::AtMostOnce {
            drop(receipt);
            // Nothing else here waits, and others want to send, too.
            if sequence % 64 == 63 {
                tokio::task::yield_now().await;
            }
        } else if acknowledged.send((due, receipt)).await.is_err() {
            break;
        }
    }
}

/// When a message is due, once that has come; `None` when there shall be none.
pub(super) async fn next_due(run: &TrafficRun, number: u32, sequence: u64) -> Option<Instant> {
    let TrafficRun {
        plan, begun, over, ..
    } = run;
    let now = Instant::now();
    let due = if plan.rate > 0.0 {
        // All clients take turns.
        let place = sequence
            .saturating_mul(plan.target.clients.into())
            .saturating_add(number.into());
        *begun + spaced(place, plan.rate)
    } else {
        now
    };
    if *over.borrow()
        || plan
            .duration
            .is_some_and(|duration| due.max(now) >= *begun + duration)
    {
        return None;
    }
    if due > now {
        let mut over = over.clone();
        tokio::select! {
            biased;
            _ = over.changed() => return None,
            () = sleep_until(due) => {}
        }
    }
    Some(due)
}

/// Acknowledgements come in order, so that waiting for one keeps no later one waiting.
async fn reap(run: TrafficRun, mut receipts: mpsc::Receiver<(Instant, Receipt)>) {
    while let Some((due, receipt)) = receipts.recv().await {
        match receipt.await {
            Ok(_) => {
                run.counters.acknowledged.add(1);
                run.counters.acknowledge.record(due.elapsed());
            }
            // What is still open at the end is lost, and no error of its own.
            Err(RequestError::Stopped(_)) => {}
            Err(error) => run.counters.failed(&error),
        }
    }
}

/// All at once: thousands would take long one after another.
pub(super) async fn disconnect(clients: Vec<Client>) {
    let mut leaving = JoinSet::new();
    for client in clients {
        leaving.spawn(async move { client.disconnect_within(FLUSH).await });
    }
    while leaving.join_next().await.is_some() {}
}

const FLUSH: Duration = Duration::from_millis(500);

/// Streams end with their clients.
async fn collect(mut receivers: JoinSet<Arrivals>) -> Option<Arrived> {
    if receivers.is_empty() {
        return None;
    }
    let mut all = Vec::new();
    while let Some(joined) = receivers.join_next().await {
        all.extend(joined.ok().map(|arrivals| arrivals.total()));
    }
    Some(all.into_iter().sum())
}
