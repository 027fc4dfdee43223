//! Messages of a resumed session for which the application has no stream yet: kept for a while,
//! then refused.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::{DeliveryId, Inbound};

/// Unmatched messages in order of arrival.
#[derive(Debug, Default)]
pub(super) struct UnmatchedMessages(BTreeSet<DeliveryId>);

/// Time during which unmatched messages wait for a stream.
#[derive(Debug)]
pub(in crate::engine) struct UnmatchedWait {
    /// `true` while the session may have subscriptions that were made before this engine existed.
    pub(in crate::engine) inherits_session: bool,
    /// End of the wait; `None` before a connection has resumed a session.
    until: Option<Instant>,
}

/// Stands for a wait beyond the clock's range.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);

impl UnmatchedMessages {
    /// Removes a message. Returns whether it was there.
    #[inline]
    pub(super) fn remove(&mut self, id: DeliveryId) -> bool {
        !self.0.is_empty() && self.0.remove(&id)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Inbound {
    /// Lets a message wait for a stream.
    pub(in crate::engine) fn keep_unmatched(&mut self, id: DeliveryId) {
        self.unmatched.0.insert(id);
    }

    /// Ends the wait of a message that a stream has got. Returns whether it still waited.
    pub(in crate::engine) fn match_unmatched(&mut self, id: DeliveryId) -> bool {
        self.unmatched.remove(id)
    }

    /// Returns `true` if a message waits for a stream.
    pub(in crate::engine) fn has_unmatched(&self) -> bool {
        !self.unmatched.0.is_empty()
    }

    /// The oldest unmatched message, if the wait `is_over`. Before that, the unmatched message
    /// whose acknowledgement comes first, if at least `maximum` wait behind it.
    pub(in crate::engine) fn overdue_unmatched(
        &self,
        is_over: bool,
        maximum: usize,
    ) -> Option<DeliveryId> {
        let oldest = self.unmatched.0.first()?;
        if is_over {
            return Some(*oldest);
        }
        // The first need not be the oldest: an abandoned message comes again under a new number.
        let first = self.pending_acks.front().map(|pending| pending.id)?;
        (self.ready >= maximum && self.unmatched.0.contains(&first)).then_some(first)
    }
}

impl UnmatchedWait {
    /// The session may be inherited, and no connection has resumed it.
    pub(in crate::engine) const fn new() -> Self {
        Self {
            inherits_session: true,
            until: None,
        }
    }

    /// Starts the wait, once: the application has `wait` to open its streams after the first
    /// connection that resumed the session.
    pub(in crate::engine) fn start(&mut self, now: Instant, wait: Duration) {
        if self.until.is_none() {
            let until = now.checked_add(wait);
            self.until = until.or_else(|| now.checked_add(FOREVER));
        }
    }

    /// End of the wait, whatever the session is; `None` before the wait has started.
    pub(in crate::engine) const fn end(&self) -> Option<Instant> {
        self.until
    }

    /// Time until which unmatched messages wait, which may be in the past; `None` if none wait.
    pub(in crate::engine) fn until(&self, wait: Duration) -> Option<Instant> {
        self.until
            .filter(|_| self.inherits_session && !wait.is_zero())
    }

    /// Returns `true` if unmatched messages are refused as soon as they arrive.
    pub(in crate::engine) fn is_over(&self, now: Option<Instant>) -> bool {
        self.until
            .is_some_and(|until| now.is_some_and(|now| until <= now))
    }
}
