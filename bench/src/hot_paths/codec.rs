//! The codec: a PUBLISH of 64 bytes and its PUBACK, both ways.

use std::hint::black_box;

use bytes::BytesMut;
use dunlin_codec::{
    Ack, AckType, Delivery, Packet, PacketId, Publish, PublishProperties, QoS, TopicName,
};

use super::HotPath;

const MANY: u32 = 1000;

pub fn hot_paths() -> Vec<HotPath> {
    let publish = || {
        Packet::Publish(Publish {
            delivery: Delivery::new(QoS::AtLeastOnce, PacketId::new(7).expect("not 0"), false),
            retain: false,
            topic: Some(TopicName::new("lamp/7").expect("a topic")),
            properties: PublishProperties::default(),
            payload: &[b'x'; 64],
        })
    };
    let ack = || Ack::success(PacketId::new(7).expect("not 0")).into_packet(AckType::PubAck);
    vec![
        decode("codec: decode PUBLISH", &publish()),
        encode("codec: encode PUBLISH", publish()),
        decode("codec: decode PUBACK", &ack()),
        encode("codec: encode PUBACK", ack()),
    ]
}

fn decode(name: &'static str, packet: &Packet<'_>) -> HotPath {
    let mut bytes = BytesMut::new();
    packet.encode(&mut bytes).expect("short");
    HotPath::new(name, MANY, move || {
        for _ in 0..MANY {
            let _ = black_box(Packet::decode(black_box(&bytes)));
        }
    })
}

fn encode(name: &'static str, packet: Packet<'static>) -> HotPath {
    let mut output = BytesMut::with_capacity(MANY as usize * 128);
    HotPath::new(name, MANY, move || {
        output.clear();
        for _ in 0..MANY {
            let _ = black_box(black_box(&packet).encode(&mut output));
        }
    })
}
