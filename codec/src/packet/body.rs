//! Reading of one packet's body, whatever its type.

use crate::decode::{DecodeOptions, Decoded};
use crate::error::DecodeError;
use crate::header::FixedHeader;
use crate::packet_type::PacketType;
use crate::reader::Reader;
use crate::record::Record;

/// Result of decoding the packet at the front of a slice, with the packet's length in bytes; `None`
/// means that more has to be read.
pub(super) type Front<T> = Result<Option<(T, usize)>, DecodeError>;

/// Reads a whole packet of any type.
#[inline(always)]
pub(super) fn whole<'a, T, R: Record>(
    header: FixedHeader,
    body: &'a [u8],
    options: &DecodeOptions,
    record: R,
    read: impl FnOnce(FixedHeader, &mut Reader<'a, R>) -> Result<T, DecodeError>,
) -> Front<T> {
    whole_as(header, body, options, record, read, |packet, len| {
        Some((packet, len))
    })
}

/// Reads a whole packet of the type that the caller asked for.
#[inline(always)]
pub(super) fn whole_of_type<'a, T>(
    header: FixedHeader,
    body: &'a [u8],
    options: &DecodeOptions,
    read: impl FnOnce(FixedHeader, &mut Reader<'a>) -> Result<T, DecodeError>,
) -> Result<Decoded<T>, DecodeError> {
    whole_as(header, body, options, (), read, Decoded::Packet)
}

/// Reads a whole packet. One instance for each packet type, called last: its stack frame is no
/// larger than the packet needs, and it writes the result where the caller wants it.
#[inline(never)]
fn whole_as<'a, T, O, R: Record>(
    header: FixedHeader,
    body: &'a [u8],
    options: &DecodeOptions,
    record: R,
    read: impl FnOnce(FixedHeader, &mut Reader<'a, R>) -> Result<T, DecodeError>,
    with_len: impl FnOnce(T, usize) -> O,
) -> Result<O, DecodeError> {
    match read(
        header,
        &mut Reader::new(body, header.header_len, options, record),
    ) {
        Ok(packet) => Ok(with_len(packet, header.packet_len())),
        Err(error) => Err(error),
    }
}

#[cfg(feature = "alloc")]
#[cold]
#[inline(never)]
pub(super) fn none_or_refused<T>(
    input: &[u8],
    options: &DecodeOptions,
) -> Result<Option<T>, DecodeError> {
    FixedHeader::split(input, options).map(|_| None)
}

/// Answer of a decoder of one packet type, where no whole packet of an accepted type is at the
/// front: of another type, its fixed header is enough.
#[cold]
#[inline(never)]
pub(super) fn incomplete_or_other<T>(
    input: &[u8],
    options: &DecodeOptions,
    is_wanted: impl FnOnce(PacketType) -> bool,
) -> Result<Decoded<T>, DecodeError> {
    // A packet that is refused is an error whatever its type.
    FixedHeader::split(input, options)?;
    match FixedHeader::peek(input, options.max_packet_size)? {
        Some(header) if !is_wanted(header.packet_type) => Ok(Decoded::Other(header.packet_type)),
        _ => Ok(Decoded::Incomplete),
    }
}
