//! Routing of a message to every client that subscribed to its topic.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{QoS, TopicFilter, TopicName};

use crate::fault::Fault;
use crate::overflow::WhenQueueFull;
use crate::server::hub::Hub;
use crate::server::hub::losses::LossReason;
use crate::server::hub::memory::Eviction;
use crate::server::message::Message;
use crate::server::outgoing::Queued;
use crate::server::request_refusal::RequestRefusal;
use crate::server::session::{ConnectionId, DeliveryOptions, PushOutcome, Subscription};
use crate::server::topics;

/// Subscriptions that match one message: each client once, with the options of all its ordinary
/// subscriptions, and the filters of the shared ones.
#[derive(Debug, Default)]
struct Matching {
    wanted: Vec<(Arc<str>, DeliveryOptions)>,
    shares: Vec<Arc<str>>,
}

impl Hub {
    /// Retains the message if it has the retain flag, and queues it for every client that subscribed
    /// to it; returns the number of these clients.
    ///
    /// # Errors
    /// [`RequestRefusal::RetainedFull`] if there is no space to retain it,
    /// [`RequestRefusal::SubscriberFull`] if a queue is full and the setting refuses the message.
    pub(crate) fn publish(
        &mut self,
        message: &Arc<Message>,
        now: Instant,
    ) -> Result<usize, RequestRefusal> {
        // Subscriptions that the message matches. The fault "no-deliver" acknowledges, and routes to
        // nobody.
        let topic = message.topic();
        let name = TopicName::new(&topic).ok();
        let name = name.filter(|_| !self.settings.faults.has(&Fault::NoDeliver));
        let matching = name.map_or_else(Matching::default, |name| self.matching(name, message));

        // A refusal comes before any change, so a refused message is neither retained nor queued.
        // One bound holds for all copies of the message: the copies themselves fill the memory.
        let max_bytes = self.memory.queue_limit();
        if self.settings.when_queue_full() == WhenQueueFull::Refuse {
            self.check_queues(&matching, message, max_bytes)?;
        }
        if message.retain {
            // [MQTT-3.3.1-5] [MQTT-3.3.1-8]
            self.retained.keep(&topic, message, now)?;
        }

        // The number of clients whose queue took the message.
        let mut receivers = 0;
        for (client_id, wanted) in matching.wanted {
            receivers += usize::from(self.queue(&client_id, message, wanted, None, max_bytes, now));
        }
        for share in matching.shares {
            receivers += usize::from(self.queue_for_share(&share, message, max_bytes, now));
        }
        self.limit_messages(now);
        Ok(receivers)
    }

    /// Checks that every client that would have to acknowledge the message has space for all its
    /// copies: one for its own subscriptions, and one for each shared subscription that picks it.
    ///
    /// # Errors
    /// [`RequestRefusal::SubscriberFull`] if a client has no space, or no client of a shared
    /// subscription has.
    fn check_queues(
        &self,
        matching: &Matching,
        message: &Message,
        max_bytes: usize,
    ) -> Result<(), RequestRefusal> {
        // Copies for ordinary subscriptions: one for each client.
        let mut copies: HashMap<&str, usize> = HashMap::new();
        for (client_id, wanted) in &matching.wanted {
            let Some(session) = self.sessions.get(client_id) else {
                continue;
            };
            if session.outgoing.fits(message, 1, max_bytes) {
                copies.insert(client_id, 1);
            } else if message.qos.min(wanted.qos) > QoS::AtMostOnce {
                // Only from QoS 1 on: a copy of QoS 0 may be lost.
                return Err(RequestRefusal::SubscriberFull);
            }
        }

        // The same clients are picked here as when the copies are queued.
        for filter in &matching.shares {
            if let Some(picked) = self.next_share_member(filter, message, &copies, max_bytes) {
                *copies.entry(picked).or_default() += 1;
            } else if self.share_qos(filter, message) > QoS::AtMostOnce {
                return Err(RequestRefusal::SubscriberFull);
            }
        }
        Ok(())
    }

    /// Looks for the subscriptions that a message matches.
    fn matching(&self, topic: TopicName<'_>, message: &Message) -> Matching {
        let Matching {
            mut wanted,
            mut shares,
        } = Matching::default();

        // The index matches as the standard has it; a profile may match less.
        let rules = self.settings.rules();
        for filter in self.index.matches(&topic) {
            let reaches = TopicFilter::new(filter)
                .is_ok_and(|filter| topics::reaches(filter.without_share(), &topic, rules));
            let Some(subscribers) = self.subscribers.get(filter).filter(|_| reaches) else {
                continue;
            };
            if subscribers.is_shared {
                // One of the clients is picked later, when all queues are known.
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

        // A client with several matching subscriptions gets one copy.
        wanted.sort_by(|(a, _), (b, _)| a.cmp(b));
        wanted.dedup_by(|(client_id, other), (first, merged)| {
            let is_same = client_id == first;
            if is_same {
                merged.merge(core::mem::take(other));
            }
            is_same
        });
        Matching { wanted, shares }
    }

    /// Queues a message for one client; returns `false` if its queue is full, or if the message isn't
    /// kept for a client that is away.
    pub(super) fn queue(
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

    /// Handles a message that doesn't fit into the queue of a client: drops it, or ends the session.
    ///
    /// With [`WhenQueueFull::Refuse`] the publisher was refused before; only a retained message for a
    /// new subscription, which has no publisher to refuse, comes here, and ends the session.
    fn overflow(&mut self, client_id: &Arc<str>, message: &Message, qos: QoS, now: Instant) {
        let topic = message.topic().into();
        // QoS 0 has no promise: it is dropped whatever the setting.
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
        // A shared subscription gets no retained messages (§4.8.2).
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
            // Sent because of a new subscription: RETAIN is 1 (§3.3.1.3).
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
