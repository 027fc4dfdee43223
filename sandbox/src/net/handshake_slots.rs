//! Slots of clients that have no CONNACK yet: a bounded number, in which the newest client evicts the
//! oldest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::server::limits::MAX_HANDSHAKES;

/// Slots of all clients between TCP connection and CONNACK, so that slow clients can't shut others
/// out. The oldest is at the front.
#[derive(Debug, Clone, Default)]
pub(crate) struct HandshakeSlots(Arc<Mutex<VecDeque<Arc<Notify>>>>);

/// Slot of one client, until it is dropped.
#[derive(Debug)]
pub(crate) struct HandshakeSlot {
    slots: HandshakeSlots,
    evicted: Arc<Notify>,
}

impl HandshakeSlots {
    /// Takes a slot. If all are taken, the client that has waited for longest loses its own.
    pub(crate) fn take(&self) -> HandshakeSlot {
        let evicted = Arc::new(Notify::new());
        self.push(&evicted);
        HandshakeSlot {
            slots: self.clone(),
            evicted,
        }
    }

    fn push(&self, evicted: &Arc<Notify>) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_HANDSHAKES
            && let Some(oldest) = slots.pop_front()
        {
            oldest.notify_one();
        }
        slots.push_back(Arc::clone(evicted));
    }

    fn remove(&self, evicted: &Arc<Notify>) {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| !Arc::ptr_eq(slot, evicted));
    }
}

/// Handle of the slot of an HTTP client, with which it is given back for a while.
#[derive(Debug, Clone)]
pub(crate) struct SlotHandle {
    slots: HandshakeSlots,
    evicted: Arc<Notify>,
}

/// Slot that is given back until this is dropped; then the client has the newest one.
#[derive(Debug)]
pub(crate) struct ReleasedSlot<'a>(&'a SlotHandle);

impl SlotHandle {
    /// Gives the slot back while a request is handled: no other client evicts this one then. The
    /// caller bounds the number of such requests in another way.
    pub(crate) fn release(&self) -> ReleasedSlot<'_> {
        self.slots.remove(&self.evicted);
        ReleasedSlot(self)
    }
}

impl Drop for ReleasedSlot<'_> {
    fn drop(&mut self) {
        self.0.slots.push(&self.0.evicted);
    }
}

impl HandshakeSlot {
    /// Waits until another client takes the slot. Cancel safe.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }

    /// Handle for the requests of an HTTP client. It must be dropped before the slot.
    pub(crate) fn handle(&self) -> SlotHandle {
        SlotHandle {
            slots: self.slots.clone(),
            evicted: Arc::clone(&self.evicted),
        }
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        self.slots.remove(&self.evicted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    fn is_evicted(slot: &HandshakeSlot) -> bool {
        slot.evicted().now_or_never().is_some()
    }

    #[test]
    fn a_client_whose_request_is_handled_is_not_evicted_and_then_has_the_newest_slot() {
        let slots = HandshakeSlots::default();
        let (handled, idle) = (slots.take(), slots.take());
        let handle = handled.handle();
        let released = handle.release();
        let mut others: Vec<_> = (0..MAX_HANDSHAKES).map(|_| slots.take()).collect();
        assert!(is_evicted(&idle) && !is_evicted(&handled));

        // Its slot counts again, and others are older.
        drop(released);
        assert!(is_evicted(&others[0]));
        others.extend((1..MAX_HANDSHAKES).map(|_| slots.take()));
        assert!(!is_evicted(&handled));
        others.push(slots.take());
        assert!(is_evicted(&handled));
    }
}
