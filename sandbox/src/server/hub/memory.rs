//! What the server holds for all clients together, and who gives way when it is too much: whoever
//! is furthest behind.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::server::charge::MemoryCounter;
use crate::server::hub::losses::LossReason;
use crate::server::hub::{Hub, Unfinished, UnfinishedKind};
use crate::server::limits::{
    GUARANTEED_QUEUED_BYTES, HARD_MESSAGE_BYTES, MAX_BUFFERED_BYTES, MAX_MESSAGE_BYTES,
    MAX_QUEUED_BYTES, UNCOUNTED_BUFFER,
};
use crate::server::session::ConnectionId;

/// The scales, and those who have to go.
#[derive(Debug, Default)]
pub(super) struct MemoryBudget {
    messages: MemoryCounter,
    /// Connections with more than a little in their buffers.
    holders: HashMap<ConnectionId, BufferUse>,
    buffered: usize,
    evicted: HashMap<ConnectionId, Eviction>,
}

/// Why a connection has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// The sandbox is short of memory.
    OutOfMemory,
    /// More messages waited than may.
    Overflow,
}

impl Eviction {
    /// The reason string of its DISCONNECT.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::OutOfMemory => "the sandbox is short of memory, and this client holds most of it",
            Self::Overflow => "more messages wait for this client than may: its session has ended",
        }
    }
}

/// What one connection holds in its buffers.
#[derive(Debug)]
struct BufferUse {
    bytes: usize,
    /// Since when it has been more than a little.
    since: Instant,
    wake: Arc<Notify>,
}

impl MemoryBudget {
    pub(super) fn counter(&self) -> MemoryCounter {
        self.messages.clone()
    }

    /// How many bytes may wait for one subscriber. Less when many are far behind, and still enough
    /// for those who aren't.
    pub(super) fn queue_limit(&self) -> usize {
        if self.messages.bytes() < MAX_MESSAGE_BYTES {
            MAX_QUEUED_BYTES
        } else {
            GUARANTEED_QUEUED_BYTES
        }
    }

    pub(super) fn evict(&mut self, connection: ConnectionId, eviction: Eviction) {
        self.evicted.insert(connection, eviction);
    }

    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.evicted.remove(&connection);
        if let Some(holder) = self.holders.remove(&connection) {
            self.buffered -= holder.bytes;
        }
    }
}

impl Hub {
    /// What a connection's buffers hold now. Too much of all: the one that has held most for
    /// longest has to go.
    pub(crate) fn charge_buffers(
        &mut self,
        connection: ConnectionId,
        bytes: usize,
        wake: &Arc<Notify>,
        now: Instant,
    ) {
        let memory = &mut self.memory;
        if bytes <= UNCOUNTED_BUFFER {
            if let Some(holder) = memory.holders.remove(&connection) {
                memory.buffered -= holder.bytes;
            }
            return;
        }
        let holder = memory.holders.entry(connection);
        let holder = holder.or_insert_with(|| BufferUse {
            bytes: 0,
            since: now,
            wake: Arc::clone(wake),
        });
        memory.buffered = memory.buffered - holder.bytes + bytes;
        holder.bytes = bytes;
        while memory.buffered > MAX_BUFFERED_BYTES {
            let burden = |holder: &BufferUse| {
                let seconds = now.saturating_duration_since(holder.since).as_secs() + 1;
                u64::try_from(holder.bytes)
                    .unwrap_or(u64::MAX)
                    .saturating_mul(seconds)
            };
            let heaviest = memory
                .holders
                .iter()
                .max_by_key(|(_, holder)| burden(holder));
            let Some(connection) = heaviest.map(|(connection, _)| *connection) else {
                return;
            };
            if let Some(holder) = memory.holders.remove(&connection) {
                memory.buffered -= holder.bytes;
                memory.evicted.insert(connection, Eviction::OutOfMemory);
                holder.wake.notify_one();
            }
        }
    }

    /// Why this connection has to go; `None` if it may stay.
    pub(crate) fn eviction(&self, connection: ConnectionId) -> Option<Eviction> {
        self.memory.evicted.get(&connection).copied()
    }

    /// Whether messages take so much that no large ones are taken on for later.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.memory.messages.bytes() >= MAX_MESSAGE_BYTES
    }

    /// Too many messages wait: the subscriber with most of them loses what it has, and its
    /// connection.
    pub(super) fn limit_messages(&mut self, now: Instant) {
        while self.memory.messages.bytes() > HARD_MESSAGE_BYTES {
            let heaviest = self
                .sessions
                .iter()
                .max_by_key(|(_, session)| session.outgoing.cost());
            let Some(client_id) = heaviest
                .filter(|(_, session)| session.outgoing.cost() > 0)
                .map(|(id, _)| id)
            else {
                return;
            };
            let client_id = Arc::clone(client_id);
            self.evict(
                &client_id,
                Eviction::OutOfMemory,
                LossReason::OutOfMemory,
                now,
            );
            // Nobody else gets them: that would free no memory.
            self.count_unfinished_as_lost(now);
        }
    }
    /// Counts the messages that sessions left behind as lost; their wills wait on.
    fn count_unfinished_as_lost(&mut self, now: Instant) {
        for unfinished in core::mem::take(&mut self.unfinished) {
            let Unfinished {
                client_id,
                reason,
                what,
                ..
            } = &unfinished;
            match what {
                UnfinishedKind::Will(_) => self.unfinished.push_back(unfinished),
                UnfinishedKind::Message { queued, .. } => {
                    self.count_loss(client_id, queued.message.topic().into(), *reason, now);
                }
            }
        }
    }
}
