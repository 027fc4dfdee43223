//! Parts of the encoders: bodies of packets, and their lengths.

use crate::error::{EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::sink::{Length, Sink};
use crate::varint;

/// Part of a packet after its fixed header.
pub(crate) trait Body {
    fn packet_type(&self) -> PacketType;

    fn flags(&self) -> u8 {
        self.packet_type().flags()
    }

    /// Checks the rules that the types of the fields can't hold.
    fn check(&self) -> Result<(), EncodeError>;

    fn write<S: Sink>(&self, sink: &mut S);

    /// Writes the fixed header and the body.
    #[inline(always)]
    fn write_packet<S: Sink>(&self, first: u8, remaining_length: u32, sink: &mut S) {
        sink.header(first, remaining_length);
        self.write(sink);
    }
}

/// First byte of the fixed header: packet type and flags.
pub(super) fn first_byte(body: &impl Body) -> u8 {
    (body.packet_type() as u8) << 4 | body.flags()
}

/// Length in bytes of the whole packet.
pub(super) fn encoded_len(body: &impl Body) -> Result<usize, EncodeError> {
    lengths(body, 0).map(|lengths| lengths.len)
}

/// Lengths of a packet, known before it is written.
pub(super) struct Lengths {
    pub(super) remaining_length: u32,
    /// Bytes of fixed header and body.
    pub(super) len: usize,
    /// Bytes of the first set of properties, without its length; `None` if the packet has none.
    pub(super) first_properties: Option<u64>,
}

/// Lengths of a packet whose body is followed by `more` bytes.
#[inline(always)]
pub(super) fn lengths(body: &impl Body, more: usize) -> Result<Lengths, EncodeError> {
    // Rules that the types can't hold come first: a wrong packet has no length.
    body.check()?;
    let Length {
        bytes,
        first_properties,
    } = Length::of(|counter| body.write(counter));
    // The Remaining Length has one to four bytes.
    match u32::try_from(bytes + more as u64) {
        Ok(remaining_length) if remaining_length <= varint::MAX => {
            // First byte, Remaining Length, and the body without the bytes that are sent apart.
            let len = 1 + varint::len(remaining_length) + remaining_length as usize - more;
            Ok(Lengths {
                remaining_length,
                len,
                first_properties,
            })
        }
        _ => Err(EncodeError::new(
            EncodeErrorKind::TooLarge,
            "remaining_length",
        )),
    }
}
