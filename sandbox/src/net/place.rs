//! Places for those who wait to be let in: a bounded number, and the oldest is given up for the
//! newest.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::server::limits::MAX_HANDSHAKES;

/// Everybody between the TCP connection and the CONNACK. Whoever is slow can't keep others out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places(Arc<Mutex<VecDeque<Arc<Notify>>>>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Places,
    given_up: Arc<Notify>,
}

impl Places {
    /// A place, which may be that of the one who has waited for longest.
    pub(crate) fn take(&self) -> Place {
        let given_up = Arc::new(Notify::new());
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= MAX_HANDSHAKES
            && let Some(oldest) = places.pop_front()
        {
            oldest.notify_one();
        }
        places.push_back(Arc::clone(&given_up));
        Place {
            places: self.clone(),
            given_up,
        }
    }
}

impl Place {
    /// Until somebody else has it.
    pub(crate) async fn given_up(&self) {
        self.given_up.notified().await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.retain(|place| !Arc::ptr_eq(place, &self.given_up));
    }
}
