//! Packets that own all that they hold: to keep, to change, and to be made up by generators.
//!
//! [`Packet`] here is to [`crate::Packet`] what `String` is to `&str`: [`Packet::packet`] lends it.
//! What came over a network and is only kept is cheaper as one buffer, a [`crate::PacketBuf`].
//!
//! ```
//! use dunlin_codec::owned::{Connect, ConnectProperties, Packet, Utf8String};
//!
//! let mut connect = Connect { client_id: Utf8String::new("lamp-7")?, ..Connect::default() };
//! connect.properties = ConnectProperties { session_expiry_interval: Some(3600), ..Default::default() };
//! let kept = Packet::Connect(connect);
//! assert_eq!(kept.packet().encoded_len(), Ok(26));
//! # Ok::<(), dunlin_codec::TextError>(())
//! ```
//!
//! With the feature `proptest` or `arbitrary`, every type here has the `Arbitrary` of that crate. A
//! [`Packet`] made so can be encoded; its parts, made alone, may break a rule that their types
//! can't hold.

#[cfg(feature = "arbitrary")]
mod arbitrary;
#[cfg(any(feature = "arbitrary", feature = "proptest"))]
mod legal;
mod lend;
mod packets;
mod repeated;
#[cfg(feature = "proptest")]
mod strategy;
mod text;

pub(crate) use lend::owns;
pub use lend::{Lend, Own};
pub use packets::{
    Ack, Auth, ConnAck, Connect, Disconnect, Packet, Publish, SubAck, Subscribe, Subscription,
    UnsubAck, Unsubscribe, Will,
};
pub use repeated::Repeated;
pub use text::{BinaryData, TopicFilter, TopicName, UserProperty, Utf8String};

pub use crate::packet::{
    OwnedAckProperties as AckProperties, OwnedAuthProperties as AuthProperties,
    OwnedConnAckProperties as ConnAckProperties, OwnedConnectProperties as ConnectProperties,
    OwnedDisconnectProperties as DisconnectProperties, OwnedPublishProperties as PublishProperties,
    OwnedSubAckProperties as SubAckProperties, OwnedSubscribeProperties as SubscribeProperties,
    OwnedUnsubscribeProperties as UnsubscribeProperties, OwnedWillProperties as WillProperties,
};
