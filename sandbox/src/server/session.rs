//! What the server keeps for one client, also while it is away.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{PacketId, QoS, SubscriptionIdentifier, SubscriptionOptions};
use tokio::sync::Notify;

use crate::policy::Decision;
use crate::server::message::Message;
use crate::server::outgoing::{Outgoing, Queued};

/// Tells a session from the one before it with the same client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SessionId(pub(super) u64);

/// Tells a connection from the one before it with the same client id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ConnectionId(pub(super) u64);

/// One session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    pub(super) client_state: ClientState,
    /// Each filter as it was sent, `$share/` and all.
    pub(super) subscriptions: HashMap<Arc<str>, Subscription>,
    /// What the filters weigh.
    pub(super) weight: usize,
    pub(crate) outgoing: Outgoing,
    /// Messages of QoS 2 that the client sent and hasn't released: a repetition is no other
    /// message.
    pub(crate) received: BTreeSet<PacketId>,
    /// The will of its last connection, while it is to wait.
    pub(super) will: Option<DelayedWill>,
}

/// Whether the client is there.
#[derive(Debug)]
pub(super) enum ClientState {
    Attached {
        connection: ConnectionId,
        /// Told when there is something for its connection to do.
        wake: Arc<Notify>,
        /// The session ends with this connection: its Session Expiry Interval is 0 (§3.1.2.11.2).
        ends_with_connection: bool,
    },
    Away {
        since: Instant,
        /// `None`: never.
        ends_at: Option<Instant>,
    },
}

/// A subscription, however its filter is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Subscription {
    pub(crate) options: SubscriptionOptions,
    pub(crate) identifier: Option<SubscriptionIdentifier>,
}

/// A will that the policy has allowed, and its time.
#[derive(Debug)]
pub(crate) struct DelayedWill {
    pub(crate) at: Instant,
    pub(crate) message: Arc<Message>,
    pub(crate) decision: Decision,
}

/// Whether a message was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PushOutcome {
    Queued,
    /// It is of QoS 0, and the client is away.
    NotKept,
    /// As many messages wait as may; the message would have been delivered with this QoS.
    Full(QoS),
}

/// What several subscriptions of one client make of one message. [MQTT-3.3.4-2]
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
            weight: 0,
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

    /// Whether the session ends as soon as its connection does.
    pub(super) const fn ends_with_connection(&self) -> bool {
        matches!(
            self.client_state,
            ClientState::Attached {
                ends_with_connection: true,
                ..
            }
        )
    }

    pub(super) fn wake(&self) {
        if let ClientState::Attached { wake, .. } = &self.client_state {
            wake.notify_one();
        }
    }

    /// When the hub has something to do for a session whose client is away.
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
        let mut queued = Queued::new(message, qos, retain, wanted.identifiers.into());
        queued.share = share;
        if !self.outgoing.push(queued, max_bytes) {
            return PushOutcome::Full(qos);
        }
        // Where more waits, its connection knows, or waits for its client: a crowd that doesn't
        // read isn't woken in vain.
        if self.outgoing.has_only_one() {
            self.wake();
        }
        PushOutcome::Queued
    }
}

impl DeliveryOptions {
    pub(super) fn by(subscription: &Subscription) -> Self {
        Self {
            qos: subscription.options.qos,
            retain_as_published: subscription.options.retain_as_published,
            identifiers: subscription.identifier.into_iter().collect(),
        }
    }

    /// One copy, with the strongest QoS and all identifiers. [MQTT-3.3.4-4]
    pub(super) fn merge(&mut self, other: Self) {
        self.qos = self.qos.max(other.qos);
        self.retain_as_published |= other.retain_as_published;
        for identifier in other.identifiers {
            if !self.identifiers.contains(&identifier) {
                self.identifiers.push(identifier);
            }
        }
    }
}
