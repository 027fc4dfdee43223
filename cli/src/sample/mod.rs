//! The sample: connect, subscribe, publish, receive, unsubscribe, stop.

#![expect(
    clippy::disallowed_methods,
    reason = "the sample tells a person how long each step takes"
)]

mod ending;
mod exception;
mod journal;
mod journey;
mod link;
mod output;
mod tally;
mod transcript;

use std::io;

pub(crate) use transcript::Kind;

use crate::config::SampleConfig;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;
use crate::terminal::Console;
use ending::Ending;
use journey::Journey;
use output::Output;

/// Runs the sample to its end, whatever that is. The connection is closed cleanly in any case.
pub(crate) async fn run(
    config: SampleConfig,
    console: Console,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let output = Output::new(io::stdout());
    let mut journey = Journey::new(&config, output, console, stop);
    let mut outcome = journey.play().await;
    if outcome.is_ok() {
        outcome = journey.flush(false).await;
    }
    match outcome {
        Ok(()) => Ok(Exit::Done),
        Err(ending) => {
            journey.leave(&ending).await;
            // The error must not overtake the last lines of the run.
            let _ = journey.flush(true).await;
            match ending {
                Ending::Failed(diagnosis) => Err(Failure::Diagnosed(diagnosis)),
                Ending::Stopped(exit) => Ok(exit),
                Ending::Output(error) => Err(Failure::Local(error)),
            }
        }
    }
}
