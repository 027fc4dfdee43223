//! Message Expiry Interval of messages that wait to be sent (§3.3.2.3.3).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use super::Outbound;
use super::accepted_request::OperationId;
use super::operations::Operations;
use crate::engine::statistics::Statistics;
use crate::error::RequestError;

/// Times of requests, the earliest at the top. Some of the requests were sent or are complete by
/// now.
#[derive(Debug, Default)]
pub(in crate::engine) struct Expiries(BinaryHeap<Reverse<(Instant, OperationId)>>);

impl Expiries {
    /// Earliest time; `None` if there is none.
    pub(in crate::engine) fn next(&self) -> Option<Instant> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }

    pub(in crate::engine) fn push(
        &mut self,
        at: Instant,
        id: OperationId,
        operations: &Operations,
    ) {
        self.0.push(Reverse((at, id)));
        // Entries of complete requests are dropped before they are the majority.
        if self.0.len() > 64 + 2 * operations.load().0 {
            self.0.retain(|Reverse((_, id))| !operations.is_over(*id));
        }
    }

    /// Removes the earliest entry if its time has come.
    pub(in crate::engine) fn pop_due(&mut self, now: Instant) -> Option<OperationId> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, id))| id)
    }
}

impl Outbound {
    /// Makes a queued message fail when it expires, if it does.
    pub(in crate::engine) fn watch_expiry(&mut self, id: OperationId) {
        let Some(operation) = self.operations.get_mut_by(id) else {
            return;
        };
        // Only queued messages expire; one entry for each is enough.
        if let (true, Some(expiry)) = (operation.is_queued(), &mut operation.expiry)
            && !expiry.is_watched
        {
            expiry.is_watched = true;
            let at = expiry.at;
            self.expiries.push(at, id, &self.operations);
        }
    }

    /// Fails queued messages that have expired. Those that were sent before are repeated all the
    /// same.
    #[inline]
    pub(in crate::engine) fn expire(&mut self, now: Instant, statistics: &mut Statistics) {
        // Called for each message: mostly none of those that wait expire.
        if self.expiries.next().is_some_and(|at| at <= now) {
            self.expire_due(now, statistics);
        }
    }

    fn expire_due(&mut self, now: Instant, statistics: &mut Statistics) {
        while let Some(id) = self.expiries.pop_due(now) {
            let Some(operation) = self.operations.get_mut_by(id) else {
                continue;
            };
            if let Some(expiry) = &mut operation.expiry {
                expiry.is_watched = false;
            }
            if operation.is_queued() {
                let bytes = operation.request.size();
                statistics.dropped_messages.expired.add(bytes);
                self.complete_queued(id, RequestError::Expired, statistics);
            }
        }
    }

    /// Returns `true` if a queued message may expire.
    #[cfg(feature = "tokio")]
    pub(in crate::engine) fn has_expiries(&self) -> bool {
        self.expiries.next().is_some()
    }
}

/// Rest of a Message Expiry Interval in seconds: the interval less the whole seconds that the
/// message has waited.
pub(in crate::engine) fn seconds_left(expires: Instant, now: Instant) -> u32 {
    let left = expires.saturating_duration_since(now);
    let begun = left.as_secs() + u64::from(left > Duration::from_secs(left.as_secs()));
    u32::try_from(begun).unwrap_or(u32::MAX)
}
