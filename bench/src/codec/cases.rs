//! The packets that every codec decodes and encodes.

use dunlin_codec::{
    Ack, AckType, BinaryData, ConnAck, ConnAckProperties, Connect, ConnectProperties, Delivery,
    Packet, PacketId, PayloadFormat, Publish, PublishProperties, QoS, Subscribe,
    SubscribeProperties, Subscription, SubscriptionIdentifier, SubscriptionOptions, TopicFilter,
    TopicName, UserProperty, Utf8String, Will, WillProperties,
};

use super::fields;

/// Packets, and the same packets encoded.
pub struct Case {
    pub name: &'static str,
    /// Packet type of all packets, or [`fields::MIXED`].
    pub kind: u8,
    /// Packets that the stream repeats.
    pub packets: Vec<Packet<'static>>,
    /// Bytes to decode.
    pub stream: &'static [u8],
    /// Number of packets in the stream.
    pub count: u32,
}

/// Length of a stream in bytes, within the limits on its number of packets.
const STREAM: usize = 64 * 1024;
const MIXED_STREAM: usize = 1024 * 1024;
const MIN_PACKETS: usize = 64;
const MAX_PACKETS: usize = 2048;

/// Names of the cases.
pub const SMALL: &str = "PUBLISH, QoS 0, 41 B";
pub const PROPERTIES: &str = "PUBLISH, QoS 1, 3 properties, 256 B";
/// Case whose payload is worth sharing.
pub const LARGE: &str = "PUBLISH, QoS 1, 16 KiB";
pub const PUBACK: &str = "PUBACK";
pub const CONNECT: &str = "CONNECT, will, all properties";
pub const SUBSCRIBE: &str = "SUBSCRIBE, 8 filters";
pub const CONNACK: &str = "CONNACK, all properties";
pub const MIXED: &str = "mixed stream of 1 MiB, 90 % PUBLISH";

/// All cases, in the table's order.
pub fn all() -> Vec<Case> {
    vec![
        Case::of(SMALL, small(b'a')),
        Case::of(PROPERTIES, with_properties(b'a')),
        Case::of(LARGE, publish(QoS::AtLeastOnce, 16 * 1024, b'a')),
        Case::of(PUBACK, puback(7)),
        Case::of(CONNECT, connect()),
        Case::of(SUBSCRIBE, subscribe()),
        Case::of(CONNACK, connack()),
        mixed(),
    ]
}

impl Case {
    fn of(name: &'static str, packet: Packet<'static>) -> Self {
        let len = packet.encoded_len().expect("a legal packet");
        let count = (STREAM / len).clamp(MIN_PACKETS, MAX_PACKETS);
        Self::repeating(name, packet.packet_type() as u8, vec![packet], count)
    }

    fn repeating(
        name: &'static str,
        kind: u8,
        packets: Vec<Packet<'static>>,
        times: usize,
    ) -> Self {
        let mut cycle = Vec::new();
        for packet in &packets {
            packet.encode(&mut cycle).expect("a legal packet");
        }
        let count = u32::try_from(packets.len() * times).expect("a small number");
        Self {
            name,
            kind,
            packets,
            stream: leak(cycle.repeat(times)),
            count,
        }
    }

    /// The mean length of a packet.
    pub fn packet_len(&self) -> f64 {
        self.stream.len() as f64 / f64::from(self.count)
    }
}

/// A stream of 90 % PUBLISH, in an order that a branch predictor can't learn.
fn mixed() -> Case {
    let (mut packets, mut len, mut random) = (Vec::new(), 0, 1u64);
    while len < MIXED_STREAM {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let byte = b'a' + (random >> 32 & 0xf) as u8;
        let packet = match (random >> 40) % 100 {
            0..40 => small(byte),
            40..70 => with_properties(byte),
            70..85 => publish(QoS::AtLeastOnce, 64, byte),
            85..90 => publish(QoS::AtMostOnce, 1024, byte),
            90..98 => puback(u16::from(byte)),
            _ => Packet::PingResp,
        };
        len += packet.encoded_len().expect("a legal packet");
        packets.push(packet);
    }
    Case::repeating(MIXED, fields::MIXED, packets, 1)
}

fn small(byte: u8) -> Packet<'static> {
    publish(QoS::AtMostOnce, 16, byte)
}

fn publish(qos: QoS, payload: usize, byte: u8) -> Packet<'static> {
    let delivery = Delivery::new(qos, packet_id(7), false);
    Publish {
        delivery,
        ..Publish::new(topic("sensors/lamp-7/state"), leak(vec![byte; payload]))
    }
    .into()
}

fn with_properties(byte: u8) -> Packet<'static> {
    let properties = PublishProperties {
        message_expiry_interval: Some(3600),
        content_type: Some(text("application/json")),
        user_properties: leak(vec![property("trace", "0af7651916cd43dd844")]).into(),
        ..PublishProperties::default()
    };
    let delivery = Delivery::AtLeastOnce {
        packet_id: packet_id(7),
        dup: false,
    };
    Publish {
        delivery,
        properties,
        ..Publish::new(topic("sensors/lamp-7/state"), leak(vec![byte; 256]))
    }
    .into()
}

fn puback(id: u16) -> Packet<'static> {
    Ack::success(packet_id(id)).into_packet(AckType::PubAck)
}

fn connect() -> Packet<'static> {
    let will = Will {
        qos: QoS::AtLeastOnce,
        retain: true,
        properties: WillProperties {
            will_delay_interval: Some(30),
            payload_format_indicator: Some(PayloadFormat::Utf8),
            message_expiry_interval: Some(3600),
            content_type: Some(text("text/plain")),
            response_topic: Some(topic("lamps/lamp-7/answers")),
            correlation_data: Some(data(b"last words")),
            user_properties: leak(vec![property("floor", "3")]).into(),
        },
        topic: topic("lamps/lamp-7/status"),
        payload: data(b"gone"),
    };
    let properties = ConnectProperties {
        session_expiry_interval: Some(3600),
        receive_maximum: 100.try_into().ok(),
        maximum_packet_size: 131_072.try_into().ok(),
        topic_alias_maximum: Some(16),
        request_response_information: Some(true),
        request_problem_information: Some(true),
        authentication_method: Some(text("SCRAM-SHA-256")),
        authentication_data: Some(data(b"n,,n=lamp-7,r=fyko+d2lbbFgONRv9qkxdawL")),
        user_properties: leak(vec![
            property("firmware", "4.2.1"),
            property("region", "eu-central-1"),
        ])
        .into(),
    };
    let connect = Connect {
        clean_start: false,
        keep_alive: 1200,
        properties,
        client_id: text("lamp-7"),
        will: Some(will),
        username: Some(text("lamp-7@example.com")),
        password: Some(data(b"correct horse battery staple")),
    };
    Packet::from(leak_one(connect))
}

fn subscribe() -> Packet<'static> {
    let filters = [
        "lamps/lamp-7/commands",
        "lamps/+/announcements",
        "sensors/#",
        "$share/workers/jobs/+/open",
        "weather/berlin/today",
        "alarms/floor-3/#",
        "clock",
        "lamps/lamp-7/answers",
    ];
    let subscription = |filter: &'static str| Subscription {
        filter: TopicFilter::new(filter).expect("a topic filter"),
        options: SubscriptionOptions {
            qos: QoS::AtLeastOnce,
            ..SubscriptionOptions::default()
        },
    };
    let subscribe = Subscribe {
        packet_id: packet_id(7),
        properties: SubscribeProperties {
            subscription_identifier: SubscriptionIdentifier::new(300),
            ..SubscribeProperties::default()
        },
        subscriptions: leak(filters.map(subscription).to_vec()).into(),
    };
    subscribe.into()
}

fn connack() -> Packet<'static> {
    let properties = ConnAckProperties {
        session_expiry_interval: Some(3600),
        receive_maximum: 100.try_into().ok(),
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        maximum_packet_size: 131_072.try_into().ok(),
        assigned_client_identifier: Some(text("made-up-4711")),
        topic_alias_maximum: Some(8),
        reason_string: Some(text("welcome back")),
        wildcard_subscription_available: Some(false),
        subscription_identifier_available: Some(false),
        shared_subscription_available: Some(false),
        server_keep_alive: Some(1200),
        response_information: Some(text("answers/lamp-7/")),
        server_reference: Some(text("eu-2.example.com:8883")),
        authentication_method: Some(text("SCRAM-SHA-256")),
        authentication_data: Some(data(b"v=rmF9pqV8S7suAoZWja4dJRkFsKQ=")),
        user_properties: leak(vec![
            property("region", "eu-central-1"),
            property("node", "a17"),
        ])
        .into(),
    };
    let connack = ConnAck {
        session_present: true,
        properties,
        ..ConnAck::default()
    };
    Packet::from(leak_one(connack))
}

fn packet_id(id: u16) -> PacketId {
    PacketId::new(id).expect("not 0")
}

fn topic(name: &'static str) -> TopicName<'static> {
    TopicName::new(name).expect("a topic name")
}

fn text(text: &'static str) -> Utf8String<'static> {
    Utf8String::new(text).expect("text")
}

fn data(data: &'static [u8]) -> BinaryData<'static> {
    BinaryData::new(data).expect("data")
}

fn property(name: &'static str, value: &'static str) -> UserProperty<'static> {
    UserProperty::new(name, value).expect("text")
}

/// Cases live as long as the program.
fn leak_one<T>(item: T) -> &'static T {
    Box::leak(Box::new(item))
}

/// Cases live as long as the program.
fn leak<T>(items: Vec<T>) -> &'static [T] {
    items.leak()
}
