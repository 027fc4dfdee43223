//! What is under the one lock, and whom it concerns when it changes.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::engine::{Accepted, CloseCause, Ended, Engine, EngineEvent, Session};
use crate::error::{ConnectError, RequestError, StopCause};
use crate::event::{Event, RefusedRequest};
use crate::message::Message;
use crate::options::CleanStart;
use crate::runtime::clock::now;
use crate::runtime::log::Warnings;
use crate::runtime::observer::Observer;
use crate::runtime::receive_window::Window;
use crate::runtime::replies::Requests;
use crate::runtime::router::Router;
use crate::runtime::store_task::Kept;
use crate::runtime::unanswered::UnansweredQueue;
use crate::runtime::wait_queue::{Space, WaitQueue, WaiterId};

/// Events that nobody has taken; older ones are dropped beyond this, and beyond an eighth of the
/// memory budget.
const EVENTS: usize = 1024;

/// What [`Shared`](crate::runtime::shared::Shared) holds.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) router: Router,
    pub(crate) requests: Requests,
    /// Equal warnings that the log leaves out.
    pub(crate) warnings: Warnings,
    /// Refused requests that the log will tell of, and how many equal warnings were left out
    /// before each.
    pub(crate) refusals: Vec<(RefusedRequest, u64)>,
    /// Whom each link shows its packets.
    pub(crate) observer: Option<Observer>,
    /// The driver acts on it.
    pub(crate) stop: Option<Stop>,
    /// Whether the application wants the next attempt to connect without a delay.
    pub(crate) reconnect_now: bool,
    /// Why there will be no further connection.
    pub(crate) stopped: Option<StopCause>,
    /// Whether somebody wants the session when the client has stopped, and then the session.
    pub(crate) keeps_session: bool,
    pub(crate) kept_session: Option<Box<Session>>,
    /// How far the session is kept, if it is.
    pub(crate) kept: Option<Box<Kept>>,
    /// Why the last attempt that failed did.
    pub(crate) last_failure: Option<Arc<ConnectError>>,
    /// Messages, and bytes of output, that were published since a publisher last yielded.
    published: Published,
    events: VecDeque<Event>,
    /// Messages whose acknowledgement was dropped.
    pub(crate) unanswered: UnansweredQueue,
    /// Whether one message blocks all others.
    pub(crate) window: Window,
    /// What the application is told next.
    pub(crate) late_events: Vec<Event>,
    /// Bytes of memory that they take.
    event_bytes: usize,
    driver: Option<Waker>,
    /// Those who wait for an event or for the end.
    watchers: Vec<Waker>,
    /// Publishers that wait for space in the engine's queue.
    pub(crate) wait_queue: WaitQueue,
    /// Those to be woken when the lock is let go of.
    wakers: Vec<Waker>,
}

/// A wish to end.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Stop {
    /// For how long requests may still finish; the driver starts the time.
    flush_for: Option<Duration>,
    /// Until when; `None` for any length of time.
    flush_until: Option<Instant>,
}

impl Stop {
    /// The earliest end counts.
    pub(crate) fn within(&mut self, flush_for: Duration) {
        self.flush_for = Some(
            self.flush_for
                .map_or(flush_for, |earlier| earlier.min(flush_for)),
        );
    }

    /// Until when requests may finish, now that the driver has seen the wish; `None` for any length
    /// of time.
    fn flush_until(&mut self, now: Instant) -> Option<Instant> {
        if let Some(until) = self
            .flush_for
            .take()
            .and_then(|flush_for| now.checked_add(flush_for))
        {
            self.flush_until = Some(self.flush_until.map_or(until, |earlier| earlier.min(until)));
        }
        self.flush_until
    }
}

/// How a wish to end stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StopBy {
    /// There is nothing to wait for, or no time left.
    pub(crate) is_over: bool,
    /// There is nothing to wait for.
    pub(crate) has_nothing: bool,
    /// When to look again.
    pub(crate) until: Option<Instant>,
}

/// Messages and bytes after which a publisher yields once: the driver then writes what has
/// gathered, so that writes are large and the output stays small.
const YIELD_AFTER_MESSAGES: u32 = 512;
const YIELD_AFTER_BYTES: usize = 32 * 1024;

/// What was published since a publisher last yielded.
#[derive(Debug, Default)]
struct Published {
    messages: u32,
    bytes: usize,
}

impl Published {
    /// Adds a message that added this many bytes to the output. Returns whether its publisher
    /// should yield; counting then starts again.
    fn add(&mut self, bytes: usize) -> bool {
        self.messages += 1;
        self.bytes += bytes;
        let is_enough = self.messages >= YIELD_AFTER_MESSAGES || self.bytes >= YIELD_AFTER_BYTES;
        if is_enough {
            *self = Self::default();
        }
        is_enough
    }
}

/// Share of the queue's limits that is free when waiting publishers are woken: a quarter, and at
/// most so many messages and bytes.
const AMPLE_SHARE: usize = 4;
const AMPLE_MESSAGES: usize = 64;
const AMPLE_BYTES: usize = 64 * 1024;

impl Space for Engine {
    fn fits(&self, bytes: usize) -> bool {
        self.has_room(bytes)
    }

    fn is_ample(&self) -> bool {
        let ((count, bytes), limits) = (self.load(), self.options().queue);
        let free_count = limits.count.saturating_sub(count);
        let free_bytes = limits.bytes.saturating_sub(bytes);
        free_count >= (limits.count / AMPLE_SHARE).clamp(1, AMPLE_MESSAGES)
            && free_bytes >= (limits.bytes / AMPLE_SHARE).min(AMPLE_BYTES)
    }
}

impl State {
    pub(crate) fn new(engine: Engine, router: Router) -> Self {
        Self {
            engine,
            router,
            requests: Requests::new(),
            warnings: Warnings::default(),
            refusals: Vec::new(),
            observer: None,
            stop: None,
            reconnect_now: false,
            stopped: None,
            keeps_session: false,
            kept_session: None,
            kept: None,
            last_failure: None,
            published: Published::default(),
            events: VecDeque::new(),
            unanswered: UnansweredQueue::default(),
            window: Window::default(),
            late_events: Vec::new(),
            event_bytes: 0,
            driver: None,
            watchers: Vec::new(),
            wait_queue: WaitQueue::default(),
            wakers: Vec::new(),
        }
    }

    /// The driver looks at everything anew.
    pub(crate) fn call_driver(&mut self) {
        self.wakers.extend(self.driver.take());
    }

    pub(crate) fn take_driver(&mut self) -> Option<Waker> {
        self.driver.take()
    }

    /// Whether something is to happen before `due`.
    pub(crate) fn is_due_before(&self, due: Option<Instant>) -> bool {
        self.engine
            .poll_timeout()
            .is_some_and(|now_due| due.is_none_or(|due| now_due < due))
    }

    /// Publishes a message, unless the queue is full. Returns the outcome, and whether the
    /// publisher should yield before the next message.
    pub(crate) fn publish(
        &mut self,
        message: &Message<'_>,
    ) -> (Result<Accepted, RequestError>, bool) {
        if let Some(cause) = &self.stopped {
            return (Err(RequestError::Stopped(cause.clone())), false);
        }
        let now = self.engine.time_enough_for(message).unwrap_or_else(now);
        let before = self.engine.output_len();
        let accepted = self.engine.publish(message, now);
        let bytes = self.engine.output_len().saturating_sub(before);
        (accepted, self.published.add(bytes))
    }

    /// Removes a publisher from the wait queue: the next one may have waited for just that.
    pub(crate) fn leave_wait_queue(&mut self, id: WaiterId) {
        self.wait_queue.leave(id);
        self.wake_publishers();
    }

    /// Lets a publisher wait for space. If it was woken and came too late, the space may still be
    /// enough for others.
    pub(crate) fn wait_for_space(&mut self, id: WaiterId, message: &Message<'_>, cx: &Context<'_>) {
        self.wait_queue.wait(id, message.load(), cx);
        self.wake_publishers();
    }

    /// The connection is gone, and the last `unwritten` bytes of the output with it. Publishers
    /// that wait may be refused without a connection.
    pub(crate) fn closed(&mut self, cause: CloseCause, unwritten: usize) -> Ended {
        self.wait_queue.wake_all(&mut self.wakers);
        self.window.handle_closed();
        self.engine.handle_unwritten(unwritten);
        self.engine.set_now(now());
        self.engine.handle_closed(cause)
    }

    fn wake_publishers(&mut self) {
        let mut wakers = std::mem::take(&mut self.wakers);
        self.wake_publishers_into(&mut wakers);
        self.wakers = wakers;
    }

    /// Wakes publishers for which there is space, and the driver if it has to look after them.
    fn wake_publishers_into(&mut self, wakers: &mut Vec<Waker>) {
        let before = self.wait_queue.deadline();
        self.wait_queue.wake_next(&self.engine, now, wakers);
        // The driver may have looked at the deadline before: woken publishers may not come.
        let deadline = self.wait_queue.deadline();
        if deadline.is_some() && deadline != before {
            wakers.extend(self.driver.take());
        }
    }

    /// When something has to happen that isn't the engine's matter.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.wait_queue
            .deadline()
            .into_iter()
            .chain(self.unanswered.deadline())
            .chain(self.window.deadline())
            .min()
    }

    /// Does what is due and isn't the engine's matter.
    pub(crate) fn handle_deadline(&mut self, now: Instant) {
        self.answer_overdue(now);
        if self.wait_queue.deadline().is_some_and(|due| due <= now)
            && self.wait_queue.handle_deadline(now)
        {
            self.wake_publishers();
        }
        if self.window.deadline().is_some_and(|due| due <= now) {
            self.check_window();
        }
    }

    /// How a wish to end stands, if there is one: requests get their time, with or without a
    /// connection.
    pub(crate) fn stop_by(&mut self, now: Instant) -> StopBy {
        let Some(stop) = &mut self.stop else {
            return StopBy {
                is_over: false,
                has_nothing: false,
                until: None,
            };
        };
        let until = stop.flush_until(now);
        let engine = &self.engine;
        let has_nothing = if engine.is_connected() {
            engine.is_idle()
        } else {
            engine.is_settled()
        };
        let is_over = has_nothing || until.is_some_and(|until| until <= now);
        StopBy {
            is_over,
            has_nothing,
            until: until.filter(|_| !is_over),
        }
    }

    /// Sends DISCONNECT. It ends the session at the server, unless somebody goes on with it.
    pub(crate) fn disconnect(&mut self) {
        let is_kept = self.keeps_session
            || self.kept.is_some()
            || self.engine.options().clean_start == CleanStart::Never;
        if is_kept {
            self.engine.disconnect();
        } else {
            self.engine.disconnect_ending_session();
        }
    }

    /// Gives back memory that a burst has left.
    pub(crate) fn give_back_memory(&mut self) {
        self.engine.give_back_memory();
        self.router.give_back_memory();
    }

    /// Whether the application is to be told of something that [`deliver`](Self::deliver) passes
    /// on.
    pub(crate) fn has_late_events(&self) -> bool {
        self.router.has_events() || !self.late_events.is_empty()
    }

    /// Hands what the engine has to tell to streams; what is left concerns the driver.
    pub(crate) fn deliver(&mut self, events: &mut Vec<Event>) {
        let replies = self.requests.held();
        let others = self.event_bytes + replies;
        self.router
            .set_budget(self.engine.options().memory_budget, others);
        while let Some(event) = self.engine.poll_event() {
            match event {
                EngineEvent::Message(message, Some(id))
                    if self.engine.declines_messages()
                        || self.router.exceeds_budget(&message, replies > 0) =>
                {
                    self.engine.decline(id);
                }
                EngineEvent::Message(message, id) => {
                    self.router.route(message, id, &mut self.engine);
                }
                EngineEvent::UnmatchedRefused(id) => {
                    self.router.unmatched_refused(id, &mut self.engine);
                }
                EngineEvent::Connected(connected) => {
                    self.requests
                        .set_response_information(connected.response_information.as_deref());
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
        self.deliver_replies();
        self.router.take_events(events);
        self.check_window();
        events.append(&mut self.late_events);
    }

    /// Whoever waits for the request is told; the log is for those who don't look.
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

    /// Hands replies to those who wait for them.
    fn deliver_replies(&mut self) {
        let Some(key) = self.requests.key() else {
            return;
        };
        while let Some((message, id)) = self.router.take(key) {
            if let Some(id) = id {
                self.engine.take(id);
            }
            self.requests.answer(message);
        }
    }

    /// Closes a stream, and ends its subscription if nobody else has it.
    pub(crate) fn close_stream(&mut self, key: usize) {
        let last_of = self.router.close(key, &mut self.engine);
        if let Some(filter) = last_of.filter(|_| self.stopped.is_none()) {
            self.engine.let_lapse(&filter);
        }
    }

    /// The next event, after `Stopped` none.
    pub(crate) fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Option<Event>> {
        match self.pop_event() {
            Some(event) => Poll::Ready(Some(event)),
            None if self.stopped.is_some() => Poll::Ready(None),
            None => {
                self.watch(cx);
                Poll::Pending
            }
        }
    }

    pub(crate) fn push(&mut self, event: Event) {
        if self
            .events
            .back_mut()
            .is_some_and(|last| last.merge(&event))
        {
            return;
        }
        self.event_bytes += event.held();
        self.events.push_back(event);
        let most = self.engine.options().memory_budget / 8;
        while self.events.len() > EVENTS || self.event_bytes > most && self.events.len() > 1 {
            self.pop_event();
        }
        self.wake_watchers();
    }

    fn pop_event(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.event_bytes -= event.held();
        Some(event)
    }

    /// Those who wait for something look again.
    pub(crate) fn wake_watchers(&mut self) {
        self.wakers.append(&mut self.watchers);
    }

    /// They are woken when the lock is let go of.
    pub(crate) fn wake(&mut self, mut whom: Vec<Waker>) {
        self.wakers.append(&mut whom);
    }

    /// Moves what may leave into `output`: with a store what is kept.
    pub(crate) fn transmit(&mut self, output: &mut BytesMut, now: Instant) {
        match &mut self.kept {
            Some(kept) => kept.transmit(&mut self.engine, output, now),
            None => drop(self.engine.poll_transmit(output, now)),
        }
    }

    /// There is nothing more to be kept.
    pub(crate) fn give_store_up(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.give_up(&self.engine, &mut self.wakers);
        }
        // What is kept goes on in another process, though requests end here.
        self.engine.close_journal();
    }

    /// Moves those whom the latest changes concern into `wakers`; `before` is the load that there
    /// was.
    pub(crate) fn settle(&mut self, before: (usize, usize), wakers: &mut Vec<Waker>) {
        move_wakers(&mut self.wakers, wakers);
        self.engine.take_wakers(wakers);
        self.router.take_wakers(wakers);
        self.requests.take_wakers(wakers);
        if let Some(kept) = &mut self.kept {
            kept.look(&self.engine, wakers);
        }
        let after = self.engine.load();
        if self.stopped.is_some() {
            self.wait_queue.wake_all(wakers);
        } else if after.0 < before.0 || after.1 < before.1 {
            self.wake_publishers_into(wakers);
        }
    }

    /// Wakes the caller at the next event.
    pub(crate) fn watch(&mut self, cx: &Context<'_>) {
        register(&mut self.watchers, cx);
    }

    /// Wakes the driver when there is output, or a wish to stop.
    pub(crate) fn watch_as_driver(&mut self, cx: &Context<'_>) {
        if !self
            .driver
            .as_ref()
            .is_some_and(|waker| waker.will_wake(cx.waker()))
        {
            self.driver = Some(cx.waker().clone());
        }
    }
}

/// Moves all of them. There are hardly ever any, and this is asked for every message.
#[inline]
pub(crate) fn move_wakers(from: &mut Vec<Waker>, into: &mut Vec<Waker>) {
    if !from.is_empty() {
        into.append(from);
    }
}

/// Keeps one waker of each task.
pub(crate) fn register(wakers: &mut Vec<Waker>, cx: &Context<'_>) {
    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
        wakers.push(cx.waker().clone());
    }
}
