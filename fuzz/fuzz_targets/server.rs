//! The sandbox's server and three clients that send anything, lose their connections, read late and
//! let time pass.
//!
//! The server may send each client only legal packets: whole ones, CONNACK first and once, nothing
//! after its DISCONNECT, and within the limits of that client's CONNECT. Its memory is bounded.
#![no_main]

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use dunlin_codec::{
    Connect, DecodeOptions, Packet, PacketBuf, Publish, QoS, ReasonCode, Sender, TopicAlias, owned,
};
use dunlin_sandbox::{Conversation, Policy, Profile};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Script {
    is_aws: bool,
    policy: u8,
    steps: Vec<(u8, Step)>,
}

#[derive(Arbitrary, Debug)]
enum Step {
    /// A CONNECT that is most likely in order, so that what follows has a chance.
    Connect {
        clean_start: bool,
        id: u8,
        receive_maximum: u8,
        aliases: u8,
        size: Option<u16>,
        expiry: u16,
    },
    Packet(owned::Packet),
    /// Small filters and topics, so that they meet.
    Subscribe {
        filter: u8,
        options: u8,
    },
    Publish {
        topic: u8,
        qos: u8,
        id: u8,
        retain: bool,
        len: u16,
    },
    Ack {
        kind: u8,
        id: u8,
    },
    Bytes(Vec<u8>),
    Lose,
    Read,
    Wait(u16),
}

const FILTERS: [&str; 8] = [
    "a/b",
    "a/+",
    "#",
    "a/#",
    "$share/g/a/b",
    "$share/g/#",
    "$SYS/#",
    "+/+/c",
];
const TOPICS: [&str; 5] = ["a/b", "a", "a/b/c", "$SYS/x", "long/long/long/long"];
const POLICIES: [&str; 3] = [
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}"#,
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["iot:Connect","iot:Publish","iot:Subscribe"],"Resource":"*"}}"#,
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"},{"Effect":"Deny","Action":"iot:Publish","Resource":"arn:aws:iot:*:*:topic/a/b"}]}"#,
];

fuzz_target!(|script: Script| {
    let profile = if script.is_aws {
        Profile::Aws
    } else {
        Profile::Mqtt5
    };
    let policy = POLICIES[usize::from(script.policy) % POLICIES.len()];
    let policy = Policy::parse(policy).expect("a policy");
    let mut server = Conversation::new(profile, policy, Instant::now());
    let mut clients: Vec<Client> = (0..3).map(|_| Client::new(server.connect())).collect();
    for (number, step) in &script.steps {
        let client = &mut clients[usize::from(*number) % 3];
        if !server.is_open(client.number) {
            client.hears(&mut server);
            client.is_over();
            *client = Client::new(server.connect());
        }
        match step {
            Step::Lose => {
                server.lose_connection(client.number);
                *client = Client::new(server.connect());
            }
            Step::Read => client.hears(&mut server),
            Step::Wait(seconds) => server.wait(Duration::from_secs((*seconds).into())),
            step => client.says(&mut server, &step.bytes()),
        }
        assert!(server.memory() < MEMORY, "{} bytes", server.memory());
    }
    for client in &mut clients {
        client.hears(&mut server);
        if !server.is_open(client.number) {
            client.is_over();
        }
    }
});

impl Step {
    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Packet(packet) => packet
                .packet()
                .encode(&mut bytes)
                .expect("a packet that can be encoded"),
            Self::Bytes(any) => bytes.extend(any),
            Self::Connect {
                clean_start,
                id,
                receive_maximum,
                aliases,
                size,
                expiry,
            } => {
                let id = [b'c', b'0' + id % 4];
                let mut properties = vec![0x11, 0, 0];
                properties.extend(expiry.to_be_bytes());
                properties.extend([0x21, 0, receive_maximum.max(&1).to_owned()]);
                properties.extend([0x22, 0, aliases % 4]);
                if let Some(size) = size {
                    properties.extend([0x27, 0, 0]);
                    properties.extend(size.max(&1).to_be_bytes());
                }
                let flags = u8::from(*clean_start) << 1;
                let mut body = vec![
                    0,
                    4,
                    b'M',
                    b'Q',
                    b'T',
                    b'T',
                    5,
                    flags,
                    0,
                    60,
                    properties.len() as u8,
                ];
                body.extend(properties);
                body.extend([0, 2]);
                body.extend(id);
                bytes.extend([0x10, body.len() as u8]);
                bytes.extend(body);
            }
            Self::Subscribe { filter, options } => {
                let filter = FILTERS[usize::from(*filter) % FILTERS.len()];
                bytes.extend([
                    0x82,
                    (filter.len() + 6) as u8,
                    0,
                    1,
                    0,
                    0,
                    filter.len() as u8,
                ]);
                bytes.extend(filter.bytes());
                bytes.push(options & 0x2F);
            }
            Self::Publish {
                topic,
                qos,
                id,
                retain,
                len,
            } => {
                let topic =
                    dunlin_codec::TopicName::new(TOPICS[usize::from(*topic) % TOPICS.len()]);
                let qos =
                    [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce][usize::from(qos % 3)];
                let id = dunlin_codec::PacketId::new(u16::from(*id) + 1).expect("not 0");
                let payload = vec![b'x'; usize::from(*len)];
                let publish = Publish {
                    delivery: dunlin_codec::Delivery::new(qos, id, false),
                    retain: *retain,
                    ..Publish::new(topic.expect("a topic"), &payload)
                };
                Packet::Publish(publish)
                    .encode(&mut bytes)
                    .expect("a PUBLISH");
            }
            Self::Ack { kind, id } => {
                let first = [0x40, 0x50, 0x62, 0x70][usize::from(kind % 4)];
                bytes.extend([first, 2, 0, id % 16 + 1]);
            }
            Self::Lose | Self::Read | Self::Wait(_) => {}
        }
        bytes
    }
}

/// A client that holds the server to what it has announced.
struct Client {
    number: usize,
    said: BytesMut,
    heard: BytesMut,
    /// From its first packet, if that is a CONNECT.
    limits: Option<Limits>,
    has_said_packet: bool,
    aliases: HashMap<TopicAlias, String>,
    connacks: usize,
    /// PUBLISHes above QoS 0 that it got, and acknowledgements that it sent.
    unacknowledged: usize,
    acknowledged: usize,
    last: Option<PacketBuf>,
    said_goodbye: bool,
    is_of_another_version: bool,
}

#[derive(Clone, Copy)]
struct Limits {
    size: usize,
    receive_maximum: usize,
    aliases: u16,
    problem_information: bool,
}

impl Client {
    fn new(number: usize) -> Self {
        Self {
            number,
            said: BytesMut::new(),
            heard: BytesMut::new(),
            limits: None,
            has_said_packet: false,
            aliases: HashMap::new(),
            connacks: 0,
            unacknowledged: 0,
            acknowledged: 0,
            last: None,
            said_goodbye: false,
            is_of_another_version: false,
        }
    }

    fn says(&mut self, server: &mut Conversation, bytes: &[u8]) {
        self.said.extend_from_slice(bytes);
        while let Ok(Some((packet, len))) = Packet::decode_with(&self.said, &FROM_CLIENT) {
            match packet {
                Packet::Connect(connect) if !self.has_said_packet => {
                    self.limits = Some(limits(&connect.read()))
                }
                Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubComp(_) => {
                    self.acknowledged += 1
                }
                Packet::Disconnect(_) => self.said_goodbye = true,
                _ => {}
            }
            self.has_said_packet = true;
            self.said.advance(len);
        }
        server.receive(self.number, bytes);
    }

    fn hears(&mut self, server: &mut Conversation) {
        loop {
            let bytes = server.send(self.number);
            if bytes.is_empty() {
                break;
            }
            self.heard.extend_from_slice(&bytes);
        }
        // A client of MQTT 3 is answered in its own format.
        if self.connacks == 0 && self.heard[..] == CONNACK_OF_MQTT_3 {
            self.is_of_another_version = true;
            self.heard.clear();
        }
        while let Some(packet) =
            PacketBuf::take(&mut self.heard, &FROM_SERVER).expect("a legal packet")
        {
            self.judges(&packet);
            self.last = Some(packet);
        }
        assert!(self.heard.is_empty(), "the server sends whole packets");
    }

    fn judges(&mut self, packet: &PacketBuf) {
        let limits = self.limits.unwrap_or(Limits::NONE);
        if let Some(last) = &self.last {
            let is_last_word = match last.packet() {
                Packet::ConnAck(connack) => connack.read().reason_code.is_error(),
                Packet::Disconnect(_) => true,
                _ => false,
            };
            assert!(!is_last_word, "{packet:?} behind {last:?}");
        }
        assert!(
            packet.as_bytes().len() <= limits.size,
            "{packet:?} is too large"
        );
        let packet = packet.packet();
        if let Packet::ConnAck(connack) = packet {
            self.connacks += 1;
            assert_eq!(self.connacks, 1);
            assert!(self.limits.is_some() || connack.read().reason_code != ReasonCode::Success);
        }
        assert_eq!(self.connacks, 1, "{packet:?} before CONNACK");
        if let Packet::Publish(publish) = packet {
            self.judges_publish(&publish, limits);
        }
        let explains = match packet {
            Packet::PubAck(ack)
            | Packet::PubRec(ack)
            | Packet::PubRel(ack)
            | Packet::PubComp(ack) => ack.properties.reason_string.is_some(),
            Packet::SubAck(suback) => suback.properties.reason_string.is_some(),
            Packet::UnsubAck(unsuback) => unsuback.properties.reason_string.is_some(),
            _ => false,
        };
        assert!(
            !explains || limits.problem_information,
            "{packet:?} says why"
        );
    }

    fn judges_publish(&mut self, publish: &Publish<'_>, limits: Limits) {
        if publish.delivery.qos() > QoS::AtMostOnce {
            self.unacknowledged += 1;
            assert!(self.unacknowledged <= limits.receive_maximum + self.acknowledged);
        }
        match (publish.topic, publish.properties.topic_alias) {
            (Some(topic), Some(alias)) => {
                assert!(alias.get() <= limits.aliases);
                self.aliases.insert(alias, topic.as_str().into());
            }
            (None, alias) => assert!(
                self.aliases
                    .contains_key(&alias.expect("a topic or an alias"))
            ),
            (Some(_), None) => {}
        }
    }

    /// The server has ended this connection: it said why, unless the client said good bye or takes
    /// no such packet.
    fn is_over(&self) {
        let is_told = self.last.as_ref().is_some_and(|last| match last.packet() {
            Packet::ConnAck(connack) => connack.read().reason_code.is_error(),
            Packet::Disconnect(_) => true,
            _ => false,
        });
        // No DISCONNECT fits into 8 bytes, and no CONNACK may fit into 64: it can have a client
        // identifier.
        let least = if self.connacks == 0 { 64 } else { 8 };
        let is_deaf = self.limits.is_some_and(|limits| limits.size < least);
        assert!(
            is_told || is_deaf || self.said_goodbye || self.is_of_another_version,
            "{:?}",
            self.last
        );
    }
}

impl Limits {
    const NONE: Self = Self {
        size: usize::MAX,
        receive_maximum: 65_535,
        aliases: 0,
        problem_information: true,
    };
}

fn limits(connect: &Connect<'_>) -> Limits {
    let properties = &connect.properties;
    Limits {
        size: properties
            .maximum_packet_size
            .map_or(usize::MAX, |size| size.get() as usize),
        receive_maximum: properties
            .receive_maximum
            .map_or(65_535, |maximum| maximum.get().into()),
        aliases: properties.topic_alias_maximum.unwrap_or(0),
        problem_information: properties.request_problem_information.unwrap_or(true),
    }
}

const FROM_CLIENT: DecodeOptions = DecodeOptions::any_size().with_sender(Sender::Client);
const FROM_SERVER: DecodeOptions = DecodeOptions::any_size().with_sender(Sender::Server);

/// "Unacceptable protocol version" of MQTT 3.1 and 3.1.1.
const CONNACK_OF_MQTT_3: [u8; 4] = [0x20, 2, 0, 1];
/// More than the sandbox's own limits allow for three clients.
const MEMORY: usize = 40 * 1024 * 1024;
