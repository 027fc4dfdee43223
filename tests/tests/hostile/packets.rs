//! Packets of servers, well formed and not, as bytes.

use dunlin_client::codec::{
    ConnAck, Delivery, Packet, PacketBuf, PacketId, Publish, QoS, ReasonCode, SubAck,
    SubAckProperties, TopicName,
};

pub(crate) fn connack(session_present: bool) -> Vec<u8> {
    bytes(&Packet::from(&ConnAck {
        session_present,
        ..ConnAck::default()
    }))
}

pub(crate) fn suback(packet_id: PacketId) -> Vec<u8> {
    let reason_codes = [ReasonCode::GrantedQoS2];
    let (properties, reason_codes) = (SubAckProperties::default(), reason_codes.as_slice().into());
    bytes(&Packet::SubAck(SubAck {
        packet_id,
        properties,
        reason_codes,
    }))
}

/// Valid PUBLISH.
pub(crate) fn publish(topic: &str, delivery: Delivery, payload: &[u8]) -> Vec<u8> {
    let publish = Publish {
        delivery,
        ..Publish::new(TopicName::new(topic).unwrap(), payload)
    };
    bytes(&Packet::Publish(publish))
}

pub(crate) fn delivery(qos: QoS, packet_id: u16, dup: bool) -> Delivery {
    Delivery::new(qos, PacketId::new(packet_id).unwrap(), dup)
}

fn bytes(packet: &Packet<'_>) -> Vec<u8> {
    PacketBuf::new(packet).unwrap().into_bytes().into()
}

/// Packet with this first byte and body.
pub(crate) fn raw(first_byte: u8, body: &[u8]) -> Vec<u8> {
    let mut packet = vec![first_byte];
    remaining_length(body.len(), &mut packet);
    packet.extend_from_slice(body);
    packet
}

/// Appends a Variable Byte Integer (§1.5.5).
pub(crate) fn remaining_length(mut left: usize, out: &mut Vec<u8>) {
    loop {
        let byte = u8::try_from(left & 0x7f).unwrap();
        left >>= 7;
        out.push(if left > 0 { byte | 0x80 } else { byte });
        if left == 0 {
            return;
        }
    }
}

/// `count` user properties without name and value, with their length before them.
pub(crate) fn empty_user_properties(count: usize) -> Vec<u8> {
    let mut properties = Vec::new();
    remaining_length(count * 5, &mut properties);
    properties.extend([0x26, 0, 0, 0, 0].repeat(count));
    properties
}

/// PUBLISH made of these parts, which may be invalid. `properties` has at most 127 bytes.
pub(crate) fn raw_publish(
    topic: &[u8],
    delivery: Delivery,
    properties: &[u8],
    payload: &[u8],
) -> Vec<u8> {
    let id = delivery
        .packet_id()
        .map(|id| id.get().to_be_bytes().to_vec())
        .unwrap_or_default();
    let first = 0x30 | u8::from(delivery.dup()) << 3 | delivery.qos().level() << 1;
    let topic_len = u16::try_from(topic.len()).unwrap().to_be_bytes();
    let body = [
        &topic_len,
        topic,
        &id,
        &[u8::try_from(properties.len()).unwrap()],
        properties,
        payload,
    ]
    .concat();
    let mut packet = vec![first];
    let mut left = body.len();
    loop {
        let byte = u8::try_from(left & 0x7f).unwrap();
        left >>= 7;
        packet.push(if left > 0 { byte | 0x80 } else { byte });
        if left == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// The property Response Topic with a wildcard.
pub(crate) const WILDCARD_RESPONSE_TOPIC: &[u8] = b"\x08\x00\x03a/#";
