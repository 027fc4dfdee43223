//! A message on its way through the server: one buffer, shared by everybody who receives it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_codec::{
    Delivery, EncodeError, Packet, PacketBuf, Publish, PublishProperties, QoS, Repeated, TopicName, Will,
};

use crate::server::limits::MESSAGE_EXPIRY;

/// What was published, without what belongs to the publisher's connection.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    packet: PacketBuf,
    pub(crate) publisher: Arc<str>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    expires_at: Option<Instant>,
}

impl Message {
    pub(crate) fn of_publish(
        publish: &Publish<'_>,
        topic: TopicName<'_>,
        publisher: &Arc<str>,
        now: Instant,
    ) -> Result<Self, EncodeError> {
        let expiry = publish.properties.message_expiry_interval;
        let expiry = expiry.map(|seconds| seconds.clamp(*MESSAGE_EXPIRY.start(), *MESSAGE_EXPIRY.end()));
        let canonical = Publish {
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic: Some(topic),
            properties: PublishProperties {
                topic_alias: None,
                subscription_identifiers: Repeated::default(),
                message_expiry_interval: None,
                ..publish.properties
            },
            payload: publish.payload,
        };
        Ok(Self {
            packet: PacketBuf::new(&Packet::Publish(canonical))?,
            publisher: Arc::clone(publisher),
            qos: publish.delivery.qos(),
            retain: publish.retain,
            expires_at: expiry.map(|seconds| now + Duration::from_secs(seconds.into())),
        })
    }

    pub(crate) fn of_will(will: &Will<'_>, publisher: &Arc<str>, now: Instant) -> Result<Self, EncodeError> {
        let properties = PublishProperties {
            payload_format_indicator: will.properties.payload_format_indicator,
            message_expiry_interval: will.properties.message_expiry_interval,
            response_topic: will.properties.response_topic,
            correlation_data: will.properties.correlation_data,
            content_type: will.properties.content_type,
            user_properties: will.properties.user_properties,
            ..PublishProperties::default()
        };
        let publish = Publish {
            delivery: Delivery::AtMostOnce,
            retain: will.retain,
            topic: Some(will.topic),
            properties,
            payload: will.payload.as_bytes(),
        };
        Ok(Self { qos: will.qos, ..Self::of_publish(&publish, will.topic, publisher, now)? })
    }

    /// The PUBLISH with QoS 0, without RETAIN and expiry: what is the same for every receiver.
    pub(crate) fn publish(&self) -> Option<Publish<'_>> {
        match self.packet.packet() {
            Packet::Publish(publish) => Some(publish),
            _ => None,
        }
    }

    /// The PUBLISH for one receiver; `None` once it has expired. [MQTT-3.3.2-5]
    pub(crate) fn delivered(&self, delivery: Delivery, retain: bool, now: Instant) -> Option<Publish<'_>> {
        let mut publish = self.publish()?;
        if let Some(expires_at) = self.expires_at {
            let left = expires_at.checked_duration_since(now).filter(|left| !left.is_zero())?;
            // Less the time that it waited here, rounded up: what is alive has a second left. [MQTT-3.3.2-6]
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            publish.properties.message_expiry_interval = u32::try_from(seconds).ok();
        }
        publish.delivery = delivery;
        publish.retain = retain;
        Some(publish)
    }

    pub(crate) fn has_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// What it takes in a queue.
    pub(crate) fn len(&self) -> usize {
        self.packet.as_bytes().len()
    }
}
