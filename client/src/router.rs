//! From received messages to the streams that want them: by subscription identifier, or by topic filter.

use std::collections::{BTreeMap, HashMap};
use std::task::{Context, Poll, Waker};

use dunlin_codec::{SubscriptionIdentifier, TopicFilter, TopicMatcher, TopicName};
use slab::Slab;

use crate::engine::{DeliveryId, Engine};
use crate::message::ReceivedMessage;
use crate::state::move_wakers;
use crate::stream::{Stream, StreamLimits};

/// All streams, and the ways to them.
///
/// A topic filter has one route, however many streams: to the server they are one subscription (§3.8.4), whose identifier
/// is that of its last SUBSCRIBE.
#[derive(Debug)]
pub(crate) struct Router {
    streams: Slab<Stream>,
    routes: Slab<Route>,
    by_filter: HashMap<Box<str>, usize>,
    by_identifier: BTreeMap<u32, usize>,
    matcher: TopicMatcher<usize>,
    identifiers: Identifiers,
    /// The stream of what no other stream wants.
    catch_all: Option<usize>,
    /// Streams that are full and must not be given more.
    holding_up: usize,
    unrouted: u64,
    ended: bool,
    wakers: Vec<Waker>,
    /// The streams of the message that is being routed; kept for its memory.
    found: Vec<usize>,
    last_match: LastMatch,
    routed: u64,
}

/// A topic filter that somebody listens to.
#[derive(Debug)]
struct Route {
    filter: Box<str>,
    identifier: SubscriptionIdentifier,
    streams: Vec<usize>,
    /// The last message that went this way: an identifier may be repeated in one (§3.3.4).
    last_routed: u64,
}

/// Where the last message went whose topic was matched: publishers repeat their topics. Forgotten when streams come or go.
#[derive(Debug, Default)]
struct LastMatch {
    /// No topic is empty.
    topic: Vec<u8>,
    streams: Vec<usize>,
}

/// Longer topics aren't remembered.
const LONGEST_REMEMBERED: usize = 256;

/// Which identifiers were given away. They rotate, so that what is still on its way to an old subscription never meets
/// a new one.
#[derive(Debug)]
struct Identifiers {
    first: u32,
    next: u32,
    issued: u32,
}

/// §3.8.2.1.2
pub(crate) const LAST_IDENTIFIER: u32 = 268_435_455;

impl Router {
    /// One that gives identifiers away from this one on; the server may know others from an earlier process.
    pub(crate) fn new(first_identifier: u32) -> Self {
        Self {
            streams: Slab::new(),
            routes: Slab::new(),
            by_filter: HashMap::new(),
            by_identifier: BTreeMap::new(),
            matcher: TopicMatcher::new(),
            identifiers: Identifiers { first: first_identifier, next: first_identifier, issued: 0 },
            catch_all: None,
            holding_up: 0,
            unrouted: 0,
            ended: false,
            wakers: Vec::new(),
            found: Vec::new(),
            last_match: LastMatch::default(),
            routed: 0,
        }
    }

    /// The identifier that a subscription to this filter has, or would have.
    pub(crate) fn identifier(&self, filter: &str) -> Option<SubscriptionIdentifier> {
        match self.by_filter.get(filter).and_then(|route| self.routes.get(*route)) {
            Some(route) => Some(route.identifier),
            None => self.identifiers.peek(&self.by_identifier),
        }
    }

    /// A stream of what `filter` matches; its key.
    pub(crate) fn open(&mut self, filter: TopicFilter<'_>, limits: StreamLimits) -> usize {
        let route = match self.by_filter.get(filter.as_str()) {
            Some(route) => Some(*route),
            None => self.open_route(filter),
        };
        let key = self.streams.insert(Stream::new(route, limits, self.ended));
        if let Some(route) = route.and_then(|route| self.routes.get_mut(route)) {
            route.streams.push(key);
            self.last_match.topic.clear();
        }
        key
    }

    /// The one stream of what no other stream wants; `None` if there is one already.
    pub(crate) fn open_catch_all(&mut self, limits: StreamLimits) -> Option<usize> {
        if self.catch_all.is_some() {
            return None;
        }
        self.catch_all = Some(self.streams.insert(Stream::new(None, limits, self.ended)));
        self.catch_all
    }

    /// Closes a stream: what waits in it counts as taken. Returns its filter if nobody listens to that any more.
    pub(crate) fn close(&mut self, key: usize, engine: &mut Engine) -> Option<String> {
        let last_of = self.leave(key);
        let stream = self.streams.try_remove(key)?;
        self.holding_up -= usize::from(stream.holds_up());
        if self.catch_all == Some(key) {
            self.catch_all = None;
        }
        stream.into_owed().for_each(|id| engine.take(id));
        last_of
    }

    /// Gives a message to every stream that wants it, once each.
    pub(crate) fn route(&mut self, message: ReceivedMessage, id: Option<DeliveryId>, engine: &mut Engine) {
        let mut found = std::mem::take(&mut self.found);
        self.find(&message, &mut found);
        if found.is_empty() {
            found.extend(self.catch_all);
        }
        if let (Some(id), 2..) = (id, found.len()) {
            engine.share(id, found.len());
        }
        match found.pop() {
            Some(last) => {
                found.drain(..).for_each(|key| self.push(key, message.clone(), id));
                self.push(last, message, id);
            }
            None => {
                self.unrouted += 1;
                // It is acknowledged all the same. [MQTT-4.5.0-2]
                if let Some(id) = id {
                    engine.take(id);
                }
            }
        }
        self.found = found;
    }

    /// The next message of a stream; with it, the name under which it is taken.
    pub(crate) fn poll_next(
        &mut self,
        key: usize,
        cx: &Context<'_>,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        let Some(stream) = self.streams.get_mut(key) else { return Poll::Ready(None) };
        let held_up = stream.holds_up();
        let next = stream.poll_next(cx);
        self.holding_up -= usize::from(held_up && !stream.holds_up());
        next
    }

    /// The next message of a stream, if one waits and no acknowledgement is owed for it.
    pub(crate) fn take_unowed(&mut self, key: usize) -> Option<ReceivedMessage> {
        let stream = self.streams.get_mut(key)?;
        let held_up = stream.holds_up();
        let message = stream.next_unowed()?;
        self.holding_up -= usize::from(held_up && !stream.holds_up());
        Some(message)
    }

    /// The next message of a stream, if one waits.
    pub(crate) fn take(&mut self, key: usize) -> Option<(ReceivedMessage, Option<DeliveryId>)> {
        self.streams.get_mut(key)?.pop()
    }

    /// Whether messages may still come to a stream.
    pub(crate) fn is_open(&self, key: usize) -> bool {
        self.streams.get(key).is_some_and(|stream| stream.route.is_some())
    }

    /// No more messages for streams of this filter; what waits in them can still be taken.
    pub(crate) fn end(&mut self, filter: &str) {
        let Some(route) = self.by_filter.get(filter).and_then(|route| self.routes.get(*route)) else {
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
        self.streams.iter_mut().for_each(|(_, stream)| stream.hand_back());
    }

    /// No more messages for anybody.
    pub(crate) fn end_all(&mut self) {
        self.ended = true;
        self.holding_up = 0;
        for (_, stream) in &mut self.streams {
            self.wakers.extend(stream.end());
        }
    }

    /// Messages of QoS 0 that a stream had no room for.
    pub(crate) fn dropped(&self, key: usize) -> u64 {
        self.streams.get(key).map_or(0, Stream::dropped)
    }

    /// Messages that no stream wanted.
    pub(crate) const fn unrouted(&self) -> u64 {
        self.unrouted
    }

    /// Whether a stream is full that mustn't be given more.
    pub(crate) const fn is_holding_up(&self) -> bool {
        self.holding_up > 0
    }

    /// Gives back memory that a burst has left.
    pub(crate) fn give_back_memory(&mut self) {
        self.streams.iter_mut().for_each(|(_, stream)| stream.give_back_memory());
        self.last_match = LastMatch::default();
    }

    pub(crate) fn take_wakers(&mut self, into: &mut Vec<Waker>) {
        move_wakers(&mut self.wakers, into);
    }

    fn push(&mut self, key: usize, message: ReceivedMessage, id: Option<DeliveryId>) {
        let Some(stream) = self.streams.get_mut(key) else { return };
        let held_up = stream.holds_up();
        self.wakers.extend(stream.push(message, id));
        self.holding_up += usize::from(!held_up && stream.holds_up());
    }

    /// The streams that a message is for: those that its identifiers name, or else those whose filters match. What is
    /// still on its way to a subscription that ended here is for nobody.
    fn find(&mut self, message: &ReceivedMessage, found: &mut Vec<usize>) {
        self.routed += 1;
        let mut is_ours = false;
        for identifier in message.subscription_identifiers() {
            is_ours |= self.identifiers.has_issued(identifier.get());
            let Some(route) = self.by_identifier.get(&identifier.get()) else { continue };
            let Some(route) = self.routes.get_mut(*route) else { continue };
            if route.last_routed != self.routed {
                route.last_routed = self.routed;
                found.extend_from_slice(&route.streams);
            }
        }
        if is_ours {
            return;
        }
        if self.last_match.topic == message.topic_bytes() {
            return found.extend_from_slice(&self.last_match.streams);
        }
        let Ok(topic) = TopicName::new(message.topic()) else { return };
        for route in self.matcher.matches(&topic).filter_map(|route| self.routes.get(*route)) {
            found.extend_from_slice(&route.streams);
        }
        self.last_match.remember(topic.as_bytes(), found);
    }

    fn open_route(&mut self, filter: TopicFilter<'_>) -> Option<usize> {
        let identifier = self.identifiers.issue(&self.by_identifier)?;
        let name: Box<str> = filter.as_str().into();
        let (streams, last_routed) = (Vec::new(), 0);
        let route = self.routes.insert(Route { filter: name.clone(), identifier, streams, last_routed });
        self.by_filter.insert(name, route);
        self.by_identifier.insert(identifier.get(), route);
        self.matcher.insert(filter, route);
        Some(route)
    }

    /// Takes a stream off its route, and the route away with the last one; the filter that nobody listens to any more.
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
        self.by_identifier.remove(&route.identifier.get());
        if let Ok(filter) = TopicFilter::new(&route.filter) {
            self.matcher.remove(filter, &at);
        }
        Some(route.filter.into())
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
        rotated.into_iter().find(|each| !used.contains_key(each)).and_then(SubscriptionIdentifier::new)
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

    #[test]
    fn identifiers_rotate_and_skip_those_in_use() {
        let mut identifiers =
            Identifiers { first: LAST_IDENTIFIER - 1, next: LAST_IDENTIFIER - 1, issued: 0 };
        let mut used = BTreeMap::new();
        used.insert(1, ());
        let issued: Vec<_> = (0..3).map(|_| identifiers.issue(&used).unwrap().get()).collect();
        assert_eq!(issued, [LAST_IDENTIFIER - 1, LAST_IDENTIFIER, 2]);
        assert!(identifiers.has_issued(LAST_IDENTIFIER) && identifiers.has_issued(2));
        assert!(!identifiers.has_issued(3) && !identifiers.has_issued(LAST_IDENTIFIER - 2));
    }
}
