//! Forms of a PUBLISH that is encoded: with and without properties, without its payload, short.

use super::Publish;
use super::encoding::{Body, first_byte};
use super::properties::Properties;
use crate::delivery::DUP;
use crate::error::{EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::sink::Sink;
use crate::topic::TopicName;

impl<'a> Publish<'a> {
    /// True if a property is set, so that the Property Length is more than 0.
    #[inline]
    pub(super) fn has_properties(&self) -> bool {
        !self.properties.is_empty()
    }

    fn topic_bytes(&self) -> &'a [u8] {
        self.topic.as_ref().map_or(&[], TopicName::as_bytes)
    }
}

/// PUBLISH to be written: `PLAIN` if it has no properties, which saves two more looks at them, and
/// `WHOLE` if the payload is written too.
pub(super) struct Form<'p, 'a, const PLAIN: bool, const WHOLE: bool>(pub(super) &'p Publish<'a>);

// Values of the two parameters.
pub(super) const PLAIN: bool = true;
pub(super) const WITH_PROPERTIES: bool = false;
pub(super) const WHOLE: bool = true;
#[cfg(feature = "alloc")]
pub(super) const HEAD: bool = false;

impl<const PLAIN: bool, const WHOLE: bool> Form<'_, '_, PLAIN, WHOLE> {
    #[inline(always)]
    fn write_after_topic<S: Sink>(&self, sink: &mut S) {
        let Publish {
            delivery,
            properties,
            payload,
            ..
        } = self.0;
        match delivery.packet_id().map(|id| id.get().to_be_bytes()) {
            // Packet Identifier and a Property Length of 0, written together.
            Some([high, low]) if PLAIN => sink.array([high, low, 0]),
            Some(id) => sink.array(id),
            None if PLAIN => sink.u8(0),
            None => {}
        }
        if !PLAIN {
            sink.properties(properties);
        }
        if WHOLE {
            sink.bytes(payload);
        }
    }
}

impl<const PLAIN: bool, const WHOLE: bool> Body for Form<'_, '_, PLAIN, WHOLE> {
    fn packet_type(&self) -> PacketType {
        PacketType::Publish
    }

    fn flags(&self) -> u8 {
        let Publish {
            delivery, retain, ..
        } = self.0;
        let dup = if delivery.dup() { DUP } else { 0 };
        dup | delivery.qos().level() << 1 | u8::from(*retain)
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.0.topic.is_none() && self.0.properties.topic_alias.is_none() {
            return Err(EncodeError::new(EncodeErrorKind::Missing, "topic"));
        }
        Ok(())
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.prefixed(self.0.topic_bytes());
        self.write_after_topic(sink);
    }

    #[inline(always)]
    fn write_packet<S: Sink>(&self, first: u8, remaining_length: u32, sink: &mut S) {
        sink.header_prefixed(first, remaining_length, self.0.topic_bytes());
        self.write_after_topic(sink);
    }
}

/// PUBLISH without properties of which topic and payload are short.
pub(super) struct Short<'p, 'a> {
    publish: &'p Publish<'a>,
    topic: &'a [u8],
    /// Remaining Length, at most 127, so that it has one byte.
    remaining_length: u32,
}

impl<'p, 'a> Short<'p, 'a> {
    /// Maximum length in bytes of topic and of payload: both are copied without a call of `memcpy`.
    const MAX_LEN: usize = 64;

    /// `publish` if it has a topic, no properties and the lengths of this type; `None` means that it
    /// has to be encoded in the general way, which also finds its faults.
    #[inline(always)]
    pub(super) fn of(publish: &'p Publish<'a>) -> Option<Self> {
        // Without a topic, an alias is needed, which is a property.
        let topic = publish.topic.as_ref()?.as_bytes();
        // The lengths come first: they tell most other messages from these with two comparisons.
        let payload = publish.payload;
        if topic.len() > Self::MAX_LEN || payload.len() > Self::MAX_LEN {
            return None;
        }
        // Two bytes of the topic's length, a Property Length of 0, and a Packet Identifier.
        let id_len = if publish.delivery.packet_id().is_some() {
            2
        } else {
            0
        };
        let remaining_length = 3 + topic.len() + id_len + payload.len();
        if remaining_length > 0x7f || publish.has_properties() {
            return None;
        }
        #[expect(clippy::cast_possible_truncation, reason = "at most 127")]
        let remaining_length = remaining_length as u32;
        Some(Self {
            publish,
            topic,
            remaining_length,
        })
    }

    /// Length of the packet in bytes.
    #[inline(always)]
    pub(super) const fn len(&self) -> usize {
        2 + self.remaining_length as usize
    }

    /// Writes the packet.
    #[inline(always)]
    pub(super) fn write<S: Sink>(&self, sink: &mut S) {
        // Header and topic in one step, as the Remaining Length has one byte; then the rest.
        let form = Form::<PLAIN, WHOLE>(self.publish);
        sink.header_prefixed(first_byte(&form), self.remaining_length, self.topic);
        form.write_after_topic(sink);
    }
}
