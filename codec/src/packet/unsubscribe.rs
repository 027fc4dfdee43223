//! UNSUBSCRIBE (§3.10): a client's request to end subscriptions.

use super::encoding::Body;
use super::packet_id;
use super::properties::{Properties, properties};
use super::subscribe::read_list;
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::qos::PacketId;
use crate::reader::Reader;
use crate::record::Record;
use crate::repeated::Repeated;
use crate::sink::Sink;
use crate::topic::TopicFilter;
#[cfg(feature = "alloc")]
use crate::validated::Validated;
use crate::value::Value;

/// UNSUBSCRIBE (§3.10): a client's request to end subscriptions.
///
/// ```
/// use dunlin_codec::{PacketId, TopicFilter, Unsubscribe};
///
/// let filters = [TopicFilter::new("lamps/+/state")?];
/// let unsubscribe = Unsubscribe::new(PacketId::MIN, &filters);
/// assert_eq!(unsubscribe.encoded_len()?, 20);
/// # Ok::<(), Box<dyn core::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Unsubscribe<'a> {
    /// Packet Identifier, which UNSUBACK repeats.
    pub packet_id: PacketId,
    /// Properties (§3.10.2.1).
    pub properties: UnsubscribeProperties<'a>,
    /// Topic Filters, at least one; the server compares them character by character with those of
    /// the subscriptions.
    pub filters: Repeated<'a, TopicFilter<'a>>,
}

properties! {
    /// The properties of UNSUBSCRIBE (§3.10.2.1).
    UnsubscribeProperties owned OwnedUnsubscribeProperties rule None;
    once {}
    many {
        /// User Properties: pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}

impl<'a> Unsubscribe<'a> {
    pub(super) fn read<R: Record>(r: &mut Reader<'a, R>) -> Result<Self, DecodeError> {
        let packet_id = PacketId::read(r, packet_id::OF_REQUEST)?;
        let properties = UnsubscribeProperties::read(r)?;
        let filters = read_list(r, "topic_filter", "MQTT-3.10.3-2")?;
        Ok(Self {
            packet_id,
            properties,
            filters,
        })
    }

    /// Reads a body that was checked before.
    #[cfg(feature = "alloc")]
    pub(super) fn reread(mut rest: Validated<'a>) -> Option<Self> {
        Some(Self {
            packet_id: PacketId::reread(&mut rest)?,
            properties: UnsubscribeProperties::reread(&mut rest)?,
            filters: Repeated::reread(rest),
        })
    }
}

impl Body for Unsubscribe<'_> {
    fn packet_type(&self) -> PacketType {
        PacketType::Unsubscribe
    }

    #[inline(always)]
    fn check(&self) -> Result<(), EncodeError> {
        if self.filters.is_empty() {
            return Err(EncodeError::new(EncodeErrorKind::Missing, "filters"));
        }
        Ok(())
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        self.packet_id.write(sink);
        sink.properties(&self.properties);
        self.filters.write(sink);
    }
}
