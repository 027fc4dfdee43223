//! JSON of `%j` and `%J`, with the names of mosquitto_sub.

use dunlin_client::{QoS, ReceivedMessage};
use dunlin_codec::PublishProperties;
use serde_json::value::RawValue;

use crate::subscribe::clock::LocalTime;

/// Appends the message as one object. `payload` is JSON to print in place of the payload as a string;
/// bytes that aren't UTF-8 are replaced by U+FFFD there, and an empty payload is `null`.
pub(super) fn write(
    message: &ReceivedMessage,
    properties: &PublishProperties<'_>,
    time: &LocalTime,
    payload: Option<&str>,
    out: &mut Vec<u8>,
) {
    let mut object = Object::begin(out);
    object.text("tst", &time.iso_8601_with_microseconds());
    object.text("topic", message.topic());
    object.raw("qos", &u8::from(message.qos()).to_string());
    object.raw("retain", &u8::from(message.retain()).to_string());
    object.raw("payloadlen", &message.payload().len().to_string());
    if let Some(id) = message
        .delivery()
        .packet_id()
        .filter(|_| message.qos() > QoS::AtMostOnce)
    {
        object.raw("mid", &id.to_string());
    }
    if let Some(properties) = of_properties(properties) {
        object.raw("properties", &properties);
    }
    match payload {
        Some(json) => object.raw("payload", json),
        None if message.payload().is_empty() => object.raw("payload", NULL),
        None => object.text("payload", &String::from_utf8_lossy(message.payload())),
    }
    object.end();
}

/// Properties as an object; `None` without any.
fn of_properties(properties: &PublishProperties<'_>) -> Option<String> {
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    if let Some(format) = properties.payload_format_indicator {
        object.raw("payload-format-indicator", &(format as u8).to_string());
    }
    if let Some(expiry) = properties.message_expiry_interval {
        object.raw("message-expiry-interval", &expiry.to_string());
    }
    if let Some(alias) = properties.topic_alias {
        object.raw("topic-alias", &u16::from(alias).to_string());
    }
    if let Some(topic) = properties.response_topic {
        object.text("response-topic", topic.as_str());
    }
    if let Some(data) = properties.correlation_data {
        object.text(
            "correlation-data",
            &String::from_utf8_lossy(data.as_bytes()),
        );
    }
    for identifier in properties.subscription_identifiers.iter() {
        object.raw(
            "subscription-identifier",
            &u32::from(identifier).to_string(),
        );
    }
    if let Some(content_type) = properties.content_type {
        object.text("content-type", content_type.as_str());
    }
    // As in mosquitto_sub an object, in which a name may be repeated.
    if !properties.user_properties.is_empty() {
        let mut user = Vec::new();
        let mut pairs = Object::begin(&mut user);
        for pair in properties.user_properties.iter() {
            pairs.text(pair.name.as_str(), pair.value.as_str());
        }
        pairs.end();
        object.raw("user-properties", &String::from_utf8_lossy(&user));
    }
    let is_empty = object.is_empty;
    object.end();
    (!is_empty).then(|| String::from_utf8_lossy(&out).into_owned())
}

/// JSON on one line, `null` for an empty payload as in mosquitto_sub; `None` for a payload that isn't
/// JSON.
pub(super) fn compact(payload: &[u8]) -> Option<String> {
    if payload.is_empty() {
        return Some(NULL.to_owned());
    }
    let json: &RawValue = serde_json::from_slice(payload).ok()?;
    // Line breaks in JSON stand between values only: in a string they would be escaped.
    Some(json.get().replace(['\n', '\r'], " "))
}

/// JSON object that is being written.
struct Object<'a> {
    out: &'a mut Vec<u8>,
    is_empty: bool,
}

impl<'a> Object<'a> {
    fn begin(out: &'a mut Vec<u8>) -> Self {
        out.push(b'{');
        Self {
            out,
            is_empty: true,
        }
    }

    /// Adds a member whose value is text.
    fn text(&mut self, name: &str, text: &str) {
        self.raw(name, &string(text));
    }

    /// Adds a member whose value is JSON.
    fn raw(&mut self, name: &str, json: &str) {
        if !self.is_empty {
            self.out.push(b',');
        }
        self.is_empty = false;
        self.out.extend_from_slice(string(name).as_bytes());
        self.out.push(b':');
        self.out.extend_from_slice(json.as_bytes());
    }

    fn end(self) {
        self.out.push(b'}');
    }
}

/// Text as a JSON string.
fn string(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// JSON of an empty payload.
const NULL: &str = "null";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_payload_is_null_and_no_fault() {
        assert_eq!(compact(b"").as_deref(), Some("null"));
        assert_eq!(compact(b"{\"a\":\n1}").as_deref(), Some("{\"a\": 1}"));
        assert_eq!(compact(b"x"), None);
    }
}
