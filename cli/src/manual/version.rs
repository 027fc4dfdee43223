//! `dunlin version`: name and version, as `dunlin --version` prints them.

use std::io::{self, Write};

use crate::exit::Exit;
use crate::failure::Failure;

/// Prints name and version.
///
/// # Errors
/// [`Failure::Local`] if standard output can't be written.
pub(crate) fn print() -> Result<Exit, Failure> {
    writeln!(
        io::stdout().lock(),
        concat!("dunlin ", env!("CARGO_PKG_VERSION"))
    )?;
    Ok(Exit::Done)
}
