//! Bytes as numbers, with or without separators: plain digits and the arrays of programming
//! languages.

use super::super::hex;

/// Bytes of a text that is no dump and no string literal.
///
/// # Errors
/// A sentence about the first word that is not a byte, with its position.
pub(super) fn decode(text: &str) -> Result<Vec<u8>, String> {
    let many_lines = text.trim().lines().nth(1).is_some();
    let text = without_comments(text);
    let bytes = elements(&text);
    if let Some(bytes) = decimal_list(bytes) {
        return Ok(bytes);
    }

    // The lines are numbered as in the whole text, of which `bytes` is a part.
    let before = bytes.as_ptr().addr() - text.as_ptr().addr();
    let first_line = text.get(..before).unwrap_or_default().matches('\n').count();
    let mut decoded = Vec::with_capacity(bytes.len() / 2);
    for (number, line) in (first_line + 1..).zip(bytes.split('\n')) {
        decode_line(line, &mut decoded).map_err(|fault| {
            let place = if many_lines {
                format!("line {number}: ")
            } else {
                String::new()
            };
            format!("the input is not hexadecimal: {place}{fault} ({ACCEPTED})")
        })?;
    }
    Ok(decoded)
}

/// Appends the bytes of one line of digits with separators to `bytes`.
///
/// # Errors
/// The fault without its line: an unknown character with its position, or an odd number of digits.
pub(super) fn decode_line(line: &str, bytes: &mut Vec<u8>) -> Result<(), String> {
    // Prefixes of one byte each, which can stand without a separator between them.
    let spaced = line
        .replace("\\x", " 0x")
        .replace("\\u00", " 0x")
        .replace("(byte)", " ");
    for word in spaced.split(is_separator).filter(|word| !word.is_empty()) {
        let number = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
        let digits = digits_of(number.unwrap_or(word));
        // The word that introduces bytes in node, and in SQL (X'3004').
        if matches!(word, "Buffer" | "X" | "x") {
            continue;
        }
        if let Some(wrong) = digits.chars().find(|c| !c.is_ascii_hexdigit()) {
            let column = line.chars().position(|c| c == wrong).map_or(0, |at| at + 1);
            return Err(format!("{wrong:?} at position {column}"));
        }
        match digits.len() {
            // 0x4 is a byte, 4 alone may be half of one.
            1 if number.is_some() => {
                bytes.extend(hex::decode(format!("0{digits}").as_bytes()).unwrap_or_default());
            }
            len if len % 2 == 1 => {
                let (shown, rest) = digits.split_at_checked(20).unwrap_or((digits, ""));
                let more = if rest.is_empty() { "" } else { ".." };
                return Err(format!(
                    "\"{shown}{more}\" has {len} digits, and a byte has two"
                ));
            }
            _ => bytes.extend(hex::decode(digits.as_bytes()).unwrap_or_default()),
        }
    }
    Ok(())
}

/// Characters between two bytes.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || ",;:-.|_%+<>{}[]()\"'`\\".contains(c)
}

/// Digits of a number without the suffix of its type (`0x30u8`) or of its base (`30h`).
fn digits_of(word: &str) -> &str {
    word.strip_suffix("u8")
        .or_else(|| word.strip_suffix(['h', 'H']))
        .unwrap_or(word)
}

/// Part of a source text that holds the bytes: without the declaration and the brackets around it.
fn elements(text: &str) -> &str {
    let inside = |text, open, close| {
        let (from, to) = (str::find(text, open)?, str::rfind(text, close)?);
        text.get(from + 1..to)
    };
    // Only the braces of C and its relatives tell where the bytes end: other statements may follow.
    let value = inside(text, '{', '}').unwrap_or_else(|| {
        // `let packet: [u8; 2] = [0xc0, 0x00];`: a declaration can have brackets of its own.
        text.rsplit_once('=').map_or(text, |(_, value)| value)
    });
    let value = inside(value, '[', ']').unwrap_or(value);

    // `Hex: 30 04`, `bytes.fromhex('3004')`
    match value.split_once([':', '(']) {
        Some((label, behind)) if is_label(label) => behind,
        _ => value,
    }
}

/// True if `text` is words and not only the letters that are digits.
fn is_label(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || " ._\r\n".contains(c);
    text.chars().all(is_letter)
        && text
            .chars()
            .any(|c| c.is_ascii_alphabetic() && !c.is_ascii_hexdigit())
}

/// Text without the comments of C, Java, Go, Rust and JavaScript.
fn without_comments(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, comment)) = rest.split_once("/*") {
        let (comment, behind) = comment.split_once("*/").unwrap_or((comment, ""));
        kept.push_str(before);
        // Lines keep their numbers.
        kept.extend(comment.chars().filter(|c| *c == '\n'));
        rest = behind;
    }
    for line in rest.split_inclusive('\n') {
        match line.split_once("//") {
            Some((before, _)) => {
                kept.push_str(before);
                kept.push('\n');
            }
            None => kept.push_str(line),
        }
    }
    kept
}

/// Bytes of a list of decimal numbers, as Python, Java and JavaScript print arrays. `None` if all
/// numbers have two digits, which may be hexadecimal, or if one is no byte.
fn decimal_list(text: &str) -> Option<Vec<u8>> {
    let numbers: Vec<&str> = text
        .trim()
        .trim_end_matches(',')
        .split(',')
        .map(str::trim)
        .collect();
    let is_decimal = |number: &&str| {
        let digits = number.strip_prefix('-').unwrap_or(number);
        digits == "0"
            || (!digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit()))
    };
    if numbers.len() < 2 || !numbers.iter().all(is_decimal) || numbers.iter().all(|n| n.len() == 2)
    {
        return None;
    }
    numbers
        .iter()
        .map(|number| {
            // Java prints its signed bytes: -61 is 0xc3.
            let number: i16 = number.parse().ok()?;
            u8::try_from(number)
                .ok()
                .or_else(|| i8::try_from(number).ok().map(i8::cast_unsigned))
        })
        .collect()
}

const ACCEPTED: &str = "accepted: hex digits, also with spaces, \":\", \",\", \"0x\" or \"\\x\"; arrays of C and other \
     languages; dumps of xxd, hexdump -C, tcpdump -x and Wireshark; with --base64 base64, with --raw binary";
