//! What ends a run before its time.

use std::io;

use crate::diagnosis::Diagnosis;
use crate::exit::Exit;

/// Why the run doesn't go on.
#[derive(Debug)]
pub(crate) enum RunOutcome {
    Failed(Box<Diagnosis>),
    /// The user asked for it.
    Stopped(Exit),
    /// Our output can't be written: the disk is full, or whoever read it has closed the pipe.
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
