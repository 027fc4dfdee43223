//! Clients as the connection API tells them: connected, or disconnected within the last 30 minutes.

use core::net::SocketAddr;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use dunlin_codec::QoS;

use crate::server::hub::Hub;
use crate::server::hub::losses::LossReason;
use crate::server::hub::memory::Eviction;
use crate::server::session::ConnectionId;
use crate::server::timestamp::Timestamp;

/// Records of clients by their client ids.
#[derive(Debug, Default)]
pub(super) struct Clients {
    records: HashMap<Arc<str>, ClientRecord>,
    /// Ends of connections, oldest first. The client may be connected again.
    ended: VecDeque<(Instant, Arc<str>, ConnectionId)>,
}

/// Last connection of a client.
#[derive(Debug, Clone)]
pub(crate) struct ClientRecord {
    connection: ConnectionId,
    pub(crate) facts: ConnectionFacts,
    pub(crate) status: ConnectionStatus,
}

/// Facts of a connection that don't change.
#[derive(Debug, Clone)]
pub(crate) struct ConnectionFacts {
    /// Address of the client.
    pub(crate) source: SocketAddr,
    /// Address that the client connected to; `None` if the system doesn't tell it.
    pub(crate) target: Option<SocketAddr>,
    /// Thing of the client's certificate; `None` without one.
    pub(crate) thing: Option<String>,
    /// Keep alive of the CONNECT in seconds.
    pub(crate) keep_alive: u16,
    /// Granted Session Expiry Interval in seconds; 0 for a session that ends with the connection.
    pub(crate) session_expiry: u32,
    pub(crate) connected_since: SystemTime,
}

/// State of the last connection of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionStatus {
    Connected,
    /// The connection has ended; `reason` is a name of AWS IoT Core's lifecycle events.
    Disconnected {
        since: SystemTime,
        reason: &'static str,
    },
}

/// Filter of a subscription with its maximum QoS.
pub(crate) type FilterAndQoS = (Arc<str>, QoS);

impl Clients {
    /// Forgets connections that ended more than `age` ago, and the oldest beyond the bound.
    fn forget_ended(&mut self, age: Duration, now: Instant) {
        while let Some((at, client_id, connection)) = self.ended.front() {
            if now.saturating_duration_since(*at) < age && self.ended.len() <= MAX_ENDED {
                return;
            }
            let is_last = |record: &ClientRecord| {
                record.connection == *connection && record.status != ConnectionStatus::Connected
            };
            if self.records.get(client_id).is_some_and(is_last) {
                self.records.remove(client_id);
            }
            self.ended.pop_front();
        }
    }
}

impl Hub {
    /// Records that a client is connected.
    pub(crate) fn record_connection(
        &mut self,
        client_id: &Arc<str>,
        connection: ConnectionId,
        facts: ConnectionFacts,
    ) {
        let record = ClientRecord {
            connection,
            facts,
            status: ConnectionStatus::Connected,
        };
        self.clients.records.insert(Arc::clone(client_id), record);
    }

    /// Records the end of a connection, unless it was recorded before or the client has another
    /// connection by now.
    pub(crate) fn record_end(
        &mut self,
        client_id: &Arc<str>,
        connection: ConnectionId,
        reason: &'static str,
        now: Timestamp,
    ) {
        let record = self.clients.records.get_mut(client_id);
        let is_of = |record: &&mut ClientRecord| {
            record.connection == connection && record.status == ConnectionStatus::Connected
        };
        let Some(record) = record.filter(is_of) else {
            return;
        };
        record.status = ConnectionStatus::Disconnected {
            since: now.calendar,
            reason,
        };
        let end = (now.instant, Arc::clone(client_id), connection);
        self.clients.ended.push_back(end);
        self.clients
            .forget_ended(self.settings.scaled(ENDED_AGE), now.instant);
    }

    /// Record of a client that is connected or was within the last 30 minutes; `None` for any other.
    pub(crate) fn client(&mut self, client_id: &str, now: Instant) -> Option<ClientRecord> {
        self.clients
            .forget_ended(self.settings.scaled(ENDED_AGE), now);
        self.clients.records.get(client_id).cloned()
    }

    /// Disconnects a client with DISCONNECT 0x98; with `cleans_session` its session ends, too.
    /// Returns `false` if the client isn't connected.
    pub(crate) fn disconnect_client(
        &mut self,
        client_id: &str,
        cleans_session: bool,
        prevents_will: bool,
        now: Timestamp,
    ) -> bool {
        let Some((client_id, session)) = self.sessions.get_key_value(client_id) else {
            return false;
        };
        let Some(connection) = session.connection() else {
            return false;
        };
        let client_id = Arc::clone(client_id);
        // The connection finds the eviction when it is woken, and sends the DISCONNECT.
        self.memory
            .evict(connection, Eviction::Requested { prevents_will });
        session.wake();
        // Already told as disconnected to the next request.
        self.record_end(&client_id, connection, "API_INITIATED_DISCONNECT", now);
        if cleans_session {
            self.end_session(&client_id, LossReason::SessionEnded, now.instant);
        }
        true
    }

    /// Up to `most` subscriptions of a session with filters after `after`, in order of their filters,
    /// and `true` if there are more; `None` if there is no session.
    pub(crate) fn subscriptions_after(
        &self,
        client_id: &str,
        after: &str,
        most: usize,
    ) -> Option<(Vec<FilterAndQoS>, bool)> {
        let session = self.sessions.get(client_id)?;
        let rest = session
            .subscriptions
            .iter()
            .filter(|(filter, _)| ***filter > *after);
        let mut page: Vec<_> = rest
            .map(|(filter, subscription)| (Arc::clone(filter), subscription.options.qos))
            .collect();
        page.sort_unstable();
        let has_more = page.len() > most;
        page.truncate(most);
        Some((page, has_more))
    }
}

/// Time for which the end of a connection is told, as at AWS IoT Core.
const ENDED_AGE: Duration = Duration::from_secs(30 * 60);
/// Maximum number of ends of connections that are told.
const MAX_ENDED: usize = 4096;
