//! Flags of `dunlin bench`: the load, and how a connection for it is made.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use crate::args::connection::{AuthorizerArgs, EndpointArgs, ReliabilityArgs, TlsArgs};
use crate::args::sample::OutputArgs;
use crate::args::value;

#[derive(Subcommand)]
pub(crate) enum BenchVerb {
    /// Open many connections and hold them
    Connect(ConnectArgs),
    /// Publish, and wait for the acknowledgements
    Pub(TrafficArgs),
    /// Subscribe, and count what comes
    Sub(TrafficArgs),
    /// Each client publishes to the next one, which counts what comes
    Pubsub(TrafficArgs),
    /// Requests with responses, both sides from here
    Request(TrafficArgs),
    /// Many devices: a storm of connections, a steady trickle of messages, a storm of reconnections
    ///
    /// Without --endpoint a sandbox of its own serves them, in a process of its own, which also
    /// goes away and comes back.
    Fleet(FleetArgs),
    /// Add the JSON reports of several machines
    ///
    /// For runs at the same time: counts, errors and rates are added, latencies are computed from
    /// the histograms of all runs together. Exit code 0 if the reports could be added; the report
    /// has the exit code of the first run that failed.
    Merge(BenchMergeArgs),
}

impl BenchVerb {
    /// Flags for standard error; `None` for a verb without them.
    pub(crate) const fn output(&self) -> Option<&OutputArgs> {
        match self {
            Self::Connect(typed) => Some(&typed.target.output),
            Self::Pub(typed) | Self::Sub(typed) | Self::Pubsub(typed) | Self::Request(typed) => {
                Some(&typed.target.output)
            }
            Self::Fleet(typed) => Some(&typed.target.output),
            Self::Merge(_) => None,
        }
    }
}

#[derive(Args)]
pub(crate) struct BenchMergeArgs {
    /// Reports that bench verbs have printed with --json; all of the same verb, except fleet
    #[arg(value_name = "FILE", required = true, num_args = 1..)]
    pub(crate) reports: Vec<PathBuf>,
    /// Print one JSON object instead of a table
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ConnectArgs {
    #[command(flatten)]
    pub(crate) target: LoadTargetArgs,
    /// How long the connections are held
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = value::duration, help_heading = LOAD)]
    pub(crate) duration: Duration,
}

#[derive(Args)]
pub(crate) struct TrafficArgs {
    #[command(flatten)]
    pub(crate) target: LoadTargetArgs,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Args)]
pub(crate) struct FleetArgs {
    #[command(flatten)]
    pub(crate) target: LoadTargetArgs,
    /// How long they publish
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = value::timeout, help_heading = LOAD)]
    pub(crate) duration: Duration,
    /// Time between two messages of one device
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = value::timeout, help_heading = LOAD)]
    pub(crate) interval: Duration,
    /// Bytes of a payload
    #[arg(long, value_name = "BYTES", default_value = "64", help_heading = LOAD)]
    pub(crate) size: usize,
    /// Topic; each device publishes below it, to TOPIC/NUMBER
    #[arg(short = 't', long, default_value = "dunlin/bench", help_heading = LOAD)]
    pub(crate) topic: String,
}

/// Who connects, where to, and what is told of it.
#[derive(Args)]
pub(crate) struct LoadTargetArgs {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(crate) authorizer: AuthorizerArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) reliability: ReliabilityArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Client ids begin with this and end with a number [default: dunlin-bench- and random digits]
    #[arg(short = 'i', long, value_name = "PREFIX", help_heading = LOAD, hide_short_help = true)]
    pub(crate) client_id: Option<String>,
    /// Keep alive
    #[arg(short = 'k', long, value_name = "TIME", default_value = "1200s", value_parser = value::duration, help_heading = LOAD, hide_short_help = true)]
    pub(crate) keep_alive: Duration,
    /// Clients
    #[arg(short = 'n', long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = LOAD)]
    pub(crate) clients: u32,
    /// Connections a second while they are opened; 0: as fast as it goes
    #[arg(long, value_name = "N", default_value = "200", help_heading = LOAD, hide_short_help = true)]
    pub(crate) connect_rate: u32,
    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// No progress on stderr
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(crate) no_progress: bool,
    /// Yes, AWS bills connections and messages
    #[arg(long, hide_short_help = true, help_heading = LOAD)]
    pub(crate) i_accept_charges: bool,
}

/// What the clients do.
#[derive(Args)]
#[command(next_help_heading = LOAD)]
pub(crate) struct LoadArgs {
    /// Messages, of all clients together [default: 10000, without --duration]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) count: Option<u64>,
    /// End after this time, whatever was sent by then
    #[arg(long, value_name = "TIME", value_parser = value::timeout)]
    pub(crate) duration: Option<Duration>,
    /// Messages a second, of all clients together [default: no limit]
    ///
    /// Without one, as many as --in-flight and the server let. With a rate, latencies count from
    /// when a message was due, not from when there was room for it: a server that stalls makes
    /// all messages late that were due meanwhile.
    #[arg(long, value_name = "N", value_parser = value::rate)]
    pub(crate) rate: Option<f64>,
    /// Bytes of a payload, 24 at least
    ///
    /// Sender, number and time are in it.
    #[arg(long, value_name = "BYTES", default_value = "64")]
    pub(crate) size: usize,
    /// QoS: 0, 1 or 2
    #[arg(short = 'q', long, default_value = "1", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) qos: u8,
    /// Topic to publish below, to TOPIC/NUMBER
    ///
    /// sub listens to all below it, or to a filter with wildcards as it is; request asks at the
    /// topic itself.
    #[arg(short = 't', long, default_value = "dunlin/bench")]
    pub(crate) topic: String,
    /// Unanswered messages of one client at the most [default: 100; of request 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), hide_short_help = true)]
    pub(crate) in_flight: Option<u16>,
    /// Longest wait for what is still on its way when the last message was sent
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = value::duration, hide_short_help = true)]
    pub(crate) drain: Duration,
}

const LOAD: &str = "Load";
