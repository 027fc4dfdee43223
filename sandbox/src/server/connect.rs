//! CONNECT: the requests of the client, the decision of authorizers and policy, and the state of a
//! client that is accepted.

use core::net::SocketAddr;
use core::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use dunlin_codec::Connect;
use tokio::sync::Notify;

use crate::authorizer::{Authorizers, ConnectFields, Credentials, Grant, Refusal};
use crate::denial::Denial;
use crate::event::{Event, Outcome, Transport};
use crate::policy::{Action, ConnectAttributes, Decision, Request, Subject};
use crate::server::aliases::{ClientAliases, ServerAliases};
use crate::server::close_reason::CloseReason;
use crate::server::deadlines::Deadlines;
use crate::server::hub::ConnectionFacts;
use crate::server::limit::Limit;
use crate::server::open::Open;
use crate::server::output::ClientLimits;
use crate::server::peer::{Peer, RandomIds};
use crate::server::request_refusal::RequestRefusal;
use crate::server::settings::Settings;
use crate::server::throttle::Throttle;
use crate::server::turn::Turn;
use crate::server::will::ConnectionWill;
use crate::websocket_refusal::WebSocketRefusal;

/// A client that waits for its CONNACK.
#[derive(Debug)]
pub(crate) struct Pending {
    pub(super) client_id: Arc<str>,
    /// The server has chosen the client id.
    pub(super) is_assigned: bool,
    subject: Subject,
    credentials: Credentials,
    transport: Transport,
    /// The credentials were given out by [`Self::poll_credentials`].
    is_authorizing: bool,
    /// Authorizer that decided; `None` before that, or if none was found.
    authorizer: Option<String>,
    /// Decision about `iot:Connect`; `None` before the policy was evaluated.
    decision: Option<Decision>,
    clean_start: bool,
    pub(super) requested: Requested,
    /// Granted keep alive in seconds; 0 for none.
    pub(super) keep_alive: u16,
    /// Granted Session Expiry Interval in seconds.
    pub(super) session_expiry: u32,
    receive_maximum: u16,
    topic_alias_maximum: u16,
    source: SocketAddr,
    /// Address that the client connected to; `None` if the system doesn't tell it.
    target: Option<SocketAddr>,
    will: Option<ConnectionWill>,
    started: Instant,
}

/// Values of the CONNECT for which the CONNACK may have others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Requested {
    /// Seconds.
    pub(super) keep_alive: u16,
    /// Seconds.
    pub(super) session_expiry: u32,
}

impl Pending {
    /// Takes everything out of a CONNECT that is needed later.
    ///
    /// # Errors
    /// The end of the connection if the will can't be encoded.
    pub(crate) fn new(
        connect: &Connect<'_>,
        peer: &Peer,
        ids: &RandomIds,
        settings: &Settings,
        turn: &mut Turn<'_>,
    ) -> Result<Self, CloseReason> {
        // First of all: even a refusal must fit into the client's Maximum Packet Size.
        turn.output.client = client_limits(connect);

        // AWS IoT assigns ids of this form; the client can't come back with one. [MQTT-3.1.3-6]
        let is_assigned = connect.client_id.is_empty();
        let client_id: Arc<str> = if is_assigned {
            format!("$GEN/{}", ids.client).into()
        } else {
            connect.client_id.as_str().into()
        };

        // The will waits in memory until the connection ends.
        let memory = turn.hub.memory_counter();
        let will = connect.will.as_ref();
        let will =
            will.map(|will| ConnectionWill::new(will, &client_id, settings, &memory, turn.now));
        // Without the property a session ends with its connection (§3.1.2.11.2).
        let session_expiry = connect.properties.session_expiry_interval.unwrap_or(0);
        Ok(Self {
            is_assigned,
            subject: subject(connect, &client_id, peer),
            credentials: Credentials {
                tls: peer.tls.clone(),
                http: peer.http.clone(),
                signed_by: peer.signed_by.clone(),
                mqtt: Some(ConnectFields {
                    // The Lambda gets only what the client has sent, as at AWS.
                    client_id: (!is_assigned).then(|| client_id.to_string()),
                    username: connect.username.map(|name| name.as_str().to_owned()),
                    password: connect
                        .password
                        .map(|password| password.as_bytes().to_vec()),
                }),
                connection_id: ids.connection.clone(),
            },
            transport: peer.transport(),
            is_authorizing: false,
            authorizer: None,
            decision: None,
            clean_start: connect.clean_start,
            requested: Requested {
                keep_alive: connect.keep_alive,
                session_expiry,
            },
            keep_alive: keep_alive(connect.keep_alive, settings),
            session_expiry: session_expiry.min(settings.rules().max_session_expiry),
            receive_maximum: connect
                .properties
                .receive_maximum
                .map_or(u16::MAX, NonZeroU16::get),
            topic_alias_maximum: connect.properties.topic_alias_maximum.unwrap_or(0),
            source: peer.address,
            target: peer.local_address,
            will: will.transpose()?,
            started: turn.now,
            client_id,
        })
    }

    /// Credentials that the authorizers must decide about; `None` from the second call on.
    pub(crate) fn poll_credentials(&mut self) -> Option<Credentials> {
        if core::mem::replace(&mut self.is_authorizing, true) {
            None
        } else {
            Some(self.credentials.clone())
        }
    }

    /// Decides about the client: by the authorizers' answer, then by the policy for `iot:Connect`.
    /// Sends the CONNACK if both allow.
    ///
    /// # Errors
    /// The end of the connection: a refusal of the authorizers, a denial of the policy, too many
    /// CONNECTs of this client id, or a CONNACK that is larger than the client takes.
    pub(crate) fn handle_authorization(
        &mut self,
        answer: Result<Grant, Refusal>,
        settings: &Settings,
        turn: &mut Turn<'_>,
    ) -> Result<Grant, CloseReason> {
        let mut denials = settings.denials;
        // WebSocket has a setting of its own, as nothing is known of what AWS does there.
        if self.transport.is_websocket() && settings.websocket_refusal == WebSocketRefusal::Close {
            denials.connect = Denial::Close;
        }
        let close = |refusal| CloseReason::for_connect(refusal, denials);

        // The answer of the authorizers comes first: without it there is no policy.
        let grant = answer.map_err(|refusal| {
            self.authorizer = refusal.authorizer().map(Into::into);
            close(refusal.into())
        })?;
        self.authorizer = Some(grant.authorizer.clone());

        // The policy must allow iot:Connect on the client id.
        let (id, subject) = (&self.client_id, &self.subject);
        let request = Request::new(Action::Connect, id, subject, turn.calendar);
        let decision = grant.policy.evaluate(request);
        self.decision = Some(decision.clone());
        RequestRefusal::unless_allowed(decision).map_err(close)?;

        if turn.hub.connects_too_fast(&self.client_id, turn.now) {
            return Err(Limit::Connects.into());
        }
        // [MQTT-3.2.2-2] [MQTT-3.2.2-3]
        let session_present = !self.clean_start && turn.hub.has_session(&self.client_id);
        self.send_connack(session_present, settings.rules(), turn.output)?;
        Ok(grant)
    }

    /// Attaches the session, after the CONNACK was sent; from here on the client is connected.
    pub(crate) fn open(
        self,
        grant: Grant,
        settings: &Arc<Settings>,
        wake: &Arc<Notify>,
        turn: &mut Turn<'_>,
    ) -> Open {
        let rules = settings.rules();
        if let Some(decision) = self.decision.clone() {
            let outcome = Outcome::Allowed((grant.policy.summary(), decision));
            turn.log(self.event(outcome, turn.now));
        }
        // From here on an older connection of the client finds its session taken over.
        let attached = turn.hub.attach(
            &self.client_id,
            self.clean_start,
            self.session_expiry,
            self.receive_maximum.min(rules.receive_maximum),
            Arc::clone(wake),
            turn.now,
        );
        let facts = self.facts(turn.calendar);
        turn.hub
            .record_connection(&self.client_id, attached.connection, facts);
        Open {
            deadlines: Deadlines {
                // [MQTT-3.1.2-22]
                silence: (self.keep_alive > 0)
                    .then(|| Duration::from_millis(u64::from(self.keep_alive) * 1500)),
                last_packet: turn.now,
                disconnect_at: turn.now + settings.scaled(grant.disconnect_after),
                refresh_at: grant
                    .refresh_after
                    .map(|after| turn.now + settings.scaled(after)),
                fault_at: settings
                    .faults
                    .timed()
                    .map(|(after, fault)| (turn.now + after, fault)),
            },
            // The rates begin now: CONNECT and CONNACK don't count.
            throttle: Throttle::new(settings, turn.now),
            client_aliases: ClientAliases::new(rules.topic_alias_maximum),
            // The smaller of both maxima: the client's for what it accepts, the profile's for
            // memory.
            server_aliases: ServerAliases::new(
                self.topic_alias_maximum.min(rules.topic_alias_maximum),
            ),
            settings: Arc::clone(settings),
            client_id: self.client_id,
            subject: self.subject,
            attached,
            // They are kept for as long as the connection lives, so they count as its memory.
            credentials_size: self.credentials.size(),
            credentials: self.credentials,
            policy: grant.policy,
            will: self.will,
            unacknowledged: 0,
            requested_session_expiry: self.requested.session_expiry,
            session_expiry: self.session_expiry,
            is_refreshing: false,
        }
    }

    /// Facts of the connection for the connection API.
    fn facts(&self, now: SystemTime) -> ConnectionFacts {
        let certificate = self.subject.certificate.as_ref();
        ConnectionFacts {
            source: self.source,
            target: self.target,
            thing: certificate.and_then(|certificate| certificate.thing.clone()),
            keep_alive: self.requested.keep_alive,
            session_expiry: self.session_expiry,
            connected_since: now,
        }
    }

    /// Log line of a CONNECT that is refused.
    pub(crate) fn refused(&self, reason: &CloseReason, now: Instant) -> Event {
        let outcome = Outcome::Refused {
            reason_code: reason.reason_code(),
            reason: reason.reason().into_owned(),
            decision: self.decision.clone().map(Box::new),
        };
        self.event(outcome, now)
    }

    fn event(&self, outcome: Outcome<(String, Decision)>, now: Instant) -> Event {
        Event::Connect {
            client_id: self.client_id.to_string(),
            transport: self.transport,
            authorizer: self.authorizer.clone(),
            // MQTT without HTTP has one place, which needs no mention.
            named_in: (self.credentials.http.is_some())
                .then(|| Authorizers::named_in(&self.credentials))
                .flatten(),
            outcome,
            took: now.saturating_duration_since(self.started),
        }
    }
}

/// Client of all requests to its policy.
fn subject(connect: &Connect<'_>, client_id: &Arc<str>, peer: &Peer) -> Subject {
    let session_expiry = connect.properties.session_expiry_interval.unwrap_or(0);
    let mut subject = Subject::new(Arc::clone(client_id));
    subject.source_ip = Some(peer.address.ip());
    subject.domain_name = peer
        .tls
        .as_ref()
        .and_then(|tls| tls.server_name.as_deref())
        .map(Into::into);
    subject.certificate = peer.tls.as_ref().and_then(|tls| tls.certificate.clone());
    subject.last_will_topic = connect.will.as_ref().map(|will| will.topic.as_str().into());
    subject.connect = ConnectAttributes {
        // Either one makes a session that outlives a connection.
        persistent: !connect.clean_start || session_expiry > 0,
        last_will: connect.will.is_some(),
    };
    subject
}

/// Keep alive in seconds: within the range of the profile, and shorter by the factor of
/// `--time-scale`, as the client must know the keep alive that it is held to.
fn keep_alive(requested: u16, settings: &Settings) -> u16 {
    let rules = settings.rules();
    let seconds = match requested {
        // On AWS IoT, 0 doesn't switch the keep alive off.
        0 => rules.keep_alive_of_zero,
        seconds => seconds.clamp(*rules.keep_alive.start(), *rules.keep_alive.end()),
    };
    let scaled = settings.scaled_seconds(seconds.into()).as_secs();
    // At least a second, as 0 would be no keep alive.
    u16::try_from(scaled)
        .unwrap_or(seconds)
        .max(u16::from(seconds > 0))
}

fn client_limits(connect: &Connect<'_>) -> ClientLimits {
    let maximum = connect.properties.maximum_packet_size.map(NonZeroU32::get);
    ClientLimits {
        maximum_packet_size: maximum
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(usize::MAX),
        problem_information: connect
            .properties
            .request_problem_information
            .unwrap_or(true),
    }
}
