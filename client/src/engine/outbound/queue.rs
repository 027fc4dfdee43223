//! Requests that wait for their first turn, in order. Some are over before it comes, and stay as
//! gaps for a while.

use std::collections::VecDeque;

use crate::engine::outbound::operation::{Kind, Operation, OperationId, Phase};
use crate::engine::outbound::operations::Operations;

/// A queue of names of requests.
#[derive(Debug, Default)]
pub(in crate::engine) struct Queue {
    ids: VecDeque<OperationId>,
    /// Those in `ids` that don't wait any more.
    gaps: usize,
    /// How many at the front aren't messages that could be dropped.
    before_messages: usize,
    /// How many at the front aren't messages of QoS 0.
    before_at_most_once: usize,
}

/// Gaps that are left alone, however few requests wait between them.
const GAPS: usize = 64;

impl Queue {
    /// How many wait.
    pub(in crate::engine) fn len(&self) -> usize {
        self.ids.len().saturating_sub(self.gaps)
    }

    /// Whether not even gaps are left.
    pub(in crate::engine) fn is_clear(&self) -> bool {
        self.ids.is_empty()
    }

    /// Those that wait, and gaps.
    pub(in crate::engine) fn ids(&self) -> impl Iterator<Item = OperationId> {
        self.ids.iter().copied()
    }

    pub(in crate::engine) fn push_back(&mut self, id: OperationId) {
        self.ids.push_back(id);
    }

    /// Gives back memory that a burst has left.
    pub(in crate::engine) fn give_back_memory(&mut self) {
        self.ids.shrink_to(2 * self.ids.len());
    }

    /// Before all others.
    pub(in crate::engine) fn push_front(&mut self, id: OperationId) {
        (self.before_messages, self.before_at_most_once) = (0, 0);
        self.ids.push_front(id);
    }

    /// The one whose turn it is.
    pub(in crate::engine) fn front(&mut self, operations: &Operations) -> Option<OperationId> {
        loop {
            let id = *self.ids.front()?;
            if waits(id, operations) {
                return Some(id);
            }
            self.remove_front();
            self.gaps = self.gaps.saturating_sub(1);
        }
    }

    /// Takes the one whose turn it is.
    pub(in crate::engine) fn pop_front(&mut self, operations: &Operations) -> Option<OperationId> {
        let id = self.front(operations)?;
        self.remove_front();
        Some(id)
    }

    /// The message that has waited longest.
    pub(in crate::engine) fn oldest_message(
        &mut self,
        operations: &Operations,
    ) -> Option<OperationId> {
        let is_message =
            |id| waits(id, operations) && operations.get_by(id).is_some_and(Operation::is_publish);
        find_from(&mut self.before_messages, &self.ids, is_message)
    }

    /// The message of QoS 0 that has waited longest.
    pub(in crate::engine) fn oldest_at_most_once(
        &mut self,
        operations: &Operations,
    ) -> Option<OperationId> {
        let is_at_most_once = |each: &Operation| each.kind == Kind::PublishAtMostOnce;
        let is_it =
            |id| waits(id, operations) && operations.get_by(id).is_some_and(is_at_most_once);
        find_from(&mut self.before_at_most_once, &self.ids, is_it)
    }

    fn remove_front(&mut self) {
        self.ids.pop_front();
        self.before_messages = self.before_messages.saturating_sub(1);
        self.before_at_most_once = self.before_at_most_once.saturating_sub(1);
    }

    /// One of them has come to its end. The gaps are closed before they outnumber what waits.
    pub(in crate::engine) fn leave_gap(&mut self, operations: &Operations) {
        self.gaps += 1;
        if self.gaps > GAPS + self.len() {
            self.retain(|id| waits(id, operations));
        }
    }

    /// Keeps only what `keeps` says.
    pub(in crate::engine) fn retain(&mut self, mut keeps: impl FnMut(OperationId) -> bool) {
        self.ids.retain(|id| keeps(*id));
        self.gaps = 0;
        (self.before_messages, self.before_at_most_once) = (0, 0);
    }
}

/// The first that `is` it, and how many there are `before` it: those aren't looked at twice.
fn find_from(
    before: &mut usize,
    ids: &VecDeque<OperationId>,
    is: impl Fn(OperationId) -> bool,
) -> Option<OperationId> {
    loop {
        let id = *ids.get(*before)?;
        if is(id) {
            return Some(id);
        }
        *before += 1;
    }
}

fn waits(id: OperationId, operations: &Operations) -> bool {
    operations
        .get_by(id)
        .is_some_and(|operation| operation.phase == Phase::Queued)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::RequestError;

    #[test]
    fn gaps_are_passed_over_and_bounded() {
        let (mut queue, mut operations) = (Queue::default(), Operations::default());
        let insert = |operations: &mut Operations, queue: &mut Queue| {
            let id = operations.insert(Kind::PublishAtLeastOnce, Vec::new());
            queue.push_back(id);
            id
        };
        let first = insert(&mut operations, &mut queue);
        for _ in 0..10_000 {
            let id = insert(&mut operations, &mut queue);
            operations.finish(id.key(), Err(RequestError::SessionLost));
            queue.leave_gap(&operations);
            assert_eq!(queue.len(), 1);
            assert!(queue.ids.len() <= 2 * GAPS);
        }
        let last = insert(&mut operations, &mut queue);
        assert_eq!(queue.pop_front(&operations), Some(first));
        assert_eq!(queue.pop_front(&operations), Some(last));
        assert_eq!((queue.pop_front(&operations), queue.len()), (None, 0));
    }

    #[test]
    fn the_oldest_message_is_found_behind_other_requests() {
        let (mut queue, mut operations) = (Queue::default(), Operations::default());
        let kinds = [
            Kind::Subscribe,
            Kind::PublishAtMostOnce,
            Kind::Unsubscribe,
            Kind::PublishExactlyOnce,
        ];
        let ids = kinds.map(|kind| operations.insert(kind, Vec::new()));
        ids.into_iter().for_each(|id| queue.push_back(id));
        for oldest in [ids[1], ids[3]] {
            assert_eq!(queue.oldest_message(&operations), Some(oldest));
            operations.finish(oldest.key(), Err(RequestError::SessionLost));
            queue.leave_gap(&operations);
        }
        assert_eq!(queue.oldest_message(&operations), None);
        let first = operations.insert(Kind::PublishAtLeastOnce, Vec::new());
        queue.push_front(first);
        assert_eq!(queue.oldest_message(&operations), Some(first));
        assert_eq!(
            (queue.pop_front(&operations), queue.pop_front(&operations)),
            (Some(first), Some(ids[0]))
        );
        assert_eq!(queue.oldest_message(&operations), None);
    }
}
