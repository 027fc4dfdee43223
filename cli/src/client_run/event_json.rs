//! JSON lines of the verbs with `--json`: version, time and event. Fields may be added, none change.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_client::transport::Opened;
use dunlin_client::{Connected, QoS, ReceivedMessage, ServerLimits, ServerReason};
use dunlin_codec::{EscapedJson, PayloadFormat, ReasonCode};
use serde::{Serialize, Serializer};

use crate::diagnosis::{Diagnosis, Try};

/// One line: version, time and event.
#[derive(Serialize)]
struct EventLine<'a> {
    v: u8,
    ts: String,
    #[serde(flatten)]
    event: &'a JsonEvent<'a>,
}

/// Event of a run.
#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum JsonEvent<'a> {
    Attempt {
        /// Host, or `unix:` and a path.
        endpoint: &'a str,
        /// Null for a Unix domain socket.
        port: Option<u16>,
        /// `tcp`, `tls`, `ws` or `wss`.
        transport: &'static str,
        client_id: &'a str,
        attempt: u32,
    },
    Tcp {
        peer: String,
        ms: f64,
    },
    Tls(TlsJson<'a>),
    Connack {
        reason: ReasonJson,
        reason_string: Option<&'a str>,
        session_present: bool,
        client_id: &'a str,
        limits: LimitsJson,
        ms: f64,
    },
    /// An attempt that failed or a connection that ended, and the time until the next attempt.
    Disconnected {
        #[serde(flatten)]
        error: ErrorJson<'a>,
        retry_in_ms: Option<u64>,
    },
    Suback {
        filters: Vec<GrantJson<'a>>,
    },
    Puback {
        seq: u64,
        packet_id: Option<u16>,
        code: u8,
        name: &'a str,
        rtt_ms: f64,
    },
    /// Message that was published over HTTP, and the time from the request to its answer.
    Published {
        seq: u64,
        topic: &'a str,
        /// Status of the answer.
        status: u16,
        /// Id of the request for the support of AWS; null if the server sent none.
        request_id: Option<&'a str>,
        rtt_ms: f64,
    },
    Message(Box<MessageJson<'a>>),
    /// Response to a request, and the time from the request to it.
    Response {
        rtt_ms: f64,
        #[serde(flatten)]
        message: Box<MessageJson<'a>>,
    },
    /// Request that was answered, and the time from its arrival to the acknowledgement of the
    /// answer.
    Answered {
        topic: &'a str,
        response_topic: &'a str,
        #[serde(flatten)]
        correlation: CorrelationJson<'a>,
        request_len: usize,
        response_len: usize,
        ms: f64,
    },
    /// Something that isn't a failure and that the user should know.
    Warning {
        text: String,
    },
    Stats {
        messages: u64,
        bytes: u64,
        per_second: f64,
        bytes_per_second: f64,
    },
    /// Stage of `doctor`.
    Stage {
        stage: &'a str,
        status: &'a str,
        /// Error id; null unless the stage failed.
        id: Option<&'a str>,
        ms: Option<f64>,
        text: &'a str,
        details: &'a serde_json::Value,
    },
    /// One of the ways to connect that `doctor --all` tries.
    Way {
        port: u16,
        tls: bool,
        websocket: bool,
        alpn: Option<&'a str>,
        proxy: bool,
        ip_version: Option<u8>,
        status: &'a str,
        /// Error id; null unless the attempt failed.
        id: Option<&'a str>,
        ms: f64,
        text: &'a str,
    },
    /// Conclusion of `doctor --all`.
    Conclusion {
        text: &'a str,
    },
    Error(ErrorJson<'a>),
    Summary {
        sent: u64,
        acked: u64,
        received: u64,
        duration_ms: u64,
        exit_code: u8,
    },
    /// Packet that `--dry-run` would send, as text.
    WouldSend {
        packet: String,
    },
}

#[derive(Serialize)]
pub(crate) struct TlsJson<'a> {
    version: String,
    alpn: Option<&'a str>,
    resumed: bool,
    issuer: Option<&'a str>,
    not_after: Option<String>,
    ms: f64,
}

/// Reason code with its name, such as `not_authorized`.
#[derive(Serialize)]
pub(crate) struct ReasonJson {
    code: u8,
    name: String,
}

/// Limits of the server (§3.2.2.3).
#[derive(Serialize)]
pub(crate) struct LimitsJson {
    receive_maximum: u16,
    max_qos: u8,
    max_packet_size: u32,
    topic_alias_maximum: u16,
    keep_alive: u16,
    session_expiry: u32,
    retain_available: bool,
    wildcard_subscriptions: bool,
    subscription_identifiers: bool,
    shared_subscriptions: bool,
}

/// Answer to one topic filter.
#[derive(Serialize)]
pub(crate) struct GrantJson<'a> {
    pub(crate) filter: &'a str,
    pub(crate) code: u8,
    pub(crate) name: String,
}

/// Received message. A field that ends in `_b64` has the Base64 of bytes that aren't UTF-8, in place
/// of the field without the ending.
#[derive(Serialize)]
pub(crate) struct MessageJson<'a> {
    topic: &'a str,
    #[serde(serialize_with = "qos_number")]
    qos: QoS,
    retain: bool,
    dup: bool,
    packet_id: Option<u16>,
    #[serde(flatten)]
    payload: PayloadJson<'a>,
    payload_len: usize,
    properties: PropertiesJson<'a>,
    /// File of `--output-dir`; absent without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum PayloadJson<'a> {
    Payload(&'a str),
    #[serde(rename = "payload_b64")]
    Bytes(String),
}

/// Properties of a message (§3.3.2.3); those that it lacks are null.
#[derive(Serialize)]
struct PropertiesJson<'a> {
    payload_format: Option<&'static str>,
    message_expiry: Option<u32>,
    content_type: Option<&'a str>,
    response_topic: Option<&'a str>,
    #[serde(flatten)]
    correlation: CorrelationJson<'a>,
    topic_alias: Option<u16>,
    subscription_identifiers: Vec<u32>,
    /// Pairs of name and value, in order.
    user: Vec<[&'a str; 2]>,
}

#[derive(Serialize)]
pub(crate) enum CorrelationJson<'a> {
    #[serde(rename = "correlation")]
    Text(Option<&'a str>),
    #[serde(rename = "correlation_b64")]
    Bytes(String),
}

/// Error with its explanation.
#[derive(Serialize)]
pub(crate) struct ErrorJson<'a> {
    id: &'static str,
    stage: &'static str,
    /// Reason code of the server's packet; null if there was none.
    code: Option<u8>,
    reason_string: Option<&'a str>,
    message: &'a str,
    at: Option<&'a str>,
    saw: Option<&'a str>,
    likely: &'a [String],
    #[serde(rename = "try")]
    try_: Vec<&'a str>,
    retryable: bool,
    exit_code: u8,
}

impl JsonEvent<'_> {
    /// Writes the line in one call.
    ///
    /// # Errors
    /// Errors of `out`.
    pub(crate) fn write(&self, out: &mut impl Write) -> io::Result<()> {
        let line = EventLine {
            v: VERSION,
            ts: timestamp(SystemTime::now()),
            event: self,
        };
        let text = serde_json::to_string(&line)?;
        // One call, so that a line is written whole or not at all.
        out.write_all(format!("{}\n", EscapedJson(text)).as_bytes())
    }
}

impl<'a> JsonEvent<'a> {
    pub(super) fn tls(opened: &'a Opened) -> Option<Self> {
        let tls = opened.tls.as_ref()?;
        let certificate = tls.certificate.as_ref();
        Some(Self::Tls(TlsJson {
            version: tls.version.to_string(),
            alpn: tls.alpn_selected.as_deref(),
            resumed: tls.resumed,
            issuer: certificate.map(|certificate| certificate.issuer.as_str()),
            not_after: certificate.map(|certificate| timestamp(certificate.not_after)),
            ms: millis(opened.tls_time),
        }))
    }

    pub(super) fn connack(connected: &'a Connected) -> Self {
        Self::Connack {
            reason: ReasonCode::Success.into(),
            reason_string: connected.reason_string.as_deref(),
            session_present: connected.session_present,
            client_id: &connected.client_id,
            limits: (&connected.limits).into(),
            ms: millis(connected.elapsed),
        }
    }

    pub(crate) fn message(message: &'a ReceivedMessage, file: Option<&'a str>) -> Self {
        Self::Message(Box::new(MessageJson::new(message, file)))
    }
}

impl<'a> JsonEvent<'a> {
    pub(crate) fn response(message: &'a ReceivedMessage, rtt: Duration) -> Self {
        Self::Response {
            rtt_ms: millis(rtt),
            message: Box::new(MessageJson::new(message, None)),
        }
    }

    /// Answer of `response_len` bytes to `request`, which took `time`.
    pub(crate) fn answered(
        request: &'a ReceivedMessage,
        response_topic: &'a str,
        response_len: usize,
        time: Duration,
    ) -> Self {
        let correlation = request.properties().correlation_data;
        Self::Answered {
            topic: request.topic(),
            response_topic,
            correlation: CorrelationJson::of(correlation.map(|data| data.as_bytes())),
            request_len: request.payload().len(),
            response_len,
            ms: millis(time),
        }
    }
}

impl<'a> CorrelationJson<'a> {
    fn of(correlation: Option<&'a [u8]>) -> Self {
        match correlation.map(|data| (data, str::from_utf8(data))) {
            None => Self::Text(None),
            Some((_, Ok(text))) => Self::Text(Some(text)),
            Some((data, Err(_))) => Self::Bytes(STANDARD.encode(data)),
        }
    }
}

impl<'a> GrantJson<'a> {
    pub(crate) fn new(filter: &'a str, code: ReasonCode) -> Self {
        // Code 0 of SUBACK has a name of its own (§3.9.3).
        let name = match code {
            ReasonCode::Success => "granted_qos_0".to_owned(),
            code => name_of(code),
        };
        Self {
            filter,
            code: code.code(),
            name,
        }
    }
}

impl<'a> MessageJson<'a> {
    fn new(message: &'a ReceivedMessage, file: Option<&'a str>) -> Self {
        // Properties are decoded once for all fields.
        let properties = message.properties();
        let correlation = properties.correlation_data.map(|data| data.as_bytes());
        Self {
            topic: message.topic(),
            qos: message.qos(),
            retain: message.retain(),
            dup: message.dup(),
            packet_id: message.delivery().packet_id().map(Into::into),
            // JSON strings are text: other bytes are Base64, in a field of their own.
            payload: match str::from_utf8(message.payload()) {
                Ok(text) => PayloadJson::Payload(text),
                Err(_) => PayloadJson::Bytes(STANDARD.encode(message.payload())),
            },
            payload_len: message.payload().len(),
            properties: PropertiesJson {
                payload_format: properties
                    .payload_format_indicator
                    .map(|format| match format {
                        PayloadFormat::Utf8 => "utf8",
                        PayloadFormat::Unspecified => "bytes",
                    }),
                message_expiry: properties.message_expiry_interval,
                content_type: properties.content_type.map(|text| text.as_str()),
                response_topic: properties.response_topic.map(|topic| topic.as_str()),
                correlation: CorrelationJson::of(correlation),
                topic_alias: properties.topic_alias.map(Into::into),
                subscription_identifiers: properties
                    .subscription_identifiers
                    .iter()
                    .map(Into::into)
                    .collect(),
                user: properties
                    .user_properties
                    .iter()
                    .map(|property| [property.name.as_str(), property.value.as_str()])
                    .collect(),
            },
            file,
        }
    }
}

impl<'a> ErrorJson<'a> {
    /// Error that ends the run, or that another attempt may mend (`is_retryable`).
    ///
    /// `reason` is that of the server's packet; `None` if no packet was the cause.
    pub(crate) fn new(
        diagnosis: &'a Diagnosis,
        reason: Option<&'a ServerReason>,
        is_retryable: bool,
    ) -> Self {
        let text = |each: &'a Try| match each {
            Try::Command(text) | Try::Paste(text) | Try::Advice(text) => text.as_str(),
        };
        Self {
            id: diagnosis.id.name(),
            stage: diagnosis.id.stage(),
            code: reason.map(|reason| reason.reason_code.code()),
            reason_string: reason.and_then(|reason| reason.reason_string.as_deref()),
            message: &diagnosis.headline,
            at: diagnosis.at.as_deref(),
            saw: diagnosis.saw.as_deref(),
            likely: &diagnosis.likely,
            try_: diagnosis.try_.iter().map(text).collect(),
            retryable: is_retryable,
            exit_code: diagnosis.id.exit().code(),
        }
    }
}

impl From<ReasonCode> for ReasonJson {
    fn from(code: ReasonCode) -> Self {
        Self {
            code: code.code(),
            name: name_of(code),
        }
    }
}

impl From<&ServerLimits> for LimitsJson {
    fn from(limits: &ServerLimits) -> Self {
        Self {
            receive_maximum: limits.receive_maximum,
            max_qos: limits.maximum_qos.into(),
            max_packet_size: limits.maximum_packet_size,
            topic_alias_maximum: limits.topic_alias_maximum,
            keep_alive: limits.keep_alive,
            session_expiry: limits.session_expiry_interval,
            retain_available: limits.retain_available,
            wildcard_subscriptions: limits.wildcard_subscription_available,
            subscription_identifiers: limits.subscription_identifier_available,
            shared_subscriptions: limits.shared_subscription_available,
        }
    }
}

/// Name of a reason code in lower case with underscores: `not_authorized`.
pub(crate) fn name_of(code: ReasonCode) -> String {
    code.name().to_lowercase().replace([' ', '-'], "_")
}

/// Milliseconds with three decimals.
pub(crate) fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// Time in UTC with milliseconds, as RFC 3339 has it.
pub(crate) fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

fn qos_number<S: Serializer>(qos: &QoS, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8((*qos).into())
}

/// Version of the lines. New fields don't change it.
const VERSION: u8 = 1;
