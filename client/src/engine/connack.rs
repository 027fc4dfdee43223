//! The server's answer to CONNECT: what it allows, and whether it goes on with the session.

use std::time::{Duration, Instant};

use dunlin_codec::{ConnAck, PacketType};

use crate::engine::inbound::inbound_aliases::InboundAliases;
use crate::engine::link::{Ended, conduct};
use crate::engine::open::Connection;
use crate::engine::outbound::outbound_aliases::Aliases;
use crate::engine::outbound::pace::Pacer;
use crate::engine::{Engine, EngineEvent, State};
use crate::error::{ConnectError, ServerReason, Violation};
use crate::event::{Connected, ServerLimits};

impl Engine {
    /// The server answered CONNECT.
    pub(super) fn handle_connack(
        &mut self,
        connack: &ConnAck<'_>,
        now: Instant,
    ) -> Result<(), Violation> {
        let State::Connecting {
            clean_start,
            since,
            in_doubt,
            ..
        } = self.state
        else {
            return Err(conduct(PacketType::ConnAck, "a second one", "MQTT-3.2.0-2"));
        };
        if connack.reason_code.is_error() {
            self.session.unanswered = in_doubt;
            let refused = ConnectError::Refused(ServerReason::of_connack(connack));
            self.close(Ended::Attempt(refused));
            return Ok(());
        }
        if connack.session_present && (clean_start || !self.session.established) {
            return Err(conduct(
                PacketType::ConnAck,
                "a session that this client doesn't have",
                "MQTT-3.2.2-4",
            ));
        }
        if self.client_id().is_empty() && connack.properties.assigned_client_identifier.is_none() {
            return Err(conduct(
                PacketType::ConnAck,
                "no identifier for a client that has none",
                "MQTT-3.2.2-16",
            ));
        }
        if !self.authenticate(connack)? {
            return Ok(());
        }
        let assigned = connack
            .properties
            .assigned_client_identifier
            .map(|id| id.as_str().to_owned());
        let chosen = Some(self.client_id().to_owned()).filter(|id| !id.is_empty());
        self.session.client_id = chosen.clone().or_else(|| assigned.clone());
        let client_id = assigned.or(chosen).unwrap_or_default();
        let expiry = self.options.session_expiry_interval.unwrap_or(0);
        let limits = ServerLimits::new(
            connack,
            self.options.keep_alive_seconds().unwrap_or(u16::MAX),
            expiry,
        );
        let mut connection = Connection::new(limits, self.options.ping_timeout, since, now);
        connection.outbound_aliases =
            Aliases::new(self.options.outbound_aliases, limits.topic_alias_maximum);
        connection.pacer = self
            .options
            .pace
            .map(|pace| Box::new(Pacer::new(pace, now)));
        connection.aliases = InboundAliases::new(self.options.topic_alias_maximum);
        if let State::Connecting { exchange, .. } = &mut self.state {
            connection.authenticated = exchange.take().map(|exchange| Box::new(exchange.into()));
        }
        if let Some(first) = self.first_window() {
            connection.quota.begin_slowly(first);
        }
        self.state = State::Open(connection);
        self.session.ack_deadlines.start(now);
        self.session.established = true;
        self.session.unanswered = false;
        self.session.is_given_up = false;
        let counts = self.counts();
        counts.connections += 1;
        counts.resumed += u64::from(connack.session_present);
        let elapsed: Duration = now.saturating_duration_since(since);
        let connected = Connected::new(connack, client_id, limits, elapsed);
        // A queue grows by four, and most connections only ever tell of this.
        self.events.reserve_exact(1);
        self.events
            .push_back(EngineEvent::Connected(Box::new(connected)));
        if connack.session_present {
            self.session.inbound.resumed();
            self.begin_unmatched_wait(now);
            // A session that the server began for a CONNECT whose CONNACK was lost is present as
            // well.
            if in_doubt {
                self.session.doubt();
            }
            for id in self.session.resume() {
                self.repeat_pubrel(id);
            }
        } else {
            // All its subscriptions will be this engine's.
            self.inherits_session = false;
            self.session.lose(self.options.on_session_lost);
            self.session.expire(now);
        }
        self.renew_subscriptions();
        self.flush_queue();
        Ok(())
    }

    /// How many messages a connection begins with, if not with as many as the server takes.
    fn first_window(&self) -> Option<u16> {
        // A session that ends with its connection leaves requests behind, too.
        let is_first =
            !self.session.established && self.session.operations.statistics().connections == 0;
        let again = self.options.slow_start.filter(|_| !is_first);
        // One after another, so that the next end shows which of them it was.
        if self.session.has_suspects {
            Some(1)
        } else {
            again
        }
    }
}
