//! Serialization of whole packets: the name of the type in the standard, and the fields.

use ::serde::de::{Deserialize, Deserializer};
use ::serde::ser::{Serialize, SerializeMap, Serializer};

use crate::owned;
use crate::packet::Packet;

impl Serialize for Packet<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(2))?;
        map.serialize_entry("type", &self.packet_type())?;
        map.serialize_key("packet")?;
        match self {
            Self::Connect(packet) => map.serialize_value(&packet.read()),
            Self::ConnAck(packet) => map.serialize_value(&packet.read()),
            Self::Publish(packet) => map.serialize_value(packet),
            // The four acknowledgements have the same fields.
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                map.serialize_value(ack)
            }
            Self::Subscribe(packet) => map.serialize_value(packet),
            Self::SubAck(packet) => map.serialize_value(packet),
            Self::Unsubscribe(packet) => map.serialize_value(packet),
            Self::UnsubAck(packet) => map.serialize_value(packet),
            Self::PingReq | Self::PingResp => map.serialize_value(&Empty {}),
            Self::Disconnect(packet) => map.serialize_value(packet),
            Self::Auth(packet) => map.serialize_value(packet),
        }?;
        map.end()
    }
}

impl Serialize for owned::Packet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.packet().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for owned::Packet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Tagged::deserialize(deserializer)? {
            Tagged::Connect(packet) => Self::Connect(packet),
            Tagged::ConnAck(packet) => Self::ConnAck(packet),
            Tagged::Publish(packet) => Self::Publish(packet),
            Tagged::PubAck(ack) => Self::PubAck(ack),
            Tagged::PubRec(ack) => Self::PubRec(ack),
            Tagged::PubRel(ack) => Self::PubRel(ack),
            Tagged::PubComp(ack) => Self::PubComp(ack),
            Tagged::Subscribe(packet) => Self::Subscribe(packet),
            Tagged::SubAck(packet) => Self::SubAck(packet),
            Tagged::Unsubscribe(packet) => Self::Unsubscribe(packet),
            Tagged::UnsubAck(packet) => Self::UnsubAck(packet),
            Tagged::PingReq(Empty {}) => Self::PingReq,
            Tagged::PingResp(Empty {}) => Self::PingResp,
            Tagged::Disconnect(packet) => Self::Disconnect(packet),
            Tagged::Auth(packet) => Self::Auth(packet),
        })
    }
}

/// Packet while it is read; type and fields may come in any order.
#[derive(::serde::Deserialize)]
#[serde(tag = "type", content = "packet", rename_all = "UPPERCASE")]
enum Tagged {
    Connect(owned::Connect),
    ConnAck(owned::ConnAck),
    Publish(owned::Publish),
    PubAck(owned::Ack),
    PubRec(owned::Ack),
    PubRel(owned::Ack),
    PubComp(owned::Ack),
    Subscribe(owned::Subscribe),
    SubAck(owned::SubAck),
    Unsubscribe(owned::Unsubscribe),
    UnsubAck(owned::UnsubAck),
    PingReq(Empty),
    PingResp(Empty),
    Disconnect(owned::Disconnect),
    Auth(owned::Auth),
}

/// Fields of a packet that has none.
#[derive(::serde::Serialize, ::serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Empty {}
