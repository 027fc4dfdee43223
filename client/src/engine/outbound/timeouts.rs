//! Requests that take too long: not sent, not acknowledged, or not complete in time.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Outbound;
use super::accepted_request::{OperationId, RequestStage, TimeLimit};
use super::request::{Request, SubscribeRequest};
use super::send_context::SendContext;
use crate::error::RequestError;

/// A SUBSCRIBE that timed out: subscriptions may be lost with it.
#[derive(Debug)]
pub(in crate::engine) struct TimedOutSubscribe {
    pub(in crate::engine) subscribe: SubscribeRequest,
    /// Number of its send; 0 if it was not sent.
    pub(in crate::engine) order: u64,
    pub(in crate::engine) error: RequestError,
}

/// Callback of [`Outbound::time_out`].
pub(in crate::engine) type OnSubscribe<'a> =
    dyn FnMut(&mut Outbound, TimedOutSubscribe, &mut SendContext<'_>) + 'a;

impl Outbound {
    /// Limits the time of a request that was accepted just now, outages included; `None` means no
    /// limit.
    pub(in crate::engine) fn limit_request(
        &mut self,
        id: OperationId,
        timeout: Option<Duration>,
        now: Option<Instant>,
    ) {
        // A time beyond the clock's range is never.
        let deadline = now
            .zip(timeout)
            .and_then(|(now, timeout)| now.checked_add(timeout));
        if let Some(deadline) = deadline {
            self.request_deadlines.push(deadline, id, &self.operations);
        }
    }

    /// Fails requests whose time is over: that for sending, that for the acknowledgement, and that
    /// from acceptance on. Calls `on_subscribe` for each SUBSCRIBE among them, right after it
    /// failed.
    pub(in crate::engine) fn time_out(
        &mut self,
        now: Instant,
        cx: &mut SendContext<'_>,
        on_subscribe: &mut OnSubscribe<'_>,
    ) {
        let after = cx.options.ack_timeout;

        // Requests that wait to be sent fail or go on together: what counts is the last acknowledgement.
        let mut waiting = Vec::new();
        while let Some((id, is_for_sending)) = self.ack_deadlines.pop_due(now) {
            if is_for_sending {
                waiting.push(id);
            } else {
                self.time_out_one(id, RequestError::Timeout { after }, cx, on_subscribe);
            }
        }
        if !waiting.is_empty() {
            self.time_out_waiting(&waiting, now, cx, on_subscribe);
        }
        self.forget_deadlines();

        // Deadlines that count from acceptance, outages included.
        while let Some(id) = self.request_deadlines.pop_due(now) {
            let Some(operation) = self.operations.get_by(id) else {
                continue;
            };
            let timeout = cx.options.request_timeout;
            let after = match &operation.request {
                Request::Subscribe(subscribe) if !subscribe.is_resubscribe => timeout.subscribe,
                Request::Unsubscribe(_) => timeout.unsubscribe,
                _ => timeout.publish,
            };
            let after = after.unwrap_or_default();
            self.time_out_one(id, RequestError::RequestTimeout { after }, cx, on_subscribe);
        }
    }

    /// Limits the time of all queued requests that have no limit, unless the rate limit alone holds
    /// them back.
    pub(in crate::engine) fn limit_waiting(&mut self, cx: &SendContext<'_>) {
        let Some(now) = cx.now.filter(|_| cx.flow.is_some()) else {
            return;
        };
        let is_paced = cx.is_paced();
        let (operations, resend) = (&mut self.operations, &self.resend);
        let waiting = resend.iter().copied().chain(self.queue.ids());
        let added = waiting.filter(|id| operations.limit_sending(*id, is_paced));
        self.ack_deadlines
            .add_waiting(added, cx.options.ack_timeout, now);
    }

    /// Limits the time of one queued request.
    pub(in crate::engine) fn limit_waiting_for(&mut self, id: OperationId, cx: &SendContext<'_>) {
        let Some(now) = cx.now.filter(|_| cx.flow.is_some()) else {
            return;
        };
        if self.operations.limit_sending(id, cx.is_paced()) {
            self.ack_deadlines
                .add_waiting(std::iter::once(id), cx.options.ack_timeout, now);
        }
    }

    /// Limits the time of requests in the output, because the transport does not take it.
    pub(in crate::engine) fn limit_unsent(&mut self, now: Instant, cx: &mut SendContext<'_>) {
        // Requests before the last limited one are limited as well.
        let unlimited = cx
            .output
            .requests_mut()
            .rev()
            .take_while(|each| !each.is_limited);
        let operations = &mut self.operations;
        let added = unlimited.filter_map(|each| {
            each.is_limited = true;
            let id = each.request.id;
            operations.limit_sending(id, false).then_some(id)
        });
        self.ack_deadlines
            .add_waiting(added, cx.options.ack_timeout, now);
    }

    /// Starts the time for acknowledgements of requests that were handed to the transport.
    pub(in crate::engine) fn await_acknowledgements(&mut self, now: Instant, cx: &SendContext<'_>) {
        let requests = cx.output.handed_out();
        let without_deadline = requests
            .filter(|each| !each.has_deadline)
            .map(|each| each.id);
        self.ack_deadlines
            .add(without_deadline, cx.options.ack_timeout, now);
    }

    /// Starts the clock of acknowledgements with a connection.
    pub(in crate::engine) const fn start_ack_deadlines(&mut self, now: Instant) {
        self.ack_deadlines.start(now);
    }

    /// Stops the clock of acknowledgements with the connection: it goes on with the next one.
    pub(in crate::engine) fn pause_ack_deadlines(&mut self, now: Option<Instant>) {
        let operations = &mut self.operations;
        self.ack_deadlines
            .stop(now)
            .for_each(|id| operations.limit_acknowledgement(id));
        self.forget_deadlines();
    }

    /// Drops deadlines of complete requests.
    pub(in crate::engine) fn forget_deadlines(&mut self) {
        let operations = &self.operations;
        self.ack_deadlines
            .forget(operations.load().0, |id| operations.is_over(id));
    }

    /// Earliest time at which a request times out or expires; `None` if there is none.
    pub(in crate::engine) fn next_timeout(&self) -> Option<Instant> {
        let (expiry, ack) = (self.expiries.next(), self.ack_deadlines.next());
        expiry
            .into_iter()
            .chain(ack)
            .chain(self.request_deadlines.next())
            .min()
    }

    /// Judges requests that have had their time for being sent.
    ///
    /// Requests that still wait fail if the server has acknowledged nothing for so long. Otherwise
    /// they go on waiting, as do those that the rate limit alone holds back.
    fn time_out_waiting(
        &mut self,
        ids: &[OperationId],
        now: Instant,
        cx: &mut SendContext<'_>,
        on_subscribe: &mut OnSubscribe<'_>,
    ) {
        let after = cx.options.ack_timeout;
        // Requests in the output are not with the transport yet: they still wait.
        let in_output: HashSet<_> = cx.output.requests().map(|each| each.id).collect();
        let makes_progress = self.ack_deadlines.makes_progress(after, now);
        let is_paced = cx.is_paced();
        let has_space = !self.packet_ids.is_full()
            && cx.flow.as_ref().is_some_and(|flow| flow.quota.has_space());
        let (mut again, mut paced) = (Vec::new(), Vec::new());
        for id in ids {
            let Some(operation) = self.operations.get_by(*id) else {
                continue;
            };
            let request = &operation.request;
            match operation.stage {
                // The stricter limit, for the acknowledgement, is in force.
                _ if operation.time_limit == TimeLimit::ForAcknowledgement => {}
                // Sent in time.
                RequestStage::Sent(_) | RequestStage::Released(_) if !in_output.contains(id) => {
                    self.operations.unlimit_sending(*id);
                }
                RequestStage::Done => {}
                // Held back by the rate limit alone.
                RequestStage::Queued
                    if is_paced
                        && request.is_publish()
                        && (request.is_at_most_once() || has_space) =>
                {
                    paced.push(*id);
                }
                // The server is slow, but not stuck.
                _ if makes_progress => again.push(*id),
                _ => self.time_out_one(*id, RequestError::Timeout { after }, cx, on_subscribe),
            }
        }
        self.ack_deadlines.add_again(again.into_iter(), after);
        self.ack_deadlines
            .add_waiting(paced.into_iter(), after, now);
    }

    /// Fails a request, unless its outcome is known. One that was sent keeps its packet identifier
    /// until the server acknowledges it.
    fn time_out_one(
        &mut self,
        id: OperationId,
        error: RequestError,
        cx: &mut SendContext<'_>,
        on_subscribe: &mut OnSubscribe<'_>,
    ) {
        let Some(operation) = self.operations.get_by(id) else {
            return;
        };
        // The first outcome counts.
        if operation.is_done() || operation.has_outcome() {
            return;
        }
        let order = operation.order;
        let subscribe = match &operation.request {
            Request::Subscribe(subscribe) => Some((**subscribe).clone()),
            _ => None,
        };

        // A queued request is not sent any more. UNSUBSCRIBE is: the server has to end the
        // subscription.
        let is_unsubscribe = matches!(operation.request, Request::Unsubscribe(_));
        if operation.is_queued() && !is_unsubscribe {
            self.complete_queued(id, error.clone(), cx.statistics);
        } else {
            let outcome = Err(error.clone());
            self.operations
                .set_outcome(id.key(), outcome, cx.statistics);
        }

        // Subscriptions of the filters may be lost now.
        if let Some(subscribe) = subscribe {
            let timed_out = TimedOutSubscribe {
                subscribe,
                order,
                error,
            };
            on_subscribe(self, timed_out, cx);
        }
    }
}
