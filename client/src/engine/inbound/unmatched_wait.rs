//! Messages of a resumed session for which the application has no stream yet: kept for a while,
//! then refused.

use std::time::{Duration, Instant};

use dunlin_codec::ReasonCode;

use crate::engine::{DeliveryId, Engine, EngineEvent};

impl Engine {
    /// Whether the server may send messages for subscriptions that were made before this engine
    /// existed: it resumes a session that another engine or process began. `false` as soon as a
    /// server reports that it has no session.
    #[must_use]
    pub const fn may_receive_unmatched(&self) -> bool {
        self.inherits_session
    }

    /// Keeps a message unacknowledged that matches no stream of the application, so that a later
    /// stream can get it.
    ///
    /// Returns `false` and does nothing where nothing is to be waited for: the session began with
    /// this engine ([`may_receive_unmatched`](Self::may_receive_unmatched)), or
    /// [`unmatched_wait`](crate::ConnectOptions::unmatched_wait) is zero. Then the caller answers
    /// the message at once.
    ///
    /// Otherwise the message waits until [`match_unmatched`](Self::match_unmatched),
    /// [`take`](Self::take) or [`answer`](Self::answer), but only while fewer acknowledgements
    /// than half of this client's Receive Maximum wait behind it (acknowledgements leave in
    /// order, §4.6), and no longer than until `unmatched_wait` after the first CONNACK that
    /// resumed the session: outages included, and the same for all messages, so that those of a
    /// forgotten subscription don't hold up all others for one wait after another. After that
    /// the engine refuses it with reason code 0x80 and reports
    /// [`EngineEvent::UnmatchedRefused`]; a message that arrives later is refused at once.
    pub fn keep_unmatched(&mut self, id: DeliveryId) -> bool {
        if self.unmatched_until().is_none() {
            return false;
        }
        self.session.inbound.keep_unmatched(id);
        // The time may be over, or so many acknowledgements may be waiting already.
        self.send_due_acks();
        true
    }

    /// Until when unmatched messages wait, which may be in the past; `None` if nothing waits.
    pub(crate) fn unmatched_until(&self) -> Option<Instant> {
        self.unmatched_until
            .filter(|_| self.inherits_session && !self.options.unmatched_wait.is_zero())
    }

    /// The server goes on with the session: the application has some time to open its streams,
    /// once.
    pub(in crate::engine) fn begin_unmatched_wait(&mut self, now: Instant) {
        if self.unmatched_until.is_none() {
            let until = now.checked_add(self.options.unmatched_wait);
            self.unmatched_until = until.or_else(|| now.checked_add(FOREVER));
        }
    }

    /// Whether unmatched messages are refused as soon as they arrive.
    pub(in crate::engine) fn is_unmatched_wait_over(&self) -> bool {
        self.unmatched_until
            .is_some_and(|until| self.now.is_some_and(|now| until <= now))
    }

    /// A stream of the application has got a message that was [kept](Self::keep_unmatched). Returns
    /// `false` if the message was refused before.
    pub fn match_unmatched(&mut self, id: DeliveryId) -> bool {
        self.session.inbound.match_unmatched(id)
    }

    /// Refuses unmatched messages that can't wait any longer. Returns whether there were any.
    pub(in crate::engine) fn refuse_unmatched(&mut self) -> bool {
        let most = usize::from(self.announced_receive_maximum / 2).max(1);
        let is_over = self.is_unmatched_wait_over();
        let mut has_refused = false;
        while let Some(id) = self.session.inbound.overdue_unmatched(is_over, most) {
            self.session
                .inbound
                .answer(id, ReasonCode::UnspecifiedError);
            self.events.push_back(EngineEvent::UnmatchedRefused(id));
            has_refused = true;
        }
        has_refused
    }
}

/// Stands for a wait beyond the clock's range.
const FOREVER: Duration = Duration::from_secs(365 * 86_400);
