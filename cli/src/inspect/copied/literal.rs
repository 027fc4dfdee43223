//! String literals with escape sequences, as Python prints bytes and Wireshark copies them:
//! `b'0\x04\x00\x01a\x00'`.

/// True if `text` is a string literal with escape sequences rather than a list of bytes.
pub(super) fn is_literal(text: &str) -> bool {
    let has_prefix =
        quoted_start(text).is_some_and(|(before, _, _)| before.trim_end().ends_with(['b', 'B']));
    // Of `\x30, \x04` nothing is left but separators: that is a list.
    (text.contains("\\x") && !is_list(text)) || (has_prefix && text.contains('\\'))
}

/// True if `text` has nothing but separators between its `\xHH`.
fn is_list(text: &str) -> bool {
    let text = text.rsplit_once('=').map_or(text, |(_, value)| value);
    let mut pieces = text.split("\\x");
    let first = pieces.next().unwrap_or_default();
    let is_separated = |text: &str| {
        text.chars()
            .all(|c| c.is_whitespace() || ",;\"'\\{}[]()".contains(c))
    };
    is_separated(first.trim_end_matches(['b', 'B']))
        && pieces.all(|piece| {
            let digits = piece.bytes().take(2).filter(u8::is_ascii_hexdigit).count();
            digits == 2 && is_separated(piece.get(2..).unwrap_or_default())
        })
}

/// Bytes of all quoted parts of `text`, one after the other; of the whole text without quotes.
pub(super) fn decode(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.trim();
    if quoted_start(rest).is_none() {
        unescape(rest, None, &mut bytes);
    }
    while let Some((_, quote, content)) = quoted_start(rest) {
        rest = unescape(content, Some(quote), &mut bytes);
    }
    bytes
}

/// First quotation mark, with the text before and after it. A mark inside of an unquoted literal
/// is none.
fn quoted_start(text: &str) -> Option<(&str, char, &str)> {
    let at = text.find(['"', '\''])?;
    let (before, behind) = text.split_at_checked(at)?;
    let quote = behind.chars().next()?;
    (!before.contains("\\x")).then(|| (before, quote, behind.get(1..).unwrap_or_default()))
}

/// Appends the bytes of a literal up to its closing `quote`, or up to the end of the text without
/// one. The result is the text after the quote.
fn unescape<'t>(text: &'t str, quote: Option<char>, bytes: &mut Vec<u8>) -> &'t str {
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        if Some(c) == quote {
            return text.get(at + 1..).unwrap_or_default();
        }
        if c != '\\' {
            bytes.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let (len, value) = escape(chars.as_str());
        bytes.extend(value);
        if let Some(skipped) = len.checked_sub(1) {
            chars.nth(skipped);
        }
    }
    ""
}

/// Value of the escape sequence after a backslash, and the number of its characters. `None` is a
/// backslash at the end of a line, which continues the literal.
fn escape(text: &str) -> (usize, Option<u8>) {
    let digits = |from: usize, most: usize, radix: u32| {
        let is_digit = |byte: &u8| char::from(*byte).is_digit(radix);
        let len = text
            .bytes()
            .skip(from)
            .take(most)
            .take_while(is_digit)
            .count();
        let value = text
            .get(from..from + len)
            .and_then(|digits| u8::from_str_radix(digits, radix).ok());
        (from + len, value)
    };
    match text.bytes().next() {
        Some(b'x') => digits(1, 2, 16),
        Some(b'0'..=b'7') => digits(0, 3, 8),
        Some(b'n') => (1, Some(b'\n')),
        Some(b'r') => (1, Some(b'\r')),
        Some(b't') => (1, Some(b'\t')),
        Some(b'a') => (1, Some(0x07)),
        Some(b'b') => (1, Some(0x08)),
        Some(b'v') => (1, Some(0x0b)),
        Some(b'f') => (1, Some(0x0c)),
        Some(b'\n') | None => (1, None),
        Some(other) if other.is_ascii() => (1, Some(other)),
        Some(_) => (0, Some(b'\\')),
    }
}
