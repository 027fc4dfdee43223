//! The protocol of a client without sockets, clocks or locks: bytes and time in, bytes and events
//! out.
//!
//! The driver of an [`Engine`] opens a transport, calls [`open`](Engine::open), and from then on
//! moves bytes: it passes received bytes to [`handle_input`](Engine::handle_input), writes what
//! [`poll_transmit`](Engine::poll_transmit) returns, and calls
//! [`handle_timeout`](Engine::handle_timeout) at the time of
//! [`poll_timeout`](Engine::poll_timeout). When [`should_close`](Engine::should_close) is `true`
//! and nothing is left to write, it closes the transport;
//! [`handle_unwritten`](Engine::handle_unwritten) takes the number of bytes that could not be
//! written, and [`handle_closed`](Engine::handle_closed) returns why the connection ended. The
//! [`Session`] is kept for the next connection, in this engine or in another:
//! [`into_session`](Engine::into_session) takes it out.
//!
//! [`Engine`] only dispatches. Its `ConnectionState` is the connection; `Core` is everything that outlives
//! it: in the session, `outbound` has the requests, `inbound` the received messages and
//! `subscriptions` what the server granted.

mod auth;
mod clock_reading;
mod connecting;
mod connection_state;
mod core;
mod engine_event;
mod exit;
mod inbound;
mod keep_alive;
mod open;
mod outbound;
mod output;
mod persistence;
mod receive;
mod received_messages;
mod recorder;
mod session;
mod statistics;
mod subscriptions;
mod violation;

use std::fmt;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::BytesMut;
#[cfg(feature = "tokio")]
use dunlin_codec::SubscriptionIdentifier;
use dunlin_codec::{SubscribeProperties, SubscriptionOptions, UnsubscribeProperties};

pub use self::clock_reading::{ClockReading, SinceBoot};
use self::connecting::Connecting;
use self::connection_state::ConnectionState;
use self::core::Core;
pub use self::engine_event::{Accepted, EngineEvent};
pub use self::exit::CloseCause;
use self::exit::Exit;
pub use self::inbound::DeliveryId;
pub use self::outbound::accepted_request::OperationId;
pub use self::outbound::outcome::{Answered, Outcome, Published};
use self::outbound::request::{Request, SubscribeRequest, UnsubscribeRequest};
pub use self::persistence::change::Change;
pub(crate) use self::persistence::records::application_records;
pub use self::persistence::restore::RestoreError;
use self::receive::take_packet;
pub use self::received_messages::ReceivedMessages;
pub use self::recorder::Recorder;
pub use self::session::Session;
pub use self::statistics::{ByQoS, Dropped, DroppedMessages, Statistics};
use self::subscriptions::renewal::handle_timed_out;
use crate::authentication::ReauthenticationError;
use crate::disconnect::DisconnectOptions;
use crate::error::OptionsError;
use crate::error::{ConnectError, ConnectionError, EndCause, RequestError};
pub use crate::limits::Pace;
use crate::message::Message;
use crate::options::ConnectOptions;
use crate::policy::CleanStart;

/// Session of a client, and its connection if it has one.
pub struct Engine {
    state: ConnectionState,
    core: Core,
}

/// Bytes of acknowledgements that wait for a server that does not read.
const ANSWERS: usize = 1 << 20;
/// Events that wait for the driver of the engine.
const EVENTS: usize = 1 << 16;

impl fmt::Debug for Engine {
    /// Prints the size of the output only: CONNECT may be in it, with its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("options", &self.core.options)
            .field("state", &self.state)
            .field("session", &self.core.session)
            .field("output", &format_args!("{} bytes", self.output_len()))
            .finish_non_exhaustive()
    }
}

/// Each method passes its call on to the part that it concerns, in this order: the engine and its
/// session; the connection; time and bytes; requests; received messages; the store.
impl Engine {
    /// Creates an engine with a new session, or with the one that [`CleanStart::Never`] claims.
    #[must_use]
    pub fn new(options: ConnectOptions) -> Self {
        let session = match options.clean_start {
            CleanStart::Never => Session::assumed_empty(),
            CleanStart::First | CleanStart::Always => Session::new(),
        };
        Self::with_session(options, session)
    }

    /// Creates an engine that goes on with a session, which another engine may have begun.
    ///
    /// The session of another client identifier than that of `options` can't be resumed: the first
    /// connection then starts clean, and its requests are treated as those of a session that
    /// the server has lost.
    #[must_use]
    pub fn with_session(options: ConnectOptions, session: Session) -> Self {
        Self {
            state: ConnectionState::Disconnected,
            core: Core::new(options, session),
        }
    }

    /// Returns the session, for another engine. An open connection counts as closed, and events
    /// that weren't polled are dropped.
    ///
    /// Requests keep their identifiers. Received messages that weren't taken are delivered again.
    /// The connection ends at the time that the engine was told last ([`set_now`](Self::set_now)).
    #[must_use]
    pub fn into_session(mut self) -> Session {
        self.leave();
        self.core.session
    }

    /// Returns the session as [`into_session`](Self::into_session) does, for an engine whose
    /// requests are waited for. Their outcome is `error` here; the requests themselves go on in the
    /// session, and their outcomes can't be taken there.
    #[must_use]
    pub fn take_session(&mut self, error: &RequestError) -> Session {
        self.leave();
        let Core {
            session,
            statistics,
            ..
        } = &mut self.core;
        session.detach(error, statistics)
    }

    /// Leaves the connection and the application behind.
    fn leave(&mut self) {
        self.handle_closed(CloseCause::Eof);
        self.core.events.clear();
        self.core.session.inbound.move_on();
        self.core.session.records.forget_waiting();
    }

    /// Options of the next CONNECT: credentials may change between connections. Limits and
    /// time-outs also hold for an open connection: change those only while there is none.
    pub const fn options_mut(&mut self) -> &mut ConnectOptions {
        &mut self.core.options
    }

    #[cfg(feature = "tokio")]
    pub(crate) const fn options(&self) -> &ConnectOptions {
        &self.core.options
    }

    /// Client identifier in use; empty while the server has not assigned one.
    #[must_use]
    pub fn client_id(&self) -> &str {
        self.core.client_id()
    }

    /// Counters since the engine was made, and sizes of what it holds now.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let (unfinished, bytes_held) = self.load();
        Statistics {
            unfinished,
            in_flight: self.core.session.in_flight(),
            queued: self.core.session.queued(),
            bytes_held,
            ..self.core.statistics
        }
    }

    /// Counters of dropped messages, for the driver that drops them.
    #[cfg(feature = "tokio")]
    pub(crate) const fn dropped_messages(&mut self) -> &mut DroppedMessages {
        &mut self.core.statistics.dropped_messages
    }

    /// Shrinks what a burst has left. The driver may call it once in a while.
    pub fn give_back_memory(&mut self) {
        let core = &mut self.core;
        core.events.shrink_to(2 * core.events.len());
        core.output.give_back_memory();
        core.session.outbound.give_back_memory();
    }

    /// Begins a connection whose transport is open: CONNECT is written into the output. An earlier
    /// connection that is still there counts as closed.
    ///
    /// # Errors
    /// [`ConnectError::Options`] if the options can't be encoded, [`ConnectError::Authentication`]
    /// if the exchange can't begin. Nothing was done then.
    pub fn open(&mut self, now: Instant) -> Result<(), ConnectError> {
        self.core.now = Some(now);
        if !matches!(self.state, ConnectionState::Disconnected) {
            self.handle_closed(CloseCause::Eof);
        }
        self.core.pass_time(now, false);
        self.state = ConnectionState::Connecting(Connecting::begin(now, &mut self.core)?);
        Ok(())
    }

    /// Returns `true` if there is a connection that the server has accepted.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        self.state.is_open()
    }

    /// Replaces the content of DISCONNECT in the options.
    ///
    /// # Errors
    /// Errors of [`ConnectOptions::check`](crate::ConnectOptions::check) for the DISCONNECT.
    /// Nothing was changed then.
    pub fn set_disconnect(&mut self, disconnect: DisconnectOptions) -> Result<(), OptionsError> {
        disconnect.check(self.core.options.session_expiry_interval)?;
        self.core.options.disconnect = disconnect;
        Ok(())
    }

    /// Writes DISCONNECT, with the content in the options, after everything that is in the output,
    /// and nothing more. [MQTT-3.14.4-1]
    pub fn disconnect(&mut self) {
        let cause = match &self.state {
            ConnectionState::Open(open) => {
                open.write_disconnect(&mut self.core);
                EndCause::from(ConnectionError::Requested)
            }
            ConnectionState::Connecting(_) => ConnectError::Requested.into(),
            ConnectionState::Disconnected | ConnectionState::Closing(_) => return,
        };
        self.state.close(cause, &mut self.core);
    }

    /// Disconnects as [`disconnect`](Self::disconnect) does, and makes the server forget the
    /// session, unless the options set another
    /// [`DisconnectOptions::session_expiry_interval`]. For a client whose session is not resumed.
    pub fn disconnect_ending_session(&mut self) {
        let options = &mut self.core.options;
        let outlives = options
            .session_expiry_interval
            .is_some_and(|seconds| seconds > 0);
        if outlives {
            options.disconnect.session_expiry_interval.get_or_insert(0);
        }
        self.disconnect();
    }

    /// Returns `true` if the transport is to be closed once the output is written.
    #[must_use]
    pub const fn should_close(&self) -> bool {
        matches!(self.state, ConnectionState::Closing(_))
    }

    /// Handles the end of the transport. Requests stay for the next connection; the rest of the
    /// output is dropped. The time is that which the engine was told last.
    pub fn handle_closed(&mut self, cause: CloseCause) -> EndCause {
        self.state.handle_closed(cause, &mut self.core)
    }

    /// Begins a re-authentication on the open connection, with a fresh exchange of the method in
    /// the options; other packets are exchanged meanwhile. Its outcome is
    /// [`Outcome::Reauthenticated`]; if it fails, the connection ends. [MQTT-4.12.1-1]
    ///
    /// # Errors
    /// [`RequestError::Reauthentication`] if there is no connection, or one without this method, if
    /// another re-authentication is under way, or if the exchange can't begin; other variants if
    /// the packet can't be sent. Nothing was sent then.
    pub fn reauthenticate(&mut self, now: Instant) -> Result<OperationId, RequestError> {
        match &mut self.state {
            ConnectionState::Open(open) => open.reauthenticate(now, &mut self.core),
            _ => Err(ReauthenticationError::NotConnected.into()),
        }
    }

    /// Writes PINGREQ now, whether the keep alive asks for it or not; `false` without a connection.
    ///
    /// With a keep alive, a missing answer ends the connection, as it does for every PINGREQ.
    /// [`Statistics::pings_answered`] counts the answers.
    pub fn ping(&mut self, now: Instant) -> bool {
        let ConnectionState::Open(open) = &mut self.state else {
            return false;
        };
        open.ping(now, &mut self.core);
        true
    }

    /// Tells the engine the time, without any consequence. [`subscribe`](Self::subscribe),
    /// [`unsubscribe`](Self::unsubscribe) and [`handle_closed`](Self::handle_closed) use the time
    /// that was told last.
    pub const fn set_now(&mut self, now: Instant) {
        self.core.now = Some(now);
    }

    /// Time that the engine was told last.
    #[cfg(feature = "tokio")]
    pub(crate) const fn now(&self) -> Option<Instant> {
        self.core.now
    }

    /// Time at which [`handle_timeout`](Self::handle_timeout) should be called, unless another
    /// method is called before; `None` if nothing has to happen.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let core = &self.core;
        // The deadline of the connection, if there is one.
        let connection = match &self.state {
            ConnectionState::Disconnected => None,
            ConnectionState::Connecting(connecting) => connecting.due(core),
            ConnectionState::Open(open) => open.due(),
            ConnectionState::Closing(_) => return None,
        };
        // Messages without a stream wait whether or not there is a connection.
        let unmatched = core.unmatched_wait.end();
        let unmatched = unmatched.filter(|_| core.session.inbound.has_unmatched());
        connection
            .into_iter()
            .chain(core.session.outbound.next_timeout())
            .chain(unmatched)
            .min()
    }

    /// Handles the time: messages expire, requests time out, and the connection is kept alive or
    /// ends. Messages also expire without a connection.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Self { state, core } = self;
        // Messages that wait expire first, so that nothing below sends them.
        core.pass_time(now, state.is_open());
        // The connection: CONNACK, keep alive, messages without memory.
        let result = match state {
            ConnectionState::Connecting(connecting) => connecting.handle_timeout(now, core),
            ConnectionState::Open(open) => open.handle_timeout(now, core),
            ConnectionState::Disconnected | ConnectionState::Closing(_) => Ok(()),
        };
        if let Err(exit) = result {
            state.exit(exit, core);
        }

        // Requests time out whether or not there is a connection.
        let (session, events, mut cx) = core.split(state.flow_mut());
        let subscriptions = &mut session.subscriptions;
        session
            .outbound
            .time_out(now, &mut cx, &mut |outbound, timed_out, cx| {
                handle_timed_out(timed_out, outbound, subscriptions, events, cx);
            });

        // The rest needs a connection that is still open.
        let ConnectionState::Open(open) = state else {
            return;
        };
        match open.time_out_reauthentication(now, core) {
            Ok(()) => open.send_paced(now, core),
            Err(exit) => state.exit(exit, core),
        }
    }

    /// Says whether an answer could be read: it can't while the application doesn't let the
    /// connection be read, nor while staged output isn't stored. PINGREQ is sent as before, but the
    /// time for its answer stands still.
    pub fn set_listening(&mut self, listening: bool, now: Instant) {
        if let ConnectionState::Open(open) = &mut self.state {
            open.keep_alive.set_listening(listening, now);
        }
    }

    /// Takes every whole packet from the front of `input`; the beginning of another one stays
    /// there.
    ///
    /// While a packet arrives, its bytes count as life of the server in place of the PINGRESP that
    /// they delay.
    ///
    /// A violation of the protocol makes [`should_close`](Self::should_close) return `true`, and
    /// what follows it is ignored. A message that is wrong only in itself is refused, unless
    /// [`ConnectOptions::invalid_messages`](crate::ConnectOptions::invalid_messages) asks for
    /// closing the connection.
    pub fn handle_input(&mut self, input: &mut BytesMut, now: Instant) {
        let Self { state, core } = self;
        core.pass_time(now, state.is_open());
        let total = input.len();
        // Each packet may end the connection; what follows it is ignored.
        while !matches!(state, ConnectionState::Closing(_)) {
            let before = input.len();
            match take_packet(state, core, input, now) {
                Ok(true) => core.count_received(before, input.len()),
                Ok(false) => break,
                Err(exit) => {
                    // A packet that ends the connection regularly was received as well.
                    if let Exit::Close(_) = exit {
                        core.count_received(before, input.len());
                    }
                    state.exit(exit, core);
                }
            }
        }
        // Acknowledgements that became due are written together.
        core.send_due_acks(state.is_open());
        // Any byte is a sign of life, also of a packet that is not complete.
        if let ConnectionState::Open(open) = state {
            open.keep_alive.received(total, input.len(), now);
        }
        core.session.outbound.forget_deadlines();
    }

    /// Returns `true` if more should be read: there is a connection that isn't at its end, and the
    /// server reads what it is answered.
    ///
    /// A server that doesn't read gets no more answers than the queue's limits and a mebibyte hold.
    /// While more than 65,536 events wait to be polled, nothing is read either.
    #[must_use]
    pub fn read_interest(&self) -> bool {
        let space = self.core.options.queue.bytes.saturating_add(ANSWERS);
        let is_heard = self.output_len() < space && self.core.events.len() < EVENTS;
        matches!(
            self.state,
            ConnectionState::Connecting(_) | ConnectionState::Open(_)
        ) && is_heard
    }

    /// Returns the next event; `None` if there is none.
    pub fn poll_event(&mut self) -> Option<EngineEvent> {
        self.core.events.pop_front()
    }

    /// Returns `true` if there is something to write.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.core.output.is_empty()
    }

    /// Number of bytes to write.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.core.output.len()
    }

    /// Moves the bytes to write to the end of `into`, which should be empty: with a store those
    /// that were [staged](Recorder::stage), otherwise all. Acknowledgements are awaited from `now`.
    ///
    /// Returns whether there are any.
    pub fn poll_transmit(&mut self, into: &mut BytesMut, now: Instant) -> bool {
        let Self { state, core } = self;
        let bytes = core.output.hand_out(into, core.session.is_recording());
        if bytes == 0 {
            return false;
        }
        // Bytes count as sent when the transport has them.
        core.statistics.bytes_sent += bytes as u64;
        // What was sent postpones PINGREQ.
        if let ConnectionState::Open(open) = state {
            open.keep_alive.sent(now);
        }
        // Answers are awaited from now on, also to what leaves with the end of the connection: the
        // next one gives them the rest of their time.
        let (session, _, cx) = core.split(state.flow_mut());
        session.outbound.await_acknowledgements(now, &cx);
        true
    }

    /// Handles a transport that failed before the last `bytes` of what
    /// [`poll_transmit`](Self::poll_transmit) returned last were written: no server has a packet of
    /// which a part is missing. [`handle_closed`](Self::handle_closed) follows.
    pub fn handle_unwritten(&mut self, bytes: usize) {
        self.core.output.take_back(bytes);
    }

    /// Limits the time of requests in the output, because the transport does not take it.
    pub fn limit_unsent(&mut self, now: Instant) {
        let ConnectionState::Open(open) = &mut self.state else {
            return;
        };
        let (session, _, mut cx) = self.core.split(Some(&mut open.flow));
        session.outbound.limit_unsent(now, &mut cx);
    }

    /// Accepts a message; it is written into the output at once if the connection allows it.
    ///
    /// If it has to wait, its Message Expiry Interval goes down by the whole seconds that it waits;
    /// a message that has expired fails with [`RequestError::Expired`] and isn't sent. A message
    /// that was sent before is repeated all the same, with the rest of the interval, or a second.
    ///
    /// # Errors
    /// Variants of [`RequestError`] for content that can't be sent (`Topic`, `ResponseTopic`,
    /// `Text`, `Encode`, `TopicAlias`), for limits of the server or the service (`TooLarge`,
    /// `QoSNotSupported`, `RetainNotSupported`, `Limit`), and for the queue (`Offline`,
    /// `QueueFull`). Nothing was accepted then.
    pub fn publish(
        &mut self,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Accepted, RequestError> {
        let Self { state, core } = self;
        core.now = Some(now);
        // Limits of the service and of the server: what they refuse is never queued.
        if let Some(limits) = &core.options.limits {
            limits.check_message(message.topic, message.payload.len(), message.qos)?;
        }
        let flow = state.flow_mut();
        let mut maximum = u16::MAX;
        if let Some(flow) = &flow {
            flow.check_publish(message.qos, message.retain)?;
            maximum = flow.server.topic_alias_maximum;
        }
        // An alias of the application may be above the maximum of any server.
        let aliases = core.options.outbound_aliases;
        aliases.check(message.topic_alias, maximum)?;
        // Messages that expired by now make space for this one.
        let (session, _, mut cx) = core.split(flow);
        session.outbound.expire(now, cx.statistics);
        session
            .outbound
            .admit(Some(message.qos), message.load(), &mut cx)?;
        session.outbound.publish(message, &mut cx)
    }

    /// Accepts subscriptions, all in one SUBSCRIBE.
    ///
    /// # Errors
    /// Variants of [`RequestError`] for filters that can't be sent (`Topic`, `Encode`), for limits
    /// of the server or the service (`TooLarge`, `WildcardNotSupported`, `SharedNotSupported`,
    /// `Limit`), and for the queue (`Offline`, `QueueFull`). Nothing was accepted then.
    pub fn subscribe(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
    ) -> Result<OperationId, RequestError> {
        self.subscribe_with(filters, SubscribeProperties::default())
    }

    /// Accepts subscriptions as [`subscribe`](Self::subscribe) does, with properties. The
    /// identifier is kept when the subscriptions are requested again, and left out on connections
    /// whose server has none.
    ///
    /// # Errors
    /// Errors of [`subscribe`](Self::subscribe).
    pub fn subscribe_with(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
        properties: SubscribeProperties<'_>,
    ) -> Result<OperationId, RequestError> {
        let (session, _, mut cx) = self.core.split(self.state.flow_mut());
        let outbound = &mut session.outbound;
        // The service closes connections that ask for more.
        outbound.check_service_limits(filters, &session.subscriptions, cx.options)?;
        let request = SubscribeRequest::new(filters, properties)?;
        outbound.admit(None, request.size(), &mut cx)?;
        let id = outbound.submit(Request::Subscribe(Box::new(request)), &mut cx)?;
        outbound.limit_request(id, cx.options.request_timeout.subscribe, cx.now);
        Ok(id)
    }

    /// Accepts the end of subscriptions, all in one UNSUBSCRIBE. They aren't renewed from now on.
    ///
    /// # Errors
    /// Variants of [`RequestError`] for filters that can't be sent (`Topic`, `Encode`, `TooLarge`)
    /// and for the queue (`Offline`, `QueueFull`). The subscriptions go on then.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<OperationId, RequestError> {
        self.unsubscribe_with(filters, UnsubscribeProperties::default())
    }

    /// Accepts the end of subscriptions as [`unsubscribe`](Self::unsubscribe) does, with
    /// properties.
    ///
    /// # Errors
    /// Errors of [`unsubscribe`](Self::unsubscribe).
    pub fn unsubscribe_with(
        &mut self,
        filters: &[&str],
        properties: UnsubscribeProperties<'_>,
    ) -> Result<OperationId, RequestError> {
        let (session, _, mut cx) = self.core.split(self.state.flow_mut());
        let outbound = &mut session.outbound;
        let request = UnsubscribeRequest::new(filters, properties)?;
        outbound.admit(None, request.size(), &mut cx)?;
        let id = outbound.submit(Request::Unsubscribe(Box::new(request)), &mut cx)?;
        outbound.limit_request(id, cx.options.request_timeout.unsubscribe, cx.now);
        // From now on a lost session does not bring them back.
        for filter in filters {
            session.subscriptions.end(filter, u64::MAX);
        }
        Ok(id)
    }

    /// Ends the subscription to `filter` without a receipt, because the application has no stream
    /// for it any more: a request that was never sent is withdrawn, and a server that may have the
    /// subscription is told, on this connection or the next one.
    #[cfg(feature = "tokio")]
    pub(crate) fn drop_subscription(&mut self, filter: &str) {
        subscriptions::dropped::drop_subscription(filter, self.state.flow_mut(), &mut self.core);
    }

    /// Allows renewals to give one subscription identifier to several subscriptions, as long as no
    /// topic matches two of their filters.
    /// [`take_shared_identifiers`](Self::take_shared_identifiers) returns which.
    #[cfg(feature = "tokio")]
    pub(crate) const fn share_identifiers(&mut self) {
        self.core.shared_identifiers.is_allowed = true;
    }

    /// Takes the identifiers that several filters have since they were renewed on this connection.
    #[cfg(feature = "tokio")]
    pub(crate) fn take_shared_identifiers(&mut self) -> Vec<(SubscriptionIdentifier, Vec<String>)> {
        std::mem::take(&mut self.core.shared_identifiers.shared)
    }

    /// Number of unfinished requests, and bytes in their packets and in the output: what the
    /// queue's limits count.
    #[must_use]
    pub fn load(&self) -> (usize, usize) {
        let (count, bytes) = self.core.session.outbound.operations.load();
        (count, bytes + self.output_len())
    }

    /// Returns `true` if a request of `more` bytes fits into the queue. A single one always does:
    /// the server limits the size of packets.
    pub fn has_space(&self, more: usize) -> bool {
        let core = &self.core;
        let outbound = &core.session.outbound;
        outbound.has_space(more, core.output.len(), &core.options)
    }

    /// Time at which `message` can be published without reading a clock: the time that was told
    /// last, if it makes no difference; `None` if it does. To read a clock takes a good part of the
    /// time in which a message is sent.
    #[cfg(feature = "tokio")]
    pub(crate) fn time_for(&self, message: &Message<'_>) -> Option<Instant> {
        let is_paced = self.state.flow().is_some_and(|flow| flow.is_paced());
        let depends_on_time = message.properties.message_expiry_interval.is_some()
            || self.core.session.outbound.has_expiries()
            || is_paced
            || self.core.options.request_timeout.publish.is_some();
        self.core.now.filter(|_| !depends_on_time)
    }

    /// Polls the outcome of a request, which is returned once; `None` if it was taken or forgotten
    /// before.
    pub fn poll_outcome(
        &mut self,
        id: OperationId,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Outcome, RequestError>>> {
        self.core.session.outbound.operations.poll(id, cx)
    }

    /// Gives up the interest in an outcome. What was accepted happens all the same.
    pub fn forget(&mut self, id: OperationId) {
        self.core.session.outbound.operations.forget(id);
    }

    /// Moves the wakers of those whose outcome is known to the end of `into`, to be woken when no
    /// lock is held.
    pub fn take_wakers(&mut self, into: &mut Vec<Waker>) {
        self.core.session.outbound.operations.take_wakers(into);
    }

    /// Completes every request with `error`: there will be no further connection.
    pub fn fail_all(&mut self, error: &RequestError) {
        let core = &mut self.core;
        core.session.outbound.fail_all(error, &mut core.statistics);
    }

    /// Returns `true` if the outcome of every accepted request is known.
    #[must_use]
    pub const fn has_all_outcomes(&self) -> bool {
        self.core.session.outbound.operations.all_have_outcomes()
    }

    /// Returns `true` if the outcome of every accepted request is known, and the output is written.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.has_all_outcomes() && self.core.output.is_empty()
    }

    /// Received messages, for the application's answers to them.
    pub const fn received(&mut self) -> ReceivedMessages<'_> {
        ReceivedMessages {
            state: &mut self.state,
            core: &mut self.core,
        }
    }

    /// Recorder of what changes in the session, for a store.
    pub const fn recorder(&mut self) -> Recorder<'_> {
        Recorder(&mut self.core)
    }

    /// Returns `true` if further messages of QoS 1 and 2 have to be [declined](ReceivedMessages::decline) on
    /// this connection.
    #[must_use]
    pub fn declines_messages(&self) -> bool {
        match &self.state {
            ConnectionState::Open(open) => open.leaves_at.is_some(),
            ConnectionState::Closing(cause) => cause.is_memory_budget(),
            ConnectionState::Disconnected | ConnectionState::Connecting(_) => false,
        }
    }

    /// Message whose missing acknowledgement keeps the server from sending further messages of QoS
    /// 1 and 2: the first one, if this client's Receive Maximum is used up; `None` otherwise.
    #[must_use]
    pub fn blocking_message(&self) -> Option<DeliveryId> {
        let announced = self.core.receive_window.announced();
        self.core
            .session
            .inbound
            .blocking(announced.into())
            .filter(|_| self.is_connected())
    }

    /// Returns `true` if the server may send messages for subscriptions that were made before this
    /// engine existed: it resumes a session that another engine or process began. `false` as soon
    /// as a server reports that it has no session.
    #[must_use]
    pub const fn may_receive_unmatched(&self) -> bool {
        self.core.unmatched_wait.inherits_session
    }

    /// Time until which unmatched messages wait, which may be in the past; `None` if none wait.
    #[cfg(feature = "tokio")]
    pub(crate) fn unmatched_until(&self) -> Option<Instant> {
        let core = &self.core;
        core.unmatched_wait.until(core.options.unmatched_wait)
    }

    /// Returns `true` if anything has changed since the changes were last taken.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        self.core.session.has_changes()
    }

    /// Returns `true` if nothing has changed but that requests are complete, so that no output has
    /// to wait for the store.
    ///
    /// A process that doesn't find such a change repeats a message that was acknowledged, as after
    /// a lost acknowledgement. The change should be stored soon all the same, or with the next one:
    /// that saves a commit for most messages.
    #[must_use]
    pub fn changes_can_wait(&self) -> bool {
        self.core.session.has_only_completions()
    }
}
