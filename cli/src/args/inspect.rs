//! Flags of `dunlin inspect`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use dunlin_codec::{DecodeOptions, Sender};

use crate::args::any_server::AccountArgs;
use crate::args::capture::CaptureArgs;
use crate::args::connection::{AuthorizerArgs, EndpointArgs, TlsArgs};
use crate::args::output::PacketForm;
use crate::args::sample::OutputArgs;
use crate::args::value;

#[derive(Subcommand)]
pub(crate) enum InspectVerb {
    /// Take packets apart, byte by byte
    ///
    /// Packets come as hex, unless --base64 or --raw says otherwise: from the words, from a file,
    /// or from standard input. Several may follow each other. What is shown ends at the first
    /// packet that can't be accepted, with exit code 10; with --lines every line is answered
    /// and the exit code is 0.
    ///
    /// A capture file (pcap or pcapng, also of tcpdump and Wireshark) is recognised: the packets of
    /// all its MQTT connections are printed, with times, answers and broken rules of both sides,
    /// one line each. Exit code 10 then means that a rule is broken.
    Decode(DecodeArgs),
    /// Stand between any client and a server, and show what both say
    ///
    /// Clients connect to --listen, without TLS unless --listen-tls is given; the proxy connects to --endpoint for each of them,
    /// with TLS, SNI, ALPN and a proxy as the flags say. User name and password of the flags, and the
    /// query of a custom authorizer, replace those of CONNECT. Each packet is one line, with the
    /// request that it answers and the rules that it breaks. Nothing is dropped or changed but CONNECT:
    /// while standard output isn't read, the clients wait. Ctrl-C ends it with exit code 0.
    Proxy(Box<ProxyArgs>),
    /// Send the client's side of a capture again, and show which answers differ
    ///
    /// Packets, identifiers and times are those of the capture. User name and password come from the
    /// flags alone, as a capture has none; what the server sends is acknowledged as it comes. Exit
    /// code 0 means that the answers are equal: reason codes, and the messages that were received,
    /// in any order. With exit code 7 they differ, and each difference is a line.
    Replay(Box<ReplayArgs>),
}

/// Server, and credentials for it.
#[derive(Args)]
#[command(mut_arg("endpoint", |flag| flag
    .help("Server: HOST[:PORT], mqtt://HOST (TCP), mqtts://HOST (TLS), or \"sandbox\"")
    .value_name("SERVER")))]
pub(crate) struct UpstreamArgs {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(crate) account: AccountArgs,
    #[command(flatten)]
    pub(crate) authorizer: AuthorizerArgs,
    #[command(flatten)]
    pub(crate) tls: TlsArgs,
    /// Longest wait for name resolution, TCP and TLS of the server
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = value::timeout, hide_short_help = true, help_heading = "Reliability")]
    pub(crate) connect_timeout: Duration,
}

#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// Capture file: of --capture, or any with MQTT 5 that is not encrypted
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Send each packet as soon as the answers are there that came before it in the capture
    /// [default: at its time in the capture]
    #[arg(long)]
    pub(crate) fast: bool,
    /// Longest wait for an answer that came in the capture
    #[arg(short = 'W', long, value_name = "TIME", default_value = "5s", value_parser = value::timeout, help_heading = "Reliability")]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) upstream: UpstreamArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// One JSON object a line on standard output
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ProxyArgs {
    /// Address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:1883")]
    pub(crate) listen: SocketAddr,
    /// Listen with TLS, with a certificate for localhost from the sandbox's CA
    #[arg(long)]
    pub(crate) listen_tls: bool,
    /// Listen on an address that other computers reach: it lends them the credentials of the flags
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) upstream: UpstreamArgs,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// One JSON object a line on standard output
    #[arg(long, help_heading = "Output")]
    pub(crate) json: bool,
    /// Form of the packets: summary, full or hex
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        default_value = "summary",
        help_heading = "Output"
    )]
    pub(crate) packets: PacketForm,
    #[command(flatten)]
    pub(crate) capture: CaptureArgs,
    /// Show passwords and tokens in packets, and write them into the capture
    #[arg(long, help_heading = "Output", hide_short_help = true)]
    pub(crate) show_secrets: bool,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("form").args(["base64", "raw"]))]
pub(crate) struct DecodeArgs {
    /// Packets in hex, as copied: spaces, colons, commas, 0x, \x, C arrays, dumps; or one file
    /// [default: standard input]
    #[arg(value_name = "HEX|FILE", conflicts_with_all = ["file", "lines", "raw"])]
    pub(crate) words: Vec<String>,
    /// Read a file ("-": standard input)
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Input is base64 instead of hex
    #[arg(long)]
    pub(crate) base64: bool,
    /// Input is the bytes of the packets themselves
    #[arg(long, conflicts_with = "lines")]
    pub(crate) raw: bool,
    /// Sender of the packets; a packet that this side may never send is refused
    #[arg(long, value_enum, value_name = "SIDE", default_value_t)]
    pub(crate) from: Side,
    /// Refuse packets of more bytes than this
    #[arg(long, value_name = "BYTES", default_value_t = DecodeOptions::PROTOCOL_MAX_PACKET_SIZE, hide_default_value = true)]
    pub(crate) max_packet_size: u32,
    /// Answer each line of hex in any of these forms, which should be exactly one packet, with one
    /// line
    #[arg(long)]
    pub(crate) lines: bool,
    /// Form of the packets [default: full; of a capture: summary]
    #[arg(long, value_enum, value_name = "FORM", num_args = 0..=1, require_equals = true, default_missing_value = "summary", conflicts_with_all = ["lines", "json"])]
    pub(crate) packets: Option<PacketForm>,
    /// Print one JSON object a packet
    ///
    /// {"v":1, "ok":true, "type", "packet", "encoded"} or {"v":1, "ok":false, "kind",
    /// "reason_code", "offset", "field", "statement", "section", "message"}. The object holds all
    /// that the packet holds, passwords too. The objects of a capture are those of inspect proxy.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show passwords, authentication data and the query of user names
    #[arg(long)]
    pub(crate) show_secrets: bool,
}

/// Sender of packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Side {
    /// Either
    #[default]
    Any,
    Client,
    Server,
}

impl From<Side> for Sender {
    fn from(side: Side) -> Self {
        match side {
            Side::Any => Self::Any,
            Side::Client => Self::Client,
            Side::Server => Self::Server,
        }
    }
}
