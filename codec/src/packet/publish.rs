//! PUBLISH (§3.3): a message on its way.

use bytes::BufMut;

use super::decoding::{none_or_refused, whole};
use super::packet_id;
use super::{Body, Packet, encode, encode_announcing, encoded_len, refusal};
use crate::decode::DecodeOptions;
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::header::FixedHeader;
use crate::packet_type::{PacketType, Sender};
use crate::property::{Properties, Value, offset_of, properties, row};
use crate::qos::{PacketId, QoS};
use crate::reader::Reader;
use crate::sink::Sink;
use crate::spans::Record;
use crate::topic::TopicName;

pub(super) const DUP: u8 = 0b1000;
pub(super) const QOS: u8 = 0b0110;
pub(super) const QOS_1: u8 = 0b0010;
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

/// How a message is delivered (§4.3): only what is acknowledged has an identifier and can be a
/// repetition.
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
            Self::AtLeastOnce { packet_id, .. } | Self::ExactlyOnce { packet_id, .. } => {
                Some(packet_id)
            }
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
        Self {
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic: Some(topic),
            properties,
            payload,
        }
    }

    /// Decodes a PUBLISH at the front of `input` without the detour through
    /// [`Packet`](crate::Packet).
    ///
    /// `Ok(None)` means "read more", or that another packet stands there.
    ///
    /// # Errors
    /// As [`Packet::decode`](crate::Packet::decode).
    #[inline]
    pub fn decode(
        input: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Option<(Self, usize)>, DecodeError> {
        let Ok(Some((header, body))) = FixedHeader::split(input, options) else {
            return none_or_refused(input, options);
        };
        if header.packet_type != PacketType::Publish {
            Ok(None)
        } else if Self::is_plain(header, body) {
            whole(header, body, options, (), Self::read_plain)
        } else {
            whole(header, body, options, (), Self::read)
        }
    }

    /// Whether the property length is there and 0, as it mostly is.
    #[inline(always)]
    pub(super) fn is_plain(header: FixedHeader, body: &[u8]) -> bool {
        let Some((topic_len, rest)) = body.split_first_chunk() else {
            return false;
        };
        let id_len = if header.flags & QOS == 0 { 0 } else { 2 };
        rest.get(usize::from(u16::from_be_bytes(*topic_len)) + id_len) == Some(&0)
    }

    /// As [`read`](Self::read), for what [is plain](Self::is_plain): without properties it takes a
    /// third of the time.
    #[inline(always)]
    pub(super) fn read_plain<R: Record>(
        header: FixedHeader,
        r: &mut Reader<'a, R>,
    ) -> Result<Self, DecodeError> {
        Self::read_as(header, r, true)
    }

    #[inline(always)]
    pub(super) fn read<R: Record>(
        header: FixedHeader,
        r: &mut Reader<'a, R>,
    ) -> Result<Self, DecodeError> {
        Self::read_as(header, r, false)
    }

    #[inline(always)]
    fn read_as<R: Record>(
        header: FixedHeader,
        r: &mut Reader<'a, R>,
        plain: bool,
    ) -> Result<Self, DecodeError> {
        let dup = header.flags & DUP != 0;
        if header.flags & (DUP | QOS) == DUP && !r.leniency().dup_at_qos_0 {
            return Err(r.protocol_at(0, "dup", Some("MQTT-3.3.1-2")));
        }
        let topic_at = r.offset();
        let topic = match TopicName::read_optional(r, "topic", "MQTT-3.3.2-2") {
            Ok(topic) => topic,
            Err(error) => {
                return Err(refusal::of_topic(
                    &error,
                    header.flags,
                    r.peek_rest(),
                    r.end(),
                    r.sender(),
                ));
            }
        };
        let delivery = match header.flags & QOS {
            0 => Delivery::AtMostOnce,
            QOS_1 => Delivery::AtLeastOnce {
                packet_id: PacketId::read(r, packet_id::OF_PUBLISH)?,
                dup,
            },
            _ => Delivery::ExactlyOnce {
                packet_id: PacketId::read(r, packet_id::OF_PUBLISH)?,
                dup,
            },
        };
        let before = r.peek_rest();
        let properties = if plain {
            r.u8("property_length")?;
            PublishProperties::default()
        } else {
            match PublishProperties::read(r) {
                Ok(properties) => properties,
                Err(error) => {
                    return Err(refusal::of_properties(
                        &error,
                        delivery,
                        topic.is_some(),
                        before,
                        r.end(),
                        r.sender(),
                    ));
                }
            }
        };
        if topic.is_none() && properties.topic_alias.is_none() {
            r.refuse(r.protocol_at(topic_at, "topic", Some("U-3.3.2-1")))?;
        }
        if r.sender() == Sender::Client && !properties.subscription_identifiers.is_empty() {
            let at = offset_of(row::subscription_identifier::ID, before, r.end());
            return Err(r.protocol_at(
                at,
                row::subscription_identifier::NAME,
                Some("MQTT-3.3.4-6"),
            ));
        }
        Ok(Self {
            delivery,
            retain: header.flags & RETAIN != 0,
            topic,
            properties,
            payload: r.rest("payload"),
        })
    }

    /// Appends the packet to `out`; see [`Packet::encode`](crate::Packet::encode).
    ///
    /// # Errors
    /// As [`Packet::encode`](crate::Packet::encode).
    #[inline]
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        if self.properties.is_empty() {
            encode(&Form::<PLAIN, WHOLE>(self), out)
        } else {
            encode(&Form::<WITH_PROPERTIES, WHOLE>(self), out)
        }
    }

    /// The bytes that [`encode`](Self::encode) writes.
    ///
    /// # Errors
    /// As [`Packet::encode`](crate::Packet::encode).
    pub fn encoded_len(&self) -> Result<usize, EncodeError> {
        encoded_len(&Form::<WITH_PROPERTIES, WHOLE>(self))
    }

    /// Appends everything but the payload to `out`: the payload can then be sent from where it
    /// lies.
    ///
    /// # Errors
    /// As [`Packet::encode`](crate::Packet::encode).
    pub fn encode_head(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        if self.properties.is_empty() {
            encode_announcing(&Form::<PLAIN, HEAD>(self), self.payload.len(), out)
        } else {
            encode_announcing(
                &Form::<WITH_PROPERTIES, HEAD>(self),
                self.payload.len(),
                out,
            )
        }
    }

    fn topic_bytes(&self) -> &'a [u8] {
        self.topic.as_ref().map_or(&[], TopicName::as_bytes)
    }
}

impl<'a> From<Publish<'a>> for Packet<'a> {
    fn from(publish: Publish<'a>) -> Self {
        Self::Publish(publish)
    }
}

/// How a PUBLISH is written: knowing that there are no properties saves two more looks at them, and
/// a payload may go another way.
struct Form<'p, 'a, const PLAIN: bool, const WHOLE: bool>(&'p Publish<'a>);

const PLAIN: bool = true;
const WITH_PROPERTIES: bool = false;
const WHOLE: bool = true;
const HEAD: bool = false;

impl<const PLAIN: bool, const WHOLE: bool> Form<'_, '_, PLAIN, WHOLE> {
    #[inline(always)]
    fn write_behind_topic<S: Sink>(&self, sink: &mut S) {
        let Publish {
            delivery,
            properties,
            payload,
            ..
        } = self.0;
        match delivery.packet_id().map(|id| id.get().to_be_bytes()) {
            // The identifier and a property length of 0 in one stroke.
            Some([high, low]) if PLAIN => sink.bytes(&[high, low, 0]),
            Some(id) => sink.bytes(&id),
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
        self.write_behind_topic(sink);
    }

    #[inline(always)]
    fn write_packet<S: Sink>(&self, first: u8, remaining_length: u32, sink: &mut S) {
        sink.header_prefixed(first, remaining_length, self.0.topic_bytes());
        self.write_behind_topic(sink);
    }
}
