//! Percent-encoding in the query of a user name or of a URL.

use crate::percent::{Unescaped, unescaped};

/// Choice of the values in the query of a user name that are percent-encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// The signature is encoded as by Python's `urllib.parse.quote`, unless it contains a `%`. In other
    /// values `& ? # %`, space, controls and non-ASCII are encoded, unless the value contains a `%XX`.
    #[default]
    Auto,
    /// All characters but letters, digits and `-._~` are encoded.
    Always,
    /// Nothing is encoded.
    Never,
}

/// Predicate of the bytes that aren't encoded.
pub(super) type IsPlain = fn(u8) -> bool;

/// RFC 3986 unreserved.
pub(super) fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

/// The default of Python's `quote`: a signature of the AWS SDK for Python is encoded by it.
pub(super) fn quoted(byte: u8) -> bool {
    unreserved(byte) || byte == b'/'
}

/// Everything that can't be mistaken for the query's own syntax.
pub(super) fn harmless(byte: u8) -> bool {
    byte.is_ascii_graphic() && !is_delimiter(byte) && byte != b'%'
}

/// Byte that ends a value in a query.
pub(super) fn is_delimiter(byte: u8) -> bool {
    b"&?#".contains(&byte)
}

/// Appends `text`, each byte that isn't plain as `%XX`. At most three bytes for one: a caller who
/// reserved that much leaves no copy of a secret behind.
pub(super) fn push_encoded(out: &mut String, text: &str, is_plain: IsPlain) {
    for byte in text.bytes() {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte & 0x0f));
        }
    }
}

/// True if a `%XX` is in it.
pub(super) fn has_escape(text: &str) -> bool {
    unescaped(text).any(|item| matches!(item, Unescaped::Escape(_)))
}

fn hex_digit(nibble: u8) -> char {
    char::from(match nibble {
        0..=9 => b'0' + nibble,
        _ => b'A' + nibble - 10,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn encoded(text: &str, is_plain: IsPlain) -> String {
        let mut out = String::new();
        push_encoded(&mut out, text, is_plain);
        out
    }

    #[test]
    fn quoting_matches_python() {
        assert_eq!(
            encoded("AbC+dEf/GhI~._-==", quoted),
            "AbC%2BdEf/GhI~._-%3D%3D"
        );
        assert_eq!(encoded("é\n", quoted), "%C3%A9%0A");
    }

    #[test]
    fn harmless_text_keeps_its_punctuation() {
        assert_eq!(encoded("a=b,c@d+e:f", harmless), "a=b,c@d+e:f");
        assert_eq!(
            encoded("a&b?c#d%e f\u{7f}é", harmless),
            "a%26b%3Fc%23d%25e%20f%7F%C3%A9"
        );
    }

    #[test]
    fn a_percent_sign_without_hex_digits_is_not_an_escape() {
        for text in ["100%", "%", "%4", "%zz", "%%"] {
            assert!(!has_escape(text), "{text}");
        }
        assert!(has_escape("a%2fb"));
    }

    proptest! {
        #[test]
        fn reading_back_undoes_encoding(text in ".*") {
            for is_plain in [unreserved as IsPlain, quoted, harmless] {
                let bytes: Vec<u8> = unescaped(&encoded(&text, is_plain)).map(Unescaped::byte).collect();
                prop_assert_eq!(bytes, text.as_bytes());
            }
        }

        #[test]
        fn encoding_takes_at_most_three_bytes_for_one(text in ".*") {
            prop_assert!(encoded(&text, unreserved).len() <= 3 * text.len());
        }
    }
}
