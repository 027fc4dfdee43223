//! `RunOutcome`: reasons that end a run before its last step, and the end of every run.

use std::io;
use std::time::Duration;

use tokio::time::timeout;

use super::output::Output;
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::signal::StopSignal;

/// Reason that ended a run before its last step.
#[derive(Debug)]
pub(crate) enum RunOutcome {
    /// A failure, with its explanation.
    Failed(Box<Diagnosis>),
    /// A signal of the user, with the exit code that stands for it.
    Stopped(Exit),
    /// Standard output can't be written: the disk is full, or the reader has closed the pipe.
    Output(io::Error),
}

impl From<Diagnosis> for RunOutcome {
    fn from(diagnosis: Diagnosis) -> Self {
        Self::Failed(Box::new(diagnosis))
    }
}

impl From<io::Error> for RunOutcome {
    fn from(error: io::Error) -> Self {
        Self::Output(error)
    }
}

/// Exit code of a run.
pub(super) fn exit(outcome: &Result<(), RunOutcome>) -> Exit {
    match outcome {
        Ok(()) => Exit::Done,
        Err(RunOutcome::Stopped(exit)) => *exit,
        Err(RunOutcome::Failed(diagnosis)) => diagnosis.id.exit(),
        Err(RunOutcome::Output(_)) => Exit::Internal,
    }
}

/// Writes the rest of the output, and then ends the run with its exit code or its error. A signal ends
/// the wait for a slow reader.
///
/// # Errors
/// [`Failure::Diagnosed`] with the explanation of a failure, [`Failure::Local`] if standard output
/// can't be written.
pub(super) async fn write_and_end(
    outcome: Result<(), RunOutcome>,
    output: &Output,
    stop: &mut StopSignal,
) -> Result<Exit, Failure> {
    // All output is written before the error, unless the reader has stalled.
    match &outcome {
        Ok(()) => tokio::select! {
            () = output.flushed() => output.check()?,
            exit = stop.received() => return Ok(exit),
        },
        Err(_) => {
            let _ = timeout(SLOW_READER, output.flushed()).await;
        }
    }
    match outcome {
        // A signal is no failure: it has an exit code and no error.
        Ok(()) | Err(RunOutcome::Stopped(_)) => Ok(exit(&outcome)),
        Err(RunOutcome::Failed(diagnosis)) => Err(Failure::Diagnosed(diagnosis)),
        Err(RunOutcome::Output(error)) => Err(Failure::Local(error)),
    }
}

/// Longest wait for a reader of standard output after a failure.
const SLOW_READER: Duration = Duration::from_secs(1);
