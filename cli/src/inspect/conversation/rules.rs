//! `Rules`: rules of MQTT 5 that need more than one packet, and answers with their requests.

mod limits;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use dunlin_client::Direction;
use dunlin_codec::{Ack, Excerpt, Packet, PacketId, Publish};

use self::limits::Limits;

/// State of one connection, as far as the rules need it.
#[derive(Debug, Default)]
pub(super) struct Rules {
    has_connect: bool,
    has_connack: bool,
    /// Time of CONNECT and of PINGREQ, which have no identifier.
    connect_at: Option<Duration>,
    ping_at: Option<Duration>,
    client: SenderState,
    server: SenderState,
}

/// State of one side as the sender of packets.
#[derive(Debug)]
struct SenderState {
    /// Requests without an answer, by packet identifier.
    open: HashMap<u16, Open>,
    /// Number of messages of QoS 1 and 2 among them.
    unacknowledged: u32,
    /// Topic aliases that have a topic.
    aliases: HashSet<u16>,
    /// False if aliases may have got their topics before the first packet that was seen.
    knows_aliases: bool,
    /// True once the side has sent DISCONNECT, its last packet.
    has_disconnected: bool,
    limits: Limits,
}

/// Request without its last answer.
#[derive(Debug)]
struct Open {
    /// Type and topic, for the line of the answer.
    what: String,
    is_publish: bool,
    at: Duration,
    /// Time of PUBREC; `None` before it.
    received_at: Option<Duration>,
}

/// Request that a packet answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answered {
    /// Type, identifier and topic of the request.
    pub(crate) request: String,
    /// Time from the request to the answer.
    pub(crate) after: Duration,
}

/// Breach of a rule of the standard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleBreach {
    /// Statement of the standard (`MQTT-3.3.1-4`); `None` if no statement has the rule.
    pub(crate) statement: Option<&'static str>,
    pub(crate) message: String,
}

impl Default for SenderState {
    fn default() -> Self {
        Self {
            open: HashMap::new(),
            unacknowledged: 0,
            aliases: HashSet::new(),
            knows_aliases: true,
            has_disconnected: false,
            limits: Limits::default(),
        }
    }
}

impl Rules {
    /// Rules of a connection whose beginning wasn't seen.
    pub(super) fn in_the_middle() -> Self {
        let mut rules = Self {
            has_connect: true,
            has_connack: true,
            ..Self::default()
        };
        // Limits that aren't known can't be exceeded.
        for side in [&mut rules.client, &mut rules.server] {
            side.limits.topic_alias_maximum = u16::MAX;
            side.knows_aliases = false;
        }
        rules
    }

    /// Handles a packet of `len` bytes: the request that it answers, and the rules that it breaks.
    pub(super) fn handle(
        &mut self,
        direction: Direction,
        packet: &Packet<'_>,
        len: usize,
        at: Duration,
    ) -> (Option<Answered>, Vec<RuleBreach>) {
        let mut breaches = Vec::new();
        self.check_order(direction, packet, &mut breaches);
        self.sender(direction)
            .check_size(direction, len, &mut breaches);
        let answered = match packet {
            Packet::Connect(connect) => {
                self.connect_at = Some(at);
                self.server.limits = Limits::of_client(&connect.read());
                None
            }
            Packet::ConnAck(connack) => {
                self.client.limits = Limits::of_server(&connack.read());
                answered("CONNECT".to_owned(), self.connect_at.take(), at)
            }
            Packet::Publish(publish) => {
                let sender = self.sender(direction);
                sender.publish(direction, publish, at, &mut breaches);
                None
            }
            Packet::Subscribe(subscribe) => {
                let filter = subscribe.subscriptions.iter().next();
                let filter = filter.map(|subscription| subscription.filter);
                let what = request("SUBSCRIBE", filter.as_deref());
                self.client
                    .request(direction, subscribe.packet_id, what, at, &mut breaches);
                None
            }
            Packet::Unsubscribe(unsubscribe) => {
                let filter = unsubscribe.filters.iter().next();
                let what = request("UNSUBSCRIBE", filter.as_deref());
                self.client
                    .request(direction, unsubscribe.packet_id, what, at, &mut breaches);
                None
            }
            Packet::SubAck(ack) => self.client.answer(ack.packet_id, at),
            Packet::UnsubAck(ack) => self.client.answer(ack.packet_id, at),
            // An acknowledgement goes against the direction of its message, PUBREL with it.
            Packet::PubAck(ack) | Packet::PubComp(ack) => {
                self.sender(opposite(direction)).answer(ack.packet_id, at)
            }
            Packet::PubRec(ack) => self.sender(opposite(direction)).receive(ack, at),
            Packet::PubRel(ack) => self.sender(direction).release(ack, at),
            Packet::PingReq => {
                self.ping_at = Some(at);
                None
            }
            Packet::PingResp => answered("PINGREQ".to_owned(), self.ping_at.take(), at),
            Packet::Disconnect(_) | Packet::Auth(_) => None,
        };
        (answered, breaches)
    }

    /// Checks the order of CONNECT, CONNACK and the rest.
    fn check_order(
        &mut self,
        direction: Direction,
        packet: &Packet<'_>,
        breaches: &mut Vec<RuleBreach>,
    ) {
        let breach = match (direction, packet) {
            (Direction::Sent, Packet::Connect(_)) => std::mem::replace(&mut self.has_connect, true)
                .then_some(("MQTT-3.1.0-2", "a second CONNECT on the same connection")),
            (Direction::Sent, _) => (!self.has_connect)
                .then_some(("MQTT-3.1.0-1", "the first packet of a client is CONNECT")),
            (Direction::Received, Packet::ConnAck(_)) => {
                std::mem::replace(&mut self.has_connack, true)
                    .then_some(("MQTT-3.2.0-2", "a second CONNACK on the same connection"))
            }
            (Direction::Received, Packet::Auth(_)) => None,
            (Direction::Received, _) => (!self.has_connack).then_some((
                "MQTT-3.2.0-1",
                "before CONNACK a server sends nothing but AUTH",
            )),
        };
        // DISCONNECT is the last packet of a side.
        let sender = self.sender(direction);
        let is_late = sender.has_disconnected;
        sender.has_disconnected |= matches!(packet, Packet::Disconnect(_));
        let late = is_late.then_some(("MQTT-3.14.4-1", "a packet after DISCONNECT"));
        for (statement, message) in breach.into_iter().chain(late) {
            breaches.push(RuleBreach {
                statement: Some(statement),
                message: message.to_owned(),
            });
        }
    }

    fn sender(&mut self, direction: Direction) -> &mut SenderState {
        match direction {
            Direction::Sent => &mut self.client,
            Direction::Received => &mut self.server,
        }
    }
}

impl SenderState {
    fn check_size(&self, direction: Direction, len: usize, breaches: &mut Vec<RuleBreach>) {
        if let Some(maximum) = self.limits.maximum_packet_size
            && u32::try_from(len).is_ok_and(|len| len > maximum)
        {
            breaches.push(RuleBreach {
                statement: Some(by(direction, "MQTT-3.2.2-15", "MQTT-3.1.2-24")),
                message: format!("a packet of {len} bytes; the Maximum Packet Size is {maximum}"),
            });
        }
    }

    /// Checks a PUBLISH, and keeps it until it is acknowledged.
    fn publish(
        &mut self,
        direction: Direction,
        publish: &Publish<'_>,
        at: Duration,
        breaches: &mut Vec<RuleBreach>,
    ) {
        let limits = self.limits;
        let qos = publish.qos();
        if qos > limits.maximum_qos {
            breaches.push(RuleBreach {
                statement: Some("MQTT-3.2.2-11"),
                message: format!("{qos}; the Maximum QoS is {}", limits.maximum_qos.level()),
            });
        }
        if publish.retain && !limits.is_retain_available && direction == Direction::Sent {
            breaches.push(RuleBreach {
                statement: Some("MQTT-3.2.2-14"),
                message: "a retained message; the server has Retain Available 0".to_owned(),
            });
        }
        if let Some(alias) = publish.properties.topic_alias {
            let alias = alias.get();
            if alias > limits.topic_alias_maximum {
                breaches.push(RuleBreach {
                    statement: Some(by(direction, "MQTT-3.3.2-9", "MQTT-3.3.2-11")),
                    message: format!(
                        "Topic Alias {alias}; the Topic Alias Maximum is {}",
                        limits.topic_alias_maximum
                    ),
                });
            }
            if publish.topic.is_some() {
                self.aliases.insert(alias);
            } else if self.knows_aliases && !self.aliases.contains(&alias) {
                breaches.push(RuleBreach {
                    statement: Some("U-3.3.4-1"),
                    message: format!("Topic Alias {alias} has no topic on this connection"),
                });
            }
        }
        let Some(packet_id) = publish.packet_id() else {
            return;
        };
        let what = request("PUBLISH", publish.topic.as_deref());
        if publish.is_dup() && self.open.contains_key(&packet_id.get()) {
            // A repetition keeps its identifier and its place.
            return;
        }
        self.request(direction, packet_id, what, at, breaches);
        if let Some(open) = self.open.get_mut(&packet_id.get()) {
            open.is_publish = true;
        }
        self.unacknowledged += 1;
        if self.unacknowledged > u32::from(limits.receive_maximum) {
            breaches.push(RuleBreach {
                statement: Some(by(direction, "MQTT-3.3.4-7", "MQTT-3.3.4-9")),
                message: format!(
                    "{} messages without acknowledgement; the Receive Maximum is {}",
                    self.unacknowledged, limits.receive_maximum
                ),
            });
        }
    }

    /// Keeps a request until its answer, and checks that its identifier is free.
    fn request(
        &mut self,
        direction: Direction,
        packet_id: PacketId,
        what: String,
        at: Duration,
        breaches: &mut Vec<RuleBreach>,
    ) {
        let open = Open {
            what: format!("{what} id {packet_id}"),
            is_publish: false,
            at,
            received_at: None,
        };
        if let Some(before) = self.open.insert(packet_id.get(), open) {
            self.unacknowledged -= u32::from(before.is_publish);
            breaches.push(RuleBreach {
                statement: Some(by(direction, "MQTT-2.2.1-3", "MQTT-2.2.1-4")),
                message: format!(
                    "packet identifier {packet_id} is in use: {} has no answer yet",
                    before.what
                ),
            });
        }
    }

    /// Last answer to a request; `None` if no request is open.
    fn answer(&mut self, packet_id: PacketId, at: Duration) -> Option<Answered> {
        let open = self.open.remove(&packet_id.get())?;
        self.unacknowledged -= u32::from(open.is_publish);
        answered(open.what, Some(open.at), at)
    }

    /// PUBREC, which is the last answer if it refuses the message.
    fn receive(&mut self, ack: &Ack<'_>, at: Duration) -> Option<Answered> {
        if ack.reason_code.code() >= 0x80 {
            return self.answer(ack.packet_id, at);
        }
        let open = self.open.get_mut(&ack.packet_id.get())?;
        open.received_at = Some(at);
        answered(open.what.clone(), Some(open.at), at)
    }

    /// PUBREL, the answer to PUBREC.
    fn release(&self, ack: &Ack<'_>, at: Duration) -> Option<Answered> {
        let open = self.open.get(&ack.packet_id.get())?;
        answered(format!("PUBREC id {}", ack.packet_id), open.received_at, at)
    }
}

/// The statement for packets of the client, or that for packets of the server.
fn by(direction: Direction, client: &'static str, server: &'static str) -> &'static str {
    match direction {
        Direction::Sent => client,
        Direction::Received => server,
    }
}

fn opposite(direction: Direction) -> Direction {
    match direction {
        Direction::Sent => Direction::Received,
        Direction::Received => Direction::Sent,
    }
}

/// Type of a request with its first topic, which is cut if it is long.
fn request(packet_type: &str, topic: Option<&str>) -> String {
    match topic {
        Some(topic) => format!("{packet_type} \"{}\"", Excerpt::new(topic, TOPIC)),
        None => packet_type.to_owned(),
    }
}

/// Answer at `at` to a request at `since`; `None` if the request wasn't seen.
fn answered(request: String, since: Option<Duration>, at: Duration) -> Option<Answered> {
    Some(Answered {
        request,
        after: at.saturating_sub(since?),
    })
}

/// Number of characters of a topic that are kept.
const TOPIC: usize = 40;

#[cfg(test)]
mod tests;
