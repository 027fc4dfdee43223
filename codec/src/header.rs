//! Fixed header (§2.1): checked before any memory is reserved for the rest of the packet.

use crate::decode::DecodeOptions;
use crate::error::{DecodeError, DecodeErrorKind};
use crate::packet_type::{PacketType, Sender};
use crate::reason_code::ReasonCode;
use crate::scope::ErrorScope;
use crate::varint::{self, Varint};

/// Fixed header: the first two to five bytes of a packet (§2.1.1).
///
/// ```
/// use dunlin_codec::{FixedHeader, PacketType};
///
/// // The first bytes of a PUBLISH say how many bytes have to be read.
/// let header = FixedHeader::peek(&[0x30, 0x0a, 0x00], 1024)?.expect("two bytes are enough");
/// assert_eq!(header.packet_type, PacketType::Publish);
/// assert_eq!(header.packet_len(), 12);
/// # Ok::<(), dunlin_codec::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct FixedHeader {
    /// Type of the packet.
    pub packet_type: PacketType,
    /// Flags, the lower four bits of the first byte: DUP, QoS and RETAIN of a PUBLISH, constant for
    /// all other packets.
    pub flags: u8,
    /// Remaining Length: bytes after the fixed header, 0 to 268,435,455.
    pub remaining_length: u32,
    /// Length of the fixed header in bytes, 2 to 5.
    pub header_len: u8,
}

impl FixedHeader {
    /// Reads the header at the front of `input`; `None` means "read more".
    ///
    /// Only the bytes of the header have to be there, so that a caller can decide on a buffer for
    /// the packet.
    ///
    /// # Errors
    /// [`DecodeErrorKind::Malformed`] for an unknown type, wrong flags or a badly formed length,
    /// [`DecodeErrorKind::TooLarge`] for a packet of more than `max_packet_size` bytes, header
    /// included.
    #[inline(always)]
    pub fn peek(input: &[u8], max_packet_size: u32) -> Result<Option<Self>, DecodeError> {
        // The first byte alone decides on type and flags, even if nothing else is there yet.
        let [first, rest @ ..] = input else {
            return Ok(None);
        };
        let Some(Some(packet_type)) = FIRST_BYTES.get(usize::from(*first)).copied() else {
            return judge_first_byte(*first).map(|_| None);
        };
        // The Remaining Length has one to four bytes; it may be cut off.
        let (remaining_length, length_len) = match varint::read(rest) {
            Varint::Value(value, len) => (value, len),
            Varint::Incomplete => return Ok(None),
            Varint::Invalid => {
                let statement = varint::broken_rule(rest);
                return Err(DecodeError::malformed(
                    1,
                    "remaining_length",
                    Some(statement),
                ));
            }
        };
        let header = Self {
            packet_type,
            flags: first & 0x0f,
            remaining_length,
            header_len: 1 + length_len,
        };
        // A packet that is too large is refused before its body is read. The sum can't overflow:
        // both terms are small.
        if remaining_length + u32::from(header.header_len) > max_packet_size {
            return Err(too_large(packet_type));
        }
        Ok(Some(header))
    }

    /// Length of the whole packet in bytes, 2 to 268,435,460.
    #[inline(always)]
    #[must_use]
    pub const fn packet_len(&self) -> usize {
        self.header_len as usize + self.remaining_length as usize
    }

    /// Header and body of the packet at the front of `input`; `None` if the packet is incomplete.
    #[inline(always)]
    pub(crate) fn split<'a>(
        input: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Option<(Self, &'a [u8])>, DecodeError> {
        // The fixed header first: it tells what comes, and how much.
        let header = match Self::peek(input, options.max_packet_size) {
            Ok(Some(header)) => header,
            Ok(None) => return Ok(None),
            Err(error) => return Err(sent_by(options.sender, input, error)),
        };
        // A packet that its sender may never send is refused before its body is there.
        if !options.sender.may_be(header.packet_type.sender()) {
            return Err(wrong_direction());
        }
        // `None` if the body is not all there.
        Ok(input
            .get(usize::from(header.header_len)..header.packet_len())
            .map(|body| (header, body)))
    }
}

/// Packet type of each valid first byte, computed at compile time because every packet needs it.
#[expect(
    clippy::indexing_slicing,
    reason = "evaluated at compile time, with an index below the length"
)]
static FIRST_BYTES: [Option<PacketType>; 256] = {
    let (mut types, mut first) = ([None; 256], 0u8);
    loop {
        if let Ok(packet_type) = judge_first_byte(first) {
            types[first as usize] = Some(packet_type);
        }
        match first.checked_add(1) {
            Some(next) => first = next,
            None => break types,
        }
    }
};

/// Type of a packet with this first byte, if its flags are right.
#[cold]
const fn judge_first_byte(first: u8) -> Result<PacketType, DecodeError> {
    let flags = first & 0x0f;
    let Some(packet_type) = PacketType::from_number(first >> 4) else {
        return Err(DecodeError::malformed(0, "packet_type", None));
    };
    if matches!(packet_type, PacketType::Publish) {
        // QoS 3 does not exist. [MQTT-3.3.1-4]
        if flags & 0b0110 == 0b0110 {
            Err(DecodeError::malformed(0, "qos", Some("MQTT-3.3.1-4")))
        } else {
            Ok(packet_type)
        }
    } else if flags != packet_type.flags() {
        // Reserved bits. [MQTT-2.1.3-1]
        Err(DecodeError::malformed(
            0,
            "flags",
            Some(packet_type.flags_rule()),
        ))
    } else {
        Ok(packet_type)
    }
}

/// Error of the header at the front of `input`, once the sender is known.
#[cold]
fn sent_by(sender: Sender, input: &[u8], error: DecodeError) -> DecodeError {
    // A packet that its sender may never send has this error, whatever else is wrong with it.
    let packet_type = input
        .first()
        .and_then(|first| PacketType::from_number(first >> 4));
    if packet_type.is_some_and(|packet_type| !sender.may_be(packet_type.sender())) {
        return wrong_direction();
    }
    // A packet that both sides send breaks the rule of its sender.
    match (sender, error.kind) {
        (Sender::Client, DecodeErrorKind::TooLarge) if error.statement.is_some() => DecodeError {
            statement: Some("MQTT-3.2.2-15"),
            ..error
        },
        _ => error,
    }
}

/// A packet above the receiver's Maximum Packet Size, which a server announces in CONNACK
/// [MQTT-3.2.2-15] and a client in CONNECT [MQTT-3.1.2-24]. A CONNECT can't know a limit yet.
#[cold]
const fn too_large(packet_type: PacketType) -> DecodeError {
    let statement = match (packet_type, packet_type.sender()) {
        (PacketType::Connect, _) => None,
        (_, Sender::Client) => Some("MQTT-3.2.2-15"),
        (_, Sender::Server | Sender::Any) => Some("MQTT-3.1.2-24"),
    };
    DecodeError {
        kind: DecodeErrorKind::TooLarge,
        reason_code: ReasonCode::PacketTooLarge,
        offset: 1,
        field: "remaining_length",
        statement,
        scope: ErrorScope::Connection,
    }
}

#[cold]
const fn wrong_direction() -> DecodeError {
    DecodeError {
        kind: DecodeErrorKind::WrongDirection,
        reason_code: ReasonCode::ProtocolError,
        offset: 0,
        field: "packet_type",
        statement: None,
        scope: ErrorScope::Connection,
    }
}
