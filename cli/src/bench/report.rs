//! What came of a run: one object, for programs as JSON and for people as a table.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::thread::available_parallelism;
use std::time::Duration;

use dunlin_client::QoS;
use dunlin_codec::EscapedJson;
use serde::Serialize;

use super::arrivals::Arrived;
use super::counters::Counters;
use super::latency::Quantiles;
use super::plan::{Traffic, TrafficPlan};
use super::table;
use super::target::LoadTarget;
use super::usage::ProcessUsage;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;

/// Fields may be added; `null` is what wasn't asked for or can't be known. Latencies are
/// milliseconds.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) v: u32,
    pub(super) event: &'static str,
    pub(super) verb: &'static str,
    pub(super) server: Target,
    pub(super) environment: Environment,
    pub(super) load: Load,
    pub(super) connected: u64,
    /// From the beginning to the last message sent.
    pub(super) seconds: f64,
    pub(super) sent: u64,
    pub(super) acknowledged: Option<u64>,
    pub(super) received: Option<u64>,
    pub(super) sent_per_second: f64,
    pub(super) received_per_second: Option<f64>,
    /// Messages that the server refused.
    pub(super) refused: Option<u64>,
    /// Messages on their target when a signal ended the run.
    pub(super) unfinished: Option<u64>,
    /// Messages that were neither refused nor unfinished, and didn't arrive or weren't
    /// acknowledged.
    pub(super) lost: Option<u64>,
    pub(super) duplicated: Option<u64>,
    pub(super) out_of_order: Option<u64>,
    pub(super) connect_ms: Option<Quantiles>,
    pub(super) acknowledge_ms: Option<Quantiles>,
    pub(super) end_to_end_ms: Option<Quantiles>,
    pub(super) errors: BTreeMap<String, u64>,
    pub(super) process: Option<ProcessUsage>,
    pub(super) exit_code: u8,
    #[serde(skip)]
    exit: Exit,
    #[serde(skip)]
    is_json: bool,
    #[serde(skip)]
    first_failure: Option<crate::diagnosis::Diagnosis>,
}

#[derive(Debug, Serialize)]
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

/// Where the figures were taken.
#[derive(Debug, Serialize)]
pub(super) struct Environment {
    pub(super) dunlin: &'static str,
    pub(super) os: &'static str,
    pub(super) arch: &'static str,
    pub(super) cores: usize,
}

/// What was asked for.
#[derive(Debug, Default, Serialize)]
pub(super) struct Load {
    #[serde(skip)]
    verb: Option<Traffic>,
    pub(super) clients: u32,
    pub(super) connect_rate: u32,
    pub(super) count: Option<u64>,
    pub(super) duration_s: Option<f64>,
    /// Messages a second; `null` for as fast as it went.
    pub(super) rate: Option<f64>,
    pub(super) size: Option<usize>,
    pub(super) qos: Option<u8>,
    pub(super) in_flight: Option<u16>,
}

/// From the beginning to the last message that was sent, and to the last that was heard.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elapsed {
    pub(super) sending: Duration,
    pub(super) hearing: Duration,
}

impl Elapsed {
    pub(super) const fn all(took: Duration) -> Self {
        Self {
            sending: took,
            hearing: took,
        }
    }
}

impl Load {
    pub(super) fn of(plan: &TrafficPlan) -> Self {
        Self {
            verb: Some(plan.verb),
            clients: plan.connections(),
            connect_rate: plan.target.connect_rate,
            count: plan.count,
            duration_s: plan.duration.map(|duration| duration.as_secs_f64()),
            rate: Some(plan.rate).filter(|rate| *rate > 0.0),
            size: Some(plan.size),
            qos: Some(plan.qos.level()),
            in_flight: Some(plan.in_flight),
        }
    }

    /// Only connections.
    pub(super) fn of_connections(target: &LoadTarget, duration: Duration) -> Self {
        Self {
            clients: target.clients,
            connect_rate: target.connect_rate,
            duration_s: Some(duration.as_secs_f64()),
            ..Self::default()
        }
    }

    fn verb_name(&self) -> &'static str {
        match self.verb {
            None => "connect",
            Some(Traffic::Pub) => "pub",
            Some(Traffic::Sub) => "sub",
            Some(Traffic::Pubsub) => "pubsub",
            Some(Traffic::Request) => "request",
        }
    }
}

impl Target {
    pub(super) fn of(target: &LoadTarget) -> Self {
        Self {
            host: target.scene.host.clone(),
            port: target.scene.port,
            tls: target.is_tls,
        }
    }
}

impl Environment {
    pub(super) fn this() -> Self {
        Self {
            dunlin: env!("CARGO_PKG_VERSION"),
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cores: available_parallelism().map_or(1, usize::from),
        }
    }
}

impl Report {
    pub(super) fn new(
        target: &LoadTarget,
        load: Load,
        counters: &Counters,
        took: Elapsed,
        arrived: Option<Arrived>,
        stopped: Option<Exit>,
    ) -> Self {
        let sent = counters.sent.get();
        let is_acknowledged = matches!(load.verb, Some(Traffic::Pub | Traffic::Pubsub))
            && load.qos != Some(QoS::AtMostOnce.level());
        let acknowledged = is_acknowledged.then(|| counters.acknowledged.get());
        let hears = matches!(
            load.verb,
            Some(Traffic::Sub | Traffic::Pubsub | Traffic::Request)
        );
        let received = hears.then(|| counters.received.get());
        let lost = match load.verb {
            Some(Traffic::Pub) => acknowledged.map(|acknowledged| sent - acknowledged.min(sent)),
            Some(Traffic::Sub) => arrived.map(|arrived| arrived.missing),
            Some(Traffic::Pubsub) => {
                Some(sent.saturating_sub(arrived.unwrap_or_default().distinct))
            }
            Some(Traffic::Request) => Some(sent.saturating_sub(counters.received.get())),
            None => None,
        };
        // What was on its way when a signal came isn't lost.
        let refused = lost.map(|lost| counters.refused.get().min(lost));
        let open = lost.map(|lost| lost - refused.unwrap_or(0));
        let (unfinished, lost) = match (open, stopped) {
            (Some(open), Some(_)) => (Some(open), Some(0)),
            (open, _) => (open.map(|_| 0), open),
        };
        let unheard = load.verb == Some(Traffic::Sub)
            && load
                .count
                .is_some_and(|count| counters.received.get() < count * counters.connected.get());
        let refused_count = refused.unwrap_or(0);
        let unacknowledged =
            acknowledged.is_some_and(|acknowledged| acknowledged + refused_count < sent);
        let exit = match (stopped, counters.first_failure()) {
            (Some(exit), _) => exit,
            (None, Some(diagnosis)) => diagnosis.id.exit(),
            (None, None) if counters.denied() > 0 => Exit::Denied,
            (None, None) if lost.unwrap_or(0) > 0 || unheard || unacknowledged => Exit::TimedOut,
            (None, None) if !counters.errors().is_empty() => Exit::Lost,
            (None, None) => Exit::Done,
        };
        Self {
            v: 1,
            event: "bench",
            verb: load.verb_name(),
            server: Target::of(target),
            environment: Environment::this(),
            connected: counters.connected.get(),
            seconds: took.sending.as_secs_f64(),
            sent,
            acknowledged,
            received,
            sent_per_second: per_second(sent, took.sending),
            received_per_second: received.map(|count| per_second(count, took.hearing)),
            refused,
            unfinished,
            lost,
            duplicated: arrived.map(|arrived| arrived.duplicated),
            out_of_order: arrived.map(|arrived| arrived.out_of_order),
            connect_ms: counters.connect.quantiles(),
            acknowledge_ms: counters.acknowledge.quantiles(),
            end_to_end_ms: counters.end_to_end.quantiles(),
            errors: counters.errors(),
            process: ProcessUsage::of_this(),
            exit_code: exit.code(),
            exit,
            is_json: target.json,
            first_failure: counters
                .first_failure()
                .or_else(|| counters.first_refusal()),
            load,
        }
    }

    /// Prints it; what went wrong first is explained on stderr.
    pub(super) fn tell(&self, console: Console) -> Result<Exit, Failure> {
        let text = if self.is_json {
            to_line(self)?
        } else {
            table::of(self)
        };
        io::stdout().write_all(text.as_bytes())?;
        if let Some(diagnosis) = &self.first_failure {
            console.error(diagnosis);
        }
        Ok(self.exit)
    }
}

pub(super) fn per_second(count: u64, took: Duration) -> f64 {
    if took.is_zero() {
        0.0
    } else {
        count as f64 / took.as_secs_f64()
    }
}

/// One object, one line.
pub(super) fn to_line(report: &impl Serialize) -> io::Result<String> {
    Ok(format!("{}\n", EscapedJson(serde_json::to_string(report)?)))
}
