//! What every task of one sandbox shares, with the one lock of the server.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use tokio::sync::{Semaphore, watch};

use crate::authorizer::Authorizers;
use crate::event::{Event, LogLine};
use crate::net::place::Places;
use crate::server::{Hub, Settings};

/// Whoever wants to hear of decisions.
pub(crate) type EventSink = Box<dyn Fn(&LogLine) + Send + Sync>;

/// One for each sandbox.
pub(crate) struct Shared {
    hub: Mutex<Hub>,
    pub(crate) authorizers: Authorizers,
    pub(crate) settings: Arc<Settings>,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) places: Places,
    /// Whose turn it is among those who have something to deliver.
    pub(crate) crowd: Semaphore,
    stop: watch::Receiver<bool>,
    on_event: Option<EventSink>,
}

impl Shared {
    pub(crate) fn new(
        authorizers: Authorizers,
        settings: Settings,
        stop: watch::Receiver<bool>,
        on_event: Option<EventSink>,
    ) -> Self {
        let settings = Arc::new(settings);
        Self {
            hub: Mutex::new(Hub::new(Arc::clone(&settings))),
            authorizers,
            connections: Arc::new(Semaphore::new(settings.max_connections)),
            settings,
            places: Places::default(),
            crowd: Semaphore::new(1),
            stop,
            on_event,
        }
    }

    /// Never held across an await. A panic elsewhere leaves the hub as usable as it was.
    pub(crate) fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Until the sandbox is to stop.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.clone();
        // An error means that the sandbox is gone already.
        drop(stop.wait_for(|stop| *stop).await);
    }

    #[expect(clippy::disallowed_methods, reason = "the calendar time of an event")]
    pub(crate) fn emit(&self, event: Event) {
        if let Some(on_event) = &self.on_event {
            on_event(&LogLine {
                at: SystemTime::now(),
                event,
            });
        }
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
