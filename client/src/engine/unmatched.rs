//! Messages of a resumed session for which the application has no stream yet: kept for a while, then refused.

use std::time::{Duration, Instant};

use dunlin_codec::ReasonCode;

use super::{DeliveryId, Engine, EngineEvent};

impl Engine {
    /// Whether the server may send messages for subscriptions that were made before this engine existed: it resumes a session
    /// that another engine or process began. `false` as soon as a server reports that it has no session.
    #[must_use]
    pub const fn may_receive_unmatched(&self) -> bool {
        self.inherits_session
    }

    /// Keeps a message unacknowledged that matches no stream of the application, so that a later stream can get it.
    ///
    /// Returns `false` and does nothing where nothing is to be waited for: the session began with this engine
    /// ([`may_receive_unmatched`](Self::may_receive_unmatched)), or
    /// [`unmatched_wait`](crate::ConnectOptions::unmatched_wait) is zero. Then the caller answers the message at once.
    ///
    /// Otherwise the message waits until [`match_unmatched`](Self::match_unmatched), [`take`](Self::take) or
    /// [`answer`](Self::answer), but no longer than `unmatched_wait`, and only while fewer acknowledgements than half of this
    /// client's Receive Maximum wait behind it (acknowledgements leave in order, §4.6). After that the engine refuses it with
    /// reason code 0x80 and reports [`EngineEvent::UnmatchedRefused`].
    pub fn keep_unmatched(&mut self, id: DeliveryId) -> bool {
        let Some(deadline) = self.unmatched_until() else { return false };
        self.session.inbound.keep_unmatched(id, deadline);
        // So many acknowledgements may be waiting already.
        self.send_due_acks();
        true
    }

    /// Until when an unmatched message that arrives now waits; `None` if nothing waits.
    pub(crate) fn unmatched_until(&self) -> Option<Instant> {
        let wait = self.options.unmatched_wait;
        if !self.inherits_session || wait.is_zero() {
            return None;
        }
        let now = self.now?;
        now.checked_add(wait).or_else(|| now.checked_add(FOREVER))
    }

    /// A stream of the application has got a message that was [kept](Self::keep_unmatched). Returns `false` if the message was
    /// refused before.
    pub fn match_unmatched(&mut self, id: DeliveryId) -> bool {
        self.session.inbound.match_unmatched(id)
    }

    /// Refuses unmatched messages that have waited long enough. Returns whether there were any.
    pub(super) fn refuse_unmatched(&mut self) -> bool {
        let most = usize::from(self.announced_receive_maximum / 2).max(1);
        let mut has_refused = false;
        while let Some(id) = self.session.inbound.overdue_unmatched(self.now, most) {
            self.session.inbound.answer(id, ReasonCode::UnspecifiedError);
            self.events.push_back(EngineEvent::UnmatchedRefused(id));
            has_refused = true;
        }
        has_refused
    }
}

/// Stands for a wait beyond the clock's range.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);
