//! Protocol violations that are not in the bytes of a packet (§4.13).

use dunlin_codec::{PacketType, ReasonCode};

use crate::error::Violation;

/// Violation of a packet that is well formed, but not allowed now.
pub(super) const fn protocol_error(
    packet_type: PacketType,
    fault: &'static str,
    statement: &'static str,
) -> Violation {
    violation(packet_type, fault, statement, ReasonCode::ProtocolError)
}

/// The same with another reason code for the DISCONNECT.
pub(super) const fn violation(
    packet_type: PacketType,
    fault: &'static str,
    statement: &'static str,
    reason_code: ReasonCode,
) -> Violation {
    Violation::Unexpected {
        packet_type,
        fault,
        statement,
        reason_code,
    }
}
