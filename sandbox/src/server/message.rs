//! A message in the server: one buffer, shared by all its receivers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_codec::{
    Delivery, EncodeError, Packet, PacketBuf, Publish, PublishProperties, QoS, Repeated,
    SubscriptionIdentifier, TopicName, Will,
};

use crate::server::charge::{Charge, MemoryCounter};
use crate::server::limits::QUEUED_OVERHEAD;
use crate::server::settings::Settings;

/// Published message, without the parts that belong to the publisher's connection (alias, packet
/// identifier, DUP).
#[derive(Debug, Clone)]
pub(crate) struct Message {
    packet: PacketBuf,
    pub(crate) publisher: Arc<str>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// End of the Message Expiry Interval; `None` for a message that never expires.
    expires_at: Option<Instant>,
    /// Factor by which the service's clocks run faster.
    time_scale: u32,
    pub(super) charge: Charge,
}

impl Message {
    /// Copies a PUBLISH; its expiry is within the range of the profile.
    ///
    /// # Errors
    /// [`EncodeError`] if the message can't be encoded.
    pub(crate) fn of_publish(
        publish: &Publish<'_>,
        topic: TopicName<'_>,
        publisher: &Arc<str>,
        settings: &Settings,
        memory: &MemoryCounter,
        now: Instant,
    ) -> Result<Self, EncodeError> {
        // The profile may shorten or lengthen the expiry.
        let range = &settings.rules().message_expiry;
        let expiry = publish.properties.message_expiry_interval;
        let expiry = expiry.map(|seconds| seconds.clamp(*range.start(), *range.end()));

        // All that differs between receivers is left out: QoS, RETAIN, alias, identifiers, expiry.
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
        let packet = PacketBuf::new(&Packet::Publish(canonical))?;
        Ok(Self {
            charge: memory.charge(packet.as_bytes().len() + QUEUED_OVERHEAD),
            packet,
            publisher: Arc::clone(publisher),
            qos: publish.delivery.qos(),
            retain: publish.retain,
            expires_at: expiry.map(|seconds| now + settings.scaled_seconds(seconds)),
            time_scale: settings.time_scale.max(1),
        })
    }

    /// Copies a will; [`Self::begin_expiry`] sets its expiry.
    ///
    /// # Errors
    /// [`EncodeError`] if the message can't be encoded.
    pub(crate) fn of_will(
        will: &Will<'_>,
        publisher: &Arc<str>,
        settings: &Settings,
        memory: &MemoryCounter,
        now: Instant,
    ) -> Result<Self, EncodeError> {
        // The properties of a will are those of its PUBLISH (§3.1.3.2).
        let properties = PublishProperties {
            payload_format_indicator: will.properties.payload_format_indicator,
            message_expiry_interval: None,
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
        Ok(Self {
            qos: will.qos,
            ..Self::of_publish(&publish, will.topic, publisher, settings, memory, now)?
        })
    }

    /// Topic Name of the message.
    pub(crate) fn topic(&self) -> String {
        let topic = self.publish().and_then(|publish| publish.topic);
        topic.map_or_else(String::new, |topic| topic.as_str().into())
    }

    /// PUBLISH with QoS 0, without RETAIN and expiry: the part that all receivers share.
    pub(crate) fn publish(&self) -> Option<Publish<'_>> {
        match self.packet.packet() {
            Packet::Publish(publish) => Some(publish),
            _ => None,
        }
    }

    /// PUBLISH for one receiver, with the seconds that are left of its Message Expiry Interval,
    /// rounded up to at least 1. [MQTT-3.3.2-6]
    pub(crate) fn delivered<'a>(
        &'a self,
        delivery: Delivery,
        retain: bool,
        identifiers: &'a [SubscriptionIdentifier],
        now: Instant,
    ) -> Option<Publish<'a>> {
        let mut publish = self.publish()?;
        if let Some(expires_at) = self.expires_at {
            let left = expires_at
                .saturating_duration_since(now)
                .saturating_mul(self.time_scale);
            let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
            publish.properties.message_expiry_interval = u32::try_from(seconds.max(1)).ok();
        }
        publish.properties.subscription_identifiers = Repeated::from(identifiers);
        publish.delivery = delivery;
        publish.retain = retain;
        Some(publish)
    }

    pub(crate) fn has_expired(&self, now: Instant) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    /// Sets the expiry from `now` on; that of a will begins when the will is published.
    pub(crate) fn begin_expiry(&mut self, expiry: Option<Duration>, now: Instant) {
        self.expires_at = expiry.map(|expiry| now + expiry);
    }

    /// Bytes of the message in a queue.
    pub(crate) fn len(&self) -> usize {
        self.packet.as_bytes().len()
    }
}
