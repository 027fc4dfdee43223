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
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_HANDSHAKES
            && let Some(oldest) = slots.pop_front()
        {
            oldest.notify_one();
        }
        slots.push_back(Arc::clone(&evicted));
        HandshakeSlot {
            slots: self.clone(),
            evicted,
        }
    }
}

impl HandshakeSlot {
    /// Waits until another client takes the slot. Cancel safe.
    pub(crate) async fn evicted(&self) {
        self.evicted.notified().await;
    }
}

impl Drop for HandshakeSlot {
    fn drop(&mut self) {
        let mut slots = self.slots.0.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|slot| !Arc::ptr_eq(slot, &self.evicted));
    }
}
