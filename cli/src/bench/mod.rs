//! `dunlin bench`: load for any MQTT 5 server, and figures for what came of it.

#![expect(clippy::disallowed_methods, reason = "a load test measures real time")]

mod arrivals;
mod counters;
mod descriptors;
mod fleet;
mod latency;
mod own_sandbox;
mod plan;
mod progress;
mod report;
mod request;
mod stamp;
mod table;
mod target;
mod traffic;
mod usage;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::counters::Counters;
use self::plan::{Traffic, TrafficPlan};
use self::progress::Progress;
use self::report::{Elapsed, Load, Report};
use self::target::{LoadTarget, all_disconnected};
use crate::args::{BenchVerb, Sources};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

pub(crate) fn run(verb: BenchVerb, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    let plan = |verb, typed| TrafficPlan::new(verb, typed, sources, console);
    match verb {
        BenchVerb::Connect(typed) => {
            let target = LoadTarget::new(typed.target, sources, console)?;
            block_on(connect(target, typed.duration, console))
        }
        BenchVerb::Pub(typed) => block_on(traffic::run(plan(Traffic::Pub, typed)?, console)),
        BenchVerb::Sub(typed) => block_on(traffic::run(plan(Traffic::Sub, typed)?, console)),
        BenchVerb::Pubsub(typed) => block_on(traffic::run(plan(Traffic::Pubsub, typed)?, console)),
        BenchVerb::Request(typed) => {
            block_on(request::run(plan(Traffic::Request, typed)?, console))
        }
        BenchVerb::Fleet(typed) => fleet::run(typed, sources, console),
    }
}

/// Opens connections, holds them, closes them.
async fn connect(
    target: LoadTarget,
    duration: Duration,
    console: Console,
) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    target.check(target.clients, Some(target.clients.into()))?;
    let counters = Arc::new(Counters::default());
    let progress = Progress::start(&counters, target.clients, target.shows_progress);
    let begun = Instant::now();
    let clients = tokio::select! {
        clients = target.connect_all(target.clients, &counters) => clients,
        exit = stop.received() => {
            drop(progress);
            let took = Elapsed::all(begun.elapsed());
            let load = Load::of_connections(&target, duration);
            return Report::new(&target, load, &counters, took, None, Some(exit)).tell(console);
        }
    };
    let watching = target.watch(&clients, &counters, console);
    let took = begun.elapsed();
    let stopped = tokio::select! {
        () = sleep(duration) => None,
        () = all_disconnected(&clients) => None,
        exit = stop.received() => Some(exit),
    };
    drop(watching);
    traffic::disconnect(clients).await;
    drop(progress);
    Report::new(
        &target,
        Load::of_connections(&target, duration),
        &counters,
        Elapsed::all(took),
        None,
        stopped,
    )
    .tell(console)
}
