//! `dunlin bench merge`: one report of several, from runs on several machines at the same time.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::report::{HISTOGRAMS_VERSION, Histograms, LoadReport, VERSION, to_line};
use super::table;
use super::usage::ProcessUsage;
use crate::args::BenchMergeArgs;
use crate::diagnosis::{Diagnosis, Try};
use crate::exit::Exit;
use crate::failure::Failure;

/// Prints the sum of the reports.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for a file that is no report of a load test, or for
/// reports that don't belong together; [`Failure::Local`] if standard output can't be written.
pub(super) fn run(typed: &BenchMergeArgs) -> Result<Exit, Failure> {
    let mut reports = Vec::new();
    for path in &typed.reports {
        reports.push((path, read(path)?));
    }
    let merged = merge(&reports)?;
    let text = if typed.json {
        to_line(&merged)?
    } else {
        table::of(&merged)
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(Exit::Done)
}

/// Reads one report.
fn read(path: &Path) -> Result<LoadReport, Diagnosis> {
    let text = fs::read_to_string(path)
        .map_err(|error| Diagnosis::unreadable("the report", path, &error))?;
    let unusable = |what: &str| Diagnosis {
        try_: vec![Try::advice(
            "dunlin bench connect, pub, sub, pubsub or request with --json prints a report that can be merged",
        )],
        ..Diagnosis::usage(format!("{}: {what}", path.display()))
    };
    let report: LoadReport = serde_json::from_str(&text)
        .map_err(|error| unusable(&format!("this is not a report of a load test: {error}")))?;
    match &report.histograms {
        _ if report.v != VERSION => Err(unusable("the report has another version")),
        Some(histograms) if histograms.v == HISTOGRAMS_VERSION => Ok(report),
        Some(_) => Err(unusable("the histograms have another version")),
        None => Err(unusable(
            "the report has no histograms; an earlier version of dunlin wrote it",
        )),
    }
}

/// Adds the reports: counters and errors are summed, rates are summed because the runs took place
/// at the same time, and latencies are computed from the merged histograms.
fn merge(reports: &[(&PathBuf, LoadReport)]) -> Result<LoadReport, Diagnosis> {
    let Some(((_, first), others)) = reports.split_first() else {
        return Err(Diagnosis::usage("missing: the reports"));
    };
    if let Some((path, other)) = others.iter().find(|(_, other)| other.verb != first.verb) {
        return Err(Diagnosis::usage(format!(
            "{} is a report of {}, and the first one is a report of {}",
            path.display(),
            other.verb,
            first.verb
        )));
    }
    let all = || reports.iter().map(|(_, report)| report);
    let sum = |field: fn(&LoadReport) -> u64| all().map(field).fold(0, u64::saturating_add);
    // A column that one of the reports lacks can't be summed.
    let sum_of = |field: fn(&LoadReport) -> Option<u64>| -> Option<u64> {
        all()
            .map(field)
            .try_fold(0_u64, |sum, each| Some(sum.saturating_add(each?)))
    };
    let rate_of = |field: fn(&LoadReport) -> Option<f64>| -> Option<f64> {
        all()
            .map(field)
            .try_fold(0.0, |sum, each| Some(sum + each?))
    };
    let histograms: Vec<&Histograms> = all()
        .filter_map(|report| report.histograms.as_ref())
        .collect();
    let (histograms, [connect_ms, acknowledge_ms, end_to_end_ms]) = Histograms::merge(&histograms);
    let mut merged = first.clone();
    for (name, count) in others.iter().flat_map(|(_, report)| &report.errors) {
        *merged.errors.entry(name.clone()).or_default() += count;
    }

    // The load of all machines together; a setting that differs is left out.
    merged.load.clients = all().map(|report| report.load.clients).sum();
    merged.load.connect_rate = all().map(|report| report.load.connect_rate).sum();
    merged.load.count = sum_of(|report| report.load.count);
    merged.load.rate = rate_of(|report| report.load.rate);
    merged.load.duration_s = all()
        .map(|report| report.load.duration_s)
        .try_fold(0.0, |longest: f64, each| Some(longest.max(each?)));
    if others
        .iter()
        .any(|(_, other)| other.load.size != first.load.size)
    {
        merged.load.size = None;
    }
    if others
        .iter()
        .any(|(_, other)| other.load.qos != first.load.qos)
    {
        merged.load.qos = None;
    }
    if others
        .iter()
        .any(|(_, other)| other.load.in_flight != first.load.in_flight)
    {
        merged.load.in_flight = None;
    }

    Ok(LoadReport {
        connected: sum(|report| report.connected),
        seconds: all().map(|report| report.seconds).fold(0.0, f64::max),
        sent: sum(|report| report.sent),
        acknowledged: sum_of(|report| report.acknowledged),
        received: sum_of(|report| report.received),
        sent_per_second: all().map(|report| report.sent_per_second).sum(),
        received_per_second: rate_of(|report| report.received_per_second),
        refused: sum_of(|report| report.refused),
        unfinished: sum_of(|report| report.unfinished),
        lost: sum_of(|report| report.lost),
        duplicated: sum_of(|report| report.duplicated),
        out_of_order: sum_of(|report| report.out_of_order),
        invalid: sum_of(|report| report.invalid),
        connect_ms,
        acknowledge_ms,
        end_to_end_ms,
        histograms: Some(histograms),
        process: all()
            .map(|report| report.process)
            .try_fold(ProcessUsage::default(), |sum, each| Some(sum.plus(each?))),
        // A merged report can be merged again.
        merged: Some(
            all()
                .flat_map(|report| match &report.merged {
                    Some(environments) => environments.clone(),
                    None => vec![report.environment.clone()],
                })
                .collect(),
        ),
        // The first run that did not succeed.
        exit_code: all()
            .map(|report| report.exit_code)
            .find(|code| *code != 0)
            .unwrap_or(0),
        ..merged
    })
}
