//! Session of one client, which may outlive its connection.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{PacketId, QoS, SubscriptionIdentifier, SubscriptionOptions};
use tokio::sync::Notify;

use crate::policy::Decision;
use crate::server::message::Message;
use crate::server::outgoing::{Outgoing, Queued};

/// Identifier that distinguishes a session from an earlier one of the same client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId(pub(super) u64);

/// Identifier that distinguishes a connection from an earlier one of the same client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(pub(super) u64);

/// Session of one client.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(super) client_state: ClientState,
    /// Subscriptions by their filters as sent, with `$share/<name>/`.
    pub(super) subscriptions: HashMap<Arc<str>, Subscription>,
    /// Bytes of the filters.
    pub(super) filter_bytes: usize,
    pub(crate) outgoing: Outgoing,
    /// Identifiers of the client's messages of QoS 2 without PUBREL: a second PUBLISH with one of
    /// them is a repetition.
    pub(crate) received: BTreeSet<PacketId>,
    /// Delayed will of the last connection; `None` without one.
    pub(super) will: Option<DelayedWill>,
}

/// Connection of a session, or the time since its end.
#[derive(Debug)]
pub(super) enum ClientState {
    Attached {
        connection: ConnectionId,
        /// Notified when the connection has something to do.
        wake: Arc<Notify>,
        /// The session ends with this connection: its Session Expiry Interval is 0 (§3.1.2.11.2).
        ends_with_connection: bool,
    },
    Away {
        since: Instant,
        /// End of the session; `None` for a session that never ends.
        ends_at: Option<Instant>,
    },
}

/// Options and identifier of a subscription; its filter is the key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscription {
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
}

/// Will that the policy has allowed, and the time of its publication.
#[derive(Debug)]
pub(crate) struct DelayedWill {
    pub(crate) at: Instant,
    pub(crate) message: Arc<Message>,
    pub(crate) decision: Decision,
}

/// Outcome of queueing a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushOutcome {
    Queued,
    /// Not queued: the message has QoS 0, and the client is away.
    NotKept,
    /// The queue is full; holds the QoS of the delivery.
    Full(QoS),
}

/// Options of the delivery of one message to one client, from all its matching subscriptions.
/// [MQTT-3.3.4-2]
#[derive(Debug, Default)]
pub(super) struct DeliveryOptions {
    pub(super) qos: QoS,
    pub(super) retain_as_published: bool,
    pub(super) identifiers: Vec<SubscriptionIdentifier>,
}

impl Session {
    pub(super) fn new(id: SessionId, client_state: ClientState) -> Self {
        Self {
            id,
            client_state,
            subscriptions: HashMap::new(),
            filter_bytes: 0,
            outgoing: Outgoing::new(),
            received: BTreeSet::new(),
            will: None,
        }
    }

    pub(super) fn is_of(&self, connection: ConnectionId) -> bool {
        matches!(self.client_state, ClientState::Attached { connection: own, .. } if own == connection)
    }

    pub(super) const fn connection(&self) -> Option<ConnectionId> {
        match self.client_state {
            ClientState::Attached { connection, .. } => Some(connection),
            ClientState::Away { .. } => None,
        }
    }

    pub(super) const fn is_away(&self) -> bool {
        matches!(self.client_state, ClientState::Away { .. })
    }

    /// `true` if the session ends with its connection.
    pub(super) const fn ends_with_connection(&self) -> bool {
        matches!(
            self.client_state,
            ClientState::Attached {
                ends_with_connection: true,
                ..
            }
        )
    }

    /// `true` if the client has been away for as long as the session may wait.
    pub(super) fn has_expired(&self, now: Instant) -> bool {
        matches!(self.client_state, ClientState::Away { ends_at: Some(ends_at), .. } if ends_at <= now)
    }

    pub(super) fn wake(&self) {
        if let ClientState::Attached { wake, .. } = &self.client_state {
            wake.notify_one();
        }
    }

    /// Next time at which the session ends or its will is published; `None` while the client is
    /// connected.
    pub(super) fn due(&self) -> Option<Instant> {
        let ClientState::Away { ends_at, .. } = self.client_state else {
            return None;
        };
        [ends_at, self.will.as_ref().map(|will| will.at)]
            .into_iter()
            .flatten()
            .min()
    }

    /// Queues a message that came by `share` or by ordinary filters. A message of QoS 0 isn't kept
    /// for a client that is away.
    pub(super) fn push(
        &mut self,
        message: &Arc<Message>,
        wanted: DeliveryOptions,
        share: Option<&Arc<str>>,
        max_bytes: usize,
    ) -> PushOutcome {
        // [MQTT-3.8.4-8]
        let qos = message.qos.min(wanted.qos);
        if qos == QoS::AtMostOnce && self.is_away() {
            return PushOutcome::NotKept;
        }
        // [MQTT-3.3.1-12] [MQTT-3.3.1-13]
        let retain = message.retain && wanted.retain_as_published;
        let share = share.map(Arc::clone);
        // The entry remembers the share: its policy check and a later move to another member need
        // it.
        let mut queued = Queued::new(message, qos, retain, wanted.identifiers.into());
        queued.share = share;
        if !self.outgoing.push(queued, max_bytes) {
            return PushOutcome::Full(qos);
        }
        // If more messages wait, the connection was woken before, or its client doesn't read: many
        // slow clients aren't woken for each message.
        if self.outgoing.has_only_one() {
            self.wake();
        }
        PushOutcome::Queued
    }
}

impl DeliveryOptions {
    /// Options of one subscription.
    pub(super) fn by(subscription: &Subscription) -> Self {
        Self {
            qos: subscription.options.qos,
            retain_as_published: subscription.options.retain_as_published,
            identifiers: subscription.identifier.into_iter().collect(),
        }
    }

    /// Joins the options of another subscription: the highest QoS and all identifiers.
    /// [MQTT-3.3.4-4]
    pub(super) fn merge(&mut self, other: Self) {
        self.qos = self.qos.max(other.qos);
        self.retain_as_published |= other.retain_as_published;
        // Two subscriptions may have the same identifier; it is sent once.
        for identifier in other.identifiers {
            if !self.identifiers.contains(&identifier) {
                self.identifiers.push(identifier);
            }
        }
    }
}
