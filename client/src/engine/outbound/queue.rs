//! Queue of requests that wait to be sent for the first time. Some are complete before they are
//! sent, and stay as gaps for a while.

use std::collections::VecDeque;

use super::accepted_request::{AcceptedRequest, OperationId};
use super::operations::Operations;

/// Queue of request identifiers.
#[derive(Debug, Default)]
pub(in crate::engine) struct Queue {
    ids: VecDeque<OperationId>,
    /// Number of entries that do not wait any more.
    gaps: usize,
    /// Number of entries at the front that are not messages.
    before_messages: usize,
    /// Number of entries at the front that are not messages of QoS 0.
    before_at_most_once: usize,
}

/// Number of gaps that are left alone, however few requests wait between them.
const GAPS: usize = 64;

impl Queue {
    /// Number of requests that wait.
    pub(in crate::engine) fn len(&self) -> usize {
        self.ids.len().saturating_sub(self.gaps)
    }

    /// Returns `true` if there are neither requests nor gaps.
    pub(in crate::engine) fn is_clear(&self) -> bool {
        self.ids.is_empty()
    }

    /// Requests that wait, and gaps.
    pub(in crate::engine) fn ids(&self) -> impl Iterator<Item = OperationId> {
        self.ids.iter().copied()
    }

    pub(in crate::engine) fn push_back(&mut self, id: OperationId) {
        self.ids.push_back(id);
    }

    /// Shrinks what a burst has left.
    pub(in crate::engine) fn give_back_memory(&mut self) {
        self.ids.shrink_to(2 * self.ids.len());
    }

    /// Inserts a request before all others.
    pub(in crate::engine) fn push_front(&mut self, id: OperationId) {
        (self.before_messages, self.before_at_most_once) = (0, 0);
        self.ids.push_front(id);
    }

    /// The request that is sent next.
    pub(in crate::engine) fn front(&mut self, operations: &Operations) -> Option<OperationId> {
        loop {
            let id = *self.ids.front()?;
            // Requests may have completed while they waited.
            if waits(id, operations, |_| true) {
                return Some(id);
            }
            self.remove_front();
            self.gaps = self.gaps.saturating_sub(1);
        }
    }

    /// Removes the request that is sent next.
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
        let is_message = |id| waits(id, operations, |each| each.request.is_publish());
        find_from(&mut self.before_messages, &self.ids, is_message)
    }

    /// The message of QoS 0 that has waited longest.
    pub(in crate::engine) fn oldest_at_most_once(
        &mut self,
        operations: &Operations,
    ) -> Option<OperationId> {
        let is_it = |id| waits(id, operations, |each| each.request.is_at_most_once());
        find_from(&mut self.before_at_most_once, &self.ids, is_it)
    }

    fn remove_front(&mut self) {
        self.ids.pop_front();
        self.before_messages = self.before_messages.saturating_sub(1);
        self.before_at_most_once = self.before_at_most_once.saturating_sub(1);
    }

    /// Notes that a request in the queue is complete. Gaps are closed before they are the majority.
    pub(in crate::engine) fn leave_gap(&mut self, operations: &Operations) {
        self.gaps += 1;
        // Closing gaps costs time in proportion to the queue, so it happens rarely.
        if self.gaps > GAPS + self.len() {
            self.retain(|id| waits(id, operations, |_| true));
        }
    }

    /// Keeps the requests for which `keeps` returns `true`.
    pub(in crate::engine) fn retain(&mut self, mut keeps: impl FnMut(OperationId) -> bool) {
        self.ids.retain(|id| keeps(*id));
        self.gaps = 0;
        (self.before_messages, self.before_at_most_once) = (0, 0);
    }
}

/// Finds the first request that `is` it. `before` counts the entries before it, so that none is
/// looked at twice.
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

/// Returns `true` if a request waits to be sent, and `is` one of those that are looked for.
fn waits(id: OperationId, operations: &Operations, is: impl Fn(&AcceptedRequest) -> bool) -> bool {
    operations
        .get_by(id)
        .is_some_and(|operation| operation.is_queued() && is(operation))
}

#[cfg(test)]
mod tests {
    use dunlin_codec::{QoS, SubscribeProperties, SubscriptionOptions, UnsubscribeProperties};

    use super::*;
    use crate::engine::outbound::operations::tests::message;
    use crate::engine::outbound::request::{Request, SubscribeRequest, UnsubscribeRequest};
    use crate::engine::statistics::Statistics;
    use crate::error::RequestError;

    #[test]
    fn gaps_are_passed_over_and_bounded() {
        let (mut queue, mut operations) = (Queue::default(), Operations::default());
        let mut statistics = Statistics::default();
        let insert = |operations: &mut Operations, queue: &mut Queue| {
            let id = operations.insert(message(QoS::AtLeastOnce));
            queue.push_back(id);
            id
        };
        let first = insert(&mut operations, &mut queue);
        for _ in 0..10_000 {
            let id = insert(&mut operations, &mut queue);
            operations.complete(id.key(), Err(RequestError::SessionLost), &mut statistics);
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
        let mut statistics = Statistics::default();
        let filter = ("a", SubscriptionOptions::default());
        let subscribe = SubscribeRequest::new(&[filter], SubscribeProperties::default()).unwrap();
        let unsubscribe =
            UnsubscribeRequest::new(&["a"], UnsubscribeProperties::default()).unwrap();
        let requests = [
            Request::Subscribe(Box::new(subscribe)),
            message(QoS::AtMostOnce),
            Request::Unsubscribe(Box::new(unsubscribe)),
            message(QoS::ExactlyOnce),
        ];
        let ids = requests.map(|request| operations.insert(request));
        ids.into_iter().for_each(|id| queue.push_back(id));
        for oldest in [ids[1], ids[3]] {
            assert_eq!(queue.oldest_message(&operations), Some(oldest));
            let lost = Err(RequestError::SessionLost);
            operations.complete(oldest.key(), lost, &mut statistics);
            queue.leave_gap(&operations);
        }
        assert_eq!(queue.oldest_message(&operations), None);
        let first = operations.insert(message(QoS::AtLeastOnce));
        queue.push_front(first);
        assert_eq!(queue.oldest_message(&operations), Some(first));
        assert_eq!(
            (queue.pop_front(&operations), queue.pop_front(&operations)),
            (Some(first), Some(ids[0]))
        );
        assert_eq!(queue.oldest_message(&operations), None);
    }
}
