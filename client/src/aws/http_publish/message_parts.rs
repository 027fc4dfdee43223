//! Query and headers of a message: where AWS IoT Core takes each of its properties.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_codec::{Delivery, PayloadFormat};
use serde_json::{Map, Value};

use super::error::HttpPublishError;
use crate::aws::encoding::{push_encoded, unreserved};
use crate::message::Message;
use crate::secret::Secret;
use crate::{MessageProperties, QoS};

/// Checks that the message can be sent over HTTP.
pub(super) fn check(message: &Message<'_>) -> Result<(), HttpPublishError> {
    if message.qos == QoS::ExactlyOnce {
        return Err(HttpPublishError::NotOverHttp("QoS 2"));
    }
    if message.topic_alias.is_some() {
        return Err(HttpPublishError::NotOverHttp("a topic alias"));
    }
    // The rules of topics and texts are those of the packet that a subscriber gets.
    let user_properties = message.checked_user_properties()?;
    message.to_packet(Delivery::AtMostOnce, &user_properties)?;
    Ok(())
}

/// Query of a message, percent-encoded; what has its default value is left out.
pub(super) fn query(message: &Message<'_>) -> String {
    let mut query = String::new();
    let mut push = |name: &str, value: &str| {
        if !query.is_empty() {
            query.push('&');
        }
        query.push_str(name);
        query.push('=');
        push_encoded(&mut query, value, unreserved);
    };
    if message.qos == QoS::AtLeastOnce {
        push("qos", "1");
    }
    if message.retain {
        push("retain", "true");
    }
    if let Some(content_type) = message.properties.content_type {
        push("contentType", content_type);
    }
    if let Some(response_topic) = message.properties.response_topic {
        push("responseTopic", response_topic);
    }
    if let Some(seconds) = message.properties.message_expiry_interval {
        push("messageExpiry", &seconds.to_string());
    }
    query
}

/// Adds the properties that AWS takes in headers.
pub(super) fn push_headers(
    headers: &mut Vec<(String, Secret<String>)>,
    properties: &MessageProperties<'_>,
) {
    let mut push = |name: &str, value: String| headers.push((name.to_owned(), value.into()));
    if !properties.user_properties.is_empty() {
        // A list, because a name may be there several times, and the order counts.
        let pairs = properties.user_properties.iter().map(|(name, value)| {
            let pair = [((*name).to_owned(), Value::from(*value))];
            Value::Object(Map::from_iter(pair))
        });
        let list = Value::Array(pairs.collect()).to_string();
        push("x-amz-mqtt5-user-properties", STANDARD.encode(list));
    }
    if let Some(format) = properties.payload_format_indicator {
        let name = match format {
            PayloadFormat::Unspecified => "UNSPECIFIED_BYTES",
            PayloadFormat::Utf8 => "UTF8_DATA",
        };
        push("x-amz-mqtt5-payload-format-indicator", name.to_owned());
    }
    if let Some(data) = properties.correlation_data {
        push("x-amz-mqtt5-correlation-data", STANDARD.encode(data));
    }
}
