//! Messages: what is published borrows, what is received shares the packet that it came in.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use dunlin_codec::{
    BinaryData, Delivery, Packet, PacketBuf, PayloadFormat, Publish, PublishProperties, Repeated,
    SubscriptionIdentifier, TopicAlias, TopicName, UserProperty, Utf8String,
};

use crate::QoS;
use crate::error::RequestError;

/// A message to publish. It borrows; what has to be kept until it is acknowledged is copied once.
///
/// ```
/// use dunlin_client::{Message, QoS};
///
/// let message = Message::new("lamp/7", "on").qos(QoS::AtLeastOnce).retain(true);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// Where: no wildcards.
    pub topic: &'a str,
    /// What; may be empty.
    pub payload: &'a [u8],
    /// How surely.
    pub qos: QoS,
    /// Whether it is kept for later subscribers.
    pub retain: bool,
    /// A number that is to stand for the topic, where [`OutboundAliases::Manual`](crate::OutboundAliases::Manual) is chosen.
    pub topic_alias: Option<TopicAlias>,
    /// What it carries along.
    pub properties: MessageProperties<'a>,
}

/// What a message carries along (§3.3.2.3).
#[derive(Debug, Clone, Copy, Default)]
pub struct MessageProperties<'a> {
    /// What the payload claims to be; it isn't checked.
    pub payload_format_indicator: Option<PayloadFormat>,
    /// Seconds that the message is worth delivering.
    pub message_expiry_interval: Option<u32>,
    /// What the payload is, in the application's words.
    pub content_type: Option<Utf8String<'a>>,
    /// Where to answer.
    pub response_topic: Option<TopicName<'a>>,
    /// What an answer should carry along.
    pub correlation_data: Option<BinaryData<'a>>,
    /// What the application adds, in order.
    pub user_properties: &'a [UserProperty<'a>],
}

impl<'a> Message<'a> {
    /// Of QoS 0, without properties.
    #[must_use]
    pub fn new(topic: &'a str, payload: &'a (impl AsRef<[u8]> + ?Sized)) -> Self {
        let (topic_alias, properties) = (None, MessageProperties::default());
        Self {
            topic,
            payload: payload.as_ref(),
            qos: QoS::AtMostOnce,
            retain: false,
            topic_alias,
            properties,
        }
    }

    /// With this QoS.
    #[must_use]
    pub const fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// Kept for later subscribers, or not.
    #[must_use]
    pub const fn retain(mut self, retain: bool) -> Self {
        self.retain = retain;
        self
    }

    /// What it adds to the queue, in bytes; little more than that is.
    pub(crate) const fn load(&self) -> usize {
        self.topic.len() + self.payload.len()
    }

    /// The packet that carries it.
    pub(crate) fn to_packet(self, delivery: Delivery) -> Result<Publish<'a>, RequestError> {
        Ok(Publish {
            delivery,
            retain: self.retain,
            topic: Some(TopicName::new(self.topic)?),
            properties: PublishProperties {
                payload_format_indicator: self.properties.payload_format_indicator,
                message_expiry_interval: self.properties.message_expiry_interval,
                topic_alias: self.topic_alias,
                content_type: self.properties.content_type,
                response_topic: self.properties.response_topic,
                correlation_data: self.properties.correlation_data,
                user_properties: self.properties.user_properties.into(),
                ..PublishProperties::default()
            },
            payload: self.payload,
        })
    }
}

/// A message that the server sent.
///
/// It shares the buffer that it was read into: a kept message keeps that buffer (64 KiB at most, or one packet) alive.
/// [`to_owned_buffer`](Self::to_owned_buffer) lets go of it.
#[derive(Clone)]
pub struct ReceivedMessage {
    packet: PacketBuf,
    topic: Range<usize>,
    /// The topic where the packet has an alias instead.
    aliased: Option<Arc<str>>,
    payload: Range<usize>,
    delivery: Delivery,
    retain: bool,
    /// Whether it carries subscription identifiers.
    identified: bool,
}

/// Where the parts of a PUBLISH are, and what its fixed header says.
pub(crate) struct Layout {
    topic: Range<usize>,
    payload_len: usize,
    delivery: Delivery,
    retain: bool,
    identified: bool,
}

impl Layout {
    /// Of `publish`, behind a fixed header of `header_len` bytes.
    pub(crate) fn of(publish: &Publish<'_>, header_len: u8) -> Self {
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

impl ReceivedMessage {
    /// What `packet` carries, whose parts are where `layout` says. `aliased` is the topic if the packet has none.
    pub(crate) fn new(packet: PacketBuf, layout: Layout, aliased: Option<Arc<str>>) -> Self {
        let Layout { topic, payload_len, delivery, retain, identified } = layout;
        let end = packet.as_bytes().len();
        Self { packet, topic, aliased, payload: end - payload_len..end, delivery, retain, identified }
    }

    /// The topic that it was published under, also where the packet has an alias instead.
    #[must_use]
    pub fn topic(&self) -> &str {
        if let Some(topic) = &self.aliased {
            return topic;
        }
        std::str::from_utf8(self.part(&self.topic)).unwrap_or_default()
    }

    /// The bytes of the topic: what is a string already needn't be one again to be compared.
    #[cfg(feature = "tokio")]
    pub(crate) fn topic_bytes(&self) -> &[u8] {
        self.aliased.as_ref().map_or_else(|| self.part(&self.topic), |topic| topic.as_bytes())
    }

    /// What was published.
    #[must_use]
    pub fn payload(&self) -> &[u8] {
        self.part(&self.payload)
    }

    /// What was published, sharing this message's buffer.
    #[must_use]
    pub fn payload_shared(&self) -> Bytes {
        self.packet.as_bytes().slice(self.payload.clone())
    }

    /// The QoS that it was delivered with.
    #[must_use]
    pub const fn qos(&self) -> QoS {
        self.delivery.qos()
    }

    /// Whether it was retained before the subscription, or kept its flag.
    #[must_use]
    pub const fn retain(&self) -> bool {
        self.retain
    }

    /// Whether the server may have sent it before (§3.3.1.1).
    #[must_use]
    pub const fn dup(&self) -> bool {
        self.delivery.dup()
    }

    /// How it was delivered: QoS, identifier, repetition.
    #[must_use]
    pub const fn delivery(&self) -> Delivery {
        self.delivery
    }

    /// What it carries along; parsed again at each call.
    #[must_use]
    pub fn properties(&self) -> PublishProperties<'_> {
        match self.packet.packet() {
            Packet::Publish(publish) => publish.properties,
            _ => PublishProperties::default(),
        }
    }

    /// The identifiers of the subscriptions that it was sent for (§3.3.2.3.8); parsed again at each call, if there are any.
    #[must_use]
    pub fn subscription_identifiers(&self) -> Repeated<'_, SubscriptionIdentifier> {
        if self.identified { self.properties().subscription_identifiers } else { Repeated::default() }
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
        self.packet.as_bytes().get(range.clone()).unwrap_or_default()
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
