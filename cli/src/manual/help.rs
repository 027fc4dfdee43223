//! `dunlin help`: the long help of a verb, or the page of a topic.

use std::ffi::OsString;
use std::io::{self, Write};

use crate::args::{self, HelpArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::manual::topic::Topic;

/// Prints the page that the words ask for.
///
/// # Errors
/// [`Failure::Local`] if standard output can't be written. A word that is neither a verb nor a topic
/// ends with exit code 2 and clap's error, which knows similar verbs.
pub(crate) fn print(typed: &HelpArgs) -> Result<Exit, Failure> {
    if let [word] = typed.words.as_slice()
        && let Some(topic) = Topic::named(word)
    {
        let mut out = io::stdout().lock();
        out.write_all(topic.page().as_bytes())?;
        out.flush()?;
        return Ok(Exit::Done);
    }

    // The same text as that of the flag, in the same way.
    let words = typed.words.iter().map(String::as_str);
    let line: Vec<OsString> = std::iter::once("dunlin")
        .chain(words)
        .chain(["--help"])
        .map(OsString::from)
        .collect();
    match args::parse(line.iter().cloned()) {
        Err(help) => Ok(args::answer(&help, line)),
        Ok(_) => Ok(Exit::Done),
    }
}
