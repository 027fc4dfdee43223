//! Encoding into a slice of fixed size, which needs no allocator, and lengths of packets.

use super::ack::{SHORT, Typed};
use super::empty::Empty;
use super::encoding::{Body, Lengths, encoded_len, first_byte, lengths};
use super::publish_forms::{Form, PLAIN, Short, WHOLE, WITH_PROPERTIES};
use super::{
    Ack, AckType, Auth, ConnAck, Connect, Disconnect, Packet, Publish, SubAck, Subscribe, UnsubAck,
    Unsubscribe,
};
use crate::error::{EncodeError, EncodeErrorKind};
use crate::on_demand::{Large, OnDemand};
use crate::packet_type::PacketType;
use crate::sink::SliceSink;

impl Packet<'_> {
    /// Writes the packet to the front of `out`, in its shortest form, and returns its length in
    /// bytes. Bytes after it are not changed.
    ///
    /// ```
    /// use dunlin_codec::{Packet, Publish, TopicName};
    ///
    /// let mut out = [0; 64];
    /// let len = Packet::Publish(Publish::new(TopicName::new("a")?, b"on")).encode_to_slice(&mut out)?;
    /// assert_eq!(out[..len], [0x30, 0x06, 0x00, 0x01, b'a', 0x00, b'o', b'n']);
    /// # Ok::<(), Box<dyn core::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Missing`], [`NotAllowed`] or [`IllegalReasonCode`] if a field breaks a rule that its type
    /// can't hold, [`TooLarge`] above 268,435,455 bytes of Remaining Length, [`NoRoom`] if `out` is
    /// shorter than [`encoded_len`](Self::encoded_len). Nothing is written then.
    ///
    /// [`IllegalReasonCode`]: crate::EncodeErrorKind::IllegalReasonCode
    /// [`Missing`]: crate::EncodeErrorKind::Missing
    /// [`NoRoom`]: crate::EncodeErrorKind::NoRoom
    /// [`NotAllowed`]: crate::EncodeErrorKind::NotAllowed
    /// [`TooLarge`]: crate::EncodeErrorKind::TooLarge
    #[inline]
    pub fn encode_to_slice(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        // Messages and short acknowledgements first, as most packets are one.
        if let Self::Publish(publish) = self {
            return publish.encode_to_slice(out);
        }
        if let Some((ack_type, ack)) = self.as_ack()
            && let Some(short) = ack.short_form(ack_type)
            && let Some(place) = out.first_chunk_mut()
        {
            *place = short;
            return Ok(SHORT);
        }
        self.encode_any_to_slice(out)
    }

    /// Encodes a packet of any type. Not inlined, so that [`encode_to_slice`](Self::encode_to_slice)
    /// stays small.
    #[inline(never)]
    fn encode_any_to_slice(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        match self {
            Self::Connect(packet) => encode_on_demand(packet, out),
            Self::ConnAck(packet) => encode_on_demand(packet, out),
            Self::Publish(packet) => packet.encode_to_slice(out),
            Self::PubAck(ack) => ack.encode_to_slice(AckType::PubAck, out),
            Self::PubRec(ack) => ack.encode_to_slice(AckType::PubRec, out),
            Self::PubRel(ack) => ack.encode_to_slice(AckType::PubRel, out),
            Self::PubComp(ack) => ack.encode_to_slice(AckType::PubComp, out),
            Self::Subscribe(packet) => packet.encode_to_slice(out),
            Self::SubAck(packet) => packet.encode_to_slice(out),
            Self::Unsubscribe(packet) => packet.encode_to_slice(out),
            Self::UnsubAck(packet) => packet.encode_to_slice(out),
            Self::PingReq => encode_to_slice(&Empty(PacketType::PingReq), out),
            Self::PingResp => encode_to_slice(&Empty(PacketType::PingResp), out),
            Self::Disconnect(packet) => packet.encode_to_slice(out),
            Self::Auth(packet) => packet.encode_to_slice(out),
        }
    }

    /// Length of the encoded packet in bytes, fixed header included.
    ///
    /// # Errors
    /// The errors of [`encode_to_slice`](Self::encode_to_slice) but for
    /// [`NoRoom`](crate::EncodeErrorKind::NoRoom).
    pub fn encoded_len(&self) -> Result<usize, EncodeError> {
        match self {
            Self::Connect(packet) => packet.with(Connect::encoded_len),
            Self::ConnAck(packet) => packet.with(ConnAck::encoded_len),
            Self::Publish(packet) => packet.encoded_len(),
            Self::PubAck(ack) => ack.encoded_len(AckType::PubAck),
            Self::PubRec(ack) => ack.encoded_len(AckType::PubRec),
            Self::PubRel(ack) => ack.encoded_len(AckType::PubRel),
            Self::PubComp(ack) => ack.encoded_len(AckType::PubComp),
            Self::Subscribe(packet) => packet.encoded_len(),
            Self::SubAck(packet) => packet.encoded_len(),
            Self::Unsubscribe(packet) => packet.encoded_len(),
            Self::UnsubAck(packet) => packet.encoded_len(),
            Self::PingReq | Self::PingResp => Ok(2),
            Self::Disconnect(packet) => packet.encoded_len(),
            Self::Auth(packet) => packet.encoded_len(),
        }
    }
}

/// Implements `encode_to_slice` and `encoded_len`.
macro_rules! encodes {
    ($($packet:ident)*) => {$(
        impl $packet<'_> {
            /// Writes the packet to the front of `out`; see [`Packet::encode_to_slice`].
            ///
            /// # Errors
            /// The errors of [`Packet::encode_to_slice`].
            #[inline]
            pub fn encode_to_slice(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
                encode_to_slice(self, out)
            }

            /// Length of the encoded packet in bytes; see [`Packet::encoded_len`].
            ///
            /// # Errors
            /// The errors of [`Packet::encoded_len`].
            pub fn encoded_len(&self) -> Result<usize, EncodeError> {
                encoded_len(self)
            }
        }
    )*};
}

encodes!(Connect ConnAck Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth);

impl Publish<'_> {
    /// Writes the packet to the front of `out`; see [`Packet::encode_to_slice`].
    ///
    /// # Errors
    /// The errors of [`Packet::encode_to_slice`].
    // Not inlined, as most callers would call the rest of it anyway.
    #[inline(never)]
    pub fn encode_to_slice(&self, out: &mut [u8]) -> Result<usize, EncodeError> {
        // A short message without properties, as most are, is written without a call of any
        // function.
        if let Some(short) = Short::of(self)
            && let Some(place) = out.get_mut(..short.len())
        {
            short.write(&mut SliceSink {
                rest: place,
                first_properties: None,
            });
            return Ok(short.len());
        }
        // One instance without and one with the code for properties.
        if self.has_properties() {
            encode_to_slice(&Form::<WITH_PROPERTIES, WHOLE>(self), out)
        } else {
            encode_to_slice(&Form::<PLAIN, WHOLE>(self), out)
        }
    }

    /// Length of the encoded packet in bytes; see [`Packet::encoded_len`].
    ///
    /// # Errors
    /// The errors of [`Packet::encoded_len`].
    pub fn encoded_len(&self) -> Result<usize, EncodeError> {
        encoded_len(&Form::<WITH_PROPERTIES, WHOLE>(self))
    }
}

impl Ack<'_> {
    /// Writes the acknowledgement to the front of `out` as a packet of `ack_type`; see
    /// [`Packet::encode_to_slice`].
    ///
    /// # Errors
    /// The errors of [`Packet::encode_to_slice`].
    #[inline]
    pub fn encode_to_slice(&self, ack_type: AckType, out: &mut [u8]) -> Result<usize, EncodeError> {
        // The usual short form is written at once.
        if let (Some(short), Some(place)) = (self.short_form(ack_type), out.first_chunk_mut()) {
            *place = short;
            return Ok(SHORT);
        }
        encode_to_slice(&Typed(ack_type, *self), out)
    }

    /// Length of the encoded acknowledgement in bytes; see [`Packet::encoded_len`].
    ///
    /// # Errors
    /// The errors of [`Packet::encoded_len`].
    pub fn encoded_len(&self, ack_type: AckType) -> Result<usize, EncodeError> {
        encoded_len(&Typed(ack_type, *self))
    }
}

/// Encodes a packet that is read on demand. A function of its own, because the packet with all its
/// fields would enlarge the stack frame of [`Packet::encode_to_slice`].
#[inline(never)]
fn encode_on_demand<'a, T: Large<'a> + Body>(
    packet: &OnDemand<'a, T>,
    out: &mut [u8],
) -> Result<usize, EncodeError> {
    packet.with(|packet| encode_to_slice(packet, out))
}

/// Writes a packet to the front of `out` and returns its length. One instance for each packet type.
#[inline(never)]
fn encode_to_slice(body: &impl Body, out: &mut [u8]) -> Result<usize, EncodeError> {
    let Lengths {
        remaining_length,
        len,
        first_properties,
    } = lengths(body, 0)?;
    // A slice that is too short is refused before the first byte, so that it never has half a packet.
    let Some(place) = out.get_mut(..len) else {
        return Err(EncodeError::new(EncodeErrorKind::NoRoom, "packet"));
    };
    // The lengths are known, so the properties are not counted again.
    let mut sink = SliceSink {
        rest: place,
        first_properties,
    };
    body.write_packet(first_byte(body), remaining_length, &mut sink);
    Ok(len)
}
