//! Flags of `connect`, `pub`, `sub`, `request` and `respond` about the connection: server,
//! credentials, CONNECT, TLS and reliability.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args};

use crate::args::capture::CaptureArgs;
use crate::args::connection::{AuthorizerArgs, EndpointArgs, ReliabilityArgs, TlsArgs};
use crate::args::output::ResultArgs;
use crate::args::sample::OutputArgs;
use crate::args::value::{self, UserProperty};
use crate::args::will::WillArgs;

/// Connection to any MQTT 5 server.
#[derive(Args)]
#[command(mut_arg("endpoint", |flag| flag
    .help("Server: HOST[:PORT], mqtt://HOST (TCP), mqtts://HOST (TLS), wss://HOST (WebSocket), or \"sandbox\"")
    .long_help(ENDPOINT)
    .value_name("SERVER")))]
#[command(mut_arg("port", |flag| flag.help(
    "TCP port [default: 1883, with TLS 8883, with a custom authorizer 443]"
)))]
#[command(mut_args(|flag| {
    // The short page has no space for the credentials of custom authorizers.
    let is_credential = flag.get_id().as_str().starts_with("auth_");
    if is_credential { flag.hide_short_help(true) } else { flag }
}))]
pub(crate) struct ConnectionArgs {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    #[command(flatten)]
    pub(crate) session: ConnectPacketArgs,
    #[command(flatten)]
    pub(crate) will: WillArgs,
    #[command(flatten)]
    pub(crate) authorizer: AuthorizerArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    #[command(flatten)]
    pub(crate) reliability: ReliabilityArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    #[command(flatten)]
    pub(crate) results: ResultArgs,
    #[command(flatten)]
    pub(crate) capture: CaptureArgs,
}

/// User name and password as CONNECT carries them, without a custom authorizer.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Endpoint")]
pub(crate) struct AccountArgs {
    /// User name
    #[arg(short = 'u', long, value_name = "NAME", env = "DUNLIN_USERNAME")]
    pub(crate) username: Option<String>,
    /// Password; better: --password-file, or the environment
    #[arg(
        short = 'P',
        long,
        alias = "pw",
        value_name = "PASSWORD",
        env = "DUNLIN_PASSWORD",
        hide_short_help = true
    )]
    pub(crate) password: Option<String>,
    /// Read the password from a file ("-": standard input); one newline at its end is dropped
    #[arg(long, value_name = "FILE", hide_short_help = true)]
    pub(crate) password_file: Option<PathBuf>,
}

/// Content of CONNECT besides credentials and will.
#[derive(Args)]
#[command(next_help_heading = "Session")]
pub(crate) struct ConnectPacketArgs {
    /// Client id [default: dunlin-RANDOM]; empty: the server assigns one
    #[arg(
        short = 'i',
        long,
        alias = "id",
        value_name = "ID",
        help_heading = "Endpoint",
        env = "DUNLIN_CLIENT_ID"
    )]
    pub(crate) client_id: Option<String>,
    /// Keep alive; 0 turns it off
    #[arg(short = 'k', long, alias = "keepalive", value_name = "TIME", default_value = "60s", value_parser = value::duration, hide_short_help = true)]
    pub(crate) keep_alive: Duration,
    /// Begin with a new session; false continues the one of this client id
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, default_value_t = true, num_args = 0..=1, default_missing_value = "true", hide_short_help = true)]
    pub(crate) clean_start: bool,
    /// Time that the session outlives the connection: 1h, 0 or "never" (no end) [default: 0]
    #[arg(long, alias = "session-expiry-interval", value_name = "TIME", value_parser = value::expiry, hide_short_help = true)]
    pub(crate) session_expiry: Option<u32>,
    /// Messages of QoS 1 and 2 that the server may send before one is acknowledged [default: 65535, by the standard]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..), hide_short_help = true)]
    pub(crate) receive_maximum: Option<u16>,
    /// Largest packet that the server may send, in bytes [default: no limit is announced]
    #[arg(long, alias = "maximum-packet-size", value_name = "BYTES", value_parser = clap::value_parser!(u32).range(1..), hide_short_help = true)]
    pub(crate) max_packet_size: Option<u32>,
    /// Topic aliases that the server may use
    #[arg(
        long,
        alias = "topic-alias-maximum",
        value_name = "N",
        default_value_t,
        hide_short_help = true
    )]
    pub(crate) topic_alias_max: u16,
    /// Ask the server to explain failures, or not to [default: true, by the standard]
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, hide_short_help = true)]
    pub(crate) request_problem_info: Option<bool>,
    /// Ask the server for the prefix of response topics [default: false, by the standard]
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, hide_short_help = true)]
    pub(crate) request_response_info: Option<bool>,
    /// User property of CONNECT; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::user_property, hide_short_help = true)]
    pub(crate) connect_user_property: Vec<UserProperty>,
}

const ENDPOINT: &str = "\
Server to connect to

mqtt://HOST[:PORT] is TCP without TLS, port 1883 by default; mqtts://HOST[:PORT] is TLS, port 8883 by default. \
ws://HOST[:PORT]/PATH is WebSocket without TLS, port 80 by default; wss://HOST[:PORT]/PATH is WebSocket with TLS, port 443 by \
default; the default path is /mqtt. HOST[:PORT] \
alone is TCP, port 1883, and TLS where --ca or --cert is given, where the port is 8883 or 443, for AWS IoT, and with a custom \
authorizer, whose default port is 443. \"sandbox\" is the sandbox that runs on this computer, whose port and CA are found \
automatically.";
