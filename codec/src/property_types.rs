//! Types of the numbers that only properties hold: format, alias and identifier.

use core::num::{NonZeroU16, NonZeroU32};

use crate::varint;

/// Payload Format Indicator (§3.3.2.3.2): format of a payload, as the sender states it.
///
/// ```
/// use dunlin_codec::PayloadFormat;
///
/// assert_eq!(PayloadFormat::try_from(1), Ok(PayloadFormat::Utf8));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "proptest", derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum PayloadFormat {
    /// Bytes of no stated format; the default.
    #[default]
    Unspecified = 0,
    /// UTF-8 text. The codec does not check the payload.
    Utf8 = 1,
}

/// Topic Alias (§3.3.2.3.4): number from 1 to 65,535 that stands for a topic on one connection.
///
/// ```
/// use dunlin_codec::TopicAlias;
///
/// assert_eq!(TopicAlias::new(1).map(TopicAlias::get), Some(1));
/// assert_eq!(TopicAlias::new(0), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "proptest", derive(proptest_derive::Arbitrary))]
pub struct TopicAlias(NonZeroU16);

/// Subscription Identifier (§3.8.2.1.2): number from 1 to 268,435,455 that a client gives a
/// subscription, and that the server sends with each message for it.
///
/// ```
/// use dunlin_codec::SubscriptionIdentifier;
///
/// assert!(SubscriptionIdentifier::new(268_435_455).is_some());
/// assert_eq!(SubscriptionIdentifier::new(268_435_456), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SubscriptionIdentifier(NonZeroU32);

impl PayloadFormat {
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Unspecified),
            1 => Some(Self::Utf8),
            _ => None,
        }
    }
}

impl TopicAlias {
    /// Smallest alias, 1.
    pub const MIN: Self = Self(NonZeroU16::MIN);

    pub(crate) const fn from_non_zero(alias: NonZeroU16) -> Self {
        Self(alias)
    }

    pub(crate) const fn to_non_zero(self) -> NonZeroU16 {
        self.0
    }

    /// Alias with this number; `None` for 0. [MQTT-3.3.2-8]
    #[must_use]
    pub const fn new(alias: u16) -> Option<Self> {
        match NonZeroU16::new(alias) {
            Some(alias) => Some(Self(alias)),
            None => None,
        }
    }

    /// Number of the alias, 1 to 65,535.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl SubscriptionIdentifier {
    /// Smallest identifier, 1.
    pub const MIN: Self = Self(NonZeroU32::MIN);

    pub(crate) const fn to_non_zero(self) -> NonZeroU32 {
        self.0
    }

    /// Identifier with this number; `None` for 0 and above 268,435,455.
    #[must_use]
    pub const fn new(identifier: u32) -> Option<Self> {
        match NonZeroU32::new(identifier) {
            Some(valid) if identifier <= varint::MAX => Some(Self(valid)),
            _ => None,
        }
    }

    /// Number of the identifier, 1 to 268,435,455.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0.get()
    }
}
