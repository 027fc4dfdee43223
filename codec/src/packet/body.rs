//! Reading of one packet's body, whatever its type.

use crate::decode::DecodeOptions;
use crate::error::DecodeError;
use crate::header::FixedHeader;
use crate::reader::Reader;
use crate::record::Record;

/// Result of decoding the packet at the front of a slice, with the packet's length in bytes; `None`
/// means that more has to be read.
pub(super) type Decoded<T> = Result<Option<(T, usize)>, DecodeError>;

/// Reads a whole packet. One instance for each packet type, called last: its stack frame is no
/// larger than the packet needs, and it writes the result where the caller wants it.
#[inline(never)]
pub(super) fn whole<'a, T, R: Record>(
    header: FixedHeader,
    body: &'a [u8],
    options: &DecodeOptions,
    record: R,
    read: impl FnOnce(FixedHeader, &mut Reader<'a, R>) -> Result<T, DecodeError>,
) -> Decoded<T> {
    match read(
        header,
        &mut Reader::new(body, header.header_len, options, record),
    ) {
        Ok(kept) => Ok(Some((kept, header.packet_len()))),
        Err(error) => Err(error),
    }
}

#[cold]
#[inline(never)]
pub(super) fn none_or_refused<T>(
    input: &[u8],
    options: &DecodeOptions,
) -> Result<Option<T>, DecodeError> {
    FixedHeader::split(input, options).map(|_| None)
}
