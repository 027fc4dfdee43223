//! Messages that are worth sending for some time only (§3.3.2.3.3): when those that wait have
//! waited too long.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

#[cfg(feature = "tokio")]
use crate::engine::Engine;
use crate::engine::outbound::operation::{OperationId, Phase};
use crate::engine::outbound::operations::Operations;
use crate::engine::session::Session;
use crate::error::RequestError;
#[cfg(feature = "tokio")]
use crate::message::Message;

/// Points in time for requests, the earliest at the top. Some of the requests have been sent or are
/// over by now.
#[derive(Debug, Default)]
pub(in crate::engine) struct Expiries(BinaryHeap<Reverse<(Instant, OperationId)>>);

impl Expiries {
    /// The earliest of them.
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
        // Those that are over are let go of before they are the most.
        if self.0.len() > 64 + 2 * operations.load().0 {
            self.0.retain(|Reverse((_, id))| !operations.is_over(*id));
        }
    }

    pub(in crate::engine) fn pop_due(&mut self, now: Instant) -> Option<OperationId> {
        if self.next()? > now {
            return None;
        }
        self.0.pop().map(|Reverse((_, id))| id)
    }
}

impl Session {
    /// A message waits until its time is over.
    pub(in crate::engine) fn watch_expiry(&mut self, id: OperationId) {
        let Some(operation) = self.operations.get_mut(id.key()).filter(|each| each.is(id)) else {
            return;
        };
        if let (Phase::Queued, Some(at), false) =
            (operation.phase, operation.expires, operation.is_watched)
        {
            operation.is_watched = true;
            self.expiries.push(at, id, &self.operations);
        }
    }

    /// Fails messages that have waited too long. What was on a wire before isn't concerned: it has
    /// to be repeated.
    pub(in crate::engine) fn expire(&mut self, now: Instant) {
        while let Some(id) = self.expiries.pop_due(now) {
            let Some(operation) = self.operations.get_mut(id.key()).filter(|each| each.is(id))
            else {
                continue;
            };
            operation.is_watched = false;
            if operation.phase == Phase::Queued {
                let bytes = operation.packet.len();
                self.operations
                    .statistics_mut()
                    .dropped_messages
                    .expired
                    .add(bytes);
                self.operations.finish(id.key(), Err(RequestError::Expired));
                self.queue.leave_gap(&self.operations);
            }
        }
    }
}

#[cfg(feature = "tokio")]
impl Engine {
    /// The time at which `message` is published, where it makes no difference which: the last that
    /// was told. To read a clock takes a good part of the time in which a message is sent.
    pub(crate) fn time_enough_for(&self, message: &Message<'_>) -> Option<Instant> {
        let hangs_on_time = message.properties.message_expiry_interval.is_some()
            || self.session.expiries.next().is_some()
            || self.is_paced()
            || self.options.request_timeout.publish.is_some();
        self.now.filter(|_| !hangs_on_time)
    }
}

/// What is left `now` of a message's time: its interval less the whole seconds that it has waited.
pub(in crate::engine) fn seconds_left(expires: Instant, now: Instant) -> u32 {
    let left = expires.saturating_duration_since(now);
    let begun = left.as_secs() + u64::from(left > Duration::from_secs(left.as_secs()));
    u32::try_from(begun).unwrap_or(u32::MAX)
}
