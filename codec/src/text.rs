//! Strings and binary data of the wire (§1.5.4, §1.5.6, §1.5.7): at most 65,535 bytes each, checked
//! once.

use core::fmt;
use core::ops::Deref;

use crate::error::DecodeError;
use crate::property::{Rule, Value, row};
use crate::reader::Reader;
use crate::repeated::Item;
use crate::sink::Sink;
use crate::spans::Record;
use crate::validated::Validated;

/// The most bytes that a two-byte length can state.
pub(crate) const MAX_LEN: usize = u16::MAX as usize;

/// A UTF-8 Encoded String (§1.5.4): at most 65,535 bytes, no NUL.
///
/// It borrows bytes that were checked when it was made; [`as_str`](Self::as_str) looks at them
/// again, which costs a pass over the text and keeps decoding free of it.
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
        if has_nul(text.as_bytes()) {
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
        if data.len() > MAX_LEN {
            Err(TextError::TooLong)
        } else {
            Ok(Self(data))
        }
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
        Ok(Self {
            name: Utf8String::new(name)?,
            value: Utf8String::new(value)?,
        })
    }
}

/// What one pass over some bytes finds out, in the high bits of its bytes: the text is the sum of
/// all that was seen.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Scan {
    /// Set by NUL and by whatever is beyond ASCII.
    odd: u64,
    /// Set by `+` and `#`, and by much of what is beyond ASCII.
    wildcards: u64,
}

impl Scan {
    /// By steps of 16, 8 or 4 bytes; the last step overlaps the one before it. Only what is long
    /// has a loop: around one, the compiler builds so much for long text that short text pays
    /// for it.
    #[inline(always)]
    pub(crate) fn of(bytes: &[u8]) -> Self {
        if let (Some(first), Some(last)) = (bytes.first_chunk::<16>(), bytes.last_chunk::<16>()) {
            let long = if bytes.len() > 32 {
                Self::of_long(bytes)
            } else {
                Self::default()
            };
            long.and_16(first).and_16(last)
        } else if let (Some(first), Some(last)) =
            (bytes.first_chunk::<8>(), bytes.last_chunk::<8>())
        {
            Self::default()
                .and(u64::from_ne_bytes(*first))
                .and(u64::from_ne_bytes(*last))
        } else if let (Some(first), Some(last)) =
            (bytes.first_chunk::<4>(), bytes.last_chunk::<4>())
        {
            let (first, last) = (u32::from_ne_bytes(*first), u32::from_ne_bytes(*last));
            Self::default().and((u64::from(first) << 32) | u64::from(last))
        } else if let [first, .., last] = bytes {
            let middle = bytes.get(1).copied().unwrap_or(*first);
            let [first, middle, last] = [*first, middle, *last].map(u64::from);
            Self::default().and(((ONES * first) & !0xffff) | (middle << 8) | last)
        } else if let [byte] = bytes {
            Self::default().and(ONES * u64::from(*byte))
        } else {
            Self::default()
        }
    }

    /// All but the last bytes, less than sixteen.
    #[inline(never)]
    fn of_long(bytes: &[u8]) -> Self {
        bytes
            .as_chunks::<16>()
            .0
            .iter()
            .fold(Self::default(), Self::and_16)
    }

    #[inline(always)]
    fn and_16(self, bytes: &[u8; 16]) -> Self {
        bytes
            .as_chunks()
            .0
            .iter()
            .fold(self, |scan, chunk| scan.and(u64::from_ne_bytes(*chunk)))
    }

    #[inline(always)]
    const fn and(self, bytes: u64) -> Self {
        Self {
            odd: self.odd | bytes | bytes.wrapping_sub(ONES),
            wildcards: self.wildcards | wildcards(bytes),
        }
    }

    /// Whether all of it is ASCII without NUL: then it is a string.
    #[inline(always)]
    const fn plain(self) -> bool {
        self.odd & HIGHS == 0
    }

    /// Whether `+` or `#` is in what is [plain](Self::plain).
    #[inline(always)]
    const fn wildcard(self) -> bool {
        self.wildcards & HIGHS != 0
    }
}

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// Sets the high bit of each byte that is `+` or `#`, which differ in the bit 0x08. Whether there
/// is any is exact among ASCII; which it is may be wrong behind one, where the subtraction borrows.
#[inline(always)]
pub(crate) const fn wildcards(bytes: u64) -> u64 {
    ((bytes ^ (ONES * 0x2b)) | (ONES * 0x08)).wrapping_sub(ONES * 0x09) & HIGHS
}

/// Whether `+` or `#` is in some text.
#[inline(always)]
pub(crate) fn has_wildcard(text: &[u8]) -> bool {
    let scan = Scan::of(text);
    scan.wildcard() && (scan.plain() || text.iter().any(|byte| matches!(byte, b'+' | b'#')))
}

/// Whether NUL is in some text.
#[inline(always)]
pub(crate) fn has_nul(text: &[u8]) -> bool {
    !Scan::of(text).plain() && text.contains(&0)
}

/// Reads a string and tells whether there is a wildcard in it.
#[inline(always)]
pub(crate) fn read_scanned<'a, R: Record>(
    r: &mut Reader<'a, R>,
    field: &'static str,
) -> Result<(&'a [u8], bool), DecodeError> {
    let at = r.offset();
    let bytes = r.prefixed(field)?;
    let scan = Scan::of(bytes);
    if scan.plain() {
        return Ok((bytes, scan.wildcard()));
    }
    match judge(bytes) {
        Ok(()) => Ok((bytes, has_wildcard(bytes))),
        Err(statement) => {
            r.refuse(r.malformed_at(at, field, Some(statement)))?;
            Ok((bytes, false))
        }
    }
}

/// Whether what isn't all ASCII is a string, or which statement it breaks.
#[inline(never)]
fn judge(bytes: &[u8]) -> Result<(), &'static str> {
    if core::str::from_utf8(bytes).is_err() {
        // Ill-formed text, surrogates among it. [MQTT-1.5.4-1]
        return Err("MQTT-1.5.4-1");
    }
    if bytes.contains(&0) {
        Err("MQTT-1.5.4-2")
    } else {
        Ok(())
    }
}

impl<'a> Value<'a> for Utf8String<'a> {
    #[inline(always)]
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
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
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
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
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
        // Both halves obey the rules of strings. [MQTT-1.5.7-1]
        Ok(Self {
            name: Utf8String::read(r, rule)?,
            value: Utf8String::read(r, rule)?,
        })
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
        Some(Self {
            name: Utf8String(rest.prefixed()?),
            value: Utf8String(rest.prefixed()?),
        })
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
