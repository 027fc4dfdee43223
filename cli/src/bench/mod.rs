//! `dunlin bench`: load for any MQTT 5 server, and figures for what came of it.

#![expect(clippy::disallowed_methods, reason = "a load test measures real time")]

mod arrivals;
mod descriptors;
mod fleet;
mod latency;
mod own_server;
mod plan;
mod process;
mod progress;
mod report;
mod request;
mod stamp;
mod table;
mod tally;
mod traffic;
mod way;

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use self::plan::{Plan, Verb};
use self::progress::Progress;
use self::report::{Load, Report, Took};
use self::tally::Tally;
use self::way::{Way, gone};
use crate::args::{BenchVerb, Sources};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

pub(crate) fn run(verb: BenchVerb, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    let plan = |verb, typed| Plan::new(verb, typed, sources, console);
    match verb {
        BenchVerb::Connect(typed) => {
            let way = Way::new(typed.way, sources, console)?;
            block_on(connect(way, typed.duration, console))
        }
        BenchVerb::Pub(typed) => block_on(traffic::run(plan(Verb::Pub, typed)?, console)),
        BenchVerb::Sub(typed) => block_on(traffic::run(plan(Verb::Sub, typed)?, console)),
        BenchVerb::Pubsub(typed) => block_on(traffic::run(plan(Verb::Pubsub, typed)?, console)),
        BenchVerb::Request(typed) => block_on(request::run(plan(Verb::Request, typed)?, console)),
        BenchVerb::Fleet(typed) => fleet::run(typed, sources, console),
    }
}

/// Opens connections, holds them, closes them.
async fn connect(way: Way, duration: Duration, console: Console) -> Result<Exit, Failure> {
    let mut stop = StopSignal::install()?;
    way.check(way.clients, Some(way.clients.into()))?;
    let tally = Arc::new(Tally::default());
    let progress = Progress::start(&tally, way.clients, way.shows_progress);
    let begun = Instant::now();
    let clients = tokio::select! {
        clients = way.connect_all(way.clients, &tally) => clients,
        exit = stop.received() => {
            drop(progress);
            let took = Took::all(begun.elapsed());
            let load = Load::of_connections(&way, duration);
            return Report::new(&way, load, &tally, took, None, Some(exit)).tell(console);
        }
    };
    let watching = way.watch(&clients, &tally, console);
    let took = begun.elapsed();
    let stopped = tokio::select! {
        () = sleep(duration) => None,
        () = gone(&clients) => None,
        exit = stop.received() => Some(exit),
    };
    drop(watching);
    traffic::disconnect(clients).await;
    drop(progress);
    Report::new(
        &way,
        Load::of_connections(&way, duration),
        &tally,
        Took::all(took),
        None,
        stopped,
    )
    .tell(console)
}
