//! Reason code and properties at the end of six packets, which may leave out either (§3.4.2.1): the
//! default is success without properties.

use super::properties::Properties;
use crate::error::{DecodeError, EncodeError, EncodeErrorKind};
use crate::packet_type::{PacketType, Sender};
use crate::property;
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::record::Record;
use crate::sink::Sink;
#[cfg(feature = "alloc")]
use crate::validated::Validated;
use crate::value::Value;

/// Reads the rest of a PUBACK, PUBREC, PUBREL, PUBCOMP, DISCONNECT or AUTH. [U-3.4-1]
#[inline(always)]
pub(super) fn read<'a, P: Properties<'a>, R: Record>(
    packet_type: PacketType,
    r: &mut Reader<'a, R>,
) -> Result<(ReasonCode, P), DecodeError> {
    // Nothing at all means success. Only AUTH, DISCONNECT and acknowledgements come here.
    if r.is_empty() {
        return Ok((ReasonCode::Success, P::default()));
    }
    let reason_code = ReasonCode::read(r, packet_type)?;
    // No rule of the standard allows an AUTH with a reason code alone.
    if r.is_empty() && packet_type != PacketType::Auth {
        return Ok((reason_code, P::default()));
    }
    // Properties need a reason code before them, and nothing may follow them.
    let properties = P::read(r)?;
    r.finish("properties")?;
    Ok((reason_code, properties))
}

/// Reads what [`read`] has read before; `None` where the bytes end.
#[cfg(feature = "alloc")]
#[inline(always)]
pub(super) fn reread<'a, P: Properties<'a>>(rest: &mut Validated<'a>) -> Option<(ReasonCode, P)> {
    if rest.is_empty() {
        return Some((ReasonCode::Success, P::default()));
    }
    let reason_code = ReasonCode::reread(rest)?;
    let properties = if rest.is_empty() {
        P::default()
    } else {
        P::reread(rest)?
    };
    Some((reason_code, properties))
}

/// Offset of the first property `id` in a body that was [read](read) before.
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
    // The shortest form: no properties, and no reason code if that is success.
    let has_properties = !properties.is_empty();
    if has_properties || reason_code != ReasonCode::Success {
        reason_code.write(sink);
    }
    if has_properties {
        sink.properties(properties);
    }
}

/// Refuses a reason code that the packet can't carry.
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
