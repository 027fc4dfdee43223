//! `dunlin connect`: holds a connection, and prints its limits and what happens to it.

use std::future::pending;
use std::time::Duration;

use tokio::time::sleep;

use crate::args::{HoldArgs, Sources};
use crate::client_run::{ClientRun, ReportForm, RunOutcome, Wait, dry_run};
use crate::config::{ConnectionConfig, Faults};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::runtime::block_on;
use crate::signal::StopSignal;
use crate::terminal::Console;

/// Connects and holds the connection until the time is over or the verb is stopped.
///
/// # Errors
/// [`Failure::Diagnosed`] for flags that can't be used and for a connection that can't be made or
/// kept; [`Failure::Local`] if standard output can't be written.
pub(crate) fn run(typed: HoldArgs, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    // Checked before a runtime starts: mistakes need no threads.
    let config = ConnectionConfig::new(
        typed.connection,
        "connect",
        Faults::default(),
        sources,
        console,
    )?;
    if config.results.dry_run {
        return dry_run::print_for(&config, &[]);
    }
    block_on(async {
        let stop = StopSignal::install()?;
        let mut run = ClientRun::start(&config, ReportForm::Text, console, stop)?;
        let outcome = hold(&mut run, typed.duration).await;
        run.finish(outcome).await
    })
}

/// Holds the connection for this time; `None` for any length of time.
async fn hold(run: &mut ClientRun, time: Option<Duration>) -> Result<(), RunOutcome> {
    run.connect().await?;
    match time {
        Some(time) => run.until(Wait::idle(), sleep(time)).await,
        None => run.until(Wait::idle(), pending()).await,
    }
}
