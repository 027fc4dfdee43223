//! Received messages that no stream of the application matches yet, and until when they wait for one.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{DeliveryId, Inbound};

/// Unmatched messages in order of arrival, each with its deadline.
#[derive(Debug, Default)]
pub(super) struct Unmatched(BTreeMap<DeliveryId, Instant>);

impl Unmatched {
    /// Removes a message; whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, id: DeliveryId) -> bool {
        !self.0.is_empty() && self.0.remove(&id).is_some()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Inbound {
    /// Lets a message wait for a stream until `deadline`.
    pub(in crate::engine) fn keep_unmatched(&mut self, id: DeliveryId, deadline: Instant) {
        self.unmatched.0.insert(id, deadline);
    }

    /// A stream has got the message; whether it still waited for one.
    pub(in crate::engine) fn match_unmatched(&mut self, id: DeliveryId) -> bool {
        self.unmatched.remove(id)
    }

    /// When the first unmatched message has waited long enough.
    pub(in crate::engine) fn unmatched_deadline(&self) -> Option<Instant> {
        self.unmatched.0.first_key_value().map(|(_, deadline)| *deadline)
    }

    /// The oldest unmatched message, if its deadline has passed, or if at least `most` acknowledgements wait for its own.
    pub(in crate::engine) fn overdue_unmatched(
        &self,
        now: Option<Instant>,
        most: usize,
    ) -> Option<DeliveryId> {
        let (oldest, deadline) = self.unmatched.0.first_key_value()?;
        let has_waited = now.is_some_and(|now| *deadline <= now);
        if has_waited {
            return Some(*oldest);
        }
        // After a reconnection the server may repeat messages in another order.
        let first = self.owed.front().map(|owed| owed.name)?;
        (self.ready >= most && self.unmatched.0.contains_key(&first)).then_some(first)
    }
}
