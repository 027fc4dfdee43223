//! SUBSCRIBE (§3.8): a client's request for messages.

use super::encoding::Body;
use super::packet_id;
use super::properties::{Properties, properties};
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::qos::{PacketId, QoS};
use crate::reader::Reader;
use crate::record::Record;
use crate::repeated::Repeated;
use crate::sink::Sink;
use crate::topic::{self, TopicFilter};
use crate::validated::Validated;
use crate::value::{Item, Rule, Value};

/// SUBSCRIBE (§3.8): a client's request for subscriptions.
///
/// ```
/// use dunlin_codec::{PacketId, QoS, Subscribe, Subscription, TopicFilter};
///
/// let subscriptions = [Subscription::new(TopicFilter::new("lamps/+/state")?, QoS::AtLeastOnce)];
/// let subscribe = Subscribe::new(PacketId::MIN, &subscriptions);
/// assert_eq!(subscribe.encoded_len()?, 21);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Subscribe<'a> {
    /// Packet Identifier, which SUBACK repeats.
    pub packet_id: PacketId,
    /// Properties (§3.8.2.1), which apply to all subscriptions of the packet.
    pub properties: SubscribeProperties<'a>,
    /// Subscriptions (§3.8.3), at least one.
    pub subscriptions: Repeated<'a, Subscription<'a>>,
}

properties! {
    /// The properties of SUBSCRIBE (§3.8.2.1).
    SubscribeProperties owned OwnedSubscribeProperties rule Some("U-3.3.2-4");
    once {
        /// Subscription Identifier, which the server adds to each message for these subscriptions.
        subscription_identifier,
    }
    many {
        /// User Properties: pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}

/// Subscription: a topic filter and its options (§3.8.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Subscription<'a> {
    /// Topic Filter, which selects messages by their topic.
    pub filter: TopicFilter<'a>,
    /// Subscription Options.
    pub options: SubscriptionOptions,
}

/// Subscription Options (§3.8.3.1): the way in which messages are delivered.
///
/// ```
/// use dunlin_codec::{QoS, RetainHandling, SubscriptionOptions};
///
/// let options = SubscriptionOptions {
///     qos: QoS::AtLeastOnce,
///     retain_handling: RetainHandling::SendIfNew,
///     ..SubscriptionOptions::default()
/// };
/// assert!(!options.no_local);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "proptest", derive(proptest_derive::Arbitrary))]
pub struct SubscriptionOptions {
    /// Maximum QoS of deliveries; the default is QoS 0.
    pub qos: QoS,
    /// No Local: messages of this client are not delivered to it; not allowed with a shared
    /// subscription.
    pub no_local: bool,
    /// Retain As Published: deliveries keep the RETAIN flag of the publisher.
    pub retain_as_published: bool,
    /// Retain Handling: retained messages that are sent when the subscription is made.
    pub retain_handling: RetainHandling,
}

/// Retain Handling (§3.8.3.1): retained messages that are sent when a subscription is made.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "proptest", derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum RetainHandling {
    /// All messages that match; the default.
    #[default]
    Send = 0,
    /// All messages that match, if the subscription did not exist before.
    SendIfNew = 1,
    /// No message.
    DontSend = 2,
}

impl RetainHandling {
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Send),
            1 => Some(Self::SendIfNew),
            2 => Some(Self::DontSend),
            _ => None,
        }
    }
}

const NO_LOCAL: u8 = 0b0000_0100;
const RETAIN_AS_PUBLISHED: u8 = 0b0000_1000;
const RESERVED: u8 = 0b1100_0000;

impl<'a> Subscribe<'a> {
    pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        let packet_id = PacketId::read(r, packet_id::OF_REQUEST)?;
        let properties = SubscribeProperties::read(r)?;
        let subscriptions = read_list::<Subscription<'a>, R>(r, "subscriptions", "MQTT-3.8.3-2")?;
        Ok(Self {
            packet_id,
            properties,
            subscriptions,
        })
    }

    /// Reads a body that was checked before.
    #[cfg(feature = "alloc")]
    pub(super) fn reread(mut rest: Validated<'a>) -> Option<Self> {
        Some(Self {
            packet_id: PacketId::reread(&mut rest)?,
            properties: SubscribeProperties::reread(&mut rest)?,
            subscriptions: Repeated::reread(rest),
        })
    }
}

/// Reads one or more items up to the end of the packet. The list borrows their bytes.
pub(super) fn read_list<'a, T: Item<'a>, R: Record>(
    r: &mut Reader<'a, R>,
    field: &'static str,
    statement: &'static str,
) -> Result<Repeated<'a, T>, DecodeError> {
    if r.is_empty() {
        return Err(r.protocol_at(r.offset(), field, Some(statement)));
    }
    // Each item is validated now, and read again when the list is iterated.
    let (bytes, mut items) = (r.peek_rest(), r.check());
    let mut count = 0;
    while !items.is_empty() {
        T::read(&mut items, Rule::form(field))?;
        count += 1;
    }
    r.resume(&items);
    Ok(Repeated::from_wire(bytes, count))
}

impl<'a> Value<'a> for Subscription<'a> {
    #[inline(always)]
    fn read<R: Record>(r: &mut Reader<'a, R>, _: Rule) -> Result<Self, DecodeError> {
        // The filter's text may be left empty by a reader that only checks.
        let mut front = Validated::new(r.peek_rest());
        let filter = TopicFilter::read(r, Rule::form("topic_filter"))?;
        // The options are one byte after the filter.
        let at = r.offset();
        let byte = r.u8("subscription_options")?;
        // Bits 6 and 7 are reserved.
        if byte & RESERVED != 0 {
            r.refuse(r.malformed_at(at, "subscription_options", Some("MQTT-3.8.3-5")))?;
        }
        // QoS 3 and Retain Handling 3 do not exist.
        let Some(options) = SubscriptionOptions::from_byte(byte) else {
            r.refuse(r.protocol_at(at, "subscription_options", Some("U-3.8.3-1")))?;
            return Ok(Self {
                filter,
                options: SubscriptionOptions::default(),
            });
        };
        // A shared subscription delivers messages of all clients.
        if options.no_local && front.prefixed().is_some_and(topic::is_shared) {
            r.refuse(r.protocol_at(at, "no_local", Some("MQTT-3.8.3-4")))?;
        }
        Ok(Self { filter, options })
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        Some(Self {
            filter: TopicFilter::reread(rest)?,
            options: SubscriptionOptions::from_byte(rest.u8()?)?,
        })
    }

    fn write<S: Sink>(&self, sink: &mut S) {
        self.filter.write(sink);
        sink.u8(self.options.byte());
    }
}

impl<'a> Item<'a> for Subscription<'a> {
    #[inline(always)]
    fn skip(rest: &mut Validated<'a>) -> Option<()> {
        rest.prefixed()?;
        rest.u8().map(drop)
    }

    /// Writes the options of a subscription and the length of the next filter with one write: each
    /// write to a growing buffer waits for the one before it.
    #[inline(always)]
    fn write_all<S: Sink>(items: &[Self], sink: &mut S) {
        let Some((first, others)) = items.split_first() else {
            return;
        };
        sink.prefixed(first.filter.as_bytes());
        let mut options = first.options.byte();
        for next in others {
            sink.prefixed_row(options, next.filter.as_bytes());
            options = next.options.byte();
        }
        sink.u8(options);
    }
}

impl SubscriptionOptions {
    /// Options with this maximum QoS; the others are their defaults.
    #[must_use]
    pub const fn new(qos: QoS) -> Self {
        Self {
            qos,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        // Bits 4 and 5 are Retain Handling, bits 0 and 1 the QoS.
        let retain_handling = RetainHandling::from_number(byte >> 4 & 0b11)?;
        Some(Self {
            qos: QoS::from_level(byte & 0b11)?,
            no_local: byte & NO_LOCAL != 0,
            retain_as_published: byte & RETAIN_AS_PUBLISHED != 0,
            retain_handling,
        })
    }

    const fn byte(self) -> u8 {
        self.qos.level()
            | if self.no_local { NO_LOCAL } else { 0 }
            | if self.retain_as_published {
                RETAIN_AS_PUBLISHED
            } else {
                0
            }
            | (self.retain_handling as u8) << 4
    }
}

/// True if a subscription in these bytes is shared and has No Local.
fn has_shared_no_local(mut subscriptions: Validated<'_>) -> bool {
    while let (Some(filter), Some(options)) = (subscriptions.prefixed(), subscriptions.u8()) {
        if options & NO_LOCAL != 0 && topic::is_shared(filter) {
            return true;
        }
    }
    false
}

impl Body for Subscribe<'_> {
    fn packet_type(&self) -> PacketType {
        PacketType::Subscribe
    }

    #[inline(always)]
    fn check(&self) -> Result<(), EncodeError> {
        // An empty list is a protocol error at the receiver. [MQTT-3.8.3-2]
        if self.subscriptions.is_empty() {
            return Err(EncodeError::new(EncodeErrorKind::Missing, "subscriptions"));
        }
        // A shared subscription delivers messages of all clients. [MQTT-3.8.3-4]
        if self.subscriptions.any(
            |each| each.options.no_local && each.filter.is_shared(),
            has_shared_no_local,
        ) {
            return Err(EncodeError::new(EncodeErrorKind::NotAllowed, "no_local"));
        }
        Ok(())
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        self.packet_id.write(sink);
        sink.properties(&self.properties);
        self.subscriptions.write(sink);
    }
}
