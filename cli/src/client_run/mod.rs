//! A client of one verb: its connection's history, its output, and the reasons that end the run.

#![expect(
    clippy::disallowed_methods,
    reason = "the tool tells a person how long each step takes"
)]

mod event_log;
mod history;
mod outcome;
mod output;

pub(crate) use event_log::log_event;
pub(crate) use history::{ConnectionHistory, Outstanding};
pub(crate) use outcome::RunOutcome;
pub(crate) use output::Output;
