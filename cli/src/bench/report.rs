//! `LoadReport`: the result of a load test, printed as JSON for programs and as a table for people.

use std::collections::BTreeMap;
use std::io;
use std::thread::available_parallelism;
use std::time::Duration;

use dunlin_codec::EscapedJson;
use serde::{Deserialize, Serialize};

use super::counters::Counters;
use super::kind::LoadKind;
use super::latency::{Buckets, Latency, Quantiles};
use super::plan::TrafficPlan;
use super::target::LoadTarget;
use super::usage::ProcessUsage;

/// Result of one run, or of several that were merged. Later versions may add fields; `null` stands
/// for what the load doesn't have or what can't be known. Latencies are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct LoadReport {
    /// Version of the format: 1.
    pub(super) v: u32,
    /// Always "bench".
    pub(super) event: String,
    pub(super) verb: String,
    pub(super) server: ServerName,
    pub(super) environment: Environment,
    pub(super) load: Load,
    pub(super) connected: u64,
    /// Seconds from the beginning to the last message that was sent.
    pub(super) seconds: f64,
    pub(super) sent: u64,
    pub(super) acknowledged: Option<u64>,
    pub(super) received: Option<u64>,
    pub(super) sent_per_second: f64,
    pub(super) received_per_second: Option<f64>,
    /// Published messages that the server refused.
    pub(super) refused: Option<u64>,
    /// Messages that were on their way when a signal ended the run.
    pub(super) unfinished: Option<u64>,
    /// Messages that were neither refused nor unfinished, and were not acknowledged or received.
    pub(super) lost: Option<u64>,
    pub(super) duplicated: Option<u64>,
    pub(super) out_of_order: Option<u64>,
    /// Received messages that this program refused as invalid.
    #[serde(default)]
    pub(super) invalid: Option<u64>,
    pub(super) connect_ms: Option<Quantiles>,
    pub(super) acknowledge_ms: Option<Quantiles>,
    pub(super) end_to_end_ms: Option<Quantiles>,
    /// `None` in reports of the first release, which can't be merged.
    #[serde(default)]
    pub(super) histograms: Option<Histograms>,
    /// Number of failures by name.
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) process: Option<ProcessUsage>,
    /// Environments of all runs if this is a merged report; otherwise `None`.
    #[serde(default)]
    pub(super) merged: Option<Vec<Environment>>,
    pub(super) exit_code: u8,
}

/// Server of the load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ServerName {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

/// Computer that the load came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Environment {
    /// Version of this program.
    pub(super) dunlin: String,
    pub(super) os: String,
    pub(super) arch: String,
    pub(super) cores: usize,
}

/// Load as the flags asked for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Load {
    #[serde(skip)]
    pub(super) kind: Option<LoadKind>,
    pub(super) clients: u32,
    /// Connections in a second; 0 means no limit.
    pub(super) connect_rate: u32,
    pub(super) count: Option<u64>,
    pub(super) duration_s: Option<f64>,
    /// Messages in a second; `null` means no limit.
    pub(super) rate: Option<f64>,
    pub(super) size: Option<usize>,
    pub(super) qos: Option<u8>,
    pub(super) in_flight: Option<u16>,
}

/// Histograms of a run, from which reports are merged without loss.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Histograms {
    /// Version of this format: 1. Each histogram is a list of buckets that aren't empty: the
    /// highest duration in the bucket in microseconds, and the number of durations. The buckets are
    /// those of HdrHistogram with three significant digits, from 1 us to one hour.
    pub(super) v: u32,
    pub(super) connect_us: Buckets,
    pub(super) acknowledge_us: Buckets,
    pub(super) end_to_end_us: Buckets,
}

/// Version of [`LoadReport`].
pub(super) const VERSION: u32 = 1;
/// Version of [`Histograms`].
pub(super) const HISTOGRAMS_VERSION: u32 = 1;

impl Load {
    /// Load of a plan with messages.
    pub(super) fn of(plan: &TrafficPlan) -> Self {
        Self {
            kind: Some(plan.kind),
            // With the responder of `request`, which is a connection as well.
            clients: plan.connections(),
            connect_rate: plan.target.connect_rate,
            count: plan.count,
            duration_s: plan.duration.map(|duration| duration.as_secs_f64()),
            // 0 stands for "no limit" in the plan, and null in the report.
            rate: Some(plan.rate).filter(|rate| *rate > 0.0),
            size: Some(plan.size),
            qos: Some(plan.qos.level()),
            in_flight: Some(plan.in_flight),
        }
    }

    /// Load of connections without messages.
    pub(super) fn of_connections(target: &LoadTarget, duration: Duration) -> Self {
        Self {
            kind: Some(LoadKind::Connect),
            clients: target.clients,
            connect_rate: target.connect_rate,
            duration_s: Some(duration.as_secs_f64()),
            ..Self::default()
        }
    }
}

impl ServerName {
    pub(super) fn of(target: &LoadTarget) -> Self {
        Self {
            host: target.context.host.clone(),
            port: target.context.port,
            tls: target.context.choices.is_tls,
        }
    }
}

impl Environment {
    /// This computer.
    pub(super) fn this() -> Self {
        Self {
            dunlin: env!("CARGO_PKG_VERSION").to_owned(),
            os: std::env::consts::OS.to_owned(),
            arch: std::env::consts::ARCH.to_owned(),
            cores: available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Histograms {
    pub(super) fn of(counters: &Counters) -> Self {
        Self {
            v: HISTOGRAMS_VERSION,
            connect_us: counters.connect.buckets(),
            acknowledge_us: counters.acknowledge.buckets(),
            end_to_end_us: counters.end_to_end.buckets(),
        }
    }

    /// Histograms of all runs together, and their quantiles in the order of the fields.
    pub(super) fn merge(all: &[&Self]) -> (Self, [Option<Quantiles>; 3]) {
        // Quantiles of quantiles would be wrong, so the durations themselves are added.
        let merge = |buckets: fn(&Self) -> &Buckets| {
            let latency = Latency::default();
            for histograms in all {
                latency.add(buckets(histograms));
            }
            latency
        };
        let connect = merge(|histograms| &histograms.connect_us);
        let acknowledge = merge(|histograms| &histograms.acknowledge_us);
        let end_to_end = merge(|histograms| &histograms.end_to_end_us);
        let quantiles = [&connect, &acknowledge, &end_to_end].map(Latency::quantiles);
        let merged = Self {
            v: HISTOGRAMS_VERSION,
            connect_us: connect.buckets(),
            acknowledge_us: acknowledge.buckets(),
            end_to_end_us: end_to_end.buckets(),
        };
        (merged, quantiles)
    }
}

/// Number of events in a second.
pub(super) fn per_second(count: u64, elapsed: Duration) -> f64 {
    if elapsed.is_zero() {
        0.0
    } else {
        count as f64 / elapsed.as_secs_f64()
    }
}

/// A report as one line of JSON.
///
/// # Errors
/// None in practice: reports hold nothing that JSON can't.
pub(super) fn to_line(report: &impl Serialize) -> io::Result<String> {
    Ok(format!("{}\n", EscapedJson(serde_json::to_string(report)?)))
}
