//! Reading of bytes that were validated before, without judging them again.

use crate::varint::{self, Varint};

/// Bytes of a packet that was decoded. Every method returns `None` where the bytes end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validated<'a> {
    rest: &'a [u8],
    /// Text that ends where `rest` ends, of which strings are parts; may be empty.
    text: &'a str,
}

impl<'a> Validated<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: bytes,
            text: "",
        }
    }

    /// Bytes that are all text, so that their strings need not be made one by one.
    pub(crate) const fn of_text(text: &'a str) -> Self {
        Self {
            rest: text.as_bytes(),
            text,
        }
    }

    /// Number of bytes that are left.
    pub(crate) const fn len(&self) -> usize {
        self.rest.len()
    }

    #[inline(always)]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(len)?;
        self.rest = rest;
        Some(taken)
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(byte)
    }

    /// Takes two bytes of length, then as many bytes.
    #[inline(always)]
    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let (&len, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        self.take(usize::from(u16::from_be_bytes(len)))
    }

    /// Takes two bytes of length, then as many bytes of text.
    #[inline(always)]
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        let bytes = self.prefixed()?;
        let end = self.text.len().wrapping_sub(self.rest.len());
        let part = self.text.get(end.wrapping_sub(bytes.len())..end);
        Some(part.unwrap_or_else(|| str_of(bytes)))
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Option<u32> {
        let Varint::Value(value, len) = varint::read(self.rest) else {
            return None;
        };
        self.take(usize::from(len))?;
        Some(value)
    }
}

/// `str` of bytes that are known to be valid, for which the standard library has to look at them.
#[inline(always)]
pub(crate) fn str_of(bytes: &[u8]) -> &str {
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// The part of `bytes` in front of the first byte that is no text.
///
/// One call for all strings of a section costs less than one for each: their lengths and most
/// numbers between them are ASCII.
#[inline(never)]
pub(crate) fn text_in_front(bytes: &[u8]) -> &str {
    match core::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => bytes.get(..error.valid_up_to()).map_or("", str_of),
    }
}
