//! Beginning and end of sessions.

use core::mem;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::QoS;
use tokio::sync::Notify;

use crate::server::hub::Hub;
use crate::server::hub::losses::LossReason;
use crate::server::hub::memory::Eviction;
use crate::server::hub::unfinished::{Unfinished, UnfinishedKind};
use crate::server::session::{ClientState, ConnectionId, Session, SessionId};

/// Connection and session of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attached {
    pub(crate) connection: ConnectionId,
    pub(crate) session: SessionId,
}

/// State of a session after the end of a connection.
#[derive(Debug)]
pub(crate) enum DetachOutcome {
    /// Another connection of the client has the session.
    TakenOver,
    /// The session waits for its client; a delayed will waits, too.
    Kept,
    /// The session has ended, with the connection or before it.
    Ended,
}

impl Hub {
    /// Gives a new connection the session of its client, or a new session. An older connection of
    /// the client finds that the session isn't its own any more. [MQTT-3.1.4-3]
    ///
    /// `session_expiry` is in seconds.
    pub(crate) fn attach(
        &mut self,
        client_id: &Arc<str>,
        clean_start: bool,
        session_expiry: u32,
        receive_maximum: u16,
        wake: Arc<Notify>,
        now: Instant,
    ) -> Attached {
        if clean_start {
            // [MQTT-3.1.2-4]
            self.end_session(client_id, LossReason::CleanStart, now);
        } else if !self.has_session(client_id) {
            // The session ends with the connection that is taken over (§3.1.2.11.2).
            self.end_session(client_id, LossReason::SessionEnded, now);
        }
        let connection = ConnectionId(self.next_id());
        let client_state = ClientState::Attached {
            connection,
            wake,
            ends_with_connection: session_expiry == 0,
        };

        // Resume the session.
        self.remove_timer(client_id);
        if let Some(session) = self.sessions.get_mut(client_id) {
            // [MQTT-3.1.2-5]
            session.wake();
            session.client_state = client_state;
            // The client is back in time. [MQTT-3.1.3-9]
            session.will = None;
            session.outgoing.resume(receive_maximum);
            return Attached {
                connection,
                session: session.id,
            };
        }

        // Begin a new one. [MQTT-3.1.2-6]
        self.limit_sessions(now);
        let id = SessionId(self.next_id());
        let mut session = Session::new(id, client_state);
        session.outgoing.resume(receive_maximum);
        self.sessions.insert(Arc::clone(client_id), session);
        Attached {
            connection,
            session: id,
        }
    }

    /// Handles the end of a connection: its session ends as well, or after `expiry` seconds without
    /// its client (`u32::MAX`: never).
    pub(crate) fn detach(
        &mut self,
        client_id: &Arc<str>,
        attached: Attached,
        expiry: u32,
        now: Instant,
    ) -> DetachOutcome {
        // Buffers of a closed connection don't count any more.
        self.memory.forget(attached.connection);
        let Some(session) = self
            .sessions
            .get_mut(client_id)
            .filter(|session| session.id == attached.session)
        else {
            return DetachOutcome::Ended;
        };

        // The session may have ended before, or belong to another connection by now.
        if !session.is_of(attached.connection) {
            return DetachOutcome::TakenOver;
        }
        if expiry == 0 {
            self.end_session(client_id, LossReason::SessionEnded, now);
            return DetachOutcome::Ended;
        }

        session.outgoing.forget_direct_messages();
        // 0xFFFFFFFF is a session that never ends (§3.1.2.11.2).
        let ends_at = (expiry != u32::MAX).then(|| now + self.settings.scaled_seconds(expiry));
        session.client_state = ClientState::Away {
            since: now,
            ends_at,
        };
        self.add_timer(client_id);
        DetachOutcome::Kept
    }

    /// Ends the session of a client that uses too much memory; its connection is closed with
    /// DISCONNECT 0x97.
    pub(super) fn evict(
        &mut self,
        client_id: &Arc<str>,
        eviction: Eviction,
        reason: LossReason,
        now: Instant,
    ) {
        // The connection learns of it when it delivers next; end_session wakes it.
        let connection = self.sessions.get(client_id).and_then(Session::connection);
        if let Some(connection) = connection {
            self.memory.evict(connection, eviction);
        }
        self.end_session(client_id, reason, now);
    }

    /// Ends a session: from here on it gets no message. Its will, the messages that its client hasn't
    /// acknowledged and its entries in the index are left to [`Self::handle_timeout`], a portion at a
    /// time.
    pub(super) fn end_session(&mut self, client_id: &Arc<str>, reason: LossReason, now: Instant) {
        self.remove_timer(client_id);
        let Some(mut session) = self.sessions.remove(client_id) else {
            return;
        };
        // Without a session no message is queued by them; the filters are removed later.
        self.end_subscriptions(client_id, mem::take(&mut session.subscriptions), now);
        session.wake();
        let unfinished = |what| Unfinished {
            client_id: Arc::clone(client_id),
            since: now,
            reason,
            what,
        };
        // The will that waited for the end of the session. [MQTT-3.1.2-8]
        self.unfinished.extend(
            session
                .will
                .take()
                .map(|will| unfinished(UnfinishedKind::Will(will))),
        );

        // A message of QoS 0 is no loss: its sender was promised nothing.
        let messages = session
            .outgoing
            .into_unacknowledged()
            .filter(|(queued, _)| queued.qos > QoS::AtMostOnce);
        self.unfinished.extend(
            messages
                .map(|(queued, is_sent)| unfinished(UnfinishedKind::Message { queued, is_sent })),
        );
        if !self.unfinished.is_empty() || !self.ended_subscriptions.is_empty() {
            self.timer_changed.notify_one();
        }
    }

    /// Ends the session whose client has been away for longest, if there are as many sessions as
    /// there may be.
    fn limit_sessions(&mut self, now: Instant) {
        if self.sessions.len() < self.settings.max_sessions() {
            return;
        }
        // Sessions of connected clients aren't touched: connections have a bound of their own.
        let away =
            self.sessions
                .iter()
                .filter_map(|(client_id, session)| match session.client_state {
                    ClientState::Away { since, .. } => Some((since, client_id)),
                    ClientState::Attached { .. } => None,
                });
        if let Some(client_id) = away.min().map(|(_, client_id)| Arc::clone(client_id)) {
            self.end_session(&client_id, LossReason::TooManySessions, now);
        }
    }
}
