//! What becomes of a session when its connection ends and when the next one begins: resumed, or
//! lost (§4.4).

use crate::engine::open::{Connection, Sent};
use crate::engine::outbound::operation::{Kind, Operation, OperationId, Phase};
use crate::engine::outbound::request::requested;
use crate::engine::session::Session;
use crate::error::RequestError;
use crate::policy::OnSessionLost;

impl Session {
    /// A connection is at its end. Returns what may not have left its output.
    pub(super) fn left(&mut self, connection: Connection) -> Vec<Sent> {
        // What doesn't outlive its connection has ended with it. [U-3.1.2-3]
        if connection.limits.session_expiry_interval == 0 {
            self.established = false;
        }
        connection.unsent
    }

    /// Requests that were put into the output for the first time and never left it are as new.
    /// [MQTT-3.3.1-3]
    pub(super) fn unsend_all(&mut self, unsent: &[Sent]) {
        unsent
            .iter()
            .rev()
            .filter(|each| !each.repeated)
            .for_each(|each| self.unsend(each.id));
    }

    fn unsend(&mut self, id: OperationId) {
        let Some(operation) = self.operations.get_mut(id.key()).filter(|each| each.is(id)) else {
            return;
        };
        let Phase::Sent(packet_id) = operation.phase else {
            return;
        };
        operation.phase = Phase::Queued;
        self.ids.release(packet_id);
        self.wait_anew(id);
    }

    /// It waits before all others, unless it timed out here: nobody waits for it then.
    fn wait_anew(&mut self, id: OperationId) {
        if self
            .operations
            .get_by(id)
            .is_some_and(Operation::may_be_left)
        {
            self.operations
                .finish(id.key(), Err(RequestError::SessionLost));
        } else {
            self.wait_first(id);
            self.watch_expiry(id);
        }
    }

    /// The server goes on with the session: what is repeated, in the order in which it was first
    /// sent. [MQTT-4.6.0-1]
    ///
    /// Messages are put into `resend`; those whose PUBREL is repeated are returned, in the order in
    /// which their PUBRECs came [MQTT-4.6.0-4]. SUBSCRIBE and UNSUBSCRIBE aren't repeated
    /// [MQTT-4.4.0-1]: they become new requests.
    pub(super) fn resume(&mut self) -> Vec<OperationId> {
        let (mut released, mut renewed) = (Vec::new(), Vec::new());
        self.resend.clear();
        for id in self.on_the_wire() {
            let Some(operation) = self.operations.get_mut(id.key()) else {
                continue;
            };
            match operation.phase {
                Phase::Released(_) => released.push(id),
                Phase::Sent(packet_id) if operation.kind == Kind::Resubscribe => {
                    self.ids.release(packet_id);
                    self.operations
                        .finish(id.key(), Err(RequestError::SessionLost));
                }
                Phase::Sent(packet_id) | Phase::Repeat(packet_id) if operation.is_publish() => {
                    operation.phase = Phase::Repeat(packet_id);
                    self.resend.push_back(id);
                }
                Phase::Sent(packet_id) | Phase::Repeat(packet_id) => {
                    self.ids.release(packet_id);
                    operation.phase = Phase::Queued;
                    operation.is_anew = true;
                    renewed.push(id);
                }
                Phase::Queued | Phase::Done => {}
            }
        }
        renewed.into_iter().rev().for_each(|id| self.wait_anew(id));
        self.drop_renewals();
        released
    }

    /// The server has forgotten the session, and so does the client. [MQTT-3.2.2-5] [MQTT-4.4.0-1]
    ///
    /// What was on the wire becomes a new request before all others, in its old order, or fails, as
    /// the policy says.
    pub(super) fn lose(&mut self, policy: OnSessionLost) {
        self.ids.clear();
        self.resend.clear();
        self.inbound.forget();
        for id in self.on_the_wire().into_iter().rev() {
            let Some(operation) = self.operations.get_mut(id.key()) else {
                continue;
            };
            if operation.kind == Kind::Unsubscribe {
                let (packet, order) = (operation.packet.clone(), operation.order);
                requested(&packet)
                    .into_iter()
                    .for_each(|(filter, _)| self.subscriptions.end(filter, order));
            }
            let Some(operation) = self.operations.get_mut(id.key()) else {
                continue;
            };
            if operation.survives_loss(policy) {
                operation.phase = Phase::Queued;
                operation.is_anew = true;
                self.wait_first(id);
                self.watch_expiry(id);
            } else {
                self.operations
                    .finish(id.key(), Err(RequestError::SessionLost));
            }
        }
        self.drop_renewals();
        self.subscriptions.doubt();
    }

    /// The server may have lost the session once, and said so in a CONNACK that never came.
    pub(super) fn doubt(&mut self) {
        self.subscriptions.doubt();
        self.inbound.doubt();
    }

    /// Renewals belong to a connection: the next one makes them again, of what is active then.
    fn drop_renewals(&mut self) {
        let operations = &mut self.operations;
        self.queue.retain(|id| {
            let Some(operation) = operations
                .get_by(id)
                .filter(|each| each.phase == Phase::Queued)
            else {
                return false;
            };
            let renewal = operation.kind == Kind::Resubscribe;
            if renewal {
                operations.finish(id.key(), Err(RequestError::SessionLost));
            }
            !renewal
        });
    }

    /// What a server may know of, in the order in which it was first sent, or released.
    fn on_the_wire(&self) -> Vec<OperationId> {
        let on_wire = |phase| {
            matches!(
                phase,
                Phase::Sent(_) | Phase::Repeat(_) | Phase::Released(_)
            )
        };
        let mut in_flight: Vec<_> = self
            .operations
            .iter()
            .filter(|(_, operation)| on_wire(operation.phase))
            .map(|(id, operation)| (operation.order, id))
            .collect();
        in_flight.sort_unstable_by_key(|(order, _)| *order);
        in_flight.into_iter().map(|(_, id)| id).collect()
    }
}
