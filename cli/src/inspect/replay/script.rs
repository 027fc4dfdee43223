//! `ReplayScript`: the packets that the clients of a capture sent, and the answers of their servers.

use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::time::Duration;

use dunlin_client::Direction;
use dunlin_codec::Packet;

use super::comparison::ServerAnswer;
use crate::capture::{StreamEventKind, read_connections};
use crate::diagnosis::{Diagnosis, Try};
use crate::failure::Failure;
use crate::inspect::conversation::{Conversation, Finding, Protocol, SeenPacket};

/// Packets of a capture in their order.
#[derive(Debug, Default)]
pub(super) struct ReplayScript {
    /// Steps of all clients.
    pub(super) steps: Vec<Step>,
    /// Answers of the servers.
    pub(super) answers: Vec<ServerAnswer>,
    /// Number of connections with MQTT 5.
    pub(super) connections: u32,
    /// Connections that have a CONNECT.
    known: HashSet<u32>,
    /// Number of packets of the steps and answers, and their bytes.
    packets: usize,
    len: usize,
    /// Reason why the capture can't be replayed; the first one counts.
    obstacle: Option<String>,
}

/// Step of a client.
#[derive(Debug)]
pub(super) struct Step {
    /// Number of the connection.
    pub(super) connection: u32,
    /// Time after the first packet of the capture.
    pub(super) at: Duration,
    /// Number of answers of all servers that came before the step.
    pub(super) after_answers: usize,
    pub(super) action: Action,
}

/// Action of a client.
#[derive(Debug)]
pub(super) enum Action {
    /// Opens a connection and sends this CONNECT, with other credentials.
    Connect(Vec<u8>),
    Send(Vec<u8>),
    /// Closes the connection.
    Close,
}

impl ReplayScript {
    /// Reads a capture.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a file that is no capture, has no connection of
    /// MQTT 5 from its beginning, or has packets that can't be sent again.
    pub(super) fn read(input: impl Read + Send, name: &str) -> Result<Self, Failure> {
        let mut script = Self::default();
        let mut conversations: HashMap<u32, Conversation> = HashMap::new();
        let mut first = None;
        let read = read_connections(input, |event| {
            let number = event.connection;
            let at = event.at.saturating_sub(*first.get_or_insert(event.at));
            match event.kind {
                StreamEventKind::Opened { is_whole: true, .. } => {
                    conversations.insert(number, Conversation::new());
                }
                // Without CONNECT nothing can be sent again.
                StreamEventKind::Opened { .. } => {}
                StreamEventKind::Data(direction, bytes) => {
                    if let Some(conversation) = conversations.get_mut(&number) {
                        conversation.push(direction, bytes, event.at, &mut |finding| {
                            script.add(number, at, &finding);
                        });
                        if conversation.protocol() != Protocol::Mqtt5
                            && conversation.waiting(direction) == 0
                        {
                            conversations.remove(&number);
                        }
                    }
                }
                StreamEventKind::Gap(..) => {
                    if conversations.remove(&number).is_some() {
                        script.refuse(format!("bytes of connection {number} are missing in it"));
                    }
                }
                StreamEventKind::Closed => {
                    if conversations.remove(&number).is_some() {
                        script.step(number, at, Action::Close);
                    }
                }
            }
            Ok(())
        })?;
        if let Some(fault) = read.fault.filter(|_| read.frames == 0) {
            return Err(Diagnosis::usage(format!("{name}: {fault}")).into());
        }
        if script.connections == 0 {
            script.refuse("it has no connection of MQTT 5 from the beginning".to_owned());
        }
        match script.obstacle.take() {
            Some(obstacle) => Err(Diagnosis {
                try_: vec![Try::advice("inspect decode FILE shows what is in it")],
                ..Diagnosis::usage(format!("{name} can't be replayed: {obstacle}"))
            }
            .into()),
            None => Ok(script),
        }
    }

    /// Adds what was found on a connection.
    fn add(&mut self, connection: u32, at: Duration, finding: &Finding<'_>) {
        match finding {
            Finding::Packet(seen) => self.add_packet(connection, at, seen),
            Finding::Rest { .. } => {}
            Finding::NoPacket(_) => {
                if self.is_known(connection) {
                    self.refuse(format!("connection {connection} has bytes of no packet"));
                }
            }
            // Other protocols are left out.
            Finding::Protocol(_) => {}
        }
    }

    fn add_packet(&mut self, connection: u32, at: Duration, seen: &SeenPacket<'_>) {
        if seen.summary.starts_with("CONNECT of MQTT 3") {
            return;
        }
        (self.packets, self.len) = (self.packets + 1, self.len + seen.bytes.len());
        if self.packets > MOST_PACKETS || self.len > LARGEST {
            let limit = "it has more than 1,000,000 packets, or 64 MiB of them";
            return self.refuse(limit.to_owned());
        }
        let Some(packet) = &seen.packet else {
            if self.is_known(connection) {
                self.refuse(format!("connection {connection} has a {}", seen.summary));
            }
            return;
        };
        if seen.direction == Direction::Received {
            if self.is_known(connection) {
                self.answers.extend(ServerAnswer::new(connection, packet));
            }
            return;
        }
        let action = match packet {
            Packet::Connect(connect) => {
                if connect.read().properties.authentication_method.is_some() {
                    self.refuse("enhanced authentication can't be sent again".to_owned());
                }
                self.connections += 1;
                Action::Connect(seen.bytes.to_vec())
            }
            // They are made for what the live server sends.
            Packet::PubAck(_)
            | Packet::PubRec(_)
            | Packet::PubRel(_)
            | Packet::PubComp(_)
            | Packet::Auth(_) => return,
            _ => Action::Send(seen.bytes.to_vec()),
        };
        self.step(connection, at, action);
    }

    fn step(&mut self, connection: u32, at: Duration, action: Action) {
        if matches!(action, Action::Connect(_)) {
            self.known.insert(connection);
        }
        if self.is_known(connection) {
            self.steps.push(Step {
                connection,
                at,
                after_answers: self.answers.len(),
                action,
            });
        }
    }

    /// True if the connection has a CONNECT.
    fn is_known(&self, connection: u32) -> bool {
        self.known.contains(&connection)
    }

    fn refuse(&mut self, obstacle: String) {
        self.obstacle.get_or_insert(obstacle);
    }
}

/// Number of packets that are kept.
const MOST_PACKETS: usize = 1_000_000;
/// Bytes of packets that are kept.
const LARGEST: usize = 64 << 20;
