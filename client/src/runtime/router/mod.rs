//! Router: finds the streams that a received message is for, and holds what waits in them.
//!
//! The router knows nothing of the engine. [`Delivery`](super::delivery::Delivery) moves messages
//! from the one to the other, and acknowledges what the router drops.

mod identifiers;
mod routes;
mod stream;
mod streams;
mod unmatched_queue;

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use dunlin_codec::{SubscriptionIdentifier, TopicFilter, TopicName};

pub(crate) use self::identifiers::LAST_IDENTIFIER;
use self::routes::Routes;
pub use self::stream::{StreamLimits, WhenFull};
use self::streams::Streams;
pub(crate) use self::unmatched_queue::UnmatchedMessage;
use self::unmatched_queue::UnmatchedQueue;
use super::wakers::move_wakers;
use crate::engine::{DeliveryId, Dropped};
use crate::event::{DropCause, Event};
use crate::message::ReceivedMessage;

/// Number of filters of closed streams that are remembered.
const CLOSED_FILTERS: usize = 32;

/// All streams of a client, and the topic filters that lead to them.
#[derive(Debug)]
pub(crate) struct Router {
    routes: Routes,
    streams: Streams,
    /// Stream of the messages that no other stream matches.
    unmatched_stream: Option<usize>,
    /// Messages of a resumed session that wait for a stream.
    unmatched: UnmatchedQueue,
    /// True if the application wants no message that no stream matches.
    discards_unmatched: bool,
    /// Filters of the streams that were closed last: messages for them may still be in transit.
    closed_filters: VecDeque<Box<str>>,
    /// Streams of the message that was looked up last; kept for its memory.
    found: Vec<usize>,
    /// Memory budget of the client, and what others take of it (events, replies), in bytes.
    budget: usize,
    used_by_others: usize,
}

/// Result of looking up a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recipients {
    /// Number of streams that the message is for.
    Streams(usize),
    /// No stream matches. Nobody needs to be told if that is expected: the message was sent for a
    /// subscription of this client that has ended, or the application wants no such messages.
    Nobody { is_expected: bool },
}

/// Removed stream.
#[derive(Debug)]
pub(crate) struct ClosedStream {
    /// Topic filter, if no other stream has it.
    pub(crate) filter: Option<String>,
    /// True if the server had granted the subscription.
    pub(crate) was_granted: bool,
    /// Messages that were left in it.
    pub(crate) messages: Vec<(ReceivedMessage, Option<DeliveryId>)>,
}

impl Router {
    /// Router without streams. Subscription identifiers are issued from this one on: the server
    /// may know others from an earlier process.
    pub(crate) fn new(first_identifier: u32) -> Self {
        Self {
            routes: Routes::new(first_identifier),
            streams: Streams::default(),
            unmatched_stream: None,
            unmatched: UnmatchedQueue::default(),
            discards_unmatched: false,
            closed_filters: VecDeque::new(),
            found: Vec::new(),
            budget: 0,
            used_by_others: 0,
        }
    }

    /// Identifier for a SUBSCRIBE of these filters; `None` if all are in use.
    pub(crate) fn identifier_for(&self, filters: &[&str]) -> Option<SubscriptionIdentifier> {
        self.routes.identifier_for(filters)
    }

    /// Issues the identifier that several filters of one SUBSCRIBE share.
    pub(crate) fn issue_shared(&mut self) {
        self.routes.issue_shared();
    }

    /// Gives these filters an identifier besides their own, as one SUBSCRIBE did.
    pub(crate) fn share_identifier<'a>(
        &mut self,
        identifier: SubscriptionIdentifier,
        filters: impl IntoIterator<Item = &'a str>,
    ) {
        self.routes.share_identifier(identifier, filters);
    }

    /// Removes all shared identifiers: the server has lost the session that had them.
    pub(crate) fn forget_shared_identifiers(&mut self) {
        self.routes.forget_shared_identifiers();
    }

    /// Opens a stream for a filter and returns its key.
    pub(crate) fn open(&mut self, filter: TopicFilter<'_>, limits: StreamLimits) -> usize {
        let route = self.routes.open(filter);
        let key = self.streams.open(route, limits);
        if let Some(route) = route {
            self.routes.add_stream(route, key);
        }
        self.closed_filters
            .retain(|closed| **closed != *filter.as_str());
        key
    }

    /// Marks the subscription of a stream as granted by the server.
    pub(crate) fn set_granted(&mut self, key: usize) {
        self.streams.set_granted(key);
    }

    /// Opens the stream of the messages that no other stream matches and returns its key; `None`
    /// if there is one already.
    pub(crate) fn open_unmatched(&mut self, limits: StreamLimits) -> Option<usize> {
        if self.unmatched_stream.is_some() {
            return None;
        }
        let key = self.streams.open(None, limits);
        self.streams.set_granted(key);
        self.unmatched_stream = Some(key);
        Some(key)
    }

    /// Removes a stream.
    pub(crate) fn close(&mut self, key: usize) -> Option<ClosedStream> {
        let filter = self.remove_route(key);
        let mut stream = self.streams.remove(key)?;
        if self.unmatched_stream == Some(key) {
            self.unmatched_stream = None;
        }
        // Messages that are in transit are expected for a while; a subscription that was refused
        // has none.
        if let Some(filter) = filter.as_deref().filter(|_| stream.is_granted) {
            self.closed_filters.push_back(filter.into());
            let superfluous = self.closed_filters.len().saturating_sub(CLOSED_FILTERS);
            self.closed_filters.drain(..superfluous);
        }
        Some(ClosedStream {
            filter,
            was_granted: stream.is_granted,
            messages: std::iter::from_fn(|| stream.pop(true)).collect(),
        })
    }

    /// Ends the streams of a filter: no further messages; what waits in them can still be read.
    pub(crate) fn end(&mut self, filter: &str) {
        for key in self.routes.streams(filter).to_vec() {
            self.end_stream(key);
        }
    }

    /// Ends one stream, as [`end`](Self::end).
    pub(crate) fn end_stream(&mut self, key: usize) {
        self.remove_route(key);
        self.streams.end(key);
    }

    /// Ends all streams, also those that are opened later. Messages that wait for a stream are
    /// discarded: the server repeats what wasn't acknowledged.
    pub(crate) fn end_all(&mut self) {
        self.unmatched = UnmatchedQueue::default();
        self.streams.end_all();
    }

    /// True if [`end_all`](Self::end_all) was called.
    pub(crate) const fn has_ended(&self) -> bool {
        self.streams.have_ended()
    }

    /// Takes the route off a stream. Returns its filter if no other stream has it.
    fn remove_route(&mut self, key: usize) -> Option<String> {
        let route = self.streams.take_route(key)?;
        self.routes.remove_stream(route, key)
    }

    /// Looks up the streams that a message is for; [`push_to_found`](Self::push_to_found) then
    /// gives it to them.
    #[inline]
    pub(crate) fn find(&mut self, message: &ReceivedMessage) -> Recipients {
        match (self.find_subscribed(message), self.unmatched_stream) {
            (Recipients::Nobody { .. }, Some(key)) => {
                self.found.push(key);
                Recipients::Streams(1)
            }
            (found, _) => found,
        }
    }

    /// Like [`find`](Self::find), without the stream of unmatched messages.
    #[inline]
    pub(crate) fn find_subscribed(&mut self, message: &ReceivedMessage) -> Recipients {
        self.found.clear();
        let is_ours = self.routes.find(message, &mut self.found);
        match self.found.len() {
            0 => Recipients::Nobody {
                is_expected: is_ours
                    || self.discards_unmatched
                    || self.is_for_closed_stream(message),
            },
            streams => Recipients::Streams(streams),
        }
    }

    /// Adds a message to the streams that were found for it.
    pub(crate) fn push_to_found(&mut self, message: ReceivedMessage, id: Option<DeliveryId>) {
        // All streams but the last one get a copy, which shares the payload's memory.
        let mut found = std::mem::take(&mut self.found);
        if let Some(last) = found.pop() {
            for key in found.drain(..) {
                self.push(key, message.clone(), id);
            }
            self.push(last, message, id);
        }
        self.found = found;
    }

    /// Adds a message to one stream.
    pub(crate) fn push(&mut self, key: usize, message: ReceivedMessage, id: Option<DeliveryId>) {
        let free = self.free_for_qos0();
        self.streams.push(key, message, id, free);
    }

    /// True if a message without subscription identifiers matches a stream that was closed.
    fn is_for_closed_stream(&self, message: &ReceivedMessage) -> bool {
        // A message with identifiers was decided by them.
        if self.closed_filters.is_empty() || !message.subscription_identifiers().is_empty() {
            return false;
        }
        let Ok(topic) = TopicName::new(message.topic()) else {
            return false;
        };
        let mut filters = self.closed_filters.iter();
        filters.any(|filter| TopicFilter::new(filter).is_ok_and(|filter| filter.matches(&topic)))
    }

    /// Lets a message of QoS 1 or 2 wait for a stream.
    pub(crate) fn queue_unmatched(&mut self, message: ReceivedMessage, id: DeliveryId) {
        self.unmatched.push(message, id);
    }

    /// Lets a message of QoS 0 wait for a stream until `deadline`; returns it if there is no space.
    pub(crate) fn queue_unmatched_qos0(
        &mut self,
        message: ReceivedMessage,
        deadline: Instant,
    ) -> Result<(), ReceivedMessage> {
        let free = self.free_for_qos0();
        self.unmatched.push_qos0(message, deadline, free)
    }

    /// True if messages wait for a stream.
    pub(crate) fn has_unmatched(&self) -> bool {
        !self.unmatched.is_empty()
    }

    /// Removes the waiting messages for which `is_wanted` is true.
    pub(crate) fn take_unmatched(
        &mut self,
        is_wanted: impl FnMut(&UnmatchedMessage) -> bool,
    ) -> Vec<UnmatchedMessage> {
        self.unmatched.take(is_wanted)
    }

    /// Removes the waiting message with this id.
    pub(crate) fn remove_unmatched(&mut self, id: DeliveryId) -> Option<ReceivedMessage> {
        self.unmatched.remove(id)
    }

    /// Removes the waiting messages of QoS 0 whose deadline has passed.
    pub(crate) fn take_expired_unmatched(&mut self, now: Instant) -> Vec<ReceivedMessage> {
        self.unmatched.remove_expired(now)
    }

    /// Makes further messages that no stream matches expected.
    pub(crate) const fn expect_unmatched(&mut self) {
        self.discards_unmatched = true;
    }

    /// Adds an event for the application: a message was dropped.
    pub(crate) fn report_dropped(&mut self, message: &ReceivedMessage, cause: DropCause) {
        self.streams.report(Event::MessageDropped {
            topic: message.topic().to_owned(),
            cause,
            count: 1,
            bytes: message.len() as u64,
        });
    }

    /// True if there are events for the application.
    pub(crate) const fn has_events(&self) -> bool {
        self.streams.has_events()
    }

    /// Removes the events for the application.
    pub(crate) fn take_events(&mut self) -> Vec<Event> {
        self.streams.take_events()
    }

    /// Polls for the next message of a stream, with the id to acknowledge it by; `None` when the
    /// stream has ended and is read to its end.
    pub(crate) fn poll_next(
        &mut self,
        key: usize,
        cx: &Context<'_>,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        let has_drained = self.has_drained();
        self.streams.poll_next(key, cx, has_drained)
    }

    /// Removes the next message of a stream if it is of QoS 0.
    pub(crate) fn pop_qos0(&mut self, key: usize) -> Option<ReceivedMessage> {
        let has_drained = self.has_drained();
        self.streams.pop_qos0(key, has_drained)
    }

    /// Removes the next message of a stream.
    pub(crate) fn pop(&mut self, key: usize) -> Option<(ReceivedMessage, Option<DeliveryId>)> {
        let has_drained = self.has_drained();
        self.streams.pop(key, has_drained)
    }

    /// True if a stream may get further messages.
    pub(crate) fn is_open(&self, key: usize) -> bool {
        self.streams
            .get(key)
            .is_some_and(|stream| stream.route.is_some())
    }

    /// Removes the messages of QoS 1 and 2 from all streams: the session goes on elsewhere, and
    /// the server sends them again.
    pub(crate) fn discard_unacknowledged(&mut self) {
        self.streams.discard_unacknowledged();
    }

    /// Sets the memory budget, and how much of it others take, in bytes.
    pub(crate) const fn set_budget(&mut self, budget: usize, used_by_others: usize) {
        (self.budget, self.used_by_others) = (budget, used_by_others);
    }

    /// True if a message of QoS 1 or 2 exceeds the memory budget. One always fits, unless there are
    /// unread replies: they were acknowledged before.
    pub(crate) fn exceeds_budget(&self, message: &ReceivedMessage, has_replies: bool) -> bool {
        let need_ack = self.streams.need_ack_len() + self.unmatched.need_ack_len();
        (need_ack > 0 || has_replies) && self.used() + message.charge() > self.budget
    }

    /// True if messages take no more than half of the memory budget.
    pub(crate) const fn has_drained(&self) -> bool {
        self.used() <= self.budget / 2
    }

    /// Bytes of the memory budget that are in use.
    const fn used(&self) -> usize {
        self.streams.charge() + self.used_by_others + self.unmatched.charge()
    }

    /// Bytes that messages of QoS 0 may still take: a quarter of the budget is left for QoS 1 and
    /// 2.
    const fn free_for_qos0(&self) -> usize {
        (self.budget - self.budget / 4).saturating_sub(self.used())
    }

    /// Messages of QoS 0 that one stream dropped because it was full.
    pub(crate) fn dropped(&self, key: usize) -> u64 {
        self.streams
            .get(key)
            .map_or(0, |stream| stream.dropped().count)
    }

    /// Messages of QoS 0 that full streams dropped.
    pub(crate) const fn stream_full(&self) -> Dropped {
        self.streams.stream_full()
    }

    /// Topic filter of a stream.
    pub(crate) fn filter(&self, key: usize) -> Option<&str> {
        let route = self.streams.get(key)?.route?;
        self.routes.filter(route)
    }

    /// Topic filter of the stream whose first message of QoS 1 or 2 is this one.
    pub(crate) fn filter_of_first(&self, id: DeliveryId) -> Option<&str> {
        self.filter(self.streams.key_of_first(id)?)
    }

    /// True if a full stream wants reading to pause ([`WhenFull::PauseReading`]).
    pub(crate) const fn pauses_reading(&self) -> bool {
        self.streams.pause_reading()
    }

    /// Copies small messages out of the large buffers that they were read into.
    pub(crate) fn detach_messages(&mut self) {
        self.streams.give_back_memory();
    }

    /// Releases memory that a burst has left.
    pub(crate) fn give_back_memory(&mut self) {
        self.streams.give_back_memory();
        self.routes.give_back_memory();
    }

    /// Moves the wakers of readers that have something to read into `wakers`.
    #[inline]
    pub(crate) fn take_wakers(&mut self, wakers: &mut Vec<Waker>) {
        move_wakers(self.streams.wakers_mut(), wakers);
    }
}
