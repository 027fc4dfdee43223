//! `FleetReport`: the result of `bench fleet`, printed as JSON for programs and as a table for
//! people.

use std::collections::BTreeMap;

use dunlin_codec::Escaped;
use serde::Serialize;
use tokio::time::Instant;

use super::counters::Counters;
use super::latency::Quantiles;
use super::report::{Environment, ServerName, per_second};
use super::table::{latencies, row, usage_text};
use super::usage::ProcessUsage;

/// Result of one run. Later versions may add fields. Latencies are in milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct FleetReport {
    pub(super) v: u32,
    pub(super) event: &'static str,
    pub(super) verb: &'static str,
    pub(super) server: ServerName,
    pub(super) environment: Environment,
    pub(super) clients: u32,
    pub(super) interval_s: f64,
    pub(super) size: usize,
    /// First connections, at `--connect-rate`.
    pub(super) connect: ConnectPhase,
    pub(super) publish: PublishPhase,
    /// Connections after the server or the devices were gone; `null` if the run ended before.
    pub(super) reconnect: Option<ConnectPhase>,
    /// Resident memory of this process for each client, without the memory before the first one.
    pub(super) memory_each_kib: Option<f64>,
    pub(super) process: Option<ProcessUsage>,
    /// Usage of the fleet's own sandbox after the publishing; `null` for other servers.
    pub(super) server_process: Option<ProcessUsage>,
    /// Number of failures by name.
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) exit_code: u8,
}

/// Phase in which the devices connect.
#[derive(Debug, Serialize)]
pub(super) struct ConnectPhase {
    pub(super) connected: u64,
    seconds: f64,
    per_second: f64,
    /// CPU time of this process in seconds.
    cpu_s: Option<f64>,
    /// For each client: from the planned start, or from the loss of its connection, to CONNACK.
    ms: Option<Quantiles>,
}

/// Phase in which the devices publish.
#[derive(Debug, Serialize)]
pub(super) struct PublishPhase {
    pub(super) sent: u64,
    pub(super) acknowledged: u64,
    pub(super) lost: u64,
    seconds: f64,
    per_second: f64,
    /// CPU time of this process in seconds.
    cpu_s: Option<f64>,
    acknowledge_ms: Option<Quantiles>,
}

/// Time and CPU time since the beginning of a phase.
#[derive(Debug)]
pub(super) struct PhaseTimer {
    begun: Instant,
    usage: Option<ProcessUsage>,
}

impl PhaseTimer {
    pub(super) fn start() -> Self {
        Self {
            begun: Instant::now(),
            usage: ProcessUsage::of_this(),
        }
    }

    /// CPU time since the start in seconds; `None` where the system doesn't tell it.
    fn cpu_s(&self) -> Option<f64> {
        self.usage
            .zip(ProcessUsage::of_this())
            .map(|(before, after)| after.cpu.saturating_sub(before.cpu).as_secs_f64())
    }

    /// Ends a phase in which `connected` devices have connected.
    pub(super) fn connected(&self, connected: u64, ms: Option<Quantiles>) -> ConnectPhase {
        let elapsed = self.begun.elapsed();
        ConnectPhase {
            connected,
            seconds: elapsed.as_secs_f64(),
            per_second: per_second(connected, elapsed),
            cpu_s: self.cpu_s(),
            ms,
        }
    }

    /// Ends the phase in which the devices publish.
    pub(super) fn published(&self, counters: &Counters) -> PublishPhase {
        let elapsed = self.begun.elapsed();
        let (sent, acknowledged) = (counters.sent.get(), counters.acknowledged.get());
        PublishPhase {
            sent,
            acknowledged,
            lost: sent.saturating_sub(acknowledged),
            seconds: elapsed.as_secs_f64(),
            per_second: per_second(sent, elapsed),
            cpu_s: self.cpu_s(),
            acknowledge_ms: counters.acknowledge.quantiles(),
        }
    }
}

impl FleetReport {
    /// Table for people, with a line break at its end.
    pub(super) fn to_table(&self) -> String {
        // A row of a phase in which devices connect.
        let phase = |name: &str, phase: &ConnectPhase| {
            let ConnectPhase {
                connected,
                seconds,
                per_second,
                ..
            } = phase;
            row(
                name,
                format!(
                    "{connected} of {} in {seconds:.1} s ({per_second:.0} a second)",
                    self.clients
                ),
            )
        };
        let PublishPhase {
            sent,
            acknowledged,
            lost,
            seconds,
            per_second,
            ..
        } = &self.publish;
        let ServerName { host, port, .. } = &self.server;
        // The three phases in their order; the last one may be missing.
        let mut lines = vec![
            format!("fleet of {} against {}:{port}", self.clients, Escaped(host)),
            phase("connected", &self.connect),
            row(
                "published",
                format!("{sent} in {seconds:.1} s ({per_second:.0} a second)"),
            ),
            row("acknowledged", format!("{acknowledged}, {lost} lost")),
        ];
        lines.extend(
            self.reconnect
                .as_ref()
                .map(|again| phase("reconnected", again)),
        );
        // Latencies, and then the costs.
        lines.push(String::new());
        lines.extend(latencies(&[
            ("connect", self.connect.ms),
            ("acknowledge", self.publish.acknowledge_ms),
            (
                "reconnect",
                self.reconnect.as_ref().and_then(|again| again.ms),
            ),
        ]));
        lines.extend(
            self.memory_each_kib
                .map(|kib| row("each client", format!("{kib:.1} KiB here"))),
        );
        lines.extend(
            self.process
                .as_ref()
                .map(|cost| row("this process", usage_text(cost))),
        );
        lines.extend(
            self.server_process
                .as_ref()
                .map(|cost| row("the server", usage_text(cost))),
        );
        lines.extend(
            self.errors
                .iter()
                .map(|(error, count)| row("errors", format!("{count} x {error}"))),
        );
        lines.join("\n") + "\n"
    }
}
