//! The sample: connect, subscribe, publish, receive, unsubscribe, stop.

#![expect(
    clippy::disallowed_methods,
    reason = "the sample tells a person how long each step takes"
)]

mod counters;
mod exception;
mod run;
mod transcript;

use std::io;

pub(crate) use transcript::Kind;

use crate::client_run::{Output, RunOutcome};
use crate::config::SampleConfig;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;
use run::SampleRun;

/// Runs the sample, and closes the connection cleanly however the run ends.
///
/// # Errors
/// [`Failure::Diagnosed`] with the explanation of a failure, [`Failure::Local`] if standard output
/// can't be written.
pub(crate) async fn run(
    config: SampleConfig,
    console: Console,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let output = Output::new(io::stdout());
    let mut run = SampleRun::new(&config, output, console, stop)?;
    // All steps, then the rest of the output, unless something ends the run early.
    let mut outcome = run.run().await;
    if outcome.is_ok() {
        outcome = run.flush(false).await;
    }
    match outcome {
        Ok(()) => {
            run.close_capture();
            run.summarize(&Ok(()))?;
            run.flush(true).await.ok();
            Ok(Exit::Done)
        }
        Err(outcome) => {
            run.end_early(&outcome).await;
            run.close_capture();
            let outcome = Err(outcome);
            let _ = run.summarize(&outcome);
            let Err(outcome) = outcome else {
                return Ok(Exit::Done);
            };
            // The error must not overtake the last lines of the run.
            let _ = run.flush(true).await;
            match outcome {
                RunOutcome::Failed(diagnosis) => Err(Failure::Diagnosed(diagnosis)),
                // A signal is no failure: it has an exit code and no error.
                RunOutcome::Stopped(exit) => Ok(exit),
                RunOutcome::Output(error) => Err(Failure::Local(error)),
            }
        }
    }
}
