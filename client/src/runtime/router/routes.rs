//! Topic filters of the open streams, and the search for those that a message is for.

use std::collections::BTreeMap;

use dunlin_codec::{SubscriptionIdentifier, TopicFilter, TopicMatcher, TopicName};
use slab::Slab;

use super::identifiers::Identifiers;
use crate::message::ReceivedMessage;

/// Longest topic that is remembered for the next message, in bytes.
const LONGEST_REMEMBERED: usize = 256;

/// All topic filters that have streams.
///
/// A topic filter has one route, however many streams: to the server they are one subscription
/// (§3.8.4), whose identifier is that of its last SUBSCRIBE.
#[derive(Debug)]
pub(super) struct Routes {
    routes: Slab<Route>,
    by_filter: BTreeMap<Box<str>, usize>,
    by_identifier: BTreeMap<u32, Owner>,
    matcher: TopicMatcher<usize>,
    identifiers: Identifiers,
    last_match: LastMatch,
    /// Number of the search, to find each stream once.
    search: u64,
}

/// One topic filter and its streams.
#[derive(Debug)]
struct Route {
    filter: Box<str>,
    identifier: SubscriptionIdentifier,
    /// Further identifiers of the subscription, each of which other subscriptions have as well.
    shared_identifiers: Vec<SubscriptionIdentifier>,
    streams: Vec<usize>,
    /// Last search that found this route: a message may repeat an identifier (§3.3.4).
    found_by: u64,
}

/// Routes of one subscription identifier.
#[derive(Debug)]
enum Owner {
    /// The identifier names one subscription.
    One(usize),
    /// The identifier was given to several subscriptions in one SUBSCRIBE: the topic tells which
    /// of them a message is for.
    Several(Vec<usize>),
}

/// Streams of the last message whose topic was matched: publishers repeat their topics. Cleared
/// when streams come or go.
#[derive(Debug, Default)]
struct LastMatch {
    /// Empty if nothing is remembered: no topic is empty.
    topic: Vec<u8>,
    streams: Vec<usize>,
}

impl Routes {
    /// No routes; identifiers are issued from this one on.
    pub(super) fn new(first_identifier: u32) -> Self {
        Self {
            routes: Slab::new(),
            by_filter: BTreeMap::new(),
            by_identifier: BTreeMap::new(),
            matcher: TopicMatcher::new(),
            identifiers: Identifiers::starting_at(first_identifier),
            last_match: LastMatch::default(),
            search: 0,
        }
    }

    /// Identifier for a SUBSCRIBE of these filters: the present one of a single filter that has
    /// streams, or else a new one. `None` if all are in use.
    pub(super) fn identifier_for(&self, filters: &[&str]) -> Option<SubscriptionIdentifier> {
        // One filter that has a stream already keeps its identifier: the server replaces its
        // subscription, and messages that are in transit still carry the old identifier.
        if let [filter] = filters
            && let Some(route) = self.by_filter.get(*filter)
            && let Some(route) = self.routes.get(*route)
        {
            return Some(route.identifier);
        }
        self.identifiers.peek(&self.by_identifier)
    }

    /// Issues the identifier that several filters of one SUBSCRIBE share.
    pub(super) fn issue_shared(&mut self) {
        let _: Option<SubscriptionIdentifier> = self.identifiers.issue(&self.by_identifier);
    }

    /// Gives these filters an identifier besides their own.
    pub(super) fn share_identifier<'a>(
        &mut self,
        identifier: SubscriptionIdentifier,
        filters: impl IntoIterator<Item = &'a str>,
    ) {
        for filter in filters {
            // A stream may have been closed since the SUBSCRIBE was built.
            let Some(at) = self.by_filter.get(filter).copied() else {
                continue;
            };
            let Some(route) = self.routes.get_mut(at) else {
                continue;
            };
            if route.identifier != identifier && !route.shared_identifiers.contains(&identifier) {
                route.shared_identifiers.push(identifier);
            }
            let owner = self
                .by_identifier
                .entry(identifier.get())
                .or_insert(Owner::Several(Vec::new()));
            owner.add(at);
        }
    }

    /// Removes all shared identifiers: the server has lost the session that had them.
    pub(super) fn forget_shared_identifiers(&mut self) {
        for (at, route) in &mut self.routes {
            for identifier in std::mem::take(&mut route.shared_identifiers) {
                remove_owner(&mut self.by_identifier, identifier, at);
            }
        }
    }

    /// Route of a filter, which is created if there is none. `None` if all identifiers are in use.
    pub(super) fn open(&mut self, filter: TopicFilter<'_>) -> Option<usize> {
        // All streams of a filter share one route, as they share one subscription at the server.
        if let Some(route) = self.by_filter.get(filter.as_str()) {
            return Some(*route);
        }
        let identifier = self.identifiers.issue(&self.by_identifier)?;
        let name: Box<str> = filter.as_str().into();
        let route = self.routes.insert(Route {
            filter: name.clone(),
            identifier,
            shared_identifiers: Vec::new(),
            streams: Vec::new(),
            found_by: 0,
        });
        self.by_filter.insert(name, route);
        self.by_identifier
            .insert(identifier.get(), Owner::One(route));
        self.matcher.insert(filter, route);
        Some(route)
    }

    /// Adds a stream to a route.
    pub(super) fn add_stream(&mut self, route: usize, stream: usize) {
        if let Some(route) = self.routes.get_mut(route) {
            route.streams.push(stream);
            // The remembered result doesn't have this stream.
            self.last_match.topic.clear();
        }
    }

    /// Removes a stream from a route. Returns the filter if it has no streams left; the route is
    /// then gone.
    pub(super) fn remove_stream(&mut self, at: usize, stream: usize) -> Option<String> {
        self.last_match.topic.clear();
        // Take the stream out; the route stays while another stream of the same filter is left.
        let route = self.routes.get_mut(at)?;
        route.streams.retain(|other| *other != stream);
        if !route.streams.is_empty() {
            return None;
        }
        // The last one: remove the route from each index.
        let route = self.routes.remove(at);
        self.by_filter.remove(&route.filter);
        for identifier in route.shared_identifiers.iter().chain([&route.identifier]) {
            remove_owner(&mut self.by_identifier, *identifier, at);
        }
        if let Ok(filter) = TopicFilter::new(&route.filter) {
            self.matcher.remove(filter, &at);
        }
        Some(route.filter.into())
    }

    /// Streams of a filter.
    pub(super) fn streams(&self, filter: &str) -> &[usize] {
        let route = self.by_filter.get(filter);
        let route = route.and_then(|route| self.routes.get(*route));
        route.map_or(&[], |route| &route.streams)
    }

    /// Topic filter of a route.
    pub(super) fn filter(&self, route: usize) -> Option<&str> {
        self.routes.get(route).map(|route| &*route.filter)
    }

    /// Adds the streams that a message is for to `found`: those that its identifiers name, or else
    /// those whose filters match.
    ///
    /// Returns whether this client issued one of the identifiers: then the message is for no other
    /// stream, even if that one has ended.
    pub(super) fn find(&mut self, message: &ReceivedMessage, found: &mut Vec<usize>) -> bool {
        // A new number marks the routes of this search, so that a message with several identifiers
        // of one route reaches its streams once.
        self.search += 1;

        // Identifiers that name one subscription need no look at the topic.
        let (mut is_ours, mut is_shared) = (false, false);
        for identifier in message.subscription_identifiers() {
            is_ours |= self.identifiers.has_issued(identifier.get());
            match self.by_identifier.get(&identifier.get()) {
                Some(Owner::One(route)) => {
                    add_streams(&mut self.routes, *route, self.search, found);
                }
                Some(Owner::Several(_)) => is_shared = true,
                None => {}
            }
        }
        // An identifier that several filters of one SUBSCRIBE share names all of them, so the topic
        // says which ones match.
        if is_shared {
            self.find_shared(message, found);
        }
        if is_ours {
            return true;
        }

        // Without an identifier of ours the topic decides; most messages repeat the last topic.
        if self.last_match.topic == message.topic_bytes() {
            found.extend_from_slice(&self.last_match.streams);
            return false;
        }
        let Ok(topic) = TopicName::new(message.topic()) else {
            return false;
        };
        // Overlapping subscriptions may all match one message; each of their streams gets it
        // (§3.3.4).
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

    /// Adds the streams whose filters match, of the subscriptions that share one of the message's
    /// identifiers.
    fn find_shared(&mut self, message: &ReceivedMessage, found: &mut Vec<usize>) {
        let Ok(topic) = TopicName::new(message.topic()) else {
            return;
        };
        for at in self.matcher.matches(&topic) {
            // Only routes that the server named count: another matching route gets a PUBLISH of its
            // own.
            let is_named = message
                .subscription_identifiers()
                .into_iter()
                .any(|identifier| {
                    let owner = self.by_identifier.get(&identifier.get());
                    owner.is_some_and(|owner| owner.contains(*at))
                });
            if is_named {
                add_streams(&mut self.routes, *at, self.search, found);
            }
        }
    }

    /// Releases the memory of the last search.
    pub(super) fn give_back_memory(&mut self) {
        self.last_match = LastMatch::default();
    }
}

/// Adds the streams of a route to `found`, unless this search has added them before.
fn add_streams(routes: &mut Slab<Route>, at: usize, search: u64, found: &mut Vec<usize>) {
    if let Some(route) = routes.get_mut(at)
        && route.found_by != search
    {
        route.found_by = search;
        found.extend_from_slice(&route.streams);
    }
}

impl Owner {
    fn contains(&self, route: usize) -> bool {
        match self {
            Self::One(one) => *one == route,
            Self::Several(routes) => routes.binary_search(&route).is_ok(),
        }
    }

    /// Adds a route. From then on the topic tells which of them a message is for, even if only one
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
                if let Err(index) = routes.binary_search(&route) {
                    routes.insert(index, route);
                }
            }
        }
    }
}

/// Takes an identifier from a route.
fn remove_owner(
    by_identifier: &mut BTreeMap<u32, Owner>,
    identifier: SubscriptionIdentifier,
    route: usize,
) {
    // An identifier without routes is free for a new stream.
    let is_last = match by_identifier.get_mut(&identifier.get()) {
        Some(Owner::Several(routes)) => {
            routes.retain(|each| *each != route);
            routes.is_empty()
        }
        Some(Owner::One(one)) => *one == route,
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
        // A longer topic isn't remembered, which bounds the memory that the copy takes.
        if topic.len() <= LONGEST_REMEMBERED {
            self.topic.extend_from_slice(topic);
            self.streams.extend_from_slice(streams);
        }
    }
}
