//! `Failure`: the error of every verb.

use std::io;

use crate::diagnosis::{Diagnosis, Id, Try};

/// Error that ends a verb.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Error of the catalogue, with its explanation.
    Diagnosed(Box<Diagnosis>),
    /// Error of local input or output.
    Local(io::Error),
}

impl Failure {
    /// Error to print; `None` if the reader of standard output has closed the pipe, which is no
    /// failure.
    pub(crate) fn into_diagnosis(self) -> Option<Diagnosis> {
        match self {
            Self::Diagnosed(diagnosis) => Some(*diagnosis),
            // `dunlin .. | head` has got what it wanted.
            Self::Local(error) if error.kind() == io::ErrorKind::BrokenPipe => None,
            Self::Local(error) => Some(local(&error)),
        }
    }
}

/// Explains an error of standard input, standard output or a file.
pub(crate) fn local(error: &io::Error) -> Diagnosis {
    // Advice where there is one: other errors name their cause themselves.
    let is_full = matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    );
    let advice = Try::advice("free space where the output goes, or write it elsewhere");
    Diagnosis {
        try_: is_full.then_some(advice).into_iter().collect(),
        ..Diagnosis::new(Id::Io, format!("local input or output failed: {error}"))
    }
}

impl From<Diagnosis> for Failure {
    fn from(diagnosis: Diagnosis) -> Self {
        Self::Diagnosed(Box::new(diagnosis))
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::Local(error)
    }
}
