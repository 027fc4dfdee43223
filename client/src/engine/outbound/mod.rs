//! Requests on their way to the server: accepted, queued, sent, acknowledged.
//!
//! [`Outbound`] is the part that outlives a connection; [`Flow`](flow::Flow) belongs to one
//! connection and limits what it carries. A message takes this way: `send` accepts and writes it,
//! `acknowledge` completes it; `queue` holds it if it has to wait, `timeouts` and `expiry` end it,
//! `resumption` moves it to the next connection.

mod accept;
pub(super) mod accepted_request;
pub(super) mod ack_deadlines;
mod acknowledge;
mod admission;
pub(super) mod expiry;
pub(super) mod flow;
mod operation_changes;
pub(super) mod operations;
pub(super) mod outbound_aliases;
pub(super) mod outcome;
pub(super) mod pace;
pub(super) mod packet_ids;
mod poison;
pub(super) mod queue;
pub(super) mod quota;
pub(super) mod request;
mod resumption;
mod send;
pub(super) mod send_context;
pub(super) mod timeouts;
mod totals;

use std::collections::VecDeque;

use self::accepted_request::{AcceptedRequest, OperationId, RequestStage};
use self::ack_deadlines::AckDeadlines;
use self::expiry::Expiries;
use self::operations::Operations;
use self::packet_ids::PacketIds;
use self::queue::Queue;
use super::statistics::Statistics;
use crate::error::RequestError;

/// Requests of a session, and everything that decides when they are sent or fail.
#[derive(Debug)]
pub(super) struct Outbound {
    pub(super) operations: Operations,
    pub(super) packet_ids: PacketIds,
    /// Requests that were not sent; while connected, messages beyond the server's Receive Maximum.
    queue: Queue,
    /// Messages to repeat, beyond the server's Receive Maximum. They go before `queue`.
    resend: VecDeque<OperationId>,
    /// Times at which queued messages expire.
    expiries: Expiries,
    /// Deadlines of requests that were sent, or wait while there is a connection.
    ack_deadlines: AckDeadlines,
    /// Deadlines counted from acceptance; some of the requests are complete by now.
    request_deadlines: Expiries,
    /// `true` if some message was unacknowledged when a server closed the connection, and may be
    /// the reason.
    pub(super) has_suspects: bool,
    /// Number of the last send, or PUBREC, of the session.
    last_order: u64,
    /// Positions of the first and the last request in `queue`.
    first_position: i64,
    last_position: i64,
}

impl Outbound {
    pub(super) fn new() -> Self {
        Self {
            operations: Operations::default(),
            packet_ids: PacketIds::new(),
            queue: Queue::default(),
            resend: VecDeque::new(),
            expiries: Expiries::default(),
            ack_deadlines: AckDeadlines::default(),
            request_deadlines: Expiries::default(),
            has_suspects: false,
            last_order: 0,
            first_position: 0,
            last_position: 0,
        }
    }

    /// Number of requests that wait to be sent for the first time.
    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// Number of requests that a server may have and has not acknowledged.
    pub(super) const fn in_flight(&self) -> usize {
        self.packet_ids.used()
    }

    /// Number of the next send among all of the session.
    const fn next_order(&mut self) -> u64 {
        self.last_order += 1;
        self.last_order
    }

    /// Continues the numbers of an earlier process.
    pub(super) const fn set_last_order(&mut self, last: u64) {
        self.last_order = last;
    }

    /// The request that is sent next: repetitions first.
    fn first_waiting(&mut self) -> Option<(OperationId, &AcceptedRequest)> {
        let operations = &self.operations;
        let waits = |id: &OperationId| {
            operations
                .get_by(*id)
                .is_some_and(|each| matches!(each.stage, RequestStage::Resend(_)))
        };
        // A repetition may have been acknowledged before it was sent.
        while self.resend.front().is_some_and(|id| !waits(id)) {
            self.resend.pop_front();
        }
        let id = self
            .resend
            .front()
            .copied()
            .or_else(|| self.queue.front(operations))?;
        Some((id, operations.get_by(id)?))
    }

    /// Removes the request that [`first_waiting`](Self::first_waiting) returned.
    fn take_first_waiting(&mut self) {
        if self.resend.pop_front().is_none() {
            self.queue.pop_front(&self.operations);
        }
    }

    /// Returns `true` if a request waits, or did until just now.
    fn may_have_waiting(&self) -> bool {
        !self.resend.is_empty() || !self.queue.is_clear()
    }

    /// Queues a request after all others.
    pub(super) fn queue_last(&mut self, id: OperationId) {
        self.last_position += 1;
        self.operations.set_queue_position(id, self.last_position);
        self.queue.push_back(id);
    }

    /// Queues a request before all others.
    pub(super) fn queue_first(&mut self, id: OperationId) {
        self.first_position -= 1;
        self.operations.set_queue_position(id, self.first_position);
        self.queue.push_front(id);
    }

    /// Completes a request that waits in the queue.
    pub(super) fn complete_queued(
        &mut self,
        id: OperationId,
        error: RequestError,
        statistics: &mut Statistics,
    ) {
        self.operations.complete(id.key(), Err(error), statistics);
        self.queue.leave_gap(&self.operations);
    }

    /// Fails the message that has waited longest. Returns `false` if no message waits.
    fn drop_oldest(&mut self, statistics: &mut Statistics) -> bool {
        let Some(id) = self.queue.oldest_message(&self.operations) else {
            return false;
        };
        self.complete_queued(id, RequestError::Dropped, statistics);
        true
    }

    /// Shrinks what a burst has left.
    pub(super) fn give_back_memory(&mut self) {
        self.operations.give_back_memory();
        self.queue.give_back_memory();
        self.ack_deadlines.give_back_memory();
        self.resend.shrink_to(2 * self.resend.len());
    }

    /// Completes every request with `error`.
    pub(super) fn fail_all(&mut self, error: &RequestError, statistics: &mut Statistics) {
        self.packet_ids.clear();
        self.resend.clear();
        self.queue = Queue::default();
        self.request_deadlines = Expiries::default();
        self.operations.fail_all(error, statistics);
    }
}
