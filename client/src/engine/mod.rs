//! The protocol of a client without sockets, clocks or locks: bytes and time in, bytes and events
//! out.
//!
//! Whoever drives an [`Engine`] opens a transport, calls [`open`](Engine::open), and from then on
//! moves bytes: what was read goes into [`handle_input`](Engine::handle_input), what
//! [`poll_transmit`](Engine::poll_transmit) gives is
//! written, [`handle_timeout`](Engine::handle_timeout) is called when
//! [`poll_timeout`](Engine::poll_timeout) says. When [`should_close`](Engine::should_close) says
//! so, and nothing is left to write, the transport is closed;
//! [`handle_unwritten`](Engine::handle_unwritten) says what couldn't be, and
//! [`handle_closed`](Engine::handle_closed) tells why the connection ended. The [`Session`] lives
//! on for the next one, in this engine or in another: [`into_session`](Engine::into_session) takes
//! it out.

mod auth;
mod clock;
mod connack;
mod inbound;
mod link;
mod open;
mod outbound;
mod output;
mod persistence;
mod receive;
mod resumption;
mod session;
mod statistics;
mod subscriptions;

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::BytesMut;
use dunlin_codec::{Ack, AckType, DecodeOptions, ReasonCode, Sender, SubscriptionIdentifier};

use self::auth::Exchange;
pub use self::clock::{ClockReading, SinceBoot};
pub use self::inbound::DeliveryId;
pub use self::link::{CloseCause, Ended};
use self::open::{Connection, Sent};
pub use self::outbound::operation::{Answered, OperationId, Outcome, Published};
pub use self::outbound::pace::Pace;
use self::outbound::request::PLACEHOLDER;
use self::output::{Handed, Staged};
pub(crate) use self::persistence::changes::application_records;
pub use self::persistence::changes::{Change, RestoreError};
pub use self::session::Session;
pub use self::statistics::{ByQoS, Dropped, DroppedMessages, Statistics};
use crate::error::RequestError;
use crate::event::{Connected, RefusedMessage, RefusedRequest};
use crate::message::ReceivedMessage;
use crate::options::{CleanStart, ConnectOptions};

/// A client's session and its connection, if it has one.
pub struct Engine {
    options: ConnectOptions,
    decode: DecodeOptions,
    session: Session,
    state: State,
    output: BytesMut,
    staged: Staged,
    handed: Handed,
    events: VecDeque<EngineEvent>,
    /// The time, as far as it was told.
    now: Option<Instant>,
    /// Whether the session may have subscriptions that were made before this engine existed.
    inherits_session: bool,
    /// Until when messages wait for a stream of the application; `None` before a connection has
    /// resumed a session.
    unmatched_until: Option<Instant>,
    /// Receive Maximum for the next connection, if messages didn't fit into the memory budget.
    reduced_receive_maximum: Option<u16>,
    /// Receive Maximum that the last CONNECT announced: what the server has to keep to on its
    /// connection.
    announced_receive_maximum: u16,
    /// Whether renewals may give one subscription identifier to several subscriptions.
    shares_identifiers: bool,
    /// Identifiers that several filters have since they were renewed.
    shared_identifiers: Vec<(SubscriptionIdentifier, Vec<String>)>,
}

/// What the engine tells of by itself.
#[derive(Debug)]
#[non_exhaustive]
pub enum EngineEvent {
    /// The server answered CONNECT with success.
    Connected(Box<Connected>),
    /// A message. One with a name is acknowledged after [`Engine::take`].
    Message(ReceivedMessage, Option<DeliveryId>),
    /// The server refused a request. Whoever waits for its outcome is told as well.
    RequestRefused(Box<RefusedRequest>),
    /// A received message was refused, because it is wrong in itself
    /// ([`InvalidMessages::Refuse`](crate::InvalidMessages::Refuse)).
    MessageRefused(Box<RefusedMessage>),
    /// A message that was [kept for a later stream](Engine::keep_unmatched) can't wait any longer
    /// and is refused with 0x80.
    UnmatchedRefused(DeliveryId),
    /// The server forgot the session, and a subscription that it had granted before couldn't be
    /// made again.
    SubscriptionLost {
        /// The topic filter.
        filter: String,
        /// Why, as for a request of the application's own: it was refused, not answered, or isn't
        /// possible any more.
        cause: Box<RequestError>,
    },
}

/// What became of a publish at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Accepted {
    /// QoS 0, and it is in the output: nothing more will be heard of it.
    Sent,
    /// Its outcome will come under this name.
    Pending(OperationId),
}

impl fmt::Debug for Engine {
    /// Without the bytes of the output: CONNECT may be among them, with its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("options", &self.options)
            .field("state", &self.state)
            .field("session", &self.session)
            .field("output", &format_args!("{} bytes", self.output.len()))
            .finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum State {
    /// There is no transport.
    Disconnected,
    /// CONNECT was sent.
    Connecting {
        clean_start: bool,
        since: Instant,
        exchange: Option<Exchange>,
        /// Whether an earlier CONNECT was never answered.
        in_doubt: bool,
    },
    /// CONNACK came.
    Open(Connection),
    /// Nothing more is sent but what is in the output, and nothing more is read.
    Closing {
        ended: Ended,
        /// Requests in the output that nobody has taken yet.
        unsent: Vec<Sent>,
    },
}

impl Engine {
    /// One with a new session, or with the one that [`CleanStart::Never`] states that it holds.
    #[must_use]
    pub fn new(options: ConnectOptions) -> Self {
        let session = match options.clean_start {
            CleanStart::Never => Session::assumed_empty(),
            CleanStart::First | CleanStart::Always => Session::new(),
        };
        Self::with_session(options, session)
    }

    /// One that goes on with a session, which another engine may have begun.
    ///
    /// A session of another client identifier than `options` has can't be gone on with: the first
    /// connection then starts clean, and its requests are treated as those of a session that
    /// the server has lost.
    #[must_use]
    pub fn with_session(options: ConnectOptions, mut session: Session) -> Self {
        *session.operations.statistics_mut() = Statistics::default();
        let decode = DecodeOptions {
            max_packet_size: options.largest_packet(),
            sender: Sender::Server,
            ..DecodeOptions::default()
        };
        let (output, staged, handed) = (BytesMut::new(), Staged::default(), Handed::default());
        let (state, events) = (State::Disconnected, VecDeque::new());
        Self {
            options,
            decode,
            session,
            state,
            output,
            staged,
            handed,
            events,
            now: None,
            inherits_session: true,
            unmatched_until: None,
            reduced_receive_maximum: None,
            announced_receive_maximum: u16::MAX,
            shares_identifiers: false,
            shared_identifiers: Vec::new(),
        }
    }

    /// The session, for another engine. A connection that stands counts as closed, and events that
    /// weren't polled are gone.
    ///
    /// Requests keep their names. Received messages that weren't taken come again.
    #[must_use]
    pub fn into_session(mut self) -> Session {
        self.leave();
        self.session
    }

    /// As [`into_session`](Self::into_session), for an engine whose requests are waited for. Those
    /// who wait find `error` here; the requests themselves go on in the session, and nobody
    /// learns how they end.
    #[must_use]
    pub fn take_session(&mut self, error: &RequestError) -> Session {
        self.leave();
        self.session.detach(error)
    }

    /// Lets go of the connection and of what the application was told.
    fn leave(&mut self) {
        self.handle_closed(CloseCause::Eof);
        self.events.clear();
        self.session.inbound.move_on();
        self.session.records.forget_waiting();
    }

    /// The options of the next CONNECT: credentials may change between connections. What they limit
    /// or time holds for an open connection as well: change that only while there is none.
    pub const fn options_mut(&mut self) -> &mut ConnectOptions {
        &mut self.options
    }

    #[cfg(feature = "tokio")]
    pub(crate) const fn options(&self) -> &ConnectOptions {
        &self.options
    }

    /// The client identifier in use.
    #[must_use]
    pub fn client_id(&self) -> &str {
        match self.options.client_id.as_str() {
            "" => self.session.client_id().unwrap_or_default(),
            chosen => chosen,
        }
    }

    /// Tells the engine the time, and lets nothing happen. [`subscribe`](Self::subscribe),
    /// [`unsubscribe`](Self::unsubscribe) and [`handle_closed`](Self::handle_closed) count from
    /// the time that was told last.
    pub const fn set_now(&mut self, now: Instant) {
        self.now = Some(now);
    }

    /// Whether there is a connection that the server has accepted.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// The time that the engine was told last.
    #[cfg(feature = "tokio")]
    pub(crate) const fn now(&self) -> Option<Instant> {
        self.now
    }

    /// What the queue's limits count: requests that aren't acknowledged, and bytes in their packets
    /// and in the output.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let (count, bytes) = self.session.operations.load();
        (count, bytes + self.output.len())
    }

    /// A message goes to `takers` of the application: each of them will [`take`](Self::take) it.
    pub fn share(&mut self, id: DeliveryId, takers: usize) {
        self.session.inbound.share(id, takers);
    }

    /// The application has taken a message: its acknowledgement leaves as soon as those before it
    /// have.
    pub fn take(&mut self, id: DeliveryId) {
        self.session.inbound.answer(id, ReasonCode::Success);
        self.release_records(id);
        self.send_due_acks();
    }

    /// As [`take`](Self::take), with a code: one of 0x80 or above refuses the message, which is
    /// over then, at QoS 2 without PUBREL. Of several takers' codes the gravest counts. What
    /// was answered before, or belongs to a session that is lost, is left alone. [MQTT-4.6.0-2]
    /// [MQTT-4.6.0-3]
    ///
    /// # Errors
    /// A code that neither PUBACK nor PUBREC has (§3.4.2.1). Nothing is answered.
    pub fn answer(&mut self, id: DeliveryId, reason_code: ReasonCode) -> Result<(), RequestError> {
        Ack {
            reason_code,
            ..Ack::success(PLACEHOLDER)
        }
        .into_packet(AckType::PubAck)
        .encoded_len()?;
        self.session.inbound.answer(id, reason_code);
        self.release_records(id);
        self.send_due_acks();
        Ok(())
    }

    /// Whether an answer to a message would reach the server: not if it was answered, nor if its
    /// session is lost.
    #[cfg(feature = "tokio")]
    pub(crate) fn may_answer(&mut self, id: DeliveryId) -> bool {
        self.session.inbound.may_answer(id)
    }

    /// The application won't answer a message. It isn't acknowledged on this connection, nor is
    /// what came after it; when the server repeats it on the next connection, it is delivered
    /// again.
    pub fn abandon(&mut self, id: DeliveryId) {
        self.session.inbound.abandon(id);
        self.drop_records(id);
    }

    /// The outcome of a request, once; `None` if it was taken before or forgotten.
    pub fn poll_outcome(
        &mut self,
        id: OperationId,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Outcome, RequestError>>> {
        self.session.operations.poll(id, cx)
    }

    /// Nobody wants to know the outcome. What was accepted happens all the same.
    pub fn forget(&mut self, id: OperationId) {
        self.session.operations.forget(id);
    }

    /// Moves those who wait for an outcome that is there into `into`, to be woken when no lock is
    /// held.
    pub fn take_wakers(&mut self, into: &mut Vec<Waker>) {
        self.session.operations.take_wakers(into);
    }

    /// Ends every request with `error`: there will be no further connection.
    pub fn fail_all(&mut self, error: &RequestError) {
        self.session.fail_all(error);
    }

    /// The next event.
    pub fn poll_event(&mut self) -> Option<EngineEvent> {
        self.events.pop_front()
    }

    /// Gives back memory that a burst has left, as a driver may ask for once in a while.
    pub fn give_back_memory(&mut self) {
        if self.output.is_empty() {
            self.output = BytesMut::new();
        }
        self.events.shrink_to(2 * self.events.len());
        self.handed.give_back_memory();
        self.session.give_back_memory();
        if let State::Open(connection) = &mut self.state {
            connection.give_back_memory();
        }
    }
}
