//! Owned packet of any type: conversions from and to the borrowed one, encoding and `Display`.

use core::fmt;

use bytes::BufMut;

use super::{
    Ack, Auth, ConnAck, Connect, Disconnect, Own, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe,
};
use crate::encode::EncodeOptions;
use crate::error::EncodeError;
use crate::on_demand::{OnDemand, OwnedLarge};
use crate::packet::AckType;
use crate::packet_buf::PacketBuf;
use crate::packet_type::PacketType;

/// Declares the owned packet with what differs between its variants.
macro_rules! packets {
    ($($packet:ident)*; $($ack:ident)*) => {
        /// Owned form of [`Packet`](crate::Packet): to keep, to change and to send.
        ///
        /// ```
        /// use dunlin_codec::{DecodeOptions, Packet, owned};
        ///
        /// let received = [0x30, 0x06, 0x00, 0x01, b'a', 0x00, b'h', b'i'];
        /// let (packet, _) = Packet::decode(&received)?.expect("a whole packet");
        /// let mut kept = packet.to_owned();
        /// let owned::Packet::Publish(publish) = &mut kept else { panic!("a PUBLISH") };
        /// publish.topic = Some("b".parse()?);
        /// publish.retain = true;
        ///
        /// let mut out = Vec::new();
        /// kept.encode(&mut out)?;
        /// assert_eq!(out, [0x31, 0x06, 0x00, 0x01, b'b', 0x00, b'h', b'i']);
        /// assert_eq!(kept.to_string(), r#"PUBLISH QoS 0 "b" 2 bytes, retain"#);
        /// # Ok::<(), Box<dyn core::error::Error>>(())
        /// ```
        #[derive(Clone, PartialEq, Eq, Hash)]
        #[expect(missing_docs, reason = "documented where it is borrowed")]
        pub enum Packet {
            $($packet($packet),)*
            $($ack(Ack),)*
            PingReq,
            PingResp,
        }

        impl Packet {
            /// Packet that borrows from this one.
            #[must_use]
            pub fn packet(&self) -> crate::Packet<'_> {
                match self {
                    $(Self::$packet(packet) => crate::Packet::$packet(packet.into()),)*
                    $(Self::$ack(ack) => crate::Packet::$ack(ack.into()),)*
                    Self::PingReq => crate::Packet::PingReq,
                    Self::PingResp => crate::Packet::PingResp,
                }
            }
        }

        impl crate::Packet<'_> {
            /// Copy that owns its text and data.
            #[must_use]
            pub fn to_owned(&self) -> Packet {
                match self {
                    $(Self::$packet(packet) => Packet::$packet(packet.own()),)*
                    $(Self::$ack(ack) => Packet::$ack(ack.own()),)*
                    Self::PingReq => Packet::PingReq,
                    Self::PingResp => Packet::PingResp,
                }
            }
        }

        $(
            impl From<$packet> for Packet {
                fn from(packet: $packet) -> Self {
                    Self::$packet(packet)
                }
            }

            impl<'a> From<&'a $packet> for crate::Packet<'a> {
                fn from(packet: &'a $packet) -> Self {
                    Self::$packet(packet.into())
                }
            }

            impl fmt::Display for $packet {
                /// One line of text for people, as [`Packet`](crate::Packet) has it.
                fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    fmt::Display::fmt(&self.as_borrowed(), f)
                }
            }
        )*
    };
}

packets! {
    Connect ConnAck Publish Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth;
    PubAck PubRec PubRel PubComp
}

/// Implements the conversions of the packets that are read on demand.
macro_rules! on_demand {
    ($($packet:ident)*) => {$(
        impl<'a> From<&'a $packet> for OnDemand<'a, crate::$packet<'a>> {
            fn from(owned: &'a $packet) -> Self {
                Self::from_owned(OwnedLarge::$packet(owned))
            }
        }

        impl Own for OnDemand<'_, crate::$packet<'_>> {
            type Owned = $packet;

            fn own(&self) -> $packet {
                self.with(crate::$packet::to_owned)
            }
        }
    )*};
}

on_demand!(Connect ConnAck);

impl Packet {
    /// Type of the packet.
    #[must_use]
    pub fn packet_type(&self) -> PacketType {
        self.packet().packet_type()
    }

    /// Appends the packet to `out`; see [`Packet::encode`](crate::Packet::encode).
    ///
    /// # Errors
    /// The errors of [`Packet::encode`](crate::Packet::encode).
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        self.packet().encode(out)
    }

    /// Appends the packet to `out` like [`encode`](Self::encode), with options.
    ///
    /// # Errors
    /// The errors of [`Packet::encode_with`](crate::Packet::encode_with).
    pub fn encode_with(
        &self,
        out: &mut impl BufMut,
        options: &EncodeOptions,
    ) -> Result<(), EncodeError> {
        self.packet().encode_with(out, options)
    }

    /// Length of the encoded packet in bytes, fixed header included.
    ///
    /// # Errors
    /// The errors of [`Packet::encoded_len`](crate::Packet::encoded_len).
    pub fn encoded_len(&self) -> Result<usize, EncodeError> {
        self.packet().encoded_len()
    }
}

impl Ack {
    /// Packet of this type.
    #[must_use]
    pub fn into_packet(self, ack_type: AckType) -> Packet {
        match ack_type {
            AckType::PubAck => Packet::PubAck(self),
            AckType::PubRec => Packet::PubRec(self),
            AckType::PubRel => Packet::PubRel(self),
            AckType::PubComp => Packet::PubComp(self),
        }
    }
}

impl From<crate::Packet<'_>> for Packet {
    fn from(packet: crate::Packet<'_>) -> Self {
        packet.to_owned()
    }
}

impl<'a> From<&'a Packet> for crate::Packet<'a> {
    fn from(packet: &'a Packet) -> Self {
        packet.packet()
    }
}

impl From<&PacketBuf> for Packet {
    fn from(packet: &PacketBuf) -> Self {
        packet.packet().to_owned()
    }
}

impl From<PacketBuf> for Packet {
    fn from(packet: PacketBuf) -> Self {
        Self::from(&packet)
    }
}

impl TryFrom<&Packet> for PacketBuf {
    type Error = EncodeError;

    /// Encodes the packet into a new buffer.
    ///
    /// # Errors
    /// The errors of [`PacketBuf::new`].
    fn try_from(packet: &Packet) -> Result<Self, EncodeError> {
        Self::new(&packet.packet())
    }
}

impl PartialEq<crate::Packet<'_>> for Packet {
    fn eq(&self, other: &crate::Packet<'_>) -> bool {
        self.packet() == *other
    }
}

impl PartialEq<Packet> for crate::Packet<'_> {
    fn eq(&self, other: &Packet) -> bool {
        *self == other.packet()
    }
}

impl fmt::Display for Packet {
    /// One line of text for people, as [`Packet`](crate::Packet) has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.packet(), f)
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.packet(), f)
    }
}
