//! Messages: those to publish borrow their content, received ones share the buffer of their packet.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use dunlin_codec::{
    BinaryData, Delivery, Packet, PacketBuf, PayloadFormat, Publish, PublishProperties, Repeated,
    SubscriptionIdentifier, TextError, TopicAlias, TopicName, UserProperty, Utf8String,
};

use crate::QoS;
use crate::error::RequestError;
use crate::payload::Payload;

/// Message to publish.
///
/// The fields are checked when it is published; the [`RequestError`] names a field that can't be sent.
///
/// ```
/// use dunlin_client::{Message, MessageProperties, QoS};
///
/// let message = Message::new("lamp/7", "on").qos(QoS::AtLeastOnce).retain(true);
///
/// let mut message = Message::new("lamp/7", format!("{:.1}", 21.53));
/// message.properties = MessageProperties {
///     content_type: Some("text/plain"),
///     correlation_data: Some(b"x"),
///     user_properties: &[("unit", "celsius")],
///     ..Default::default()
/// };
/// ```
#[derive(Debug, Clone, Default)]
pub struct Message<'a> {
    /// Topic Name; wildcards are not allowed (§3.3.2.1).
    pub topic: &'a str,
    /// Payload of 0 to 268,435,455 bytes, borrowed or owned.
    pub payload: Payload<'a>,
    /// Quality of service; the default is QoS 0.
    pub qos: QoS,
    /// Retain flag: the server stores the message and sends it to later subscribers.
    pub retain: bool,
    /// Topic Alias, with [`OutboundAliases::Manual`](crate::OutboundAliases::Manual). Default: `None`.
    pub topic_alias: Option<TopicAlias>,
    /// Message properties (§3.3.2.3).
    pub properties: MessageProperties<'a>,
}

/// Properties of a message to publish (§3.3.2.3).
#[derive(Debug, Clone, Copy, Default)]
pub struct MessageProperties<'a> {
    /// Payload Format Indicator: whether the payload is UTF-8 text (§3.3.2.3.2). The payload isn't
    /// checked against it.
    pub payload_format_indicator: Option<PayloadFormat>,
    /// Message Expiry Interval in seconds; `None` means the message never expires.
    pub message_expiry_interval: Option<u32>,
    /// Content Type: at most 65,535 bytes, no NUL (§3.3.2.3.9).
    pub content_type: Option<&'a str>,
    /// Response Topic: the topic a response should be published to; wildcards are not allowed
    /// (§3.3.2.3.5).
    pub response_topic: Option<&'a str>,
    /// Correlation Data that a response should carry: at most 65,535 bytes (§3.3.2.3.6).
    pub correlation_data: Option<&'a [u8]>,
    /// User Properties in order: pairs of a name and a value, each at most 65,535 bytes, no NUL
    /// (§3.3.2.3.7).
    pub user_properties: &'a [(&'a str, &'a str)],
}

impl<'a> Message<'a> {
    /// A message of QoS 0 without properties.
    ///
    /// The payload is anything that has bytes: borrowed (`&str`, `&[u8]`, `&String`, ..), or a
    /// `String`, a `Vec<u8>` or [`Bytes`] by value.
    #[must_use]
    pub fn new(topic: &'a str, payload: impl Into<Payload<'a>>) -> Self {
        Self {
            topic,
            payload: payload.into(),
            ..Self::default()
        }
    }

    /// With this QoS.
    #[must_use]
    pub fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// Kept for later subscribers, or not.
    #[must_use]
    pub fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// Approximate number of bytes that the message adds to the queue: topic and payload.
    pub(crate) fn load(&self) -> usize {
        self.topic.len() + self.payload.len()
    }

    /// The user properties, checked, for [`to_packet`](Self::to_packet). Without any, nothing is
    /// allocated.
    pub(crate) fn checked_user_properties(&self) -> Result<Vec<UserProperty<'_>>, RequestError> {
        user_properties(self.properties.user_properties)
    }

    /// The packet that carries it, with the user properties that were checked before.
    pub(crate) fn to_packet<'b>(
        &'b self,
        delivery: Delivery,
        user_properties: &'b [UserProperty<'b>],
    ) -> Result<Publish<'b>, RequestError> {
        // The codec's types check each value, and the error names the field; nothing is sent of a
        // message that has one wrong property.
        let MessageProperties {
            content_type,
            response_topic,
            correlation_data,
            ..
        } = self.properties;
        let content_type = content_type.map(Utf8String::new).transpose();
        let correlation_data = correlation_data.map(BinaryData::new).transpose();
        Ok(Publish {
            delivery,
            retain: self.retain,
            topic: Some(TopicName::new(self.topic)?),
            properties: PublishProperties {
                payload_format_indicator: self.properties.payload_format_indicator,
                message_expiry_interval: self.properties.message_expiry_interval,
                topic_alias: self.topic_alias,
                content_type: content_type.map_err(text("content type"))?,
                response_topic: response_topic
                    .map(TopicName::new)
                    .transpose()
                    .map_err(RequestError::ResponseTopic)?,
                correlation_data: correlation_data.map_err(text("correlation data"))?,
                user_properties: user_properties.into(),
                ..PublishProperties::default()
            },
            payload: &self.payload,
        })
    }
}

/// Checks user properties. Without any, nothing is allocated.
pub(crate) fn user_properties<'a>(
    pairs: &[(&'a str, &'a str)],
) -> Result<Vec<UserProperty<'a>>, RequestError> {
    let checked = pairs
        .iter()
        .map(|(name, value)| UserProperty::new(name, value))
        .collect::<Result<_, _>>();
    checked.map_err(text("user property"))
}

/// Names the field of a text that can't be sent.
pub(crate) fn text(field: &'static str) -> impl Fn(TextError) -> RequestError {
    move |error| RequestError::Text { field, error }
}

/// Message that the server sent.
///
/// The message shares the buffer that it was read into, and keeps that buffer (64 KiB at most, or one
/// packet) in memory. [`to_owned_buffer`](Self::to_owned_buffer) copies the message.
#[derive(Clone)]
pub struct ReceivedMessage {
    packet: PacketBuf,
    topic: Range<usize>,
    /// Topic, if the packet has an alias instead.
    aliased: Option<Arc<str>>,
    payload: Range<usize>,
    delivery: Delivery,
    retain: bool,
    /// True if the packet has subscription identifiers.
    identified: bool,
}

/// Positions of the parts of a PUBLISH, and content of its fixed header.
pub(crate) struct Layout {
    topic: Range<usize>,
    payload_len: usize,
    delivery: Delivery,
    retain: bool,
    identified: bool,
}

impl Layout {
    /// Layout of `publish`, after a fixed header of `header_len` bytes.
    pub(crate) fn of(publish: &Publish<'_>, header_len: u8) -> Self {
        // The topic follows the fixed header and its own two length bytes (§3.3.2.1). With a Topic
        // Alias it may be empty.
        let start = usize::from(header_len) + 2;
        Self {
            topic: start..start + publish.topic.map_or(0, |topic| topic.as_bytes().len()),
            payload_len: publish.payload.len(),
            delivery: publish.delivery,
            retain: publish.retain,
            identified: !publish.properties.subscription_identifiers.is_empty(),
        }
    }
}

/// Bytes of a queue's entry for a message, rounded up.
#[cfg(feature = "tokio")]
const ENTRY: usize = 160;

impl ReceivedMessage {
    /// Message in `packet`, whose parts are at the positions of `layout`. `aliased` is the topic if the
    /// packet has an alias instead.
    pub(crate) fn new(packet: PacketBuf, layout: Layout, aliased: Option<Arc<str>>) -> Self {
        let Layout {
            topic,
            payload_len,
            delivery,
            retain,
            identified,
        } = layout;
        // The payload is the rest of the packet: it has no length of its own (§3.3.3).
        let end = packet.as_bytes().len();
        Self {
            packet,
            topic,
            aliased,
            payload: end - payload_len..end,
            delivery,
            retain,
            identified,
        }
    }

    /// The topic that it was published under, also where the packet has an alias instead.
    #[must_use]
    pub fn topic(&self) -> &str {
        // The alias was resolved when the packet arrived: a later PUBLISH may give it another
        // topic.
        if let Some(topic) = &self.aliased {
            return topic;
        }
        std::str::from_utf8(self.part(&self.topic)).unwrap_or_default()
    }

    /// The bytes of the topic: what is a string already needn't be one again to be compared.
    #[cfg(feature = "tokio")]
    pub(crate) fn topic_bytes(&self) -> &[u8] {
        self.aliased
            .as_ref()
            .map_or_else(|| self.part(&self.topic), |topic| topic.as_bytes())
    }

    /// Payload.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.part(&self.payload)
    }

    /// Payload that shares the buffer of this message.
    #[must_use]
    pub fn payload_shared(&self) -> Bytes {
        self.packet.as_bytes().slice(self.payload.clone())
    }

    /// Quality of service of the delivery.
    #[must_use]
    pub const fn qos(&self) -> QoS {
        self.delivery.qos()
    }

    /// Retain flag: the message was retained before the subscription, or the subscription has Retain As
    /// Published.
    #[must_use]
    pub const fn retain(&self) -> bool {
        self.retain
    }

    /// DUP flag: the server may have sent the message before (§3.3.1.1).
    #[must_use]
    pub const fn dup(&self) -> bool {
        self.delivery.dup()
    }

    /// Delivery of the message: QoS, packet identifier and DUP flag.
    #[must_use]
    pub const fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// Properties of the message; decoded again at each call.
    #[must_use]
    pub fn properties(&self) -> PublishProperties<'_> {
        match self.packet.packet() {
            Packet::Publish(publish) => publish.properties,
            _ => PublishProperties::default(),
        }
    }

    /// Subscription Identifiers (§3.3.2.3.8); decoded again at each call, if there are any.
    #[must_use]
    pub fn subscription_identifiers(&self) -> Repeated<'_, SubscriptionIdentifier> {
        if self.identified {
            self.properties().subscription_identifiers
        } else {
            Repeated::default()
        }
    }

    /// The packet that it came in.
    #[must_use]
    pub const fn packet(&self) -> &PacketBuf {
        &self.packet
    }

    /// Size of its packet in bytes.
    #[cfg(feature = "tokio")]
    pub(crate) fn len(&self) -> usize {
        self.packet.as_bytes().len()
    }

    /// Bytes of memory that it takes while it waits.
    #[cfg(feature = "tokio")]
    pub(crate) fn charge(&self) -> usize {
        self.len() + ENTRY
    }

    /// The same message in a buffer of its own.
    #[must_use]
    pub fn to_owned_buffer(&self) -> Self {
        Self {
            packet: self.packet.to_owned_buffer(),
            topic: self.topic.clone(),
            aliased: self.aliased.clone(),
            payload: self.payload.clone(),
            ..*self
        }
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.packet
            .as_bytes()
            .get(range.clone())
            .unwrap_or_default()
    }
}

impl fmt::Debug for ReceivedMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedMessage")
            .field("topic", &self.topic())
            .field("payload", &format_args!("{} bytes", self.payload().len()))
            .field("delivery", &self.delivery)
            .field("retain", &self.retain)
            .finish_non_exhaustive()
    }
}
