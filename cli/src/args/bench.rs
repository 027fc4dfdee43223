//! Flags of `dunlin bench`: the load and its connections.

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
    /// Subscribe, and count the messages
    Sub(TrafficArgs),
    /// Each client publishes to the next one, which counts the messages
    Pubsub(TrafficArgs),
    /// Send requests and wait for the responses of one more client
    Request(TrafficArgs),
    /// Many devices that connect, publish now and then, and connect again
    ///
    /// Without --endpoint a sandbox in a process of its own is the server. It is killed and started
    /// again, and all devices connect again at once.
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
            // Merging connects to nothing and has nothing to log.
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
    /// Time for which the connections are held
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = value::duration, help_heading = LOAD)]
    pub(crate) duration: Duration,
}

#[derive(Args)]
#[command(mut_arg("timeout", |flag| flag.help(
    "Longest wait for each connection and each answer; sub without --duration ends after this \
     time without a message"
)))]
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
    /// Time for which they publish
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

/// Server, credentials, number of clients, and output.
#[derive(Args)]
#[command(mut_arg("timeout", |flag| flag.help("Longest wait for each connection and each answer")))]
pub(crate) struct LoadTargetArgs {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,
    /// Clients
    #[arg(short = 'n', long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=1_000_000), help_heading = LOAD)]
    pub(crate) clients: u32,
    /// Start of all client ids, to which a number is added [default: dunlin-bench-RANDOM]
    #[arg(short = 'i', long, value_name = "PREFIX", help_heading = LOAD)]
    pub(crate) client_id: Option<String>,
    /// Connections a second while they are opened; 0: no limit
    #[arg(long, value_name = "N", default_value = "200", help_heading = LOAD, hide_short_help = true)]
    pub(crate) connect_rate: u32,
    /// Keep alive
    #[arg(short = 'k', long, value_name = "TIME", default_value = "1200s", value_parser = value::duration, help_heading = LOAD, hide_short_help = true)]
    pub(crate) keep_alive: Duration,
    /// Accept the bill: AWS charges for connections and messages
    #[arg(long, hide_short_help = true, help_heading = LOAD)]
    pub(crate) i_accept_charges: bool,
    #[command(flatten)]
    pub(crate) authorizer: AuthorizerArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) reliability: ReliabilityArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// Print one JSON object instead of a table
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// No progress line on stderr
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(crate) no_progress: bool,
}

/// Messages of the clients.
#[derive(Args)]
#[command(next_help_heading = LOAD)]
pub(crate) struct LoadArgs {
    /// Messages of all clients together; sub: of each client [default: 10000, without --duration]
    #[arg(long, value_name = "N", value_parser = value::messages)]
    pub(crate) count: Option<u64>,
    /// End after this time, however much was sent
    #[arg(long, value_name = "TIME", value_parser = value::timeout)]
    pub(crate) duration: Option<Duration>,
    /// Messages a second, of all clients together [default: no limit]
    ///
    /// Without a rate, --in-flight and the server limit it. With a rate, latencies are measured from
    /// the time at which a message was due, not from the time at which it could be sent: a server
    /// that stalls makes all messages late that were due meanwhile.
    #[arg(long, value_name = "N", value_parser = value::rate)]
    pub(crate) rate: Option<f64>,
    /// Bytes of a payload, 24 at least
    ///
    /// A payload carries sender, number and time.
    #[arg(long, value_name = "BYTES", default_value = "64")]
    pub(crate) size: usize,
    /// QoS: 0, 1 or 2
    #[arg(short = 'q', long, default_value = "1", value_parser = clap::value_parser!(u8).range(0..=2))]
    pub(crate) qos: u8,
    /// Topic to publish below, to TOPIC/NUMBER
    ///
    /// sub subscribes to TOPIC/#, or to a filter with wildcards as it is given; request publishes
    /// requests to the topic itself.
    #[arg(short = 't', long, default_value = "dunlin/bench")]
    pub(crate) topic: String,
    /// Unacknowledged messages of one client at a time [default: 100; request: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), hide_short_help = true)]
    pub(crate) in_flight: Option<u16>,
    /// Longest wait without progress for the last acknowledgements and messages
    ///
    /// In all, the wait is at most twelve times as long. request waits this long for each response.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = value::duration, hide_short_help = true)]
    pub(crate) drain: Duration,
}

const LOAD: &str = "Load";
