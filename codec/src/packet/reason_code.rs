//! Reason code on the wire: one byte, which each packet type restricts (§2.4).

use crate::error::DecodeError;
use crate::packet_type::{PacketType, Sender};
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::record::Record;
use crate::sink::Sink;
use crate::validated::Validated;
use crate::value::{Item, Rule, Value};

impl ReasonCode {
    /// Reads the code of a packet of `packet_type`.
    ///
    /// # Errors
    /// `Malformed` for a code that no side may send in this packet, `ProtocolError` for one that
    /// only the other side may send.
    #[inline]
    pub(crate) fn read<R: Record>(
        r: &mut Reader<'_, R>,
        packet_type: PacketType,
    ) -> Result<Self, DecodeError> {
        let at = r.offset();
        let byte = r.u8("reason_code")?;
        let statement = packet_type.reason_code_rule();
        // A code that neither client nor server may send in this packet is malformed; one that only
        // the other may send is a protocol error.
        let Some(code) =
            Self::from_code(byte).filter(|code| code.is_legal_in(packet_type, Sender::Any))
        else {
            r.refuse(r.malformed_at(at, "reason_code", statement))?;
            return Ok(Self::Success);
        };
        if !code.is_legal_in(packet_type, r.sender()) {
            r.refuse(r.protocol_at(at, "reason_code", statement))?;
        }
        Ok(code)
    }
}

/// Reads any code of the standard, whatever the packet.
impl<'a> Value<'a> for ReasonCode {
    #[inline]
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
        let at = r.offset();
        Self::from_code(r.u8(rule.field)?)
            .ok_or_else(|| r.malformed_at(at, rule.field, rule.statement))
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        Self::from_code(rest.u8()?)
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.u8(self.code());
    }
}

impl Item<'_> for ReasonCode {
    #[inline(always)]
    fn skip(rest: &mut Validated<'_>) -> Option<()> {
        rest.u8().map(drop)
    }
}
