//! The fifteen control packets (§3), decoded from the front of a slice and encoded into a buffer.

use bytes::BufMut;

use crate::error::EncodeError;
use crate::packet_type::PacketType;
use crate::sink::Sink;

mod ack;
mod auth;
mod body;
mod connack;
mod connect;
mod decoding;
mod disconnect;
mod encoding;
mod outcome;
mod packet_id;
mod properties;
mod publish;
mod publish_properties;
mod reason_code;
mod refusal;
mod suback;
mod subscribe;
mod unsubscribe;

pub use ack::{Ack, AckProperties, AckType, OwnedAckProperties};
pub use auth::{Auth, AuthProperties, OwnedAuthProperties};
pub use connack::{ConnAck, ConnAckProperties, OwnedConnAckProperties};
pub use connect::{
    Connect, ConnectProperties, OwnedConnectProperties, OwnedWillProperties, Will, WillProperties,
};
pub(crate) use decoding::check;
#[cfg(feature = "spans")]
pub(crate) use decoding::record_fields;
pub use disconnect::{Disconnect, DisconnectProperties, OwnedDisconnectProperties};
pub(crate) use properties::Properties;
pub use publish::Publish;
pub use publish_properties::{OwnedPublishProperties, PublishProperties};
pub use suback::{OwnedSubAckProperties, SubAck, SubAckProperties, UnsubAck};
pub use subscribe::{
    OwnedSubscribeProperties, RetainHandling, Subscribe, SubscribeProperties, Subscription,
    SubscriptionOptions,
};
pub use unsubscribe::{OwnedUnsubscribeProperties, Unsubscribe, UnsubscribeProperties};

use encoding::{Body, encode, encode_staged, encoded_len};

/// MQTT 5 control packet that borrows its text and data.
///
/// ```
/// use dunlin_codec::Packet;
///
/// let bytes = [0x30, 0x04, 0x00, 0x01, b'a', 0x00, 0xc0];
/// let Some((Packet::Publish(publish), 6)) = Packet::decode(&bytes)? else { panic!("a PUBLISH of 6 bytes") };
/// assert_eq!(publish.topic.as_deref(), Some("a"));
/// assert_eq!(Packet::decode(&bytes[6..])?, None, "half a PINGREQ: read more");
/// # Ok::<(), dunlin_codec::DecodeError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Packet<'a> {
    /// CONNECT (§3.1): a client's request for a session.
    Connect(Connect<'a>),
    /// CONNACK (§3.2): the answer to CONNECT.
    ConnAck(ConnAck<'a>),
    /// PUBLISH (§3.3): an application message.
    Publish(Publish<'a>),
    /// PUBACK (§3.4): the answer to a PUBLISH of QoS 1.
    PubAck(Ack<'a>),
    /// PUBREC (§3.5): the first answer to a PUBLISH of QoS 2.
    PubRec(Ack<'a>),
    /// PUBREL (§3.6): the answer to PUBREC.
    PubRel(Ack<'a>),
    /// PUBCOMP (§3.7): the answer to PUBREL.
    PubComp(Ack<'a>),
    /// SUBSCRIBE (§3.8): a client's request for subscriptions.
    Subscribe(Subscribe<'a>),
    /// SUBACK (§3.9): the answer to SUBSCRIBE.
    SubAck(SubAck<'a>),
    /// UNSUBSCRIBE (§3.10): a client's request to end subscriptions.
    Unsubscribe(Unsubscribe<'a>),
    /// UNSUBACK (§3.11): the answer to UNSUBSCRIBE.
    UnsubAck(UnsubAck<'a>),
    /// PINGREQ (§3.12): a client's sign of life.
    PingReq,
    /// PINGRESP (§3.13): the answer to PINGREQ.
    PingResp,
    /// DISCONNECT (§3.14): the last packet of a connection.
    Disconnect(Disconnect<'a>),
    /// AUTH (§3.15): a step of enhanced authentication.
    Auth(Auth<'a>),
}

impl<'a> Packet<'a> {
    /// Type of the packet.
    #[must_use]
    pub const fn packet_type(&self) -> PacketType {
        match self {
            Self::Connect(_) => PacketType::Connect,
            Self::ConnAck(_) => PacketType::ConnAck,
            Self::Publish(_) => PacketType::Publish,
            Self::PubAck(_) => PacketType::PubAck,
            Self::PubRec(_) => PacketType::PubRec,
            Self::PubRel(_) => PacketType::PubRel,
            Self::PubComp(_) => PacketType::PubComp,
            Self::Subscribe(_) => PacketType::Subscribe,
            Self::SubAck(_) => PacketType::SubAck,
            Self::Unsubscribe(_) => PacketType::Unsubscribe,
            Self::UnsubAck(_) => PacketType::UnsubAck,
            Self::PingReq => PacketType::PingReq,
            Self::PingResp => PacketType::PingResp,
            Self::Disconnect(_) => PacketType::Disconnect,
            Self::Auth(_) => PacketType::Auth,
        }
    }

    /// Appends the packet to `out`, in its shortest form.
    ///
    /// # Errors
    /// [`Missing`], [`NotAllowed`] or [`IllegalReasonCode`] if a field breaks a rule that its type
    /// can't hold, [`TooLarge`] above 268,435,455 bytes of Remaining Length, [`NoRoom`] if `out` is
    /// full. Nothing is written then.
    ///
    /// [`IllegalReasonCode`]: crate::EncodeErrorKind::IllegalReasonCode
    /// [`Missing`]: crate::EncodeErrorKind::Missing
    /// [`NoRoom`]: crate::EncodeErrorKind::NoRoom
    /// [`NotAllowed`]: crate::EncodeErrorKind::NotAllowed
    /// [`TooLarge`]: crate::EncodeErrorKind::TooLarge
    #[inline]
    pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
        match self {
            Self::Connect(packet) => packet.encode(out),
            Self::ConnAck(packet) => packet.encode(out),
            Self::Publish(packet) => packet.encode(out),
            Self::PubAck(ack) => ack.encode(AckType::PubAck, out),
            Self::PubRec(ack) => ack.encode(AckType::PubRec, out),
            Self::PubRel(ack) => ack.encode(AckType::PubRel, out),
            Self::PubComp(ack) => ack.encode(AckType::PubComp, out),
            Self::Subscribe(packet) => packet.encode(out),
            Self::SubAck(packet) => packet.encode(out),
            Self::Unsubscribe(packet) => packet.encode(out),
            Self::UnsubAck(packet) => packet.encode(out),
            Self::PingReq => encode(&Empty(PacketType::PingReq), out),
            Self::PingResp => encode(&Empty(PacketType::PingResp), out),
            Self::Disconnect(packet) => packet.encode(out),
            Self::Auth(packet) => packet.encode(out),
        }
    }

    /// Number of bytes that [`encode`](Self::encode) writes.
    ///
    /// # Errors
    /// The errors of [`encode`](Self::encode) but for [`NoRoom`](crate::EncodeErrorKind::NoRoom).
    pub fn encoded_len(&self) -> Result<usize, EncodeError> {
        match self {
            Self::Connect(packet) => packet.encoded_len(),
            Self::ConnAck(packet) => packet.encoded_len(),
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

/// PINGREQ or PINGRESP, which have no body.
struct Empty(PacketType);

impl Body for Empty {
    fn packet_type(&self) -> PacketType {
        self.0
    }

    fn check(&self) -> Result<(), EncodeError> {
        Ok(())
    }

    fn write<S: Sink>(&self, _: &mut S) {}
}

/// Implements `encode`, `encoded_len` and `From` for packets.
macro_rules! encodes {
    ($encode:ident: $($packet:ident)*) => {$(
        impl $packet<'_> {
            /// Appends the packet to `out`; see [`Packet::encode`].
            ///
            /// # Errors
            /// The errors of [`Packet::encode`].
            #[inline]
            pub fn encode(&self, out: &mut impl BufMut) -> Result<(), EncodeError> {
                $encode(self, out)
            }

            /// Number of bytes that [`encode`](Self::encode) writes.
            ///
            /// # Errors
            /// The errors of [`Packet::encode`].
            pub fn encoded_len(&self) -> Result<usize, EncodeError> {
                encoded_len(self)
            }
        }

        impl<'a> From<$packet<'a>> for Packet<'a> {
            fn from(packet: $packet<'a>) -> Self {
                Self::$packet(packet)
            }
        }
    )*};
}

encodes!(encode_staged: Connect ConnAck);
encodes!(encode: Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth);

impl<'a> From<Publish<'a>> for Packet<'a> {
    fn from(publish: Publish<'a>) -> Self {
        Self::Publish(publish)
    }
}

impl<'a> Ack<'a> {
    /// Packet of this type.
    #[inline]
    #[must_use]
    pub const fn into_packet(self, ack_type: AckType) -> Packet<'a> {
        match ack_type {
            AckType::PubAck => Packet::PubAck(self),
            AckType::PubRec => Packet::PubRec(self),
            AckType::PubRel => Packet::PubRel(self),
            AckType::PubComp => Packet::PubComp(self),
        }
    }
}
