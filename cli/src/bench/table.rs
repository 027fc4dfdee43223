//! A report as people read it.

use dunlin_codec::Escaped;

use super::latency::Quantiles;
use super::report::Report;
use super::usage::ProcessUsage;

pub(super) fn of(report: &Report) -> String {
    let Report {
        server,
        load,
        environment,
        ..
    } = report;
    let transport = if server.tls { "TLS" } else { "TCP" };
    let mut lines = vec![
        format!(
            "{} against {}:{} ({transport})",
            report.verb,
            Escaped(&server.host),
            server.port
        ),
        row(
            "here",
            format!(
                "dunlin {}, {} {}, {} cores",
                environment.dunlin, environment.os, environment.arch, environment.cores
            ),
        ),
        row(
            "clients",
            format!("{} of {} connected", report.connected, load.clients),
        ),
    ];
    if report.verb != "connect" {
        let rate = load.rate.map_or_else(
            || "as fast as it went".to_owned(),
            |rate| format!("{rate} a second"),
        );
        let (size, qos) = (load.size.unwrap_or(0), load.qos.unwrap_or(0));
        if report.verb != "sub" {
            lines.push(row("offered", format!("{size} bytes, QoS {qos}, {rate}")));
            lines.push(row("sent", counted(report.sent, report.sent_per_second)));
        }
        lines.extend(
            report
                .acknowledged
                .map(|count| row("acknowledged", count.to_string())),
        );
        let received = report.received.zip(report.received_per_second);
        lines.extend(received.map(|(count, rate)| row("received", counted(count, rate))));
        lines.extend(
            report
                .refused
                .map(|count| row("refused", count.to_string())),
        );
        lines.extend(
            report
                .unfinished
                .map(|count| row("unfinished", count.to_string())),
        );
        lines.extend(report.lost.map(|count| row("lost", count.to_string())));
        lines.extend(
            report
                .duplicated
                .map(|count| row("duplicated", count.to_string())),
        );
        lines.extend(
            report
                .out_of_order
                .map(|count| row("out of order", count.to_string())),
        );
    }
    lines.push(String::new());
    lines.extend(latencies(&[
        ("connect", report.connect_ms),
        ("acknowledge", report.acknowledge_ms),
        ("end to end", report.end_to_end_ms),
    ]));
    if let Some(cost) = &report.process {
        lines.push(row("this process", usage_text(cost)));
    }
    for (error, count) in &report.errors {
        lines.push(row("errors", format!("{count} x {error}")));
    }
    lines.join("\n") + "\n"
}

pub(super) fn row(name: &str, value: impl std::fmt::Display) -> String {
    format!("{name:<14}{}", Escaped(value))
}

fn counted(count: u64, per_second: f64) -> String {
    format!("{count} ({per_second:.0} a second)")
}

pub(super) fn usage_text(cost: &ProcessUsage) -> String {
    let ProcessUsage {
        cpu,
        resident_kib,
        peak_kib,
    } = cost;
    format!(
        "{:.2} s CPU, {:.1} MiB in memory, {:.1} at the most",
        cpu.as_secs_f64(),
        *resident_kib as f64 / 1024.0,
        *peak_kib as f64 / 1024.0
    )
}

/// Those that there are, under one head.
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
