//! MQTT 5 packets: bytes in, packets out, strictly as the standard says.
//!
//! The crate is `no_std`, has no `unsafe`, and never panics on wire data. Both roles are here: what
//! clients send and what servers send. Numbers in brackets are statements of the OASIS standard (MQTT
//! Version 5.0, 7 March 2019), `§` its sections.
//!
//! # Decoding
//!
//! [`Packet::decode`] takes the packet at the front of a slice: `None` means "read more". The packet
//! borrows from the slice and allocates nothing.
//!
//! ```
//! use dunlin_codec::{DecodeError, Packet};
//!
//! /// Handles all whole packets at the front of `input` and returns their length in bytes.
//! fn receive(input: &[u8]) -> Result<usize, DecodeError> {
//!     let mut rest = input;
//!     while let Some((packet, len)) = Packet::decode(rest)? {
//!         match packet {
//!             Packet::Publish(publish) => println!("{:?}: {} bytes", publish.topic, publish.payload.len()),
//!             other => println!("{other}"),
//!         }
//!         rest = &rest[len..];
//!     }
//!     Ok(input.len() - rest.len())
//! }
//!
//! // A PINGRESP, and the first byte of the next packet.
//! assert_eq!(receive(&[0xd0, 0x00, 0x30])?, 2);
//! # Ok::<(), DecodeError>(())
//! ```
//!
//! [`Packet::decode_with`] takes [`DecodeOptions`]: a maximum size other than 1 MiB, the side that sends
//! the packets, deviations that are accepted. A [`DecodeError`] has the field, its offset, the statement
//! that is broken, and the reason code to answer with. [`Publish::decode`] and [`Ack::decode`] take one
//! type of packet.
//!
//! # Encoding
//!
//! ```
//! use dunlin_codec::{Packet, Publish, TopicName};
//!
//! let packet = Packet::from(Publish::new(TopicName::new("lamps/7/state")?, b"on"));
//!
//! // Into a buffer that grows ..
//! let mut buffer = Vec::new();
//! packet.encode(&mut buffer)?;
//!
//! // .. or into memory of a fixed size, without an allocator.
//! let mut slice = [0; 64];
//! let len = packet.encode_to_slice(&mut slice)?;
//! assert_eq!(slice[..len], buffer);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! Constructors are `const`, so that topics and whole packets can be constants. [`EncodeOptions`] refuse
//! what one side may never send.
//!
//! # Packets that own their bytes
//!
//! [`PacketBuf`] keeps a packet in one shared buffer, which suits packets that are passed on. [`owned`]
//! has packets whose fields can be changed and kept.
//!
//! ```
//! use dunlin_codec::{PacketBuf, Packet, Publish, TopicName, owned};
//!
//! let publish = Publish::new(TopicName::new("lamps/7/state")?, b"on");
//! let shared = PacketBuf::new(&publish.into())?;
//! assert_eq!(shared.packet(), Packet::from(publish));
//!
//! let mut changed = publish.to_owned();
//! changed.topic = Some("lamps/8/state".parse()?);
//! assert_eq!(owned::Packet::from(changed).to_string(), r#"PUBLISH QoS 0 "lamps/8/state" 2 bytes"#);
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! # Framed streams
//!
//! With the feature `tokio-util`, `PacketCodec` is an `Encoder` and a `Decoder` for
//! `tokio_util::codec::Framed`: the example `framed` has a client and a server.
//!
//! # Features
//!
//! Features only add to the API. Without any, the crate has no dependency and needs no allocator: it
//! decodes from a slice and encodes into one ([`Packet::encode_to_slice`]).
//!
//! * `std` (default): `alloc`, and conversions of the errors to `std::io::Error`.
//! * `alloc`: `PacketBuf` and [`owned`] packets, encoding into a `bytes::BufMut`,
//!   `TopicMatcher`. Depends on `bytes`.
//! * `fast-text` (default): texts of up to 64 ASCII characters become a `str` in about half of the time.
//!   Depends on `ascii`, and needs no allocator. Verdicts and the API are the same without it.
//! * `serde`: packets as readable text, below.
//! * `spans`: `field_spans`, the byte ranges of a packet's fields, for tools that show packets.
//! * `tokio-util`: `PacketCodec`, an `Encoder` and `Decoder` for framed streams.
//! * `proptest`, `arbitrary`: arbitrary packets of [`owned`], for tests of what is built on the
//!   codec.
//!
//! # Targets
//!
//! Any target whose pointers have 32 or 64 bits. Without `alloc` nothing else is needed. With `alloc`,
//! `bytes` uses atomic compare-and-swap; targets without it, such as `thumbv6m-none-eabi` (Cortex-M0),
//! get it from the crate `portable-atomic`, for which the firmware chooses an implementation:
//!
//! ```toml
//! [dependencies]
//! dunlin-codec = { version = "0.1", default-features = false, features = ["alloc"] }
//! bytes = { version = "1.12", default-features = false, features = ["extra-platforms"] }
//! portable-atomic = { version = "1", default-features = false, features = ["critical-section"] }
//! ```
//!
//! # Packets as JSON
//!
//! With `serde`, [`Packet`] and its parts are `Serialize`, and those of [`owned`] are `Deserialize`
//! too:
//!
//! ```
//! # #[cfg(feature = "serde")] {
//! use dunlin_codec::{Packet, Publish, TopicName, owned};
//!
//! let packet = Packet::Publish(Publish::new(TopicName::new("lamp/7")?, b"on"));
//! let text = serde_json::to_string(&packet)?;
//! assert_eq!(
//!     text,
//!     r#"{"type":"PUBLISH","packet":{"qos":0,"retain":false,"topic":"lamp/7","properties":{},"payload":"on"}}"#
//! );
//! let read: owned::Packet = serde_json::from_str(&text)?;
//! assert_eq!(read.packet(), packet);
//! # }
//! # Ok::<(), Box<dyn core::error::Error>>(())
//! ```
//!
//! * The fields are those of the structs. What is absent isn't there; what has a default may be
//!   left out.
//! * A QoS is its number, and so is every identifier; what stands in one byte with others stands
//!   flat beside them (`qos`, `packet_id` and `dup` of a PUBLISH; `qos`, `no_local`, .. of a
//!   subscription).
//! * A reason code is `{"code": 135, "name": "Not authorized"}`; when read, the bare number is
//!   enough.
//! * User properties are pairs in their order: `[["name", "value"]]`.
//! * Payloads and binary data are text where they are UTF-8: `"payload": "on"`. Where not, they are
//!   base64, and the key says so: `"payload_b64": "/w=="`.
//!
//! Only formats that describe themselves can be read back: JSON and TOML can, bincode can't. A CONNECT is
//! written with its password; `Debug` and `Display` leave it out.
#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::std_instead_of_core, clippy::std_instead_of_alloc)]

#[cfg(feature = "alloc")]
extern crate alloc;

// A Remaining Length has up to 28 bits, and offsets and lengths in a packet are `usize`.
#[cfg(target_pointer_width = "16")]
compile_error!("dunlin-codec needs a target whose pointers have at least 32 bits");

/// The README, whose examples are tested as those of the documentation are.
#[cfg(all(doctest, feature = "alloc"))]
#[doc = include_str!("../README.md")]
mod readme {}

mod conversion;
mod decode;
mod delivery;
mod display;
mod encode;
mod error;
mod escape;
#[cfg(feature = "tokio-util")]
mod framing;
mod header;
#[cfg(feature = "alloc")]
mod matcher;
mod on_demand;
#[cfg(feature = "alloc")]
pub mod owned;
mod packet;
#[cfg(feature = "alloc")]
mod packet_buf;
mod packet_type;
mod property;
mod property_types;
mod property_value;
mod qos;
mod reader;
mod reason_code;
mod record;
mod redaction;
mod repeated;
mod scan;
mod scope;
#[cfg(feature = "serde")]
mod serde;
mod sink;
#[cfg(feature = "spans")]
mod spans;
mod text;
mod topic;
mod topic_error;
mod validated;
mod value;
mod varint;

pub use conversion::InvalidNumber;
pub use decode::{DecodeOptions, Decoded, Leniency};
pub use delivery::Delivery;
pub use encode::EncodeOptions;
pub use error::{DecodeError, DecodeErrorKind, EncodeError, EncodeErrorKind};
pub use escape::{Escaped, EscapedJson, Excerpt, Quoted, needs_escape};
#[cfg(feature = "tokio-util")]
pub use framing::{FramingError, PacketCodec};
pub use header::FixedHeader;
#[cfg(feature = "alloc")]
pub use matcher::{MatcherIter, Matches, TopicMatcher};
pub use on_demand::OnDemand;
pub use packet::{
    Ack, AckProperties, AckType, Auth, AuthProperties, ConnAck, ConnAckProperties, Connect,
    ConnectProperties, Disconnect, DisconnectProperties, Packet, Publish, PublishProperties,
    RetainHandling, SubAck, SubAckProperties, Subscribe, SubscribeProperties, Subscription,
    SubscriptionOptions, UnsubAck, Unsubscribe, UnsubscribeProperties, Will, WillProperties,
};
#[cfg(feature = "alloc")]
pub use packet_buf::PacketBuf;
pub use packet_type::{PacketType, Sender};
pub use property::{DataType, PROPERTIES, PropertyRow};
pub use property_types::{PayloadFormat, SubscriptionIdentifier, TopicAlias};
pub use qos::{InvalidQoS, PacketId, QoS};
pub use reason_code::ReasonCode;
pub use repeated::{Repeated, RepeatedIter};
pub use scope::{ErrorScope, FaultyMessage};
#[cfg(feature = "spans")]
pub use spans::{FieldSpan, field_spans};
pub use text::{BinaryData, TextError, UserProperty, Utf8String};
pub use topic::{TopicFilter, TopicName};
pub use topic_error::TopicError;
