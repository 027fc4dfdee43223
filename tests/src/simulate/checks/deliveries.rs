//! Delivery guarantees of each message in both directions: outcome, number of deliveries, order.

use std::time::{Duration, Instant};

use dunlin_client::codec::{PacketType, QoS, ReasonCode};
use dunlin_client::engine::{Engine, Outcome};
use dunlin_client::{
    ConnectOptions, LostMessage, Offline, ReceivedMessage, RequestError, ServerLimits,
};

use super::incoming::{IncomingMessages, Recipient};
use super::request_clock::{AcceptedAt, RequestClock};
use crate::simulate::server::Observed;
use crate::simulate::violation::{Checked, Violation, ensure};

/// Delivery of all messages in one run.
#[derive(Debug)]
pub(in crate::simulate) struct Deliveries {
    published: Vec<Published>,
    pub(in crate::simulate) incoming: IncomingMessages,
    pub(super) connections: Vec<Connection>,
    /// Number of the server's session that the client last saw begin.
    known_session: usize,
    /// Number of the client process. A new process knows only what the one before handed on.
    pub(super) process: usize,
    options: ConnectOptions,
    pub(in crate::simulate) clock: RequestClock,
    /// Serial of the last message that the server received for the first time: at QoS 0, and at QoS 1 or 2.
    last_heard: [Option<usize>; 2],
}

/// A message that the engine accepts.
#[derive(Debug)]
pub(in crate::simulate) struct NewMessage {
    pub(in crate::simulate) qos: QoS,
    pub(in crate::simulate) topic: &'static str,
    /// Seconds that it is worth sending.
    pub(in crate::simulate) expires_in: Option<u32>,
    /// The application waits for the outcome.
    pub(in crate::simulate) has_receiver: bool,
}

/// A message that the engine accepted.
#[derive(Debug)]
struct Published {
    qos: QoS,
    topic: &'static str,
    expires_in: Option<u32>,
    process: usize,
    accepted: AcceptedAt,
    /// The application still waits for the outcome.
    has_receiver: bool,
    outcome: Option<Result<(), RequestError>>,
    /// The clock when all of it was on the wire for the first time.
    written_at: Option<Duration>,
    was_heard: bool,
    deliveries: usize,
    /// Reason code of the server's last answer.
    last_reason_code: Option<ReasonCode>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Connection {
    limits: ServerLimits,
    session_present: bool,
    /// The server resumes another session than the client can know of: the CONNACK that
    /// said so was lost.
    is_mistaken: bool,
    /// An earlier CONNECT was never answered, so the client can't know the session.
    pub(super) in_doubt: bool,
}

impl Deliveries {
    pub(in crate::simulate) fn new(options: &ConnectOptions) -> Self {
        Self {
            published: Vec::new(),
            incoming: IncomingMessages::default(),
            connections: Vec::new(),
            known_session: 0,
            process: 0,
            options: options.clone(),
            clock: RequestClock::new(options.ack_timeout),
            last_heard: [None; 2],
        }
    }

    /// The server let the client in, and goes on with its session of this number; whether the
    /// client takes it for another.
    pub(in crate::simulate) fn connected(
        &mut self,
        limits: ServerLimits,
        session_present: bool,
        session: usize,
        in_doubt: bool,
        now: Instant,
    ) -> bool {
        self.clock.start(now);
        let is_mistaken = session_present && session != self.known_session;
        self.known_session = session;
        self.connections.push(Connection {
            limits,
            session_present,
            is_mistaken,
            in_doubt,
        });
        is_mistaken
    }

    /// A message that waits for its outcome is within its time.
    pub(in crate::simulate) fn check_waits(
        &self,
        serial: usize,
        engine: &Engine,
        now: Instant,
    ) -> Checked {
        let Some(published) = self.published.get(serial) else {
            return Ok(());
        };
        let waited = now.saturating_duration_since(published.accepted.at);
        let timeout = self.options.request_timeout.publish;
        ensure(
            timeout.is_none_or(|timeout| waited < timeout),
            "a request ends within its time, outages included",
            || format!("{serial} after {waited:?}: {published:?}"),
        )?;
        match published.written_at {
            // The time that went by until a connection ended has consequences on the next one.
            _ if !engine.is_connected() => Ok(()),
            Some(written_at) => self.clock.check_written(written_at, now),
            // The pace may hold it back for longer.
            None if self.options.pace.is_some() => Ok(()),
            None => self.clock.check_waiting(&published.accepted, now),
        }
    }

    /// Returns `true` if the client takes the server's session for another one, since a connection before this
    /// one perhaps.
    pub(in crate::simulate) fn resumes_wrong_session(&self) -> bool {
        let same = self.connections.iter().rev();
        let lost = self
            .connections
            .iter()
            .rposition(|each| !each.session_present)
            .unwrap_or_default();
        same.take(self.connections.len() - lost)
            .any(|each| each.is_mistaken)
    }

    fn connections_since(&self, published: &Published) -> &[Connection] {
        self.connections
            .get(published.accepted.connections..)
            .unwrap_or_default()
    }

    /// Checks a message that the application receives, and returns its serial.
    pub(in crate::simulate) fn received(&mut self, message: &ReceivedMessage) -> Checked<usize> {
        let recipient = Recipient {
            process: self.process,
            is_mistaken: self.resumes_wrong_session(),
            in_doubt: self.connections.iter().any(|each| each.in_doubt),
        };
        self.incoming.received(message, recipient)
    }

    /// The process ended without handing its session on: nobody waits for its outcomes any more.
    pub(in crate::simulate) fn process_lost(&mut self) {
        self.process += 1;
    }

    /// The serial of the next message to publish.
    pub(in crate::simulate) fn next_serial(&self) -> usize {
        self.published.len()
    }

    /// The engine accepted the next message.
    pub(in crate::simulate) fn accepted(&mut self, message: NewMessage, accepted: AcceptedAt) {
        let NewMessage {
            qos,
            topic,
            expires_in,
            has_receiver,
        } = message;
        self.published.push(Published {
            qos,
            topic,
            expires_in,
            process: self.process,
            accepted,
            has_receiver,
            outcome: None,
            written_at: None,
            was_heard: false,
            deliveries: 0,
            last_reason_code: None,
        });
    }

    /// All of a message is on the wire.
    pub(in crate::simulate) fn written(&mut self, serial: usize, now: Instant) {
        let time = self.clock.read(now);
        if let Some(published) = self.published.get_mut(serial) {
            published.written_at.get_or_insert(time);
        }
    }

    /// Nobody waits for the outcome any more.
    pub(in crate::simulate) fn drop_receiver(&mut self, serial: usize) {
        if let Some(published) = self.published.get_mut(serial) {
            published.has_receiver = false;
        }
    }

    /// A message has its outcome.
    pub(in crate::simulate) fn ended(
        &mut self,
        serial: usize,
        outcome: Option<Result<Outcome, RequestError>>,
        now: Instant,
    ) -> Checked {
        if matches!(outcome, Some(Err(RequestError::Stopped(_)))) {
            // It goes on in a session that moves, and nobody learns how it ends.
            self.drop_receiver(serial);
            return Ok(());
        }
        let Some(published) = self.published.get(serial) else {
            return Ok(());
        };
        let detail = || format!("{serial}: {outcome:?}, {published:?}");
        ensure(
            outcome.is_some() && published.outcome.is_none(),
            "one outcome for each message",
            detail,
        )?;
        let said = match &outcome {
            Some(Ok(Outcome::Published(said))) => Ok(said),
            Some(Err(error)) => Err(error.clone()),
            Some(Ok(_)) | None => {
                return ensure(false, "an outcome is of its request's kind", detail);
            }
        };
        match &said {
            Ok(said) if published.qos == QoS::AtMostOnce => {
                ensure(said.packet_id.is_none(), "QoS 0 has no identifier", detail)?;
            }
            Ok(_) => {
                let fine = published.deliveries > 0
                    && published
                        .last_reason_code
                        .is_some_and(|code| !code.is_error());
                ensure(fine, "what succeeded has arrived", detail)?;
            }
            Err(error) => {
                let is_explained = self.is_explained(published, error, now);
                ensure(is_explained, "what failed had a reason to", detail)?;
            }
        }
        let outcome = said.map(|_| ());
        if let Some(published) = self.published.get_mut(serial) {
            published.outcome = Some(outcome);
        }
        Ok(())
    }

    /// Returns `true` if the events since the publish explain the failure.
    fn is_explained(&self, published: &Published, error: &RequestError, now: Instant) -> bool {
        let since = self
            .connections
            .get(published.accepted.connections.saturating_sub(1)..)
            .unwrap_or_default();
        let limited =
            |by: &dyn Fn(&ServerLimits) -> bool| since.iter().any(|each| by(&each.limits));
        match error {
            RequestError::Refused(reason) => {
                let expected = match published.qos {
                    QoS::ExactlyOnce => PacketType::PubRec,
                    _ => PacketType::PubAck,
                };
                Some(reason.reason_code) == published.last_reason_code
                    && reason.reason_code.is_error()
                    && reason.packet_type == expected
            }
            RequestError::Timeout { .. } => self.clock.may_time_out(&published.accepted, now),
            RequestError::RequestTimeout { after } => {
                self.options.request_timeout.publish == Some(*after)
                    && now.saturating_duration_since(published.accepted.at) >= *after
            }
            RequestError::SessionLost => {
                let since = self.connections_since(published);
                // What was released can't be republished.
                let may_fail = published.qos == QoS::ExactlyOnce
                    || self.options.on_session_lost.qos1 == LostMessage::Fail;
                may_fail
                    && published.written_at.is_some()
                    && since.iter().any(|each| !each.session_present)
            }
            RequestError::Poisoned { disconnects } => {
                published.written_at.is_some()
                    && self
                        .options
                        .poison_guard
                        .is_some_and(|limit| limit <= *disconnects)
                    && since.len() >= *disconnects as usize
            }
            RequestError::Dropped => self.options.offline == Offline::DropOldest,
            RequestError::Expired => published.has_expired(now),
            RequestError::QoSNotSupported { .. } => {
                limited(&|limits| limits.maximum_qos < published.qos)
            }
            RequestError::RetainNotSupported => limited(&|limits| !limits.retain_available),
            RequestError::TooLarge { size, limit } => {
                limited(&|limits| limits.maximum_packet_size == *limit) && *size > *limit as usize
            }
            _ => false,
        }
    }

    /// Checks something that the server received.
    pub(in crate::simulate) fn observed(&mut self, observed: Observed) -> Checked {
        match observed {
            Observed::Publish {
                serial,
                topic,
                qos,
                reason_code,
                is_new,
            } => self.observe_publish(serial, &topic, qos, reason_code, is_new),
            Observed::Acknowledged {
                serial,
                reason_code,
            } => {
                let is_mistaken = self.resumes_wrong_session();
                self.incoming.acknowledged(serial, reason_code, is_mistaken)
            }
            // Who states that its session is empty where it isn't has to live with that.
            Observed::TakenForRepetition { serial, topic } => {
                self.observe_publish(serial, &topic, QoS::ExactlyOnce, ReasonCode::Success, true)
            }
            Observed::Dropped { serial } => {
                self.incoming.dropped(serial);
                Ok(())
            }
        }
    }

    fn observe_publish(
        &mut self,
        serial: usize,
        topic: &str,
        qos: QoS,
        code: ReasonCode,
        is_new: bool,
    ) -> Checked {
        let Some(published) = self.published.get_mut(serial) else {
            return Err(Violation::new("what arrives was accepted", serial));
        };
        let is_same = published.qos == qos && published.topic == topic;
        ensure(is_same, "a message keeps its QoS and topic", || {
            format!("{topic}: {published:?}")
        })?;
        if !published.was_heard {
            published.was_heard = true;
            let last = &mut self.last_heard[usize::from(qos != QoS::AtMostOnce)];
            ensure(
                last.is_none_or(|last| last < serial),
                "messages are sent in the order of acceptance",
                || format!("{serial} after {last:?}"),
            )?;
            *last = Some(serial);
        }
        published.last_reason_code = Some(code);
        if is_new && !code.is_error() {
            published.deliveries += 1;
            let since = self
                .connections
                .get(published.accepted.connections..)
                .unwrap_or_default();
            let republishes = self.options.on_session_lost.qos2 == LostMessage::Republish;
            let again = qos == QoS::AtLeastOnce
                || since
                    .iter()
                    .any(|each| each.is_mistaken || !each.session_present && republishes);
            ensure(
                published.deliveries == 1 || again,
                "QoS 0 and 2 arrive once at the most",
                || format!("{serial}: {published:?}"),
            )?;
        }
        Ok(())
    }

    /// The end of the run: nothing was lost silently. `session` is the one that the server still
    /// has.
    pub(in crate::simulate) fn check_end(&self, session: Option<usize>, now: Instant) -> Checked {
        for (serial, published) in self.published.iter().enumerate() {
            if published.process == self.process {
                let has_ended = published.outcome.is_some() || !published.has_receiver;
                ensure(has_ended, "every message has its outcome", || {
                    format!("{serial}: {published:?}")
                })?;
                self.check_arrival(serial, published, now)?;
            }
        }
        self.incoming.check_end(session)
    }

    /// A message of QoS 1 or 2 whose outcome nobody took has arrived, or there is a reason why not.
    fn check_arrival(&self, serial: usize, published: &Published, now: Instant) -> Checked {
        let failed = matches!(published.outcome, Some(Err(_)));
        if failed || published.qos == QoS::AtMostOnce || published.deliveries > 0 {
            return Ok(());
        }
        let since = self
            .connections
            .get(published.accepted.connections.saturating_sub(1)..)
            .unwrap_or_default();
        let policy = self.options.on_session_lost;
        let fails = published.qos == QoS::ExactlyOnce || policy.qos1 == LostMessage::Fail;
        let lost = fails && since.iter().skip(1).any(|each| !each.session_present);
        let limited = since.iter().any(|Connection { limits, .. }| {
            limits.maximum_qos < published.qos
                || !limits.retain_available
                || limits.maximum_packet_size < 1000
        });
        let refused = published.last_reason_code.is_some_and(ReasonCode::is_error);
        let waited = now.saturating_duration_since(published.accepted.at);
        let late = waited >= self.options.ack_timeout
            || self
                .options
                .request_timeout
                .publish
                .is_some_and(|timeout| waited >= timeout);
        let dropped = self.options.offline == Offline::DropOldest || published.has_expired(now);
        let poisoned = self.options.poison_guard.is_some() && since.len() > 1;
        ensure(
            lost || limited || refused || late || dropped || poisoned,
            "nothing is lost silently",
            || format!("{serial}: {published:?}"),
        )
    }
}

impl Published {
    fn has_expired(&self, now: Instant) -> bool {
        let waited = now.saturating_duration_since(self.accepted.at);
        self.expires_in
            .is_some_and(|seconds| waited >= Duration::from_secs(seconds.into()))
    }
}
