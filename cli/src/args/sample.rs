//! Flags of the sample: those of the Python scripts, and more about the connection.

use std::time::Duration;

use clap::{ArgAction, Args};

use crate::args::capture::CaptureArgs;
use crate::args::connection::{
    AuthorizerArgs, EndpointArgs, ReliabilityArgs, SessionArgs, TlsArgs,
};
use crate::args::output::ResultArgs;
use crate::args::value::{self, Count};
use crate::terminal::Color;

/// Flags of `sample`, `signed`, `unsigned`, and of `dunlin` without a verb.
#[derive(Args)]
pub(crate) struct SampleArgs {
    #[command(flatten)]
    pub(crate) endpoint: EndpointArgs,
    #[command(flatten)]
    pub(crate) authorizer: AuthorizerArgs,
    #[command(flatten)]
    pub(crate) message: MessageArgs,
    #[command(flatten)]
    pub(crate) session: SessionArgs,
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

/// Messages to publish.
#[derive(Args)]
#[command(next_help_heading = "Message")]
pub(crate) struct MessageArgs {
    /// Topic to use
    #[arg(short = 't', long, default_value = "test/topic")]
    pub(crate) topic: String,
    /// Payload; a number is added to it
    ///
    /// [default: Hello from mqtt5 sample]
    #[arg(
        short = 'm',
        long,
        hide_default_value = true,
        default_value = "Hello from mqtt5 sample"
    )]
    pub(crate) message: String,
    /// Messages to publish; 0: until stopped
    #[arg(
        long,
        value_name = "N",
        default_value = "5",
        allow_negative_numbers = true
    )]
    pub(crate) count: Count,
    /// Pause between two messages
    #[arg(long, value_name = "TIME", default_value = "1500ms", value_parser = value::duration, hide_short_help = true)]
    pub(crate) interval: Duration,
}

/// Content of standard error.
#[derive(Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Log connections to stderr; -vv and -vvv more (filter: DUNLIN_LOG)
    #[arg(short, long, action = ArgAction::Count, hide_short_help = true)]
    pub(crate) verbose: u8,
    /// No warnings on stderr, only errors
    #[arg(long, hide_short_help = true)]
    pub(crate) quiet: bool,
    /// Colour on stderr
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_short_help = true
    )]
    pub(crate) color: Color,
}
