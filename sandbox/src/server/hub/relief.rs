//! What the server holds for all clients together, and who gives way when it is too much: whoever is furthest behind.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::server::hub::Hub;
use crate::server::limits::{
    FREE_BUFFER, HARD_MESSAGE_BYTES, MAX_BUFFERED_BYTES, MAX_MESSAGE_BYTES, MAX_QUEUED_BYTES,
    SURE_QUEUED_BYTES,
};
use crate::server::session::ConnectionId;
use crate::server::weight::Weight;

/// The scales, and those who have to go.
#[derive(Debug, Default)]
pub(super) struct Relief {
    messages: Weight,
    /// Connections with more than a little in their buffers.
    holders: HashMap<ConnectionId, Holder>,
    buffered: usize,
    evicted: HashSet<ConnectionId>,
}

/// What one connection holds in its buffers.
#[derive(Debug)]
struct Holder {
    bytes: usize,
    /// Since when it has been more than a little.
    since: Instant,
    wake: Arc<Notify>,
}

impl Relief {
    pub(super) fn weight(&self) -> Weight {
        self.messages.clone()
    }

    /// How many bytes may wait for one subscriber. Less when many are far behind, and still enough for those who aren't.
    pub(super) fn room(&self) -> usize {
        if self.messages.bytes() < MAX_MESSAGE_BYTES { MAX_QUEUED_BYTES } else { SURE_QUEUED_BYTES }
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.evicted.remove(&connection);
        if let Some(holder) = self.holders.remove(&connection) {
            self.buffered -= holder.bytes;
        }
    }
}

impl Hub {
    /// What a connection's buffers hold now. Too much of all: the one that has held most for longest has to go.
    pub(crate) fn hold(&mut self, connection: ConnectionId, bytes: usize, wake: &Arc<Notify>, now: Instant) {
        let relief = &mut self.relief;
        if bytes <= FREE_BUFFER {
            if let Some(holder) = relief.holders.remove(&connection) {
                relief.buffered -= holder.bytes;
            }
            return;
        }
        let holder = relief.holders.entry(connection);
        let holder = holder.or_insert_with(|| Holder { bytes: 0, since: now, wake: Arc::clone(wake) });
        relief.buffered = relief.buffered - holder.bytes + bytes;
        holder.bytes = bytes;
        while relief.buffered > MAX_BUFFERED_BYTES {
            let burden = |holder: &Holder| {
                let seconds = now.saturating_duration_since(holder.since).as_secs() + 1;
                u64::try_from(holder.bytes).unwrap_or(u64::MAX).saturating_mul(seconds)
            };
            let heaviest = relief.holders.iter().max_by_key(|(_, holder)| burden(holder));
            let Some(connection) = heaviest.map(|(connection, _)| *connection) else { return };
            if let Some(holder) = relief.holders.remove(&connection) {
                relief.buffered -= holder.bytes;
                relief.evicted.insert(connection);
                holder.wake.notify_one();
            }
        }
    }

    /// Whether this connection has to go.
    pub(crate) fn is_evicted(&self, connection: ConnectionId) -> bool {
        self.relief.evicted.contains(&connection)
    }

    /// Whether messages take so much that no large ones are taken on for later.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.relief.messages.bytes() >= MAX_MESSAGE_BYTES
    }

    /// Too many messages wait: the subscriber with most of them loses what it has, and its connection.
    pub(super) fn relieve(&mut self) {
        while self.relief.messages.bytes() > HARD_MESSAGE_BYTES {
            let heaviest = self.sessions.iter().max_by_key(|(_, session)| session.outgoing.cost());
            let Some(client_id) =
                heaviest.filter(|(_, session)| session.outgoing.cost() > 0).map(|(id, _)| id)
            else {
                return;
            };
            let client_id = Arc::clone(client_id);
            self.forget_due(&client_id);
            let Some(session) = self.sessions.remove(&client_id) else { return };
            self.forget_subscriptions(&client_id, &session);
            if let Some(connection) = session.connection() {
                self.relief.evicted.insert(connection);
            }
            session.wake();
        }
    }
}
