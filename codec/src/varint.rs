//! Variable Byte Integer (§1.5.5): 0 to 268,435,455 in one to four bytes, as few as possible.

/// Largest value, and so the largest Remaining Length.
pub(crate) const MAX: u32 = 268_435_455;

/// Result of reading a Variable Byte Integer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Varint {
    /// Value, and number of its bytes, 1 to 4.
    Value(u32, u8),
    /// The integer is cut off.
    Incomplete,
    /// More than four bytes, or more bytes than the value needs.
    Invalid,
}

/// Reads the integer at the front of `bytes`. A last byte of 0 is invalid: a shorter form exists.
#[inline(always)]
pub(crate) const fn read(bytes: &[u8]) -> Varint {
    match *bytes {
        // Every byte but the last has the high bit set; a last byte of 0 is refused as padding.
        [a @ ..0x80, ..] => Varint::Value(a as u32, 1),
        [a, b @ 1..0x80, ..] => Varint::Value(group(a, 0) | group(b, 7), 2),
        [a, b @ 0x80..=0xff, c @ 1..0x80, ..] => {
            Varint::Value(group(a, 0) | group(b, 7) | group(c, 14), 3)
        }
        [a, b @ 0x80..=0xff, c @ 0x80..=0xff, d @ 1..0x80, ..] => {
            Varint::Value(group(a, 0) | group(b, 7) | group(c, 14) | group(d, 21), 4)
        }
        [] | [_] | [_, 0x80..=0xff] | [_, 0x80..=0xff, 0x80..=0xff] => Varint::Incomplete,
        _ => Varint::Invalid,
    }
}

/// Statement that an invalid integer at the front of `bytes` breaks: a fifth byte is announced
/// [U-1.5.5-1], or fewer bytes would do [MQTT-1.5.5-1].
#[cold]
pub(crate) const fn broken_rule(bytes: &[u8]) -> &'static str {
    match bytes {
        [0x80..=0xff, 0x80..=0xff, 0x80..=0xff, 0x80..=0xff, ..] => "U-1.5.5-1",
        _ => "MQTT-1.5.5-1",
    }
}

/// Seven bits of the value, shifted to their place.
const fn group(byte: u8, shift: u32) -> u32 {
    ((byte & 0x7f) as u32) << shift
}

/// Reads the integer like [`read`], out of line, for callers that rarely see more than one byte.
#[cold]
pub(crate) const fn read_long(bytes: &[u8]) -> Varint {
    read(bytes)
}

/// Number of bytes of `value`, 1 to 4; `value` is at most [`MAX`].
#[inline]
pub(crate) const fn len(value: u32) -> usize {
    match value {
        0..=0x7f => 1,
        0x80..=0x3fff => 2,
        0x4000..=0x1f_ffff => 3,
        _ => 4,
    }
}

/// Bytes of `value`, the least significant group first; the first [`len`] of them are written.
#[inline]
#[expect(
    clippy::cast_possible_truncation,
    reason = "each byte takes its seven bits"
)]
pub(crate) const fn bytes(value: u32) -> [u8; 4] {
    // The high bit of a byte says that another one follows.
    let more = [
        0x80 * (value > 0x7f) as u8,
        0x80 * (value > 0x3fff) as u8,
        0x80 * (value > 0x1f_ffff) as u8,
    ];
    [
        (value & 0x7f) as u8 | more[0],
        (value >> 7 & 0x7f) as u8 | more[1],
        (value >> 14 & 0x7f) as u8 | more[2],
        (value >> 21) as u8,
    ]
}

/// Bytes of a `value` of more than 127 if they are two; `None` if they are more. Most packets that
/// have more than 127 bytes have such a Remaining Length.
#[inline(always)]
#[expect(
    clippy::cast_possible_truncation,
    reason = "each byte takes its seven bits"
)]
pub(crate) const fn two_bytes(value: u32) -> Option<[u8; 2]> {
    if value <= 0x3fff {
        Some([value as u8 | 0x80, (value >> 7) as u8])
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [(u32, usize); 8] = [
        (0, 1),
        (127, 1),
        (128, 2),
        (16_383, 2),
        (16_384, 3),
        (2_097_151, 3),
        (2_097_152, 4),
        (MAX, 4),
    ];

    #[test]
    fn a_value_takes_the_fewest_bytes_and_reads_back() {
        for (value, length) in EDGES {
            assert_eq!(len(value), length);
            let bytes = bytes(value);
            if value > 127 {
                let two = two_bytes(value);
                assert_eq!(two, (length == 2).then(|| [bytes[0], bytes[1]]));
            }
            assert_eq!(
                read(&bytes[..length]),
                Varint::Value(value, u8::try_from(length).unwrap())
            );
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
