//! Strings and binary data of the wire (§1.5.4, §1.5.6, §1.5.7): at most 65,535 bytes each, checked once.

use core::fmt;
use core::ops::Deref;

use crate::error::DecodeError;
use crate::property::{Rule, Value, row};
use crate::repeated::Item;
use crate::validated::Validated;
use crate::wire::{Reader, Sink};

/// The most bytes that a two-byte length can state.
pub(crate) const MAX_LEN: usize = u16::MAX as usize;

/// A UTF-8 Encoded String (§1.5.4): at most 65,535 bytes, no NUL.
///
/// It borrows bytes that were checked when it was made; [`as_str`](Self::as_str) looks at them again, which
/// costs a pass over the text and keeps decoding free of it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Utf8String<'a>(&'a [u8]);

/// Binary Data (§1.5.6): at most 65,535 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct BinaryData<'a>(&'a [u8]);

/// A name and a value that applications give a meaning (§1.5.7). Order and repetition are kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct UserProperty<'a> {
    /// The name; the same name may stand more than once.
    pub name: Utf8String<'a>,
    /// The value.
    pub value: Utf8String<'a>,
}

/// Why text or data has no place on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TextError {
    /// More than 65,535 bytes.
    TooLong,
    /// The NUL character. [MQTT-1.5.4-2]
    Nul,
}

impl<'a> Utf8String<'a> {
    /// Checks `text`.
    ///
    /// # Errors
    /// A NUL character, or more than 65,535 bytes.
    pub fn new(text: &'a str) -> Result<Self, TextError> {
        if text.len() > MAX_LEN {
            return Err(TextError::TooLong);
        }
        if Scan::of(text.as_bytes()).nul {
            return Err(TextError::Nul);
        }
        Ok(Self(text.as_bytes()))
    }
}

/// What every type of checked text has: the text, its bytes, and the traits of a `str`.
macro_rules! checked_text {
    ($($type:ident)*) => {$(
        impl<'a> $type<'a> {
            pub(crate) const fn of_validated(bytes: &'a [u8]) -> Self {
                Self(bytes)
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &'a str {
                core::str::from_utf8(self.0).unwrap_or_default()
            }

            /// The bytes of the text.
            #[must_use]
            pub const fn as_bytes(&self) -> &'a [u8] {
                self.0
            }
        }

        impl core::ops::Deref for $type<'_> {
            type Target = str;

            fn deref(&self) -> &str {
                self.as_str()
            }
        }

        impl core::fmt::Debug for $type<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Debug::fmt(self.as_str(), f)
            }
        }

        impl core::fmt::Display for $type<'_> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(self.as_str(), f)
            }
        }
    )*};
}
pub(crate) use checked_text;

checked_text!(Utf8String);

impl<'a> BinaryData<'a> {
    /// Checks the length of `data`.
    ///
    /// # Errors
    /// More than 65,535 bytes.
    pub const fn new(data: &'a [u8]) -> Result<Self, TextError> {
        if data.len() > MAX_LEN { Err(TextError::TooLong) } else { Ok(Self(data)) }
    }

    pub(crate) const fn of_validated(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> UserProperty<'a> {
    /// Checks both halves.
    ///
    /// # Errors
    /// As [`Utf8String::new`].
    pub fn new(name: &'a str, value: &'a str) -> Result<Self, TextError> {
        Ok(Self { name: Utf8String::new(name)?, value: Utf8String::new(value)? })
    }
}

/// What one pass over some bytes finds out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scan {
    pub(crate) ascii: bool,
    pub(crate) nul: bool,
    pub(crate) wildcard: bool,
}

impl Scan {
    /// Eight bytes at a time; the last step overlaps the one before it.
    #[inline(always)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let mut found = Found::default();
        if let Some(last) = bytes.last_chunk::<8>() {
            for chunk in bytes.as_chunks::<8>().0 {
                found.look_at(u64::from_ne_bytes(*chunk));
            }
            found.look_at(u64::from_ne_bytes(*last));
        } else if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            found.look_at(
                (u64::from(u32::from_ne_bytes(*first)) << 32) | u64::from(u32::from_ne_bytes(*last)),
            );
        } else if let [first, .., last] = bytes {
            let middle = bytes.get(1).copied().unwrap_or(*first);
            found
                .look_at(u64::from_ne_bytes([*first, middle, *last, *first, *first, *first, *first, *first]));
        } else if let [byte] = bytes {
            found.look_at(ONES * u64::from(*byte));
        }
        found.scan()
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// What was seen so far, in the high bit of each byte; false alarms only beside bytes that are above 0x7f or found.
#[derive(Default)]
struct Found {
    any: u64,
    nul: u64,
    wildcard: u64,
}

impl Found {
    #[inline(always)]
    fn look_at(&mut self, bytes: u64) {
        self.any |= bytes;
        self.nul |= zeros(bytes);
        self.wildcard |= wildcards(bytes);
    }

    #[inline(always)]
    fn scan(self) -> Scan {
        Scan { ascii: self.any & HIGHS == 0, nul: self.nul != 0, wildcard: self.wildcard != 0 }
    }
}

/// The high bit of each byte that is `+` or `#`, which differ in one bit; false alarms as those of [`zeros`].
#[inline(always)]
pub(crate) const fn wildcards(bytes: u64) -> u64 {
    zeros((bytes | (ONES * 0x08)) ^ (ONES * 0x2b))
}

/// The high bit of each byte that is zero. Whether there is any is exact; a byte of 1 behind a zero may look like one.
#[inline(always)]
const fn zeros(bytes: u64) -> u64 {
    bytes.wrapping_sub(ONES) & !bytes & HIGHS
}

/// Reads a string and tells what it is made of.
#[inline(always)]
pub(crate) fn read_scanned<'a>(
    r: &mut Reader<'a>,
    field: &'static str,
) -> Result<(&'a [u8], Scan), DecodeError> {
    let at = r.offset();
    let bytes = r.prefixed(field)?;
    let scan = Scan::of(bytes);
    if !scan.ascii && core::str::from_utf8(bytes).is_err() {
        // Ill-formed text, surrogates among it. [MQTT-1.5.4-1]
        return Err(r.malformed_at(at, field, Some("MQTT-1.5.4-1")));
    }
    if scan.nul {
        return Err(r.malformed_at(at, field, Some("MQTT-1.5.4-2")));
    }
    Ok((bytes, scan))
}

impl<'a> Value<'a> for Utf8String<'a> {
    #[inline(always)]
    fn read(r: &mut Reader<'a>, rule: Rule) -> Result<Self, DecodeError> {
        read_scanned(r, rule.field).map(|(bytes, _)| Self(bytes))
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.prefixed(self.0);
    }

    #[inline(always)]
    fn write_row<S: Sink>(&self, id: u8, sink: &mut S) {
        sink.prefixed_row(id, self.0);
    }
}

impl<'a> Value<'a> for BinaryData<'a> {
    #[inline(always)]
    fn read(r: &mut Reader<'a>, rule: Rule) -> Result<Self, DecodeError> {
        r.prefixed(rule.field).map(Self)
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.prefixed(self.0);
    }

    #[inline(always)]
    fn write_row<S: Sink>(&self, id: u8, sink: &mut S) {
        sink.prefixed_row(id, self.0);
    }
}

impl<'a> Value<'a> for UserProperty<'a> {
    #[inline(always)]
    fn read(r: &mut Reader<'a>, rule: Rule) -> Result<Self, DecodeError> {
        // Both halves obey the rules of strings. [MQTT-1.5.7-1]
        Ok(Self { name: Utf8String::read(r, rule)?, value: Utf8String::read(r, rule)? })
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        self.name.write(sink);
        self.value.write(sink);
    }

    #[inline(always)]
    fn write_row<S: Sink>(&self, id: u8, sink: &mut S) {
        self.name.write_row(id, sink);
        self.value.write(sink);
    }
}

impl<'a> Item<'a> for UserProperty<'a> {
    const PROPERTY: Option<u8> = Some(row::user_property::ID);

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        Some(Self { name: Utf8String(rest.prefixed()?), value: Utf8String(rest.prefixed()?) })
    }
}

impl Deref for BinaryData<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0
    }
}

impl fmt::Debug for BinaryData<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl fmt::Display for TextError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "longer than 65,535 bytes",
            Self::Nul => "contains the NUL character",
        })
    }
}

impl core::error::Error for TextError {}
