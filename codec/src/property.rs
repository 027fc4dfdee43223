//! Properties (§2.2.2): one table of 27 rows, from which each packet's set takes its fields.

use core::num::{NonZeroU16, NonZeroU32};

use crate::error::DecodeError;
use crate::property_types::{PayloadFormat, SubscriptionIdentifier, TopicAlias};
use crate::qos::QoS;
use crate::reader::Reader;
use crate::record::Record;
use crate::text::{BinaryData, UserProperty, Utf8String};
use crate::topic::TopicName;
use crate::validated::Validated;

/// Data type of a property's value on the wire (§1.5).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataType {
    /// One byte.
    Byte,
    /// Two bytes, big endian.
    TwoByteInteger,
    /// Four bytes, big endian.
    FourByteInteger,
    /// One to four bytes (§1.5.5).
    VariableByteInteger,
    /// Two bytes of length, then UTF-8 text (§1.5.4).
    Utf8EncodedString,
    /// Two bytes of length, then bytes (§1.5.6).
    BinaryData,
    /// Two strings (§1.5.7).
    Utf8StringPair,
}

/// Row of the property table (Table 2-4).
///
/// ```
/// use dunlin_codec::{DataType, PROPERTIES};
///
/// let row = PROPERTIES.iter().find(|row| row.name == "topic_alias").expect("a row");
/// assert_eq!((row.id, row.data_type), (0x23, DataType::TwoByteInteger));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct PropertyRow {
    /// Identifier on the wire.
    pub id: u8,
    /// Name in snake case, as the fields of the packets have it.
    pub name: &'static str,
    /// Data type of the value.
    pub data_type: DataType,
}

/// True for the property whose value `Debug` doesn't show: Authentication Data.
pub(crate) const fn is_secret(id: u8) -> bool {
    id == row::authentication_data::ID
}

macro_rules! property_table {
    ($($id:literal $name:ident: $value:ty = $data_type:ident;)*) => {
        /// Property table (Table 2-4), in the order of the identifiers.
        pub const PROPERTIES: [PropertyRow; 27] = [
            $(PropertyRow { id: $id, name: stringify!($name), data_type: DataType::$data_type },)*
        ];

        pub(crate) const fn data_type(id: u8) -> Option<DataType> {
            match id {
                $($id => Some(DataType::$data_type),)*
                _ => None,
            }
        }

        /// One module for each row, by the property's name, to which the packets refer.
        pub(crate) mod row {
            $(pub(crate) mod $name {
                #[allow(unused_imports, reason = "each row needs the types of its own value only")]
                use super::super::*;

                pub(crate) const ID: u8 = $id;
                pub(crate) const NAME: &str = stringify!($name);
                pub(crate) type Value<'a> = $value;
                #[cfg(feature = "alloc")]
                pub(crate) type Owned = <Value<'static> as crate::owned::Own>::Owned;
            })*
        }
    };
}

property_table! {
    0x01 payload_format_indicator: PayloadFormat = Byte;
    0x02 message_expiry_interval: u32 = FourByteInteger;
    0x03 content_type: Utf8String<'a> = Utf8EncodedString;
    0x08 response_topic: TopicName<'a> = Utf8EncodedString;
    0x09 correlation_data: BinaryData<'a> = BinaryData;
    0x0B subscription_identifier: SubscriptionIdentifier = VariableByteInteger;
    0x11 session_expiry_interval: u32 = FourByteInteger;
    0x12 assigned_client_identifier: Utf8String<'a> = Utf8EncodedString;
    0x13 server_keep_alive: u16 = TwoByteInteger;
    0x15 authentication_method: Utf8String<'a> = Utf8EncodedString;
    0x16 authentication_data: BinaryData<'a> = BinaryData;
    0x17 request_problem_information: bool = Byte;
    0x18 will_delay_interval: u32 = FourByteInteger;
    0x19 request_response_information: bool = Byte;
    0x1A response_information: Utf8String<'a> = Utf8EncodedString;
    0x1C server_reference: Utf8String<'a> = Utf8EncodedString;
    0x1F reason_string: Utf8String<'a> = Utf8EncodedString;
    0x21 receive_maximum: NonZeroU16 = TwoByteInteger;
    0x22 topic_alias_maximum: u16 = TwoByteInteger;
    0x23 topic_alias: TopicAlias = TwoByteInteger;
    0x24 maximum_qos: QoS = Byte;
    0x25 retain_available: bool = Byte;
    0x26 user_property: UserProperty<'a> = Utf8StringPair;
    0x27 maximum_packet_size: NonZeroU32 = FourByteInteger;
    0x28 wildcard_subscription_available: bool = Byte;
    0x29 subscription_identifier_available: bool = Byte;
    0x2A shared_subscription_available: bool = Byte;
}

/// Error for an identifier that no property has, or whose property the packet can't have.
/// [U-2.2.2-1]
#[cold]
pub(crate) fn unexpected<R: Record>(r: Reader<'_, R>, at: u32, id: u8) -> DecodeError {
    // A property of another packet is reported by its name, an unknown one by its identifier.
    let name = PROPERTIES
        .iter()
        .find(|row| row.id == id)
        .map_or("property_id", |row| row.name);
    r.malformed_at(at, name, Some("U-2.2.2-1"))
}

/// Reader after the value of a property that the packet can't have, for a reader that records the
/// fields. By value: a reader whose address is taken would be kept in memory.
///
/// # Errors
/// `Malformed` if no property has this identifier, or if the value is cut off.
#[cold]
pub(crate) fn skip_unexpected<'a, R: Record>(
    mut section: Reader<'a, R>,
    at: u32,
    id: u8,
) -> Result<Reader<'a, R>, DecodeError> {
    let Some(row) = PROPERTIES.iter().find(|row| row.id == id) else {
        return Err(unexpected(section, at, id));
    };
    let skipped = match row.data_type {
        DataType::Byte => section.u8(row.name).map(drop),
        DataType::TwoByteInteger => section.u16(row.name).map(drop),
        DataType::FourByteInteger => section.u32(row.name).map(drop),
        DataType::VariableByteInteger => section.varint(row.name).map(drop),
        DataType::Utf8EncodedString | DataType::BinaryData => section.prefixed(row.name).map(drop),
        DataType::Utf8StringPair => section
            .prefixed(row.name)
            .and_then(|_| section.prefixed(row.name))
            .map(drop),
    };
    section.join(at, row.name);
    skipped.map(|()| section)
}

/// Offset of the first property `id` in the set at the front of `body`, which was read before.
///
/// `body` and `end` are those of the reader before it read the set. A copy of the reader itself
/// would cost each packet a write to the stack, although only errors need it.
#[cold]
pub(crate) fn offset_of(id: u8, body: &[u8], end: u32) -> u32 {
    let mut r = Reader::of_validated(body, end);
    // These bytes were read before, so this never fails.
    let Ok(section) = r.properties() else {
        return r.offset();
    };
    let mut rest = Validated::new(section.peek_rest());
    // The search ends after the identifier, so the property begins one byte before.
    match rest.find_property(id) {
        Some(()) => r
            .offset()
            .saturating_sub(u32::try_from(rest.len() + 1).unwrap_or(u32::MAX)),
        None => section.offset(),
    }
}

impl<'a> Validated<'a> {
    /// Skips properties up to the first with identifier `id`, and that identifier.
    #[inline(always)]
    pub(crate) fn find_property(&mut self, id: u8) -> Option<()> {
        loop {
            match self.u8()? {
                // Properties of all kinds are mixed; the others are skipped by their data type.
                found if found == id => return Some(()),
                other => self.skip_value(other)?,
            }
        }
    }

    /// Takes the bytes of the value of the next property with identifier `id`.
    #[inline]
    pub(crate) fn next_property(&mut self, id: u8) -> Option<&'a [u8]> {
        self.find_property(id)?;
        let mut value = *self;
        self.skip_value(id)?;
        value.take(value.len() - self.len())
    }

    fn skip_value(&mut self, id: u8) -> Option<()> {
        match data_type(id)? {
            DataType::Byte => self.take(1).map(drop),
            DataType::TwoByteInteger => self.take(2).map(drop),
            DataType::FourByteInteger => self.take(4).map(drop),
            DataType::VariableByteInteger => self.varint().map(drop),
            DataType::Utf8EncodedString | DataType::BinaryData => self.prefixed().map(drop),
            DataType::Utf8StringPair => self.prefixed().and_then(|_| self.prefixed()).map(drop),
        }
    }
}
