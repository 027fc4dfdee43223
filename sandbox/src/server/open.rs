//! A connected client: which packets it may send, and how long it stays connected.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_codec::{Disconnect, Packet, ReasonCode};

use crate::authorizer::{Credentials, Grant, Refusal};
use crate::event::Event;
use crate::fault::{Fault, TimedFault};
use crate::policy::{Action, Decision, Policy, Request, Subject};
use crate::server::aliases::{ClientAliases, ServerAliases};
use crate::server::close_reason::CloseReason;
use crate::server::denied::Denied;
use crate::server::hub::{Attached, DetachOutcome, Hub};
use crate::server::limit::Limit;
use crate::server::message::Message;
use crate::server::output::Output;
use crate::server::rate::RateWindow;
use crate::server::session::DelayedWill;
use crate::server::settings::Settings;

/// What exists of a connection between CONNACK and its end.
#[derive(Debug)]
pub(crate) struct Open {
    pub(crate) settings: Arc<Settings>,
    pub(crate) client_id: Arc<str>,
    pub(crate) subject: Subject,
    pub(crate) attached: Attached,
    /// Kept because the authorizer is asked again with them.
    pub(crate) credentials: Credentials,
    /// What they take.
    pub(crate) credentials_size: usize,
    pub(crate) policy: Policy,
    pub(crate) will: Option<ConnectionWill>,
    pub(crate) client_aliases: ClientAliases,
    pub(crate) server_aliases: ServerAliases,
    pub(crate) throttle: Throttle,
    /// Messages of QoS 1 that a fault leaves unacknowledged.
    pub(crate) unacknowledged: usize,
    /// What the CONNECT asked for, whatever it got.
    pub(crate) requested_session_expiry: u32,
    /// Seconds that the session outlives this connection.
    pub(crate) session_expiry: u32,
    pub(crate) deadlines: Deadlines,
    /// The authorizer is to be asked again, and hasn't been yet.
    pub(crate) is_refreshing: bool,
}

/// The will, with the times that begin when the connection ends.
#[derive(Debug)]
pub(crate) struct ConnectionWill {
    pub(crate) message: Message,
    /// How long it is worth delivering once it is published.
    pub(crate) expiry: Option<Duration>,
    pub(crate) delay: Duration,
}

/// What ends a connection, or happens to it, by time alone.
#[derive(Debug)]
pub(crate) struct Deadlines {
    /// One and a half times the keep alive, where there is one.
    pub(crate) silence: Option<Duration>,
    pub(crate) last_packet: Instant,
    pub(crate) disconnect_at: Instant,
    /// `None` while the authorizer is being asked.
    pub(crate) refresh_at: Option<Instant>,
    pub(crate) fault_at: Option<(Instant, TimedFault)>,
}

/// What the profile allows in a second; `None` is any number.
#[derive(Debug)]
pub(crate) struct Throttle {
    pub(crate) messages: Option<RateWindow>,
    pub(crate) bytes: Option<RateWindow>,
    pub(crate) stored: Option<RateWindow>,
    /// Nothing is read and nothing delivered until then.
    until: Option<Instant>,
    /// When to look for messages again that had to wait.
    pub(crate) deliver_at: Option<Instant>,
}

impl Throttle {
    pub(crate) fn new(settings: &Settings, now: Instant) -> Self {
        let (rules, second) = (settings.rules(), settings.scaled(Duration::from_secs(1)));
        let window = |most: Option<u32>| most.map(|most| RateWindow::new(most, second, now));
        Self {
            messages: window(rules.max_messages_per_second),
            bytes: window(rules.max_bytes_per_second),
            stored: window(rules.max_stored_per_second),
            until: None,
            deliver_at: None,
        }
    }

    /// Counts a packet; `true` where from now on nothing goes on until the window ends.
    pub(crate) fn count(&mut self, bytes: usize, now: Instant) -> bool {
        let Some(window) = &mut self.bytes else {
            return false;
        };
        window.take(u64::try_from(bytes).unwrap_or(u64::MAX));
        let is_over = !window.is_open(now);
        let begins = is_over && self.until.is_none();
        self.until = is_over.then(|| window.ends());
        begins
    }
}

impl Open {
    pub(crate) fn handle_packet(
        &mut self,
        packet: &Packet<'_>,
        length: usize,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) -> Result<(), CloseReason> {
        self.deadlines.last_packet = now;
        self.count(length, output, now);
        match packet {
            Packet::Publish(publish) => self.handle_publish(publish, output, hub, now),
            Packet::PubAck(_) | Packet::PubRec(_) | Packet::PubRel(_) | Packet::PubComp(_) => {
                self.handle_ack(packet, output, hub)
            }
            Packet::Subscribe(subscribe) => self.handle_subscribe(subscribe, output, hub, now),
            Packet::Unsubscribe(unsubscribe) => {
                self.handle_unsubscribe(unsubscribe, output, hub);
                Ok(())
            }
            Packet::PingReq => {
                if !self.settings.faults.has(&Fault::NoPingResp) {
                    // [MQTT-3.12.4-1]
                    output.send(&Packet::PingResp);
                }
                Ok(())
            }
            Packet::Disconnect(disconnect) => Err(self.handle_disconnect(disconnect)),
            // [MQTT-3.1.0-2]
            Packet::Connect(_) => Err(CloseReason::told(
                ReasonCode::ProtocolError,
                "a second CONNECT",
            )),
            Packet::Auth(_) => Err(CloseReason::told(
                ReasonCode::ProtocolError,
                "AUTH without an authentication method",
            )),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => Err(
                CloseReason::told(ReasonCode::ProtocolError, "a packet that only servers send"),
            ),
        }
    }

    /// Counts bytes in or out, and says once that there are too many.
    pub(crate) fn count(&mut self, bytes: usize, output: &mut Output, now: Instant) {
        if self.throttle.count(bytes, now) {
            let most = self
                .settings
                .rules()
                .max_bytes_per_second
                .unwrap_or_default();
            let limit = Limit::Throughput(most).to_string();
            output.log(Event::Limited {
                client_id: self.client_id.to_string(),
                limit,
            });
        }
    }

    /// Time has passed: what was too much may go on.
    pub(crate) fn refill(&mut self, now: Instant) {
        let throttle = &mut self.throttle;
        if throttle.until.is_some_and(|until| until <= now) {
            let is_open = throttle
                .bytes
                .as_mut()
                .is_none_or(|window| window.is_open(now));
            throttle.until = throttle
                .bytes
                .as_ref()
                .filter(|_| !is_open)
                .map(RateWindow::ends);
        }
        throttle.deliver_at = throttle.deliver_at.filter(|at| *at > now);
    }

    /// Whether so much came and went that nothing does for the moment.
    pub(crate) const fn is_throttled(&self) -> bool {
        self.throttle.until.is_some()
    }

    /// The authorizer has been asked again, as AWS IoT does after `refreshAfterInSeconds`.
    pub(crate) fn handle_refresh(
        &mut self,
        verdict: Result<Grant, Refusal>,
        output: &mut Output,
        now: Instant,
    ) -> Result<(), CloseReason> {
        let outcome = self.refreshed(verdict, now);
        let logged = outcome
            .clone()
            .map(|decision| (self.policy.summary(), decision));
        output.log(Event::Refresh {
            client_id: self.client_id.to_string(),
            outcome: logged.into(),
        });
        outcome
            .map(drop)
            .map_err(|denied| CloseReason::told(denied.reason_code, denied.reason))
    }

    fn refreshed(
        &mut self,
        verdict: Result<Grant, Refusal>,
        now: Instant,
    ) -> Result<Decision, Denied> {
        let grant = verdict.map_err(|refusal| Denied::new(refusal.reason_code(), refusal))?;
        self.deadlines.refresh_at = grant
            .refresh_after
            .map(|after| now + self.settings.scaled(after));
        self.policy = grant.policy;
        Denied::unless_allowed(self.decide(Action::Connect, &self.client_id))
    }

    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), CloseReason> {
        self.refill(now);
        let is_silent = self.is_silent(now);
        let deadlines = &mut self.deadlines;
        match deadlines.fault_at {
            Some((at, TimedFault::Reset)) if at <= now => return Err(CloseReason::Reset),
            Some((at, TimedFault::Disconnect(reason_code))) if at <= now => {
                return Err(CloseReason::Fault {
                    reason_code,
                    reason_string: None,
                });
            }
            _ => {}
        }
        if is_silent {
            // [MQTT-3.1.2-22]
            let reason = "nothing was received for one and a half times the keep alive";
            return Err(CloseReason::told(ReasonCode::KeepAliveTimeout, reason));
        }
        if deadlines.disconnect_at <= now {
            // The service documents that it disconnects, and not with which code.
            return Err(CloseReason::told(
                ReasonCode::AdministrativeAction,
                ENDED_BY_AUTHORIZER,
            ));
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
        let others = [
            self.silent_until(),
            deadlines.refresh_at,
            fault_at,
            self.throttle.until,
            self.throttle.deliver_at,
        ];
        others
            .into_iter()
            .flatten()
            .fold(deadlines.disconnect_at, Instant::min)
    }

    /// Whether the client seems to have been silent for too long.
    pub(crate) fn is_silent(&self, now: Instant) -> bool {
        self.silent_until().is_some_and(|until| until <= now)
    }

    /// While the server doesn't read, silence is none of the client's.
    fn silent_until(&self) -> Option<Instant> {
        let silence = self.deadlines.silence.filter(|_| !self.is_throttled())?;
        Some(self.deadlines.last_packet + silence)
    }

    /// The connection is over: the session, the will and the log line.
    pub(crate) fn end(
        mut self,
        end: &CloseReason,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) {
        let left = hub.detach(&self.client_id, self.attached, self.session_expiry, now);
        // [MQTT-3.1.2-8] [MQTT-3.1.2-10]
        if let Some(will) = self.will.take().filter(|_| end.publishes_will()) {
            self.leave_will(will, &left, output, hub, now);
        }
        output.log(Event::Disconnect {
            client_id: self.client_id.to_string(),
            reason: end.log_reason(),
        });
    }

    /// A delay holds the will back for as long as the session goes on.
    fn leave_will(
        &self,
        will: ConnectionWill,
        left: &DetachOutcome,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) {
        let ConnectionWill {
            mut message,
            expiry,
            delay,
        } = will;
        let waits = !delay.is_zero();
        message.begin_expiry(
            expiry,
            if waits && matches!(left, DetachOutcome::Kept) {
                now + delay
            } else {
                now
            },
        );
        let message = Arc::new(message);
        match left {
            // The client is back already. [MQTT-3.1.3-9]
            DetachOutcome::TakenOver if waits => {}
            DetachOutcome::Kept if waits => match self.authorize_publish(&message) {
                Ok(decision) => {
                    hub.delay_will(
                        &self.client_id,
                        DelayedWill {
                            at: now + delay,
                            message,
                            decision,
                        },
                    );
                }
                Err(denied) => output.log(self.will_event(message.topic(), Err(denied))),
            },
            DetachOutcome::TakenOver | DetachOutcome::Kept | DetachOutcome::Ended => {
                let outcome = self.publish(&message, hub, now);
                output.log(self.will_event(message.topic(), outcome));
            }
        }
    }

    fn will_event(&self, topic: String, outcome: Result<(usize, Decision), Denied>) -> Event {
        let client_id = self.client_id.to_string();
        Event::Publish {
            is_will: true,
            client_id,
            topic,
            outcome: outcome.into(),
        }
    }

    fn handle_disconnect(&mut self, disconnect: &Disconnect<'_>) -> CloseReason {
        if let Some(expiry) = disconnect.properties.session_expiry_interval {
            if expiry > 0 && self.requested_session_expiry == 0 {
                // §3.14.2.2.2: what began without a session can't ask for one at its end.
                return CloseReason::told(
                    ReasonCode::ProtocolError,
                    "a session expiry interval that CONNECT didn't have",
                );
            }
            self.session_expiry = expiry.min(self.settings.rules().max_session_expiry);
        }
        CloseReason::Client {
            reason_code: disconnect.reason_code,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "aws:CurrentTime of a request")]
    pub(crate) fn decide(&self, action: Action, name: &str) -> Decision {
        self.policy.evaluate(Request::new(
            action,
            name,
            &self.subject,
            std::time::SystemTime::now(),
        ))
    }
}

/// With the reason that the service publishes for it on `$aws/events/presence/disconnected/..`.
const ENDED_BY_AUTHORIZER: &str = "disconnectAfterInSeconds is over (CUSTOMAUTH_TTL_EXPIRATION)";
