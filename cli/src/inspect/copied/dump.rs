//! Dumps: rows of an offset, hexadecimal bytes, and often the same bytes as text.

use super::super::hex;
use super::array;

/// Blocks of a dump, each of which begins at offset 0 (tcpdump and tshark print one block a
/// packet). `None` if the text has no row of a dump.
///
/// # Errors
/// A sentence about the first row that is not understood.
pub(super) fn decode(text: &str) -> Result<Option<Vec<Vec<u8>>>, String> {
    let mut blocks: Vec<Block<'_>> = Vec::new();
    let mut repeats = false;
    for (number, line) in (1..).zip(text.lines()) {
        // hexdump and od print "*" in place of rows that repeat the one before.
        if !blocks.is_empty() && line.trim() == "*" {
            repeats = true;
            continue;
        }
        // Anything else is a heading, such as tcpdump prints before each packet.
        let Some(row) = DumpRow::parse(line, blocks.last()) else {
            continue;
        };
        let bytes = row
            .bytes()
            .map_err(|fault| format!("line {number} of the dump: {fault}"))?;
        match blocks.last_mut() {
            Some(block) if row.value(16) != Some(0) => {
                if std::mem::take(&mut repeats) {
                    block.repeat_last_row(&row)?;
                }
                block.append(&bytes);
            }
            _ => blocks.push(Block {
                base: row.offset,
                last_row: bytes.clone(),
                bytes,
            }),
        }
    }
    Ok((!blocks.is_empty()).then(|| blocks.into_iter().map(|block| block.bytes).collect()))
}

/// Rows whose offsets follow each other.
struct Block<'t> {
    /// Offset of the first row, as written.
    base: &'t str,
    bytes: Vec<u8>,
    last_row: Vec<u8>,
}

impl Block<'_> {
    fn append(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.last_row = row.to_vec();
    }

    /// Repeats the last row up to the offset of `next`.
    fn repeat_last_row(&mut self, next: &DumpRow<'_>) -> Result<(), String> {
        // od writes seven octal digits, all others hexadecimal ones.
        let radix = if next.offset.len() == 7 { 8 } else { 16 };
        let base = usize::from_str_radix(self.base, radix).unwrap_or_default();
        let end = next
            .value(radix)
            .and_then(|offset| offset.checked_sub(base))
            .unwrap_or_default();
        if end > LARGEST {
            return Err("the dump is larger than an MQTT packet can be".to_owned());
        }
        while self.bytes.len() + self.last_row.len() <= end && !self.last_row.is_empty() {
            self.bytes.extend_from_slice(&self.last_row);
        }
        Ok(())
    }

    /// True if a row at `offset` is the next one, in any of the usual bases.
    fn is_followed_by(&self, offset: &str) -> bool {
        [16, 8, 10].into_iter().any(|radix| {
            let base = usize::from_str_radix(self.base, radix).unwrap_or_default();
            usize::from_str_radix(offset, radix) == Ok(base + self.bytes.len())
        })
    }
}

/// One row of a dump.
struct DumpRow<'t> {
    /// Digits of the offset, as written.
    offset: &'t str,
    /// Text after the offset.
    rest: &'t str,
    has_colon: bool,
}

impl<'t> DumpRow<'t> {
    /// Row in `line`; `None` if the line is none. `block` is the block that it may belong to.
    fn parse(line: &'t str, block: Option<&Block<'_>>) -> Option<Self> {
        let line = line.trim();
        let end = line.find([' ', ':', '\t']).unwrap_or(line.len());
        let (offset, rest) = line.split_at_checked(end)?;
        let offset = offset.strip_prefix("0x").unwrap_or(offset);
        if !(4..=8).contains(&offset.len()) || !offset.bytes().all(|byte| byte.is_ascii_hexdigit())
        {
            return None;
        }
        // xxd and tcpdump: "00000000: 3004 0001  0..."
        if let Some(behind) = rest.strip_prefix(':') {
            let is_row = behind.starts_with([' ', '\t']);
            return is_row.then_some(Self {
                offset,
                rest: behind,
                has_colon: true,
            });
        }

        // hexdump, od and Wireshark: "0000   30 04 00 01   0...". Plain digits can look like it, so
        // offset and distance have to fit as well, or the text has to.
        let row = Self {
            offset,
            rest,
            has_colon: false,
        };
        let is_in_order =
            row.value(16) == Some(0) || block.is_some_and(|block| block.is_followed_by(offset));
        let is_apart = rest.starts_with("  ") || matches!(offset.len(), 6 | 7);
        let is_last = rest.is_empty() && block.is_some();
        let is_row = (is_in_order && is_apart) || is_last || row.bytes_beside_text().is_some();
        is_row.then_some(row)
    }

    fn value(&self, radix: u32) -> Option<usize> {
        usize::from_str_radix(self.offset, radix).ok()
    }

    /// Bytes of the row, without its text.
    fn bytes(&self) -> Result<Vec<u8>, String> {
        if let Some(bytes) = self.bytes_beside_text() {
            return Ok(bytes);
        }
        // The words of hexdump and od without options have their bytes in the machine's order.
        let first = self.rest.split_whitespace().next().unwrap_or_default();
        if !self.has_colon && first.len() > 2 && is_hex(first) {
            return Err(
                "it shows words instead of bytes; print bytes with: hexdump -C FILE".to_owned(),
            );
        }
        // Text that doesn't repeat the bytes is set apart by a bar or by spaces.
        let rest = self.rest.trim_start();
        let gap = if self.has_colon { "  " } else { "   " };
        let end = rest
            .find(['|', '>'])
            .or_else(|| rest.find(gap))
            .unwrap_or(rest.len());
        let mut bytes = Vec::new();
        array::decode_line(rest.get(..end).unwrap_or(rest), &mut bytes)?;
        Ok(bytes)
    }

    /// Bytes of a row that repeats them as text. The text can look like bytes ("cafe"): the two are
    /// told apart by what they say.
    fn bytes_beside_text(&self) -> Option<Vec<u8>> {
        // Ends of the words that are bytes, or look like it.
        let mut ends = Vec::new();
        let mut at = 0;
        for word in self.rest.split_inclusive([' ', '\t']) {
            let digits = word.trim_end();
            if !is_hex(digits) || digits.len() % 2 == 1 {
                break;
            }
            if !digits.is_empty() {
                ends.push(at + digits.len());
            }
            at += word.len();
        }
        ends.iter().rev().take(MOST_WORDS_OF_TEXT).find_map(|end| {
            let (digits, text) = self.rest.split_at_checked(*end)?;
            let digits: Vec<u8> = digits
                .bytes()
                .filter(|byte| !byte.is_ascii_whitespace())
                .collect();
            let bytes = hex::decode(&digits)?;
            is_text_of(text, &bytes).then_some(bytes)
        })
    }
}

fn is_hex(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// True if `text` shows `bytes`: each as its character, or as a dot if it has none.
fn is_text_of(text: &str, bytes: &[u8]) -> bool {
    let trimmed = text.trim();
    let inner = trimmed
        .strip_prefix('|')
        .and_then(|text| text.strip_suffix('|'))
        .or_else(|| trimmed.strip_prefix('>')?.strip_suffix('<'));
    text.starts_with(char::is_whitespace)
        && !trimmed.is_empty()
        && [Some(trimmed), inner]
            .into_iter()
            .flatten()
            .any(|text| shows(text, bytes, false) || shows(text, bytes, true))
}

/// True if the characters of `text` are those of `bytes`.
///
/// tcpdump shows a space as a dot (`dotted`). Elsewhere spaces don't count: some programs put one
/// in the middle, and trailing ones get lost in copies.
fn shows(text: &str, bytes: &[u8], dotted: bool) -> bool {
    let mut chars = text.chars().filter(|c| *c != ' ');
    let mut bytes = bytes.iter().filter(|byte| dotted || **byte != b' ');
    let is_shown = |byte: &u8, c: char| match byte {
        0x21..=0x7e => c == char::from(*byte),
        // A dot, or one that isn't ASCII.
        _ => c == '.' || !c.is_ascii(),
    };
    bytes.all(|byte| chars.next().is_some_and(|c| is_shown(byte, c))) && chars.next().is_none()
}

/// Number of words of a row's text that may look like bytes.
const MOST_WORDS_OF_TEXT: usize = 64;
/// Bytes of the largest MQTT packet (section 2.1.4).
const LARGEST: usize = 268_435_460;
