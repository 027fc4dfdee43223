//! Flags of `dunlin doctor`.

use clap::Args;

use crate::args::any_server::ConnectionArgs;

#[derive(Args)]
#[command(mut_arg("reconnect", |flag| flag
    .default_value("0")
    .long_help("Attempts after the first, for failures that may pass: a number or \"inf\"")))]
#[command(mut_arg("ping_timeout", |flag| flag.default_value("10s")))]
pub(crate) struct DoctorArgs {
    /// Topic to subscribe to, publish to and receive from [default: test/topic with a custom
    /// authorizer or the sandbox; else these stages are skipped]
    ///
    /// One message of a few bytes is published, without the retain flag. Only a message with the same
    /// random text counts as received. Over HTTP it is published and nothing else.
    #[arg(short = 't', long, value_name = "TOPIC", help_heading = "Stages")]
    pub(crate) topic: Option<String>,
    /// Then try other ways to connect, and name the cause in one sentence
    ///
    /// Without the proxy, over IPv4 and over IPv6 alone, with and without ALPN, on port 443 and on
    /// port 8883: as far as the flags leave a choice.
    #[arg(long, help_heading = "Stages")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}
