//! `Failure`: the error of every verb.

use std::io;

use crate::diagnosis::Diagnosis;

/// Error that ends a verb.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Error of the catalogue, with its explanation.
    Diagnosed(Box<Diagnosis>),
    /// Error of local input or output.
    Local(io::Error),
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
