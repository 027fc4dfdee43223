//! `POST /topics/{topic}`: query and headers of a message, as AWS IoT Core takes them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_codec::{
    BinaryData, Delivery, PacketId, PayloadFormat, Publish, PublishProperties, QoS, Repeated,
    TopicName, UserProperty, Utf8String,
};
use serde_json::Value;

use crate::authorizer::RequestHead;
use crate::net::http::query::{Query, QueryError};

/// Message of one request, but for its payload.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PublishRequest {
    pub(super) topic: String,
    is_qos_1: bool,
    retain: bool,
    content_type: Option<String>,
    response_topic: Option<String>,
    message_expiry: Option<u32>,
    payload_format: Option<PayloadFormat>,
    correlation_data: Option<Vec<u8>>,
    user_properties: Vec<(String, String)>,
    /// The user properties were encoded twice.
    pub(super) is_encoded_twice: bool,
}

/// Reason to refuse a request with 400; holds the value as it was sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum RequestError {
    #[error("the topic {0:?} can't be published to")]
    Topic(String),
    #[error("qos must be 0 or 1, not {0:?}")]
    QoS(String),
    #[error("retain must be true or false, not {0:?}")]
    Retain(String),
    #[error("contentType {0:?} isn't a text of MQTT")]
    ContentType(String),
    #[error("responseTopic {0:?} isn't a topic without wildcards")]
    ResponseTopic(String),
    #[error("messageExpiry must be a number of seconds, not {0:?}")]
    MessageExpiry(String),
    #[error(
        "x-amz-mqtt5-payload-format-indicator must be UNSPECIFIED_BYTES or UTF8_DATA, not {0:?}"
    )]
    PayloadFormat(String),
    #[error("x-amz-mqtt5-correlation-data isn't base64")]
    CorrelationData,
    #[error(
        "x-amz-mqtt5-user-properties isn't base64 of a JSON list of objects such as [{{\"name\": \"value\"}}]"
    )]
    UserProperties,
    #[error(transparent)]
    Query(#[from] QueryError),
}

impl PublishRequest {
    /// Reads a request to publish to a topic, which is decoded.
    ///
    /// # Errors
    /// The [`RequestError`] of the first value that isn't right.
    pub(super) fn parse(topic: &str, head: &RequestHead) -> Result<Self, RequestError> {
        if TopicName::new(topic).is_err() {
            return Err(RequestError::Topic(topic.into()));
        }
        let mut request = Self {
            topic: topic.into(),
            ..Self::default()
        };
        request.read_query(Query::of(head))?;
        request.read_headers(head)?;
        Ok(request)
    }

    /// Makes a direct message of it: at QoS 1 if it is to be confirmed, else at QoS 0; it is neither
    /// retained nor does it expire.
    pub(super) fn into_direct(self, is_confirmed: bool) -> Self {
        Self {
            is_qos_1: is_confirmed,
            retain: false,
            message_expiry: None,
            ..self
        }
    }

    /// Parameters that aren't known belong to the authorizer.
    fn read_query(&mut self, query: Query<'_>) -> Result<(), RequestError> {
        if let Some(qos) = query.text("qos")? {
            self.is_qos_1 = match &*qos {
                "0" => false,
                "1" => true,
                _ => return Err(RequestError::QoS(qos.into())),
            };
        }
        if let Some(retain) = query.text("retain")? {
            self.retain = match &*retain {
                "true" => true,
                "false" => false,
                _ => return Err(RequestError::Retain(retain.into())),
            };
        }
        if let Some(text) = query.text("contentType")? {
            if Utf8String::new(&text).is_err() {
                return Err(RequestError::ContentType(text.into()));
            }
            self.content_type = Some(text.into());
        }
        if let Some(topic) = query.text("responseTopic")? {
            if TopicName::new(&topic).is_err() {
                return Err(RequestError::ResponseTopic(topic.into()));
            }
            self.response_topic = Some(topic.into());
        }
        if let Some(text) = query.text("messageExpiry")? {
            // Larger values become the largest one, as at AWS; MQTT has 32 bits.
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
            let seconds = text.parse::<u64>().ok().filter(|_| is_number);
            let seconds = seconds.ok_or_else(|| RequestError::MessageExpiry(text.into()))?;
            self.message_expiry = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    fn read_headers(&mut self, head: &RequestHead) -> Result<(), RequestError> {
        self.payload_format = match head.header("x-amz-mqtt5-payload-format-indicator") {
            None => None,
            Some("UNSPECIFIED_BYTES") => Some(PayloadFormat::Unspecified),
            Some("UTF8_DATA") => Some(PayloadFormat::Utf8),
            Some(other) => return Err(RequestError::PayloadFormat(other.into())),
        };
        if let Some(data) = head.header("x-amz-mqtt5-correlation-data") {
            let data = STANDARD.decode(data).ok();
            let data = data.filter(|data| BinaryData::new(data).is_ok());
            self.correlation_data = Some(data.ok_or(RequestError::CorrelationData)?);
        }
        if let Some(encoded) = head.header("x-amz-mqtt5-user-properties") {
            let read = user_properties(encoded).ok_or(RequestError::UserProperties)?;
            (self.user_properties, self.is_encoded_twice) = read;
        }
        Ok(())
    }

    /// Calls `publish` with the PUBLISH that the request stands for.
    pub(super) fn with_publish<T>(
        &self,
        payload: &[u8],
        publish: impl FnOnce(&Publish<'_>, TopicName<'_>) -> T,
    ) -> Result<T, RequestError> {
        let topic = TopicName::new(&self.topic);
        let topic = topic.map_err(|_| RequestError::Topic(self.topic.clone()))?;
        let user_properties: Vec<UserProperty<'_>> = self
            .user_properties
            .iter()
            .filter_map(|(name, value)| {
                Some(UserProperty {
                    name: Utf8String::new(name).ok()?,
                    value: Utf8String::new(value).ok()?,
                })
            })
            .collect();
        let content_type = self.content_type.as_deref();
        let response_topic = self.response_topic.as_deref();
        let correlation_data = self.correlation_data.as_deref();
        let properties = PublishProperties {
            payload_format_indicator: self.payload_format,
            message_expiry_interval: self.message_expiry,
            content_type: content_type.and_then(|text| Utf8String::new(text).ok()),
            response_topic: response_topic.and_then(|topic| TopicName::new(topic).ok()),
            correlation_data: correlation_data.and_then(|data| BinaryData::new(data).ok()),
            user_properties: Repeated::from_slice(&user_properties),
            ..PublishProperties::default()
        };
        let qos = if self.is_qos_1 {
            QoS::AtLeastOnce
        } else {
            QoS::AtMostOnce
        };
        let message = Publish {
            // The identifier of a connection that doesn't exist: it is never sent.
            delivery: Delivery::new(qos, PacketId::MIN, false),
            retain: self.retain,
            topic: Some(topic),
            properties,
            payload,
        };
        Ok(publish(&message, topic))
    }
}

/// User properties of the header, and `true` if they were encoded twice; `None` if they can't be
/// read.
///
/// boto3 encodes a text again that its caller has made JSON (or base64 of JSON) of.
fn user_properties(encoded: &str) -> Option<(Vec<(String, String)>, bool)> {
    let parsed: Value = serde_json::from_slice(&STANDARD.decode(encoded).ok()?).ok()?;
    let (list, is_encoded_twice) = match parsed {
        Value::String(text) => {
            let inner = match STANDARD.decode(&text) {
                Ok(json) => Cow::Owned(json),
                Err(_) => Cow::Borrowed(text.as_bytes()),
            };
            (serde_json::from_slice(&inner).ok()?, true)
        }
        list => (list, false),
    };
    let mut properties = Vec::new();
    for object in list.as_array()? {
        for (name, value) in object.as_object()? {
            let value = value.as_str()?;
            Utf8String::new(name).ok()?;
            Utf8String::new(value).ok()?;
            properties.push((name.clone(), value.into()));
        }
    }
    Some((properties, is_encoded_twice))
}

/// User properties in the form of AWS's header and of the retained message API; `None` for none.
pub(super) fn encoded_user_properties(publish: &Publish<'_>) -> Option<String> {
    let list: Vec<Value> = publish
        .properties
        .user_properties
        .iter()
        .map(|property| serde_json::json!({ property.name.as_str(): property.value.as_str() }))
        .collect();
    (!list.is_empty()).then(|| STANDARD.encode(Value::from(list).to_string()))
}
