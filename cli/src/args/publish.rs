//! Flags of `dunlin pub`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use crate::args::any_server::ConnectionArgs;
use crate::args::message::{MessagePropertyArgs, PayloadArgs};
use crate::args::value;

#[derive(Args)]
pub(crate) struct PublishArgs {
    /// Topic to publish to
    #[arg(short = 't', long, help_heading = "Message")]
    pub(crate) topic: Option<String>,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    /// One message for each line of standard input
    #[arg(
        short = 'l',
        long,
        alias = "stdin-line",
        group = "payload",
        help_heading = "Message"
    )]
    pub(crate) lines: bool,
    /// One message for each JSON line of standard input, as `dunlin sub --json` prints them
    ///
    /// Topic, QoS, retain and properties are those of the line; flags that are given replace them.
    /// Objects with an "event" other than "message" are skipped.
    #[arg(long, group = "payload", help_heading = "Message")]
    pub(crate) json_lines: bool,
    #[command(flatten)]
    pub(crate) message: MessagePropertyArgs,
    /// Replace {{count}}, {{uuid}}, {{now}} and {{random 1 100}} in topic and payload
    #[arg(long, help_heading = "Message", hide_short_help = true)]
    pub(crate) template: bool,
    /// Publish the message this many times
    #[arg(long, alias = "count", value_name = "N", value_parser = value::messages, help_heading = "Message")]
    pub(crate) repeat: Option<u64>,
    /// Pause between two messages [default: none]
    #[arg(long, alias = "repeat-delay", value_name = "TIME", value_parser = value::duration, help_heading = "Message")]
    pub(crate) interval: Option<Duration>,
    /// Messages that may be unacknowledged at a time
    #[arg(short = 'M', long, alias = "max-inflight", value_name = "N", default_value = "100", value_parser = clap::value_parser!(u16).range(1..), help_heading = "Message", hide_short_help = true)]
    pub(crate) in_flight: u16,
    /// Keep messages of QoS 1 and 2 in this file until the server has them
    ///
    /// The file outlives this run: messages that were not acknowledged are sent by the next run
    /// with the same file and the same --client-id. Without a message the run sends what is in the
    /// file. While there is a file, a server that can't be reached is waited for until --timeout.
    #[arg(
        long,
        value_name = "FILE",
        help_heading = "Reliability",
        hide_short_help = true
    )]
    pub(crate) store: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}
