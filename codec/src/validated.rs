//! Reading of bytes that were validated before, without judging them again.

use crate::varint::{self, Varint};

/// Bytes of a packet that was decoded. Every method returns `None` where the bytes end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Validated<'a> {
    rest: &'a [u8],
}

impl<'a> Validated<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Bytes that are left; they stay there.
    pub(crate) const fn peek_rest(&self) -> &'a [u8] {
        self.rest
    }

    /// True if no byte is left.
    #[cfg(feature = "alloc")]
    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
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

    #[inline(always)]
    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (&bytes, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(bytes)
    }

    /// Takes all bytes that are left.
    #[cfg(feature = "alloc")]
    #[inline(always)]
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        core::mem::take(&mut self.rest)
    }

    /// Takes the Property Length, and the properties as bytes of their own.
    #[inline(always)]
    pub(crate) fn properties(&mut self) -> Option<Self> {
        let len = self.varint()?;
        self.take(len as usize).map(Self::new)
    }

    /// Takes two bytes of length, then as many bytes.
    #[inline(always)]
    pub(crate) fn prefixed(&mut self) -> Option<&'a [u8]> {
        let len = u16::from_be_bytes(self.array()?);
        self.take(usize::from(len))
    }

    /// Takes two bytes of length, then as many bytes of text.
    #[inline(always)]
    pub(crate) fn text(&mut self) -> Option<&'a str> {
        self.prefixed().map(text_of)
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

/// Text of bytes that are known to be valid, in a function of its own: inlined for every string of
/// a packet, the check would take the registers of its callers.
#[inline(never)]
pub(crate) fn text_of(bytes: &[u8]) -> &str {
    str_of(bytes)
}

/// Text of bytes that are known to be valid.
///
/// Without `unsafe`, a `str` needs a check of its bytes. For the usual short ASCII text the check of
/// `ascii` takes a third of the time of the standard library's.
#[inline(always)]
pub(crate) fn str_of(bytes: &[u8]) -> &str {
    #[cfg(feature = "fast-text")]
    if bytes.len() <= SHORT
        && let Ok(text) = ascii::AsciiStr::from_ascii(bytes)
    {
        return text.as_str();
    }
    core::str::from_utf8(bytes).unwrap_or_default()
}

/// Number of bytes up to which `ascii` is the faster one.
#[cfg(feature = "fast-text")]
const SHORT: usize = 64;
