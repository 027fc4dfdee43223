//! `Conversation`: the packets of both sides of one connection, with the answers and the breaches of
//! rules among them.

mod line;
mod rules;
mod splitter;

use std::time::Duration;

use dunlin_client::Direction;
use dunlin_codec::{DecodeOptions, Packet, PacketType, Sender};

pub(crate) use self::line::{ConversationLine, LineContent, LineForm};
use self::rules::Rules;
pub(crate) use self::rules::{Answered, RuleBreach};
use self::splitter::{Splitter, StreamPart};
use super::older_version::OlderConnect;
use super::{verdict, words};

/// Both directions of a connection. Memory: 1 MiB for each direction, and the open requests.
#[derive(Debug)]
pub(crate) struct Conversation {
    protocol: Protocol,
    sent: DirectionState,
    received: DirectionState,
    rules: Rules,
}

/// One direction.
#[derive(Debug, Default)]
struct DirectionState {
    splitter: Splitter,
    /// True while bytes are missing and the beginning of a packet is looked for.
    is_searching: bool,
}

/// Protocol of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// The client has sent too little to tell.
    Unknown,
    Mqtt5,
    /// MQTT 3.1 or 3.1.1, by name.
    Older(&'static str),
    /// TLS, whose content can't be read.
    Tls,
    Other,
}

/// Part of a conversation.
#[derive(Debug)]
pub(crate) enum Finding<'a> {
    Packet(Box<SeenPacket<'a>>),
    /// More bytes of a packet that was too large to be kept.
    Rest {
        packet_type: PacketType,
        bytes: &'a [u8],
    },
    /// Bytes of no packet of MQTT.
    NoPacket(&'a [u8]),
    /// The protocol, once it is known and isn't MQTT 5.
    Protocol(Protocol),
}

/// Packet of a conversation.
#[derive(Debug)]
pub(crate) struct SeenPacket<'a> {
    pub(crate) direction: Direction,
    pub(crate) at: Duration,
    /// Bytes of the packet; the first MiB of a larger one.
    pub(crate) bytes: &'a [u8],
    /// Length of the packet in bytes.
    pub(crate) len: usize,
    /// The packet; `None` if it can't be decoded, is of another version, or is too large.
    pub(crate) packet: Option<Packet<'a>>,
    /// One line without secrets.
    pub(crate) summary: String,
    /// Request that the packet answers; `None` if it answers none.
    pub(crate) answered: Option<Answered>,
    /// Rules that the packet breaks.
    pub(crate) breaches: Vec<RuleBreach>,
}

impl Conversation {
    /// Conversation from its first byte on.
    pub(crate) fn new() -> Self {
        Self {
            protocol: Protocol::Unknown,
            sent: DirectionState::default(),
            received: DirectionState::default(),
            rules: Rules::default(),
        }
    }

    /// Conversation whose first bytes are missing.
    pub(crate) fn in_the_middle() -> Self {
        let searching = || DirectionState {
            is_searching: true,
            ..DirectionState::default()
        };
        Self {
            protocol: Protocol::Unknown,
            sent: searching(),
            received: searching(),
            rules: Rules::in_the_middle(),
        }
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.protocol
    }

    /// Number of bytes that wait for the rest of their packet.
    pub(crate) fn waiting(&self, direction: Direction) -> usize {
        match direction {
            Direction::Sent => self.sent.splitter.waiting(),
            Direction::Received => self.received.splitter.waiting(),
        }
    }

    /// Records that bytes are missing: the next packet has to be looked for.
    pub(crate) fn skip_gap(&mut self, direction: Direction) {
        let side = self.side(direction);
        side.splitter.reset();
        side.is_searching = true;
        // Requests and answers may be among the missing bytes.
        self.rules = Rules::in_the_middle();
    }

    /// Adds bytes of one side, and passes on all that is found in them.
    pub(crate) fn push(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        at: Duration,
        each: &mut impl FnMut(Finding<'_>),
    ) {
        if self.protocol == Protocol::Unknown {
            self.recognise(direction, bytes);
            if self.protocol == Protocol::Tls || self.protocol == Protocol::Other {
                each(Finding::Protocol(self.protocol));
            }
        }
        if matches!(self.protocol, Protocol::Tls | Protocol::Other) {
            each(Finding::NoPacket(bytes));
            return;
        }
        let side = self.side(direction);
        if side.is_searching {
            // Senders usually begin a segment with a packet; what comes before one is left out.
            if !begins_with_packet(bytes) {
                each(Finding::NoPacket(bytes));
                return;
            }
            side.is_searching = false;
        }
        let mut splitter = std::mem::take(&mut side.splitter);
        let mut is_lost = splitter.is_lost();
        splitter.push(bytes, &mut |piece| match piece {
            StreamPart::Packet(packet) => self.packet(direction, packet, packet.len(), at, each),
            StreamPart::Front { bytes, packet_len } => {
                self.packet(direction, bytes, packet_len, at, each);
            }
            StreamPart::Rest { packet_type, bytes } => each(Finding::Rest { packet_type, bytes }),
            // The first bytes that no packet begins with are judged like a packet.
            StreamPart::NoPacket(bytes) if !std::mem::replace(&mut is_lost, true) => {
                self.packet(direction, bytes, bytes.len(), at, each);
            }
            StreamPart::NoPacket(bytes) => each(Finding::NoPacket(bytes)),
        });
        self.side(direction).splitter = splitter;
    }

    fn side(&mut self, direction: Direction) -> &mut DirectionState {
        match direction {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        }
    }

    /// Tells TLS and other protocols by the first bytes of the client.
    fn recognise(&mut self, direction: Direction, bytes: &[u8]) {
        let is_client = direction == Direction::Sent;
        match bytes {
            // A handshake record of TLS.
            [0x16, 0x03, ..] => self.protocol = Protocol::Tls,
            // Application data and others, in the middle of a connection.
            [0x14..=0x17, 0x03, 0x00..=0x04, ..] if self.sent.is_searching => {
                self.protocol = Protocol::Tls;
            }
            [first, ..] if is_client && *first != CONNECT && !self.sent.is_searching => {
                self.protocol = Protocol::Other;
            }
            _ => {}
        }
    }

    /// Looks at one packet, of which `bytes` may be the beginning alone.
    fn packet(
        &mut self,
        direction: Direction,
        bytes: &[u8],
        len: usize,
        at: Duration,
        each: &mut impl FnMut(Finding<'_>),
    ) {
        // The version is known by the first CONNECT; without one it is taken for 5.
        if self.protocol == Protocol::Unknown {
            let older = OlderConnect::read(bytes).filter(|_| direction == Direction::Sent);
            self.protocol = match older {
                Some(connect) => Protocol::Older(connect.version()),
                None => Protocol::Mqtt5,
            };
            if self.protocol != Protocol::Mqtt5 {
                each(Finding::Protocol(self.protocol));
            }
        }
        let mut seen = SeenPacket {
            direction,
            at,
            bytes,
            len,
            packet: None,
            summary: String::new(),
            answered: None,
            breaches: Vec::new(),
        };
        let name = words::packet_type(bytes).map_or("packet", |packet_type| packet_type.name());
        match self.protocol {
            Protocol::Older(version) => {
                let client_id = OlderConnect::read(bytes).map(|connect| connect.client_id());
                seen.summary = match client_id {
                    Some(client_id) => format!("CONNECT of {version}, client id {client_id:?}"),
                    None => format!("{name} of {version}, {len} bytes"),
                };
            }
            _ if bytes.len() < len => {
                seen.summary = format!("{name} of {len} bytes, which is too large to be shown");
            }
            _ => self.decode(&mut seen),
        }
        each(Finding::Packet(Box::new(seen)));
    }

    /// Decodes a packet of MQTT 5, and checks it.
    fn decode(&mut self, seen: &mut SeenPacket<'_>) {
        let options = DecodeOptions::any_size().with_sender(match seen.direction {
            Direction::Sent => Sender::Client,
            Direction::Received => Sender::Server,
        });
        match verdict::of_front(seen.bytes, &options).0 {
            Ok(packet) => {
                seen.summary = packet.to_string();
                let (direction, len, at) = (seen.direction, seen.len, seen.at);
                (seen.answered, seen.breaches) = self.rules.handle(direction, &packet, len, at);
                seen.packet = Some(packet);
            }
            Err(fault) => {
                let name = words::packet_type(seen.bytes);
                let name = name.map_or("packet", |packet_type| packet_type.name());
                seen.summary = format!("{name} of {} bytes that can't be decoded", seen.len);
                seen.breaches = vec![RuleBreach {
                    statement: fault.statement,
                    message: fault.message,
                }];
            }
        }
    }
}

/// True if a whole packet of MQTT 5 is at the front.
fn begins_with_packet(bytes: &[u8]) -> bool {
    let options = DecodeOptions::any_size();
    matches!(Packet::decode_with(bytes, &options), Ok(Some(_)))
}

/// First byte of CONNECT.
const CONNECT: u8 = 0x10;

#[cfg(test)]
mod tests;
