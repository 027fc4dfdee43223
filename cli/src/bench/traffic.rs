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
use super::plan::{Plan, Verb};
use super::progress::Progress;
use super::report::{Load, Report, Took};
use super::stamp::{Clock, Stamp};
use super::tally::Tally;
use super::way::{gone, spaced};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// What every task of a run has.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) plan: Arc<Plan>,
    pub(super) tally: Arc<Tally>,
    pub(super) clock: Clock,
    /// Tells this run's messages from those of others.
    pub(super) number: u32,
    pub(super) begun: Instant,
    /// True when nothing more is to be sent.
    pub(super) over: watch::Receiver<bool>,
}

pub(super) async fn run(plan: Plan, console: Console) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    let (plan, tally) = (Arc::new(plan), Arc::new(Tally::default()));
    let progress = Progress::start(&tally, plan.way.clients, plan.way.shows_progress);
    let began = Instant::now();
    let clients = tokio::select! {
        clients = plan.way.connect_all(plan.way.clients, &tally) => clients,
        exit = stop.received() => {
            drop(progress);
            let took = Took::all(began.elapsed());
            return Report::new(&plan.way, Load::of(&plan), &tally, took, None, Some(exit)).tell(console);
        }
    };
    let watching = plan.way.watch(&clients, &tally, console);
    let streams = subscribe(&plan, &clients, &tally).await;
    let (end, over) = watch::channel(false);
    let run = Run {
        plan: Arc::clone(&plan),
        tally: Arc::clone(&tally),
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
    if plan.verb != Verb::Sub {
        for (number, client) in (0..).zip(&clients) {
            publishers.spawn(publish(run.clone(), client.clone(), number));
        }
    }
    let stopped = tokio::select! {
        () = finished(&run, &mut publishers, clients.is_empty()) => None,
        () = gone(&clients) => None,
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
    let took = Took {
        sending: seconds,
        hearing: heard,
    };
    let report = Report::new(&plan.way, Load::of(&plan), &tally, took, arrived, stopped);
    report.tell(console)
}

/// The sending, or for those who only listen the time or the number of messages.
async fn finished(run: &Run, publishers: &mut JoinSet<()>, is_idle: bool) {
    if run.plan.verb != Verb::Sub {
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
            .map(|count| count * run.tally.connected.get());
        while !is_idle && wanted.is_none_or(|wanted| run.tally.received.get() < wanted) {
            sleep(LOOK_AGAIN).await;
        }
    };
    match run.plan.duration {
        Some(duration) => drop(timeout(duration, enough).await),
        None => enough.await,
    }
}

/// What was sent has come, or nothing more comes; how long after the beginning that was.
async fn drained(run: &Run) -> Duration {
    let Run { plan, tally, .. } = run;
    let open = || {
        let unacknowledged =
            plan.qos != QoS::AtMostOnce && tally.acknowledged.get() < tally.sent.get();
        unacknowledged || plan.knows_senders() && tally.received.get() < tally.sent.get()
    };
    let (mut before, mut since) = ((0, 0), Instant::now());
    while open() && since.elapsed() < plan.drain {
        let now = (tally.acknowledged.get(), tally.received.get());
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

async fn subscribe(plan: &Plan, clients: &[Client], tally: &Tally) -> Vec<Subscription> {
    let mut streams = Vec::new();
    if plan.verb == Verb::Pub {
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
            Err(error) => tally.failed(&error),
        }
    }
    streams
}

async fn receive(run: Run, mut stream: Subscription) -> Arrivals {
    let mut arrivals = Arrivals::default();
    while let Some(message) = stream.next().await {
        let Some(stamp) = Stamp::read(message.payload()) else {
            if !run.plan.knows_senders() {
                run.tally.received.add(1);
            }
            continue;
        };
        let is_ours = !run.plan.knows_senders() || stamp.run == run.number;
        if is_ours && arrivals.count(stamp) {
            run.tally.received.add(1);
            run.tally.end_to_end.record(run.clock.since(stamp.at));
        }
    }
    arrivals
}

/// Sends one client's share, each message when it is due.
async fn publish(run: Run, client: Client, number: u32) {
    let Run { plan, tally, .. } = &run;
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
                tally.failed(&error);
                break;
            }
        };
        tally.sent.add(1);
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
pub(super) async fn next_due(run: &Run, number: u32, sequence: u64) -> Option<Instant> {
    let Run {
        plan, begun, over, ..
    } = run;
    let now = Instant::now();
    let due = if plan.rate > 0.0 {
        // All clients take turns.
        let place = sequence
            .saturating_mul(plan.way.clients.into())
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
async fn reap(run: Run, mut receipts: mpsc::Receiver<(Instant, Receipt)>) {
    while let Some((due, receipt)) = receipts.recv().await {
        match receipt.await {
            Ok(_) => {
                run.tally.acknowledged.add(1);
                run.tally.acknowledge.record(due.elapsed());
            }
            // What is still open at the end is lost, and no error of its own.
            Err(RequestError::Stopped(_)) => {}
            Err(error) => run.tally.failed(&error),
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
