//! Packets as readable text, JSON above all: how each type looks there.
//!
//! A packet is `{"type": "PUBLISH", "packet": {..}}`, with the standard's name and the fields of the borrowed structs:
//!
//! * What is absent isn't there; neither is a property that is repeated no time. What has a default may be left out.
//! * A QoS is its number, and so is every identifier; what stands in one byte with others stands flat beside them
//!   (`qos`, `packet_id` and `dup` of a PUBLISH; `qos`, `no_local`, .. of a subscription).
//! * A reason code is `{"code": 135, "name": "Not authorized"}`; when read, the bare number is enough.
//! * User properties are pairs in their order: `[["name", "value"]]`.
//! * Payloads and binary data are text where they are UTF-8: `"payload": "on"`. Where not, they are base64, and the key
//!   says so: `"payload_b64": "/w=="`.
//!
//! Only formats that describe themselves can be read back: JSON can, bincode can't. A CONNECT is written with its
//! password; `Debug` and `Display` leave it out.

mod field;
mod fields;
mod packet;
mod read;
mod value;

pub(crate) use field::WriteField;
pub(crate) use fields::fields;
pub(crate) use read::ReadField;
