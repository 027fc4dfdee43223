//! The part of a PUBLISH that a repetition must not change.

use std::hash::{DefaultHasher, Hasher};

use dunlin_client::codec::{
    Delivery, Packet, PacketBuf, Publish, PublishProperties, QoS, TopicName,
};

/// Content of a PUBLISH that has to be the same in a repetition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// Size in bytes of the packet without a topic alias.
    pub(super) size: usize,
    digest: u64,
}

impl Content {
    /// Content of `publish` on `topic`: everything but the packet identifier, DUP, the topic alias and
    /// the Message Expiry Interval, which counts down.
    pub(super) fn of(publish: &Publish<'_>, topic: &str) -> Self {
        let properties = PublishProperties {
            topic_alias: None,
            message_expiry_interval: None,
            ..publish.properties
        };
        let topic = TopicName::new(topic).ok();
        let same = Publish {
            delivery: Delivery::AtMostOnce,
            topic,
            properties,
            ..*publish
        };
        let mut hasher = DefaultHasher::new();
        let packet = PacketBuf::new(&Packet::Publish(same))
            .map(PacketBuf::into_bytes)
            .unwrap_or_default();
        hasher.write(&packet);
        let properties = PublishProperties {
            topic_alias: None,
            ..publish.properties
        };
        let size = Publish {
            properties,
            topic,
            ..*publish
        }
        .encoded_len()
        .unwrap_or_default();
        Self {
            qos: publish.delivery.qos(),
            retain: publish.retain,
            size,
            digest: hasher.finish(),
        }
    }
}
