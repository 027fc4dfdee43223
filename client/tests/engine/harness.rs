//! `Client`: an engine, the bytes of its connection and a virtual clock.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use dunlin_client::codec::{DecodeOptions, PacketBuf, Sender, SubscriptionOptions};
use dunlin_client::engine::{
    Accepted, CloseCause, DeliveryId, Engine, EngineEvent, OperationId, Outcome, Session,
};
use dunlin_client::{
    ConnectError, ConnectOptions, Connected, ConnectionError, EndCause, Message, QoS,
    ReceivedMessage, RequestError,
};

use crate::packets::connack;

/// Engine with a connection that accepts all output at once.
pub(crate) struct Client {
    pub(crate) engine: Engine,
    now: Instant,
    input: BytesMut,
    wire: BytesMut,
}

/// An [`EndCause`] with its error by value, so that a test can match both with one pattern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Attempt(ConnectError),
    Connection(ConnectionError),
}

impl From<EndCause> for Ended {
    fn from(cause: EndCause) -> Self {
        match cause {
            EndCause::Attempt(error) => Self::Attempt(Arc::unwrap_or_clone(error)),
            EndCause::Connection(error) => Self::Connection(Arc::unwrap_or_clone(error)),
        }
    }
}

/// Client id `lamp-7`, a session of an hour, and no keep alive.
pub(crate) fn options() -> ConnectOptions {
    let mut options = ConnectOptions::new("lamp-7");
    options.keep_alive = Duration::ZERO;
    options.receive_maximum = None;
    options
}

impl Client {
    pub(crate) fn new(options: ConnectOptions) -> Self {
        Self::of(Engine::new(options), start())
    }

    /// Client that continues this session.
    pub(crate) fn with_session(options: ConnectOptions, session: Session) -> Self {
        Self::of(Engine::with_session(options, session), start())
    }

    fn of(engine: Engine, now: Instant) -> Self {
        Self {
            engine,
            now,
            input: BytesMut::new(),
            wire: BytesMut::new(),
        }
    }

    /// New client with the session and the clock of this one.
    pub(crate) fn restarts_with(self, options: ConnectOptions) -> Self {
        Self::of(
            Engine::with_session(options, self.engine.into_session()),
            self.now,
        )
    }

    /// Client that has sent CONNECT.
    pub(crate) fn connecting(options: ConnectOptions) -> Self {
        let mut client = Self::new(options);
        client.opens();
        client.sends();
        client
    }

    pub(crate) fn connected() -> Self {
        Self::connected_to(&connack())
    }

    pub(crate) fn connected_to(connack: &PacketBuf) -> Self {
        Self::connected_as(options(), connack)
    }

    pub(crate) fn connected_as(options: ConnectOptions, connack: &PacketBuf) -> Self {
        let mut client = Self::connecting(options);
        client.receives(connack);
        assert!(client.engine.is_connected(), "{:?}", client.engine);
        client
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Opens a connection: the engine writes CONNECT.
    pub(crate) fn opens(&mut self) {
        self.input.clear();
        self.wire.clear();
        self.try_open().unwrap();
        self.transmit();
    }

    pub(crate) fn try_open(&mut self) -> Result<(), ConnectError> {
        self.engine.open(self.now)
    }

    pub(crate) fn receives(&mut self, packet: &PacketBuf) {
        self.receives_bytes(packet.as_bytes());
    }

    pub(crate) fn receives_all(&mut self, packets: &[PacketBuf]) {
        let mut bytes = BytesMut::new();
        packets
            .iter()
            .for_each(|packet| bytes.extend_from_slice(packet.as_bytes()));
        self.receives_bytes(&bytes);
    }

    pub(crate) fn receives_bytes(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        self.engine.handle_input(&mut self.input, self.now);
        self.transmit();
    }

    /// Decodes the packets that were written since the last call.
    pub(crate) fn sends(&mut self) -> Vec<PacketBuf> {
        self.transmit();
        let options = DecodeOptions::any_size().with_sender(Sender::Client);
        let mut packets = Vec::new();
        while let Some(packet) = PacketBuf::take(&mut self.wire, &options).unwrap() {
            packets.push(packet);
        }
        assert!(self.wire.is_empty(), "half a packet: {:?}", self.wire);
        packets
    }

    pub(crate) fn sends_bytes(&mut self) -> Vec<u8> {
        self.transmit();
        self.wire.split().to_vec()
    }

    pub(crate) fn publishes(&mut self, topic: &str, qos: QoS) -> OperationId {
        match self
            .try_publish(Message::new(topic, "on").qos(qos))
            .unwrap()
        {
            Accepted::Pending(id) => id,
            Accepted::Sent => panic!("QoS 0 leaves no name"),
        }
    }

    pub(crate) fn try_publish(&mut self, message: Message<'_>) -> Result<Accepted, RequestError> {
        let accepted = self.publishes_unwritten(message);
        self.transmit();
        accepted
    }

    /// Publishes a message and leaves its packet in the output.
    pub(crate) fn publishes_unwritten(
        &mut self,
        message: Message<'_>,
    ) -> Result<Accepted, RequestError> {
        self.engine.publish(&message, self.now)
    }

    pub(crate) fn subscribes(&mut self, filters: &[&str]) -> OperationId {
        let options = SubscriptionOptions {
            qos: QoS::AtLeastOnce,
            ..SubscriptionOptions::default()
        };
        let filters: Vec<_> = filters.iter().map(|filter| (*filter, options)).collect();
        self.engine.set_now(self.now);
        let id = self.engine.subscribe(&filters).unwrap();
        self.transmit();
        id
    }

    pub(crate) fn unsubscribes(&mut self, filters: &[&str]) -> OperationId {
        self.engine.set_now(self.now);
        let id = self.engine.unsubscribe(filters).unwrap();
        self.transmit();
        id
    }

    /// Outcome of a request; `None` while it is pending.
    pub(crate) fn outcome(&mut self, id: OperationId) -> Option<Result<Outcome, RequestError>> {
        match self
            .engine
            .poll_outcome(id, &mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(outcome) => Some(outcome.expect("asked for once too often")),
            Poll::Pending => None,
        }
    }

    pub(crate) fn events(&mut self) -> Vec<EngineEvent> {
        std::iter::from_fn(|| self.engine.poll_event()).collect()
    }

    /// Messages of all events since the last call.
    pub(crate) fn messages(&mut self) -> Vec<(ReceivedMessage, Option<DeliveryId>)> {
        let message = |event| match event {
            EngineEvent::Message(message, id) => Some((message, id)),
            _ => None,
        };
        self.events().into_iter().filter_map(message).collect()
    }

    /// Lost subscriptions of all events since the last call, with the cause.
    pub(crate) fn lost_subscriptions(&mut self) -> Vec<(String, RequestError)> {
        let lost = |event| match event {
            EngineEvent::SubscriptionLost { filter, cause } => Some((filter, *cause)),
            _ => None,
        };
        self.events().into_iter().filter_map(lost).collect()
    }

    /// Consumes all delivered messages and returns their topics.
    pub(crate) fn consumes_all(&mut self) -> Vec<String> {
        let messages = self.messages();
        messages
            .iter()
            .filter_map(|(_, id)| *id)
            .for_each(|id| self.consumes(id));
        messages
            .into_iter()
            .map(|(message, _)| message.topic().to_owned())
            .collect()
    }

    pub(crate) fn consumes(&mut self, id: DeliveryId) {
        self.engine.received().consume(id);
        self.transmit();
    }

    pub(crate) fn connection(&mut self) -> Connected {
        let connected = self.events().into_iter().find_map(|event| match event {
            EngineEvent::Connected(connected) => Some(*connected),
            _ => None,
        });
        connected.expect("CONNACK was success")
    }

    pub(crate) fn disconnects(&mut self) {
        self.engine.disconnect();
        self.transmit();
    }

    /// Advances the clock, and handles each deadline at its time.
    pub(crate) fn advance(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some(due) = self.engine.poll_timeout().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.engine.handle_timeout(self.now);
            self.transmit();
        }
        self.now = until;
    }

    /// Resets the connection.
    pub(crate) fn loses_connection(&mut self) -> Ended {
        self.engine.set_now(self.now);
        self.engine.handle_closed(CloseCause::Reset).into()
    }

    /// Resets the connection and opens another, on which the server answers with `connack`.
    pub(crate) fn reconnects(&mut self, connack: &PacketBuf) {
        self.loses_connection();
        self.opens();
        self.sends();
        self.receives(connack);
        assert!(self.engine.is_connected(), "{:?}", self.engine);
    }

    /// Checks that the engine has closed the connection, and returns the cause.
    pub(crate) fn closes(&mut self) -> Ended {
        assert!(self.engine.should_close(), "still open");
        assert!(!self.engine.read_interest());
        assert_eq!(self.engine.poll_timeout(), None);
        self.engine.set_now(self.now);
        self.engine.handle_closed(CloseCause::Eof).into()
    }

    fn transmit(&mut self) {
        self.engine.recorder().stage();
        self.engine.poll_transmit(&mut self.wire, self.now);
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "an instant to count from; from there on time is virtual"
)]
fn start() -> Instant {
    Instant::now()
}
