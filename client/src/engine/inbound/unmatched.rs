//! Received messages that no stream of the application matches yet.

use std::collections::BTreeSet;

use crate::engine::inbound::{DeliveryId, Inbound};

/// Unmatched messages in order of arrival.
#[derive(Debug, Default)]
pub(in crate::engine) struct Unmatched(BTreeSet<DeliveryId>);

impl Unmatched {
    /// Removes a message; whether it was there.
    #[inline]
    pub(in crate::engine) fn remove(&mut self, id: DeliveryId) -> bool {
        !self.0.is_empty() && self.0.remove(&id)
    }

    pub(in crate::engine) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Inbound {
    /// Lets a message wait for a stream.
    pub(in crate::engine) fn keep_unmatched(&mut self, id: DeliveryId) {
        self.unmatched.0.insert(id);
    }

    /// A stream has got the message; whether it still waited for one.
    pub(in crate::engine) fn match_unmatched(&mut self, id: DeliveryId) -> bool {
        self.unmatched.remove(id)
    }

    /// Whether a message waits for a stream.
    pub(in crate::engine) fn has_unmatched(&self) -> bool {
        !self.unmatched.0.is_empty()
    }

    /// The oldest unmatched message, if their wait `is_over`, or if at least `most`
    /// acknowledgements wait for its own.
    pub(in crate::engine) fn overdue_unmatched(
        &self,
        is_over: bool,
        most: usize,
    ) -> Option<DeliveryId> {
        let oldest = self.unmatched.0.first()?;
        if is_over {
            return Some(*oldest);
        }
        // After a reconnection the server may repeat messages in another order.
        let first = self.owed.front().map(|owed| owed.name)?;
        (self.ready >= most && self.unmatched.0.contains(&first)).then_some(first)
    }
}
