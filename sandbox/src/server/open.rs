//! A connected client: the packets that it may send, and the end of its connection.

use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{Disconnect, Packet};

use crate::authorizer::{Credentials, Grant, Refusal};
use crate::event::Event;
use crate::fault::{Fault, TimedFault};
use crate::policy::{Action, Decision, Policy, Request, Subject};
use crate::server::aliases::{ClientAliases, ServerAliases};
use crate::server::close_reason::CloseReason;
use crate::server::deadlines::Deadlines;
use crate::server::hub::Attached;
use crate::server::limit::Limit;
use crate::server::request_refusal::RequestRefusal;
use crate::server::session::Session;
use crate::server::settings::Settings;
use crate::server::throttle::Throttle;
use crate::server::turn::Turn;
use crate::server::will::ConnectionWill;

/// State of a connection between CONNACK and its end.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) settings: Arc<Settings>,
    pub(crate) client_id: Arc<str>,
    pub(crate) subject: Subject,
    pub(crate) attached: Attached,
    /// Credentials of the CONNECT, with which the authorizer decides again.
    pub(crate) credentials: Credentials,
    /// Bytes of the credentials.
    pub(crate) credentials_size: usize,
    pub(crate) policy: Policy,
    pub(crate) will: Option<ConnectionWill>,
    pub(crate) client_aliases: ClientAliases,
    pub(crate) server_aliases: ServerAliases,
    pub(crate) throttle: Throttle,
    /// Messages of QoS 1 and 2 that a fault leaves unacknowledged.
    pub(crate) unacknowledged: usize,
    /// Session Expiry Interval of the CONNECT in seconds, whatever was granted.
    pub(crate) requested_session_expiry: u32,
    /// Seconds that the session outlives this connection.
    pub(crate) session_expiry: u32,
    pub(crate) deadlines: Deadlines,
    /// The authorizer must decide again, and doesn't know it yet.
    pub(crate) is_refreshing: bool,
}

impl Open {
    /// Handles a packet of `length` bytes.
    ///
    /// # Errors
    /// The end of the connection: the client's DISCONNECT, or a packet that it may not send.
    pub(crate) fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        length: usize,
        turn: &mut Turn<'_>,
    ) -> Result<(), CloseReason> {
        // Any packet counts, PINGREQ as well as PUBLISH (§3.1.2.10).
        self.deadlines.last_packet = turn.now;
        self.count_bytes(length, turn);
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish, turn),
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                self.handle_ack(packet, turn)
            }
            Packet::Subscribe(subscribe) => self.handle_subscribe(subscribe, turn),
            Packet::Unsubscribe(unsubscribe) => self.handle_unsubscribe(unsubscribe, turn),
            Packet::PingReq => {
                if !self.settings.faults.has(&Fault::NoPingResp) {
                    // [MQTT-3.12.4-1]
                    turn.send(&Packet::PingResp);
                }
                Ok(())
            }
            Packet::Disconnect(disconnect) => Err(self.handle_disconnect(disconnect)),
            // [MQTT-3.1.0-2]
            Packet::Connect(_) => Err(CloseReason::ProtocolError("a second CONNECT")),
            Packet::Auth(_) => Err(CloseReason::ProtocolError(
                "AUTH without an authentication method",
            )),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => Err(
                CloseReason::ProtocolError("a packet that only servers send"),
            ),
        }
    }

    /// Counts bytes in or out; the first excess of a second is logged.
    pub(super) fn count_bytes(&mut self, bytes: usize, turn: &mut Turn<'_>) {
        // It is true once for each pause, so a fast client doesn't fill the log.
        if self.throttle.count_bytes(bytes, turn.now) {
            let most = self.settings.rules().max_bytes_per_second;
            let limit = Limit::Throughput(most.unwrap_or_default());
            turn.log(Event::Limited {
                client_id: self.client_id.to_string(),
                limit: limit.to_string(),
            });
        }
    }

    /// `true` while nothing is read and nothing delivered, as the bytes of this second are used up.
    pub(crate) const fn is_throttled(&self) -> bool {
        self.throttle.paused_until.is_some()
    }

    /// Takes over the policy of a new decision of the authorizer, as AWS IoT does after
    /// `refreshAfterInSeconds`.
    ///
    /// # Errors
    /// The end of the connection: the authorizer refuses, or the new policy denies `iot:Connect`.
    pub(crate) fn handle_refresh(
        &mut self,
        answer: Result<Grant, Refusal>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CloseReason> {
        // A line of the log in either case: a refresh may change what the client may do.
        let outcome = self.refresh(answer, turn);
        let logged = outcome
            .clone()
            .map(|decision| (self.policy.summary(), decision));
        turn.log(Event::Refresh {
            client_id: self.client_id.to_string(),
            outcome: logged.into(),
        });
        outcome.map(drop).map_err(CloseReason::Refused)
    }

    fn refresh(
        &mut self,
        answer: Result<Grant, Refusal>,
        turn: &Turn<'_>,
    ) -> Result<Decision, RequestRefusal> {
        let grant = answer?;
        self.deadlines.refresh_at = grant
            .refresh_after
            .map(|after| turn.now + self.settings.scaled(after));
        // The new policy holds even if it denies iot:Connect, in which case the connection ends.
        // Subscriptions stay: iot:Receive is evaluated for each message.
        self.policy = grant.policy;
        RequestRefusal::unless_allowed(self.decide(Action::Connect, &self.client_id, turn))
    }

    /// Does everything that is due at `now`.
    ///
    /// # Errors
    /// The end of the connection: a fault on demand, a silent client, or the end of
    /// `disconnectAfterInSeconds`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), CloseReason> {
        self.throttle.refill(now);
        // Faults on demand come before everything else that may be due.
        match self.deadlines.fault_at {
            Some((at, TimedFault::Reset)) if at <= now => return Err(CloseReason::Reset),
            Some((at, TimedFault::Disconnect(reason_code))) if at <= now => {
                return Err(CloseReason::Fault {
                    reason_code,
                    reason_string: None,
                });
            }
            _ => {}
        }
        if self.is_silent(now) {
            return Err(CloseReason::KeepAlive);
        }
        if self.deadlines.disconnect_at <= now {
            return Err(match self.credentials.signed_by {
                Some(_) => CloseReason::WebSocketExpired,
                None => CloseReason::AuthorizationEnded,
            });
        }
        // The answer sets the next time; until then none is due.
        if self.deadlines.refresh_at.is_some_and(|at| at <= now) {
            self.deadlines.refresh_at = None;
            self.is_refreshing = true;
        }
        Ok(())
    }

    /// Credentials that the authorizer must decide about again; `None` if none must.
    pub(crate) fn poll_credentials(&mut self) -> Option<Credentials> {
        core::mem::take(&mut self.is_refreshing).then(|| self.credentials.clone())
    }

    /// Time of the next call of [`Self::handle_timeout`].
    pub(crate) fn next_deadline(&self) -> Instant {
        let deadlines = &self.deadlines;
        let fault_at = deadlines.fault_at.map(|(at, _)| at);
        let others = [
            self.silent_until(),
            deadlines.refresh_at,
            fault_at,
            self.throttle.paused_until,
            self.throttle.deliver_at,
        ];
        others
            .into_iter()
            .flatten()
            .fold(deadlines.disconnect_at, Instant::min)
    }

    /// `true` if no packet has come for one and a half times the keep alive.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        self.silent_until().is_some_and(|until| until <= now)
    }

    /// Time at which the client has been silent for too long; `None` without a keep alive, or while
    /// the server doesn't read.
    fn silent_until(&self) -> Option<Instant> {
        // While the sandbox itself doesn't read, silence is no fault of the client.
        let silence = self.deadlines.silence.filter(|_| !self.is_throttled())?;
        Some(self.deadlines.last_packet + silence)
    }

    fn handle_disconnect(&mut self, disconnect: &Disconnect<'_>) -> CloseReason {
        if let Some(expiry) = disconnect.properties.session_expiry_interval {
            if expiry > 0 && self.requested_session_expiry == 0 {
                // A session that ends with its connection can't be made to last. §3.14.2.2.2
                return CloseReason::ProtocolError(
                    "a session expiry interval that CONNECT didn't have",
                );
            }
            self.session_expiry = expiry.min(self.settings.rules().max_session_expiry);
        }
        CloseReason::Client {
            reason_code: disconnect.reason_code,
        }
    }

    /// Session of the client; `None` once another connection has taken it over, or it has ended.
    pub(super) fn session<'a>(&self, turn: &'a mut Turn<'_>) -> Option<&'a mut Session> {
        turn.hub.session(&self.client_id, self.attached.connection)
    }

    pub(super) fn decide(&self, action: Action, name: &str, turn: &Turn<'_>) -> Decision {
        let request = Request::new(action, name, &self.subject, turn.calendar);
        self.policy.evaluate(request)
    }
}
