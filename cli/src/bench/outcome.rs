//! The end of a load test: what is missing, the exit code, and the printing of the report.

use std::io::{self, Write};
use std::time::Duration;

use super::advice;
use super::arrivals::Arrived;
use super::counters::Counters;
use super::kind::LoadKind;
use super::latency::Latency;
use super::report::{
    Environment, Histograms, Load, LoadReport, ServerName, VERSION, per_second, to_line,
};
use super::table;
use super::target::LoadTarget;
use super::usage::ProcessUsage;
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::nagle;
use crate::terminal::Console;

/// Time from the beginning to the last message that was sent, and to the last one that was received
/// or acknowledged.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elapsed {
    pub(super) sending: Duration,
    pub(super) receiving: Duration,
}

impl Elapsed {
    pub(super) const fn all(elapsed: Duration) -> Self {
        Self {
            sending: elapsed,
            receiving: elapsed,
        }
    }
}

/// End of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ended {
    pub(super) elapsed: Elapsed,
    /// Messages that receivers have counted; `None` without receivers.
    pub(super) arrived: Option<Arrived>,
    /// Exit code of the signal that ended the run; `None` if it ended by itself.
    pub(super) stopped: Option<Exit>,
    /// `--drain`.
    pub(super) drain: Duration,
}

/// Messages that are not where they should be.
#[derive(Clone, Copy, Debug, Default)]
struct Missing {
    refused: Option<u64>,
    unfinished: Option<u64>,
    lost: Option<u64>,
}

/// Prints the report, and on standard error the first failure.
///
/// # Errors
/// [`Failure::Local`] if standard output can't be written.
pub(super) fn print(
    target: &LoadTarget,
    load: Load,
    counters: &Counters,
    ended: Ended,
    console: Console,
) -> Result<Exit, Failure> {
    let (report, failure) = report(target, load, counters, ended);
    let exit = exit(ended.stopped, failure.as_ref());
    let report = LoadReport {
        exit_code: exit.code(),
        ..report
    };
    let text = if target.json {
        to_line(&report)?
    } else {
        table::of(&report)
    };
    io::stdout().write_all(text.as_bytes())?;
    if let Some(share) = nagle_share(report.load.kind, counters) {
        console.note(nagle::note(share));
    }
    if let Some(failure) = &failure {
        console.error(failure);
    }
    Ok(exit)
}

/// Share of the requests that a server without `TCP_NODELAY` has delayed; `None` if there is no such
/// delay, and for loads without requests.
fn nagle_share(kind: Option<LoadKind>, counters: &Counters) -> Option<f64> {
    if kind != Some(LoadKind::Request) {
        return None;
    }
    let times = |latency: &Latency| {
        let buckets = latency.buckets().into_iter();
        buckets.map(|(micros, count)| (Duration::from_micros(micros), count))
    };
    // The first answers of a connection are acknowledged at once, so that one of them is the time of
    // the network.
    let fastest = times(&counters.connect)
        .chain(times(&counters.end_to_end))
        .map(|(time, _)| time)
        .min()?;
    nagle::delayed_share(times(&counters.end_to_end), fastest)
}

/// Exit code of a signal, of the first failure, or of success.
pub(super) fn exit(stopped: Option<Exit>, failure: Option<&Diagnosis>) -> Exit {
    stopped
        .or_else(|| failure.map(|failure| failure.id.exit()))
        .unwrap_or(Exit::Done)
}

/// Report of a run and its first failure. The exit code isn't set yet.
fn report(
    target: &LoadTarget,
    load: Load,
    counters: &Counters,
    ended: Ended,
) -> (LoadReport, Option<Diagnosis>) {
    let Ended {
        elapsed, arrived, ..
    } = ended;
    // Columns that this kind of load has; the others stay empty.
    let kind = load.kind.unwrap_or(LoadKind::Connect);
    let sent = counters.sent.get();
    let counts_acknowledgements =
        kind.counts_acknowledgements() && load.qos.is_some_and(|qos| qos > 0);
    let acknowledged = counts_acknowledgements.then(|| counters.acknowledged.get());
    let received = kind.counts_received().then(|| counters.received.get());
    let missing = missing(kind, counters, acknowledged, ended);
    // What failed explains what is missing, so it is told instead.
    let failure = counters
        .first_failure()
        .or_else(|| shortfall(&load, counters, acknowledged, missing, ended));
    let report = LoadReport {
        v: VERSION,
        event: "bench".to_owned(),
        verb: kind.name().to_owned(),
        server: ServerName::of(target),
        environment: Environment::this(),
        connected: counters.connected.get(),
        seconds: elapsed.sending.as_secs_f64(),
        sent,
        acknowledged,
        received,
        sent_per_second: per_second(sent, elapsed.sending),
        received_per_second: received.map(|count| per_second(count, elapsed.receiving)),
        refused: missing.refused,
        unfinished: missing.unfinished,
        lost: missing.lost,
        duplicated: arrived.map(|arrived| arrived.duplicated),
        out_of_order: arrived.map(|arrived| arrived.out_of_order),
        invalid: kind.counts_received().then(|| counters.invalid.get()),
        connect_ms: counters.connect.quantiles(),
        acknowledge_ms: counters.acknowledge.quantiles(),
        end_to_end_ms: counters.end_to_end.quantiles(),
        histograms: Some(Histograms::of(counters)),
        errors: counters.errors(),
        process: ProcessUsage::of_this(),
        merged: None,
        exit_code: 0,
        load,
    };
    (report, failure)
}

/// Sorts the messages that were sent and have not arrived.
fn missing(
    kind: LoadKind,
    counters: &Counters,
    acknowledged: Option<u64>,
    ended: Ended,
) -> Missing {
    let sent = counters.sent.get();
    let arrived = ended.arrived;
    let open = match kind {
        LoadKind::Pub => acknowledged.map(|acknowledged| sent.saturating_sub(acknowledged)),
        LoadKind::Sub => arrived.map(|arrived| arrived.missing),
        LoadKind::Pubsub => Some(sent.saturating_sub(arrived.unwrap_or_default().distinct)),
        LoadKind::Request => Some(sent.saturating_sub(counters.received.get())),
        LoadKind::Connect | LoadKind::Fleet => None,
    };
    // A refused message has had its answer.
    let refused = open.map(|open| counters.refused.get().min(open));
    let open = open.map(|open| open - refused.unwrap_or(0));
    // A signal leaves messages on their way; they may well arrive.
    let (unfinished, lost) = match ended.stopped {
        Some(_) => (open, open.map(|_| 0)),
        None => (open.map(|_| 0), open),
    };
    Missing {
        refused,
        unfinished,
        lost,
    }
}

/// Explains missing acknowledgements or messages where nothing else has failed; `None` if nothing
/// is missing, or a signal ended the run.
fn shortfall(
    load: &Load,
    counters: &Counters,
    acknowledged: Option<u64>,
    missing: Missing,
    ended: Ended,
) -> Option<Diagnosis> {
    if ended.stopped.is_some() {
        return None;
    }
    // Acknowledgements first: a message that the server never took can't arrive.
    let sent = counters.sent.get();
    let settled = acknowledged.map(|acknowledged| acknowledged + missing.refused.unwrap_or(0));
    if let Some(settled) = settled.filter(|settled| *settled < sent) {
        return Some(advice::not_acknowledged(sent - settled, sent, ended.drain));
    }
    // Messages that were taken and did not arrive, or gaps in what arrived.
    let lost = missing.lost.unwrap_or(0);
    if lost > 0 {
        let expected = if load.kind == Some(LoadKind::Sub) {
            counters.received.get() + lost
        } else {
            sent
        };
        return Some(advice::not_received(lost, expected));
    }
    // Receivers that wait for a number of messages.
    let expected = load
        .count
        .filter(|_| load.kind == Some(LoadKind::Sub))
        .map(|count| count * counters.connected.get())?;
    let received = counters.received.get();
    (received < expected).then(|| match received {
        0 => advice::nothing_received(expected, ended.elapsed.sending),
        _ => advice::not_received(expected - received, expected),
    })
}
