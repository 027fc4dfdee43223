//! Explanations of errors: the catalogue of ids, and one file for each stage that can fail.

mod catalogue;
mod certificate;
pub(crate) mod connect;
mod context;
mod denial;
pub(crate) mod folder;
pub(crate) mod http;
pub(crate) mod lost;
pub(crate) mod network;
pub(crate) mod operation;
mod progress;
pub(crate) mod protocol;
mod proxy;
mod reason;
mod received;
mod region;
mod render;
mod text;
mod tls;
mod websocket;

use std::io;
use std::path::Path;

pub(crate) use catalogue::Id;
#[cfg(test)]
pub(crate) use context::context as test_context;
pub(crate) use context::{ConnectionFacts, RunContext, UserChoices, address};
pub(crate) use progress::{Operation, Progress};
pub(crate) use render::render;
pub(crate) use text::{count, duration, quoted, shell};

/// Explanation of one error, which keeps evidence apart from guesses.
///
/// All texts are printed. Text of the server is escaped by [`text::quoted`], and no text contains a
/// secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    /// Id, which decides the exit code.
    pub(crate) id: Id,
    /// Failure in plain words, with the packet and its code in brackets.
    pub(crate) headline: Box<str>,
    /// Stage, time and address of the peer; `None` before anything was sent.
    pub(crate) at: Option<String>,
    /// Observations only; `None` if the headline holds them all.
    pub(crate) saw: Option<String>,
    /// Guesses, the likeliest first.
    pub(crate) likely: Vec<String>,
    /// Proposals, the most useful first.
    pub(crate) try_: Vec<Try>,
}

/// Proposal that may mend the error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Try {
    /// Command that a shell runs as it is printed.
    Command(String),
    /// Other text to copy: a flag, or a policy statement in JSON.
    Paste(String),
    /// Sentence.
    Advice(String),
}

impl Diagnosis {
    pub(crate) fn new(id: Id, headline: impl Into<Box<str>>) -> Self {
        Self {
            id,
            headline: headline.into(),
            at: None,
            saw: None,
            likely: Vec::new(),
            try_: Vec::new(),
        }
    }

    /// Error of the command line or of a file that it names.
    pub(crate) fn usage(headline: impl Into<Box<str>>) -> Self {
        Self::new(Id::Usage, headline)
    }

    /// Error of a file that `flag` names and that can't be read.
    pub(crate) fn unreadable(flag: &str, path: &Path, error: &io::Error) -> Self {
        Self::usage(format!("{flag} can't be read: {}: {error}", path.display()))
    }
}

impl Try {
    pub(crate) fn command(text: impl Into<String>) -> Self {
        Self::Command(text.into())
    }

    pub(crate) fn paste(text: impl Into<String>) -> Self {
        Self::Paste(text.into())
    }

    pub(crate) fn advice(text: impl Into<String>) -> Self {
        Self::Advice(text.into())
    }
}

#[cfg(test)]
mod tests;
