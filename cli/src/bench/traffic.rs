//! `bench pub`, `sub` and `pubsub`: clients that publish and clients that count what they receive.

use std::sync::Arc;
use std::time::Duration;

use dunlin_client::{
    Client, Message, QoS, Receipt, StreamLimits, SubscribeOptions, Subscription, WhenFull,
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::advice::LoadFacts;
use super::arrivals::{Arrivals, Arrived};
use super::counters::Counters;
use super::kind::LoadKind;
use super::outcome::{self, Elapsed, Ended};
use super::plan::TrafficPlan;
use super::pool::{ClientPool, ClientReporter, spaced};
use super::progress::{LoadProgress, SILENCE};
use super::report::Load;
use super::stamp::{Clock, Stamp};
use super::waiting::all_received;
use crate::diagnosis::{Operation, duration};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// State that every task of a run shares.
#[derive(Clone, Debug)]
pub(super) struct TrafficRun {
    pub(super) plan: Arc<TrafficPlan>,
    pub(super) reporter: ClientReporter,
    pub(super) clock: Clock,
    /// Random number in the stamps, by which messages of other runs are told apart.
    pub(super) number: u32,
    pub(super) begun: Instant,
    /// True when no more messages may be sent.
    pub(super) over: watch::Receiver<bool>,
}

impl TrafficRun {
    pub(super) fn counters(&self) -> &Counters {
        &self.reporter.counters
    }

    /// Waits until no more messages may be sent.
    ///
    /// Cancel safe.
    pub(super) async fn over(&self) {
        // The sender lives as long as the run.
        let _ = self.over.clone().wait_for(|over| *over).await;
    }
}

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
        target.clients,
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
    let ended = |elapsed, arrived, stopped| Ended {
        elapsed,
        arrived,
        stopped,
        drain: plan.drain,
    };

    // Connect, and report at once if a signal comes meanwhile.
    let began = Instant::now();
    let pool = tokio::select! {
        pool = ClientPool::connect(target, target.clients, &reporter) => pool,
        exit = stop.received() => {
            drop(progress);
            let ended = ended(Elapsed::all(began.elapsed()), None, Some(exit));
            return outcome::print(target, Load::of(&plan), &counters, ended, console);
        }
    };

    // Subscribe first, so that the first message is not missed.
    let streams = subscribe(&plan, pool.clients(), &reporter).await;
    let (end, over) = watch::channel(false);
    let run = TrafficRun {
        plan: Arc::clone(&plan),
        reporter,
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
    if plan.kind.publishes() {
        for (number, client) in (0..).zip(pool.clients()) {
            publishers.spawn(publish(run.clone(), client.clone(), number));
        }
    }

    // Until all is sent, the time is over, the server is gone, or a signal comes.
    let stopped = tokio::select! {
        () = finished(&run, &mut publishers, receivers.is_empty()) => None,
        () = pool.server_gone() => None,
        exit = stop.received() => Some(exit),
    };
    let sending = run.begun.elapsed();
    let _ = end.send(true);

    // Wait for the last acknowledgements and messages, unless nobody is left to get them.
    let _ = timeout(plan.drain, async {
        while publishers.join_next().await.is_some() {}
    })
    .await;
    let receiving = if stopped.is_none() {
        tokio::select! {
            receiving = drained(&run, !receivers.is_empty()) => receiving,
            () = pool.stopped() => run.begun.elapsed(),
        }
    } else {
        sending
    };

    // Streams end with their clients, and give what they have counted.
    pool.disconnect().await;
    let arrived = collect(receivers).await;
    drop(progress);
    let elapsed = Elapsed { sending, receiving };
    let ended = ended(elapsed, arrived, stopped);
    outcome::print(target, Load::of(&plan), &counters, ended, console)
}

/// Waits until everything is sent, or for receivers until the number of messages has come, and not
/// longer than the duration of the plan. Receivers without a duration give up after the time of
/// `--timeout` without a message.
async fn finished(run: &TrafficRun, publishers: &mut JoinSet<()>, has_no_receiver: bool) {
    let TrafficRun { plan, .. } = run;
    if plan.kind.publishes() {
        let all = async { while publishers.join_next().await.is_some() {} };
        match plan.duration {
            // Publishers may wait for a server that is gone.
            Some(duration) => drop(timeout_at(run.begun + duration, all).await),
            None => all.await,
        }
        return;
    }
    // Where each subscription failed, no message can come.
    if !has_no_receiver {
        all_received(plan, &run.reporter).await;
    }
}

/// Waits until everything that was sent has arrived, or until there was no progress for the time of
/// `--drain`. Returns the time from the beginning to the last progress.
async fn drained(run: &TrafficRun, has_receivers: bool) -> Duration {
    let (plan, counters) = (&run.plan, run.counters());
    let counts_acknowledgements =
        plan.kind.counts_acknowledgements() && plan.qos != QoS::AtMostOnce;
    let counts_received = plan.kind.receives_its_own() && has_receivers;
    let is_open = || {
        // Nobody acknowledges or receives a refused message.
        let expected = counters.sent.get().saturating_sub(counters.refused.get());
        (counts_acknowledgements && counters.acknowledged.get() < expected)
            || (counts_received && counters.received.get() < expected)
    };
    let begun = Instant::now();
    let (mut before, mut since, mut has_waited) = ((0, 0), begun, false);
    while is_open() && since.elapsed() < plan.drain && begun.elapsed() < plan.drain * MOST_DRAINS {
        let now = (counters.acknowledged.get(), counters.received.get());
        if now != before {
            (before, since) = (now, Instant::now());
        } else if !has_waited && since.elapsed() >= SILENCE {
            // Nothing waits in silence.
            has_waited = true;
            run.reporter.notes.print(format_args!(
                "waiting: sent {}, acknowledged {}, received {}; for {} more",
                counters.sent.get(),
                now.0,
                now.1,
                duration(plan.drain.saturating_sub(since.elapsed()))
            ));
        }
        sleep(POLL).await;
    }
    // Time without progress doesn't lower the rate of the messages that came.
    if is_open() {
        since - run.begun
    } else {
        run.begun.elapsed()
    }
}

/// Largest number of messages of a client that stamps can tell apart.
const MOST_NUMBERS: u64 = 0xffff_ffff;
const POLL: Duration = Duration::from_millis(10);
/// Multiple of `--drain` after which a server that makes slow progress is not waited for any more.
const MOST_DRAINS: u32 = 12;

/// Subscribes each client, unless the load only publishes.
async fn subscribe(
    plan: &TrafficPlan,
    clients: &[Client],
    reporter: &ClientReporter,
) -> Vec<Subscription> {
    let mut streams = Vec::new();
    if plan.kind == LoadKind::Pub {
        return streams;
    }
    for (number, client) in (0..).zip(clients) {
        // A server that is faster than this program is slowed down, so that no message is dropped
        // here.
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
            Err(error) => reporter.request_failed(Operation::Subscribe, &error),
        }
    }
    streams
}

/// Counts the messages of a stream until it ends.
async fn receive(run: TrafficRun, mut stream: Subscription) -> Arrivals {
    let (kind, counters) = (run.plan.kind, run.counters());
    let mut arrivals = Arrivals::default();
    while let Some(message) = stream.next().await {
        let Some(stamp) = Stamp::read(message.payload()) else {
            // Other programs may publish to the topics that `sub` listens to.
            if !kind.receives_its_own() {
                counters.received.add(1);
            }
            continue;
        };
        let is_ours = !kind.receives_its_own() || stamp.run == run.number;
        if is_ours && arrivals.count(stamp) {
            counters.received.add(1);
            counters.end_to_end.record(run.clock.since(stamp.at));
        }
    }
    arrivals
}

/// Publishes the messages of one client, each when it is due, with at most `--in-flight`
/// unacknowledged ones.
async fn publish(run: TrafficRun, client: Client, number: u32) {
    let TrafficRun { plan, .. } = &run;
    let topic = plan.topic_of(number);
    let mut payload = vec![b'x'; plan.size];
    let is_acknowledged = plan.qos != QoS::AtMostOnce;
    // Bounded by the permits of the window.
    let (acknowledgements, receipts) = mpsc::unbounded_channel();
    let window = Arc::new(Semaphore::new(plan.in_flight.into()));
    // Not awaited: it goes on when all is sent, until the client stops.
    tokio::spawn(read_receipts(run.clone(), receipts, Arc::clone(&window)));

    for sequence in 0..plan.share(number).unwrap_or(MOST_NUMBERS) {
        // Wait for capacity before the message is due: without a rate its latency begins there.
        if is_acknowledged && !enter(&run, &window).await {
            break;
        }
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
        // A server that reads nothing must not hold the run up.
        let published = tokio::select! {
            biased;
            published = client.publish(Message::new(&topic, &payload).qos(plan.qos)) => published,
            () = run.over() => break,
        };
        let receipt = match published {
            Ok(receipt) => receipt,
            Err(error) => {
                run.reporter.request_failed(Operation::Publish, &error);
                break;
            }
        };
        run.counters().sent.add(1);

        if !is_acknowledged {
            drop(receipt);
            // Nothing else in this loop waits, so other clients get their turn here.
            if sequence % 64 == 63 {
                tokio::task::yield_now().await;
            }
        } else if acknowledgements.send((due, receipt)).is_err() {
            break;
        }
    }
}

/// Takes a permit of the window, which [`read_receipts`] gives back; false when the run is over.
async fn enter(run: &TrafficRun, window: &Semaphore) -> bool {
    // The common case, without a look at the end of the run.
    if let Ok(permit) = window.try_acquire() {
        permit.forget();
        return true;
    }
    tokio::select! {
        permit = window.acquire() => permit.map(tokio::sync::SemaphorePermit::forget).is_ok(),
        () = run.over() => false,
    }
}

/// Waits until a message is due and returns that time; `None` if no more may be sent.
pub(super) async fn next_due(run: &TrafficRun, number: u32, sequence: u64) -> Option<Instant> {
    let TrafficRun {
        plan, begun, over, ..
    } = run;
    let now = Instant::now();
    let due = if plan.rate > 0.0 {
        // All clients take turns.
        let turn = sequence
            .saturating_mul(plan.target.clients.into())
            .saturating_add(number.into());
        *begun + spaced(turn, plan.rate)
    } else {
        now
    };
    // The run is over, or will be when the message is due.
    if *over.borrow()
        || plan
            .duration
            .is_some_and(|duration| due.max(now) >= *begun + duration)
    {
        return None;
    }
    if due > now {
        tokio::select! {
            biased;
            () = run.over() => return None,
            () = sleep_until(due) => {}
        }
    }
    Some(due)
}

/// Counts the acknowledgements of one client. They come in order, so none waits for an earlier one.
async fn read_receipts(
    run: TrafficRun,
    mut receipts: mpsc::UnboundedReceiver<(Instant, Receipt)>,
    window: Arc<Semaphore>,
) {
    while let Some((due, receipt)) = receipts.recv().await {
        match receipt.await {
            Ok(_) => {
                run.counters().acknowledged.add(1);
                run.counters().acknowledge.record(due.elapsed());
            }
            Err(error) => run.reporter.request_failed(Operation::Publish, &error),
        }
        window.add_permits(1);
    }
}

/// Adds up what the receivers have counted; `None` without receivers.
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
