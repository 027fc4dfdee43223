//! MQTT 5 packets: bytes in, packets out, strictly as the standard says.
//!
//! [`Packet`] borrows from the bytes that it was decoded from and allocates nothing; [`PacketBuf`] owns a packet in
//! one shared buffer. Both roles are here: what clients send and what servers send. Numbers in brackets are
//! statements of the OASIS standard (MQTT Version 5.0, 7 March 2019), `§` its sections.
//!
//! The crate is `no_std` + `alloc`, has no `unsafe`, and never panics on wire data.
#![cfg_attr(not(feature = "std"), no_std)]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

extern crate alloc;

mod decode;
mod display;
mod error;
#[cfg(feature = "tokio-util")]
mod framing;
mod header;
mod matcher;
pub mod owned;
mod packet;
mod packet_buf;
mod packet_type;
mod property;
mod property_value;
mod qos;
mod reason_code;
mod repeated;
#[cfg(feature = "serde")]
mod serde;
mod text;
mod topic;
mod validated;
mod varint;
mod wire;

pub use decode::{DecodeOptions, Leniency};
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
#[cfg(feature = "tokio-util")]
pub use framing::{FramingError, PacketCodec};
pub use header::FixedHeader;
pub use matcher::{Matches, TopicMatcher};
pub use packet::{
    Ack, AckProperties, AckType, Auth, AuthProperties, ConnAck, ConnAckProperties, Connect,
    ConnectProperties, Delivery, Disconnect, DisconnectProperties, Packet, Publish, PublishProperties,
    RetainHandling, SubAck, SubAckProperties, Subscribe, SubscribeProperties, Subscription,
    SubscriptionOptions, UnsubAck, Unsubscribe, UnsubscribeProperties, Will, WillProperties,
};
pub use packet_buf::PacketBuf;
pub use packet_type::{PacketType, Sender};
pub use property::{DataType, PROPERTIES, PayloadFormat, PropertyRow, SubscriptionIdentifier, TopicAlias};
pub use qos::{PacketId, QoS};
pub use reason_code::ReasonCode;
pub use repeated::{Repeated, RepeatedIter};
pub use text::{BinaryData, TextError, UserProperty, Utf8String};
pub use topic::{TopicError, TopicFilter, TopicName};
