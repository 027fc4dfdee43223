//! CONNECT: what it asks for, what it is held to, and the CONNACK that says so.

use core::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_codec::{
    ConnAck, ConnAckProperties, Connect, Packet, QoS, ReasonCode, Utf8String, Will,
};
use tokio::sync::Notify;

use crate::authorizer::{Credentials, Grant, Refusal};
use crate::denial::Denial;
use crate::event::{Event, Outcome};
use crate::policy::{Action, ConnectAttributes, Decision, Request, Subject};
use crate::profile::Rules;
use crate::server::aliases::{ClientAliases, ServerAliases};
use crate::server::charge::MemoryCounter;
use crate::server::close_reason::CloseReason;
use crate::server::connection::Peer;
use crate::server::hub::Hub;
use crate::server::limit::{Limit, at_most};
use crate::server::message::Message;
use crate::server::open::{ConnectionWill, Deadlines, Open, Throttle};
use crate::server::output::{ClientLimits, Output};
use crate::server::settings::Settings;
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
    clean_start: bool,
    requested: Requested,
    keep_alive: u16,
    session_expiry: u32,
    receive_maximum: u16,
    topic_alias_maximum: u16,
    will: Option<ConnectionWill>,
    started: Instant,
}

/// What the CONNECT asked for, where the CONNACK may say otherwise.
#[derive(Debug, Clone, Copy)]
struct Requested {
    keep_alive: u16,
    session_expiry: u32,
}

impl Pending {
    pub(crate) fn new(
        connect: &Connect<'_>,
        peer: &Peer,
        settings: &Settings,
        weight: &MemoryCounter,
        output: &mut Output,
        now: Instant,
    ) -> Result<Self, CloseReason> {
        output.client = client_limits(connect);
        let is_assigned = connect.client_id.is_empty();
        // AWS IoT assigns ids of this form; the client can't come back with one. [MQTT-3.1.3-6]
        let client_id: Arc<str> = if is_assigned {
            format!("$GEN/{}", uuid::random()).into()
        } else {
            connect.client_id.as_str().into()
        };
        let rules = settings.rules();
        let will = connect
            .will
            .as_ref()
            .map(|will| connection_will(will, &client_id, settings, weight, now));
        let session_expiry = connect.properties.session_expiry_interval.unwrap_or(0);
        let mut subject = Subject::new(Arc::clone(&client_id));
        subject.source_ip = Some(peer.address.ip());
        subject.domain_name = peer.server_name.as_deref().map(Into::into);
        subject.last_will_topic = connect.will.as_ref().map(|will| will.topic.as_str().into());
        subject.connect = ConnectAttributes {
            persistent: !connect.clean_start || session_expiry > 0,
            last_will: will.is_some(),
        };
        Ok(Self {
            is_assigned,
            subject,
            credentials: Credentials {
                client_id: (!is_assigned).then(|| client_id.to_string()),
                username: connect.username.map(|name| name.as_str().to_owned()),
                password: connect
                    .password
                    .map(|password| password.as_bytes().to_vec()),
                server_name: peer.server_name.clone(),
                connection_id: uuid::random(),
            },
            is_asked: false,
            authorizer: None,
            decision: None,
            clean_start: connect.clean_start,
            requested: Requested {
                keep_alive: connect.keep_alive,
                session_expiry,
            },
            keep_alive: keep_alive(connect.keep_alive, settings),
            session_expiry: session_expiry.min(rules.max_session_expiry),
            receive_maximum: connect
                .properties
                .receive_maximum
                .map_or(u16::MAX, NonZeroU16::get),
            topic_alias_maximum: connect.properties.topic_alias_maximum.unwrap_or(0),
            will: will.transpose()?,
            started: now,
            client_id,
        })
    }

    pub(crate) fn poll_credentials(&mut self) -> Option<Credentials> {
        if core::mem::replace(&mut self.is_asked, true) {
            None
        } else {
            Some(self.credentials.clone())
        }
    }

    #[expect(clippy::disallowed_methods, reason = "aws:CurrentTime of a request")]
    /// What the authorizers decided, then the policy about `iot:Connect`, and the CONNACK if both
    /// allow.
    pub(crate) fn handle_verdict(
        &mut self,
        verdict: Result<Grant, Refusal>,
        settings: &Settings,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) -> Result<Grant, CloseReason> {
        let denied = |reason| denied(reason, settings.denials.connect);
        let grant = verdict.map_err(|refusal| {
            self.authorizer = refusal.authorizer().map(Into::into);
            match refusal.reason_code() {
                ReasonCode::NotAuthorized => denied(refusal.to_string()),
                // No denial: the client may come again.
                reason_code => CloseReason::told(reason_code, refusal.to_string()),
            }
        })?;
        self.authorizer = Some(grant.authorizer.clone());
        let decision = grant.policy.evaluate(Request::new(
            Action::Connect,
            &self.client_id,
            &self.subject,
            std::time::SystemTime::now(),
        ));
        self.decision = Some(decision.clone());
        if !decision.is_allowed() {
            return Err(denied(decision.to_string()));
        }
        if hub.connects_too_fast(&self.client_id, now) {
            return Err(Limit::Connects.into());
        }
        // [MQTT-3.2.2-2] [MQTT-3.2.2-3]
        let session_present = !self.clean_start && hub.has_session(&self.client_id);
        self.send_connack(session_present, settings.rules(), output)?;
        Ok(grant)
    }

    /// Sends the CONNACK, without what it may leave out if the client takes no larger packet.
    ///
    /// # Errors
    /// The end of the connection if even then it is too large: no CONNACK may say so.
    /// [MQTT-3.1.2-24]
    fn send_connack(
        &self,
        session_present: bool,
        rules: &Rules,
        output: &mut Output,
    ) -> Result<(), CloseReason> {
        let mut connack = self.connack(session_present, rules);
        if output.send(&Packet::ConnAck(connack)) {
            return Ok(());
        }
        connack.properties.omit_defaults();
        if output.send(&Packet::ConnAck(connack)) {
            return Ok(());
        }
        // The client may do without topic aliases; to everything else it is held.
        connack.properties.topic_alias_maximum = None;
        let packet = Packet::ConnAck(connack);
        if output.send(&packet) {
            return Ok(());
        }
        let needed = packet.encoded_len().unwrap_or_default();
        let most = output.client.maximum_packet_size;
        let reason =
            format!("the CONNACK needs {needed} bytes; the client's Maximum Packet Size is {most}");
        Err(CloseReason::Silent { reason })
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
        let rules = settings.rules();
        if let Some(decision) = self.decision.clone() {
            output.log(self.event(Outcome::Allowed((grant.policy.summary(), decision)), now));
        }
        let receive_maximum = self.receive_maximum.min(rules.receive_maximum);
        let attached = hub.attach(
            &self.client_id,
            self.clean_start,
            self.session_expiry,
            receive_maximum,
            Arc::clone(wake),
            now,
        );
        let secrets = [
            self.credentials.username.as_ref().map(String::len),
            self.credentials.password.as_ref().map(Vec::len),
        ];
        Open {
            deadlines: Deadlines {
                // [MQTT-3.1.2-22]
                silence: (self.keep_alive > 0)
                    .then(|| Duration::from_millis(u64::from(self.keep_alive) * 1500)),
                last_packet: now,
                disconnect_at: now + settings.scaled(grant.disconnect_after),
                refresh_at: grant
                    .refresh_after
                    .map(|after| now + settings.scaled(after)),
                fault_at: settings
                    .faults
                    .timed()
                    .map(|(after, fault)| (now + after, fault)),
            },
            throttle: Throttle::new(settings, now),
            client_aliases: ClientAliases::new(rules.topic_alias_maximum),
            server_aliases: ServerAliases::new(
                self.topic_alias_maximum.min(rules.topic_alias_maximum),
            ),
            settings: Arc::clone(settings),
            client_id: self.client_id,
            subject: self.subject,
            attached,
            credentials_size: secrets.into_iter().flatten().sum(),
            credentials: self.credentials,
            policy: grant.policy,
            will: self.will,
            unacknowledged: 0,
            requested_session_expiry: self.requested.session_expiry,
            session_expiry: self.session_expiry,
            is_refreshing: false,
        }
    }

    /// The log line of a CONNECT that is refused.
    pub(crate) fn refused(&self, end: &CloseReason, now: Instant) -> Event {
        let reason_code = end.wire_reason().map(|(reason_code, _)| reason_code);
        let decision = self.decision.clone().map(Box::new);
        self.event(
            Outcome::Refused {
                reason_code,
                reason: end.reason().into(),
                decision,
            },
            now,
        )
    }

    fn event(&self, outcome: Outcome<(String, Decision)>, now: Instant) -> Event {
        Event::Connect {
            client_id: self.client_id.to_string(),
            authorizer: self.authorizer.clone(),
            outcome,
            took: now.saturating_duration_since(self.started),
        }
    }

    fn connack(&self, session_present: bool, rules: &Rules) -> ConnAck<'_> {
        // What differs from the request is said, and what is as it was asked for isn't.
        let unless_requested =
            |granted: u32, requested: u32| (granted != requested).then_some(granted);
        let keep_alive = unless_requested(self.keep_alive.into(), self.requested.keep_alive.into());
        let properties = ConnAckProperties {
            session_expiry_interval: unless_requested(
                self.session_expiry,
                self.requested.session_expiry,
            ),
            receive_maximum: NonZeroU16::new(rules.receive_maximum),
            // [MQTT-3.2.2-9]
            maximum_qos: Some(rules.maximum_qos).filter(|qos| *qos < QoS::ExactlyOnce),
            retain_available: Some(true),
            maximum_packet_size: NonZeroU32::new(rules.maximum_packet_size),
            // [MQTT-3.1.3-7] [MQTT-3.2.2-16]
            assigned_client_identifier: self.assigned_client_id(),
            topic_alias_maximum: Some(rules.topic_alias_maximum),
            wildcard_subscription_available: Some(true),
            subscription_identifier_available: Some(rules.subscription_identifiers),
            shared_subscription_available: Some(true),
            server_keep_alive: keep_alive.and_then(|seconds| u16::try_from(seconds).ok()),
            ..ConnAckProperties::default()
        };
        ConnAck {
            session_present,
            reason_code: ReasonCode::Success,
            properties,
        }
    }

    fn assigned_client_id(&self) -> Option<Utf8String<'_>> {
        if self.is_assigned {
            Utf8String::new(&self.client_id).ok()
        } else {
            None
        }
    }
}

/// What a CONNACK may leave out.
trait OmitDefaults {
    /// Leaves out every property that has the value that its absence means (§3.2.2.3).
    fn omit_defaults(&mut self);
}

impl OmitDefaults for ConnAckProperties<'_> {
    fn omit_defaults(&mut self) {
        self.receive_maximum
            .take_if(|most| *most == NonZeroU16::MAX);
        self.topic_alias_maximum.take_if(|most| *most == 0);
        for is_available in [
            &mut self.retain_available,
            &mut self.wildcard_subscription_available,
            &mut self.subscription_identifier_available,
            &mut self.shared_subscription_available,
        ] {
            is_available.take_if(|is_available| *is_available);
        }
    }
}

/// The service's documents don't say which code a denied CONNECT gets, or whether it gets one.
fn denied(reason: String, denial: Denial) -> CloseReason {
    match denial {
        Denial::ReasonCode => CloseReason::told(ReasonCode::NotAuthorized, reason),
        // There is no DISCONNECT before a CONNACK. §3.14
        Denial::Disconnect | Denial::Close => CloseReason::Silent { reason },
    }
}

/// Of the profile, and as much shorter as the sandbox's clocks run faster: the client must know the
/// one it is held to.
fn keep_alive(requested: u16, settings: &Settings) -> u16 {
    let rules = settings.rules();
    let seconds = match requested {
        0 => rules.keep_alive_of_zero,
        seconds => seconds.clamp(*rules.keep_alive.start(), *rules.keep_alive.end()),
    };
    let scaled = settings.scaled_seconds(seconds.into()).as_secs();
    // Not faster than seconds can tell, and never: 0 would be none.
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

fn connection_will(
    will: &Will<'_>,
    client_id: &Arc<str>,
    settings: &Settings,
    weight: &MemoryCounter,
    now: Instant,
) -> Result<ConnectionWill, CloseReason> {
    let range = &settings.rules().message_expiry;
    let expiry = will.properties.message_expiry_interval;
    let expiry = expiry.map(|seconds| seconds.clamp(*range.start(), *range.end()));
    let delay = will
        .properties
        .will_delay_interval
        .filter(|_| settings.rules().will_delay)
        .unwrap_or(0);
    Ok(ConnectionWill {
        message: Message::of_will(will, client_id, settings, weight, now)?,
        expiry: expiry.map(|seconds| settings.scaled_seconds(seconds)),
        delay: settings.scaled_seconds(delay),
    })
}

/// Refuses what a CONNECT may not ask of this profile.
pub(crate) fn check(connect: &Connect<'_>, rules: &Rules, hub: &Hub) -> Result<(), CloseReason> {
    let id = connect.client_id;
    at_most(id.len(), rules.max_client_id, |has, most| Limit::ClientId {
        has,
        most,
    })?;
    if rules.reserves_dollar_ids && id.starts_with('$') {
        return Err(Limit::DollarId.into());
    }
    if connect.properties.authentication_method.is_some() {
        // [MQTT-4.12.0-1]
        return Err(CloseReason::told(
            ReasonCode::BadAuthenticationMethod,
            "there is no enhanced authentication here",
        ));
    }
    connect
        .will
        .as_ref()
        .map_or(Ok(()), |will| check_will(will, rules, hub))
}

fn check_will(will: &Will<'_>, rules: &Rules, hub: &Hub) -> Result<(), CloseReason> {
    if will.qos > rules.maximum_qos {
        // [MQTT-3.2.2-12]
        let reason = format!(
            "the will has {}; the maximum is {}",
            will.qos,
            rules.maximum_qos.level()
        );
        return Err(CloseReason::told(ReasonCode::QoSNotSupported, reason));
    }
    at_most(will.payload.len(), rules.max_payload, |has, most| {
        Limit::Payload { has, most }
    })?;
    topics::check_name(will.topic, rules)?;
    if will.payload.len() > SMALL_WILL && hub.is_short_of_memory() {
        return Err(CloseReason::told(
            ReasonCode::QuotaExceeded,
            "the sandbox has no room for a large will",
        ));
    }
    Ok(())
}

/// A will that is kept however much waits for others.
const SMALL_WILL: usize = 4 * 1024;
