//! A model of an MQTT 5 server with one client: as patient, forgetful and particular as the
//! standard allows.

mod answer;
mod auth;
mod connack;
mod receive;
mod session;

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::BytesMut;
use dunlin_client::codec::{
    AckType, Connect, Disconnect, Packet, PacketBuf, PacketId, PacketType, QoS, ReasonCode, Sender,
};

use self::auth::Exchange;
use self::session::Outgoing;
pub(super) use self::session::Session;
use super::choices::Choices;
use super::network::Pipe;
use super::transcript::Transcript;

/// The server, which outlives every connection.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) session: Option<Session>,
    connection: Option<Connection>,
    /// Observations since the last look, for [`Deliveries`](super::checks::Deliveries).
    pub(super) observed: Vec<Observed>,
    /// Answers everything at once and well.
    pub(super) is_cooperative: bool,
    behavior: ServerBehavior,
    /// Number of sessions so far.
    pub(super) sessions: usize,
    /// Which of the client's processes is connected.
    pub(super) process: usize,
    /// Messages that were sent above the client's Receive Maximum.
    pub(super) excess: u64,
}

/// Behaviour of a server in one run.
#[derive(Debug, Clone, Copy)]
pub(super) struct ServerBehavior {
    /// One in how many requests is refused.
    pub(super) refuses_one_in: usize,
    /// The first packet identifier of its own.
    pub(super) first_id: u16,
    /// An identifier that is free again is the next to be used.
    pub(super) reuses_at_once: bool,
    /// One in how many messages has a Response Topic with a wildcard, which the server relays as
    /// it came.
    pub(super) relays_faulty_one_in: usize,
    /// Number of messages above the client's Receive Maximum on a connection that resumed
    /// a session.
    pub(super) overshoots_by: usize,
}

/// Event at the server that concerns one message.
#[derive(Debug, Clone)]
pub(super) enum Observed {
    /// A PUBLISH came, and is or will be answered so; `is_new` if the server hadn't taken it on
    /// already.
    Publish {
        serial: usize,
        topic: String,
        qos: QoS,
        reason_code: ReasonCode,
        is_new: bool,
    },
    /// A PUBLISH counts as a repetition of what an earlier process sent under its identifier, and
    /// has forgotten.
    TakenForRepetition { serial: usize, topic: String },
    /// The client acknowledged a message, for the first time.
    Acknowledged {
        serial: usize,
        reason_code: ReasonCode,
    },
    /// A message is larger than the client takes.
    Dropped { serial: usize },
}

/// The server's end of a network connection.
#[derive(Debug)]
struct Connection {
    stage: Stage,
    /// The connection resumed a session.
    is_resumed: bool,
    input: BytesMut,
    output: BytesMut,
    due: Vec<Response>,
    /// Topics of the client's aliases, and of the server's own.
    their_aliases: BTreeMap<u16, String>,
    our_aliases: BTreeMap<u16, String>,
    /// Enhanced authentication under way.
    exchange: Option<Exchange>,
    client: ClientLimits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    AwaitingConnect,
    /// CONNECT came.
    SubscriptionRequest,
    Open,
    /// Nothing more is sent or received.
    Closing,
}

/// Contents of CONNECT.
#[derive(Debug, Clone, Copy)]
struct ClientLimits {
    clean_start: bool,
    has_id: bool,
    has_method: bool,
    receive_maximum: usize,
    maximum_packet_size: usize,
    topic_alias_maximum: u16,
    session_expiry_interval: u32,
    wants_explanations: bool,
}

/// An answer that wasn't given yet.
#[derive(Debug, Clone)]
enum Response {
    ConnAck,
    Auth,
    Ack(AckType, PacketId, ReasonCode),
    Answer(PacketType, PacketId, Vec<ReasonCode>),
    PingResp,
}

impl Server {
    pub(super) const fn new(behavior: ServerBehavior) -> Self {
        Self {
            session: None,
            connection: None,
            observed: Vec::new(),
            is_cooperative: false,
            behavior,
            sessions: 0,
            process: 0,
            excess: 0,
        }
    }

    /// A network connection opens; the one before is over for the server as well.
    pub(super) fn opens(&mut self, now: Instant) {
        self.closes(now);
        self.connection = Some(Connection::new());
    }

    /// The network connection is gone.
    pub(super) fn closes(&mut self, now: Instant) {
        if self.connection.take().is_some()
            && let Some(session) = &mut self.session
        {
            session.leave(now);
        }
    }

    /// Everything that isn't written down is gone, and perhaps what is.
    pub(super) fn lose_session(&mut self) {
        self.session = None;
    }

    pub(super) fn is_open(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|connection| connection.stage == Stage::Open)
    }

    /// Returns `true` if the output before the close is written.
    pub(super) fn wants_to_close(&self) -> bool {
        let done = |each: &Connection| each.stage == Stage::Closing && each.output.is_empty();
        self.connection.as_ref().is_some_and(done)
    }

    /// Returns `true` if a response or a message is left to send.
    pub(super) fn has_pending_output(&self) -> bool {
        let Some(connection) = &self.connection else {
            return false;
        };
        !connection.output.is_empty()
            || !connection.due.is_empty()
            || connection.stage == Stage::Open && self.may_send()
    }

    /// Writes some of what it said.
    pub(super) fn write_output(&mut self, pipe: &mut Pipe, most: usize) -> bool {
        self.connection
            .as_mut()
            .is_some_and(|connection| pipe.write(&mut connection.output, most) > 0)
    }

    /// Says DISCONNECT and closes.
    pub(super) fn disconnects(&mut self, reason_code: ReasonCode, transcript: &mut Transcript) {
        if let Some(connection) = self
            .connection
            .as_mut()
            .filter(|each| each.stage == Stage::Open)
        {
            let disconnect = Disconnect {
                reason_code,
                ..Disconnect::default()
            };
            connection.say(&Packet::Disconnect(disconnect), transcript);
            connection.close();
        }
    }

    /// Queues a message for the client, if the client has subscribed: returns its QoS and topic, and
    /// whether it is faulty.
    pub(super) fn queues_message(
        &mut self,
        serial: usize,
        qos: QoS,
        choices: &mut Choices,
    ) -> Option<(QoS, String, bool)> {
        let session = self.session.as_mut()?;
        let filters: Vec<_> = session.subscriptions.keys().collect();
        let filter = choices.pick(&filters)?;
        let granted = session.subscriptions.get(filter.as_str())?;
        let (qos, topic) = (qos.min(*granted), topic_of(filter));
        // Messages of QoS 0 aren't kept for those who are away.
        if qos == QoS::AtMostOnce
            && self
                .connection
                .as_ref()
                .is_none_or(|each| each.stage != Stage::Open)
        {
            return None;
        }
        let topic_of_it = topic.clone();
        let is_faulty = choices.one_in(self.behavior.relays_faulty_one_in);
        let outgoing = Outgoing {
            serial,
            topic: topic_of_it,
            qos,
            id: None,
            is_released: false,
            is_live: false,
            is_counted: false,
            is_faulty,
        };
        session.queue.push_back(outgoing);
        Some((qos, topic, is_faulty))
    }

    /// Returns `true` if nothing is left to do for either side.
    pub(super) fn is_done(&self) -> bool {
        let done = |session: &Session| session.in_flight.is_empty() && session.queue.is_empty();
        !self.has_pending_output() && self.session.as_ref().is_none_or(done)
    }
}

impl Connection {
    fn new() -> Self {
        Self {
            stage: Stage::AwaitingConnect,
            is_resumed: false,
            input: BytesMut::new(),
            output: BytesMut::new(),
            due: Vec::new(),
            their_aliases: BTreeMap::new(),
            our_aliases: BTreeMap::new(),
            exchange: None,
            client: ClientLimits::of(&Connect::default()),
        }
    }

    fn say(&mut self, packet: &Packet<'_>, transcript: &mut Transcript) {
        transcript.say(format_args!("server says {packet}"));
        let said = packet.encode(&mut self.output);
        assert_eq!(
            said,
            Ok(()),
            "the server says only what can be said: {packet}"
        );
    }

    /// Says what only a lax server passes on: the last byte of this Response Topic becomes a
    /// wildcard.
    fn send_faulty(
        &mut self,
        packet: &Packet<'_>,
        response_topic: &str,
        transcript: &mut Transcript,
    ) {
        let before = self.output.len();
        self.say(packet, transcript);
        let said = &mut self.output[before..];
        let at = said
            .windows(response_topic.len())
            .position(|bytes| bytes == response_topic.as_bytes());
        said[at.unwrap_or_default() + response_topic.len() - 1] = b'#';
    }
}

impl ClientLimits {
    fn of(connect: &Connect<'_>) -> Self {
        let said = &connect.properties;
        Self {
            clean_start: connect.clean_start,
            has_method: said.authentication_method.is_some(),
            has_id: !connect.client_id.as_bytes().is_empty(),
            receive_maximum: said
                .receive_maximum
                .map_or(65_535, |maximum| maximum.get().into()),
            maximum_packet_size: said
                .maximum_packet_size
                .map_or(usize::MAX, |size| size.get() as usize),
            topic_alias_maximum: said.topic_alias_maximum.unwrap_or(0),
            session_expiry_interval: said.session_expiry_interval.unwrap_or(0),
            wants_explanations: said.request_problem_information != Some(false),
        }
    }
}

/// Every code that a server may send in such a packet.
pub(super) fn codes(packet_type: PacketType) -> Vec<ReasonCode> {
    ReasonCode::ALL
        .iter()
        .copied()
        .filter(|code| code.is_legal_in(packet_type, Sender::Server))
        .collect()
}

/// One of them that is a refusal, or isn't.
fn code(packet_type: PacketType, is_error: bool, choices: &mut Choices) -> ReasonCode {
    let mut codes = codes(packet_type);
    codes.retain(|code| code.is_error() == is_error);
    choices.pick(&codes).unwrap_or_default()
}

/// A topic that matches the filter.
fn topic_of(filter: &str) -> String {
    let shared = filter
        .strip_prefix("$share/")
        .and_then(|rest| rest.split_once('/'));
    shared
        .map_or(filter, |(_, filter)| filter)
        .replace(['+', '#'], "x")
}

/// The serial that a payload starts with.
pub(super) fn serial_of(payload: &[u8]) -> Option<usize> {
    let digits = payload.split(|byte| *byte == b' ').next()?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// A payload of about this length.
pub(super) fn payload_of(serial: usize, len: usize) -> Vec<u8> {
    let mut payload = format!("{serial} ").into_bytes();
    payload.resize(payload.len().max(len), b'.');
    payload
}

/// Encoded size of `packet` in bytes.
fn sized(packet: &Packet<'_>) -> usize {
    PacketBuf::new(packet).map_or(usize::MAX, |packet| packet.as_bytes().len())
}
