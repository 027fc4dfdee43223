//! `OutgoingMessage`: a message to publish with its own text and bytes, from flags or a JSON line; and
//! `encode_subscribe`.

use std::num::NonZeroU16;

use bytes::Bytes;
use dunlin_client::{Message, MessageProperties, QoS};
use dunlin_codec::{
    BinaryData, Delivery, Packet, PacketId, PayloadFormat, Publish, PublishProperties, Subscribe,
    SubscribeProperties, Subscription, SubscriptionIdentifier, SubscriptionOptions, TopicAlias,
    TopicFilter, TopicName, UserProperty, Utf8String,
};

use crate::args::{MessagePropertyArgs, pairs};
use crate::diagnosis::{Diagnosis, quoted};

/// Message to publish.
#[derive(Clone, Debug, Default)]
pub(crate) struct OutgoingMessage {
    pub(crate) topic: String,
    pub(crate) payload: Bytes,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) topic_alias: Option<TopicAlias>,
    pub(crate) payload_format: Option<PayloadFormat>,
    /// Message Expiry Interval in seconds; `None` means that the message never expires.
    pub(crate) expiry: Option<u32>,
    pub(crate) content_type: Option<String>,
    pub(crate) response_topic: Option<String>,
    pub(crate) correlation: Option<Vec<u8>>,
    pub(crate) user_properties: Vec<(String, String)>,
}

impl OutgoingMessage {
    /// Message with the properties of the flags, without a payload.
    pub(crate) fn new(topic: String, typed: MessagePropertyArgs) -> Self {
        Self {
            topic,
            payload: Bytes::new(),
            qos: typed.qos,
            retain: typed.retain,
            topic_alias: typed.topic_alias,
            payload_format: typed.payload_format.map(Into::into),
            expiry: typed.expiry,
            content_type: typed.content_type,
            response_topic: typed.response_topic,
            correlation: typed.correlation.map(|data| data.0),
            user_properties: pairs(typed.user_property),
        }
    }

    /// User properties in the form that [`as_message`](Self::as_message) borrows.
    pub(crate) fn user_pairs(&self) -> Vec<(&str, &str)> {
        self.user_properties
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect()
    }

    /// Message as the client takes it.
    pub(crate) fn as_message<'a>(&'a self, user_pairs: &'a [(&'a str, &'a str)]) -> Message<'a> {
        let mut message = Message::new(&self.topic, self.payload.clone())
            .qos(self.qos)
            .retain(self.retain);
        message.topic_alias = self.topic_alias;
        message.properties = MessageProperties {
            payload_format_indicator: self.payload_format,
            message_expiry_interval: self.expiry,
            content_type: self.content_type.as_deref(),
            response_topic: self.response_topic.as_deref(),
            correlation_data: self.correlation.as_deref(),
            user_properties: user_pairs,
        };
        message
    }

    /// Checks that the message can be sent, and returns its packet.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a topic, text or data that MQTT doesn't allow.
    pub(crate) fn encode(&self) -> Result<Vec<u8>, Diagnosis> {
        let wrong = |what: &str, error: &dyn std::fmt::Display| {
            Diagnosis::usage(format!("the {what} can't be sent: {error}"))
        };
        let topic = |what: &str, topic: &str| match TopicName::new(topic) {
            Ok(_) => Ok(()),
            Err(error) => Err(wrong(&format!("{what} {}", quoted(topic)), &error)),
        };
        topic("topic", &self.topic)?;
        if let Some(response_topic) = &self.response_topic {
            topic("response topic", response_topic)?;
        }
        let user_properties: Vec<UserProperty<'_>> = self
            .user_properties
            .iter()
            .map(|(name, value)| UserProperty::new(name, value))
            .collect::<Result<_, _>>()
            .map_err(|error| wrong("user property", &error))?;
        let content_type = self.content_type.as_deref().map(Utf8String::new);
        let correlation = self.correlation.as_deref().map(BinaryData::new);
        // The packet identifier stands for that of a connection.
        let packet_id = PacketId::from(NonZeroU16::MIN);
        let publish = Publish {
            delivery: match self.qos {
                QoS::AtMostOnce => Delivery::AtMostOnce,
                QoS::AtLeastOnce => Delivery::AtLeastOnce {
                    packet_id,
                    dup: false,
                },
                QoS::ExactlyOnce => Delivery::ExactlyOnce {
                    packet_id,
                    dup: false,
                },
            },
            retain: self.retain,
            topic: TopicName::new(&self.topic).ok(),
            properties: PublishProperties {
                payload_format_indicator: self.payload_format,
                message_expiry_interval: self.expiry,
                topic_alias: self.topic_alias,
                content_type: content_type
                    .transpose()
                    .map_err(|error| wrong("content type", &error))?,
                response_topic: self
                    .response_topic
                    .as_deref()
                    .and_then(|topic| TopicName::new(topic).ok()),
                correlation_data: correlation
                    .transpose()
                    .map_err(|error| wrong("correlation data", &error))?,
                user_properties: user_properties.as_slice().into(),
                ..PublishProperties::default()
            },
            payload: &self.payload,
        };
        let mut bytes = Vec::new();
        Packet::Publish(publish)
            .encode(&mut bytes)
            .map_err(|error| wrong("message", &error))?;
        Ok(bytes)
    }
}

/// Encodes a SUBSCRIBE of these filters, with this Subscription Identifier if there is one.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for filters that can't be sent.
pub(crate) fn encode_subscribe(
    filters: &[(String, SubscriptionOptions)],
    identifier: Option<SubscriptionIdentifier>,
) -> Result<Vec<u8>, Diagnosis> {
    let mut subscriptions = Vec::new();
    for (filter, options) in filters {
        let filter = TopicFilter::new(filter).map_err(|error| {
            Diagnosis::usage(format!("the topic filter can't be sent: {error}"))
        })?;
        subscriptions.push(Subscription {
            filter,
            options: *options,
        });
    }
    let subscribe = Subscribe {
        packet_id: PacketId::from(NonZeroU16::MIN),
        properties: SubscribeProperties {
            subscription_identifier: identifier,
            ..SubscribeProperties::default()
        },
        subscriptions: subscriptions.as_slice().into(),
    };
    let mut bytes = Vec::new();
    Packet::Subscribe(subscribe)
        .encode(&mut bytes)
        .map_err(|error| Diagnosis::usage(format!("SUBSCRIBE can't be sent: {error}")))?;
    Ok(bytes)
}
