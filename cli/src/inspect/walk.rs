//! A walk over the bytes of one packet that notes which bytes are which field.

use crate::diagnosis::quoted;

/// A field: where it lies and what it says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) field: &'static str,
    pub(super) meaning: String,
    /// How many of its last bytes are nobody's business.
    pub(super) secret: usize,
}

/// The walk so far. Every step ends with `None` where the bytes do.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the section ends that the walk is in.
    end: usize,
    /// Whether what can't be parsed may hold a secret.
    guarded: bool,
    spans: Vec<Span>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            at: 0,
            end: bytes.len(),
            guarded: false,
            spans: Vec::new(),
        }
    }

    /// The fields, and as the last of them what the walk didn't come to.
    pub(super) fn finish(mut self) -> Vec<Span> {
        self.end = self.bytes.len();
        self.leave_out();
        self.spans
    }

    /// Notes what is left of the section as nothing that is known.
    pub(super) fn leave_out(&mut self) {
        // A field that was begun and not finished is part of it.
        self.at = self.spans.last().map_or(0, |span| span.at + span.len);
        if !self.is_at_end() {
            let secret = if self.guarded { self.end - self.at } else { 0 };
            self.note_from(self.at, self.end, NOT_PARSED, String::new(), secret);
        }
    }

    /// From here on, what can't be parsed may hold a secret.
    pub(super) fn guard(&mut self) {
        self.guarded = true;
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.at >= self.end
    }

    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Narrows the walk to the next `len` bytes; what it was narrowed from.
    pub(super) fn enter(&mut self, len: usize) -> Option<usize> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.end)?;
        Some(std::mem::replace(&mut self.end, end))
    }

    pub(super) fn leave(&mut self, end: usize) {
        self.end = end;
    }

    /// The next `len` bytes, without a note.
    pub(super) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len).filter(|end| *end <= self.end)?;
        let taken = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(taken)
    }

    pub(super) fn number(&mut self, len: usize) -> Option<u32> {
        Some(
            self.take(len)?
                .iter()
                .fold(0, |number, byte| number << 8 | u32::from(*byte)),
        )
    }

    /// A Variable Byte Integer, whether or not it is well formed.
    pub(super) fn varint(&mut self) -> Option<u32> {
        let mut value = 0;
        for shift in [0, 7, 14, 21] {
            let byte = self.number(1)?;
            value |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Two bytes of length, and as many bytes.
    pub(super) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let len = self.number(2)?;
        self.take(usize::try_from(len).ok()?)
    }

    /// What is left of the section.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        self.take(self.end.saturating_sub(self.at))
            .unwrap_or_default()
    }

    /// Notes everything since `from` as one field.
    pub(super) fn note(&mut self, from: usize, field: &'static str, meaning: impl Into<String>) {
        self.note_from(from, self.at, field, meaning.into(), 0);
    }

    /// As [`note`](Self::note), where the last `secret` bytes aren't to be seen.
    pub(super) fn note_secret(
        &mut self,
        from: usize,
        field: &'static str,
        meaning: impl Into<String>,
        secret: usize,
    ) {
        self.note_from(from, self.at, field, meaning.into(), secret);
    }

    fn note_from(
        &mut self,
        from: usize,
        to: usize,
        field: &'static str,
        meaning: String,
        secret: usize,
    ) {
        self.spans.push(Span {
            at: from,
            len: to - from,
            field,
            meaning,
            secret,
        });
        self.at = to;
    }
}

/// The field of bytes that the walk made nothing of.
pub(super) const NOT_PARSED: &str = "not_parsed";

/// Bytes that may be text.
pub(super) fn shown(bytes: &[u8]) -> String {
    let count = format!(
        "{} byte{}",
        bytes.len(),
        if bytes.len() == 1 { "" } else { "s" }
    );
    match std::str::from_utf8(bytes) {
        Ok("") => "empty".to_owned(),
        Ok(text) => format!("{count}: {}", quoted(text)),
        Err(_) => count,
    }
}

/// Bytes that should be text.
pub(super) fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| "not UTF-8".to_owned(), quoted)
}
