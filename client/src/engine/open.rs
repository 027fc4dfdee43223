//! An open connection: what the server accepted, and how its packets are handled.

use std::time::Instant;

use dunlin_codec::{
    Ack, AckProperties, AckType, ConnAck, Disconnect, Packet, PacketType, ReasonCode,
};

use super::auth::{Authenticated, check_explanation, unasked};
use super::core::Core;
use super::exit::Exit;
use super::inbound::inbound_aliases::InboundAliases;
use super::keep_alive::KeepAlive;
use super::outbound::accepted_request::OperationId;
use super::outbound::flow::Flow;
use super::outbound::outbound_aliases::OutboundAliasTable;
use super::outbound::pace::Pacer;
use super::outbound::quota::Quota;
use super::subscriptions::answers::handle_answer;
use super::subscriptions::renewal::renew_subscriptions;
use super::violation::protocol_error;
use crate::authentication::ReauthenticationError;
use crate::error::{ConnectionError, RequestError, ServerReason};
use crate::event::ServerLimits;
use crate::options::ConnectOptions;

/// An open connection. All of it ends with the connection.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) flow: Flow,
    pub(super) keep_alive: KeepAlive,
    /// Topic aliases of the server.
    pub(super) inbound_aliases: InboundAliases,
    /// `None` without an authentication method.
    pub(super) authenticated: Option<Box<Authenticated>>,
    /// Time at which this client disconnects, because it had no memory for a message; `None` while
    /// it takes messages.
    pub(super) leaves_at: Option<Instant>,
}

impl Open {
    /// A connection whose CONNECT was sent at `since` and that was accepted `now`. `slow_start` is
    /// the number of messages that it starts with; `None` for the server's Receive Maximum.
    pub(super) fn new(
        server: ServerLimits,
        slow_start: Option<u16>,
        since: Instant,
        now: Instant,
        options: &ConnectOptions,
    ) -> Self {
        // The server limits the number of unacknowledged messages; this client may start with
        // fewer.
        let mut quota = Quota::new(server.receive_maximum);
        if let Some(first) = slow_start {
            quota.start_slowly(first);
        }
        // Both sides limit the number of topic aliases.
        let aliases = OutboundAliasTable::new(options.outbound_aliases, server.topic_alias_maximum);
        Self {
            flow: Flow {
                server,
                quota,
                aliases,
                pacer: options.pace.map(|pace| Box::new(Pacer::new(pace, now))),
            },
            keep_alive: KeepAlive::new(server.keep_alive, options.ping_timeout, since, now),
            inbound_aliases: InboundAliases::new(options.topic_alias_maximum),
            authenticated: None,
            leaves_at: None,
        }
    }

    /// Goes on with the session, or begins a new one, as CONNACK says; then sends what has waited.
    ///
    /// `in_doubt` says that an earlier CONNECT was never answered.
    pub(super) fn begin(
        &mut self,
        connack: &ConnAck<'_>,
        in_doubt: bool,
        now: Instant,
        core: &mut Core,
    ) {
        if connack.session_present {
            // The server repeats messages, and may send more than the Receive Maximum.
            core.session.inbound.set_resumed();
            core.unmatched_wait.start(now, core.options.unmatched_wait);
            // A session that the server began for a CONNECT whose CONNACK was lost is present as
            // well.
            if in_doubt {
                core.session.doubt();
            }
            // PUBREL is repeated first, in order; messages wait for the window.
            let (session, _, mut cx) = core.split(Some(&mut self.flow));
            for id in session.outbound.resume(cx.statistics) {
                session.outbound.repeat_pubrel(id, &mut cx);
            }
        } else {
            // All its subscriptions will be made by this engine.
            core.unmatched_wait.inherits_session = false;
            // Requests become new ones or fail; subscriptions are requested again.
            let (policy, statistics) = (core.options.on_session_lost, &mut core.statistics);
            let subscriptions = &mut core.session.subscriptions;
            core.session.inbound.forget();
            core.session
                .outbound
                .lose(policy, statistics, |filter, order| {
                    subscriptions.end(filter, order);
                });
            subscriptions.doubt();
            core.session.outbound.expire(now, statistics);
        }
        // Subscriptions go first, so that answers to the messages find them.
        renew_subscriptions(&mut self.flow, core);
        let (session, _, mut cx) = core.split(Some(&mut self.flow));
        session.outbound.send_after_connack(&mut cx);
    }

    /// Handles any packet but PUBLISH.
    ///
    /// # Errors
    /// The connection has to end.
    pub(super) fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        core: &mut Core,
    ) -> Result<(), Exit> {
        match packet {
            // Acknowledgements that the short decoder passed on.
            Packet::PubAck(ack) => self.handle_ack(AckType::PubAck, ack, core),
            Packet::PubRec(ack) => self.handle_ack(AckType::PubRec, ack, core),
            Packet::PubRel(ack) => self.handle_ack(AckType::PubRel, ack, core),
            Packet::PubComp(ack) => self.handle_ack(AckType::PubComp, ack, core),
            // Answers to requests about subscriptions.
            Packet::SubAck(ack) => {
                let answer = (ack.packet_id, &ack.properties, ack.reason_codes);
                Ok(handle_answer(
                    PacketType::SubAck,
                    answer,
                    &mut self.flow,
                    core,
                )?)
            }
            Packet::UnsubAck(ack) => {
                let answer = (ack.packet_id, &ack.properties, ack.reason_codes);
                Ok(handle_answer(
                    PacketType::UnsubAck,
                    answer,
                    &mut self.flow,
                    core,
                )?)
            }
            Packet::PingResp => {
                self.keep_alive.handle_pong();
                core.statistics.pings_answered += 1;
                Ok(())
            }
            // The server says why it closes the connection, and reads no answer.
            Packet::Disconnect(disconnect) => {
                let reason = ServerReason::of_disconnect(disconnect);
                Err(Exit::connection(ConnectionError::Disconnected(reason)))
            }
            Packet::ConnAck(_) => {
                Err(protocol_error(PacketType::ConnAck, "a second one", "MQTT-3.2.0-2").into())
            }
            Packet::Auth(auth) => {
                check_explanation(auth, core)?;
                match &mut self.authenticated {
                    Some(authenticated) => authenticated.handle_auth(auth, &self.flow, core),
                    None => Err(unasked().into()),
                }
            }
            // The decoder refuses packets that only clients send; PUBLISH is handled elsewhere.
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Publish(_) => Ok(()),
        }
    }

    /// Handles the acknowledgements of QoS 1 and 2.
    ///
    /// # Errors
    /// The connection has to end.
    pub(super) fn handle_ack(
        &mut self,
        ack_type: AckType,
        ack: &Ack<'_>,
        core: &mut Core,
    ) -> Result<(), Exit> {
        let AckProperties {
            reason_string,
            user_properties,
        } = &ack.properties;
        // A client that asked for no texts gets none.
        core.check_explanation(ack_type.packet_type(), reason_string, user_properties)?;
        let (session, events, mut cx) = core.split(Some(&mut self.flow));
        match ack_type {
            AckType::PubAck | AckType::PubComp => {
                session
                    .outbound
                    .handle_ack(ack_type, ack, events, &mut cx)?;
            }
            // The server has the message: PUBREL follows.
            AckType::PubRec => session.outbound.handle_pubrec(ack, events, &mut cx)?,
            AckType::PubRel => {
                // PUBCOMP is due in any case, also for an unknown identifier.
                let reason_code = if session.inbound.release(ack.packet_id) {
                    ReasonCode::Success
                } else {
                    ReasonCode::PacketIdentifierNotFound
                };
                cx.write_ack(AckType::PubComp, ack.packet_id, reason_code);
            }
        }
        Ok(())
    }

    /// Time at which something has to happen next; `None` if nothing has to.
    pub(super) fn due(&self) -> Option<Instant> {
        let paced = self.flow.pacer.as_ref().and_then(|pacer| pacer.due());
        let authenticated = self.authenticated.as_ref();
        self.keep_alive
            .due()
            .into_iter()
            .chain(self.leaves_at)
            .chain(paced)
            .chain(authenticated.and_then(|each| each.reauthentication_due()))
            .min()
    }

    /// Handles the time, as far as the connection itself is concerned: the keep alive, and messages
    /// that had no memory.
    ///
    /// # Errors
    /// The connection has to end. 0x8D is for servers to send: the connection just ends.
    /// [U-3.1.2-1]
    pub(super) fn handle_timeout(&mut self, now: Instant, core: &mut Core) -> Result<(), Exit> {
        // Acknowledgements had a second to arrive.
        if self.leaves_at.is_some_and(|at| at <= now) {
            return Err(self.leave(core));
        }
        if self
            .keep_alive
            .handle_timeout(now)
            .map_err(Exit::connection)?
        {
            core.output
                .write_packet(&Packet::PingReq, &mut core.statistics);
        }
        Ok(())
    }

    /// Sends PINGREQ now. With a keep alive, the answer is due as for any other PINGREQ.
    pub(super) fn ping(&mut self, now: Instant, core: &mut Core) {
        self.keep_alive.pinged(now);
        core.output
            .write_packet(&Packet::PingReq, &mut core.statistics);
    }

    /// Sends what the rate limit held back, as far as its time has come.
    pub(super) fn send_paced(&mut self, now: Instant, core: &mut Core) {
        if !self.flow.is_paced() {
            return;
        }
        let (session, _, mut cx) = core.split(Some(&mut self.flow));
        // The queue asks the pacer again, which may hold the next message back.
        session.outbound.send_queued(&mut cx);
        if let Some(pacer) = &mut self.flow.pacer {
            pacer.forget_due(now);
        }
    }

    /// Begins a re-authentication with the method in the options.
    ///
    /// # Errors
    /// [`RequestError::Reauthentication`], or an error of the packet. Nothing was sent then.
    pub(super) fn reauthenticate(
        &mut self,
        now: Instant,
        core: &mut Core,
    ) -> Result<OperationId, RequestError> {
        // Without a method in CONNECT there is no AUTH. [MQTT-4.12.0-7]
        match &mut self.authenticated {
            Some(authenticated) => authenticated.reauthenticate(now, &self.flow, core),
            None => Err(ReauthenticationError::OtherMethod.into()),
        }
    }

    /// Ends the connection if its re-authentication has taken too long.
    ///
    /// # Errors
    /// The re-authentication has taken too long.
    pub(super) fn time_out_reauthentication(
        &mut self,
        now: Instant,
        core: &mut Core,
    ) -> Result<(), Exit> {
        match &mut self.authenticated {
            Some(authenticated) => authenticated.time_out(now, core),
            None => Ok(()),
        }
    }

    /// Ends a connection on which messages were declined. What was taken is acknowledged first.
    pub(super) fn leave(&self, core: &mut Core) -> Exit {
        core.send_due_acks(true);
        let bytes = core.options.memory_budget;
        Exit::disconnect(
            ReasonCode::QuotaExceeded,
            ConnectionError::MemoryBudget { bytes },
        )
    }

    /// Writes the DISCONNECT of the application. [MQTT-3.14.4-1]
    pub(super) fn write_disconnect(&self, core: &mut Core) {
        let fits = |packet: &Disconnect<'_>| {
            let size = Packet::Disconnect(*packet).encoded_len();
            size.is_ok_and(|size| self.flow.check_size(size).is_ok())
        };
        // Texts that don't fit are left out [MQTT-3.14.2-3] [MQTT-3.14.2-4], then the rest.
        // [MQTT-3.2.2-15]
        let disconnect = &core.options.disconnect;
        let user_properties = disconnect.user_properties().unwrap_or_default();
        let packet = disconnect
            .to_packet(&user_properties)
            .ok()
            .filter(fits)
            .or_else(|| Some(disconnect.without_texts()).filter(fits))
            .unwrap_or_default();
        core.output
            .write_packet(&Packet::Disconnect(packet), &mut core.statistics);
    }
}
