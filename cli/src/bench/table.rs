//! A report as a table for people.

use std::fmt::Display;
use std::io;

use dunlin_codec::Escaped;

use super::latency::Quantiles;
use super::report::{Environment, LoadReport};
use super::usage::ProcessUsage;
use crate::wrap::wrap;

/// Table of a report, with a line break at its end.
pub(super) fn of(report: &LoadReport) -> String {
    let LoadReport { server, load, .. } = report;
    let transport = if server.tls { "TLS" } else { "TCP" };
    let mut lines = vec![format!(
        "{} against {}:{} ({transport})",
        Escaped(&report.verb),
        Escaped(&server.host),
        server.port
    )];

    // The computers that the load came from.
    match &report.merged {
        None => lines.push(row("here", computer(&report.environment))),
        Some(environments) => {
            lines.push(row("merged", format!("{} reports", environments.len())));
            lines.extend(environments.iter().map(|each| row("from", computer(each))));
        }
    }
    // Counts of clients and messages.
    lines.push(row(
        "clients",
        format!("{} of {} connected", report.connected, load.clients),
    ));
    if report.verb != "connect" {
        lines.extend(messages(report));
    }

    // Latencies of each stage, the cost of this process, and failures by name.
    lines.push(String::new());
    lines.extend(latencies(&[
        ("connect", report.connect_ms),
        ("acknowledge", report.acknowledge_ms),
        ("end to end", report.end_to_end_ms),
    ]));
    if let Some(usage) = &report.process {
        let name = if report.merged.is_some() {
            "processes"
        } else {
            "this process"
        };
        lines.push(row(name, usage_text(usage)));
    }
    for (error, count) in &report.errors {
        lines.push(row("errors", format!("{count} x {error}")));
    }
    lines.join("\n") + "\n"
}

/// Rows about messages; a column that the load doesn't have is left out.
fn messages(report: &LoadReport) -> Vec<String> {
    let load = &report.load;
    let mut lines = Vec::new();
    // A merged report may have several sizes and QoS levels.
    if report.verb != "sub" {
        let rate = load.rate.map_or_else(
            || "no rate limit".to_owned(),
            |rate| format!("{rate} a second"),
        );
        let size = load
            .size
            .map_or_else(|| "mixed sizes".to_owned(), |size| format!("{size} bytes"));
        let qos = load
            .qos
            .map_or_else(|| "mixed QoS".to_owned(), |qos| format!("QoS {qos}"));
        lines.push(row("offered", format!("{size}, {qos}, {rate}")));
        lines.push(row("sent", counted(report.sent, report.sent_per_second)));
    }
    lines.extend(report.acknowledged.map(|count| row("acknowledged", count)));
    let received = report.received.zip(report.received_per_second);
    lines.extend(received.map(|(count, rate)| row("received", counted(count, rate))));
    // Invalid messages are rare, so the row is shown only if there are some.
    let invalid = report.invalid.filter(|count| *count > 0);
    for (name, count) in [
        ("refused", report.refused),
        ("unfinished", report.unfinished),
        ("lost", report.lost),
        ("duplicated", report.duplicated),
        ("out of order", report.out_of_order),
        ("invalid", invalid),
    ] {
        lines.extend(count.map(|count| row(name, count)));
    }
    lines
}

/// Version, system and processors.
fn computer(environment: &Environment) -> String {
    let Environment {
        dunlin,
        os,
        arch,
        cores,
    } = environment;
    format!("dunlin {dunlin}, {os} {arch}, {cores} cores")
}

/// A name and its value. On a terminal a long value is wrapped and its lines stay in the column.
pub(super) fn row(name: &str, value: impl Display) -> String {
    let line = format!("{name:<COLUMN$}{}", Escaped(value));
    match terminal_size::terminal_size_of(io::stdout()) {
        Some((width, _)) => wrap(&line, width.0.into(), &" ".repeat(COLUMN)).join("\n"),
        None => line,
    }
}

/// Width of the first column.
const COLUMN: usize = 14;

/// A number and its rate.
fn counted(count: u64, per_second: f64) -> String {
    format!("{count} ({per_second:.0} a second)")
}

/// CPU time and memory in words.
pub(super) fn usage_text(usage: &ProcessUsage) -> String {
    let ProcessUsage {
        cpu,
        resident_kib,
        peak_kib,
    } = usage;
    format!(
        "{:.2} s CPU, {:.1} MiB in memory, {:.1} MiB at most",
        cpu.as_secs_f64(),
        *resident_kib as f64 / 1024.0,
        *peak_kib as f64 / 1024.0
    )
}

/// Quantiles of the stages that were measured, under one heading; nothing if there are none.
pub(super) fn latencies(stages: &[(&str, Option<Quantiles>)]) -> Vec<String> {
    let measured: Vec<_> = stages
        .iter()
        .filter_map(|(name, each)| Some((name, (*each)?)))
        .collect();
    if measured.is_empty() {
        return Vec::new();
    }
    let mut lines = vec![format!(
        "{:<14}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}",
        "milliseconds", "p50", "p90", "p95", "p99", "p99.9", "max"
    )];
    for (name, each) in measured {
        let Quantiles {
            p50,
            p90,
            p95,
            p99,
            p99_9,
            max,
            ..
        } = each;
        lines.push(format!(
            "{name:<14}{p50:>9.2}{p90:>9.2}{p95:>9.2}{p99:>9.2}{p99_9:>9.2}{max:>9.2}"
        ));
    }
    lines.push(String::new());
    lines
}
