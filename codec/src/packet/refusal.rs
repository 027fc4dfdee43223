//! Scope of a fault in a PUBLISH, found by reading the rest of the packet without judging its text.

use super::packet_id;
use super::properties::Properties;
use super::publish_properties::PublishProperties;
use crate::delivery::{DUP, Delivery, QOS, QOS_1};
use crate::error::DecodeError;
use crate::header::FixedHeader;
use crate::packet_type::Sender;
use crate::property::{DataType, PROPERTIES, data_type, row, unexpected};
use crate::property_types::{SubscriptionIdentifier, TopicAlias};
use crate::qos::PacketId;
use crate::reader::Reader;
use crate::scope::{ErrorScope, FaultyMessage};
use crate::value::{Rule, Value};

/// Error about the Topic Name with its scope. `rest` is what follows the Topic Name.
#[cold]
#[inline(never)]
pub(super) fn of_topic(
    error: &DecodeError,
    flags: u8,
    rest: &[u8],
    end: u32,
    sender: Sender,
) -> DecodeError {
    let (error, r) = (*error, Reader::with_rest(rest, end, sender));
    // A field that is cut off is the only fault without a statement; nothing after it can be read.
    if error.statement.is_none() {
        return error;
    }
    behind_topic(error, flags, r).unwrap_or_else(|graver| graver)
}

fn behind_topic(
    error: DecodeError,
    flags: u8,
    mut r: Reader<'_>,
) -> Result<DecodeError, DecodeError> {
    let dup = flags & DUP != 0;
    // The identifier, with which a client can refuse the message.
    let delivery = match flags & QOS {
        0 => Delivery::AtMostOnce,
        QOS_1 => Delivery::AtLeastOnce {
            packet_id: PacketId::read(&mut r, packet_id::OF_PUBLISH)?,
            dup,
        },
        _ => Delivery::ExactlyOnce {
            packet_id: PacketId::read(&mut r, packet_id::OF_PUBLISH)?,
            dup,
        },
    };
    in_properties(error, delivery, true, r)
}

/// Error about the properties with its scope. `rest` begins with the Property Length.
#[cold]
#[inline(never)]
pub(super) fn of_properties(
    error: &DecodeError,
    delivery: Delivery,
    has_topic: bool,
    rest: &[u8],
    end: u32,
    sender: Sender,
) -> DecodeError {
    let (error, r) = (*error, Reader::with_rest(rest, end, sender));
    in_properties(error, delivery, has_topic, r).unwrap_or_else(|graver| graver)
}

/// Reads the properties without judging their text. The first fault in the connection's scope
/// becomes the error.
fn in_properties(
    error: DecodeError,
    delivery: Delivery,
    has_topic: bool,
    mut r: Reader<'_>,
) -> Result<DecodeError, DecodeError> {
    let mut section = r.properties()?;
    // One bit for each property that was there.
    let (mut seen, mut topic_alias) = (0_u64, None);
    while !section.is_empty() {
        let at = section.offset();
        // A property that no PUBLISH can have ends the connection.
        let id = section.u8("property_id")?;
        let is_single = PublishProperties::ONCE.contains(&id);
        if !is_single && !PublishProperties::MANY.contains(&id) {
            return Err(unexpected(section, at, id));
        }
        let field = PROPERTIES
            .iter()
            .find(|row| row.id == id)
            .map_or("property_id", |row| row.name);
        // So does one that is there twice.
        let bit = 1_u64.checked_shl(id.into()).unwrap_or_default();
        if is_single && seen & bit != 0 {
            return Err(section.protocol_at(at, field, None));
        }
        seen |= bit;
        // Clients send no subscription identifiers. [MQTT-3.3.4-6]
        if id == row::subscription_identifier::ID && section.sender() == Sender::Client {
            return Err(section.protocol_at(at, field, Some("MQTT-3.3.4-6")));
        }
        match data_type(id) {
            Some(DataType::Byte) => {
                section.u8(field)?;
            }
            // The only number of two bytes that a PUBLISH has.
            Some(DataType::TwoByteInteger) => {
                topic_alias = Some(TopicAlias::read(&mut section, Rule::form(field))?);
            }
            Some(DataType::FourByteInteger) => {
                section.u32(field)?;
            }
            Some(DataType::VariableByteInteger) => {
                SubscriptionIdentifier::read(&mut section, Rule::form(field))?;
            }
            Some(DataType::Utf8EncodedString | DataType::BinaryData) => {
                section.prefixed(field)?;
            }
            Some(DataType::Utf8StringPair) => {
                section.prefixed(field)?;
                section.prefixed(field)?;
            }
            None => return Err(unexpected(section, at, id)),
        }
    }
    // A message without topic and alias can't be attributed to any stream: the error stays as it
    // was.
    if !has_topic && topic_alias.is_none() {
        return Err(error);
    }
    Ok(DecodeError {
        scope: ErrorScope::Message(FaultyMessage {
            delivery,
            topic_alias,
        }),
        ..error
    })
}

impl FaultyMessage {
    /// Bytes of the Topic Name in `packet`, unchecked; empty if the topic alias stands for it, or
    /// if `packet` is no PUBLISH.
    #[must_use]
    pub fn topic_bytes(packet: &[u8]) -> &[u8] {
        let topic = || {
            // The packet was refused, so nothing is taken for granted but its fixed header.
            let header = FixedHeader::peek(packet, u32::MAX).ok()??;
            let (len, rest) = packet
                .get(usize::from(header.header_len)..)?
                .split_first_chunk()?;
            rest.get(..usize::from(u16::from_be_bytes(*len)))
        };
        topic().unwrap_or_default()
    }
}
