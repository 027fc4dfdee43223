//! The fifteen control packets (§3), decoded from the front of a slice and encoded into a buffer.

use crate::on_demand::OnDemand;
use crate::packet_type::PacketType;

mod ack;
mod auth;
mod body;
mod connack;
mod connect;
mod construct;
mod decoding;
mod disconnect;
mod empty;
#[cfg(feature = "alloc")]
mod encode_to_buffer;
mod encode_to_slice;
mod encoding;
#[cfg(feature = "alloc")]
mod kept_bytes;
mod outcome;
mod packet_id;
mod properties;
mod publish;
mod publish_forms;
mod publish_properties;
mod reason_code;
mod refusal;
mod sending;
#[cfg(feature = "alloc")]
mod strict;
mod suback;
mod subscribe;
mod unsubscribe;

pub use ack::{Ack, AckProperties, AckType};
pub use auth::{Auth, AuthProperties};
pub use connack::{ConnAck, ConnAckProperties};
pub use connect::{Connect, ConnectProperties, Will, WillProperties};
#[cfg(feature = "spans")]
pub(crate) use decoding::record_fields;
pub use disconnect::{Disconnect, DisconnectProperties};
#[cfg(feature = "alloc")]
pub(crate) use kept_bytes::{check, read_again};
pub(crate) use properties::Properties;
pub use publish::Publish;
pub use publish_properties::PublishProperties;
#[cfg(feature = "alloc")]
pub(crate) use strict::ignored_flag;
pub use suback::{SubAck, SubAckProperties, UnsubAck};
pub use subscribe::{
    RetainHandling, Subscribe, SubscribeProperties, Subscription, SubscriptionOptions,
};
pub use unsubscribe::{Unsubscribe, UnsubscribeProperties};

#[cfg(feature = "alloc")]
pub use self::{
    ack::OwnedAckProperties,
    auth::OwnedAuthProperties,
    connack::OwnedConnAckProperties,
    connect::{OwnedConnectProperties, OwnedWillProperties},
    disconnect::OwnedDisconnectProperties,
    publish_properties::OwnedPublishProperties,
    suback::OwnedSubAckProperties,
    subscribe::OwnedSubscribeProperties,
    unsubscribe::OwnedUnsubscribeProperties,
};

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
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Packet<'a> {
    /// CONNECT (§3.1): a client's request for a session, which is [read](OnDemand::read) on demand.
    Connect(OnDemand<'a, Connect<'a>>),
    /// CONNACK (§3.2): the answer to CONNECT, which is [read](OnDemand::read) on demand.
    ConnAck(OnDemand<'a, ConnAck<'a>>),
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
}

/// Implements `From` for the packets whose type says which variant they are.
macro_rules! into_packet {
    ($($packet:ident)*) => {$(
        impl<'a> From<$packet<'a>> for Packet<'a> {
            fn from(packet: $packet<'a>) -> Self {
                Self::$packet(packet)
            }
        }
    )*};
}

into_packet!(Publish Subscribe SubAck Unsubscribe UnsubAck Disconnect Auth);

/// Implements `From` for references to the packets that are read on demand.
macro_rules! refer_to_packet {
    ($($packet:ident)*) => {$(
        impl<'a> From<&'a $packet<'a>> for Packet<'a> {
            fn from(packet: &'a $packet<'a>) -> Self {
                Self::$packet(packet.into())
            }
        }
    )*};
}

refer_to_packet!(Connect ConnAck);

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
