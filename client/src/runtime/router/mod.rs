//! From received messages to the streams that want them: by subscription identifier, or by topic
//! filter.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::task::{Context, Poll, Waker};

use dunlin_codec::{SubscriptionIdentifier, TopicFilter, TopicMatcher, TopicName};
use slab::Slab;

use crate::engine::{DeliveryId, Dropped, Engine};
use crate::event::{DropCause, Event};
use crate::message::ReceivedMessage;
use crate::runtime::state::move_wakers;
use crate::runtime::stream::{Stream, StreamLimits};
use crate::runtime::unmatched_queue::UnmatchedQueue;

/// All streams, and the ways to them.
///
/// A topic filter has one route, however many streams: to the server they are one subscription
/// (§3.8.4), whose identifier is that of its last SUBSCRIBE.
#[derive(Debug)]
pub(crate) struct Router {
    streams: Slab<Stream>,
    routes: Slab<Route>,
    by_filter: HashMap<Box<str>, usize>,
    by_identifier: BTreeMap<u32, Routes>,
    matcher: TopicMatcher<usize>,
    identifiers: Identifiers,
    /// The stream of what no other stream wants.
    catch_all: Option<usize>,
    /// Streams that are full and must not be given more.
    holding_up: usize,
    memory: Memory,
    /// Messages of QoS 0 that full streams dropped.
    stream_full: Dropped,
    /// Messages of a resumed session that wait for a stream.
    unmatched: UnmatchedQueue,
    /// Whether the application wants no message that no stream matches.
    discards_unmatched: bool,
    /// Filters of the streams that were closed last: messages for them may still be on their way.
    closed: VecDeque<Box<str>>,
    /// What the application is to be told.
    events: Vec<Event>,
    ended: bool,
    wakers: Vec<Waker>,
    /// The streams of the message that is being routed; kept for its memory.
    found: Vec<usize>,
    last_match: LastMatch,
    routed: u64,
}

/// What the messages in all streams take of the client's memory budget.
#[derive(Debug, Default)]
struct Memory {
    /// In bytes.
    budget: usize,
    /// Bytes that others take of it: events, replies.
    others: usize,
    /// Bytes in all streams; a message in several streams counts in each.
    held: usize,
    /// Messages of QoS 1 and 2 in all streams.
    acknowledged: usize,
}

/// A topic filter that somebody listens to.
#[derive(Debug)]
struct Route {
    filter: Box<str>,
    identifier: SubscriptionIdentifier,
    /// Further identifiers that the subscription may have, each of which others have as well.
    shared_identifiers: Vec<SubscriptionIdentifier>,
    streams: Vec<usize>,
    /// The last message that went this way: an identifier may be repeated in one (§3.3.4).
    last_routed: u64,
}

/// The routes of one subscription identifier.
#[derive(Debug)]
enum Routes {
    /// It names one subscription.
    One(usize),
    /// It was given to several subscriptions in one SUBSCRIBE: the topic tells which of them a
    /// message is for.
    Several(Vec<usize>),
}

/// Where the last message went whose topic was matched: publishers repeat their topics. Forgotten
/// when streams come or go.
#[derive(Debug, Default)]
struct LastMatch {
    /// No topic is empty.
    topic: Vec<u8>,
    streams: Vec<usize>,
}

/// Longer topics aren't remembered.
const LONGEST_REMEMBERED: usize = 256;

/// Closed filters that are remembered.
const CLOSED: usize = 32;

/// Which identifiers were given away. They rotate, so that what is still on its way to an old
/// subscription never meets a new one.
#[derive(Debug)]
struct Identifiers {
    first: u32,
    next: u32,
    issued: u32,
}

/// §3.8.2.1.2
pub(crate) const LAST_IDENTIFIER: u32 = 268_435_455;

impl Router {
    /// One that gives identifiers away from this one on; the server may know others from an earlier
    /// process.
    pub(crate) fn new(first_identifier: u32) -> Self {
        Self {
            streams: Slab::new(),
            routes: Slab::new(),
            by_filter: HashMap::new(),
            by_identifier: BTreeMap::new(),
            matcher: TopicMatcher::new(),
            identifiers: Identifiers {
                first: first_identifier,
                next: first_identifier,
                issued: 0,
            },
            catch_all: None,
            holding_up: 0,
            memory: Memory::default(),
            stream_full: Dropped::default(),
            unmatched: UnmatchedQueue::default(),
            discards_unmatched: false,
            closed: VecDeque::new(),
            events: Vec::new(),
            ended: false,
            wakers: Vec::new(),
            found: Vec::new(),
            last_match: LastMatch::default(),
            routed: 0,
        }
    }

    /// The identifier that a subscription to this filter has, or would have.
    pub(crate) fn identifier(&self, filter: &str) -> Option<SubscriptionIdentifier> {
        match self
            .by_filter
            .get(filter)
            .and_then(|route| self.routes.get(*route))
        {
            Some(route) => Some(route.identifier),
            None => self.identifiers.peek(&self.by_identifier),
        }
    }

    /// The identifier for a SUBSCRIBE of these filters.
    pub(crate) fn identifier_of(&self, filters: &[&str]) -> Option<SubscriptionIdentifier> {
        match filters {
            [filter] => self.identifier(filter),
            _ => self.identifiers.peek(&self.by_identifier),
        }
    }

    /// These filters have this identifier besides their own, in one SUBSCRIBE.
    pub(crate) fn share_identifier<'a>(
        &mut self,
        identifier: SubscriptionIdentifier,
        filters: impl IntoIterator<Item = &'a str>,
    ) {
        for filter in filters {
            let Some(at) = self.by_filter.get(filter).copied() else {
                continue;
            };
            let Some(route) = self.routes.get_mut(at) else {
                continue;
            };
            if route.identifier != identifier && !route.shared_identifiers.contains(&identifier) {
                route.shared_identifiers.push(identifier);
            }
            let routes = self
                .by_identifier
                .entry(identifier.get())
                .or_insert(Routes::Several(Vec::new()));
            routes.add(at);
        }
    }

    /// A subscription identifier of several filters is taken.
    pub(crate) fn issue_shared(&mut self) {
        let _: Option<SubscriptionIdentifier> = self.identifiers.issue(&self.by_identifier);
    }

    /// The server has lost the session: no subscription has an identifier but its own.
    pub(crate) fn forget_shared_identifiers(&mut self) {
        for (at, route) in &mut self.routes {
            for identifier in std::mem::take(&mut route.shared_identifiers) {
                remove_route(&mut self.by_identifier, identifier, at);
            }
        }
    }

    /// Opens a stream for `filter`, which gets the matching messages that wait for one; its key.
    pub(crate) fn open(
        &mut self,
        filter: TopicFilter<'_>,
        limits: StreamLimits,
        engine: &mut Engine,
    ) -> usize {
        let route = match self.by_filter.get(filter.as_str()) {
            Some(route) => Some(*route),
            None => self.open_route(filter),
        };
        let key = self.streams.insert(Stream::new(route, limits, self.ended));
        if let Some(route) = route.and_then(|route| self.routes.get_mut(route)) {
            route.streams.push(key);
            self.last_match.topic.clear();
        }
        self.closed.retain(|closed| **closed != *filter.as_str());
        self.move_unmatched(Some(filter), key, engine);
        key
    }

    /// The server has granted the subscription of a stream.
    pub(crate) fn granted(&mut self, key: usize) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.is_granted = true;
        }
    }

    /// The one stream of what no other stream wants; `None` if there is one already.
    pub(crate) fn open_catch_all(
        &mut self,
        limits: StreamLimits,
        engine: &mut Engine,
    ) -> Option<usize> {
        if self.catch_all.is_some() {
            return None;
        }
        let key = self.streams.insert(Stream::new(None, limits, self.ended));
        self.catch_all = Some(key);
        self.granted(key);
        self.move_unmatched(None, key, engine);
        Some(key)
    }

    /// Acknowledges the messages that no stream matches, and all that follow.
    pub(crate) fn discard_unmatched(&mut self, engine: &mut Engine) {
        self.discards_unmatched = true;
        // One that was refused meanwhile stays until its event is handled.
        let discarded = self
            .unmatched
            .take(|each| each.id.is_none_or(|id| engine.match_unmatched(id)));
        for each in discarded {
            engine.dropped_messages().unmatched.add(each.message.len());
            if let Some(id) = each.id {
                engine.take(id);
            }
        }
    }

    /// A message that waited for a stream was refused.
    pub(crate) fn unmatched_refused(&mut self, id: DeliveryId, engine: &mut Engine) {
        if let Some(message) = self.unmatched.remove(id) {
            engine.dropped_messages().unmatched.add(message.len());
            self.report_dropped(&message, DropCause::Unmatched);
        }
    }

    /// Closes a stream: what waits in it counts as taken, unless the server never granted the
    /// subscription: then it waits for another stream. Returns its filter if nobody listens to
    /// that any more.
    pub(crate) fn close(&mut self, key: usize, engine: &mut Engine) -> Option<String> {
        let last_of = self.leave(key);
        let mut stream = self.streams.try_remove(key)?;
        self.memory.held -= stream.held();
        self.memory.acknowledged -= stream.acknowledged_len();
        self.holding_up -= usize::from(stream.holds_up());
        if self.catch_all == Some(key) {
            self.catch_all = None;
        }
        if !stream.is_granted {
            while let Some((message, id)) = stream.pop(true) {
                self.reroute(message, id, engine);
            }
        } else if let Some(filter) = &last_of {
            self.closed.push_back(filter.as_str().into());
            self.closed
                .drain(..self.closed.len().saturating_sub(CLOSED));
        }
        while let Some((message, id)) = stream.pop(true) {
            engine.dropped_messages().unconsumed.add(message.len());
            if let Some(id) = id {
                engine.take(id);
            }
        }
        last_of
    }

    /// Gives a message to every stream that wants it, once each.
    pub(crate) fn route(
        &mut self,
        message: ReceivedMessage,
        id: Option<DeliveryId>,
        engine: &mut Engine,
    ) {
        let mut found = std::mem::take(&mut self.found);
        let is_ours = self.find(&message, &mut found);
        if found.is_empty() {
            found.extend(self.catch_all);
        }
        if let (Some(id), 2..) = (id, found.len()) {
            engine.share(id, found.len());
        }
        match found.pop() {
            Some(last) => {
                found
                    .drain(..)
                    .for_each(|key| self.push(key, message.clone(), id));
                self.push(last, message, id);
            }
            None => self.keep_or_drop(message, id, is_ours, engine),
        }
        self.found = found;
    }

    /// A stream that was never granted gives a message back: it waits for another one, unless other
    /// streams have it as well.
    fn reroute(&mut self, message: ReceivedMessage, id: Option<DeliveryId>, engine: &mut Engine) {
        let mut found = std::mem::take(&mut self.found);
        let is_ours = self.find(&message, &mut found);
        let others_have_it = !found.is_empty();
        found.clear();
        self.found = found;
        match id {
            Some(id) if others_have_it => engine.take(id),
            None if others_have_it => {}
            id => self.keep_or_drop(message, id, is_ours, engine),
        }
    }

    /// No stream matches: the message waits for one in a resumed session, and is dropped otherwise.
    /// `is_ours` means that it was sent for a subscription of this client that has ended.
    fn keep_or_drop(
        &mut self,
        message: ReceivedMessage,
        id: Option<DeliveryId>,
        is_ours: bool,
        engine: &mut Engine,
    ) {
        let is_expected = is_ours || self.discards_unmatched || self.is_for_closed(&message);
        let until = if is_expected || self.ended {
            None
        } else {
            engine.unmatched_until()
        };
        let message = match (until, id) {
            (Some(_), Some(id)) if engine.keep_unmatched(id) => {
                return self.unmatched.push(message, id);
            }
            (Some(until), None) if engine.now().is_some_and(|now| now < until) => {
                self.expire_unmatched(engine);
                let free = self.free_at_most_once();
                match self.unmatched.push_at_most_once(message, until, free) {
                    Ok(()) => return,
                    Err(message) => message,
                }
            }
            _ => message,
        };
        engine.dropped_messages().unmatched.add(message.len());
        if !is_expected {
            self.report_dropped(&message, DropCause::Unmatched);
        }
        // It is acknowledged all the same. [MQTT-4.5.0-2]
        if let Some(id) = id {
            engine.take(id);
        }
    }

    /// Moves the messages that wait for a stream and match `filter`, or all of them, to a new
    /// stream.
    fn move_unmatched(&mut self, filter: Option<TopicFilter<'_>>, key: usize, engine: &mut Engine) {
        if self.unmatched.is_empty() {
            return;
        }
        self.expire_unmatched(engine);
        // One that was refused meanwhile stays until its event is handled.
        let matched = self.unmatched.take(|each| {
            let matches = match filter {
                Some(filter) => {
                    TopicName::new(each.message.topic()).is_ok_and(|topic| filter.matches(&topic))
                }
                None => true,
            };
            matches && each.id.is_none_or(|id| engine.match_unmatched(id))
        });
        matched
            .into_iter()
            .for_each(|each| self.push(key, each.message, each.id));
    }

    /// Drops messages of QoS 0 that have waited long enough.
    fn expire_unmatched(&mut self, engine: &mut Engine) {
        let Some(now) = engine.now() else { return };
        for message in self.unmatched.remove_expired(now) {
            engine.dropped_messages().unmatched.add(message.len());
            self.report_dropped(&message, DropCause::Unmatched);
        }
    }

    /// Whether a message without subscription identifiers matches a stream that was closed.
    fn is_for_closed(&self, message: &ReceivedMessage) -> bool {
        if self.closed.is_empty() || !message.subscription_identifiers().is_empty() {
            return false;
        }
        let Ok(topic) = TopicName::new(message.topic()) else {
            return false;
        };
        self.closed
            .iter()
            .any(|filter| TopicFilter::new(filter).is_ok_and(|filter| filter.matches(&topic)))
    }

    fn report_dropped(&mut self, message: &ReceivedMessage, cause: DropCause) {
        let (topic, bytes) = (message.topic().to_owned(), message.len() as u64);
        self.report(Event::MessageDropped {
            topic,
            cause,
            count: 1,
            bytes,
        });
    }

    fn report(&mut self, event: Event) {
        if !self
            .events
            .last_mut()
            .is_some_and(|last| last.merge(&event))
        {
            self.events.push(event);
        }
    }

    /// Whether there is something that the application is to be told.
    pub(crate) const fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Moves what the application is to be told into `into`.
    pub(crate) fn take_events(&mut self, into: &mut Vec<Event>) {
        // Taken whole, so that no memory for events stays here.
        into.extend(std::mem::take(&mut self.events));
    }

    /// The next message of a stream; with it, the name under which it is taken.
    pub(crate) fn poll_next(
        &mut self,
        key: usize,
        cx: &Context<'_>,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        let has_drained = self.has_drained();
        self.with_stream(key, |stream| stream.poll_next(cx, has_drained))
            .unwrap_or(Poll::Ready(None))
    }

    /// The next message of a stream, if one waits and no acknowledgement is owed for it.
    pub(crate) fn take_unowed(&mut self, key: usize) -> Option<ReceivedMessage> {
        let has_drained = self.has_drained();
        self.with_stream(key, |stream| stream.next_unowed(has_drained))?
    }

    /// The next message of a stream, if one waits.
    pub(crate) fn take(&mut self, key: usize) -> Option<(ReceivedMessage, Option<DeliveryId>)> {
        let has_drained = self.has_drained();
        self.with_stream(key, |stream| stream.pop(has_drained))?
    }

    /// Whether messages may still come to a stream.
    pub(crate) fn is_open(&self, key: usize) -> bool {
        self.streams
            .get(key)
            .is_some_and(|stream| stream.route.is_some())
    }

    /// No more messages for streams of this filter; what waits in them can still be taken.
    pub(crate) fn end(&mut self, filter: &str) {
        let Some(route) = self
            .by_filter
            .get(filter)
            .and_then(|route| self.routes.get(*route))
        else {
            return;
        };
        for key in route.streams.clone() {
            self.end_stream(key);
        }
    }

    /// No more messages for one stream.
    pub(crate) fn end_stream(&mut self, key: usize) {
        self.leave(key);
        if let Some(stream) = self.streams.get_mut(key) {
            self.holding_up -= usize::from(stream.holds_up());
            self.wakers.extend(stream.end());
        }
    }

    /// The session moves on: what waits to be acknowledged comes again, to whoever has it then.
    pub(crate) fn hand_back(&mut self) {
        self.streams
            .iter_mut()
            .for_each(|(_, stream)| stream.hand_back());
        self.memory.held = self.streams.iter().map(|(_, stream)| stream.held()).sum();
        self.memory.acknowledged = 0;
    }

    /// Sets the memory budget in bytes, and how much of it others take.
    pub(crate) const fn set_budget(&mut self, budget: usize, others: usize) {
        (self.memory.budget, self.memory.others) = (budget, others);
    }

    /// Whether a message of QoS 1 or 2 exceeds the memory budget. One always fits, unless there are
    /// replies that nobody has taken yet: they are acknowledged before.
    pub(crate) fn exceeds_budget(&self, message: &ReceivedMessage, has_replies: bool) -> bool {
        let acknowledged = self.memory.acknowledged + self.unmatched.acknowledged_len();
        (acknowledged > 0 || has_replies) && self.taken() + message.charge() > self.memory.budget
    }

    /// Whether messages take no more than half of the memory budget.
    pub(crate) const fn has_drained(&self) -> bool {
        self.taken() <= self.memory.budget / 2
    }

    /// Bytes of the memory budget that are in use.
    const fn taken(&self) -> usize {
        self.memory.held + self.memory.others + self.unmatched.held()
    }

    /// Bytes that messages of QoS 0 may still take: a quarter of the budget is left for QoS 1 and
    /// 2.
    const fn free_at_most_once(&self) -> usize {
        (self.memory.budget - self.memory.budget / 4).saturating_sub(self.taken())
    }

    /// No more messages for anybody.
    pub(crate) fn end_all(&mut self) {
        self.ended = true;
        self.holding_up = 0;
        // The server repeats what wasn't acknowledged.
        self.unmatched = UnmatchedQueue::default();
        for (_, stream) in &mut self.streams {
            self.wakers.extend(stream.end());
        }
    }

    /// Messages of QoS 0 that a stream had no room for.
    pub(crate) fn dropped(&self, key: usize) -> u64 {
        self.streams.get(key).map_or(0, Stream::dropped)
    }

    /// Topic filter of a stream.
    pub(crate) fn filter(&self, key: usize) -> Option<&str> {
        let route = self.streams.get(key)?.route?;
        self.routes.get(route).map(|route| &*route.filter)
    }

    /// Topic filter of a stream whose first message of QoS 1 or 2 is this one.
    pub(crate) fn filter_of_waiting(&self, id: DeliveryId) -> Option<String> {
        let (key, _) = self
            .streams
            .iter()
            .find(|(_, stream)| stream.first_acknowledged() == Some(id))?;
        self.filter(key).map(str::to_owned)
    }

    /// Messages of QoS 0 that full streams dropped.
    pub(crate) const fn stream_full(&self) -> Dropped {
        self.stream_full
    }

    /// Whether a stream is full that mustn't be given more.
    pub(crate) const fn is_holding_up(&self) -> bool {
        self.holding_up > 0
    }

    /// Gives back memory that a burst has left.
    pub(crate) fn give_back_memory(&mut self) {
        self.streams
            .iter_mut()
            .for_each(|(_, stream)| stream.give_back_memory());
        self.last_match = LastMatch::default();
    }

    pub(crate) fn take_wakers(&mut self, into: &mut Vec<Waker>) {
        move_wakers(&mut self.wakers, into);
    }

    fn push(&mut self, key: usize, message: ReceivedMessage, id: Option<DeliveryId>) {
        let free = self.free_at_most_once();
        let waker = self
            .with_stream(key, |stream| stream.push(message, id, free))
            .flatten();
        self.wakers.extend(waker);
    }

    /// Does something with a stream, and adds up what it changes.
    fn with_stream<T>(&mut self, key: usize, act: impl FnOnce(&mut Stream) -> T) -> Option<T> {
        let stream = self.streams.get_mut(key)?;
        let (held_up, held, acknowledged) =
            (stream.holds_up(), stream.held(), stream.acknowledged_len());
        let dropped = stream.dropped_total();
        let result = act(stream);
        self.holding_up = self.holding_up + usize::from(stream.holds_up()) - usize::from(held_up);
        self.memory.held = self.memory.held + stream.held() - held;
        self.memory.acknowledged =
            self.memory.acknowledged + stream.acknowledged_len() - acknowledged;
        let count = stream.dropped() - dropped.count;
        if count > 0 {
            let bytes = stream.dropped_total().bytes - dropped.bytes;
            self.stream_full.count += count;
            self.stream_full.bytes += bytes;
            let topic = stream.take_dropped_topic().unwrap_or_default().into();
            self.report(Event::MessageDropped {
                topic,
                cause: DropCause::StreamFull,
                count,
                bytes,
            });
        }
        Some(result)
    }

    /// Lets small messages go of the large buffers that they were read into.
    pub(crate) fn detach_messages(&mut self) {
        self.streams
            .iter_mut()
            .for_each(|(_, stream)| stream.give_back_memory());
    }

    /// The streams that a message is for: those that its identifiers name, or else those whose
    /// filters match. Returns whether this client issued one of the identifiers: then the
    /// message is for no other stream, also if that one has ended.
    fn find(&mut self, message: &ReceivedMessage, found: &mut Vec<usize>) -> bool {
        self.routed += 1;
        let (mut is_ours, mut is_shared) = (false, false);
        for identifier in message.subscription_identifiers() {
            is_ours |= self.identifiers.has_issued(identifier.get());
            let route = match self.by_identifier.get(&identifier.get()) {
                Some(Routes::One(route)) => *route,
                Some(Routes::Several(_)) => {
                    is_shared = true;
                    continue;
                }
                None => continue,
            };
            let Some(route) = self.routes.get_mut(route) else {
                continue;
            };
            if route.last_routed != self.routed {
                route.last_routed = self.routed;
                found.extend_from_slice(&route.streams);
            }
        }
        if is_shared {
            self.find_shared(message, found);
        }
        if is_ours {
            return true;
        }
        if self.last_match.topic == message.topic_bytes() {
            found.extend_from_slice(&self.last_match.streams);
            return false;
        }
        let Ok(topic) = TopicName::new(message.topic()) else {
            return false;
        };
        for route in self
            .matcher
            .matches(&topic)
            .filter_map(|route| self.routes.get(*route))
        {
            found.extend_from_slice(&route.streams);
        }
        self.last_match.remember(topic.as_bytes(), found);
        false
    }

    /// The streams of those among several subscriptions of one identifier whose filters match.
    fn find_shared(&mut self, message: &ReceivedMessage, found: &mut Vec<usize>) {
        let Ok(topic) = TopicName::new(message.topic()) else {
            return;
        };
        for at in self.matcher.matches(&topic) {
            let is_named = message
                .subscription_identifiers()
                .into_iter()
                .any(|identifier| {
                    let routes = self.by_identifier.get(&identifier.get());
                    routes.is_some_and(|routes| routes.contains(*at))
                });
            let Some(route) = self.routes.get_mut(*at).filter(|_| is_named) else {
                continue;
            };
            if route.last_routed != self.routed {
                route.last_routed = self.routed;
                found.extend_from_slice(&route.streams);
            }
        }
    }

    fn open_route(&mut self, filter: TopicFilter<'_>) -> Option<usize> {
        let identifier = self.identifiers.issue(&self.by_identifier)?;
        let name: Box<str> = filter.as_str().into();
        let route = Route {
            filter: name.clone(),
            identifier,
            shared_identifiers: Vec::new(),
            streams: Vec::new(),
            last_routed: 0,
        };
        let route = self.routes.insert(route);
        self.by_filter.insert(name, route);
        self.by_identifier
            .insert(identifier.get(), Routes::One(route));
        self.matcher.insert(filter, route);
        Some(route)
    }

    /// Takes a stream off its route, and the route away with the last one; the filter that nobody
    /// listens to any more.
    fn leave(&mut self, key: usize) -> Option<String> {
        let at = self.streams.get_mut(key)?.route.take()?;
        self.last_match.topic.clear();
        let route = self.routes.get_mut(at)?;
        route.streams.retain(|other| *other != key);
        if !route.streams.is_empty() {
            return None;
        }
        let route = self.routes.remove(at);
        self.by_filter.remove(&route.filter);
        for identifier in route.shared_identifiers.iter().chain([&route.identifier]) {
            remove_route(&mut self.by_identifier, *identifier, at);
        }
        if let Ok(filter) = TopicFilter::new(&route.filter) {
            self.matcher.remove(filter, &at);
        }
        Some(route.filter.into())
    }
}

impl Routes {
    fn contains(&self, route: usize) -> bool {
        match self {
            Self::One(one) => *one == route,
            Self::Several(routes) => routes.binary_search(&route).is_ok(),
        }
    }

    /// Adds a route. From then on the topic tells which of them a message is for, also when but one
    /// is left.
    fn add(&mut self, route: usize) {
        match self {
            Self::One(one) => {
                let mut routes = vec![*one];
                routes.extend((*one != route).then_some(route));
                routes.sort_unstable();
                *self = Self::Several(routes);
            }
            Self::Several(routes) => {
                if let Err(place) = routes.binary_search(&route) {
                    routes.insert(place, route);
                }
            }
        }
    }
}

/// A route doesn't have this identifier any more.
fn remove_route(
    by_identifier: &mut BTreeMap<u32, Routes>,
    identifier: SubscriptionIdentifier,
    route: usize,
) {
    let is_last = match by_identifier.get_mut(&identifier.get()) {
        Some(Routes::Several(routes)) => {
            routes.retain(|each| *each != route);
            routes.is_empty()
        }
        Some(Routes::One(one)) => *one == route,
        None => false,
    };
    if is_last {
        by_identifier.remove(&identifier.get());
    }
}

impl LastMatch {
    fn remember(&mut self, topic: &[u8], streams: &[usize]) {
        self.topic.clear();
        self.streams.clear();
        if topic.len() <= LONGEST_REMEMBERED {
            self.topic.extend_from_slice(topic);
            self.streams.extend_from_slice(streams);
        }
    }
}

impl Identifiers {
    /// The next one that isn't in use.
    fn peek<T>(&self, used: &BTreeMap<u32, T>) -> Option<SubscriptionIdentifier> {
        let rotated = (self.next..=LAST_IDENTIFIER).chain(1..self.next);
        rotated
            .into_iter()
            .find(|each| !used.contains_key(each))
            .and_then(SubscriptionIdentifier::new)
    }

    fn issue<T>(&mut self, used: &BTreeMap<u32, T>) -> Option<SubscriptionIdentifier> {
        let identifier = self.peek(used)?;
        let skipped = (identifier.get() + LAST_IDENTIFIER - self.next) % LAST_IDENTIFIER;
        self.issued = self.issued.saturating_add(skipped + 1).min(LAST_IDENTIFIER);
        self.next = identifier.get() % LAST_IDENTIFIER + 1;
        Some(identifier)
    }

    fn has_issued(&self, identifier: u32) -> bool {
        (identifier + LAST_IDENTIFIER - self.first) % LAST_IDENTIFIER < self.issued
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineEvent;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "an instant to count from")]
    fn a_message_that_was_refused_is_reported_though_the_others_are_discarded_then() {
        let (mut router, mut now) = (Router::new(1), std::time::Instant::now());
        let mut options = crate::ConnectOptions::new("lamp");
        options.clean_start = crate::CleanStart::Never;
        let mut engine = Engine::new(options);
        engine.open(now).unwrap();
        let input = b"\x20\x03\x01\x00\x00\x32\x07\x00\x01a\x00\x01\x00x";
        engine.handle_input(&mut bytes::BytesMut::from(&input[..]), now);
        while let Some(event) = engine.poll_event() {
            if let EngineEvent::Message(message, id) = event {
                router.route(message, id, &mut engine);
            }
        }
        now += engine.options().unmatched_wait;
        engine.handle_timeout(now);
        router.discard_unmatched(&mut engine);
        let Some(EngineEvent::UnmatchedRefused(id)) = engine.poll_event() else {
            panic!()
        };
        router.unmatched_refused(id, &mut engine);
        let mut events = Vec::new();
        router.take_events(&mut events);
        let [
            Event::MessageDropped {
                topic,
                cause: DropCause::Unmatched,
                count: 1,
                ..
            },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(
            (topic.as_str(), engine.dropped_messages().unmatched.count),
            ("a", 1)
        );
    }

    #[test]
    fn identifiers_rotate_and_skip_those_in_use() {
        let mut identifiers = Identifiers {
            first: LAST_IDENTIFIER - 1,
            next: LAST_IDENTIFIER - 1,
            issued: 0,
        };
        let mut used = BTreeMap::new();
        used.insert(1, ());
        let issued: Vec<_> = (0..3)
            .map(|_| identifiers.issue(&used).unwrap().get())
            .collect();
        assert_eq!(issued, [LAST_IDENTIFIER - 1, LAST_IDENTIFIER, 2]);
        assert!(identifiers.has_issued(LAST_IDENTIFIER) && identifiers.has_issued(2));
        assert!(!identifiers.has_issued(3) && !identifiers.has_issued(LAST_IDENTIFIER - 2));
    }
}
