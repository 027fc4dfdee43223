//! Quality of service, and the Packet Identifier.

use core::fmt;
use core::num::NonZeroU16;

/// Quality of service of a message (§4.3); the default is QoS 0.
///
/// ```
/// use dunlin_codec::QoS;
///
/// assert_eq!(QoS::try_from(1), Ok(QoS::AtLeastOnce));
/// assert_eq!(QoS::ExactlyOnce.level(), 2);
/// assert!(QoS::AtMostOnce < QoS::AtLeastOnce);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "proptest", derive(proptest_derive::Arbitrary))]
#[repr(u8)]
pub enum QoS {
    /// QoS 0: delivered at most once, without acknowledgement.
    #[default]
    AtMostOnce = 0,
    /// QoS 1: delivered at least once, acknowledged by PUBACK.
    AtLeastOnce = 1,
    /// QoS 2: delivered exactly once, with PUBREC, PUBREL and PUBCOMP.
    ExactlyOnce = 2,
}

impl QoS {
    /// Number of the level: 0, 1 or 2.
    #[must_use]
    pub const fn level(self) -> u8 {
        self as u8
    }

    pub(crate) const fn from_level(level: u8) -> Option<Self> {
        match level {
            0 => Some(Self::AtMostOnce),
            1 => Some(Self::AtLeastOnce),
            2 => Some(Self::ExactlyOnce),
            _ => None,
        }
    }
}

impl TryFrom<u8> for QoS {
    type Error = InvalidQoS;

    /// QoS with this number.
    ///
    /// # Errors
    /// [`InvalidQoS`] above 2.
    ///
    /// ```
    /// use dunlin_codec::QoS;
    ///
    /// assert_eq!(QoS::try_from(1), Ok(QoS::AtLeastOnce));
    /// assert_eq!(QoS::try_from(3).map_err(|error| error.level), Err(3));
    /// ```
    fn try_from(level: u8) -> Result<Self, InvalidQoS> {
        Self::from_level(level).ok_or(InvalidQoS { level })
    }
}

impl From<QoS> for u8 {
    fn from(qos: QoS) -> Self {
        qos.level()
    }
}

/// Error for a number that is no QoS: the levels are 0, 1 and 2 (§4.3).
///
/// ```
/// use dunlin_codec::{InvalidQoS, QoS};
///
/// let error: InvalidQoS = QoS::try_from(3).unwrap_err();
/// assert_eq!(error.level, 3);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct InvalidQoS {
    /// Number that was given.
    pub level: u8,
}

impl fmt::Display for InvalidQoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a QoS: the levels are 0, 1 and 2", self.level)
    }
}

impl core::error::Error for InvalidQoS {}

impl fmt::Display for QoS {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "QoS {}", self.level())
    }
}

/// Packet Identifier (§2.2.1), 1 to 65,535, of a SUBSCRIBE, an UNSUBSCRIBE or a PUBLISH of QoS 1 or
/// 2 until its exchange is complete.
///
/// ```
/// use dunlin_codec::PacketId;
///
/// let packet_id = PacketId::new(7).expect("not 0");
/// assert_eq!(packet_id.get(), 7);
/// assert!(PacketId::try_from(0_u16).is_err());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "proptest", derive(proptest_derive::Arbitrary))]
pub struct PacketId(NonZeroU16);

impl PacketId {
    /// Smallest identifier, 1.
    pub const MIN: Self = Self(NonZeroU16::MIN);

    pub(crate) const fn to_non_zero(self) -> NonZeroU16 {
        self.0
    }

    /// Packet Identifier with this number; `None` for 0.
    #[must_use]
    pub const fn new(id: u16) -> Option<Self> {
        match NonZeroU16::new(id) {
            Some(id) => Some(Self(id)),
            None => None,
        }
    }

    /// Number of the identifier, 1 to 65,535.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0.get()
    }
}

impl From<NonZeroU16> for PacketId {
    fn from(id: NonZeroU16) -> Self {
        Self(id)
    }
}

impl fmt::Display for PacketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
