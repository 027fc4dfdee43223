//! Messages of JSON lines, in the form that `dunlin sub --json` prints.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_client::QoS;
use dunlin_codec::PayloadFormat;
use serde::Deserialize;

use super::plan::PublishPlan;
use crate::message::OutgoingMessage;

/// One line. Unknown fields are ignored, so that lines of later versions can be read.
#[derive(Deserialize)]
struct MessageLine {
    /// Kind of the line; without one it is a message.
    event: Option<String>,
    topic: Option<String>,
    #[serde(default)]
    qos: u8,
    #[serde(default)]
    retain: bool,
    payload: Option<String>,
    payload_b64: Option<String>,
    #[serde(default)]
    properties: Properties,
}

#[derive(Default, Deserialize)]
struct Properties {
    payload_format: Option<JsonFormat>,
    message_expiry: Option<u32>,
    content_type: Option<String>,
    response_topic: Option<String>,
    correlation: Option<String>,
    correlation_b64: Option<String>,
    #[serde(default)]
    user: Vec<(String, String)>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum JsonFormat {
    Utf8,
    Bytes,
}

/// Message of a line; `None` for a line about something else. Flags that were typed replace what the
/// line says.
///
/// # Errors
/// Text about a line that is no message.
pub(super) fn message(line: &[u8], plan: &PublishPlan) -> Result<Option<OutgoingMessage>, String> {
    // Empty lines separate nothing and are no messages.
    if line.trim_ascii().is_empty() {
        return Ok(None);
    }
    let line: MessageLine =
        serde_json::from_slice(line).map_err(|error| format!("no message: {error}"))?;
    if line
        .event
        .as_deref()
        .is_some_and(|event| event != "message")
    {
        return Ok(None);
    }

    // Topic and QoS: those that were typed, or else the line's.
    let typed = &plan.message;
    let is_typed = plan.typed;
    let topic = match (line.topic, typed.topic.is_empty()) {
        (Some(topic), true) => topic,
        (None, true) => return Err("the message has no \"topic\"".to_owned()),
        (_, false) => typed.topic.clone(),
    };
    let qos = QoS::try_from(line.qos).map_err(|_| "\"qos\" is 0, 1 or 2".to_owned())?;
    // Properties likewise. A topic alias belongs to a connection and isn't copied.
    let properties = line.properties;
    let format = properties.payload_format.map(|format| match format {
        JsonFormat::Utf8 => PayloadFormat::Utf8,
        JsonFormat::Bytes => PayloadFormat::Unspecified,
    });
    let user_properties = match typed.user_properties.as_slice() {
        [] => properties.user,
        typed => typed.to_vec(),
    };
    Ok(Some(OutgoingMessage {
        topic,
        payload: bytes("payload", line.payload, line.payload_b64)?
            .unwrap_or_default()
            .into(),
        qos: if is_typed.qos { typed.qos } else { qos },
        retain: typed.retain || line.retain,
        topic_alias: typed.topic_alias,
        payload_format: typed.payload_format.or(format),
        expiry: typed.expiry.or(properties.message_expiry),
        content_type: typed.content_type.clone().or(properties.content_type),
        response_topic: typed.response_topic.clone().or(properties.response_topic),
        correlation: match &typed.correlation {
            Some(data) => Some(data.clone()),
            None => bytes(
                "correlation",
                properties.correlation,
                properties.correlation_b64,
            )?,
        },
        user_properties,
    }))
}

/// Bytes of a field that is text, or of the one beside it that is Base64; `None` without either.
fn bytes(
    name: &str,
    text: Option<String>,
    encoded: Option<String>,
) -> Result<Option<Vec<u8>>, String> {
    match (text, encoded) {
        (Some(_), Some(_)) => Err(format!("\"{name}\" and \"{name}_b64\" exclude each other")),
        (Some(text), None) => Ok(Some(text.into_bytes())),
        (None, Some(encoded)) => match STANDARD.decode(&encoded) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(_) => Err(format!("\"{name}_b64\" is not Base64")),
        },
        (None, None) => Ok(None),
    }
}
