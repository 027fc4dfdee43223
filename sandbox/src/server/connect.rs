//! CONNECT: what it asks for, what it is held to, and the CONNACK that says so.

use core::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_codec::{ConnAck, ConnAckProperties, Connect, Packet, QoS, ReasonCode, Utf8String, Will};
use tokio::sync::Notify;

use crate::authorizer::{Credentials, Grant, Refusal};
use crate::denial::Denial;
use crate::event::{Event, Outcome};
use crate::policy::{Action, ConnectAttributes, Decision, Request, Subject};
use crate::server::connection::{Peer, Settings};
use crate::server::end::End;
use crate::server::hub::Hub;
use crate::server::limits::{KEEP_ALIVE, MAX_CLIENT_ID, MAX_PAYLOAD, MAXIMUM_PACKET_SIZE, RECEIVE_MAXIMUM};
use crate::server::message::Message;
use crate::server::open::{Deadlines, Open};
use crate::server::output::{ClientLimits, Output};
use crate::server::topics;
use crate::uuid;

/// A client that waits for its CONNACK.
#[derive(Debug)]
pub(crate) struct Pending {
    client_id: Arc<str>,
    is_assigned: bool,
    subject: Subject,
    credentials: Credentials,
    is_asked: bool,
    authorizer: Option<String>,
    /// About `iot:Connect`, once the policy was asked.
    decision: Option<Decision>,
    requested_keep_alive: u16,
    keep_alive: u16,
    requested_session_expiry: u32,
    receive_maximum: u16,
    will: Option<Message>,
    started: Instant,
}

impl Pending {
    pub(crate) fn new(
        connect: &Connect<'_>,
        peer: &Peer,
        settings: &Settings,
        output: &mut Output,
        now: Instant,
    ) -> Result<Self, End> {
        output.client = client_limits(connect);
        let is_assigned = connect.client_id.is_empty();
        // AWS IoT assigns ids of this form; the client can't come back with one.
        let client_id: Arc<str> = if is_assigned {
            format!("$GEN/{}", uuid::random()).into()
        } else {
            connect.client_id.as_str().into()
        };
        let will = connect.will.as_ref().map(|will| Message::of_will(will, &client_id, now)).transpose()?;
        let requested_session_expiry = connect.properties.session_expiry_interval.unwrap_or(0);
        Ok(Self {
            is_assigned,
            subject: Subject {
                client_id: Arc::clone(&client_id),
                source_ip: Some(peer.address.ip()),
                domain_name: peer.server_name.as_deref().map(Into::into),
                connect: ConnectAttributes {
                    persistent: !connect.clean_start || requested_session_expiry > 0,
                    last_will: will.is_some(),
                },
            },
            credentials: Credentials {
                client_id: (!is_assigned).then(|| client_id.to_string()),
                username: connect.username.map(|name| name.as_str().to_owned()),
                password: connect.password.map(|password| password.as_bytes().to_vec()),
                server_name: peer.server_name.clone(),
                connection_id: uuid::random(),
            },
            is_asked: false,
            authorizer: None,
            decision: None,
            requested_keep_alive: connect.keep_alive,
            keep_alive: keep_alive(connect.keep_alive, settings),
            requested_session_expiry,
            receive_maximum: connect.properties.receive_maximum.map_or(u16::MAX, NonZeroU16::get),
            will,
            started: now,
            client_id,
        })
    }

    pub(crate) fn poll_credentials(&mut self) -> Option<Credentials> {
        if core::mem::replace(&mut self.is_asked, true) { None } else { Some(self.credentials.clone()) }
    }

    /// What the authorizers decided, then the policy about `iot:Connect`, and the CONNACK if both allow.
    pub(crate) fn handle_verdict(
        &mut self,
        verdict: Result<Grant, Refusal>,
        settings: &Settings,
        output: &mut Output,
    ) -> Result<Grant, End> {
        let denied = |reason| denied(reason, settings.denials.connect);
        let grant = verdict.map_err(|refusal| {
            self.authorizer = refusal.authorizer().map(Into::into);
            denied(refusal.to_string())
        })?;
        self.authorizer = Some(grant.authorizer.clone());
        let decision = grant.policy.evaluate(Request::new(Action::Connect, &self.client_id, &self.subject));
        self.decision = Some(decision.clone());
        if !decision.is_allowed() {
            return Err(denied(decision.to_string()));
        }
        if !output.send(&Packet::ConnAck(self.connack())) {
            // [MQTT-3.1.2-24]
            return Err(End::told(
                ReasonCode::PacketTooLarge,
                "the client takes no packet as large as a CONNACK",
            ));
        }
        Ok(grant)
    }

    /// The CONNACK is sent; from here on the client is connected.
    pub(crate) fn open(
        self,
        grant: Grant,
        settings: &Arc<Settings>,
        wake: &Arc<Notify>,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) -> Open {
        let receive_maximum = self.receive_maximum.min(RECEIVE_MAXIMUM);
        let connection = hub.attach(&self.client_id, receive_maximum, Arc::clone(wake));
        if let Some(decision) = self.decision.clone() {
            output.log(self.event(Outcome::Allowed((grant.policy.summary(), decision)), now));
        }
        let one_and_a_half = Duration::from_millis(u64::from(self.keep_alive) * 1500);
        Open {
            deadlines: Deadlines {
                silence: one_and_a_half,
                last_packet: now,
                disconnect_at: now + settings.scaled(grant.disconnect_after),
                refresh_at: Some(now + settings.scaled(grant.refresh_after)),
                fault_at: settings.faults.timed().map(|(after, fault)| (now + after, fault)),
            },
            settings: Arc::clone(settings),
            client_id: self.client_id,
            subject: self.subject,
            connection,
            credentials: self.credentials,
            policy: grant.policy,
            will: self.will,
            requested_session_expiry: self.requested_session_expiry,
            is_refreshing: false,
        }
    }

    /// The log line of a CONNECT that is refused.
    pub(crate) fn refused(&self, end: &End, now: Instant) -> Event {
        let reason_code = end.told_to_client().map(|(reason_code, _)| reason_code);
        let decision = self.decision.clone().map(Box::new);
        self.event(Outcome::Refused { reason_code, reason: end.reason().into(), decision }, now)
    }

    fn event(&self, outcome: Outcome<(String, Decision)>, now: Instant) -> Event {
        Event::Connect {
            client_id: self.client_id.to_string(),
            authorizer: self.authorizer.clone(),
            outcome,
            took: now.saturating_duration_since(self.started),
        }
    }

    fn connack(&self) -> ConnAck<'_> {
        let keep_alive = self.keep_alive;
        let properties = ConnAckProperties {
            // Said only where it isn't what the client asked for: no session outlives its connection here.
            session_expiry_interval: Some(0).filter(|_| self.requested_session_expiry > 0),
            receive_maximum: NonZeroU16::new(RECEIVE_MAXIMUM),
            maximum_qos: Some(QoS::AtLeastOnce),
            retain_available: Some(true),
            maximum_packet_size: NonZeroU32::new(MAXIMUM_PACKET_SIZE),
            assigned_client_identifier: self.assigned_client_id(),
            topic_alias_maximum: Some(0),
            wildcard_subscription_available: Some(true),
            subscription_identifier_available: Some(false),
            shared_subscription_available: Some(false),
            server_keep_alive: Some(keep_alive).filter(|seconds| *seconds != self.requested_keep_alive),
            ..ConnAckProperties::default()
        };
        ConnAck { session_present: false, reason_code: ReasonCode::Success, properties }
    }

    fn assigned_client_id(&self) -> Option<Utf8String<'_>> {
        if self.is_assigned { Utf8String::new(&self.client_id).ok() } else { None }
    }
}

/// The service's documents don't say which code a denied CONNECT gets, or whether it gets one.
fn denied(reason: String, denial: Denial) -> End {
    match denial {
        Denial::ReasonCode => End::told(ReasonCode::NotAuthorized, reason),
        // There is no DISCONNECT before a CONNACK. §3.14
        Denial::Disconnect | Denial::Close => End::Untold { reason },
    }
}

/// Of AWS IoT, and as much shorter as the sandbox's clocks run faster: the client must know the one it is held to.
fn keep_alive(requested: u16, settings: &Settings) -> u16 {
    let seconds = match requested {
        0 => *KEEP_ALIVE.end(),
        seconds => seconds.clamp(*KEEP_ALIVE.start(), *KEEP_ALIVE.end()),
    };
    let scaled = settings.scaled(Duration::from_secs(seconds.into())).as_secs();
    u16::try_from(scaled).unwrap_or(seconds).max(1)
}

fn client_limits(connect: &Connect<'_>) -> ClientLimits {
    let maximum = connect.properties.maximum_packet_size.map(NonZeroU32::get);
    ClientLimits {
        maximum_packet_size: maximum.and_then(|size| usize::try_from(size).ok()).unwrap_or(usize::MAX),
        problem_information: connect.properties.request_problem_information.unwrap_or(true),
    }
}

/// Refuses what a CONNECT may not ask of AWS IoT.
pub(crate) fn check(connect: &Connect<'_>) -> Result<(), End> {
    let id = connect.client_id;
    if id.len() > MAX_CLIENT_ID {
        return Err(End::told(ReasonCode::ClientIdentifierNotValid, "the client id has more than 128 bytes"));
    }
    if id.starts_with('$') {
        return Err(End::told(
            ReasonCode::ClientIdentifierNotValid,
            "the client id begins with the reserved \"$\"",
        ));
    }
    if connect.properties.authentication_method.is_some() {
        // [MQTT-4.12.0-1]
        return Err(End::told(
            ReasonCode::BadAuthenticationMethod,
            "there is no enhanced authentication here",
        ));
    }
    connect.will.as_ref().map_or(Ok(()), check_will)
}

fn check_will(will: &Will<'_>) -> Result<(), End> {
    if will.qos == QoS::ExactlyOnce {
        // [MQTT-3.2.2-12]
        return Err(End::told(ReasonCode::QoSNotSupported, "the will has QoS 2; the maximum is 1"));
    }
    if will.payload.len() > MAX_PAYLOAD {
        return Err(End::told(ReasonCode::QuotaExceeded, "the will's payload is larger than 128 KB"));
    }
    topics::check(will.topic.as_str()).map_err(|limit| {
        End::told(ReasonCode::TopicNameInvalid, format!("the will's topic is refused: {limit}"))
    })
}
