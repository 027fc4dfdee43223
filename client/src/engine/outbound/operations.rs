//! Accepted requests from acceptance until their outcome is taken: a slab of slots, each with its
//! waker.

use std::task::{Context, Poll, Waker};

use dunlin_codec::PacketId;
use slab::Slab;

use crate::engine::outbound::accepted_request::{
    AcceptedRequest, Completion, OperationId, RequestStage, TimeLimit,
};
use crate::engine::outbound::outcome::{CompactOutcome, Outcome};
use crate::engine::outbound::request::{Request, SubscribeRequest};
use crate::engine::outbound::totals::Totals;
use crate::engine::persistence::dirty::DirtySet;
use crate::engine::statistics::Statistics;
use crate::error::RequestError;

/// All requests, and their totals.
#[derive(Debug, Default)]
pub(in crate::engine) struct Operations {
    pub(super) slab: Slab<AcceptedRequest>,
    /// Number of the request that was inserted last.
    generation: u64,
    totals: Totals,
    /// Requests that have changed since a store last took the changes.
    pub(super) dirty: DirtySet<OperationId>,
    /// Numbers of requests that a store has and that are complete.
    pub(super) ended: Vec<u64>,
}

impl Operations {
    /// Number of unfinished requests, and the bytes of their packets.
    pub(in crate::engine) const fn load(&self) -> (usize, usize) {
        (self.totals.unfinished, self.totals.bytes)
    }

    /// Bytes of the server's texts in outcomes that were not taken.
    pub(in crate::engine) const fn copied(&self) -> usize {
        self.totals.copied
    }

    /// Returns `true` if the outcome of every request is known. An acknowledgement may still be
    /// awaited.
    pub(in crate::engine) const fn all_have_outcomes(&self) -> bool {
        self.totals.without_outcome == 0
    }

    /// Shrinks what a burst has left, once it is over.
    pub(in crate::engine) fn give_back_memory(&mut self) {
        self.totals.spare = Vec::new();
        if self.slab.is_empty() {
            self.slab = Slab::new();
        }
    }

    /// An empty buffer for a packet.
    pub(in crate::engine) fn buffer(&mut self) -> Vec<u8> {
        self.totals.spare.pop().unwrap_or_default()
    }

    /// Slot of the request that is inserted next.
    pub(in crate::engine) fn next_key(&self) -> u32 {
        key_of(self.slab.vacant_key())
    }

    /// Inserts a request that waits to be sent.
    pub(in crate::engine) fn insert(&mut self, request: Request) -> OperationId {
        let totals = &mut self.totals;
        // Sums first, as the request moves into its slot.
        totals.unfinished += 1;
        totals.without_outcome += 1;
        totals.bytes += request.size();
        let completion = match &request {
            // Nobody asked for a resubscription, so nobody takes its outcome.
            Request::Subscribe(subscribe) if subscribe.is_resubscribe => Completion::Unattended,
            Request::Subscribe(_) => {
                totals.subscribes += 1;
                Completion::Pending(None)
            }
            Request::Publish(_) | Request::Unsubscribe(_) | Request::Authenticate => {
                Completion::Pending(None)
            }
        };
        self.generation += 1;
        let generation = self.generation;
        let operation = AcceptedRequest::new(request, completion, generation);
        let key = key_of(self.slab.insert(operation));
        self.mark_dirty(key);
        OperationId { key, generation }
    }

    /// Inserts a request that a store kept under the number `generation`. Nobody takes its outcome.
    pub(in crate::engine) fn restore(&mut self, generation: u64, request: Request) -> OperationId {
        let last = std::mem::replace(&mut self.generation, generation.saturating_sub(1));
        let id = self.insert(request);
        self.generation = self.generation.max(last);
        if let Some(operation) = self.current(id) {
            operation.completion = Completion::Unattended;
            operation.is_persisted = true;
        }
        id
    }

    pub(in crate::engine) fn get(&self, key: u32) -> Option<&AcceptedRequest> {
        self.slab.get(key as usize)
    }

    /// The request with this identifier, and not a later one in its slot.
    pub(in crate::engine) fn get_by(&self, id: OperationId) -> Option<&AcceptedRequest> {
        self.get(id.key).filter(|operation| operation.is(id))
    }

    /// The request in a slot, to change what a store keeps of it.
    pub(in crate::engine) fn get_mut(&mut self, key: u32) -> Option<&mut AcceptedRequest> {
        self.mark_dirty(key);
        self.slab.get_mut(key as usize)
    }

    /// The request with this identifier, to change what a store keeps of it.
    pub(in crate::engine) fn get_mut_by(
        &mut self,
        id: OperationId,
    ) -> Option<&mut AcceptedRequest> {
        self.get_mut(id.key).filter(|operation| operation.is(id))
    }

    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = (OperationId, &AcceptedRequest)> {
        self.slab.iter().map(|(key, operation)| {
            let (key, generation) = (key_of(key), operation.generation);
            (OperationId { key, generation }, operation)
        })
    }

    /// All requests, to change what no store keeps of them.
    pub(in crate::engine) fn iter_mut(
        &mut self,
    ) -> impl Iterator<Item = (OperationId, &mut AcceptedRequest)> {
        self.slab.iter_mut().map(|(key, operation)| {
            let (key, generation) = (key_of(key), operation.generation);
            (OperationId { key, generation }, operation)
        })
    }

    /// Unfinished SUBSCRIBE requests of the application. Free of cost if there are none.
    pub(in crate::engine) fn subscribes(&self) -> impl Iterator<Item = &SubscribeRequest> {
        self.slab
            .iter()
            .filter(|(_, each)| !each.is_done())
            .filter_map(|(_, each)| each.request.subscribe())
            .take(self.totals.subscribes)
    }

    /// Returns `true` if the outcome of a SUBSCRIBE of the application for `filter` is not known
    /// yet.
    pub(in crate::engine) fn is_subscribing(&self, filter: &str) -> bool {
        let is_pending = |each: &AcceptedRequest| !each.has_outcome();
        self.any_names(filter, is_pending, Request::subscribe)
    }

    /// Returns `true` if the outcome of a resubscription to `filter` is not known yet.
    pub(in crate::engine) fn is_resubscribing(&self, filter: &str) -> bool {
        let is_pending = |each: &AcceptedRequest| !each.has_outcome();
        self.any_names(filter, is_pending, Request::resubscribe)
    }

    /// Returns `true` if the server may still grant a subscription to `filter`, in time or late.
    #[cfg(feature = "tokio")]
    pub(in crate::engine) fn may_be_granted(&self, filter: &str) -> bool {
        let is_unfinished = |each: &AcceptedRequest| !each.is_done();
        self.any_names(filter, is_unfinished, Request::subscribe)
            || self.any_names(filter, is_unfinished, Request::resubscribe)
    }

    fn any_names(
        &self,
        filter: &str,
        is: impl Fn(&AcceptedRequest) -> bool,
        subscribe: impl Fn(&Request) -> Option<&SubscribeRequest>,
    ) -> bool {
        self.slab.iter().any(|(_, each)| {
            is(each)
                && subscribe(&each.request)
                    .is_some_and(|request| request.filters().any(|named| named == filter))
        })
    }

    /// Notes that the server has received a message of QoS 2, as the send of this number: only its
    /// packet identifier is needed from now on. Returns `true` if the message counted against the
    /// Receive Maximum before.
    #[inline]
    pub(in crate::engine) fn set_released(
        &mut self,
        key: u32,
        packet_id: PacketId,
        order: u64,
    ) -> bool {
        self.mark_dirty(key);
        let Some(operation) = self.slab.get_mut(key as usize) else {
            return false;
        };
        let held_quota = operation.holds_quota();
        // A repeated PUBREC changes nothing about the order.
        if !matches!(operation.stage, RequestStage::Released(_)) {
            operation.order = order;
        }
        operation.stage = RequestStage::Released(packet_id);
        self.totals.drop_packet(&mut operation.request);
        held_quota
    }

    /// Drops the packet of a request that is not sent again.
    pub(in crate::engine) fn drop_packet(&mut self, key: u32) {
        self.mark_dirty(key);
        if let Some(operation) = self.slab.get_mut(key as usize) {
            self.totals.drop_packet(&mut operation.request);
        }
    }

    /// Sets the outcome while the packet identifier stays reserved; the first outcome counts.
    pub(in crate::engine) fn set_outcome(
        &mut self,
        key: u32,
        outcome: impl Into<CompactOutcome>,
        statistics: &mut Statistics,
    ) {
        self.mark_dirty(key);
        if let Some(operation) = self.slab.get_mut(key as usize) {
            self.totals
                .set_outcome(&mut operation.completion, outcome.into(), statistics);
        }
    }

    /// Completes a request: its slot is free as soon as the outcome is taken.
    #[inline]
    pub(in crate::engine) fn complete(
        &mut self,
        key: u32,
        outcome: impl Into<CompactOutcome>,
        statistics: &mut Statistics,
    ) {
        // The store can delete the request.
        if self.dirty.is_recording() {
            self.record_end(key);
        }
        let Some(operation) = self.slab.get_mut(key as usize) else {
            return;
        };
        // Each request is subtracted once, also if it is completed twice.
        if !operation.is_done() {
            operation.stage = RequestStage::Done;
            self.totals.unfinished -= 1;
            if !operation.request.is_publish() {
                self.totals.subscribes -= usize::from(operation.request.subscribe().is_some());
            }
        }
        // Neither the packet nor the outcome of a request that timed out changes any more.
        self.totals.drop_packet(&mut operation.request);
        self.totals
            .set_outcome(&mut operation.completion, outcome.into(), statistics);
        // Nobody takes the outcome: the slot is free.
        if !operation.completion.has_receiver() {
            self.slab.remove(key as usize);
        }
    }

    /// Takes the outcome, once.
    #[inline]
    pub(in crate::engine) fn poll(
        &mut self,
        id: OperationId,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Outcome, RequestError>>> {
        let Some(operation) = self.current(id) else {
            return Poll::Ready(None);
        };
        match &mut operation.completion {
            Completion::Ready(_) => {}
            Completion::Pending(waker) => {
                *waker = Some(cx.waker().clone());
                return Poll::Pending;
            }
            Completion::Unattended | Completion::Taken => return Poll::Ready(None),
        }
        // A request that timed out keeps its slot until its acknowledgement.
        let completion = if operation.is_done() {
            self.slab.remove(id.key as usize).completion
        } else {
            std::mem::replace(&mut operation.completion, Completion::Taken)
        };
        let Completion::Ready(outcome) = completion else {
            return Poll::Ready(None);
        };
        self.totals.copied -= outcome.copied_bytes();
        Poll::Ready(Some(outcome.into()))
    }

    /// Gives up the interest in the outcome. What was accepted happens all the same.
    pub(in crate::engine) fn forget(&mut self, id: OperationId) {
        let Some(operation) = self.current(id) else {
            return;
        };
        // An outcome that is known is dropped; one that is not is not stored.
        let unattended = match operation.completion {
            Completion::Pending(_) | Completion::Unattended => Completion::Unattended,
            Completion::Ready(_) | Completion::Taken => Completion::Taken,
        };
        let copied = match std::mem::replace(&mut operation.completion, unattended) {
            Completion::Ready(outcome) => outcome.copied_bytes(),
            _ => 0,
        };
        if operation.is_done() {
            self.slab.remove(id.key as usize);
        }
        self.totals.copied -= copied;
    }

    /// Moves the wakers of those whose outcome is known into `into`, to be woken without a lock.
    pub(in crate::engine) fn take_wakers(&mut self, into: &mut Vec<Waker>) {
        if !self.totals.wakers.is_empty() {
            into.append(&mut self.totals.wakers);
        }
    }

    /// Copies unfinished requests for a session that moves on: nobody takes the outcomes of the
    /// copies, and the originals fail with `error`.
    pub(in crate::engine) fn detach(
        &mut self,
        error: &RequestError,
        statistics: &mut Statistics,
    ) -> Self {
        // Complete requests have nothing to go on with.
        let unfinished = self.slab.iter().filter(|(_, each)| !each.is_done());
        let slab: Slab<_> = unfinished
            .map(|(key, operation)| (key, operation.unattended()))
            .collect();
        // Sums of unfinished requests are the same on both sides; the rest stays here.
        let totals = Totals {
            wakers: Vec::new(),
            spare: Vec::new(),
            copied: 0,
            ..self.totals
        };
        let moved = Self {
            slab,
            generation: self.generation,
            totals,
            dirty: self.dirty.move_out(),
            ended: std::mem::take(&mut self.ended),
        };
        self.fail_all(error, statistics);
        moved
    }

    /// Completes every request with `error`.
    pub(in crate::engine) fn fail_all(
        &mut self,
        error: &RequestError,
        statistics: &mut Statistics,
    ) {
        let keys: Vec<_> = self.iter().map(|(id, _)| id.key()).collect();
        for key in keys {
            self.complete(key, Err(error.clone()), statistics);
        }
    }

    /// Lets the time for the acknowledgement go on with the next connection.
    pub(in crate::engine) fn limit_acknowledgement(&mut self, id: OperationId) {
        if let Some(operation) = self.current(id) {
            operation.time_limit = TimeLimit::ForAcknowledgement;
        }
    }

    /// Limits the time until the request is sent. Returns `false` if the request is complete or has
    /// a limit already, or if only the pace holds it back: the pace delays messages of QoS 0, and
    /// the Receive Maximum does not.
    pub(in crate::engine) fn limit_sending(&mut self, id: OperationId, is_paced: bool) -> bool {
        // A stricter limit stays in force.
        let is_unlimited = |each: &&mut AcceptedRequest| {
            let is_held_by_pace = is_paced && each.request.is_at_most_once();
            each.time_limit == TimeLimit::None && !is_held_by_pace && !each.is_done()
        };
        self.current(id)
            .filter(is_unlimited)
            .map(|operation| operation.time_limit = TimeLimit::ForSending)
            .is_some()
    }

    /// Removes the limit of a request that was sent in time.
    pub(in crate::engine) fn unlimit_sending(&mut self, id: OperationId) {
        if let Some(operation) = self.current(id)
            && operation.time_limit == TimeLimit::ForSending
        {
            operation.time_limit = TimeLimit::None;
        }
    }

    /// Returns `true` if nothing more happens to the request.
    pub(in crate::engine) fn is_over(&self, id: OperationId) -> bool {
        self.get_by(id).is_none_or(AcceptedRequest::is_done)
    }

    /// The request with this identifier, to change what no store keeps of it.
    pub(super) fn current(&mut self, id: OperationId) -> Option<&mut AcceptedRequest> {
        self.slab
            .get_mut(id.key as usize)
            .filter(|operation| operation.is(id))
    }

    /// Sets the position among the requests that wait.
    pub(in crate::engine) fn set_queue_position(&mut self, id: OperationId, position: i64) {
        if let Some(operation) = self
            .current(id)
            .filter(|operation| operation.queue_position != position)
        {
            operation.queue_position = position;
            self.mark_dirty(id.key);
        }
    }
}

/// Slots are counted in `u32`: the queue limits keep their number far below.
fn key_of(slot: usize) -> u32 {
    u32::try_from(slot).unwrap_or(u32::MAX)
}

#[cfg(test)]
pub(super) mod tests {
    use dunlin_codec::QoS;

    use super::*;
    use crate::engine::outbound::request::PublishRequest;

    /// A message of this QoS whose packet does not matter.
    pub(in crate::engine::outbound) fn message(qos: QoS) -> Request {
        let (retain, packet) = (false, Vec::new());
        Request::Publish(PublishRequest {
            qos,
            retain,
            packet,
        })
    }
}
