//! State that outlives a network connection (§4.1): unfinished requests, received messages that
//! were not released, and subscriptions.

use dunlin_codec::SubscriptionOptions;

use super::inbound::Inbound;
use super::outbound::Outbound;
use super::persistence::records::Records;
use super::statistics::Statistics;
use super::subscriptions::Subscriptions;
use crate::error::RequestError;

/// State that outlives a network connection (§4.1), as the client holds it.
///
/// An [`Engine`](super::Engine) owns one. [`Engine::into_session`](super::Engine::into_session)
/// takes it out, and [`Engine::with_session`](super::Engine::with_session) goes on with it:
/// unacknowledged requests with their packet identifiers, packet identifiers of received messages
/// of QoS 2, requests that wait to be sent, and subscriptions.
///
/// Identifiers of requests stay valid: an [`OperationId`](super::OperationId) belongs to the
/// session, and its outcome can be taken from whichever engine has that. Identifiers of received
/// messages don't: messages that weren't taken are delivered again by the server.
#[derive(Debug)]
pub struct Session {
    pub(super) outbound: Outbound,
    pub(super) inbound: Inbound,
    pub(super) subscriptions: Subscriptions,
    pub(super) identity: SessionIdentity,
    /// Identity as the store has it: `None` if no store is in use, `Some(None)` if the store has
    /// none yet. Boxed, because most clients have no store.
    pub(super) stored_identity: Option<Box<Option<SessionIdentity>>>,
    /// Changes of the application's own records, for the store.
    pub(super) records: Records,
    pub(super) unmeasured_expiries: usize,
}

/// Facts about the session that the next CONNECT and its CONNACK depend on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct SessionIdentity {
    /// Client identifier of the session, also one that the server assigned; `None` before the first
    /// connection.
    pub(super) client_id: Option<String>,
    /// `true` if a server may have state for the session. [MQTT-3.2.2-4]
    pub(super) is_established: bool,
    /// `true` if the last CONNECT was not answered: the server may have begun another session for
    /// it.
    pub(super) is_unanswered: bool,
    /// `true` if the next connection has to start clean.
    pub(super) is_given_up: bool,
}

impl Session {
    /// Creates a session that no server has state for. A server that claims to have some is
    /// disconnected. [MQTT-3.2.2-4]
    #[must_use]
    pub fn new() -> Self {
        Self {
            outbound: Outbound::new(),
            inbound: Inbound::default(),
            subscriptions: Subscriptions::default(),
            identity: SessionIdentity::default(),
            stored_identity: None,
            records: Records::default(),
            unmeasured_expiries: 0,
        }
    }

    /// Creates a session that claims to exist for its client identifier, and to be empty. A server
    /// that resumes its own session is believed. So a new process fetches what the server kept for
    /// it.
    ///
    /// Messages that an earlier process hadn't acknowledged are delivered again. Its unfinished
    /// requests are lost, and so are the packet identifiers of messages of QoS 2 that it had
    /// received: one of those may be delivered twice.
    #[must_use]
    pub fn assumed_empty() -> Self {
        let mut session = Self::new();
        session.identity.is_established = true;
        session
    }

    /// Client identifier of the session, also one that the server assigned; `None` before the first
    /// connection.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.identity.client_id.as_deref()
    }

    /// Number of requests that wait to be sent for the first time.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbound.queued()
    }

    /// Number of requests that a server may have and has not acknowledged.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.outbound.in_flight()
    }

    /// Topic filters and options of the subscriptions, in the order in which the server granted
    /// them.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&str, SubscriptionOptions)> {
        self.subscriptions
            .in_order()
            .into_iter()
            .map(|active| (active.filter.as_str(), active.options))
    }

    /// Returns `true` if nothing would be lost with the session: no request, no subscription, no
    /// received message of QoS 2.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.outbound.operations.load().0 == 0
            && self.subscriptions.is_empty()
            && self.inbound.is_empty()
    }

    /// Moves the session out. Those who wait for outcomes find `error` in what is left behind, and
    /// the requests go on without them.
    pub(super) fn detach(&mut self, error: &RequestError, statistics: &mut Statistics) -> Self {
        let mut moved = std::mem::take(self);
        let operations = moved.outbound.operations.detach(error, statistics);
        self.outbound.operations = std::mem::replace(&mut moved.outbound.operations, operations);
        moved
    }

    /// Prepares the session for a server that may have lost it once, in a CONNACK that was never
    /// received.
    pub(super) fn doubt(&mut self) {
        self.subscriptions.doubt();
        self.inbound.doubt();
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}
