//! The sample: connect, subscribe, publish, receive, unsubscribe, stop.

mod ending;
mod exception;
mod journal;
mod journey;
mod link;
mod tally;
mod transcript;

use std::io::Write;

pub(crate) use transcript::{Kind, Transcript};

use crate::config::SampleConfig;
use crate::exit::Exit;
use crate::signal::StopSignal;
use crate::terminal::Console;
use crate::verb::Failure;
use ending::Ending;
use journey::Journey;

/// Plays the sample to its end, whatever that is. The connection is closed cleanly in any case.
pub(crate) async fn run(
    config: SampleConfig,
    transcript: Transcript<impl Write>,
    console: Console,
    stop: StopSignal,
) -> Result<Exit, Failure> {
    let mut journey = Journey::new(&config, transcript, console, stop);
    let outcome = journey.play().await;
    match outcome {
        Ok(()) => Ok(Exit::Done),
        Err(ending) => {
            journey.leave(&ending).await;
            match ending {
                Ending::Failed(diagnosis) => Err(Failure::Diagnosed(diagnosis)),
                Ending::Stopped(exit) => Ok(exit),
                Ending::Output(error) => Err(Failure::Local(error)),
            }
        }
    }
}
