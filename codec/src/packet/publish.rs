//! PUBLISH (§3.3): an application message.

use super::body::{incomplete_or_other, whole_of_type};
use super::properties::Properties;
use super::publish_properties::PublishProperties;
use super::{packet_id, refusal};
use crate::decode::{DecodeOptions, Decoded};
use crate::delivery::{DUP, Delivery, QOS, QOS_1};
use crate::error::DecodeError;
use crate::header::FixedHeader;
use crate::packet_type::{PacketType, Sender};
use crate::property::{offset_of, row};
use crate::qos::{PacketId, QoS};
use crate::reader::Reader;
use crate::record::Record;
use crate::topic::TopicName;
#[cfg(feature = "alloc")]
use crate::validated::{Validated, str_of};
use crate::value::Value;

const RETAIN: u8 = 0b0001;

/// PUBLISH (§3.3): an application message.
///
/// ```
/// use dunlin_codec::{Delivery, PacketId, Publish, PublishProperties, TopicName};
///
/// let publish = Publish {
///     delivery: Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false },
///     retain: true,
///     properties: PublishProperties {
///         message_expiry_interval: Some(60),
///         ..PublishProperties::default()
///     },
///     ..Publish::new(TopicName::new("lamps/7/state")?, b"on")
/// };
/// let mut out = Vec::new();
/// publish.encode(&mut out)?;
/// assert_eq!(out.len(), 27);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Publish<'a> {
    /// QoS, with Packet Identifier and DUP flag for QoS 1 and 2.
    pub delivery: Delivery,
    /// RETAIN flag (§3.3.1.3): the server stores the message for later subscribers, or sends one
    /// that it stored.
    pub retain: bool,
    /// Topic Name (§3.3.2.1); `None` means the topic of the Topic Alias in the properties.
    pub topic: Option<TopicName<'a>>,
    /// Properties (§3.3.2.3).
    pub properties: PublishProperties<'a>,
    /// Payload (§3.3.3) of 0 to 268,435,455 bytes.
    pub payload: &'a [u8],
}

impl<'a> Publish<'a> {
    /// PUBLISH of QoS 0 without topic, properties and payload, whose fields are set one by one.
    pub(super) const EMPTY: Self = Self {
        delivery: Delivery::AtMostOnce,
        retain: false,
        topic: None,
        properties: PublishProperties::new(),
        payload: &[],
    };

    /// PUBLISH of QoS 0 without properties.
    #[must_use]
    pub const fn new(topic: TopicName<'a>, payload: &'a [u8]) -> Self {
        let properties = PublishProperties::new();
        Self {
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic: Some(topic),
            properties,
            payload,
        }
    }

    /// QoS of the message.
    #[must_use]
    pub const fn qos(&self) -> QoS {
        self.delivery.qos()
    }

    /// Packet Identifier; `None` at QoS 0.
    #[must_use]
    pub const fn packet_id(&self) -> Option<PacketId> {
        self.delivery.packet_id()
    }

    /// DUP flag: the PUBLISH may have been sent before; always `false` at QoS 0.
    #[must_use]
    pub const fn is_dup(&self) -> bool {
        self.delivery.dup()
    }

    /// Decodes a PUBLISH at the front of `input`, strictly and from either side, without making a
    /// [`Packet`](crate::Packet): the PUBLISH and its length in bytes, or that another packet is
    /// there.
    ///
    /// # Errors
    /// The errors of [`Packet::decode`](crate::Packet::decode).
    #[inline]
    pub fn decode(input: &'a [u8]) -> Result<Decoded<Self>, DecodeError> {
        Self::decode_with(input, &DecodeOptions::default())
    }

    /// Decodes a PUBLISH at the front of `input` like [`decode`](Self::decode), with options.
    ///
    /// # Errors
    /// The errors of [`Packet::decode_with`](crate::Packet::decode_with).
    #[inline]
    pub fn decode_with(
        input: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Decoded<Self>, DecodeError> {
        // Incomplete and refused packets are decoded again in a cold function.
        let Ok(Some((header, body))) = FixedHeader::split(input, options) else {
            return incomplete_or_other(input, options, |found| found == PacketType::Publish);
        };
        if header.packet_type != PacketType::Publish {
            Ok(Decoded::Other(header.packet_type))
        } else if let Some(publish) = Self::plain(header, body) {
            Ok(Decoded::Packet(publish, header.packet_len()))
        } else if Self::is_plain(header, body) {
            whole_of_type(header, body, options, Self::read_plain)
        } else {
            whole_of_type(header, body, options, Self::read)
        }
    }

    /// PUBLISH in the usual form: a topic of ASCII characters and no properties. `None` means that
    /// the body has to be read in the general way, which also finds its faults.
    #[inline(always)]
    pub(super) fn plain(header: FixedHeader, body: &'a [u8]) -> Option<Self> {
        Self::plain_with(header.flags, body, TopicName::plain)
    }

    /// True for a body that [`plain`](Self::plain) accepts.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(super) fn check_plain(header: FixedHeader, body: &'a [u8]) -> bool {
        let is_plain = |topic| TopicName::is_plain(topic).then_some(TopicName::of_validated(""));
        Self::plain_with(header.flags, body, is_plain).is_some()
    }

    /// PUBLISH without properties in a body that was checked before; `None` for another form.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(super) fn plain_again(flags: u8, body: &'a [u8]) -> Option<Self> {
        let topic =
            |topic: &'a [u8]| (!topic.is_empty()).then(|| TopicName::of_validated(str_of(topic)));
        Self::plain_with(flags, body, topic)
    }

    #[inline(always)]
    fn plain_with(
        flags: u8,
        body: &'a [u8],
        read_topic: impl FnOnce(&'a [u8]) -> Option<TopicName<'a>>,
    ) -> Option<Self> {
        let (&len, rest) = body.split_first_chunk()?;
        let (topic, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes(len)))?;
        let dup = flags & DUP != 0;
        let (delivery, rest) = match flags & QOS {
            0 if dup => return None,
            0 => (Delivery::AtMostOnce, rest),
            qos => {
                let (&id, rest) = rest.split_first_chunk()?;
                let packet_id = PacketId::new(u16::from_be_bytes(id))?;
                let delivery = if qos == QOS_1 {
                    Delivery::AtLeastOnce { packet_id, dup }
                } else {
                    Delivery::ExactlyOnce { packet_id, dup }
                };
                (delivery, rest)
            }
        };
        // A Property Length of 0, and the payload.
        let [0, payload @ ..] = rest else {
            return None;
        };
        Some(Self {
            delivery,
            retain: flags & RETAIN != 0,
            topic: Some(read_topic(topic)?),
            properties: PublishProperties::default(),
            payload,
        })
    }

    /// Sets the fields from the flags of the fixed header and a body that was checked before.
    #[cfg(feature = "alloc")]
    pub(super) fn fill(&mut self, flags: u8, mut rest: Validated<'a>) -> Option<()> {
        self.retain = flags & RETAIN != 0;
        let topic = rest.text()?;
        self.topic = (!topic.is_empty()).then(|| TopicName::of_validated(topic));
        if flags & QOS != 0 {
            let (qos, packet_id) = (
                QoS::from_level((flags & QOS) >> 1)?,
                PacketId::reread(&mut rest)?,
            );
            self.delivery = Delivery::new(qos, packet_id, flags & DUP != 0);
        }
        self.properties.fill(rest.properties()?)?;
        self.payload = rest.take_rest();
        Some(())
    }

    /// True if the Property Length is 0, as in most messages.
    #[inline(always)]
    pub(super) fn is_plain(header: FixedHeader, body: &[u8]) -> bool {
        // The Property Length is after the topic and, above QoS 0, the Packet Identifier.
        let Some((topic_len, rest)) = body.split_first_chunk() else {
            return false;
        };
        let id_len = if header.flags & QOS == 0 { 0 } else { 2 };
        rest.get(usize::from(u16::from_be_bytes(*topic_len)) + id_len) == Some(&0)
    }

    /// Reads a PUBLISH without properties, for which [`is_plain`](Self::is_plain) is true, in a
    /// third of the time of [`read`](Self::read).
    #[inline(always)]
    pub(super) fn read_plain<R: Record>(
        header: FixedHeader,
        r: &mut Reader<'a, R>,
    ) -> Result<Self, DecodeError> {
        let mut publish = Self::EMPTY;
        publish.read_into(header, r, true)?;
        Ok(publish)
    }

    #[inline(always)]
    pub(super) fn read<R: Record>(
        header: FixedHeader,
        r: &mut Reader<'a, R>,
    ) -> Result<Self, DecodeError> {
        let mut publish = Self::EMPTY;
        publish.read_into(header, r, false)?;
        Ok(publish)
    }

    /// Reads a PUBLISH into [`EMPTY`](Self::EMPTY): in place, as a PUBLISH is large.
    #[inline(always)]
    pub(super) fn read_into<R: Record>(
        &mut self,
        header: FixedHeader,
        r: &mut Reader<'a, R>,
        plain: bool,
    ) -> Result<(), DecodeError> {
        // The flags of the fixed header: at QoS 0 nothing is ever sent again, so DUP has no
        // meaning.
        let dup = header.flags & DUP != 0;
        if header.flags & (DUP | QOS) == DUP && !r.leniency().dup_at_qos_0 {
            return Err(r.protocol_at(0, "dup", Some("MQTT-3.3.1-2")));
        }
        // The Topic Name, which may be empty if an alias stands for it.
        let topic_at = r.offset();
        self.topic = match TopicName::read_of_publish(r, "topic", "MQTT-3.3.2-2") {
            Ok(topic) => topic,
            Err(error) => {
                // A wrong topic concerns the message alone if the rest can be read.
                return Err(refusal::of_topic(
                    &error,
                    header.flags,
                    r.peek_rest(),
                    r.end(),
                    r.sender(),
                ));
            }
        };
        // Only QoS 1 and 2 have a Packet Identifier. [MQTT-2.2.1-2]
        self.delivery = match header.flags & QOS {
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
        // The properties; most messages have none, and the constant `plain` then removes their
        // code.
        let before = r.peek_rest();
        if plain {
            r.u8("property_length")?;
        } else if let Err(error) = self.properties.read_into(r) {
            return Err(refusal::of_properties(
                &error,
                self.delivery,
                self.topic.is_some(),
                before,
                r.end(),
                r.sender(),
            ));
        }
        // Without a topic, an alias has to say where the message belongs.
        if self.topic.is_none() && self.properties.topic_alias.is_none() {
            r.refuse(r.protocol_at(topic_at, "topic", Some("U-3.3.2-1")))?;
        }
        // Subscription Identifiers go from servers to clients only.
        if r.sender() == Sender::Client && !self.properties.subscription_identifiers.is_empty() {
            let at = offset_of(row::subscription_identifier::ID, before, r.end());
            return Err(r.protocol_at(
                at,
                row::subscription_identifier::NAME,
                Some("MQTT-3.3.4-6"),
            ));
        }
        self.retain = header.flags & RETAIN != 0;
        // All that is left; the payload has no length of its own.
        self.payload = r.rest("payload");
        Ok(())
    }
}
