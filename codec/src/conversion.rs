//! Conversions of the standard library for numbers, text and errors.

#[cfg(feature = "alloc")]
use alloc::string::String;
#[cfg(feature = "alloc")]
use alloc::vec::Vec;
use core::borrow::Borrow;
use core::fmt;
use core::num::{NonZeroU16, NonZeroU32};

use crate::packet::{AckType, RetainHandling};
use crate::packet_type::PacketType;
use crate::property_types::{PayloadFormat, SubscriptionIdentifier, TopicAlias};
use crate::qos::PacketId;
use crate::reason_code::ReasonCode;
use crate::text::{BinaryData, TextError, Utf8String};
use crate::topic::{TopicFilter, TopicName};
use crate::topic_error::TopicError;

/// Error for a number that has no meaning in the type that it was converted to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct InvalidNumber {
    /// Name of the type in the standard, such as `Topic Alias`.
    pub name: &'static str,
    /// Number that was given.
    pub number: u32,
}

impl fmt::Display for InvalidNumber {
    /// `0 is no Topic Alias`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is no {}", self.number, self.name)
    }
}

impl core::error::Error for InvalidNumber {}

/// Implements the conversions from a number, which can fail, and to it.
macro_rules! numbers {
    ($($type:ident $number:ty: $name:literal, $from:expr, $into:expr;)*) => {$(
        impl TryFrom<$number> for $type {
            type Error = InvalidNumber;

            #[doc = concat!("[`", stringify!($type), "`] with this number.")]
            ///
            /// # Errors
            /// [`InvalidNumber`] if there is none.
            fn try_from(number: $number) -> Result<Self, InvalidNumber> {
                ($from)(number).ok_or(InvalidNumber { name: $name, number: number.into() })
            }
        }

        impl From<$type> for $number {
            fn from(value: $type) -> Self {
                ($into)(value)
            }
        }
    )*};
}

numbers! {
    PacketType u8: "packet type", PacketType::from_number, |packet_type| packet_type as u8;
    AckType u8: "acknowledgement", AckType::from_number, |ack_type: AckType| ack_type.packet_type() as u8;
    ReasonCode u8: "reason code", ReasonCode::from_code, ReasonCode::code;
    PayloadFormat u8: "Payload Format Indicator", PayloadFormat::from_number, |format| format as u8;
    PacketId u16: "Packet Identifier", PacketId::new, PacketId::get;
    TopicAlias u16: "Topic Alias", TopicAlias::new, TopicAlias::get;
    RetainHandling u8: "Retain Handling", RetainHandling::from_number, |handling| handling as u8;
    SubscriptionIdentifier u32: "Subscription Identifier", SubscriptionIdentifier::new, SubscriptionIdentifier::get;
}

impl From<AckType> for PacketType {
    fn from(ack_type: AckType) -> Self {
        ack_type.packet_type()
    }
}

impl TryFrom<PacketType> for AckType {
    type Error = InvalidNumber;

    /// Acknowledgement of this packet type.
    ///
    /// # Errors
    /// [`InvalidNumber`] for the eleven other types.
    fn try_from(packet_type: PacketType) -> Result<Self, InvalidNumber> {
        Self::of(packet_type).ok_or_else(|| InvalidNumber {
            name: "acknowledgement",
            number: u32::from(packet_type as u8),
        })
    }
}

impl From<PacketId> for NonZeroU16 {
    fn from(id: PacketId) -> Self {
        id.to_non_zero()
    }
}

impl From<NonZeroU16> for TopicAlias {
    fn from(alias: NonZeroU16) -> Self {
        Self::from_non_zero(alias)
    }
}

impl From<TopicAlias> for NonZeroU16 {
    fn from(alias: TopicAlias) -> Self {
        alias.to_non_zero()
    }
}

impl From<SubscriptionIdentifier> for NonZeroU32 {
    fn from(identifier: SubscriptionIdentifier) -> Self {
        identifier.to_non_zero()
    }
}

impl TryFrom<NonZeroU32> for SubscriptionIdentifier {
    type Error = InvalidNumber;

    /// Identifier with this number.
    ///
    /// # Errors
    /// [`InvalidNumber`] above 268,435,455.
    fn try_from(number: NonZeroU32) -> Result<Self, InvalidNumber> {
        Self::try_from(number.get())
    }
}

impl fmt::Display for TopicAlias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

impl fmt::Display for SubscriptionIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// Implements conversions and comparisons with `str` for validated text.
macro_rules! texts {
    ($($type:ident: $error:ty;)*) => {$(
        impl<'a> TryFrom<&'a str> for $type<'a> {
            type Error = $error;

            #[doc = concat!("See [`", stringify!($type), "::new`].")]
            ///
            /// # Errors
            #[doc = concat!("The errors of [`", stringify!($type), "::new`].")]
            fn try_from(text: &'a str) -> Result<Self, $error> {
                Self::new(text)
            }
        }

        impl<'a> From<$type<'a>> for &'a str {
            fn from(text: $type<'a>) -> Self {
                text.as_str()
            }
        }

        #[cfg(feature = "alloc")]
        impl From<$type<'_>> for String {
            fn from(text: $type<'_>) -> Self {
                text.as_str().into()
            }
        }

        impl AsRef<str> for $type<'_> {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        // Equality, order and hash are those of the text.
        impl Borrow<str> for $type<'_> {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl PartialEq<$type<'_>> for str {
            fn eq(&self, other: &$type<'_>) -> bool {
                self == other.as_str()
            }
        }

        impl PartialEq<$type<'_>> for &str {
            fn eq(&self, other: &$type<'_>) -> bool {
                *self == other.as_str()
            }
        }

        // Bytes are compared: both sides are valid UTF-8.
        impl PartialEq<str> for $type<'_> {
            fn eq(&self, other: &str) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }

        impl PartialEq<&str> for $type<'_> {
            fn eq(&self, other: &&str) -> bool {
                self.as_bytes() == other.as_bytes()
            }
        }
    )*};
}

texts! {
    Utf8String: TextError;
    TopicName: TopicError;
    TopicFilter: TopicError;
}

impl<'a> TryFrom<&'a [u8]> for BinaryData<'a> {
    type Error = TextError;

    /// See [`BinaryData::new`].
    ///
    /// # Errors
    /// The errors of [`BinaryData::new`].
    fn try_from(data: &'a [u8]) -> Result<Self, TextError> {
        Self::new(data)
    }
}

impl<'a> From<BinaryData<'a>> for &'a [u8] {
    fn from(data: BinaryData<'a>) -> Self {
        data.as_bytes()
    }
}

#[cfg(feature = "alloc")]
impl From<BinaryData<'_>> for Vec<u8> {
    fn from(data: BinaryData<'_>) -> Self {
        data.as_bytes().into()
    }
}

// Equality, order and hash are those of the bytes.
impl Borrow<[u8]> for BinaryData<'_> {
    fn borrow(&self) -> &[u8] {
        self.as_bytes()
    }
}

impl PartialEq<[u8]> for BinaryData<'_> {
    fn eq(&self, other: &[u8]) -> bool {
        self.as_bytes() == other
    }
}

impl PartialEq<&[u8]> for BinaryData<'_> {
    fn eq(&self, other: &&[u8]) -> bool {
        self.as_bytes() == *other
    }
}

impl PartialEq<BinaryData<'_>> for [u8] {
    fn eq(&self, other: &BinaryData<'_>) -> bool {
        self == other.as_bytes()
    }
}

impl PartialEq<BinaryData<'_>> for &[u8] {
    fn eq(&self, other: &BinaryData<'_>) -> bool {
        *self == other.as_bytes()
    }
}

impl<const N: usize> PartialEq<[u8; N]> for BinaryData<'_> {
    fn eq(&self, other: &[u8; N]) -> bool {
        self.as_bytes() == other
    }
}

impl<const N: usize> PartialEq<&[u8; N]> for BinaryData<'_> {
    fn eq(&self, other: &&[u8; N]) -> bool {
        self.as_bytes() == *other
    }
}

impl AsRef<[u8]> for BinaryData<'_> {
    fn as_ref(&self) -> &[u8] {
        self.as_bytes()
    }
}

/// Errors of decoding and encoding as errors of I/O, with which servers and clients report them.
#[cfg(feature = "std")]
mod io {
    use std::io;

    use crate::error::{DecodeError, EncodeError};

    impl From<EncodeError> for io::Error {
        /// Error of the kind `InvalidInput`, whose [`get_ref`](io::Error::get_ref) is the encode
        /// error.
        fn from(error: EncodeError) -> Self {
            Self::new(io::ErrorKind::InvalidInput, error)
        }
    }

    impl From<DecodeError> for io::Error {
        /// Error of the kind `InvalidData`, whose [`get_ref`](io::Error::get_ref) is the decode
        /// error.
        fn from(error: DecodeError) -> Self {
            Self::new(io::ErrorKind::InvalidData, error)
        }
    }

    #[cfg(feature = "tokio-util")]
    impl From<crate::framing::FramingError> for io::Error {
        /// The I/O error itself, or one of the kind `InvalidData` for a packet that can't be decoded
        /// and `InvalidInput` for one that can't be encoded.
        fn from(error: crate::framing::FramingError) -> Self {
            use crate::framing::FramingError;

            match error {
                FramingError::Decode(error) => error.into(),
                FramingError::Encode(error) => error.into(),
                FramingError::Io(error) => error,
            }
        }
    }
}
