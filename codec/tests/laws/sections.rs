//! Property sections of an encoded packet: their offsets, and other orders of their properties.

use std::ops::Range;

use dunlin_codec::{DataType, FixedHeader, PROPERTIES, PacketType};

/// The packet with each set of properties in the order of `keys`; those of one identifier keep
/// theirs.
pub(crate) fn shuffled(packet: &[u8], keys: &[u32]) -> Vec<u8> {
    let mut shuffled = packet.to_vec();
    for section in sections(packet) {
        let mut items = items(&packet[section.clone()]);
        let mut order: Vec<(u32, u8)> = keys
            .iter()
            .copied()
            .cycle()
            .zip(items.iter().map(|item| item[0]))
            .collect();
        order.sort_unstable();
        let mut bytes = Vec::new();
        for (_, id) in order {
            let next = items.iter().position(|item| item[0] == id).unwrap();
            bytes.extend_from_slice(items.remove(next));
        }
        shuffled[section].copy_from_slice(&bytes);
    }
    shuffled
}

/// The sets of properties of a valid packet, without their lengths.
fn sections(packet: &[u8]) -> Vec<Range<usize>> {
    let header = FixedHeader::peek(packet, u32::MAX).unwrap().unwrap();
    let body = usize::from(header.header_len);
    let start = match header.packet_type {
        PacketType::Connect => body + 10,
        PacketType::ConnAck | PacketType::Subscribe | PacketType::SubAck => body + 2,
        PacketType::Unsubscribe | PacketType::UnsubAck => body + 2,
        PacketType::Publish => {
            after_string(packet, body) + if header.flags & 0b0110 == 0 { 0 } else { 2 }
        }
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
            body + 3
        }
        PacketType::Disconnect | PacketType::Auth => body + 1,
        PacketType::PingReq | PacketType::PingResp => packet.len(),
    };
    if start >= packet.len() {
        return Vec::new();
    }
    let mut sections = vec![section(packet, start)];
    if header.packet_type == PacketType::Connect && packet[body + 7] & 0b0100 != 0 {
        sections.push(section(packet, after_string(packet, sections[0].end)));
    }
    sections
}

fn section(packet: &[u8], at: usize) -> Range<usize> {
    let (len, start) = varint(packet, at);
    start..start + len
}

/// Each property of a set: its identifier and its value.
fn items(section: &[u8]) -> Vec<&[u8]> {
    let mut items = Vec::new();
    let mut rest = section;
    while let Some(id) = rest.first() {
        let end = match PROPERTIES
            .iter()
            .find(|row| row.id == *id)
            .unwrap()
            .data_type
        {
            DataType::Byte => 2,
            DataType::TwoByteInteger => 3,
            DataType::FourByteInteger => 5,
            DataType::VariableByteInteger => varint(rest, 1).1,
            DataType::Utf8EncodedString | DataType::BinaryData => after_string(rest, 1),
            DataType::Utf8StringPair => after_string(rest, after_string(rest, 1)),
        };
        items.push(&rest[..end]);
        rest = &rest[end..];
    }
    items
}

fn after_string(bytes: &[u8], at: usize) -> usize {
    at + 2 + usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]))
}

/// The number at `at`, and what follows it.
fn varint(bytes: &[u8], at: usize) -> (usize, usize) {
    let end = at
        + bytes[at..]
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .unwrap()
        + 1;
    let value = bytes[at..end]
        .iter()
        .rev()
        .fold(0, |value, byte| value << 7 | usize::from(byte & 0x7f));
    (value, end)
}
