//! `RunOutcome`: reasons that end a run before its last step.

use std::io;

use crate::diagnosis::Diagnosis;
use crate::exit::Exit;

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
