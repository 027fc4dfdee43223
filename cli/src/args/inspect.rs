//! Flags of `dunlin inspect`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use dunlin_codec::{DecodeOptions, Sender};

use crate::args::output::PacketForm;

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
    /// one line each. Exit code 10 then means that a rule is broken, or that the file is damaged.
    Decode(DecodeArgs),
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
