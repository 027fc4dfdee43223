//! From a message to everybody who subscribed to its topic.

use core::ops::Bound;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{QoS, TopicFilter, TopicName};

use crate::fault::Fault;
use crate::overflow::WhenQueueFull;
use crate::server::hub::Hub;
use crate::server::hub::losses::LossReason;
use crate::server::hub::memory::Eviction;
use crate::server::limits::{MAX_FILTER_BYTES, MAX_SUBSCRIPTIONS_OF_ALL};
use crate::server::message::Message;
use crate::server::outgoing::Queued;
use crate::server::retained::RetainedFull;
use crate::server::session::{ConnectionId, DeliveryOptions, PushOutcome, Session, Subscription};
use crate::server::topics;

/// The clients that subscribed with one filter.
#[derive(Debug, Default)]
pub(super) struct Subscribers {
    /// The filter begins with `$share/`: each message is for one of the clients (§4.8.2).
    is_shared: bool,
    /// In order, so that one of many is found and removed without looking at the others.
    clients: BTreeSet<Arc<str>>,
    /// The client that had the last message of a shared filter; `None` before the first message.
    last: Option<Arc<str>>,
}

impl Subscribers {
    /// The clients of a shared filter in the order in which they are asked to take the next
    /// message: those behind the last one, then the others.
    fn in_turn(&self) -> impl Iterator<Item = &Arc<str>> {
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

/// Who wants one message: each client once for each of its subscriptions, and shares.
#[derive(Debug, Default)]
struct Matching {
    wanted: Vec<(Arc<str>, DeliveryOptions)>,
    shares: Vec<Arc<str>>,
}

/// Whether a subscription is new, or replaced one with the same filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SubscribeOutcome {
    New,
    Replaced,
    /// The session has as many as it may have.
    TooMany,
    /// The sandbox has as many as it can keep.
    NoRoom,
    /// The session isn't this connection's any more.
    Gone,
}

/// Why a message isn't taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PublishRefused {
    /// It is to be retained, and there is no space.
    #[error(transparent)]
    Retained(#[from] RetainedFull),
    /// A setting refuses what a subscriber's queue can't take.
    #[error("the queue of a subscriber is full")]
    SubscriberFull,
}

impl Hub {
    pub(crate) fn subscribe(
        &mut self,
        client_id: &Arc<str>,
        connection: ConnectionId,
        filter: TopicFilter<'_>,
        subscription: Subscription,
    ) -> SubscribeOutcome {
        let (most, weight) = (
            self.settings.rules().max_subscriptions,
            weight(filter.as_str()),
        );
        let Some(session) = self
            .sessions
            .get_mut(client_id)
            .filter(|session| session.is_of(connection))
        else {
            return SubscribeOutcome::Gone;
        };
        // [MQTT-3.8.4-3]
        if let Some(same) = session.subscriptions.get_mut(filter.as_str()) {
            *same = subscription;
            return SubscribeOutcome::Replaced;
        }
        if session.subscriptions.len() >= most {
            return SubscribeOutcome::TooMany;
        }
        let is_heavy = session.weight + weight > MAX_FILTER_BYTES_OF_ONE
            || self.filter_bytes + weight > MAX_FILTER_BYTES
            || self.subscription_count >= MAX_SUBSCRIPTIONS_OF_ALL;
        if is_heavy {
            return SubscribeOutcome::NoRoom;
        }
        let kept: Arc<str> = filter.as_str().into();
        session
            .subscriptions
            .insert(Arc::clone(&kept), subscription);
        session.weight += weight;
        self.filter_bytes += weight;
        self.subscription_count += 1;
        let subscribers = self.subscribers.entry(Arc::clone(&kept)).or_default();
        if subscribers.clients.is_empty() {
            subscribers.is_shared = filter.is_shared();
            self.index.insert(filter, kept);
        }
        subscribers.clients.insert(Arc::clone(client_id));
        SubscribeOutcome::New
    }

    /// Whether there was such a subscription. Filters are compared character by character.
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
        session.weight -= weight(filter.as_str());
        self.remove_filter(client_id, filter);
        true
    }

    pub(super) fn remove_subscriptions(&mut self, client_id: &Arc<str>, session: &Session) {
        for filter in session.subscriptions.keys() {
            if let Ok(filter) = TopicFilter::new(filter) {
                self.remove_filter(client_id, filter);
            }
        }
    }

    fn remove_filter(&mut self, client_id: &Arc<str>, filter: TopicFilter<'_>) {
        self.filter_bytes -= weight(filter.as_str());
        self.subscription_count -= 1;
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

    /// Keeps the message if it is to be retained, and queues it for everybody who is to have it;
    /// says for how many.
    pub(crate) fn publish(
        &mut self,
        message: &Arc<Message>,
        now: Instant,
    ) -> Result<usize, PublishRefused> {
        let topic = message.topic();
        if message.retain {
            // [MQTT-3.3.1-5] [MQTT-3.3.1-8]
            self.retained.keep(&topic, message, now)?;
        }
        let name = TopicName::new(&topic);
        match name {
            Ok(name) if !self.settings.faults.has(&Fault::NoDeliver) => {
                self.route(name, message, now)
            }
            _ => Ok(0),
        }
    }

    fn route(
        &mut self,
        topic: TopicName<'_>,
        message: &Arc<Message>,
        now: Instant,
    ) -> Result<usize, PublishRefused> {
        let Matching { mut wanted, shares } = self.matching(topic, message);
        wanted.sort_by(|(a, _), (b, _)| a.cmp(b));
        wanted.dedup_by(|(client_id, other), (first, merged)| {
            let is_same = client_id == first;
            if is_same {
                merged.merge(core::mem::take(other));
            }
            is_same
        });
        // One bound for all copies of the message: the copies themselves fill the memory.
        let max_bytes = self.memory.queue_limit();
        if self.settings.when_queue_full() == WhenQueueFull::Refuse {
            self.check_queues(&wanted, &shares, message, max_bytes)?;
        }
        let mut receivers = 0;
        for (client_id, wanted) in wanted {
            receivers += usize::from(self.queue(&client_id, message, wanted, None, max_bytes, now));
        }
        for share in shares {
            receivers += usize::from(self.queue_for_share(&share, message, max_bytes, now));
        }
        self.limit_messages(now);
        Ok(receivers)
    }

    /// Checks that every client that would have to acknowledge the message has space for all its
    /// copies: one for its own subscriptions, and one for each shared subscription that picks it.
    ///
    /// # Errors
    /// [`PublishRefused::SubscriberFull`] if a client has no space, or no client of a shared
    /// subscription has.
    fn check_queues(
        &self,
        wanted: &[(Arc<str>, DeliveryOptions)],
        shares: &[Arc<str>],
        message: &Message,
        max_bytes: usize,
    ) -> Result<(), PublishRefused> {
        let mut copies: HashMap<&str, usize> = HashMap::new();
        for (client_id, wanted) in wanted {
            let Some(session) = self.sessions.get(client_id) else {
                continue;
            };
            if session.outgoing.fits(message, 1, max_bytes) {
                copies.insert(client_id, 1);
            } else if message.qos.min(wanted.qos) > QoS::AtMostOnce {
                return Err(PublishRefused::SubscriberFull);
            }
        }

        // The same clients are picked here as when the copies are queued.
        for filter in shares {
            if let Some(picked) = self.next_share_member(filter, message, &copies, max_bytes) {
                *copies.entry(picked).or_default() += 1;
            } else if self.share_qos(filter, message) > QoS::AtMostOnce {
                return Err(PublishRefused::SubscriberFull);
            }
        }
        Ok(())
    }

    /// QoS of a message for the client of a shared subscription whose turn it is.
    fn share_qos(&self, filter: &Arc<str>, message: &Message) -> QoS {
        let first = self.share_member_in_turn(filter);
        let session = first.and_then(|client_id| self.sessions.get(client_id));
        session
            .and_then(|session| session.subscriptions.get(filter))
            .map_or(QoS::AtMostOnce, |subscription| {
                message.qos.min(subscription.options.qos)
            })
    }

    fn matching(&self, topic: TopicName<'_>, message: &Message) -> Matching {
        let Matching {
            mut wanted,
            mut shares,
        } = Matching::default();
        let rules = self.settings.rules();
        for filter in self.index.matches(&topic) {
            let reaches = TopicFilter::new(filter)
                .is_ok_and(|filter| topics::reaches(filter.without_share(), &topic, rules));
            let Some(subscribers) = self.subscribers.get(filter).filter(|_| reaches) else {
                continue;
            };
            if subscribers.is_shared {
                shares.push(Arc::clone(filter));
                continue;
            }
            for client_id in &subscribers.clients {
                let session = self.sessions.get(client_id);
                let subscription = session.and_then(|session| session.subscriptions.get(filter));
                // [MQTT-3.8.3-3]
                let is_own = |subscription: &&Subscription| {
                    subscription.options.no_local && message.publisher == *client_id
                };
                if let Some(subscription) =
                    subscription.filter(|subscription| !is_own(subscription))
                {
                    wanted.push((Arc::clone(client_id), DeliveryOptions::by(subscription)));
                }
            }
        }
        Matching { wanted, shares }
    }

    /// Queues a message for one client of a shared subscription; `false` if it is lost. Where
    /// nobody has space for it, the queue of the client whose turn it is overflows.
    pub(super) fn queue_for_share(
        &mut self,
        filter: &Arc<str>,
        message: &Arc<Message>,
        max_bytes: usize,
        now: Instant,
    ) -> bool {
        let picked = self
            .next_share_member(filter, message, &HashMap::new(), max_bytes)
            .or_else(|| self.share_member_in_turn(filter));
        let Some(picked) = picked.map(Arc::clone) else {
            return false;
        };
        if let Some(subscribers) = self.subscribers.get_mut(filter) {
            subscribers.last = Some(Arc::clone(&picked));
        }
        let session = self.sessions.get(&picked);
        // [MQTT-4.8.2-3]
        let wanted = session
            .and_then(|session| session.subscriptions.get(filter))
            .map(DeliveryOptions::by);
        wanted.is_some_and(|wanted| {
            self.queue(&picked, message, wanted, Some(filter), max_bytes, now)
        })
    }

    /// Next client of a shared subscription that has space for a message: one that is connected, or
    /// else one whose session keeps the message until it is back. `None` if there is none.
    ///
    /// `copies` are those that clients are to get besides, and that aren't queued yet.
    pub(super) fn next_share_member(
        &self,
        filter: &Arc<str>,
        message: &Message,
        copies: &HashMap<&str, usize>,
        max_bytes: usize,
    ) -> Option<&Arc<str>> {
        let subscribers = self.subscribers.get(filter)?;
        let takes = |member: &Arc<str>, is_away: bool| {
            let session = self
                .sessions
                .get(member)
                .filter(|session| session.is_away() == is_away);
            session.is_some_and(|session| {
                let wanted = session
                    .subscriptions
                    .get(filter)
                    .map(|wanted| wanted.options.qos);
                // [MQTT-3.8.4-8]: nothing of QoS 0 is kept for a client that isn't there.
                let is_kept =
                    !is_away || wanted.is_some_and(|qos| message.qos.min(qos) > QoS::AtMostOnce);
                let copies = copies.get(&**member).copied().unwrap_or_default();
                is_kept && session.outgoing.fits(message, copies + 1, max_bytes)
            })
        };
        let find = |is_away| subscribers.in_turn().find(|member| takes(member, is_away));
        find(false).or_else(|| find(true))
    }

    /// The client of a shared subscription whose turn it is: one that is connected, or else any.
    fn share_member_in_turn(&self, filter: &Arc<str>) -> Option<&Arc<str>> {
        let subscribers = self.subscribers.get(filter)?;
        let is_there = |member: &&Arc<str>| {
            self.sessions
                .get(*member)
                .is_some_and(|session| !session.is_away())
        };
        subscribers
            .in_turn()
            .find(is_there)
            .or_else(|| subscribers.in_turn().next())
    }

    /// Queues a message for one client; `false` if it isn't to have it, or its queue is full.
    fn queue(
        &mut self,
        client_id: &Arc<str>,
        message: &Arc<Message>,
        wanted: DeliveryOptions,
        share: Option<&Arc<str>>,
        max_bytes: usize,
        now: Instant,
    ) -> bool {
        let Some(session) = self.sessions.get_mut(client_id) else {
            return false;
        };
        match session.push(message, wanted, share, max_bytes) {
            PushOutcome::Queued => true,
            PushOutcome::NotKept => false,
            PushOutcome::Full(qos) => {
                self.overflow(client_id, message, qos, now);
                false
            }
        }
    }

    /// A message doesn't fit into the queue of a client: it is dropped, or the session ends.
    ///
    /// Where the publisher is to be refused, it was before; only a retained message, whose publisher
    /// is long gone, comes here, and ends the session.
    fn overflow(&mut self, client_id: &Arc<str>, message: &Message, qos: QoS, now: Instant) {
        let topic = message.topic().into();
        let drops = self.settings.when_queue_full() == WhenQueueFull::Drop;
        if qos == QoS::AtMostOnce || drops {
            return self.count_loss(client_id, topic, LossReason::QueueFull, now);
        }
        // Counted with the messages of the session that ends, so that the log has one line.
        let reason = LossReason::SessionOverflowed;
        self.count_loss(client_id, topic, reason, now);
        self.evict(client_id, Eviction::Overflow, reason, now);
    }

    /// Queues the retained messages of a subscription just made. [MQTT-3.3.1-9]
    ///
    /// Returns the number of retained messages that match and that the profile doesn't send to
    /// filters with wildcards.
    pub(crate) fn send_retained(
        &mut self,
        client_id: &Arc<str>,
        connection: ConnectionId,
        filter: TopicFilter<'_>,
        subscription: Subscription,
        now: Instant,
    ) -> usize {
        if self.settings.faults.has(&Fault::NoDeliver) || filter.is_shared() {
            return 0;
        }
        let (max_bytes, rules) = (self.memory.queue_limit(), self.settings.rules());
        let messages = self.retained.matching(filter, rules, now);
        if filter.has_wildcard() && !rules.retained_for_wildcards {
            return messages.len();
        }
        for message in messages {
            // The session is gone if a message before didn't fit.
            let Some(session) = self.session(client_id, connection) else {
                break;
            };
            let qos = message.qos.min(subscription.options.qos);
            let identifiers = subscription.identifier.into_iter().collect();
            let queued = Queued::new(&message, qos, true, identifiers);
            if !session.outgoing.push(queued, max_bytes) {
                self.overflow(client_id, &message, qos, now);
            }
        }
        0
    }
}

/// About what a filter takes: its bytes, and a level of the index for each of its levels.
fn weight(filter: &str) -> usize {
    filter.len() + (filter.matches('/').count() + 1) * LEVEL
}

const LEVEL: usize = 128;
const MAX_FILTER_BYTES_OF_ONE: usize = 256 * 1024;
