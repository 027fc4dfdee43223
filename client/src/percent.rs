//! `unescaped`: text without its percent-encoding (RFC 3986, section 2.1), byte by byte.

/// One byte of decoded text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unescaped {
    /// The byte wasn't encoded; a `%` here begins no escape.
    Plain(u8),
    /// The byte was a `%XX`.
    Escape(u8),
}

impl Unescaped {
    pub(crate) fn byte(self) -> u8 {
        match self {
            Self::Plain(byte) | Self::Escape(byte) => byte,
        }
    }
}

/// Reads `%XX` back, byte by byte and without a copy of what may be a secret.
pub(crate) fn unescaped(text: &str) -> impl Iterator<Item = Unescaped> + Clone {
    let mut rest = text.as_bytes();
    std::iter::from_fn(move || {
        // A `%` without two hexadecimal digits is a plain byte, as for the service.
        if let [b'%', high, low, tail @ ..] = rest
            && let (Some(high), Some(low)) = (hex_value(*high), hex_value(*low))
        {
            rest = tail;
            return Some(Unescaped::Escape(high << 4 | low));
        }
        let (first, tail) = rest.split_first()?;
        rest = tail;
        Some(Unescaped::Plain(*first))
    })
}

fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}
