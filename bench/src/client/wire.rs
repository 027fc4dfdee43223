//! Prepared packets and the boundaries of packets, for the null server and the limit.

use bytes::BytesMut;
use dunlin_codec::{
    Connect, Delivery, PacketId, Publish, PublishProperties, QoS, Subscribe, SubscribeProperties,
    Subscription, SubscriptionOptions, TopicFilter, TopicName, Utf8String,
};

pub const PUBLISH: u8 = 3;
pub const PUBACK: u8 = 4;
pub const PUBREC: u8 = 5;
pub const PUBREL: u8 = 6;
pub const PUBCOMP: u8 = 7;
pub const PINGRESP: [u8; 2] = [0xd0, 0];
pub const DISCONNECT: [u8; 2] = [0xe0, 0];
/// Success, no properties, a new session.
pub const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];

/// A packet in a buffer, undecoded.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    pub packet_type: u8,
    pub flags: u8,
    pub body: &'a [u8],
    /// Length with the fixed header.
    pub len: usize,
}

/// The packet at the front of `input`; `None` until it is complete.
pub fn packet(input: &[u8]) -> Option<Raw<'_>> {
    let (&first, rest) = input.split_first()?;
    let (body_len, prefix) = variable(rest)?;
    let body = rest.get(prefix..prefix + body_len)?;
    Some(Raw {
        packet_type: first >> 4,
        flags: first & 15,
        body,
        len: 1 + prefix + body_len,
    })
}

/// A Variable Byte Integer and its length in bytes; `None` if it is incomplete or too long.
pub fn variable(input: &[u8]) -> Option<(usize, usize)> {
    let mut value = 0;
    for (index, byte) in input.iter().take(4).enumerate() {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

impl<'a> Raw<'a> {
    /// QoS of a PUBLISH.
    pub const fn qos(&self) -> u8 {
        (self.flags >> 1) & 3
    }

    /// Topic Name of a PUBLISH, and the offset of the byte after it.
    pub fn topic(&self) -> Option<(&'a [u8], usize)> {
        let len = usize::from(u16::from_be_bytes([
            *self.body.first()?,
            *self.body.get(1)?,
        ]));
        Some((self.body.get(2..2 + len)?, 2 + len))
    }

    /// The packet identifier: after the topic of a PUBLISH, and first in every other packet that
    /// has one.
    pub fn packet_id(&self) -> Option<[u8; 2]> {
        let at = if self.packet_type == PUBLISH {
            self.topic()?.1
        } else {
            0
        };
        Some([*self.body.get(at)?, *self.body.get(at + 1)?])
    }

    /// Payload of a PUBLISH.
    pub fn payload(&self) -> Option<&'a [u8]> {
        let at = self.topic()?.1 + if self.qos() > 0 { 2 } else { 0 };
        let (properties, prefix) = variable(self.body.get(at..)?)?;
        self.body.get(at + prefix + properties..)
    }
}

/// An acknowledgement of four bytes.
pub const fn ack(packet_type: u8, packet_id: [u8; 2]) -> [u8; 4] {
    let flags = if packet_type == PUBREL { 2 } else { 0 };
    [packet_type << 4 | flags, 2, packet_id[0], packet_id[1]]
}

/// A PUBLISH; with QoS 1 or 2, [`id_at`] is the offset of its Packet Identifier.
pub fn publish(topic: &str, qos: u8, payload: &[u8]) -> Vec<u8> {
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos)];
    let mut out = BytesMut::new();
    Publish {
        delivery: Delivery::new(qos, ONE, false),
        retain: false,
        topic: Some(TopicName::new(topic).expect("a topic")),
        properties: PublishProperties::default(),
        payload,
    }
    .encode(&mut out)
    .expect("short");
    out.to_vec()
}

/// Offset of the Packet Identifier in a prepared PUBLISH to `topic`.
pub fn id_at(prepared: &[u8], topic: &str) -> usize {
    let (_, prefix) = variable(&prepared[1..]).expect("whole");
    1 + prefix + 2 + topic.len()
}

/// A CONNECT with Clean Start and without Keep Alive.
pub fn connect(client_id: &str, receive_maximum: u16) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut connect = Connect {
        clean_start: true,
        keep_alive: 0,
        client_id: Utf8String::new(client_id).expect("short"),
        ..Connect::default()
    };
    connect.properties.receive_maximum = receive_maximum.try_into().ok();
    connect.encode(&mut out).expect("short");
    out.to_vec()
}

/// A SUBSCRIBE to one filter.
pub fn subscribe(filter: &str, qos: u8) -> Vec<u8> {
    let qos = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos)];
    let options = SubscriptionOptions {
        qos,
        ..SubscriptionOptions::default()
    };
    let filter = TopicFilter::new(filter).expect("a filter");
    let subscriptions = [Subscription { filter, options }];
    let properties = SubscribeProperties::default();
    let mut out = BytesMut::new();
    Subscribe {
        packet_id: ONE,
        properties,
        subscriptions: subscriptions.as_slice().into(),
    }
    .encode(&mut out)
    .expect("short");
    out.to_vec()
}

const ONE: PacketId = match PacketId::new(1) {
    Some(id) => id,
    None => unreachable!(),
};
