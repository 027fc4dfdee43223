//! Subscriptions of all sessions, and the index of their filters.

use core::ops::Bound;
use std::collections::hash_map::IntoKeys;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::TopicFilter;

use crate::server::hub::Hub;
use crate::server::limit::Limit;
use crate::server::limits::{MAX_FILTER_BYTES, MAX_SUBSCRIPTIONS_OF_ALL};
use crate::server::request_refusal::RequestRefusal;
use crate::server::session::{ConnectionId, Subscription};

/// Clients that subscribed with one filter.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    /// The filter begins with `$share/`: each message is for one of the clients (§4.8.2).
    pub(super) is_shared: bool,
    /// Clients in order, so that one of many is found and removed without a search. The session of
    /// a client may have ended a moment ago.
    pub(super) clients: BTreeSet<Arc<str>>,
    /// Client that got the last message of a shared filter; `None` before the first message.
    pub(super) last: Option<Arc<str>>,
}

impl Subscribers {
    /// Clients of a shared filter in the order in which the next message is offered to them: those
    /// after the last one, then the others.
    pub(super) fn in_turn(&self) -> impl Iterator<Item = &Arc<str>> {
        // The set is ordered, so two ranges make a circle that begins after the last client.
        let after = self
            .last
            .as_deref()
            .map_or(Bound::Unbounded, Bound::Excluded);
        let until = self
            .last
            .as_deref()
            .map_or(Bound::Excluded(""), Bound::Included);
        let behind = self.clients.range::<str, _>((after, Bound::Unbounded));
        behind.chain(self.clients.range::<str, _>((Bound::Unbounded, until)))
    }
}

/// Subscriptions of a session that has ended, whose filters are still in the index.
#[derive(Debug)]
pub(super) struct EndedSubscriptions {
    client_id: Arc<str>,
    /// Time at which the session ended.
    pub(super) since: Instant,
    /// Filters that are still to be removed.
    filters: IntoKeys<Arc<str>, Subscription>,
}

impl Hub {
    /// Makes a subscription, or replaces one with the same filter. [MQTT-3.8.4-3]
    ///
    /// Returns true if the session had none with this filter.
    ///
    /// # Errors
    /// [`Limit::Subscriptions`] if the session has as many as the profile allows,
    /// [`RequestRefusal::NoMemory`] if the filters use as much memory as they may,
    /// [`RequestRefusal::TakenOver`] if the session has ended or another connection has it.
    pub(crate) fn subscribe(
        &mut self,
        client_id: &Arc<str>,
        connection: ConnectionId,
        filter: TopicFilter<'_>,
        subscription: Subscription,
    ) -> Result<bool, RequestRefusal> {
        let most = self.settings.rules().max_subscriptions;
        let bytes = filter_cost(filter.as_str());
        let Some(session) = self
            .sessions
            .get_mut(client_id)
            .filter(|session| session.is_of(connection))
        else {
            return Err(RequestRefusal::TakenOver);
        };
        // [MQTT-3.8.4-3]
        if let Some(same) = session.subscriptions.get_mut(filter.as_str()) {
            *same = subscription;
            return Ok(false);
        }
        if session.subscriptions.len() >= most {
            return Err(Limit::Subscriptions(most).into());
        }
        // Bounds for one session, for all filters, and for their number.
        let is_too_much = session.filter_bytes + bytes > MAX_FILTER_BYTES_OF_ONE
            || self.filter_bytes + bytes > MAX_FILTER_BYTES
            || self.subscription_count >= MAX_SUBSCRIPTIONS_OF_ALL;
        if is_too_much {
            return Err(RequestRefusal::NoMemory);
        }

        // The session, the index and the list of subscribers share one copy of the filter.
        let kept: Arc<str> = filter.as_str().into();
        session
            .subscriptions
            .insert(Arc::clone(&kept), subscription);
        session.filter_bytes += bytes;
        self.filter_bytes += bytes;
        self.subscription_count += 1;
        let subscribers = self.subscribers.entry(Arc::clone(&kept)).or_default();
        // The first subscriber brings the filter into the index.
        if subscribers.clients.is_empty() {
            subscribers.is_shared = filter.is_shared();
            self.index.insert(filter, kept);
        }
        subscribers.clients.insert(Arc::clone(client_id));
        Ok(true)
    }

    /// Ends a subscription; returns `false` if there was none with these characters.
    /// [MQTT-3.10.4-1]
    pub(crate) fn unsubscribe(
        &mut self,
        client_id: &Arc<str>,
        connection: ConnectionId,
        filter: TopicFilter<'_>,
    ) -> bool {
        let session = self
            .sessions
            .get_mut(client_id)
            .filter(|session| session.is_of(connection));
        let Some(session) = session else { return false };
        if session.subscriptions.remove(filter.as_str()).is_none() {
            return false;
        }
        session.filter_bytes -= filter_cost(filter.as_str());
        self.remove_filter(client_id, filter);
        true
    }

    /// Ends the subscriptions of a session that has ended. Their filters are removed later, by
    /// [`Self::remove_ended_subscriptions`]: without a session none of them gets a message.
    pub(super) fn end_subscriptions(
        &mut self,
        client_id: &Arc<str>,
        subscriptions: HashMap<Arc<str>, Subscription>,
        now: Instant,
    ) {
        if subscriptions.is_empty() {
            return;
        }
        self.ended_subscriptions.push_back(EndedSubscriptions {
            client_id: Arc::clone(client_id),
            since: now,
            filters: subscriptions.into_keys(),
        });
    }

    /// Removes up to `most` filters of sessions that have ended.
    pub(super) fn remove_ended_subscriptions(&mut self, most: usize) {
        let mut removed = 0;
        while removed < most
            && let Some(ended) = self.ended_subscriptions.front_mut()
        {
            let client_id = Arc::clone(&ended.client_id);
            let Some(filter) = ended.filters.next() else {
                self.ended_subscriptions.pop_front();
                continue;
            };
            if let Ok(filter) = TopicFilter::new(&filter) {
                self.remove_filter(&client_id, filter);
            }
            removed += 1;
        }
    }

    fn remove_filter(&mut self, client_id: &Arc<str>, filter: TopicFilter<'_>) {
        self.filter_bytes -= filter_cost(filter.as_str());
        self.subscription_count -= 1;
        // A later session of the client may have subscribed with the same filter: the entry is its own.
        let session = self.sessions.get(client_id);
        if session.is_some_and(|session| session.subscriptions.contains_key(filter.as_str())) {
            return;
        }
        // The last subscriber takes the filter out of the index.
        let Some(subscribers) = self.subscribers.get_mut(filter.as_str()) else {
            return;
        };
        subscribers.clients.remove(client_id);
        if subscribers.clients.is_empty()
            && let Some((kept, _)) = self.subscribers.remove_entry(filter.as_str())
        {
            self.index.remove(filter, &kept);
        }
    }
}

/// Approximate memory of a filter in bytes: its text, of which the index has a copy, and a level of
/// the index for each of its levels.
fn filter_cost(filter: &str) -> usize {
    2 * filter.len() + (filter.matches('/').count() + 1) * LEVEL
}

/// Approximate bytes of a level of the index.
const LEVEL: usize = 128;
/// Maximum bytes of the filters of one session.
const MAX_FILTER_BYTES_OF_ONE: usize = 256 * 1024;
