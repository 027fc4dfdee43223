//! Flags of a message to publish: payload, QoS, retain and properties.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, Args};
use dunlin_client::QoS;
use dunlin_codec::TopicAlias;

use crate::args::value::{self, Binary, PayloadFormatArg, UserProperty};

/// Payload of the messages; exactly one source is needed.
#[derive(Args)]
#[command(next_help_heading = "Message")]
pub(crate) struct PayloadArgs {
    /// Payload
    #[arg(
        short = 'm',
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        group = "payload",
        // Repeated flags replace earlier ones elsewhere; here the first would be lost in silence.
        action = ArgAction::Append
    )]
    pub(crate) message: Vec<OsString>,
    /// Payload: the bytes of a file, or of standard input for "-"
    #[arg(
        short = 'f',
        long,
        alias = "file",
        value_name = "FILE",
        group = "payload"
    )]
    pub(crate) message_file: Option<PathBuf>,
    /// Payload: the bytes of standard input, as one message
    #[arg(short = 's', long, alias = "stdin-file", group = "payload")]
    pub(crate) stdin: bool,
    /// Empty payload
    #[arg(short = 'n', long, alias = "null-message", group = "payload")]
    pub(crate) empty: bool,
    /// Payload of this many bytes, all of them "x"
    #[arg(
        long,
        value_name = "BYTES",
        group = "payload",
        hide_short_help = true,
        value_parser = clap::value_parser!(u32).range(..=268_435_455)
    )]
    pub(crate) size: Option<u32>,
    /// -m and lines are hexadecimal digits
    #[arg(long, conflicts_with = "base64", hide_short_help = true)]
    pub(crate) hex: bool,
    /// -m and lines are Base64
    #[arg(long, hide_short_help = true)]
    pub(crate) base64: bool,
}

impl PayloadArgs {
    /// True if the user named a source of the payload.
    pub(crate) fn has_source(&self) -> bool {
        !self.message.is_empty()
            || self.message_file.is_some()
            || self.size.is_some()
            || self.stdin
            || self.empty
    }
}

/// QoS, retain and properties of a message.
#[derive(Args)]
#[command(next_help_heading = "Message")]
pub(crate) struct MessagePropertyArgs {
    /// QoS: 0, 1 or 2
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = value::qos)]
    pub(crate) qos: QoS,
    /// Retain the message on the server
    #[arg(short = 'r', long, action = ArgAction::SetTrue)]
    pub(crate) retain: bool,
    /// Content type, such as application/json
    #[arg(long, value_name = "TEXT", hide_short_help = true)]
    pub(crate) content_type: Option<String>,
    /// Form of the payload, for the receiver
    #[arg(long, value_enum, value_name = "FORM", hide_short_help = true)]
    pub(crate) payload_format: Option<PayloadFormatArg>,
    /// Time after which the server drops the message [default: never]
    #[arg(long, alias = "message-expiry-interval", value_name = "TIME", value_parser = value::expiry, hide_short_help = true)]
    pub(crate) expiry: Option<u32>,
    /// Topic for responses
    #[arg(long, value_name = "TOPIC", hide_short_help = true)]
    pub(crate) response_topic: Option<String>,
    /// Correlation data: TEXT, hex:DIGITS or base64:TEXT
    #[arg(long, alias = "correlation-data", value_name = "DATA", value_parser = value::binary, hide_short_help = true)]
    pub(crate) correlation: Option<Binary>,
    /// User property; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::user_property, hide_short_help = true)]
    pub(crate) user_property: Vec<UserProperty>,
    /// Topic alias, 1 to the server's Topic Alias Maximum
    #[arg(long, value_name = "N", value_parser = value::topic_alias, hide_short_help = true)]
    pub(crate) topic_alias: Option<TopicAlias>,
}
