//! Encoding of a packet: lengths first, then the bytes, with one write where possible.

use bytes::BufMut;

use crate::error::{EncodeError, EncodeErrorKind};
use crate::packet_type::PacketType;
use crate::sink::{Length, Output, Sink, Stage};
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

/// Encodes a packet of many fields: if it fits, it is put together on the stack and copied at once.
///
/// A growing buffer keeps its length in memory, where each write would wait for the one before it.
#[inline(never)]
pub(super) fn encode_staged(body: &impl Body, out: &mut impl BufMut) -> Result<(), EncodeError> {
    let Lengths {
        remaining_length,
        len,
        first_properties,
    } = lengths(body, 0)?;
    // A packet that doesn't fit the stage is written field by field.
    let mut stage = [0; STAGE];
    let Some(staged) = stage.get_mut(..len) else {
        return encode(body, out);
    };
    // Nothing is written if the buffer can't take all of it.
    if out.remaining_mut() < len {
        return Err(EncodeError::new(EncodeErrorKind::NoRoom, "packet"));
    }
    // The lengths are known, so the properties are not counted again.
    body.write_packet(
        first_byte(body),
        remaining_length,
        &mut Stage {
            rest: staged,
            first_properties,
        },
    );
    out.put_slice(staged);
    Ok(())
}

/// Maximum length in bytes of a packet that is put together on the stack, enough for a CONNECT with
/// all its fields.
const STAGE: usize = 320;

fn first_byte(body: &impl Body) -> u8 {
    (body.packet_type() as u8) << 4 | body.flags()
}

/// Encodes a packet. One instance for each packet type, as in [`whole`](super::body::whole), called last.
#[inline(never)]
pub(super) fn encode(body: &impl Body, out: &mut impl BufMut) -> Result<(), EncodeError> {
    encode_announcing(body, 0, out)
}

/// Writes a fixed header that announces the body and `more` bytes, then the body.
#[inline(always)]
pub(super) fn encode_announcing(
    body: &impl Body,
    more: usize,
    out: &mut impl BufMut,
) -> Result<(), EncodeError> {
    let Lengths {
        remaining_length,
        len,
        first_properties,
    } = lengths(body, more)?;
    // A full buffer is refused before the first byte, so that no half packet is sent.
    if out.remaining_mut() < len {
        return Err(EncodeError::new(EncodeErrorKind::NoRoom, "packet"));
    }
    let mut sink = Output {
        out,
        first_properties,
    };
    body.write_packet(first_byte(body), remaining_length, &mut sink);
    Ok(())
}

pub(super) fn encoded_len(body: &impl Body) -> Result<usize, EncodeError> {
    lengths(body, 0).map(|lengths| lengths.len)
}

/// Lengths of a packet, known before it is written.
struct Lengths {
    remaining_length: u32,
    /// Bytes of fixed header and body.
    len: usize,
    /// Bytes of the first set of properties, without its length; `None` if the packet has none.
    first_properties: Option<u64>,
}

/// Lengths of a packet whose body is followed by `more` bytes.
#[inline(always)]
fn lengths(body: &impl Body, more: usize) -> Result<Lengths, EncodeError> {
    // Rules that the types can't hold come first: a wrong packet has no length.
    body.check()?;
    let Length {
        bytes,
        first_properties,
    } = Length::of(|counter| body.write(counter));
    // The Remaining Length has at most four bytes.
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
