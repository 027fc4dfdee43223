//! Flags of `dunlin request` and `dunlin respond`.

use std::ffi::OsString;
use std::time::Duration;

use clap::{ArgAction, Args};
use dunlin_client::QoS;

use crate::args::any_server::ConnectionArgs;
use crate::args::message::PayloadArgs;
use crate::args::subscribe::SubscriptionArgs;
use crate::args::value::{self, Binary, PayloadFormatArg, UserProperty};

#[derive(Args)]
#[command(mut_arg("timeout", |flag| flag.help(
    "Longest wait for the connection, for each answer and for the responses"
).hide_short_help(false)))]
pub(crate) struct RequestArgs {
    /// Topic to publish the request to
    #[arg(short = 't', long, value_name = "TOPIC", help_heading = "Message")]
    pub(crate) topic: String,
    #[command(flatten)]
    pub(crate) payload: PayloadArgs,
    /// QoS of the request and of its responses: 0, 1 or 2
    #[arg(short = 'q', long, value_name = "QOS", default_value = "1", value_parser = value::qos, help_heading = "Message")]
    pub(crate) qos: QoS,
    /// Content type, such as application/json
    #[arg(
        long,
        value_name = "TEXT",
        help_heading = "Message",
        hide_short_help = true
    )]
    pub(crate) content_type: Option<String>,
    /// Form of the payload, for the receiver
    #[arg(
        long,
        value_enum,
        value_name = "FORM",
        help_heading = "Message",
        hide_short_help = true
    )]
    pub(crate) payload_format: Option<PayloadFormatArg>,
    /// Time after which the server drops the request [default: never]
    #[arg(long, value_name = "TIME", value_parser = value::expiry, help_heading = "Message", hide_short_help = true)]
    pub(crate) expiry: Option<u32>,
    /// User property; may be repeated
    #[arg(long, value_name = "NAME=VALUE", value_parser = value::user_property, help_heading = "Message", hide_short_help = true)]
    pub(crate) user_property: Vec<UserProperty>,
    /// Topic for responses [default: dunlin/responses/CLIENT-ID]
    ///
    /// With --request-response-info true the default is a topic below the server's Response
    /// Information, if it has any.
    #[arg(
        short = 'e',
        long,
        value_name = "TOPIC",
        help_heading = "Message",
        hide_short_help = true
    )]
    pub(crate) response_topic: Option<String>,
    /// Correlation data: TEXT, hex:DIGITS or base64:TEXT [default: random]
    #[arg(long, value_name = "DATA", value_parser = value::binary, help_heading = "Message", hide_short_help = true)]
    pub(crate) correlation: Option<Binary>,
    /// End after this many responses
    #[arg(short = 'C', long, value_name = "N", default_value = "1", value_parser = value::messages, help_heading = "Message")]
    pub(crate) count: u64,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}

#[derive(Args)]
pub(crate) struct RespondArgs {
    #[command(flatten)]
    pub(crate) subscription: SubscriptionArgs,
    /// Answer every request with this text [default: the payload of the request]
    #[arg(
        short = 'm',
        long,
        value_name = "TEXT",
        allow_hyphen_values = true,
        conflicts_with = "exec",
        help_heading = "Answer",
        // Repeated flags replace earlier ones elsewhere; here the first would be lost in silence.
        action = ArgAction::Append
    )]
    pub(crate) message: Vec<OsString>,
    /// Answer each request with the output of this program
    ///
    /// No shell reads it. The payload is its standard input, and its standard output, up to 1 MiB,
    /// is the answer. Properties are in variables: DUNLIN_MSG_TOPIC, DUNLIN_MSG_QOS,
    /// DUNLIN_MSG_RETAIN, DUNLIN_MSG_RESPONSE_TOPIC, DUNLIN_MSG_CONTENT_TYPE,
    /// DUNLIN_MSG_PAYLOAD_FORMAT, DUNLIN_MSG_EXPIRY, DUNLIN_MSG_CORRELATION_BASE64 and
    /// DUNLIN_MSG_USER_PROPERTIES (JSON: a list of pairs); one that the request lacks is empty. A
    /// request whose program fails gets no answer. A program that takes too long is ended together
    /// with what it has started (SIGTERM, SIGKILL after 1 s; on Windows the program alone).
    #[arg(long, value_name = "PROGRAM", help_heading = "Answer")]
    pub(crate) exec: Option<String>,
    /// Longest run of the program for one request
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = value::timeout, help_heading = "Answer", hide_short_help = true)]
    pub(crate) exec_timeout: Duration,
    /// End after this many requests
    #[arg(short = 'C', long, value_name = "N", value_parser = value::messages, help_heading = "Answer")]
    pub(crate) count: Option<u64>,
    #[command(flatten)]
    pub(crate) connection: ConnectionArgs,
}
