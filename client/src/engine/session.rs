//! What outlives a network connection (§4.1): unfinished requests, their identifiers, what waits to
//! be sent, and what was received but not released.

use std::collections::VecDeque;

use dunlin_codec::SubscriptionOptions;

use crate::engine::inbound::Inbound;
use crate::engine::outbound::ack_deadlines::AckDeadlines;
use crate::engine::outbound::expiry::Expiries;
use crate::engine::outbound::operation::{Operation, OperationId, Phase};
use crate::engine::outbound::operations::Operations;
use crate::engine::outbound::packet_ids::PacketIds;
use crate::engine::outbound::queue::Queue;
use crate::engine::persistence::changes::{About, Records};
use crate::engine::subscriptions::granted::Subscriptions;
use crate::error::RequestError;

/// What outlives a network connection (§4.1), as the client holds it.
///
/// An [`Engine`](super::Engine) owns one. [`Engine::into_session`](super::Engine::into_session)
/// takes it out, and [`Engine::with_session`](super::Engine::with_session) goes on with it:
/// requests that weren't acknowledged, their packet identifiers, those of received messages of QoS
/// 2, what waits to be sent, and the subscriptions.
///
/// Names of requests stay good: an [`OperationId`] belongs to the session, and its outcome can be
/// taken from whichever engine has that. Names of received messages don't: what wasn't taken is
/// delivered again by the server.
#[derive(Debug)]
pub struct Session {
    pub(super) operations: Operations,
    pub(super) ids: PacketIds,
    /// Requests that are on no wire yet; while connected, messages behind the server's Receive
    /// Maximum.
    pub(super) queue: Queue,
    /// Messages to be repeated, behind the server's Receive Maximum; they go before anything in
    /// `queue`.
    pub(super) resend: VecDeque<OperationId>,
    pub(super) expiries: Expiries,
    /// When requests on the wire time out.
    pub(super) ack_deadlines: AckDeadlines,
    /// When requests time out that have a time from acceptance on; some of them are over by now.
    pub(super) request_deadlines: Expiries,
    pub(super) inbound: Inbound,
    /// What the server granted, to be asked for again when it has forgotten.
    pub(super) subscriptions: Subscriptions,
    /// The client identifier that it was established under, the server's choice included.
    pub(super) client_id: Option<String>,
    /// Whether a server may have state for it: [MQTT-3.2.2-4] hangs on it.
    pub(super) established: bool,
    /// Whether the last CONNECT was never answered: the server may have begun another session for
    /// it.
    pub(super) unanswered: bool,
    /// Whether some request was on the wire when a server closed the connection, and may be why.
    pub(super) has_suspects: bool,
    /// Whether the next connection has to start clean.
    pub(super) is_given_up: bool,
    /// What is kept of client identifier and the like, where changes are to be known.
    pub(super) about: Option<Option<About>>,
    pub(super) unmeasured_expiries: usize,
    /// Changes of the application's own records, for the store.
    pub(super) records: Records,
    next_order: u64,
    /// The places of the first and the last in `queue`.
    first_place: i64,
    last_place: i64,
}

impl Session {
    /// A new one: no server has any state for it. One that says it has is left. [MQTT-3.2.2-4]
    #[must_use]
    pub fn new() -> Self {
        Self {
            operations: Operations::default(),
            ids: PacketIds::new(),
            queue: Queue::default(),
            resend: VecDeque::new(),
            expiries: Expiries::default(),
            ack_deadlines: AckDeadlines::default(),
            request_deadlines: Expiries::default(),
            inbound: Inbound::default(),
            subscriptions: Subscriptions::default(),
            client_id: None,
            established: false,
            unanswered: false,
            has_suspects: false,
            is_given_up: false,
            about: None,
            unmeasured_expiries: 0,
            records: Records::default(),
            next_order: 0,
            first_place: 0,
            last_place: 0,
        }
    }

    /// States that this client holds a session for its client identifier, and that it is empty: a
    /// server that goes on with one is believed. So a new process fetches what the server kept
    /// for it.
    ///
    /// What an earlier process hadn't acknowledged comes again. What it was sending is lost, and so
    /// is the memory of messages of QoS 2 that it had received: one of those may be delivered
    /// twice.
    #[must_use]
    pub fn assumed_empty() -> Self {
        Self {
            established: true,
            ..Self::new()
        }
    }

    /// The client identifier that it was established under, the server's choice included; `None`
    /// before that.
    #[must_use]
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// Requests that wait to be sent for the first time.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Requests that a server may have, and hasn't acknowledged.
    #[must_use]
    pub const fn in_flight(&self) -> usize {
        self.ids.used()
    }

    /// What the server granted and wasn't asked to end, in that order: filters with their options.
    pub fn subscriptions(&self) -> impl Iterator<Item = (&str, SubscriptionOptions)> {
        self.subscriptions
            .in_order()
            .into_iter()
            .map(|active| (active.filter.as_str(), active.options))
    }

    /// Whether nothing would be lost with it: no request, no subscription, no received message of
    /// QoS 2.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.load().0 == 0 && self.subscriptions.is_empty() && self.inbound.is_empty()
    }

    /// Moves it out. Those who wait for outcomes find `error` in what is left behind, and the
    /// requests go on without them.
    pub(super) fn detach(&mut self, error: &RequestError) -> Self {
        let mut moved = std::mem::take(self);
        let operations = moved.operations.detach(error);
        self.operations = std::mem::replace(&mut moved.operations, operations);
        moved
    }

    /// The place of the next request among all that were ever sent.
    pub(super) const fn next_order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    /// An earlier process came so far.
    pub(super) const fn set_order(&mut self, last: u64) {
        self.next_order = last;
    }

    /// The request whose turn it is, if one waits: repetitions first.
    pub(super) fn first_waiting(&mut self) -> Option<(OperationId, &Operation)> {
        let operations = &self.operations;
        let waits = |id: &OperationId| {
            operations
                .get_by(*id)
                .is_some_and(|each| matches!(each.phase, Phase::Repeat(_)))
        };
        // A repetition may have been acknowledged before its turn came.
        while self.resend.front().is_some_and(|id| !waits(id)) {
            self.resend.pop_front();
        }
        let id = self
            .resend
            .front()
            .copied()
            .or_else(|| self.queue.front(operations))?;
        Some((id, operations.get_by(id)?))
    }

    /// Whether a request waits for its turn, or has just stopped to.
    pub(super) fn may_have_waiting(&self) -> bool {
        !self.resend.is_empty() || !self.queue.is_clear()
    }

    /// It is its turn.
    pub(super) fn take_first_waiting(&mut self) {
        if self.resend.pop_front().is_none() {
            self.queue.pop_front(&self.operations);
        }
    }

    /// It waits behind all others.
    pub(super) fn wait_last(&mut self, id: OperationId) {
        self.last_place += 1;
        self.operations.set_place(id, self.last_place);
        self.queue.push_back(id);
    }

    /// It waits before all others.
    pub(super) fn wait_first(&mut self, id: OperationId) {
        self.first_place -= 1;
        self.operations.set_place(id, self.first_place);
        self.queue.push_front(id);
    }

    /// Fails the message that has waited longest for being sent; `false` if there is none.
    pub(super) fn drop_oldest(&mut self) -> bool {
        let Some(id) = self.queue.oldest_message(&self.operations) else {
            return false;
        };
        self.operations.finish(id.key(), Err(RequestError::Dropped));
        self.queue.leave_gap(&self.operations);
        true
    }

    /// Gives back memory that a burst has left.
    pub(super) fn give_back_memory(&mut self) {
        self.operations.give_back_memory();
        self.queue.give_back_memory();
        self.ack_deadlines.give_back_memory();
        self.resend.shrink_to(2 * self.resend.len());
    }

    /// Ends every request.
    pub(super) fn fail_all(&mut self, error: &RequestError) {
        self.ids.clear();
        self.resend.clear();
        self.queue = Queue::default();
        self.request_deadlines = Expiries::default();
        self.operations.fail_all(error);
    }
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}
