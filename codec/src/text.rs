//! Strings and binary data (§1.5.4, §1.5.6, §1.5.7), at most 65,535 bytes each.

use core::fmt;
use core::ops::Deref;

use crate::error::DecodeError;
use crate::reader::Reader;
use crate::record::Record;
use crate::scan::{Scan, has_nul, has_wildcard};
use crate::sink::Sink;
use crate::validated::{Validated, text_of};
use crate::value::{Rule, Value};

/// Maximum number of bytes, which a two-byte length can state.
pub(crate) const MAX_LEN: usize = u16::MAX as usize;

/// UTF-8 Encoded String (§1.5.4): at most 65,535 bytes without NUL.
///
/// The text is validated when it is decoded or made; reading it costs nothing.
///
/// ```
/// use dunlin_codec::{TextError, Utf8String};
///
/// const CLIENT_ID: Utf8String<'static> = match Utf8String::new("lamp-7") {
///     Ok(text) => text,
///     Err(_) => panic!("not a UTF-8 Encoded String"),
/// };
/// assert_eq!(CLIENT_ID, "lamp-7");
/// assert_eq!(Utf8String::new("\0"), Err(TextError::Nul));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Utf8String<'a>(&'a str);

/// Binary Data (§1.5.6) of at most 65,535 bytes.
///
/// ```
/// use dunlin_codec::BinaryData;
///
/// let password = BinaryData::new(b"secret")?;
/// assert_eq!(password.as_bytes(), b"secret");
/// assert!(BinaryData::new(&[0; 65_536]).is_err());
/// # Ok::<(), dunlin_codec::TextError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct BinaryData<'a>(&'a [u8]);

/// User Property (§1.5.7): a name and a value whose meaning the application defines. A packet keeps
/// the order of its properties, and the same name may occur more than once.
///
/// ```
/// use dunlin_codec::UserProperty;
///
/// let property = UserProperty::new("region", "eu")?;
/// assert_eq!((property.name.as_str(), property.value.as_str()), ("region", "eu"));
/// # Ok::<(), dunlin_codec::TextError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct UserProperty<'a> {
    /// Name.
    pub name: Utf8String<'a>,
    /// Value.
    pub value: Utf8String<'a>,
}

/// Fault of text or data that a packet can't hold.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum TextError {
    /// More than 65,535 bytes.
    TooLong,
    /// The text has the NUL character. [MQTT-1.5.4-2]
    Nul,
}

impl<'a> Utf8String<'a> {
    /// String with this text.
    ///
    /// # Errors
    /// [`TextError::Nul`] for a NUL character, [`TextError::TooLong`] above 65,535 bytes.
    ///
    /// ```
    /// use dunlin_codec::Utf8String;
    ///
    /// const CLIENT_ID: Utf8String<'_> = match Utf8String::new("lamp-7") {
    ///     Ok(text) => text,
    ///     Err(_) => panic!("no text of a packet"),
    /// };
    /// assert_eq!(CLIENT_ID, "lamp-7");
    /// ```
    pub const fn new(text: &'a str) -> Result<Self, TextError> {
        // The length on the wire has two bytes.
        if text.len() > MAX_LEN {
            return Err(TextError::TooLong);
        }
        if has_nul(text.as_bytes()) {
            return Err(TextError::Nul);
        }
        Ok(Self(text))
    }
}

/// Implements `as_str`, `as_bytes` and the traits of a `str` for the types of validated text.
macro_rules! checked_text {
    ($($type:ident)*) => {$(
        impl<'a> $type<'a> {
            #[allow(dead_code, reason = "without `alloc`, no name or filter is made of validated bytes")]
            /// Text that obeys the rules of its type.
            #[inline]
            pub(crate) const fn of_validated(text: &'a str) -> Self {
                Self(text)
            }

            /// Text as a `str`.
            #[inline]
            #[must_use]
            pub const fn as_str(&self) -> &'a str {
                self.0
            }

            /// Bytes of the text.
            #[inline]
            #[must_use]
            pub const fn as_bytes(&self) -> &'a [u8] {
                self.0.as_bytes()
            }
        }

        impl core::ops::Deref for $type<'_> {
            type Target = str;

            #[inline]
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
    /// Binary Data of these bytes.
    ///
    /// # Errors
    /// [`TextError::TooLong`] above 65,535 bytes.
    pub const fn new(data: &'a [u8]) -> Result<Self, TextError> {
        if data.len() > MAX_LEN {
            Err(TextError::TooLong)
        } else {
            Ok(Self(data))
        }
    }

    #[cfg(feature = "alloc")]
    pub(crate) const fn of_validated(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Bytes of the data.
    #[must_use]
    pub const fn as_bytes(&self) -> &'a [u8] {
        self.0
    }
}

impl<'a> UserProperty<'a> {
    /// User Property of this name and value.
    ///
    /// # Errors
    /// The errors of [`Utf8String::new`], for either text.
    pub const fn new(name: &'a str, value: &'a str) -> Result<Self, TextError> {
        match (Utf8String::new(name), Utf8String::new(value)) {
            (Ok(name), Ok(value)) => Ok(Self { name, value }),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }
}

/// String that was read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scanned<'a> {
    pub(crate) bytes: &'a [u8],
    /// The same bytes as text; may be empty if the reader [only checks](Record::ONLY_CHECKS).
    pub(crate) text: &'a str,
    /// True if there is a `+` or `#`.
    pub(crate) has_wildcard: bool,
}

/// Reads a string.
#[inline(always)]
pub(crate) fn read_scanned<'a, R: Record>(
    r: &mut Reader<'a, R>,
    field: &'static str,
) -> Result<Scanned<'a>, DecodeError> {
    let at = r.offset();
    let bytes = r.prefixed(field)?;
    let scanned = |text, has_wildcard| Scanned {
        bytes,
        text,
        has_wildcard,
    };
    // Most strings are ASCII: one pass over the words then finds a NUL and wildcards.
    let scan = Scan::of(bytes);
    if scan.plain() {
        let text = if R::ONLY_CHECKS { "" } else { text_of(bytes) };
        return Ok(scanned(text, scan.wildcard()));
    }
    match check_unicode(bytes) {
        Ok(text) => Ok(scanned(text, has_wildcard(bytes))),
        Err(statement) => {
            r.refuse(r.malformed_at(at, field, Some(statement)))?;
            Ok(scanned("", false))
        }
    }
}

/// Checks bytes that are not all ASCII; the error is the statement that they break.
#[inline(never)]
fn check_unicode(bytes: &[u8]) -> Result<&str, &'static str> {
    let Ok(text) = core::str::from_utf8(bytes) else {
        // The text is ill-formed, which includes encoded surrogates. [MQTT-1.5.4-1]
        return Err("MQTT-1.5.4-1");
    };
    if bytes.contains(&0) {
        Err("MQTT-1.5.4-2")
    } else {
        Ok(text)
    }
}

impl<'a> Value<'a> for Utf8String<'a> {
    #[inline(always)]
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
        read_scanned(r, rule.field).map(|scanned| Self(scanned.text))
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        rest.text().map(Self)
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        sink.prefixed(self.0.as_bytes());
    }

    #[inline(always)]
    fn write_row<S: Sink>(&self, id: u8, sink: &mut S) {
        sink.prefixed_row(id, self.0.as_bytes());
    }
}

impl<'a> Value<'a> for BinaryData<'a> {
    #[inline(always)]
    fn read<R: Record>(r: &mut Reader<'a, R>, rule: Rule) -> Result<Self, DecodeError> {
        r.prefixed(rule.field).map(Self)
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        rest.prefixed().map(Self)
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
        // Name and value obey the rules of strings. [MQTT-1.5.7-1]
        Ok(Self {
            name: Utf8String::read(r, rule)?,
            value: Utf8String::read(r, rule)?,
        })
    }

    #[inline(always)]
    fn reread(rest: &mut Validated<'a>) -> Option<Self> {
        Some(Self {
            name: Utf8String::reread(rest)?,
            value: Utf8String::reread(rest)?,
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
