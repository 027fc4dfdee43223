//! The sample: connect, subscribe, publish, receive, unsubscribe, stop.

#![expect(
    clippy::disallowed_methods,
    reason = "the sample tells a person how long each step takes"
)]

mod connection;
mod counters;
mod event_log;
mod exception;
mod outcome;
mod output;
mod run;
mod transcript;

use std::io;

pub(crate) use transcript::Kind;

use crate::config::SampleConfig;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;
use outcome::RunOutcome;
use output::Output;
use run::SampleRun;

/// Runs the sample to its end, whatever that is. The connection is closed cleanly in any case.
pub(crate) async fn run(
    config: SampleConfig,
    console: Console,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let output = Output::new(io::stdout());
    let mut run = SampleRun::new(&config, output, console, stop);
    let mut outcome = run.run().await;
    if outcome.is_ok() {
        outcome = run.flush(false).await;
    }
    match outcome {
        Ok(()) => Ok(Exit::Done),
        Err(outcome) => {
            run.leave(&outcome).await;
            // The error must not overtake the last lines of the run.
            let _ = run.flush(true).await;
            match outcome {
                RunOutcome::Failed(diagnosis) => Err(Failure::Diagnosed(diagnosis)),
                RunOutcome::Stopped(exit) => Ok(exit),
                RunOutcome::Output(error) => Err(Failure::Local(error)),
            }
        }
    }
}
