//! PUBLISH (§3.3): a message on its way.

use bytes::BufMut;

use super::packet_id::PACKET_ID;
use super::{Body, encode_announcing, none_or_refused, whole};
use crate::decode::DecodeOptions;
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::header::FixedHeader;
use crate::packet_type::{PacketType, Sender};
use crate::property::{Properties, Value, offset_of, properties, row};
use crate::qos::{PacketId, QoS};
use crate::topic::TopicName;
use crate::wire::{Reader, Sink};

const DUP: u8 = 0b1000;
const QOS: u8 = 0b0110;
const QOS_1: u8 = 0b0010;
const RETAIN: u8 = 0b0001;

/// A message (§3.3).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Publish<'a> {
    /// The QoS, and what comes with it.
    pub delivery: Delivery,
    /// Whether the message is kept for later subscribers, or was (§3.3.1.3).
    pub retain: bool,
    /// The topic; `None` where the topic alias stands for it.
    pub topic: Option<TopicName<'a>>,
    /// What the message carries along.
    pub properties: PublishProperties<'a>,
    /// The message itself; may be empty.
    pub payload: &'a [u8],
}

/// How a message is delivered (§4.3): only what is acknowledged has an identifier and can be a repetition.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "proptest", derive(proptest_derive::Arbitrary))]
pub enum Delivery {
    /// QoS 0.
    #[default]
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce {
        /// What PUBACK will name.
        packet_id: PacketId,
        /// Whether it may have been sent before (§3.3.1.1).
        dup: bool,
    },
    /// QoS 2.
    ExactlyOnce {
        /// What PUBREC, PUBREL and PUBCOMP will name.
        packet_id: PacketId,
        /// Whether it may have been sent before (§3.3.1.1).
        dup: bool,
    },
}

properties! {
    /// The properties of PUBLISH (§3.3.2.3).
    PublishProperties owned OwnedPublishProperties rule None;
    once {
        /// What the payload claims to be.
        payload_format_indicator,
        /// Seconds that the message is worth delivering; absent is for ever.
        message_expiry_interval,
        /// A number that stands for the topic on this connection.
        topic_alias,
        /// Where to answer.
        response_topic,
        /// What an answer should carry along.
        correlation_data,
        /// What the payload is, in the application's words.
        content_type,
    }
    many {
        /// The subscriptions that it was sent for; from servers only.
        subscription_identifiers: subscription_identifier,
        /// What the application adds.
        user_properties: user_property,
    }
}

impl Delivery {
    /// Of `qos`; `packet_id` is left out at QoS 0.
    #[must_use]
    pub const fn new(qos: QoS, packet_id: PacketId, dup: bool) -> Self {
        match qos {
            QoS::AtMostOnce => Self::AtMostOnce,
            QoS::AtLeastOnce => Self::AtLeastOnce { packet_id, dup },
            QoS::ExactlyOnce => Self::ExactlyOnce { packet_id, dup },
        }
    }

    /// The QoS.
    #[must_use]
    pub const fn qos(self) -> QoS {
        match self {
            Self::AtMostOnce => QoS::AtMostOnce,
            Self::AtLeastOnce { .. } => QoS::AtLeastOnce,
            Self::ExactlyOnce { .. } => QoS::ExactlyOnce,
        }
    }

    /// The identifier, above QoS 0.
    #[must_use]
    pub const fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce { packet_id, .. } | Self::ExactlyOnce { packet_id, .. } => Some(packet_id),
        }
    }

    /// Whether it may be a repetition.
    #[must_use]
    pub const fn dup(self) -> bool {
        match self {
            Self::AtMostOnce => false,
            Self::AtLeastOnce { dup, .. } | Self::ExactlyOnce { dup, .. } => dup,
        }
    }
}

impl<'a> Publish<'a> {
    /// A message of QoS 0 without properties.
    #[must_use]
    pub fn new(topic: TopicName<'a>, payload: &'a [u8]) -> Self {
        let properties = PublishProperties::default();
        Self { delivery: Delivery::AtMostOnce, retain: false, topic: Some(topic), properties, payload }
    }

    /// Decodes a PUBLISH at the front of `input` without the detour through [`Packet`](crate::Packet).
    ///
    /// `Ok(None)` means "read more", or that another packet stands there.
    ///
    /// # Errors
    /// As [`Packet::decode`](crate::Packet::decode).
    #[inline]
    pub fn decode(input: &'a [u8], options: &DecodeOptions) -> Result<Option<(Self, usize)>, DecodeError> {
        let Ok(Some((header, body))) = FixedHeader::split(input, options) else {
            return none_or_refused(input, options);
        };
        if header.packet_type != PacketType::Publish {
            Ok(None)
        } else if Self::is_plain(header, body) {
            whole(header, body, options, Self::read_plain)
        } else {
            whole(header, body, options, Self::read)
        }
    }

    /// Whether the property length is there and 0, as it mostly is.
    #[inline(always)]
    pub(super) fn is_plain(header: FixedHeader, body: &[u8]) -> bool {
        let Some((topic_len, rest)) = body.split_first_chunk() else { return false };
        let id_len = if header.flags & QOS == 0 { 0 } else { 2 };
        rest.get(usize::from(u16::from_be_bytes(*topic_len)) + id_len) == Some(&0)
    }

    /// As [`read`](Self::read), for what [is plain](Self::is_plain): without properties it takes a third of the time.
    #[inline(always)]
    pub(super) fn read_plain(header: FixedHeader, r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Self::read_with(header, r, |r| r.u8("property_length").map(|_| PublishProperties::default()))
    }

    #[inline(always)]
    pub(super) fn read(header: FixedHeader, r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Self::read_with(header, r, PublishProperties::read)
    }

    #[inline(always)]
    fn read_with(
        header: FixedHeader,
        r: &mut Reader<'a>,
        read_properties: impl FnOnce(&mut Reader<'a>) -> Result<PublishProperties<'a>, DecodeError>,
    ) -> Result<Self, DecodeError> {
        let dup = header.flags & DUP != 0;
        if header.flags & (DUP | QOS) == DUP && !r.leniency().dup_at_qos_0 {
            return Err(r.protocol_at(0, "dup", Some("MQTT-3.3.1-2")));
        }
        let topic_at = r.offset();
        let topic = TopicName::read_optional(r, "topic", "MQTT-3.3.2-2")?;
        let delivery = match header.flags & QOS {
            0 => Delivery::AtMostOnce,
            QOS_1 => Delivery::AtLeastOnce { packet_id: PacketId::read(r, PACKET_ID)?, dup },
            _ => Delivery::ExactlyOnce { packet_id: PacketId::read(r, PACKET_ID)?, dup },
        };
        let before = r.peek_rest();
        let properties = read_properties(r)?;
        if topic.is_none() && properties.topic_alias.is_none() {
            return Err(r.protocol_at(topic_at, "topic", Some("U-3.3.2-1")));
        }
        if r.sender() == Sender::Client && !properties.subscription_identifiers.is_empty() {
            let at = offset_of(row::subscription_identifier::ID, before, r.end());
            return Err(r.protocol_at(at, row::subscription_identifier::NAME, Some("MQTT-3.3.4-6")));
        }
        Ok(Self { delivery, retain: header.flags & RETAIN != 0, topic, properties, payload: r.rest() })
    }

    /// Appends everything but the payload to `out`: the payload can then be sent from where it lies.
    ///
    /// # Errors
    /// As [`Packet::encode`](crate::Packet::encode).
    pub fn encode_head(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        encode_announcing(&Head(self), self.payload.len(), out)
    }

    #[inline(always)]
    fn write_head<S: Sink>(&self, sink: &mut S) {
        sink.prefixed(self.topic.as_ref().map_or(&[], |topic| topic.as_bytes()));
        if let Some(packet_id) = self.delivery.packet_id() {
            packet_id.write(sink);
        }
        sink.properties(&self.properties);
    }
}

impl Body for Publish<'_> {
    fn packet_type(&self) -> PacketType {
        PacketType::Publish
    }

    fn flags(&self) -> u8 {
        let dup = if self.delivery.dup() { DUP } else { 0 };
        dup | self.delivery.qos().level() << 1 | u8::from(self.retain)
    }

    fn check(&self) -> Result<(), EncodeError> {
        if self.topic.is_none() && self.properties.topic_alias.is_none() {
            return Err(EncodeError::new(EncodeErrorKind::Missing, "topic"));
        }
        Ok(())
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        self.write_head(sink);
        sink.bytes(self.payload);
    }
}

/// A PUBLISH whose payload goes another way.
struct Head<'p, 'a>(&'p Publish<'a>);

impl Body for Head<'_, '_> {
    fn packet_type(&self) -> PacketType {
        PacketType::Publish
    }

    fn flags(&self) -> u8 {
        self.0.flags()
    }

    fn check(&self) -> Result<(), EncodeError> {
        self.0.check()
    }

    fn write<S: Sink>(&self, sink: &mut S) {
        self.0.write_head(sink);
    }
}
