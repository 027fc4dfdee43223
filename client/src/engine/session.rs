//! What outlives a network connection (§4.1): unfinished requests, their identifiers, what waits to be sent, and what
//! was received but not released.

use std::collections::VecDeque;

use dunlin_codec::{Packet, SubscriptionOptions};

use super::inbound::Inbound;
use super::operation::{Kind, Operations, Phase};
use super::packet_ids::PacketIds;
use crate::error::RequestError;

/// A session, as the client holds it.
#[derive(Debug)]
pub(super) struct Session {
    pub(super) operations: Operations,
    pub(super) ids: PacketIds,
    /// Requests that are on no wire yet; while connected, messages behind the server's Receive Maximum.
    pub(super) queue: VecDeque<u32>,
    /// Messages to be repeated, behind the server's Receive Maximum; they go before anything in `queue`.
    pub(super) resend: VecDeque<u32>,
    pub(super) inbound: Inbound,
    /// What the server granted, to be asked for again when it has forgotten.
    pub(super) subscriptions: Vec<ActiveSubscription>,
    /// The server's choice of client identifier, if it made one.
    pub(super) assigned_client_id: Option<String>,
    /// Whether there is state that a server may know: [MQTT-3.2.2-4] hangs on it.
    pub(super) established: bool,
    next_order: u64,
}

/// A subscription that the server granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ActiveSubscription {
    pub(super) filter: String,
    pub(super) options: SubscriptionOptions,
}

impl Session {
    /// One without any state; `established` if a server may have some all the same.
    pub(super) fn new(established: bool) -> Self {
        Self {
            operations: Operations::default(),
            ids: PacketIds::new(),
            queue: VecDeque::new(),
            resend: VecDeque::new(),
            inbound: Inbound::default(),
            subscriptions: Vec::new(),
            assigned_client_id: None,
            established,
            next_order: 0,
        }
    }

    /// The place of the next request among all that were ever sent.
    pub(super) const fn next_order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    /// The server goes on with the session: what is repeated, in the order in which it was first sent. [MQTT-4.6.0-1]
    ///
    /// Messages are put into `resend`; the identifiers whose PUBREL is repeated are returned. SUBSCRIBE and
    /// UNSUBSCRIBE aren't repeated [MQTT-4.4.0-1]: they become new requests.
    pub(super) fn resume(&mut self) -> Vec<u32> {
        let mut in_flight = self.in_flight();
        in_flight.sort_unstable();
        let (mut released, mut renewed) = (Vec::new(), Vec::new());
        self.resend.clear();
        for (_, key) in in_flight {
            let Some(operation) = self.operations.get_mut(key) else { continue };
            match operation.phase {
                Phase::Released(_) => released.push(key),
                Phase::Sent(_) if operation.is_publish() => self.resend.push_back(key),
                Phase::Sent(id) => {
                    operation.phase = Phase::Queued;
                    self.ids.release(id);
                    renewed.push(key);
                }
                Phase::Queued | Phase::Done => {}
            }
        }
        for key in renewed.into_iter().rev() {
            self.queue.push_front(key);
        }
        released
    }

    /// The server has forgotten the session, and so does the client. [MQTT-3.2.2-5] [MQTT-4.4.0-1]
    ///
    /// Messages of QoS 1 become new requests before all others; everything else that was on the wire fails.
    pub(super) fn lose(&mut self) {
        let mut in_flight = self.in_flight();
        in_flight.sort_unstable();
        self.ids.clear();
        self.resend.clear();
        self.inbound.forget();
        for (_, key) in in_flight.into_iter().rev() {
            let Some(operation) = self.operations.get_mut(key) else { continue };
            if operation.kind == Kind::PublishAtLeastOnce && !operation.is_settled() {
                operation.phase = Phase::Queued;
                self.queue.push_front(key);
            } else {
                self.operations.finish(key, Err(RequestError::SessionLost));
            }
        }
    }

    /// Takes note of what SUBACK granted.
    pub(super) fn subscribed(&mut self, filter: &str, options: SubscriptionOptions) {
        self.unsubscribed(filter);
        self.subscriptions.push(ActiveSubscription { filter: filter.to_owned(), options });
    }

    /// This filter isn't to be asked for again.
    pub(super) fn unsubscribed(&mut self, filter: &str) {
        self.subscriptions.retain(|active| active.filter != filter);
    }

    /// Ends every request.
    pub(super) fn fail_all(&mut self, error: &RequestError) {
        self.ids.clear();
        self.resend.clear();
        self.queue.clear();
        let keys: Vec<_> = self.operations.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.operations.finish(key, Err(error.clone()));
        }
    }

    fn in_flight(&self) -> Vec<(u64, u32)> {
        let on_wire = |phase| matches!(phase, Phase::Sent(_) | Phase::Released(_));
        self.operations
            .iter()
            .filter(|(_, operation)| on_wire(operation.phase))
            .map(|(key, operation)| (operation.order, key))
            .collect()
    }
}

/// The filters and options of a SUBSCRIBE, or the filters of an UNSUBSCRIBE.
pub(super) fn requested(packet: &[u8]) -> Vec<(&str, SubscriptionOptions)> {
    match Packet::decode(packet) {
        Ok(Some((Packet::Subscribe(subscribe), _))) => {
            subscribe.subscriptions.iter().map(|each| (each.filter.as_str(), each.options)).collect()
        }
        Ok(Some((Packet::Unsubscribe(unsubscribe), _))) => {
            unsubscribe.filters.iter().map(|filter| (filter.as_str(), SubscriptionOptions::default())).collect()
        }
        _ => Vec::new(),
    }
}
