//! Reading of bytes that were validated before, without judging them again.

use crate::varint::{self, Varint};

/// Bytes of a packet that was decoded. Every method returns `None` where the bytes end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validated<'a>(pub(crate) &'a [u8]);

impl<'a> Validated<'a> {
    #[inline(always)]
    pub(crate) fn take(&mut self, len: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(taken)
    }

    #[inline(always)]
    pub(crate) fn u8(&mut self) -> Option<u8> {
        let (&byte, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(byte)
    }

    /// Takes two bytes of length, then as many bytes.
    #[inline(always)]
    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let (&len, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        self.take(usize::from(u16::from_be_bytes(len)))
    }

    /// Takes two bytes of length, then as many bytes of text.
    #[inline(always)]
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        self.prefixed().map(str_of)
    }

    #[inline(always)]
    pub(crate) fn varint(&mut self) -> Option<u32> {
        let Varint::Value(value, len) = varint::read(self.0) else {
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
