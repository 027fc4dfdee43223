//! Encoding of each owned packet, without making an owned [`Packet`](super::Packet) of it.

use bytes::BufMut;

use super::{
    Ack, Auth, ConnAck, Connect, Disconnect, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe,
};
use crate::error::EncodeError;
use crate::packet::AckType;

/// Implements `encode` and `encoded_len` by those of the borrowed packet.
macro_rules! encodes {
    ($($packet:ident)*) => {$(
        impl $packet {
            #[doc = concat!(
                "Appends the packet to `out`; see [`Packet::encode`](crate::Packet::encode). ",
                "[`", stringify!($packet), "::as_borrowed`] has the other forms of encoding."
            )]
            ///
            /// # Errors
            /// The errors of [`Packet::encode`](crate::Packet::encode).
            pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
                self.as_borrowed().encode(out)
            }

            /// Length of the encoded packet in bytes, fixed header included.
            ///
            /// # Errors
            /// The errors of [`Packet::encoded_len`](crate::Packet::encoded_len).
            pub fn encoded_len(&self) -> Result<usize, EncodeError> {
                self.as_borrowed().encoded_len()
            }
        }
    )*};
}

encodes!(Connect ConnAck Publish Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth);

impl Ack {
    /// Appends the acknowledgement to `out` as a packet of `ack_type`; see
    /// [`Packet::encode`](crate::Packet::encode).
    ///
    /// ```
    /// use dunlin_codec::{Ack, AckType, PacketId};
    ///
    /// let kept = Ack::success(PacketId::MIN).to_owned();
    /// let mut out = Vec::new();
    /// kept.encode(AckType::PubRel, &mut out)?;
    /// assert_eq!(out, [0x62, 0x02, 0x00, 0x01]);
    /// # Ok::<(), dunlin_codec::EncodeError>(())
    /// ```
    ///
    /// # Errors
    /// The errors of [`Packet::encode`](crate::Packet::encode).
    pub fn encode(&self, ack_type: AckType, out: &mut impl BufMut) -> Result<(), EncodeError> {
        self.as_borrowed().encode(ack_type, out)
    }

    /// Length of the encoded acknowledgement in bytes, fixed header included.
    ///
    /// # Errors
    /// The errors of [`Packet::encoded_len`](crate::Packet::encoded_len).
    pub fn encoded_len(&self, ack_type: AckType) -> Result<usize, EncodeError> {
        self.as_borrowed().encoded_len(ack_type)
    }
}
