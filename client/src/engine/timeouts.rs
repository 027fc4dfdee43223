//! Requests that take too long: not acknowledged in time, or not done in time.

use std::time::{Duration, Instant};

use super::Engine;
use super::operation::{Kind, OperationId, Phase};
use super::request::requested;
use super::session::Session;
use crate::error::RequestError;

impl Engine {
    /// A request was accepted that has this time, outages included; `None` means any length of time.
    pub(super) fn limit_request(&mut self, id: OperationId, timeout: Option<Duration>) {
        // A time beyond the clock's range is never.
        let deadline = self.now.zip(timeout).and_then(|(now, timeout)| now.checked_add(timeout));
        if let Some(deadline) = deadline {
            self.session.request_deadlines.push(deadline, id, &self.session.operations);
        }
    }

    /// Fails requests whose time is over: that for the acknowledgement, and that from acceptance on.
    pub(super) fn time_out_requests(&mut self, now: Instant) {
        let after = self.options.ack_timeout;
        while let Some(id) = self.session.ack_deadlines.pop_due(now) {
            self.time_out(id, RequestError::Timeout { after });
        }
        let Session { operations, ack_deadlines, .. } = &mut self.session;
        ack_deadlines.forget(operations.load().0, |id| operations.is_over(id));

        while let Some(id) = self.session.request_deadlines.pop_due(now) {
            let Some(operation) = self.session.operations.get_by(id) else { continue };
            let timeout = self.options.request_timeout;
            let after = match operation.kind {
                Kind::Subscribe => timeout.subscribe,
                Kind::Unsubscribe => timeout.unsubscribe,
                _ => timeout.publish,
            };
            self.time_out(id, RequestError::RequestTimeout { after: after.unwrap_or_default() });
        }
    }

    /// A request fails, unless it has its outcome. What is on the wire keeps its identifier until the server lets go of it.
    fn time_out(&mut self, id: OperationId, error: RequestError) {
        let operations = &mut self.session.operations;
        let Some(operation) = operations.get_by(id) else { return };
        if operation.phase == Phase::Done || operation.is_settled() {
            return;
        }
        let (kind, order) = (operation.kind, operation.order);
        let packet = if kind == Kind::Subscribe { operation.packet.clone() } else { Vec::new() };

        // What waits to be sent isn't sent any more; but a subscription that was to end is still to end.
        if operation.phase == Phase::Queued && kind != Kind::Unsubscribe {
            operations.finish(id.key(), Err(error.clone()));
            self.session.queue.leave_gap(&self.session.operations);
        } else {
            operations.settle(id.key(), Err(error.clone()));
        }

        if kind == Kind::Resubscribe {
            self.give_renewal_up(id);
        }
        for (filter, _) in requested(&packet) {
            self.lose_unrenewed(filter, order, &error);
        }
    }
}

impl Session {
    /// When the next request times out or expires.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let (expiry, ack) = (self.expiries.next(), self.ack_deadlines.next());
        expiry.into_iter().chain(ack).chain(self.request_deadlines.next()).min()
    }

    /// The connection is closed: the time for acknowledgements goes on with the next one.
    pub(super) fn pause_ack_deadlines(&mut self, now: Option<Instant>) {
        let Self { operations, ack_deadlines, .. } = self;
        ack_deadlines.stop(now).for_each(|id| operations.set_timed(id));
        ack_deadlines.forget(operations.load().0, |id| operations.is_over(id));
    }
}
