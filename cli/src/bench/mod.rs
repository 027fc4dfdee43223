//! `dunlin bench`: puts load on an MQTT 5 server and measures it.

#![expect(clippy::disallowed_methods, reason = "a load test measures real time")]

mod advice;
mod arrivals;
mod connecting;
mod counters;
mod descriptors;
mod fleet;
mod fleet_report;
mod kind;
mod latency;
mod merge;
mod outcome;
mod own_sandbox;
mod plan;
mod pool;
mod progress;
mod report;
mod request;
mod stamp;
mod table;
mod target;
mod traffic;
mod usage;
mod waiting;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::advice::LoadFacts;
use self::counters::Counters;
use self::kind::LoadKind;
use self::outcome::{Elapsed, Ended};
use self::plan::TrafficPlan;
use self::pool::{ClientPool, ClientReporter};
use self::progress::LoadProgress;
use self::report::Load;
use self::target::LoadTarget;
use crate::args::{BenchVerb, Sources};
use crate::config::Faults;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Runs a load, or merges reports.
///
/// # Errors
/// [`Failure::Diagnosed`] for flags that can't be used, before anything is sent; a load that fails
/// prints its report and returns the exit code. [`Failure::Local`] if the report can't be written.
pub(crate) fn run(verb: BenchVerb, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    let plan = |kind, typed| TrafficPlan::new(kind, typed, sources, console);
    match verb {
        BenchVerb::Connect(typed) => {
            let target = LoadTarget::new(typed.target, Faults::default(), sources, console)?;
            block_on(connect(target, typed.duration, console))
        }
        BenchVerb::Pub(typed) => block_on(traffic::run(plan(LoadKind::Pub, typed)?, console)),
        BenchVerb::Sub(typed) => block_on(traffic::run(plan(LoadKind::Sub, typed)?, console)),
        BenchVerb::Pubsub(typed) => block_on(traffic::run(plan(LoadKind::Pubsub, typed)?, console)),
        BenchVerb::Request(typed) => {
            block_on(request::run(plan(LoadKind::Request, typed)?, console))
        }
        BenchVerb::Fleet(typed) => fleet::run(typed, sources, console),
        BenchVerb::Merge(typed) => merge::run(&typed),
    }
}

/// `bench connect`: opens connections, holds them, closes them.
async fn connect(
    target: LoadTarget,
    duration: Duration,
    console: Console,
) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    target.check(target.clients, Some(target.clients.into()))?;
    let counters = Arc::new(Counters::default());
    let progress = LoadProgress::start(
        LoadKind::Connect,
        &counters,
        target.clients,
        target.shows_progress,
        console,
    );
    let reporter = ClientReporter {
        counters: Arc::clone(&counters),
        context: Arc::new(target.context.clone()),
        load: Arc::new(LoadFacts::default()),
        notes: progress.notes(),
        expects_outage: Arc::default(),
    };
    let load = Load::of_connections(&target, duration);
    let ended = |elapsed, stopped| Ended {
        elapsed: Elapsed::all(elapsed),
        arrived: None,
        stopped,
        drain: Duration::ZERO,
    };

    // Connect, and report at once if a signal comes meanwhile.
    let begun = Instant::now();
    let pool = tokio::select! {
        pool = ClientPool::connect(&target, target.clients, &reporter) => pool,
        exit = stop.received() => {
            drop(progress);
            let ended = ended(begun.elapsed(), Some(exit));
            return outcome::print(&target, load, &counters, ended, console);
        }
    };
    let elapsed = begun.elapsed();

    // Hold the connections.
    let stopped = tokio::select! {
        () = sleep(duration) => None,
        () = pool.server_gone() => None,
        exit = stop.received() => Some(exit),
    };
    pool.disconnect().await;
    drop(progress);
    outcome::print(&target, load, &counters, ended(elapsed, stopped), console)
}
