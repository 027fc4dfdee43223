//! What all connections share: who is connected, who subscribed to what, and the retained messages.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{QoS, SubscriptionOptions, TopicFilter, TopicName};
use tokio::sync::Notify;

use crate::server::limits::{
    MAX_QUEUED_BYTES, MAX_QUEUED_BYTES_OF_ALL, MAX_SUBSCRIPTIONS, SURE_QUEUED_BYTES,
};
use crate::server::message::Message;
use crate::server::outgoing::{Outgoing, Queued};
use crate::server::retained::{Retained, RetainedFull};
use crate::server::topics;

/// The one thing behind the one lock of the server.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    sessions: HashMap<Arc<str>, Session>,
    retained: Retained,
    last_connection: u64,
}

/// Tells a connection from the one before it with the same client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionId(u64);

/// What the server keeps for one client. It ends with its connection: no session outlives one yet.
#[derive(Debug)]
pub(crate) struct Session {
    connection: ConnectionId,
    /// Told when there is something for its connection to do.
    wake: Arc<Notify>,
    subscriptions: Vec<Subscription>,
    pub(crate) outgoing: Outgoing,
}

#[derive(Debug)]
struct Subscription {
    filter: Box<str>,
    options: SubscriptionOptions,
}

/// Whether a subscription is new, or replaced one with the same filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Subscribed {
    New,
    Replaced,
    /// The connection has as many as it may have.
    TooMany,
}

impl Hub {
    /// A new connection of a client. An older one finds its session gone. [MQTT-3.1.4-3]
    pub(crate) fn attach(
        &mut self,
        client_id: &Arc<str>,
        receive_maximum: u16,
        wake: Arc<Notify>,
    ) -> ConnectionId {
        self.last_connection += 1;
        let connection = ConnectionId(self.last_connection);
        let outgoing = Outgoing::new(receive_maximum);
        let session = Session { connection, wake, subscriptions: Vec::new(), outgoing };
        if let Some(taken_over) = self.sessions.insert(Arc::clone(client_id), session) {
            taken_over.wake.notify_one();
        }
        connection
    }

    /// The session of this connection; `None` once another connection has taken the client id over.
    pub(crate) fn session(&mut self, client_id: &str, connection: ConnectionId) -> Option<&mut Session> {
        self.sessions.get_mut(client_id).filter(|session| session.connection == connection)
    }

    /// The connection is over, and its session with it.
    pub(crate) fn detach(&mut self, client_id: &str, connection: ConnectionId) {
        if self.session(client_id, connection).is_some() {
            self.sessions.remove(client_id);
        }
    }

    /// Queues a message for everybody who subscribed to its topic, once each; says for how many.
    pub(crate) fn route(&mut self, topic: TopicName<'_>, message: &Arc<Message>) -> usize {
        let room = self.room();
        let mut receivers = 0;
        for (client_id, session) in &mut self.sessions {
            let Some(queued) = session.wants(client_id, topic, message) else { continue };
            if session.outgoing.push(queued, room) {
                receivers += 1;
                session.wake.notify_one();
            }
        }
        receivers
    }

    /// How many bytes may wait for one subscriber. Less when many are far behind, and still enough for those who aren't.
    fn room(&self) -> usize {
        let waiting: usize = self.sessions.values().map(|session| session.outgoing.queued_bytes()).sum();
        if waiting < MAX_QUEUED_BYTES_OF_ALL { MAX_QUEUED_BYTES } else { SURE_QUEUED_BYTES }
    }

    /// Keeps a retained message.
    pub(crate) fn retain(
        &mut self,
        topic: TopicName<'_>,
        message: &Arc<Message>,
        now: Instant,
    ) -> Result<(), RetainedFull> {
        self.retained.keep(topic.as_str(), message, now)
    }

    /// Queues the retained messages of a subscription just made.
    pub(crate) fn send_retained(
        &mut self,
        client_id: &str,
        connection: ConnectionId,
        filter: TopicFilter<'_>,
        qos: QoS,
        now: Instant,
    ) {
        let room = self.room();
        let messages = self.retained.matching(filter, now);
        let Some(session) = self.session(client_id, connection) else { return };
        for message in messages {
            let qos = message.qos.min(qos);
            session.outgoing.push(Queued { message, qos, retain: true }, room);
        }
    }
}

impl Session {
    pub(crate) fn subscribe(&mut self, filter: TopicFilter<'_>, options: SubscriptionOptions) -> Subscribed {
        // [MQTT-3.8.4-3]
        if let Some(same) =
            self.subscriptions.iter_mut().find(|existing| &*existing.filter == filter.as_str())
        {
            same.options = options;
            return Subscribed::Replaced;
        }
        if self.subscriptions.len() >= MAX_SUBSCRIPTIONS {
            return Subscribed::TooMany;
        }
        self.subscriptions.push(Subscription { filter: filter.as_str().into(), options });
        Subscribed::New
    }

    pub(crate) fn unsubscribe(&mut self, filter: TopicFilter<'_>) {
        self.subscriptions.retain(|subscription| &*subscription.filter != filter.as_str());
    }

    /// The message as this client gets it, by the strongest of the subscriptions that match. [MQTT-3.3.4-2]
    fn wants(&self, client_id: &str, topic: TopicName<'_>, message: &Arc<Message>) -> Option<Queued> {
        let matching = self.subscriptions.iter().filter(|subscription| {
            let own = subscription.options.no_local && *message.publisher == *client_id;
            let filter = TopicFilter::new(&subscription.filter);
            !own && filter.is_ok_and(|filter| topics::matches(filter, &topic))
        });
        let strongest =
            matching.map(|subscription| subscription.options).reduce(|a, b| SubscriptionOptions {
                qos: a.qos.max(b.qos),
                retain_as_published: a.retain_as_published || b.retain_as_published,
                ..a
            })?;
        Some(Queued {
            message: Arc::clone(message),
            qos: message.qos.min(strongest.qos),
            retain: message.retain && strongest.retain_as_published,
        })
    }
}
