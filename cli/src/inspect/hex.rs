//! Conversion of bytes to hexadecimal digits and back.

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Lower-case digits, two for each byte.
pub(super) fn encode(bytes: &[u8]) -> String {
    let digit =
        |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or_default());
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0x0f));
    }
    text
}

/// Bytes of an even number of digits; `None` if there is anything else.
pub(super) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let (pairs, rest) = text.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs
        .iter()
        .map(|[high, low]| Some(value(*high)? << 4 | value(*low)?))
        .collect()
}

/// Value of a digit in upper or lower case; `None` if it is no digit.
pub(super) const fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_reads_back_in_either_case() {
        let all: Vec<u8> = (0..=u8::MAX).collect();
        let text = encode(&all);
        assert_eq!(decode(text.as_bytes()), Some(all.clone()));
        assert_eq!(decode(text.to_uppercase().as_bytes()), Some(all));
    }

    #[test]
    fn input_that_is_not_pairs_of_hex_digits_is_refused() {
        for text in ["3", "300", "3g", "0x30", "30 04", "\u{661}"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
