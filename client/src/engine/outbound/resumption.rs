//! Requests from the end of one connection to the next one: repeated, queued again or lost (§4.4).

use super::Outbound;
use super::accepted_request::{OperationId, RequestStage};
use super::request::Request;
use crate::engine::output::WrittenRequest;
use crate::engine::statistics::Statistics;
use crate::error::RequestError;
use crate::policy::OnSessionLost;

impl Outbound {
    /// Makes new requests of those that were in the output for the first time and were never handed
    /// out. [MQTT-3.3.1-3]
    pub(in crate::engine) fn unsend_all(
        &mut self,
        unsent: &[WrittenRequest],
        statistics: &mut Statistics,
    ) {
        // The last one first, as each is queued before the others.
        for each in unsent.iter().rev().filter(|each| !each.is_repetition) {
            let Some(operation) = self.operations.get_mut_by(each.id) else {
                continue;
            };
            let RequestStage::Sent(packet_id) = operation.stage else {
                continue;
            };
            operation.stage = RequestStage::Queued;
            self.packet_ids.release(packet_id);
            self.queue_again(each.id, statistics);
        }
    }

    /// Queues a request before all others, unless it timed out and need not be sent again.
    fn queue_again(&mut self, id: OperationId, statistics: &mut Statistics) {
        let is_expendable = self
            .operations
            .get_by(id)
            .is_some_and(|operation| operation.is_expendable());
        if is_expendable {
            let lost = Err(RequestError::SessionLost);
            self.operations.complete(id.key(), lost, statistics);
        } else {
            self.queue_first(id);
            self.watch_expiry(id);
        }
    }

    /// Prepares the repetitions of a session that the server resumed, in the order of the first
    /// sends. [MQTT-4.6.0-1]
    ///
    /// Messages wait in `resend`. Those whose PUBREL has to be repeated are returned, in the order
    /// of their PUBRECs [MQTT-4.6.0-4]. SUBSCRIBE and UNSUBSCRIBE aren't repeated [MQTT-4.4.0-1]:
    /// they become new requests.
    pub(in crate::engine) fn resume(&mut self, statistics: &mut Statistics) -> Vec<OperationId> {
        let (mut released, mut reissued) = (Vec::new(), Vec::new());
        self.resend.clear();
        for id in self.in_flight_in_order() {
            let Some(operation) = self.operations.get_mut(id.key()) else {
                continue;
            };
            match operation.stage {
                // The server has the message: only PUBREL is repeated.
                RequestStage::Released(_) => released.push(id),
                // The next connection renews subscriptions itself.
                RequestStage::Sent(packet_id) if operation.request.resubscribe().is_some() => {
                    self.packet_ids.release(packet_id);
                    let lost = Err(RequestError::SessionLost);
                    self.operations.complete(id.key(), lost, statistics);
                }
                RequestStage::Sent(packet_id) | RequestStage::Resend(packet_id)
                    if operation.request.is_publish() =>
                {
                    // Messages are repeated under the same identifier.
                    operation.stage = RequestStage::Resend(packet_id);
                    // A message that the limits of an earlier connection refused has no packet any
                    // more: it isn't repeated, and its identifier stays reserved.
                    if operation.request.size() > 0 {
                        self.resend.push_back(id);
                    }
                }
                RequestStage::Sent(packet_id) | RequestStage::Resend(packet_id) => {
                    self.packet_ids.release(packet_id);
                    operation.stage = RequestStage::Queued;
                    // SUBSCRIBE and UNSUBSCRIBE get a new identifier.
                    operation.is_reissued = true;
                    reissued.push(id);
                }
                RequestStage::Queued | RequestStage::Done => {}
            }
        }
        // Each one is queued before the others: the first has to be the last.
        for id in reissued.into_iter().rev() {
            self.queue_again(id, statistics);
        }
        self.drop_resubscribes(statistics);
        released
    }

    /// Forgets what the server forgot with the session. [MQTT-3.2.2-5] [MQTT-4.4.0-1]
    ///
    /// Requests that were sent become new ones before all others, in their old order, or fail, as
    /// the policy says. Calls `on_unsubscribe` with each UNSUBSCRIBE and the number of its send:
    /// the server has no such subscription any more.
    pub(in crate::engine) fn lose(
        &mut self,
        policy: OnSessionLost,
        statistics: &mut Statistics,
        mut on_unsubscribe: impl FnMut(&str, u64),
    ) {
        self.packet_ids.clear();
        self.resend.clear();
        // The last one first, as each is queued before the others.
        for id in self.in_flight_in_order().into_iter().rev() {
            let Some(operation) = self.operations.get_mut(id.key()) else {
                continue;
            };
            // A new session has no subscriptions to end.
            if let Request::Unsubscribe(unsubscribe) = &operation.request {
                for filter in &unsubscribe.filters {
                    on_unsubscribe(filter, operation.order);
                }
            }
            // A new request, or an end, as the policy says.
            if operation.survives_loss(policy) {
                operation.stage = RequestStage::Queued;
                operation.is_reissued = true;
                self.queue_first(id);
                self.watch_expiry(id);
            } else {
                let lost = Err(RequestError::SessionLost);
                self.operations.complete(id.key(), lost, statistics);
            }
        }
        self.drop_resubscribes(statistics);
    }

    /// Drops queued resubscriptions: the next connection requests what is active then.
    fn drop_resubscribes(&mut self, statistics: &mut Statistics) {
        let operations = &mut self.operations;
        self.queue.retain(|id| {
            let Some(operation) = operations.get_by(id).filter(|each| each.is_queued()) else {
                return false;
            };
            let is_resubscribe = operation.request.resubscribe().is_some();
            if is_resubscribe {
                let lost = Err(RequestError::SessionLost);
                operations.complete(id.key(), lost, statistics);
            }
            !is_resubscribe
        });
    }

    /// Requests that a server may know, in the order of the first send, or of PUBREC.
    fn in_flight_in_order(&self) -> Vec<OperationId> {
        let is_in_flight = |stage| {
            matches!(
                stage,
                RequestStage::Sent(_) | RequestStage::Resend(_) | RequestStage::Released(_)
            )
        };
        let mut in_flight: Vec<_> = self
            .operations
            .iter()
            .filter(|(_, operation)| is_in_flight(operation.stage))
            .map(|(id, operation)| (operation.order, id))
            .collect();
        // Slots are used again, so their order says nothing.
        in_flight.sort_unstable_by_key(|(order, _)| *order);
        in_flight.into_iter().map(|(_, id)| id).collect()
    }

    /// Fails a re-authentication whose connection is gone.
    pub(in crate::engine) fn fail_reauthentication(
        &mut self,
        error: RequestError,
        statistics: &mut Statistics,
    ) {
        let pending = self
            .operations
            .iter()
            .find(|(_, each)| matches!(each.request, Request::Authenticate) && !each.is_done())
            .map(|(id, _)| id);
        if let Some(id) = pending {
            self.operations.complete(id.key(), Err(error), statistics);
        }
    }

    /// Completes SUBSCRIBE requests for `filter` alone that no server has seen and that nobody
    /// waits for. Returns whether there were any.
    #[cfg(feature = "tokio")]
    pub(in crate::engine) fn withdraw_subscribes(
        &mut self,
        filter: &str,
        statistics: &mut Statistics,
    ) -> bool {
        let unseen: Vec<_> = self
            .operations
            .iter()
            // Only a request that no server has seen can be withdrawn without a trace.
            .filter(|(_, each)| {
                each.is_queued() && !each.is_reissued && !each.completion.has_receiver()
            })
            .filter(|(_, each)| {
                each.request
                    .subscribe()
                    .is_some_and(|request| request.filters().eq([filter]))
            })
            .map(|(id, _)| id)
            .collect();
        for id in &unseen {
            self.complete_queued(*id, RequestError::Offline, statistics);
        }
        !unseen.is_empty()
    }
}
