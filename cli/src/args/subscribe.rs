//! Flags of `dunlin sub`, and the options of a subscription.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, Args, ValueEnum};
use dunlin_client::QoS;
use dunlin_codec::SubscriptionIdentifier;

use crate::args::any_server::ConnectionArgs;
use crate::args::value;

#[derive(Args)]
#[command(mut_arg("timeout", |flag| flag.help(
    "End after this time; with -C exit code 9 if messages are missing, otherwise 0 [default: none; \
     100s for the connection and each answer]"
).hide_default_value(true).hide_short_help(false)))]
pub(crate) struct SubscribeArgs {
    #[command(flatten)]
    pub(crate) subscription: SubscriptionArgs,
    /// Subscription Identifier of the subscriptions, 1 to 268435455, which messages carry (%S)
    #[arg(long, value_name = "N", value_parser = value::subscription_identifier, help_heading = "Subscription", hide_short_help = true)]
    pub(crate) sub_id: Option<SubscriptionIdentifier>,
    /// End after this many messages
    #[arg(short = 'C', long, value_name = "N", value_parser = value::messages, help_heading = "Messages")]
    pub(crate) count: Option<u64>,
    /// End once the server has answered the subscriptions
    #[arg(
        short = 'E',
        long,
        help_heading = "Messages",
        conflicts_with_all = ["count", "until_retained"],
        hide_short_help = true
    )]
    pub(crate) exit_after_suback: bool,
    /// Print retained messages only, and end when there is none for one second
    #[arg(long, help_heading = "Messages")]
    pub(crate) until_retained: bool,
    /// Leave out retained messages
    #[arg(
        short = 'R',
        long,
        conflicts_with = "until_retained",
        help_heading = "Messages",
        hide_short_help = true
    )]
    pub(crate) no_retained: bool,
    /// Leave out messages on these topics; may be repeated
    #[arg(
        short = 'T',
        long,
        value_name = "FILTER",
        help_heading = "Messages",
        hide_short_help = true
    )]
    pub(crate) filter_out: Vec<String>,
    /// Text for each message, with the % sequences of mosquitto_sub [default: %p]
    ///
    /// %t topic, %p payload, %x payload in hex, %l its length, %q QoS, %r retain, %m packet
    /// identifier, %j and %J JSON, %I and %U time, %P user properties, %C content type, %R response
    /// topic, %D correlation data, %E expiry, %F payload format, %A alias, %S subscription
    /// identifier, %% a percent sign. @X is %X of strftime(3), @N nanoseconds. \\n, \\t, \\0 and
    /// the like are characters. What mosquitto_sub prints for -v is -F '%t %p'.
    #[arg(
        short = 'F',
        long,
        value_name = "FORMAT",
        help_heading = "Output",
        conflicts_with = "json"
    )]
    pub(crate) format: Option<String>,
    /// No line break after each message
    #[arg(
        short = 'N',
        long,
        help_heading = "Output",
        conflicts_with = "json",
        hide_short_help = true
    )]
    pub(crate) no_newline: bool,
    /// Print the number and rate of messages every so often
    #[arg(long, value_name = "TIME", value_parser = value::timeout, help_heading = "Output")]
    pub(crate) stats: Option<Duration>,
    /// Write each payload to a new file of this folder, and print the name of the file
    ///
    /// The name is a number and the topic, in which all but letters, digits, "-", "_" and "." is
    /// written as "%" and two hexadecimal digits. No file is replaced.
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub(crate) output_dir: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

/// Topic filters and options of SUBSCRIBE.
#[derive(Args)]
#[command(next_help_heading = "Subscription")]
pub(crate) struct SubscriptionArgs {
    /// Topic filter; may be repeated
    #[arg(short = 't', long, value_name = "FILTER")]
    pub(crate) topic: Vec<String>,
    /// QoS: 0, 1 or 2; once for all filters, or once for each [default: 0]
    #[arg(short = 'q', long, value_name = "QOS", value_parser = value::qos)]
    pub(crate) qos: Vec<QoS>,
    /// Leave out messages that this client id publishes
    #[arg(long, action = ArgAction::SetTrue, hide_short_help = true)]
    pub(crate) no_local: bool,
    /// Keep the retain flag as it was published
    #[arg(long, action = ArgAction::SetTrue, hide_short_help = true)]
    pub(crate) retain_as_published: bool,
    /// Retained messages that the server sends for the subscription
    #[arg(
        long,
        value_enum,
        value_name = "WHEN",
        default_value_t,
        hide_short_help = true
    )]
    pub(crate) retain_handling: RetainHandlingArg,
}

/// Retained messages that the server sends when a client subscribes (§3.8.3.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum RetainHandlingArg {
    /// For every subscription
    #[default]
    #[value(alias = "0")]
    Always,
    /// Only if the session doesn't have the subscription yet
    #[value(alias = "1")]
    New,
    /// None
    #[value(alias = "2")]
    Never,
}
