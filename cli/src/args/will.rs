//! Flags of the will: the message that the server publishes when it loses the client.

use clap::{ArgAction, Args};
use dunlin_client::QoS;

use crate::args::value::{self, Binary, PayloadFormatArg, UserProperty};

/// Will of CONNECT (§3.1.2.5).
#[derive(Args)]
#[command(next_help_heading = "Will")]
pub(crate) struct WillArgs {
    /// Topic of the will; without it there is none
    #[arg(long, value_name = "TOPIC", hide_short_help = true)]
    pub(crate) will_topic: Option<String>,
    /// Payload of the will [default: empty]
    #[arg(
        long,
        alias = "will-payload",
        value_name = "TEXT",
        allow_hyphen_values = true,
        hide_short_help = true
    )]
    pub(crate) will_message: Option<String>,
    /// QoS of the will
    #[arg(long, value_name = "QOS", value_parser = value::qos, hide_short_help = true)]
    pub(crate) will_qos: Option<QoS>,
    /// Retain the will
    #[arg(long, action = ArgAction::SetTrue, hide_short_help = true)]
    pub(crate) will_retain: bool,
    /// Time from the loss of the client to the publication [default: 0]
    #[arg(long, alias = "will-delay-interval", value_name = "TIME", value_parser = value::expiry, hide_short_help = true)]
    pub(crate) will_delay: Option<u32>,
    /// Time after which the will expires [default: never]
    #[arg(long, value_name = "TIME", value_parser = value::expiry, hide_short_help = true)]
    pub(crate) will_expiry: Option<u32>,
    /// Form of the will's payload
    #[arg(long, value_enum, value_name = "FORM", hide_short_help = true)]
    pub(crate) will_payload_format: Option<PayloadFormatArg>,
    /// Content type of the will
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    pub(crate) will_content_type: Option<String>,
    /// Response topic of the will
    #[arg(long, value_name = "TOPIC", hide_short_help = true)]
    pub(crate) will_response_topic: Option<String>,
    /// Correlation data of the will: TEXT, hex:DIGITS or base64:TEXT
    #[arg(long, value_name = "DATA", value_parser = value::binary, hide_short_help = true)]
    pub(crate) will_correlation: Option<Binary>,
    /// User property of the will; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::user_property, hide_short_help = true)]
    pub(crate) will_user_property: Vec<UserProperty>,
}

/// Ids of the flags that need `--will-topic`.
pub(crate) const OF_WILL: [&str; 10] = [
    "will_message",
    "will_qos",
    "will_retain",
    "will_delay",
    "will_expiry",
    "will_payload_format",
    "will_content_type",
    "will_response_topic",
    "will_correlation",
    "will_user_property",
];
