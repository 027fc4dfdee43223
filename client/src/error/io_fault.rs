//! `IoFault`: kind and number of an I/O error.

use std::fmt;
use std::io;

/// Part of an [`io::Error`] that can be copied and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoFault {
    /// Kind of the error.
    pub kind: io::ErrorKind,
    /// Error number of the operating system; `None` if the error is not from there.
    pub os_code: Option<i32>,
}

impl From<&io::Error> for IoFault {
    fn from(error: &io::Error) -> Self {
        Self {
            kind: error.kind(),
            os_code: error.raw_os_error(),
        }
    }
}

impl fmt::Display for IoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.os_code {
            Some(code) => io::Error::from_raw_os_error(code).fmt(f),
            None => self.kind.fmt(f),
        }
    }
}

impl std::error::Error for IoFault {}
