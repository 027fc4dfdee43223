//! Requests that take too long: not acknowledged in time, or not done in time.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::engine::outbound::operation::{Kind, OperationId, Phase};
use crate::engine::outbound::request::requested;
use crate::engine::session::Session;
use crate::engine::{Engine, State};
use crate::error::RequestError;

impl Engine {
    /// A request was accepted that has this time, outages included; `None` means any length of
    /// time.
    pub(in crate::engine) fn limit_request(&mut self, id: OperationId, timeout: Option<Duration>) {
        // A time beyond the clock's range is never.
        let deadline = self
            .now
            .zip(timeout)
            .and_then(|(now, timeout)| now.checked_add(timeout));
        if let Some(deadline) = deadline {
            self.session
                .request_deadlines
                .push(deadline, id, &self.session.operations);
        }
    }

    /// Fails requests whose time is over: that for the acknowledgement, and that from acceptance
    /// on.
    pub(in crate::engine) fn time_out_requests(&mut self, now: Instant) {
        let after = self.options.ack_timeout;
        let mut waiting = Vec::new();
        while let Some((id, is_for_sending)) = self.session.ack_deadlines.pop_due(now) {
            if is_for_sending {
                waiting.push(id);
            } else {
                self.time_out(id, RequestError::Timeout { after });
            }
        }
        if !waiting.is_empty() {
            self.time_out_waiting(&waiting, after, now);
        }
        let Session {
            operations,
            ack_deadlines,
            ..
        } = &mut self.session;
        ack_deadlines.forget(operations.load().0, |id| operations.is_over(id));

        while let Some(id) = self.session.request_deadlines.pop_due(now) {
            let Some(operation) = self.session.operations.get_by(id) else {
                continue;
            };
            let timeout = self.options.request_timeout;
            let after = match operation.kind {
                Kind::Subscribe => timeout.subscribe,
                Kind::Unsubscribe => timeout.unsubscribe,
                _ => timeout.publish,
            };
            self.time_out(
                id,
                RequestError::RequestTimeout {
                    after: after.unwrap_or_default(),
                },
            );
        }
    }

    /// Requests in the queue get a deadline, as far as they have none and aren't held back by the
    /// pace alone.
    pub(in crate::engine) fn limit_waiting(&mut self) {
        let Some(now) = self.now.filter(|_| self.is_connected()) else {
            return;
        };
        let is_paced = self.is_paced();
        let Session {
            operations,
            ack_deadlines,
            queue,
            resend,
            ..
        } = &mut self.session;
        let waiting = resend.iter().copied().chain(queue.ids());
        let added = waiting.filter(|id| operations.limit_sending(*id, is_paced));
        ack_deadlines.add_waiting(added, self.options.ack_timeout, now);
    }

    /// The same for one request that was accepted just now.
    pub(in crate::engine) fn limit_waiting_for(&mut self, id: OperationId) {
        let Some(now) = self.now.filter(|_| self.is_connected()) else {
            return;
        };
        let is_paced = self.is_paced();
        let Session {
            operations,
            ack_deadlines,
            ..
        } = &mut self.session;
        if operations.limit_sending(id, is_paced) {
            ack_deadlines.add_waiting(std::iter::once(id), self.options.ack_timeout, now);
        }
    }

    /// The transport doesn't take the output yet: requests in it get a deadline, as far as they
    /// have none.
    pub fn limit_unsent(&mut self, now: Instant) {
        let State::Open(connection) = &mut self.state else {
            return;
        };
        // Those before the last one that has been seen have been seen, too.
        let unseen = connection
            .unsent
            .iter_mut()
            .rev()
            .take_while(|each| !each.is_limited);
        let Session {
            operations,
            ack_deadlines,
            ..
        } = &mut self.session;
        let added = unseen.filter_map(|each| {
            each.is_limited = true;
            operations.limit_sending(each.id, false).then_some(each.id)
        });
        ack_deadlines.add_waiting(added, self.options.ack_timeout, now);
    }

    /// These requests have had their time for being sent. Those that still wait fail if the server
    /// has acknowledged nothing for so long; otherwise they go on waiting, as do those that the
    /// pace alone holds back.
    fn time_out_waiting(&mut self, ids: &[OperationId], after: Duration, now: Instant) {
        let unsent: HashSet<_> = self.unsent().iter().map(|each| each.id).collect();
        let moves_on = self.session.ack_deadlines.moves_on(after, now);
        let has_space = !self.session.ids.is_full()
            && matches!(&self.state, State::Open(connection) if connection.quota.has_room());
        let is_paced = self.is_paced();
        let (mut again, mut paced) = (Vec::new(), Vec::new());
        for id in ids {
            let Some(operation) = self.session.operations.get_by(*id) else {
                continue;
            };
            let is_at_most_once = operation.kind == Kind::PublishAtMostOnce;
            match operation.phase {
                _ if operation.is_timed => self.session.operations.unlimit_sending(*id),
                Phase::Sent(_) | Phase::Released(_) if !unsent.contains(id) => {
                    self.session.operations.unlimit_sending(*id);
                }
                Phase::Done => {}
                Phase::Queued
                    if is_paced && operation.is_publish() && (is_at_most_once || has_space) =>
                {
                    paced.push(*id);
                }
                _ if moves_on => again.push(*id),
                _ => self.time_out(*id, RequestError::Timeout { after }),
            }
        }
        self.session
            .ack_deadlines
            .add_again(again.into_iter(), after);
        self.session
            .ack_deadlines
            .add_waiting(paced.into_iter(), after, now);
    }

    /// A request fails, unless it has its outcome. What is on the wire keeps its identifier until
    /// the server lets go of it.
    fn time_out(&mut self, id: OperationId, error: RequestError) {
        let operations = &mut self.session.operations;
        let Some(operation) = operations.get_by(id) else {
            return;
        };
        if operation.phase == Phase::Done || operation.is_settled() {
            return;
        }
        let (kind, order) = (operation.kind, operation.order);
        let packet = if kind == Kind::Subscribe {
            operation.packet.clone()
        } else {
            Vec::new()
        };

        // What waits to be sent isn't sent any more; but a subscription that was to end is still to
        // end.
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
            self.lose_unrenewed(filter, order, || error.clone());
        }
    }
}

impl Session {
    /// When the next request times out or expires.
    pub(in crate::engine) fn next_timeout(&self) -> Option<Instant> {
        let (expiry, ack) = (self.expiries.next(), self.ack_deadlines.next());
        expiry
            .into_iter()
            .chain(ack)
            .chain(self.request_deadlines.next())
            .min()
    }

    /// The connection is closed: the time for acknowledgements goes on with the next one.
    pub(in crate::engine) fn pause_ack_deadlines(&mut self, now: Option<Instant>) {
        let Self {
            operations,
            ack_deadlines,
            ..
        } = self;
        ack_deadlines
            .stop(now)
            .for_each(|id| operations.set_timed(id));
        ack_deadlines.forget(operations.load().0, |id| operations.is_over(id));
    }
}
