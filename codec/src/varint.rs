//! The Variable Byte Integer (§1.5.5): 0..=268,435,455 in one to four bytes, always the fewest.

/// The largest value, and so the largest Remaining Length.
pub(crate) const MAX: u32 = 268_435_455;

/// What the front of some bytes is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Varint {
    /// A value, and how many bytes it took.
    Value(u32, u8),
    /// The bytes end before it does.
    Incomplete,
    /// More than four bytes, or more bytes than the value needs. [MQTT-1.5.5-1]
    Invalid,
}

/// Reads the integer at the front of `bytes`.
#[inline(always)]
pub(crate) fn read(bytes: &[u8]) -> Varint {
    match bytes {
        [a @ 0..=0x7f, ..] => Varint::Value(u32::from(*a), 1),
        _ => read_long(bytes),
    }
}

#[cold]
fn read_long(bytes: &[u8]) -> Varint {
    let mut value = 0;
    for (index, byte) in (0u8..4).zip(bytes) {
        value |= u32::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            // A last byte of 0 adds nothing: a shorter form exists.
            return if *byte == 0 { Varint::Invalid } else { Varint::Value(value, index + 1) };
        }
    }
    if bytes.len() < 4 { Varint::Incomplete } else { Varint::Invalid }
}

/// The bytes that `value` takes; `value` is at most [`MAX`].
#[inline]
pub(crate) const fn len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// The bytes of `value`, least significant group first; the first [`len`] of them count.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "each byte takes its seven bits")]
pub(crate) const fn bytes(value: u32) -> [u8; 4] {
    let more = [0x80 * (value > 0x7f) as u8, 0x80 * (value > 0x3fff) as u8, 0x80 * (value > 0x1f_ffff) as u8];
    [
        (value & 0x7f) as u8 | more[0],
        (value >> 7 & 0x7f) as u8 | more[1],
        (value >> 14 & 0x7f) as u8 | more[2],
        (value >> 21) as u8,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [(u32, usize); 8] =
        [(0, 1), (127, 1), (128, 2), (16_383, 2), (16_384, 3), (2_097_151, 3), (2_097_152, 4), (MAX, 4)];

    #[test]
    fn a_value_takes_the_fewest_bytes_and_reads_back() {
        for (value, length) in EDGES {
            assert_eq!(len(value), length);
            let bytes = bytes(value);
            assert_eq!(read(&bytes[..length]), Varint::Value(value, u8::try_from(length).unwrap()));
            for cut in 0..length {
                assert_eq!(read(&bytes[..cut]), Varint::Incomplete);
            }
        }
    }

    #[test]
    fn padded_and_five_byte_forms_are_invalid() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0x80, 0x00],
            &[0x80, 0x80, 0x80, 0x00],
            &[0x80, 0x80, 0x80, 0x80, 0x01],
        ] {
            assert_eq!(read(bytes), Varint::Invalid);
        }
    }
}
