//! PUBACK, PUBREC, PUBREL and PUBCOMP (§3.4 to §3.7), which have the same fields.

use super::body::{incomplete_or_other, whole_of_type};
use super::encoding::Body;
use super::properties::{Properties, properties};
use super::{Packet, outcome, packet_id};
use crate::decode::{DecodeOptions, Decoded};
use crate::error::{DecodeError, EncodeError};
use crate::header::FixedHeader;
use crate::packet_type::PacketType;
use crate::qos::PacketId;
use crate::reader::Reader;
use crate::reason_code::ReasonCode;
use crate::record::Record;
use crate::sink::Sink;
#[cfg(feature = "alloc")]
use crate::validated::Validated;
use crate::value::Value;

/// PUBACK, PUBREC, PUBREL or PUBCOMP, as the [`Packet`](crate::Packet) variant or the [`AckType`] beside it says.
///
/// ```
/// use dunlin_codec::{Ack, AckType, PacketId};
///
/// let mut out = [0; 4];
/// let len = Ack::success(PacketId::MIN).encode_to_slice(AckType::PubAck, &mut out)?;
/// assert_eq!(out[..len], [0x40, 0x02, 0x00, 0x01]);
/// # Ok::<(), dunlin_codec::EncodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Ack<'a> {
    /// Packet Identifier of the PUBLISH.
    pub packet_id: PacketId,
    /// Reason code; each of the four packets has codes of its own (§2.4).
    pub reason_code: ReasonCode,
    /// Properties (§3.4.2.2).
    pub properties: AckProperties<'a>,
}

properties! {
    /// The properties of PUBACK, PUBREC, PUBREL and PUBCOMP (§3.4.2.2).
    AckProperties owned OwnedAckProperties rule None;
    once {
        /// Reason String (§3.4.2.2.2): text for logs, not to be parsed; `None` means the sender
        /// gave none.
        reason_string,
    }
    many {
        /// User Properties (§3.4.2.2.3): pairs of texts whose meaning the application defines.
        user_properties: user_property,
    }
}

/// Type of an [`Ack`].
///
/// ```
/// use dunlin_codec::{AckType, PacketType};
///
/// assert_eq!(AckType::PubRel.packet_type(), PacketType::PubRel);
/// assert_eq!(AckType::try_from(4), Ok(AckType::PubAck));
/// assert_eq!(AckType::try_from(PacketType::PubRec), Ok(AckType::PubRec));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum AckType {
    /// PUBACK, which acknowledges a PUBLISH of QoS 1.
    PubAck,
    /// PUBREC, the first answer to a PUBLISH of QoS 2.
    PubRec,
    /// PUBREL, the answer to PUBREC.
    PubRel,
    /// PUBCOMP, the answer to PUBREL.
    PubComp,
}

impl AckType {
    /// Type of the packet.
    #[must_use]
    pub const fn packet_type(self) -> PacketType {
        match self {
            Self::PubAck => PacketType::PubAck,
            Self::PubRec => PacketType::PubRec,
            Self::PubRel => PacketType::PubRel,
            Self::PubComp => PacketType::PubComp,
        }
    }

    /// Type with this packet type number, 4 to 7.
    pub(crate) const fn from_number(number: u8) -> Option<Self> {
        match PacketType::from_number(number) {
            Some(packet_type) => Self::of(packet_type),
            None => None,
        }
    }

    /// Acknowledgement of this packet type; `None` for another type of packet.
    pub(crate) const fn of(packet_type: PacketType) -> Option<Self> {
        match packet_type {
            PacketType::PubAck => Some(Self::PubAck),
            PacketType::PubRec => Some(Self::PubRec),
            PacketType::PubRel => Some(Self::PubRel),
            PacketType::PubComp => Some(Self::PubComp),
            _ => None,
        }
    }
}

/// Length in bytes of an acknowledgement without reason code and properties.
pub(super) const SHORT: usize = 4;

/// First bytes of the four packets.
const PUBACK: u8 = first_byte(PacketType::PubAck);
const PUBREC: u8 = first_byte(PacketType::PubRec);
const PUBREL: u8 = first_byte(PacketType::PubRel);
const PUBCOMP: u8 = first_byte(PacketType::PubComp);

const fn first_byte(packet_type: PacketType) -> u8 {
    (packet_type as u8) << 4 | packet_type.flags()
}

impl<'a> Ack<'a> {
    /// Acknowledgement with this reason code, without properties.
    #[must_use]
    pub const fn new(packet_id: PacketId, reason_code: ReasonCode) -> Self {
        Self {
            packet_id,
            reason_code,
            properties: AckProperties::new(),
        }
    }

    /// Success, without properties.
    #[inline]
    #[must_use]
    pub const fn success(packet_id: PacketId) -> Self {
        Self {
            packet_id,
            reason_code: ReasonCode::Success,
            properties: AckProperties::new(),
        }
    }

    /// Decodes one of the four packets at the front of `input`, strictly and from either side,
    /// without making a [`Packet`](crate::Packet): type and acknowledgement with the length in
    /// bytes, or that another packet is there.
    ///
    /// # Errors
    /// The errors of [`Packet::decode`](crate::Packet::decode).
    #[inline]
    pub fn decode(input: &'a [u8]) -> Result<Decoded<(AckType, Self)>, DecodeError> {
        Self::decode_with(input, &DecodeOptions::default())
    }

    /// Decodes an acknowledgement like [`decode`](Self::decode), with options.
    ///
    /// # Errors
    /// The errors of [`Packet::decode_with`](crate::Packet::decode_with).
    #[inline]
    pub fn decode_with(
        input: &'a [u8],
        options: &DecodeOptions,
    ) -> Result<Decoded<(AckType, Self)>, DecodeError> {
        // The usual form needs no general decoding.
        if let Some(ack) = Self::short(input, options) {
            return Ok(Decoded::Packet(ack, SHORT));
        }
        let Ok(Some((header, body))) = FixedHeader::split(input, options) else {
            return incomplete_or_other(input, options, |found| AckType::of(found).is_some());
        };
        // Another packet is not an error: the caller decodes it as what it is.
        let Some(ack_type) = AckType::of(header.packet_type) else {
            return Ok(Decoded::Other(header.packet_type));
        };
        whole_of_type(header, body, options, |_, r| {
            Self::read(ack_type, r).map(|ack| (ack_type, ack))
        })
    }

    /// Acknowledgement at the front of `input` in the usual short form: four bytes, success, no
    /// properties. `None` means that the caller has to decode the packet in the general way.
    #[inline(always)]
    pub(super) fn short(input: &[u8], options: &DecodeOptions) -> Option<(AckType, Self)> {
        // A Remaining Length of 2: the identifier alone.
        let [first, 2, high, low, ..] = *input else {
            return None;
        };
        let ack_type = match first {
            PUBACK => AckType::PubAck,
            PUBREC => AckType::PubRec,
            PUBREL => AckType::PubRel,
            PUBCOMP => AckType::PubComp,
            _ => return None,
        };
        // 0 is refused by the general way, with its error.
        let packet_id = PacketId::new(u16::from_be_bytes([high, low]))?;
        (options.max_packet_size as usize >= SHORT).then(|| (ack_type, Self::success(packet_id)))
    }

    #[inline(always)]
    pub(super) fn read<R: Record>(
        ack_type: AckType,
        r: &mut Reader<'a, R>,
    ) -> Result<Self, DecodeError> {
        let packet_id = PacketId::read(r, packet_id::OF_ACK)?;
        let (reason_code, properties) = outcome::read(ack_type.packet_type(), r)?;
        Ok(Self {
            packet_id,
            reason_code,
            properties,
        })
    }

    /// Reads a body that was checked before.
    #[cfg(feature = "alloc")]
    pub(super) fn reread(mut rest: Validated<'a>) -> Option<Self> {
        let packet_id = PacketId::reread(&mut rest)?;
        let (reason_code, properties) = outcome::reread(&mut rest)?;
        Some(Self {
            packet_id,
            reason_code,
            properties,
        })
    }

    /// The four bytes of a success without properties; `None` if this is another acknowledgement.
    #[inline(always)]
    pub(super) fn short_form(&self, ack_type: AckType) -> Option<[u8; SHORT]> {
        if self.reason_code == ReasonCode::Success && self.properties.is_empty() {
            let [high, low] = self.packet_id.get().to_be_bytes();
            Some([first_byte(ack_type.packet_type()), 2, high, low])
        } else {
            None
        }
    }
}

impl<'a> Packet<'a> {
    /// Acknowledgement with its type; `None` for another packet.
    #[inline(always)]
    pub(super) const fn as_ack(&self) -> Option<(AckType, &Ack<'a>)> {
        match self {
            Self::PubAck(ack) => Some((AckType::PubAck, ack)),
            Self::PubRec(ack) => Some((AckType::PubRec, ack)),
            Self::PubRel(ack) => Some((AckType::PubRel, ack)),
            Self::PubComp(ack) => Some((AckType::PubComp, ack)),
            _ => None,
        }
    }
}

/// Acknowledgement with the type of its packet.
pub(super) struct Typed<'a>(pub(super) AckType, pub(super) Ack<'a>);

impl Body for Typed<'_> {
    fn packet_type(&self) -> PacketType {
        self.0.packet_type()
    }

    fn check(&self) -> Result<(), EncodeError> {
        outcome::check(self.1.reason_code, self.packet_type())
    }

    #[inline(always)]
    fn write<S: Sink>(&self, sink: &mut S) {
        self.1.packet_id.write(sink);
        outcome::write(self.1.reason_code, &self.1.properties, sink);
    }
}
