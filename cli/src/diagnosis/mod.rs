//! What went wrong, in words: the error catalogue and one room per stage that can fail.

mod catalogue;
mod certificate;
pub(crate) mod connect;
mod context;
mod denial;
pub(crate) mod folder;
pub(crate) mod lost;
pub(crate) mod network;
pub(crate) mod operation;
mod progress;
pub(crate) mod protocol;
mod reason;
mod received;
mod region;
mod render;
mod text;
mod tls;

use std::io;
use std::path::Path;

pub(crate) use catalogue::Id;
pub(crate) use context::{ConnectionFacts, RunContext, UserChoices};
pub(crate) use progress::{Operation, Progress};
pub(crate) use render::render;
pub(crate) use text::{duration, quoted, shell};

/// One error as the user reads it: evidence kept apart from guesses.
///
/// Every text in it is for the screen: what came from the server is escaped by [`text::quoted`],
/// and no secret gets in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Diagnosis {
    pub(crate) id: Id,
    /// What failed, in plain words, with the wire fact in brackets.
    pub(crate) headline: Box<str>,
    /// Stage, time and peer.
    pub(crate) at: Option<String>,
    /// Only what was observed.
    pub(crate) saw: Option<String>,
    /// Guesses, the likeliest first.
    pub(crate) likely: Vec<String>,
    pub(crate) try_: Vec<Try>,
}

/// Something to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Try {
    /// A command that a shell runs as it is: never wrapped.
    Command(String),
    /// Something else to be pasted, such as a policy statement: never wrapped.
    Paste(String),
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

    /// Only a headline and what to do: for errors of usage.
    pub(crate) fn usage(headline: impl Into<Box<str>>) -> Self {
        Self::new(Id::Usage, headline)
    }

    /// A file that `flag` named can't be read.
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
