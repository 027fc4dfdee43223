//! A connection whose CONNECT was sent: the exchange of authentication, and CONNACK.

use std::time::Instant;

use dunlin_codec::{ConnAck, Packet, PacketType};

use super::auth::{Exchange, finish, handle_auth};
use super::core::Core;
use super::engine_event::EngineEvent;
use super::exit::Exit;
use super::open::Open;
use super::violation::protocol_error;
use crate::error::{ConnectError, ServerReason};
use crate::event::{Connected, ServerLimits};
use crate::policy::CleanStart;

/// A connection whose CONNECT was sent.
#[derive(Debug)]
pub(super) struct Connecting {
    /// Clean Start flag of CONNECT.
    clean_start: bool,
    /// Time at which CONNECT was written.
    since: Instant,
    /// `None` without an authentication method.
    exchange: Option<Exchange>,
    /// `true` if an earlier CONNECT was never answered.
    in_doubt: bool,
}

impl Connecting {
    /// Writes CONNECT into the output.
    ///
    /// # Errors
    /// [`ConnectError::Authentication`] if the exchange can't begin, [`ConnectError::Options`] if
    /// the options can't be encoded. Nothing was written then.
    pub(super) fn begin(now: Instant, core: &mut Core) -> Result<Self, ConnectError> {
        // Sessions belong to client identifiers.
        let client_id = core.client_id().to_owned();
        let identity = &core.session.identity;
        // A session of another client is not resumed, whatever the options say.
        let is_other_client = core
            .session
            .client_id()
            .is_some_and(|established| established != client_id);
        let clean_start = is_other_client
            || identity.is_given_up
            || match core.options.clean_start {
                CleanStart::Always => true,
                CleanStart::First => !identity.is_established,
                CleanStart::Never => false,
            };
        // Packets that an earlier connection left behind are for no server any more.
        drop(core.output.clear());

        // The first data of the exchange go into CONNECT.
        let (exchange, data) = core
            .options
            .authentication
            .as_ref()
            .map(Exchange::begin)
            .transpose()?
            .unzip();
        let data = data.flatten();
        let data = data.as_ref().map(|data| data.expose().as_slice());

        // The Receive Maximum may be smaller for a while than the options say.
        let configured = core.options.receive_maximum;
        if let Some(reduced) = core.receive_window.announce(&core.options) {
            core.options.receive_maximum = Some(reduced);
        }
        // The options are as before, whether or not CONNECT was written.
        let encoded = core
            .options
            .encode(clean_start, &client_id, data, core.output.buffer());
        core.options.receive_maximum = configured;
        encoded?;

        core.statistics.packets_sent += 1;
        // Until CONNACK arrives, the server may or may not have acted on CONNECT.
        let in_doubt = std::mem::replace(&mut core.session.identity.is_unanswered, true);
        Ok(Self {
            clean_start,
            since: now,
            exchange,
            in_doubt,
        })
    }

    /// Handles a packet. Returns the open connection after CONNACK; until then only AUTH may come.
    /// [MQTT-3.2.0-1]
    ///
    /// # Errors
    /// The attempt has failed.
    pub(super) fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        now: Instant,
        core: &mut Core,
    ) -> Result<Option<Open>, Exit> {
        match packet {
            // The answer to CONNECT.
            Packet::ConnAck(connack) => self.handle_connack(&connack.read(), now, core).map(Some),
            // A step of the exchange before the answer.
            Packet::Auth(auth) => {
                handle_auth(self.exchange.as_mut(), auth, core)?;
                Ok(None)
            }
            // A server refuses by CONNACK, not by DISCONNECT.
            Packet::Disconnect(_) => {
                Err(
                    protocol_error(PacketType::Disconnect, "before CONNACK", "MQTT-3.14.0-1")
                        .into(),
                )
            }
            other => {
                let packet_type = other.packet_type();
                Err(protocol_error(packet_type, "before CONNACK", "MQTT-3.2.0-1").into())
            }
        }
    }

    fn handle_connack(
        &mut self,
        connack: &ConnAck<'_>,
        now: Instant,
        core: &mut Core,
    ) -> Result<Open, Exit> {
        let identity = &mut core.session.identity;
        // The server refused: it has not touched the session.
        if connack.reason_code.is_error() {
            identity.is_unanswered = self.in_doubt;
            let reason = ServerReason::of_connack(connack);
            return Err(Exit::attempt(ConnectError::Refused(reason)));
        }
        // The server must not resume a session that this client does not have.
        if connack.session_present && (self.clean_start || !identity.is_established) {
            return Err(protocol_error(
                PacketType::ConnAck,
                "a session that this client doesn't have",
                "MQTT-3.2.2-4",
            )
            .into());
        }
        // Without an identifier of its own, the client needs an assigned one.
        let assigned = connack.properties.assigned_client_identifier;
        if core.client_id().is_empty() && assigned.is_none() {
            return Err(protocol_error(
                PacketType::ConnAck,
                "no identifier for a client that has none",
                "MQTT-3.2.2-16",
            )
            .into());
        }
        // The exchange of authentication ends with CONNACK, or the connection does.
        finish(self.exchange.as_mut(), connack)?;

        // The session has the identifier that the client chose; the server may assign another one
        // to the connection.
        let assigned = assigned.map(|id| id.as_str().to_owned());
        let chosen = Some(core.client_id().to_owned()).filter(|id| !id.is_empty());
        let slow_start = first_window(core);
        let identity = &mut core.session.identity;
        identity.client_id = chosen.clone().or_else(|| assigned.clone());
        (identity.is_established, identity.is_unanswered) = (true, false);
        identity.is_given_up = false;
        let client_id = assigned.or(chosen).unwrap_or_default();

        // From here on the server has accepted the connection.
        let server = ServerLimits::new(
            connack,
            core.options.keep_alive_seconds().unwrap_or(u16::MAX),
            core.options.session_expiry_interval.unwrap_or(0),
        );
        let mut open = Open::new(server, slow_start, self.since, now, &core.options);
        open.authenticated = self
            .exchange
            .take()
            .map(|exchange| Box::new(exchange.into()));
        core.session.outbound.start_ack_deadlines(now);
        core.statistics.connections += 1;
        core.statistics.resumed += u64::from(connack.session_present);
        // The application hears of the connection before anything that follows from it.
        let elapsed = now.saturating_duration_since(self.since);
        let connected = Connected::new(connack, client_id, server, elapsed);
        // A queue grows by four, and most connections only ever report this event.
        core.events.reserve_exact(1);
        core.events
            .push_back(EngineEvent::Connected(Box::new(connected)));
        // Resumes or renews the session, and sends what has waited.
        open.begin(connack, self.in_doubt, now, core);
        Ok(open)
    }

    /// Time at which CONNACK is late; `None` beyond the clock's range.
    pub(super) fn due(&self, core: &Core) -> Option<Instant> {
        self.since.checked_add(core.options.connack_timeout)
    }

    /// Handles the time.
    ///
    /// # Errors
    /// CONNACK is late.
    pub(super) fn handle_timeout(&self, now: Instant, core: &Core) -> Result<(), Exit> {
        let after = core.options.connack_timeout;
        if now.saturating_duration_since(self.since) >= after {
            return Err(Exit::attempt(ConnectError::ConnAckTimeout { after }));
        }
        Ok(())
    }
}

/// Number of messages that a connection starts with; `None` for the server's Receive Maximum.
fn first_window(core: &Core) -> Option<u16> {
    // One after another, so that the next end shows which of the messages is the reason.
    if core.session.outbound.has_suspects {
        return Some(1);
    }
    // A session that ends with its connection leaves requests behind, too.
    let is_first = !core.session.identity.is_established && core.statistics.connections == 0;
    core.options.slow_start.filter(|_| !is_first)
}
