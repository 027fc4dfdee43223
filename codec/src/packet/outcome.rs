//! The one rule of what may be left out: `[reason code [property length, properties]]`, success and
//! nothing else by default.

use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::packet_type::{PacketType, Sender};
use crate::property::{self, Properties, Value};
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::sink::Sink;
use crate::spans::Record;

/// Reads what is left of a PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT or AUTH. [U-3.4-1]
#[inline(always)]
pub(super) fn read<'a, P: Properties<'a>, R: Record>(
    packet_type: PacketType,
    r: &mut Reader<'a, R>,
) -> Result<(ReasonCode, P), DecodeError> {
    if r.is_empty() {
        return Ok((ReasonCode::Success, P::default()));
    }
    let reason_code = ReasonCode::read(r, packet_type)?;
    // An AUTH of one byte is in no rule of the standard.
    if r.is_empty() && packet_type != PacketType::Auth {
        return Ok((reason_code, P::default()));
    }
    let properties = P::read(r)?;
    r.finish("properties")?;
    Ok((reason_code, properties))
}

/// Where the first property of `id` stands in a body that was [read](read) before.
#[cold]
pub(super) fn offset_of(id: u8, body: &[u8], end: u32) -> u32 {
    property::offset_of(id, body.get(1..).unwrap_or_default(), end)
}

/// Writes the shortest form.
#[inline(always)]
pub(super) fn write<'a, P: Properties<'a>, S: Sink>(
    reason_code: ReasonCode,
    properties: &P,
    sink: &mut S,
) {
    let has_properties = !properties.is_empty();
    if has_properties || reason_code != ReasonCode::Success {
        reason_code.write(sink);
    }
    if has_properties {
        sink.properties(properties);
    }
}

/// A reason code must be one of the packet's own.
#[inline(always)]
pub(super) fn check(reason_code: ReasonCode, packet_type: PacketType) -> Result<(), EncodeError> {
    if reason_code.is_legal_in(packet_type, Sender::Any) {
        Ok(())
    } else {
        Err(EncodeError::new(
            EncodeErrorKind::IllegalReasonCode,
            "reason_code",
        ))
    }
}
