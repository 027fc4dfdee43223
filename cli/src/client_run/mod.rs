//! A client of one verb: its connection's history, its output, and the reasons that end the run.

#![expect(
    clippy::disallowed_methods,
    reason = "the tool tells a person how long each step takes"
)]

pub(crate) mod dry_run;
pub(crate) mod event_json;
mod event_log;
mod history;
mod http_end;
mod outcome;
mod output;
mod packets;
mod report;
mod run;
mod step;
pub(crate) mod waiting;

pub(crate) use event_log::log_event;
pub(crate) use history::{ConnectionHistory, Outstanding};
pub(crate) use http_end::{HttpCounts, finish_http};
pub(crate) use outcome::RunOutcome;
pub(crate) use output::Output;
pub(crate) use report::{Report, ReportForm};
pub(crate) use run::ClientRun;
pub(crate) use waiting::{Activity, Wait};
