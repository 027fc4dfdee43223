//! A connected client: which packets it may send, and how long it stays connected.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_codec::{Disconnect, Packet, ReasonCode};

use crate::authorizer::{Credentials, Grant, Refusal};
use crate::event::Event;
use crate::fault::{Fault, TimedFault};
use crate::policy::{Action, Decision, Policy, Request, Subject};
use crate::server::connection::Settings;
use crate::server::denied::Denied;
use crate::server::end::End;
use crate::server::hub::{ConnectionId, Hub};
use crate::server::message::Message;
use crate::server::output::Output;

/// What exists of a connection between CONNACK and its end.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) settings: Arc<Settings>,
    pub(crate) client_id: Arc<str>,
    pub(crate) subject: Subject,
    pub(crate) connection: ConnectionId,
    /// Kept because the authorizer is asked again with them.
    pub(crate) credentials: Credentials,
    pub(crate) policy: Policy,
    pub(crate) will: Option<Message>,
    /// What the CONNECT asked for, whatever it got.
    pub(crate) requested_session_expiry: u32,
    pub(crate) deadlines: Deadlines,
    /// The authorizer is to be asked again, and hasn't been yet.
    pub(crate) is_refreshing: bool,
}

/// What ends a connection, or happens to it, by time alone.
#[derive(Debug)]
pub(crate) struct Deadlines {
    /// One and a half times the keep alive.
    pub(crate) silence: Duration,
    pub(crate) last_packet: Instant,
    pub(crate) disconnect_at: Instant,
    /// `None` while the authorizer is being asked.
    pub(crate) refresh_at: Option<Instant>,
    pub(crate) fault_at: Option<(Instant, TimedFault)>,
}

impl Open {
    pub(crate) fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) -> Result<(), End> {
        self.deadlines.last_packet = now;
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish, output, hub, now),
            Packet::PubAck(ack) => {
                // One that nothing waits for is ignored: it may answer what a lost connection sent.
                if let Some(session) = hub.session(&self.client_id, self.connection) {
                    session.outgoing.acknowledge(ack.packet_id);
                }
                Ok(())
            }
            Packet::Subscribe(subscribe) => self.handle_subscribe(subscribe, output, hub, now),
            Packet::Unsubscribe(unsubscribe) => {
                self.handle_unsubscribe(unsubscribe, output, hub);
                Ok(())
            }
            Packet::PingReq => {
                if !self.settings.faults.has(&Fault::NoPingResp) {
                    output.send(&Packet::PingResp);
                }
                Ok(())
            }
            Packet::Disconnect(disconnect) => Err(self.good_bye(disconnect)),
            // [MQTT-3.1.0-2]
            Packet::Connect(_) => Err(End::told(ReasonCode::ProtocolError, "a second CONNECT")),
            Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                Err(End::told(ReasonCode::ProtocolError, "a packet of QoS 2; the maximum is 1"))
            }
            Packet::Auth(_) => {
                Err(End::told(ReasonCode::ProtocolError, "AUTH without an authentication method"))
            }
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                Err(End::told(ReasonCode::ProtocolError, "a packet that only servers send"))
            }
        }
    }

    /// The authorizer has been asked again, as AWS IoT does after `refreshAfterInSeconds`.
    pub(crate) fn handle_refresh(
        &mut self,
        verdict: Result<Grant, Refusal>,
        output: &mut Output,
        now: Instant,
    ) -> Result<(), End> {
        let outcome = self.refreshed(verdict, now);
        let logged = outcome.clone().map(|decision| (self.policy.summary(), decision));
        output.log(Event::Refresh { client_id: self.client_id.to_string(), outcome: logged.into() });
        outcome.map(drop).map_err(|denied| End::told(denied.reason_code, denied.reason))
    }

    fn refreshed(&mut self, verdict: Result<Grant, Refusal>, now: Instant) -> Result<Decision, Denied> {
        let grant = verdict.map_err(|refusal| Denied::new(ReasonCode::NotAuthorized, refusal))?;
        self.deadlines.refresh_at = Some(now + self.settings.scaled(grant.refresh_after));
        self.policy = grant.policy;
        Denied::unless_allowed(self.decide(Action::Connect, &self.client_id))
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), End> {
        let deadlines = &mut self.deadlines;
        match deadlines.fault_at {
            Some((at, TimedFault::Reset)) if at <= now => return Err(End::Reset),
            Some((at, TimedFault::Disconnect(reason_code))) if at <= now => {
                return Err(End::Injected { reason_code, reason_string: None });
            }
            _ => {}
        }
        if deadlines.last_packet + deadlines.silence <= now {
            // [MQTT-3.1.2-22]
            let reason = "nothing was received for one and a half times the keep alive";
            return Err(End::told(ReasonCode::KeepAliveTimeout, reason));
        }
        if deadlines.disconnect_at <= now {
            // The service documents that it disconnects, and not with which code.
            return Err(End::told(ReasonCode::AdministrativeAction, "disconnectAfterInSeconds is over"));
        }
        if deadlines.refresh_at.is_some_and(|at| at <= now) {
            deadlines.refresh_at = None;
            self.is_refreshing = true;
        }
        Ok(())
    }

    pub(crate) fn poll_credentials(&mut self) -> Option<Credentials> {
        core::mem::take(&mut self.is_refreshing).then(|| self.credentials.clone())
    }

    pub(crate) fn next_deadline(&self) -> Instant {
        let deadlines = &self.deadlines;
        let fault_at = deadlines.fault_at.map(|(at, _)| at);
        let first = (deadlines.last_packet + deadlines.silence).min(deadlines.disconnect_at);
        [deadlines.refresh_at, fault_at].into_iter().flatten().fold(first, Instant::min)
    }

    /// The connection is over: the will, the session and the log line.
    pub(crate) fn end(mut self, end: &End, output: &mut Output, hub: &mut Hub, now: Instant) {
        hub.detach(&self.client_id, self.connection);
        // Its session has ended, so that a Will Delay Interval is over too. [MQTT-3.1.2-8]
        if let Some(will) = self.will.take().filter(|_| end.publishes_will()) {
            self.publish_will(will, output, hub, now);
        }
        output.log(Event::Disconnect { client_id: self.client_id.to_string(), reason: end.log_reason() });
    }

    fn good_bye(&self, disconnect: &Disconnect<'_>) -> End {
        let expiry = disconnect.properties.session_expiry_interval.unwrap_or(0);
        if expiry > 0 && self.requested_session_expiry == 0 {
            // §3.14.2.2.2: what began without a session can't ask for one at its end.
            return End::told(
                ReasonCode::ProtocolError,
                "a session expiry interval that CONNECT didn't have",
            );
        }
        End::Client { reason_code: disconnect.reason_code }
    }

    pub(crate) fn decide(&self, action: Action, name: &str) -> Decision {
        self.policy.evaluate(Request::new(action, name, &self.subject))
    }
}
