//! Requests from when they are accepted until their outcome is taken: a slab of slots, each with
//! its waker.

mod changes;

use std::task::{Context, Poll, Waker};

use slab::Slab;

pub(in crate::engine) use self::changes::Noted;
use crate::engine::outbound::compact_outcome::Conclusion;
use crate::engine::outbound::operation::{Kind, Operation, OperationId, Outcome, Phase};
use crate::engine::outbound::request::requested;
use crate::engine::statistics::Statistics;
use crate::error::RequestError;

/// All requests, and what they hold.
#[derive(Debug, Default)]
pub(in crate::engine) struct Operations {
    slab: Slab<Operation>,
    generation: u64,
    books: Books,
    /// What has changed, where that is to be known.
    pub(in crate::engine) noted: Option<Noted>,
}

/// What all requests come to.
#[derive(Debug, Default)]
struct Books {
    unfinished: usize,
    unsettled: usize,
    /// Of `unfinished`, those that ask for subscriptions.
    subscribes: usize,
    bytes: usize,
    /// Bytes of the server's texts in outcomes that wait to be taken.
    copied: usize,
    /// Those who wait for an outcome that is there now.
    wakers: Vec<Waker>,
    /// Buffers that small packets have left, for the next ones.
    spare: Vec<Vec<u8>>,
    statistics: Statistics,
}

/// As many buffers are kept, and so large, at most.
const SPARE: usize = 128;
const LARGEST_SPARE: usize = 256;

impl Books {
    /// The packet of a request that won't be sent again.
    #[inline]
    fn drop_packet(&mut self, operation: &mut Operation) {
        let mut packet = std::mem::take(&mut operation.packet);
        self.bytes -= packet.len();
        if (1..=LARGEST_SPARE).contains(&packet.capacity()) && self.spare.len() < SPARE {
            packet.clear();
            self.spare.push(packet);
        }
    }

    /// States an outcome; the first one counts.
    #[inline]
    fn settle(&mut self, operation: &mut Operation, conclusion: Conclusion) {
        if std::mem::replace(&mut operation.settled, true) {
            return;
        }
        self.unsettled -= 1;
        self.statistics.count_end(&conclusion);
        if operation.wanted {
            self.copied += conclusion.copied_bytes();
            operation.conclusion = Some(conclusion);
            self.wakers.extend(operation.waker.take());
        }
    }
}

impl Operations {
    /// Requests that aren't done, and the bytes of their packets.
    pub(in crate::engine) const fn load(&self) -> (usize, usize) {
        (self.books.unfinished, self.books.bytes)
    }

    /// Bytes of the server's texts in outcomes that wait to be taken.
    pub(in crate::engine) const fn copied(&self) -> usize {
        self.books.copied
    }

    /// Whether every one of them has its outcome, though an acknowledgement may still be due.
    pub(in crate::engine) const fn all_settled(&self) -> bool {
        self.books.unsettled == 0
    }

    /// What the engine that has them has done.
    pub(in crate::engine) const fn statistics(&self) -> &Statistics {
        &self.books.statistics
    }

    pub(in crate::engine) const fn statistics_mut(&mut self) -> &mut Statistics {
        &mut self.books.statistics
    }

    /// Gives back memory that a burst has left, once it is over.
    pub(in crate::engine) fn give_back_memory(&mut self) {
        self.books.spare = Vec::new();
        if self.slab.is_empty() {
            self.slab = Slab::new();
        }
    }

    /// An empty buffer for a packet.
    pub(in crate::engine) fn buffer(&mut self) -> Vec<u8> {
        self.books.spare.pop().unwrap_or_default()
    }

    /// The key of the request that is inserted next.
    pub(in crate::engine) fn next_key(&self) -> u32 {
        u32::try_from(self.slab.vacant_key()).unwrap_or(u32::MAX)
    }

    pub(in crate::engine) fn insert(&mut self, kind: Kind, packet: Vec<u8>) -> OperationId {
        let books = &mut self.books;
        self.generation += 1;
        books.unfinished += 1;
        books.unsettled += 1;
        books.subscribes += usize::from(kind == Kind::Subscribe);
        books.bytes += packet.len();
        let wanted = kind != Kind::Resubscribe;
        let generation = self.generation;
        let operation = Operation {
            kind,
            phase: Phase::Queued,
            packet,
            order: 0,
            place: 0,
            disconnects: 0,
            is_anew: false,
            is_timed: false,
            is_limited: false,
            expires: None,
            is_watched: false,
            conclusion: None,
            waker: None,
            wanted,
            settled: false,
            is_noted: false,
            is_kept: false,
            generation,
        };
        let key = u32::try_from(self.slab.insert(operation)).unwrap_or(u32::MAX);
        self.note(key);
        OperationId { key, generation }
    }

    pub(in crate::engine) fn get(&self, key: u32) -> Option<&Operation> {
        self.slab.get(key as usize)
    }

    /// The request of this name, and not another one in its slot.
    pub(in crate::engine) fn get_by(&self, id: OperationId) -> Option<&Operation> {
        self.get(id.key).filter(|operation| operation.is(id))
    }

    pub(in crate::engine) fn get_mut(&mut self, key: u32) -> Option<&mut Operation> {
        self.note(key);
        self.slab.get_mut(key as usize)
    }

    pub(in crate::engine) fn iter(&self) -> impl Iterator<Item = (OperationId, &Operation)> {
        self.slab.iter().map(|(key, operation)| {
            let key = u32::try_from(key).unwrap_or(u32::MAX);
            (
                OperationId {
                    key,
                    generation: operation.generation,
                },
                operation,
            )
        })
    }

    pub(in crate::engine) fn iter_mut(
        &mut self,
    ) -> impl Iterator<Item = (OperationId, &mut Operation)> {
        self.slab.iter_mut().map(|(key, operation)| {
            let key = u32::try_from(key).unwrap_or(u32::MAX);
            (
                OperationId {
                    key,
                    generation: operation.generation,
                },
                operation,
            )
        })
    }

    /// Those that ask for subscriptions and haven't been answered; nothing is looked through for
    /// none.
    pub(in crate::engine) fn subscribes(&self) -> impl Iterator<Item = &Operation> {
        let is_subscribe =
            |each: &&Operation| each.kind == Kind::Subscribe && each.phase != Phase::Done;
        self.slab
            .iter()
            .map(|(_, each)| each)
            .filter(is_subscribe)
            .take(self.books.subscribes)
    }

    /// Whether a request of this kind, whose outcome is open, names `filter`.
    pub(in crate::engine) fn ask_for(&self, filter: &str, kind: Kind) -> bool {
        self.any_names(filter, |each| each.kind == kind && !each.is_settled())
    }

    /// Whether the server may still grant a subscription to `filter`, in time or late.
    #[cfg(feature = "tokio")]
    pub(in crate::engine) fn may_get(&self, filter: &str) -> bool {
        let asks = |kind| matches!(kind, Kind::Subscribe | Kind::Resubscribe);
        self.any_names(filter, |each| asks(each.kind) && each.phase != Phase::Done)
    }

    /// Whether a request that `is` one of those looked for names `filter`.
    fn any_names(&self, filter: &str, is: impl Fn(&Operation) -> bool) -> bool {
        let names = |each: &Operation| {
            requested(&each.packet)
                .iter()
                .any(|(named, _)| *named == filter)
        };
        self.slab.iter().any(|(_, each)| is(each) && names(each))
    }

    /// The packet of a request that won't be sent again.
    pub(in crate::engine) fn drop_packet(&mut self, key: u32) {
        self.note(key);
        if let Some(operation) = self.slab.get_mut(key as usize) {
            self.books.drop_packet(operation);
        }
    }

    /// States an outcome while the identifier stays reserved; the first outcome counts.
    pub(in crate::engine) fn settle(&mut self, key: u32, outcome: impl Into<Conclusion>) {
        self.note(key);
        if let Some(operation) = self.slab.get_mut(key as usize) {
            self.books.settle(operation, outcome.into());
        }
    }

    /// Ends a request: its slot is free as soon as the outcome is taken.
    #[inline]
    pub(in crate::engine) fn finish(&mut self, key: u32, outcome: impl Into<Conclusion>) {
        self.note_end(key);
        let Some(operation) = self.slab.get_mut(key as usize) else {
            return;
        };
        self.books.drop_packet(operation);
        self.books.settle(operation, outcome.into());
        if operation.phase != Phase::Done {
            operation.phase = Phase::Done;
            self.books.unfinished -= 1;
            self.books.subscribes -= usize::from(operation.kind == Kind::Subscribe);
        }
        if !operation.wanted {
            self.slab.remove(key as usize);
        }
    }

    /// The outcome, once.
    #[inline]
    pub(in crate::engine) fn poll(
        &mut self,
        id: OperationId,
        cx: &Context<'_>,
    ) -> Poll<Option<Result<Outcome, RequestError>>> {
        let Some(operation) = self.current(id).filter(|operation| operation.wanted) else {
            return Poll::Ready(None);
        };
        let Some(conclusion) = operation.conclusion.take() else {
            operation.waker = Some(cx.waker().clone());
            return Poll::Pending;
        };
        operation.wanted = false;
        if operation.phase == Phase::Done {
            self.slab.remove(id.key as usize);
        }
        self.books.copied -= conclusion.copied_bytes();
        Poll::Ready(Some(conclusion.into()))
    }

    /// Nobody will take the outcome. What was accepted happens all the same.
    pub(in crate::engine) fn forget(&mut self, id: OperationId) {
        let Some(operation) = self.current(id) else {
            return;
        };
        operation.wanted = false;
        operation.waker = None;
        let copied = operation
            .conclusion
            .take()
            .map_or(0, |conclusion| conclusion.copied_bytes());
        if operation.phase == Phase::Done {
            self.slab.remove(id.key as usize);
        }
        self.books.copied -= copied;
    }

    /// Those who wait for an outcome that is there now, to be woken when no lock is held.
    pub(in crate::engine) fn take_wakers(&mut self, into: &mut Vec<Waker>) {
        if !self.books.wakers.is_empty() {
            into.append(&mut self.books.wakers);
        }
    }

    /// Copies what isn't done, for a session that moves on: nobody waits for the copies, and the
    /// originals end with `error`.
    pub(in crate::engine) fn detach(&mut self, error: &RequestError) -> Self {
        let unfinished = self
            .slab
            .iter()
            .filter(|(_, operation)| operation.phase != Phase::Done);
        let slab: Slab<_> = unfinished
            .map(|(key, operation)| (key, operation.unattended()))
            .collect();
        let books = Books {
            wakers: Vec::new(),
            spare: Vec::new(),
            copied: 0,
            ..self.books
        };
        let moved = Self {
            slab,
            generation: self.generation,
            books,
            noted: self.noted.take(),
        };
        self.fail_all(error);
        moved
    }

    /// Ends every request.
    pub(in crate::engine) fn fail_all(&mut self, error: &RequestError) {
        let keys: Vec<_> = self.iter().map(|(id, _)| id.key()).collect();
        for key in keys {
            self.finish(key, Err(error.clone()));
        }
    }

    /// The time for its acknowledgement goes on with the next connection.
    pub(in crate::engine) fn set_timed(&mut self, id: OperationId) {
        if let Some(operation) = self.current(id) {
            operation.is_timed = true;
        }
    }

    /// The time that it may wait before it is sent is limited from now on. Returns whether it
    /// wasn't: not if it is over, nor if the time for its acknowledgement runs, which is the
    /// stricter one. The pace alone holds messages of QoS 0 back.
    pub(in crate::engine) fn limit_sending(&mut self, id: OperationId, is_paced: bool) -> bool {
        let unlimited = |each: &&mut Operation| {
            let is_held_by_pace = is_paced && each.kind == Kind::PublishAtMostOnce;
            !each.is_limited && !each.is_timed && !is_held_by_pace && each.phase != Phase::Done
        };
        self.current(id)
            .filter(unlimited)
            .map(|operation| operation.is_limited = true)
            .is_some()
    }

    /// It doesn't wait any more.
    pub(in crate::engine) fn unlimit_sending(&mut self, id: OperationId) {
        if let Some(operation) = self.current(id) {
            operation.is_limited = false;
        }
    }

    /// Whether nothing more will happen to it.
    pub(in crate::engine) fn is_over(&self, id: OperationId) -> bool {
        self.get_by(id)
            .is_none_or(|operation| operation.phase == Phase::Done)
    }

    fn current(&mut self, id: OperationId) -> Option<&mut Operation> {
        self.slab
            .get_mut(id.key as usize)
            .filter(|operation| operation.is(id))
    }
}
