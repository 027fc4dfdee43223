//! Requests from when they are accepted until their outcome is taken: a slab of slots, each with its waker.

use std::task::{Context, Poll, Waker};
use std::time::Instant;

use bytes::Bytes;
use dunlin_codec::{PacketId, QoS, ReasonCode};
use slab::Slab;

use super::statistics::Statistics;
use crate::error::RequestError;
use crate::policy::{LostMessage, LostRequest, OnSessionLost};

/// Names an accepted request until its outcome is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId {
    key: u32,
    generation: u64,
}

/// How an accepted request ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A message of QoS 0 is on the wire; one of QoS 1 or 2 is the server's now.
    Published(Published),
    /// SUBACK or UNSUBACK came, whatever it says.
    Answered(Answered),
    /// The server and this client are satisfied with each other again.
    Reauthenticated,
}

/// A message that the server has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The identifier of the exchange; `None` at QoS 0.
    pub packet_id: Option<PacketId>,
    /// Success, or that nobody is subscribed.
    pub reason_code: ReasonCode,
    /// The server's own words.
    pub reason_string: Option<String>,
    /// What the server added, in order.
    pub user_properties: Vec<(String, String)>,
    /// Whether it was published anew after its session was lost, and may have arrived twice.
    pub republished: bool,
}

impl Published {
    /// A message of QoS 0: it is on the wire, and that is all.
    pub(crate) const fn unacknowledged() -> Self {
        Self {
            packet_id: None,
            reason_code: ReasonCode::Success,
            reason_string: None,
            user_properties: Vec::new(),
            republished: false,
        }
    }
}

/// What SUBACK or UNSUBACK says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The identifier of the exchange.
    pub packet_id: PacketId,
    /// One for each filter, in the request's order.
    pub reason_codes: Vec<ReasonCode>,
    /// The server's own words.
    pub reason_string: Option<String>,
    /// What the server added, in order.
    pub user_properties: Vec<(String, String)>,
    /// Whether it was asked for anew, after a connection that ended before the answer.
    pub reissued: bool,
}

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    PublishAtMostOnce,
    PublishAtLeastOnce,
    PublishExactlyOnce,
    Subscribe,
    /// A SUBSCRIBE of the engine's own, after the server lost the session.
    Resubscribe,
    Unsubscribe,
    /// An exchange of AUTH: it lives and dies with its connection.
    Reauthenticate,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Not on the wire of this connection, and without an identifier.
    Queued,
    /// Its first packet is on the wire: PUBACK, PUBREC, SUBACK or UNSUBACK is due.
    Sent(PacketId),
    /// A message that was on an earlier connection's wire and is to be repeated on this one's.
    Repeat(PacketId),
    /// PUBREC came: PUBREL is on the wire, PUBCOMP is due.
    Released(PacketId),
    /// Nothing more will happen.
    Done,
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) kind: Kind,
    pub(super) phase: Phase,
    /// The whole packet, with an identifier that means nothing; empty once it can't be needed again.
    pub(super) packet: Bytes,
    /// When it was first sent, or released, relative to the others.
    pub(super) order: u64,
    /// At how many ends of connections in a row it was on the wire, as far as the server may have ended them over it.
    pub(super) disconnects: u32,
    /// Whether it was on a wire before, as another request.
    pub(super) is_anew: bool,
    /// When a message isn't worth sending any more.
    pub(super) expires: Option<Instant>,
    /// Whether it is among those that are failed then.
    pub(super) is_watched: bool,
    outcome: Option<Result<Outcome, RequestError>>,
    waker: Option<Waker>,
    /// Whether somebody will take the outcome.
    wanted: bool,
    /// Whether an outcome was stated before it was done.
    settled: bool,
    generation: u64,
}

impl Operation {
    pub(super) const fn is_publish(&self) -> bool {
        match self.kind {
            Kind::PublishAtMostOnce | Kind::PublishAtLeastOnce | Kind::PublishExactlyOnce => true,
            Kind::Subscribe | Kind::Resubscribe | Kind::Unsubscribe | Kind::Reauthenticate => false,
        }
    }

    pub(super) const fn is(&self, id: OperationId) -> bool {
        self.generation == id.generation
    }

    /// Whether its outcome is stated already: it timed out here, and is waiting for a late acknowledgement.
    pub(super) const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether it becomes a new request when its session is lost. What timed out here doesn't: nobody waits for it.
    pub(super) const fn survives_loss(&self, policy: OnSessionLost) -> bool {
        let survives = match self.kind {
            Kind::PublishAtMostOnce | Kind::PublishAtLeastOnce => {
                matches!(policy.qos1, LostMessage::Republish)
            }
            Kind::PublishExactlyOnce => matches!(policy.qos2, LostMessage::Republish),
            Kind::Subscribe => matches!(policy.subscribe, LostRequest::Reissue),
            Kind::Unsubscribe => matches!(policy.unsubscribe, LostRequest::Reissue),
            Kind::Resubscribe | Kind::Reauthenticate => false,
        };
        survives && !self.settled && !matches!(self.phase, Phase::Released(_))
    }

    /// Of a message.
    pub(super) const fn qos(&self) -> QoS {
        match self.kind {
            Kind::PublishExactlyOnce => QoS::ExactlyOnce,
            Kind::PublishAtLeastOnce => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        }
    }

    /// Whether the server's Receive Maximum counts it, once it is sent.
    pub(super) const fn takes_quota(&self) -> bool {
        matches!(self.kind, Kind::PublishAtLeastOnce | Kind::PublishExactlyOnce)
    }

    /// Whether it may have to wait behind others.
    pub(super) const fn takes_turns(&self, is_paced: bool) -> bool {
        self.takes_quota() || is_paced && self.is_publish()
    }

    /// Whether the server's Receive Maximum counts it now.
    pub(super) const fn holds_quota(&self) -> bool {
        self.takes_quota() && matches!(self.phase, Phase::Sent(_) | Phase::Released(_))
    }

    /// The same request, whose outcome nobody will take.
    fn unattended(&self) -> Self {
        Self { packet: self.packet.clone(), outcome: None, waker: None, wanted: false, ..*self }
    }

    /// Whether it can't be sent without a packet identifier of its own.
    pub(super) const fn needs_id(&self) -> bool {
        !matches!(self.kind, Kind::PublishAtMostOnce) && matches!(self.phase, Phase::Queued)
    }
}

/// All requests, and what they hold.
#[derive(Debug, Default)]
pub(super) struct Operations {
    slab: Slab<Operation>,
    wakers: Vec<Waker>,
    generation: u64,
    unfinished: usize,
    unsettled: usize,
    /// Of `unfinished`, those that ask for subscriptions.
    subscribes: usize,
    bytes: usize,
    /// What the engine that has them has done.
    pub(super) statistics: Statistics,
}

impl Operations {
    /// Requests that aren't done, and the bytes of their packets.
    pub(super) const fn load(&self) -> (usize, usize) {
        (self.unfinished, self.bytes)
    }

    /// Whether every one of them has its outcome, though an acknowledgement may still be due.
    pub(super) const fn all_settled(&self) -> bool {
        self.unsettled == 0
    }

    /// Gives back memory that a burst has left, once it is over.
    pub(super) fn give_back_memory(&mut self) {
        if self.slab.is_empty() {
            self.slab = Slab::new();
        }
    }

    pub(super) fn insert(&mut self, kind: Kind, packet: Bytes) -> OperationId {
        self.generation += 1;
        self.unfinished += 1;
        self.unsettled += 1;
        self.subscribes += usize::from(kind == Kind::Subscribe);
        self.bytes += packet.len();
        let wanted = kind != Kind::Resubscribe;
        let generation = self.generation;
        let operation = Operation {
            kind,
            phase: Phase::Queued,
            packet,
            order: 0,
            disconnects: 0,
            is_anew: false,
            expires: None,
            is_watched: false,
            outcome: None,
            waker: None,
            wanted,
            settled: false,
            generation,
        };
        let key = u32::try_from(self.slab.insert(operation)).unwrap_or(u32::MAX);
        OperationId { key, generation }
    }

    pub(super) fn get(&self, key: u32) -> Option<&Operation> {
        self.slab.get(key as usize)
    }

    /// The request of this name, and not another one in its slot.
    pub(super) fn get_by(&self, id: OperationId) -> Option<&Operation> {
        self.get(id.key).filter(|operation| operation.is(id))
    }

    pub(super) fn get_mut(&mut self, key: u32) -> Option<&mut Operation> {
        self.slab.get_mut(key as usize)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (OperationId, &Operation)> {
        self.slab.iter().map(|(key, operation)| {
            let key = u32::try_from(key).unwrap_or(u32::MAX);
            (OperationId { key, generation: operation.generation }, operation)
        })
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (OperationId, &mut Operation)> {
        self.slab.iter_mut().map(|(key, operation)| {
            let key = u32::try_from(key).unwrap_or(u32::MAX);
            (OperationId { key, generation: operation.generation }, operation)
        })
    }

    /// Those that ask for subscriptions and haven't been answered; nothing is looked through for none.
    pub(super) fn subscribes(&self) -> impl Iterator<Item = &Operation> {
        let is_subscribe = |each: &&Operation| each.kind == Kind::Subscribe && each.phase != Phase::Done;
        self.slab.iter().map(|(_, each)| each).filter(is_subscribe).take(self.subscribes)
    }

    /// The packet of a request that won't be sent again.
    pub(super) fn drop_packet(&mut self, key: u32) {
        if let Some(operation) = self.slab.get_mut(key as usize) {
            self.bytes -= operation.packet.len();
            operation.packet = Bytes::new();
        }
    }

    /// States an outcome while the identifier stays reserved; the first outcome counts.
    pub(super) fn settle(&mut self, key: u32, outcome: Result<Outcome, RequestError>) {
        let Some(operation) = self.slab.get_mut(key as usize) else { return };
        if std::mem::replace(&mut operation.settled, true) {
            return;
        }
        self.unsettled -= 1;
        self.statistics.count_outcome(&outcome);
        if operation.wanted {
            operation.outcome = Some(outcome);
            self.wakers.extend(operation.waker.take());
        }
    }

    /// Ends a request: its slot is free as soon as the outcome is taken.
    pub(super) fn finish(&mut self, key: u32, outcome: Result<Outcome, RequestError>) {
        self.drop_packet(key);
        self.settle(key, outcome);
        let Some(operation) = self.slab.get_mut(key as usize) else { return };
        if operation.phase != Phase::Done {
            operation.phase = Phase::Done;
            self.unfinished -= 1;
            self.subscribes -= usize::from(operation.kind == Kind::Subscribe);
        }
        if !operation.wanted {
            self.slab.remove(key as usize);
        }
    }

    /// The outcome, once.
    pub(super) fn poll(
        &mut self,
        id: OperationId,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Outcome, RequestError>>> {
        let Some(operation) = self.current(id).filter(|operation| operation.wanted) else {
            return Poll::Ready(None);
        };
        let Some(outcome) = operation.outcome.take() else {
            operation.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        self.forget(id);
        Poll::Ready(Some(outcome))
    }

    /// Nobody will take the outcome. What was accepted happens all the same.
    pub(super) fn forget(&mut self, id: OperationId) {
        let Some(operation) = self.current(id) else { return };
        operation.wanted = false;
        operation.waker = None;
        if operation.phase == Phase::Done {
            self.slab.remove(id.key as usize);
        }
    }

    /// Those who wait for an outcome that is there now, to be woken when no lock is held.
    pub(super) fn take_wakers(&mut self, into: &mut Vec<Waker>) {
        into.append(&mut self.wakers);
    }

    /// Copies what isn't done, for a session that moves on: nobody waits for the copies, and the originals end with `error`.
    pub(super) fn detach(&mut self, error: &RequestError) -> Self {
        let unfinished = self.slab.iter().filter(|(_, operation)| operation.phase != Phase::Done);
        let slab: Slab<_> = unfinished.map(|(key, operation)| (key, operation.unattended())).collect();
        let moved = Self { slab, wakers: Vec::new(), ..*self };
        self.fail_all(error);
        moved
    }

    /// Ends every request.
    pub(super) fn fail_all(&mut self, error: &RequestError) {
        let keys: Vec<_> = self.iter().map(|(id, _)| id.key()).collect();
        for key in keys {
            self.finish(key, Err(error.clone()));
        }
    }

    /// Whether nothing more will happen to it.
    pub(super) fn is_over(&self, id: OperationId) -> bool {
        self.get_by(id).is_none_or(|operation| operation.phase == Phase::Done)
    }

    fn current(&mut self, id: OperationId) -> Option<&mut Operation> {
        self.get_mut(id.key).filter(|operation| operation.is(id))
    }
}

impl OperationId {
    pub(super) const fn key(self) -> u32 {
        self.key
    }
}
