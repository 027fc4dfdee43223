//! What ends a run before its time.

use std::io;

use crate::diagnosis::Diagnosis;
use crate::exit::Exit;

/// Why the run doesn't go on.
#[derive(Debug)]
pub(crate) enum Ending {
    Failed(Box<Diagnosis>),
    /// The user asked for it.
    Stopped(Exit),
    /// Whoever read our output has closed the pipe: that's enough for them.
    ReaderGone,
    /// Our output can't be written.
    Output(io::Error),
}

impl From<Diagnosis> for Ending {
    fn from(diagnosis: Diagnosis) -> Self {
        Self::Failed(Box::new(diagnosis))
    }
}

impl From<io::Error> for Ending {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::ReaderGone,
            _ => Self::Output(error),
        }
    }
}
