//! Quality of service of a PUBLISH, with the fields that depend on it.

use crate::qos::{PacketId, QoS};

// Bits of the first byte of a PUBLISH (§3.3.1). RETAIN is bit 0.
/// DUP flag, bit 3.
pub(crate) const DUP: u8 = 0b1000;
/// QoS, bits 1 and 2.
pub(crate) const QOS: u8 = 0b0110;
/// Value of the QoS bits for QoS 1.
pub(crate) const QOS_1: u8 = 0b0010;

/// Quality of service of a PUBLISH (§4.3), with the fields that only QoS 1 and 2 have.
///
/// ```
/// use dunlin_codec::{Delivery, PacketId, QoS};
///
/// let packet_id = PacketId::MIN;
/// let delivery = Delivery::AtLeastOnce { packet_id, dup: false };
/// assert_eq!(delivery.qos(), QoS::AtLeastOnce);
/// assert_eq!(delivery.packet_id(), Some(packet_id));
/// assert_eq!(Delivery::AtMostOnce.packet_id(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[cfg_attr(feature = "arbitrary", derive(arbitrary::Arbitrary))]
#[cfg_attr(feature = "proptest", derive(proptest_derive::Arbitrary))]
pub enum Delivery {
    /// QoS 0.
    #[default]
    AtMostOnce,
    /// QoS 1.
    AtLeastOnce {
        /// Packet Identifier, which PUBACK repeats.
        packet_id: PacketId,
        /// DUP flag (§3.3.1.1): the PUBLISH may have been sent before.
        dup: bool,
    },
    /// QoS 2.
    ExactlyOnce {
        /// Packet Identifier, which PUBREC, PUBREL and PUBCOMP repeat.
        packet_id: PacketId,
        /// DUP flag (§3.3.1.1): the PUBLISH may have been sent before.
        dup: bool,
    },
}

impl Delivery {
    /// Delivery with `qos`; at QoS 0 without `packet_id` and `dup`.
    #[must_use]
    pub const fn new(qos: QoS, packet_id: PacketId, dup: bool) -> Self {
        match qos {
            QoS::AtMostOnce => Self::AtMostOnce,
            QoS::AtLeastOnce => Self::AtLeastOnce { packet_id, dup },
            QoS::ExactlyOnce => Self::ExactlyOnce { packet_id, dup },
        }
    }

    /// QoS of the delivery.
    #[must_use]
    pub const fn qos(self) -> QoS {
        match self {
            Self::AtMostOnce => QoS::AtMostOnce,
            Self::AtLeastOnce { .. } => QoS::AtLeastOnce,
            Self::ExactlyOnce { .. } => QoS::ExactlyOnce,
        }
    }

    /// Packet Identifier; `None` at QoS 0.
    #[must_use]
    pub const fn packet_id(self) -> Option<PacketId> {
        match self {
            Self::AtMostOnce => None,
            Self::AtLeastOnce { packet_id, .. } | Self::ExactlyOnce { packet_id, .. } => {
                Some(packet_id)
            }
        }
    }

    /// DUP flag; always `false` at QoS 0.
    #[must_use]
    pub const fn dup(self) -> bool {
        match self {
            Self::AtMostOnce => false,
            Self::AtLeastOnce { dup, .. } | Self::ExactlyOnce { dup, .. } => dup,
        }
    }
}
