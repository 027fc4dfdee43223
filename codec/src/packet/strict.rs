//! Packets that were accepted with a deviation, changed into what the standard allows.

use crate::delivery::{DUP, QOS};
use crate::header::FixedHeader;
use crate::packet_type::PacketType;
use crate::reason_code::ReasonCode;

/// Session Present, the only flag of a CONNACK.
const SESSION_PRESENT: u8 = 0b0000_0001;

/// Flag of a whole packet that a [`Leniency`](crate::Leniency) ignores: the offset of its byte, and
/// that byte without the flag. `None` for a packet that a strict decoder accepts.
pub(crate) fn ignored_flag(packet: &[u8]) -> Option<(usize, u8)> {
    let header = FixedHeader::peek(packet, u32::MAX).ok()??;
    let at = usize::from(header.header_len);
    match header.packet_type {
        // DUP at QoS 0 (`Leniency::dup_at_qos_0`), in the first byte.
        PacketType::Publish if header.flags & (DUP | QOS) == DUP => {
            packet.first().map(|first| (0, first & !DUP))
        }
        // Session Present in a refusal (`Leniency::session_present_on_refusal`).
        PacketType::ConnAck => match packet.get(at..)? {
            [flags, code, ..]
                if flags & SESSION_PRESENT != 0
                    && ReasonCode::from_code(*code).is_some_and(ReasonCode::is_error) =>
            {
                Some((at, flags & !SESSION_PRESENT))
            }
            _ => None,
        },
        _ => None,
    }
}
