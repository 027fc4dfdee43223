//! State that all tasks of one sandbox share, with the one lock of the server.

use core::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use crate::access_key::AccessKey;
use crate::authorizer::Authorizers;
use crate::event::Event;
use crate::event_log::EventLog;
use crate::net::handshake_slots::HandshakeSlots;
use crate::policy::Policy;
use crate::server::limits::{MAX_DIRECT_MESSAGES, MAX_HTTP_BODIES, MAX_HTTP_REQUESTS};
use crate::server::{Hub, Settings};

/// State of one sandbox.
pub(crate) struct Shared {
    hub: Mutex<Hub>,
    pub(crate) authorizers: Authorizers,
    pub(crate) settings: Arc<Settings>,
    pub(crate) connections: Arc<Semaphore>,
    pub(crate) handshake_slots: HandshakeSlots,
    /// Permit of the connection that delivers messages: one at a time.
    pub(crate) delivery_turns: Semaphore,
    stop: watch::Receiver<bool>,
    pub(crate) log: EventLog,
    /// Refuses clients that name another host than this endpoint, or none.
    pub(crate) strict_sni: bool,
    /// Keys of SigV4; empty if signatures aren't checked.
    pub(crate) access_keys: Vec<AccessKey>,
    /// Policy of a client that signs by SigV4, to which no IoT policy applies.
    pub(crate) unrestricted: Policy,
    /// Permits of the bytes of HTTP bodies.
    pub(crate) http_bodies: Semaphore,
    /// Permits of HTTP requests that are being handled.
    pub(crate) http_requests: Semaphore,
    /// Permits of direct messages that wait for their receivers.
    pub(crate) direct_messages: Semaphore,
}

impl Shared {
    pub(crate) fn new(
        authorizers: Authorizers,
        settings: Settings,
        stop: watch::Receiver<bool>,
        log: EventLog,
        strict_sni: bool,
        access_keys: Vec<AccessKey>,
    ) -> Self {
        let settings = Arc::new(settings);
        Self {
            hub: Mutex::new(Hub::new(Arc::clone(&settings))),
            authorizers,
            connections: Arc::new(Semaphore::new(settings.max_connections)),
            settings,
            handshake_slots: HandshakeSlots::default(),
            delivery_turns: Semaphore::new(1),
            stop,
            log,
            strict_sni,
            access_keys,
            unrestricted: Policy::unrestricted(),
            http_bodies: Semaphore::new(MAX_HTTP_BODIES),
            http_requests: Semaphore::new(MAX_HTTP_REQUESTS),
            direct_messages: Semaphore::new(MAX_DIRECT_MESSAGES),
        }
    }

    /// Locks the hub. The guard must not be held across an await. A panic elsewhere leaves the hub
    /// usable.
    pub(crate) fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the sandbox is to stop. Cancel safe.
    pub(crate) async fn stopping(&self) {
        let mut stop = self.stop.clone();
        // An error means that the sandbox is gone already.
        drop(stop.wait_for(|stop| *stop).await);
    }

    pub(crate) fn emit(&self, event: Event) {
        self.log.emit(event);
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
