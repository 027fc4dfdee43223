//! State of a client behind its one lock: engine, router, waiting tasks, and the client's lifecycle.

mod publishing;

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::engine::{CloseCause, Engine, EngineEvent, Session};
use crate::error::{ConnectError, EndCause, RequestError};
use crate::event::{Event, RefusedRequest};
use crate::policy::CleanStart;
use crate::runtime::clock::now;
use crate::runtime::delivery::Delivery;
use crate::runtime::event_queue::EventQueue;
use crate::runtime::lifecycle::{Lifecycle, StopProgress};
use crate::runtime::log::Warnings;
use crate::runtime::manual_acks::{DroppedAck, ManualAcks};
use crate::runtime::observer::Observer;
use crate::runtime::pending_replies::PendingReplies;
use crate::runtime::router::Router;
use crate::runtime::store_progress::StoreProgress;
use crate::runtime::wait_queue::WaitQueue;
use crate::runtime::wakers::{move_wakers, register};
use crate::runtime::yield_counter::YieldCounter;

/// State that [`Shared`](crate::runtime::shared::Shared) holds behind its lock.
#[derive(Debug)]
pub(crate) struct ClientState {
    pub(crate) engine: Engine,
    pub(crate) router: Router,
    pub(crate) replies: PendingReplies,
    pub(crate) manual_acks: ManualAcks,
    /// Progress of the store; `None` without a store.
    pub(crate) store: Option<Box<StoreProgress>>,
    pub(crate) lifecycle: Lifecycle,
    /// Session to be handed to the application after the stop.
    pub(crate) handover: Handover,
    /// True if the application wants the next attempt to connect without a delay.
    pub(crate) reconnect_now: bool,
    /// Cause of the last failed attempt to connect.
    pub(crate) last_failure: Option<Arc<ConnectError>>,
    /// Observer of each connection's packets.
    pub(crate) observer: Option<Observer>,
    /// Counts of equal warnings that the log leaves out.
    pub(crate) warnings: Warnings,
    /// Refused requests to be logged after unlocking, each with the number of equal warnings that
    /// were left out before.
    pub(crate) refusals: Vec<(RefusedRequest, u64)>,
    events: EventQueue,
    /// Events that [`deliver`](Self::deliver) returns next.
    pending_events: Vec<Event>,
    /// Publishers that wait for space in the engine's queue, or at QoS 0 for less output.
    pub(crate) wait_queue: WaitQueue,
    pub(crate) yield_counter: YieldCounter,
    /// Sleep of the driver while the transport hasn't taken all of the output that it was given;
    /// `None` while it has.
    pub(crate) stalled: Option<StalledDriver>,
    driver: Option<Waker>,
    /// Tasks that wait for PINGRESP.
    ping_watchers: Vec<Waker>,
    /// Tasks that wait for an event, a connection or the stop.
    watchers: Vec<Waker>,
    /// Tasks to be woken after unlocking.
    wakers: Vec<Waker>,
}

/// A driver that waits for the transport, and sleeps though the engine has output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StalledDriver {
    /// Time at which it looks at the engine in any case; `None` for never.
    pub(crate) wakes_at: Option<Instant>,
}

/// Session that outlives the client in this process.
#[derive(Debug, Default)]
pub(crate) enum Handover {
    /// Nobody wants the session.
    #[default]
    NotWanted,
    /// The session is to be taken out of the engine when the client stops.
    Wanted,
    /// The client has stopped; this is its session.
    Ready(Box<Session>),
}

impl ClientState {
    pub(crate) fn new(engine: Engine, router: Router) -> Self {
        Self {
            engine,
            router,
            replies: PendingReplies::new(),
            manual_acks: ManualAcks::default(),
            store: None,
            lifecycle: Lifecycle::default(),
            handover: Handover::default(),
            reconnect_now: false,
            last_failure: None,
            observer: None,
            warnings: Warnings::default(),
            refusals: Vec::new(),
            events: EventQueue::default(),
            pending_events: Vec::new(),
            wait_queue: WaitQueue::default(),
            yield_counter: YieldCounter::default(),
            stalled: None,
            driver: None,
            ping_watchers: Vec::new(),
            watchers: Vec::new(),
            wakers: Vec::new(),
        }
    }

    /// Wakes the driver, which then looks at the whole state again.
    pub(crate) fn wake_driver(&mut self) {
        self.wakers.extend(self.driver.take());
    }

    /// Removes the waker of the driver, for a caller that wakes it after unlocking.
    pub(crate) const fn take_driver(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    /// Registers the current task as the driver: it is woken by new output, earlier deadlines and
    /// the request to stop.
    pub(crate) fn watch_as_driver(&mut self, cx: &Context<'_>) {
        let is_registered = self.driver.as_ref();
        if !is_registered.is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.driver = Some(cx.waker().clone());
        }
    }

    /// Registers the current task: it is woken by the next event.
    pub(crate) fn watch(&mut self, cx: &Context<'_>) {
        register(&mut self.watchers, cx);
    }

    /// Registers the current task: it is woken by the next change, which may be a PINGRESP.
    pub(crate) fn watch_for_pong(&mut self, cx: &Context<'_>) {
        register(&mut self.ping_watchers, cx);
    }

    /// True if the engine's deadline is before `due`, which was its deadline earlier.
    pub(crate) fn is_due_before(&self, due: Option<Instant>) -> bool {
        self.engine
            .poll_timeout()
            .is_some_and(|deadline| due.is_none_or(|due| deadline < due))
    }

    /// True if the driver waits for the transport and would sleep past a deadline of a new request.
    /// `unfinished` is the earlier number of requests: messages of QoS 0 that were written at once
    /// have no deadline and cost nothing here.
    #[inline]
    pub(crate) fn is_stalled_past_deadline(&self, unfinished: usize) -> bool {
        self.stalled.is_some_and(|stalled| {
            self.engine.load().0 > unfinished && self.is_due_before(stalled.wakes_at)
        })
    }

    /// Engine and router, for one step of the delivery of messages.
    pub(crate) const fn delivery(&mut self) -> Delivery<'_> {
        Delivery {
            engine: &mut self.engine,
            router: &mut self.router,
        }
    }

    /// Closes a stream, and ends its subscription if no other stream has the same filter.
    pub(crate) fn close_stream(&mut self, key: usize) {
        let filter = self.delivery().close(key);
        if let Some(filter) = filter.filter(|_| !self.lifecycle.has_stopped()) {
            self.engine.drop_subscription(&filter);
        }
    }

    /// Handles an `Acknowledgement` that was dropped without an answer. Returns the event for the
    /// application, if the message is refused at once.
    pub(crate) fn handle_dropped_ack(
        &mut self,
        dropped: DroppedAck,
        is_panicking: bool,
    ) -> Option<Event> {
        // The server repeats what a client that stops hasn't acknowledged.
        if !self.lifecycle.is_running() {
            return None;
        }
        let before = self.manual_acks.drop_deadline();
        let event = self
            .manual_acks
            .handle_dropped(dropped, is_panicking, &mut self.engine, now());
        if self.manual_acks.drop_deadline() != before {
            self.wake_driver();
        }
        event
    }

    /// Handles the end of a connection, with which the last `unwritten` bytes of the output were
    /// lost. Publishers that wait may be refused without a connection, so they look again.
    pub(crate) fn handle_connection_closed(
        &mut self,
        cause: CloseCause,
        unwritten: usize,
    ) -> EndCause {
        // Publishers that wait look again: offline, other limits hold and some messages fail at
        // once.
        self.wait_queue.wake_all(&mut self.wakers);
        self.manual_acks.handle_connection_closed();
        self.stalled = None;
        self.engine.handle_unwritten(unwritten);
        self.engine.set_now(now());
        self.engine.handle_closed(cause)
    }

    /// Time of the next call to [`handle_deadline`](Self::handle_deadline); the engine's deadlines
    /// are its own.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.wait_queue.deadline(),
            self.manual_acks.drop_deadline(),
            self.manual_acks.report_deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Handles the deadlines that have passed, other than the engine's.
    pub(crate) fn handle_deadline(&mut self, now: Instant) {
        // Acknowledgements that the application dropped; then publishers whose turn is over; then
        // the message that blocks all others.
        let is_due = |deadline: Option<Instant>| deadline.is_some_and(|due| due <= now);
        if is_due(self.manual_acks.drop_deadline()) {
            if self.lifecycle.is_running() {
                self.manual_acks
                    .handle_deadline(now, &mut self.engine, &mut self.pending_events);
            } else {
                self.manual_acks.discard_dropped();
            }
        }
        if is_due(self.wait_queue.deadline()) && self.wait_queue.handle_deadline(now) {
            self.wake_publishers();
        }
        if is_due(self.manual_acks.report_deadline()) {
            self.check_blocking_message();
        }
    }

    /// Checks whether one message keeps the server from sending others.
    fn check_blocking_message(&mut self) {
        let router = &self.router;
        let event = self
            .manual_acks
            .check_blocking(self.engine.blocking_message(), now, |id| {
                router.filter_of_first(id)
            });
        self.pending_events.extend(event);
    }

    /// Progress of a requested stop: requests get their time, with or without a connection.
    pub(crate) fn stop_progress(&mut self, now: Instant) -> StopProgress {
        let engine = &self.engine;
        self.lifecycle.stop_progress(now, || {
            if engine.is_connected() {
                engine.is_idle()
            } else {
                engine.has_all_outcomes()
            }
        })
    }

    /// Sends DISCONNECT. It ends the session at the server, unless the session goes on: in another
    /// client, in a store, or because this client promised not to end it.
    pub(crate) fn disconnect(&mut self) {
        // A session that somebody may resume keeps its expiry interval; any other one ends with
        // DISCONNECT.
        let goes_on = !matches!(self.handover, Handover::NotWanted)
            || self.store.is_some()
            || self.engine.options().clean_start == CleanStart::Never;
        if goes_on {
            self.engine.disconnect();
        } else {
            self.engine.disconnect_ending_session();
        }
    }

    /// Ends the session in this client: requests fail, unless the session is handed over.
    pub(crate) fn end_session(&mut self, error: &RequestError) {
        if let Some(store) = &mut self.store {
            store.abandon_changes(&self.engine, &mut self.wakers);
        }
        // The persisted session goes on in another process, though its requests end here.
        self.engine.recorder().stop();
        match self.handover {
            Handover::NotWanted => self.engine.fail_all(error),
            // The session is handed over with its requests; only the waits of this client end.
            Handover::Wanted | Handover::Ready(_) => {
                self.router.discard_unacknowledged();
                let session = self.engine.take_session(error);
                self.handover = Handover::Ready(Box::new(session));
            }
        }
    }

    /// Releases memory that a burst has left.
    pub(crate) fn give_back_memory(&mut self) {
        self.engine.give_back_memory();
        self.router.give_back_memory();
    }

    /// True if there are events that [`deliver`](Self::deliver) would return.
    pub(crate) fn has_pending_events(&self) -> bool {
        self.router.has_events() || !self.pending_events.is_empty()
    }

    /// Moves messages from the engine into streams, and adds events for the application.
    pub(crate) fn deliver(&mut self, events: &mut Vec<Event>) {
        // Events and replies take memory of the same budget as messages in streams.
        let replies = self.replies.charge();
        let others = self.events.charge() + replies;
        let budget = self.engine.options().memory_budget;
        self.router.set_budget(budget, others);
        while let Some(event) = self.engine.poll_event() {
            match event {
                // A message that doesn't fit into the memory budget is declined, and so are all
                // that follow on this connection.
                EngineEvent::Message(message, Some(id))
                    if self.engine.declines_messages()
                        || self.router.exceeds_budget(&message, replies > 0) =>
                {
                    self.engine.received().decline(id);
                }
                EngineEvent::Message(message, id) => self.delivery().deliver(message, id),
                EngineEvent::UnmatchedRefused(id) => self.delivery().handle_unmatched_refused(id),
                EngineEvent::Connected(connected) => {
                    self.replies
                        .set_response_information(connected.response_information.as_deref());
                    // A new session has the identifiers that the renewed subscriptions got.
                    if !connected.session_present {
                        self.router.forget_shared_identifiers();
                    }
                    for (identifier, filters) in self.engine.take_shared_identifiers() {
                        self.router
                            .share_identifier(identifier, filters.iter().map(String::as_str));
                    }
                    events.push(Event::Connected(connected));
                }
                EngineEvent::RequestRefused(refused) => self.warn_of_refusal(*refused),
                EngineEvent::MessageRefused(refused) => events.push(Event::MessageRefused(refused)),
                EngineEvent::SubscriptionLost { filter, cause } => {
                    self.router.end(&filter);
                    events.push(Event::SubscriptionLost { filter, cause });
                }
            }
        }
        // Replies go to their requests, then follow what the router dropped and the report of a
        // message that blocks.
        self.deliver_replies();
        if self.router.has_events() {
            events.append(&mut self.router.take_events());
        }
        self.check_blocking_message();
        events.append(&mut self.pending_events);
    }

    /// Moves messages from the stream of replies to the requests that wait for them.
    fn deliver_replies(&mut self) {
        let Some(key) = self.replies.stream() else {
            return;
        };
        while let Some((message, id)) = self.router.pop(key) {
            if let Some(id) = id {
                self.engine.received().consume(id);
            }
            self.replies.handle_reply(message);
        }
    }

    /// Lets the log tell of a refused request: an application may never look at its outcome.
    fn warn_of_refusal(&mut self, refused: RefusedRequest) {
        let key = (
            "request",
            refused.packet_type.name(),
            refused.reason_code.code(),
        );
        if let Some(left_out) = self.warnings.admit(key, now()) {
            self.refusals.push((refused, left_out));
        }
    }

    /// Adds an event for the application.
    pub(crate) fn push_event(&mut self, event: Event) {
        let budget = self.engine.options().memory_budget;
        self.events.push(event, budget);
        move_wakers(&mut self.watchers, &mut self.wakers);
    }

    /// Polls for the next event; `None` after [`Event::Stopped`].
    pub(crate) fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<Event>> {
        match self.events.pop() {
            Some(event) => Poll::Ready(Some(event)),
            None if self.lifecycle.has_stopped() => Poll::Ready(None),
            None => {
                self.watch(cx);
                Poll::Pending
            }
        }
    }

    /// Moves output that may leave into `output`: with a store, what depends on nothing
    /// unpersisted.
    pub(crate) fn transmit(&mut self, output: &mut BytesMut, now: Instant) {
        match &mut self.store {
            Some(store) => store.transmit(&mut self.engine, output, now),
            None => drop(self.engine.poll_transmit(output, now)),
        }
    }

    /// Batch of changes that has all changes so far; 0 without a store.
    pub(crate) fn current_batch(&self) -> u64 {
        self.store
            .as_ref()
            .map_or(0, |store| store.current_batch(&self.engine))
    }

    /// Checks that records can be written.
    ///
    /// # Errors
    /// [`RequestError::NoStore`], [`RequestError::Stopped`].
    pub(crate) fn check_writable(&self) -> Result<(), RequestError> {
        if self.store.is_none() {
            return Err(RequestError::NoStore);
        }
        self.lifecycle.check_running()
    }

    /// Handles the result of writing a batch: if it failed, nothing leaves any more, and the client
    /// stops.
    pub(crate) fn handle_store_result(&mut self, result: io::Result<()>) {
        let Some(store) = &mut self.store else { return };
        match result {
            Ok(()) => store.handle_persisted(&mut self.wakers),
            Err(error) => {
                store.handle_failed(&error);
                self.lifecycle.request_stop(Duration::ZERO);
            }
        }
        self.wake_driver();
    }

    /// Moves the wakers of all tasks that the latest changes concern into `wakers`. `before` is the
    /// engine's load before the changes.
    pub(crate) fn collect_wakers(&mut self, before: (usize, usize), wakers: &mut Vec<Waker>) {
        move_wakers(&mut self.wakers, wakers);
        move_wakers(&mut self.ping_watchers, wakers);
        self.engine.take_wakers(wakers);
        self.router.take_wakers(wakers);
        self.replies.take_wakers(wakers);
        if let Some(store) = &mut self.store {
            store.wake_task(&self.engine, wakers);
        }
        let after = self.engine.load();
        if self.lifecycle.has_stopped() {
            self.wait_queue.wake_all(wakers);
        } else if after.0 < before.0 || after.1 < before.1 {
            self.wake_publishers_into(wakers);
        }
    }
}
