//! Memory of all clients together: messages and buffers. Beyond its bounds the client that uses most
//! is given up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::Notify;

use crate::server::charge::MemoryCounter;
use crate::server::hub::Hub;
use crate::server::hub::losses::LossReason;
use crate::server::hub::unfinished::{Unfinished, UnfinishedKind};
use crate::server::limits::{
    GUARANTEED_QUEUED_BYTES, HARD_MESSAGE_BYTES, MAX_BUFFERED_BYTES, MAX_MESSAGE_BYTES,
    MAX_QUEUED_BYTES, UNCOUNTED_BUFFER,
};
use crate::server::session::ConnectionId;

/// Memory in use, and the connections that are given up.
#[derive(Debug, Default)]
pub(super) struct MemoryBudget {
    messages: MemoryCounter,
    /// Connections with more than [`UNCOUNTED_BUFFER`] bytes in their buffers.
    holders: HashMap<ConnectionId, BufferUse>,
    buffered: usize,
    evicted: HashMap<ConnectionId, Eviction>,
}

/// Reason to give up a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    /// The sandbox is short of memory.
    OutOfMemory,
    /// More messages waited for the client than may.
    Overflow,
    /// A request to the connection API disconnects the client; with `prevents_will` its will isn't
    /// published.
    Requested { prevents_will: bool },
}

impl Eviction {
    /// Reason string of the DISCONNECT.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Self::OutOfMemory => "the sandbox is short of memory, and this client holds most of it",
            Self::Requested { .. } => "disconnected by the connection API",
            Self::Overflow => "more messages wait for this client than may: its session has ended",
        }
    }
}

/// Buffers of one connection.
#[derive(Debug)]
struct BufferUse {
    bytes: usize,
    /// Time since which the buffers have counted.
    since: Instant,
    wake: Arc<Notify>,
}

impl MemoryBudget {
    pub(super) fn counter(&self) -> MemoryCounter {
        self.messages.clone()
    }

    /// Maximum bytes that may wait for one subscriber: fewer if the messages of all use much memory,
    /// and still enough for a subscriber that reads.
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
    /// Notes the bytes in a connection's buffers. Beyond the bound for all, the connection that has
    /// held most bytes for longest is given up.
    pub(crate) fn charge_buffers(
        &mut self,
        connection: ConnectionId,
        bytes: usize,
        wake: &Arc<Notify>,
        now: Instant,
    ) {
        // Small buffers aren't counted, so that most connections cost nothing here.
        let memory = &mut self.memory;
        if bytes <= UNCOUNTED_BUFFER {
            if let Some(holder) = memory.holders.remove(&connection) {
                memory.buffered -= holder.bytes;
            }
            return;
        }

        // `since` stays for as long as the buffers are large.
        let holder = memory.holders.entry(connection);
        let holder = holder.or_insert_with(|| BufferUse {
            bytes: 0,
            since: now,
            wake: Arc::clone(wake),
        });
        memory.buffered = memory.buffered - holder.bytes + bytes;
        holder.bytes = bytes;

        // Bytes times seconds: a short peak is cheaper than a long queue.
        while memory.buffered > MAX_BUFFERED_BYTES {
            let cost = |holder: &BufferUse| {
                let seconds = now.saturating_duration_since(holder.since).as_secs() + 1;
                u64::try_from(holder.bytes)
                    .unwrap_or(u64::MAX)
                    .saturating_mul(seconds)
            };

            // The connection learns of it when it is woken.
            let heaviest = memory.holders.iter().max_by_key(|(_, holder)| cost(holder));
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

    /// Reason to give this connection up; `None` if there is none.
    pub(crate) fn eviction(&self, connection: ConnectionId) -> Option<Eviction> {
        self.memory.evicted.get(&connection).copied()
    }

    /// `true` if messages use so much memory that no large will is accepted.
    pub(crate) fn is_short_of_memory(&self) -> bool {
        self.memory.messages.bytes() >= MAX_MESSAGE_BYTES
    }

    /// Ends the sessions with most waiting messages until the messages of all are within their bound.
    pub(super) fn limit_messages(&mut self, now: Instant) {
        while self.memory.messages.bytes() > HARD_MESSAGE_BYTES {
            // The queue with the most bytes, whichever client's message came last.
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
            // No other client of a shared subscription gets them: that would free no memory.
            self.count_unfinished_as_lost(now);
        }
    }

    /// Counts the messages of ended sessions as lost; their wills still wait.
    fn count_unfinished_as_lost(&mut self, now: Instant) {
        // Wills stay in the queue: the next handle_timeout publishes them.
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
