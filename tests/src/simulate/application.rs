//! The application: publishes, subscribes, takes its time with messages, and asks for outcomes or
//! doesn't.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use dunlin_client::codec::{QoS, ReasonCode, RetainHandling, SubscriptionOptions, TopicAlias};
use dunlin_client::engine::{Accepted, DeliveryId, Engine, EngineEvent, OperationId, Outcome};
use dunlin_client::{ConnectOptions, Message, RequestError};

use super::chance::Chance;
use super::checks::{AcceptedAt, Breach, Checked, NewMessage, Promises, ensure};
use super::proof::Again;
use super::server::payload_of;
use super::transcript::Transcript;

/// What an application remembers.
#[derive(Debug, Default)]
pub(super) struct Application {
    publishing: Vec<(OperationId, usize)>,
    asking: Vec<(OperationId, Asked, AcceptedAt)>,
    /// Its re-authentication.
    pub(super) again: Again,
    /// Messages that it has and isn't done with.
    holding: Vec<(DeliveryId, usize)>,
    /// Messages for which it has no stream yet.
    unmatched: Vec<Unmatched>,
    /// When its engine first went on with a session of the server's.
    resumed_at: Option<Instant>,
    /// Messages of this session that the application answered on this connection.
    answered: usize,
    /// The same for earlier connections: their acknowledgements may wait for the server to repeat
    /// the messages.
    answered_before: usize,
    /// Receive Maximum of the last CONNECT.
    pub(super) receive_maximum: usize,
    /// One in how many messages of QoS 1 and 2 it has no memory for; `None` means it takes all.
    pub(super) declines_one_in: Option<usize>,
    /// Messages that it had no memory for.
    pub(super) declined: u64,
    /// What it thinks that it is subscribed to; `None` where it can't know.
    pub(super) subscriptions: BTreeMap<&'static str, Option<bool>>,
}

/// A message for which the application has no stream yet.
#[derive(Debug)]
struct Unmatched {
    id: DeliveryId,
    serial: usize,
    /// Messages that the application was done with since it arrived.
    taken: usize,
}

#[derive(Debug, Clone)]
enum Asked {
    Subscribe(Vec<&'static str>),
    Unsubscribe(Vec<&'static str>),
}

const TOPICS: [&str; 4] = ["a", "b/c", "lamp/seven/is/on", "d"];
/// What it ever subscribes to.
pub(super) const FILTERS: [&str; 6] = ["a", "b/+", "c/#", "$share/two/d", "e/f", "$share/two/g/+"];

impl Application {
    /// An application that has no memory for one in so many messages of QoS 1 and 2; with `None` it
    /// takes all.
    pub(super) fn new(declines_one_in: Option<usize>) -> Self {
        Self {
            declines_one_in,
            ..Self::default()
        }
    }

    pub(super) fn publishes(
        &mut self,
        engine: &mut Engine,
        promises: &mut Promises,
        now: Instant,
        chance: &mut Chance,
        transcript: &mut Transcript,
    ) -> Checked<Option<QoS>> {
        let serial = promises.next_serial();
        let qos = chance
            .of(&[QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtMostOnce])
            .unwrap_or_default();
        let payload = payload_of(serial, chance.below(8) * 12);
        let topic = chance.of(&TOPICS).unwrap_or_default();
        let mut message = Message::new(topic, &payload)
            .qos(qos)
            .retain(chance.one_in(8));
        message.topic_alias = TopicAlias::new(chance.of(&[0, 0, 1, 2]).unwrap_or_default());
        let expires_in = chance.of(&[None, None, None, Some(5), Some(30)]).flatten();
        message.properties.message_expiry_interval = expires_in;
        let was_connected = engine.is_connected();
        let accepted_at = promises.clock.accept(engine, now);
        match engine.publish(&message, now) {
            Ok(accepted) => {
                transcript.say(format_args!(
                    "application publishes {serial} at {qos} to {topic}"
                ));
                let is_wanted = match accepted {
                    Accepted::Sent => false,
                    Accepted::Pending(id) if chance.one_in(8) => {
                        engine.forget(id);
                        false
                    }
                    Accepted::Pending(id) => {
                        self.publishing.push((id, serial));
                        true
                    }
                };
                let sent = accepted == Accepted::Sent;
                ensure(
                    !sent || qos == QoS::AtMostOnce && was_connected,
                    "only QoS 0 is done at once",
                    || serial.to_string(),
                )?;
                promises.accepted(
                    NewMessage {
                        qos,
                        topic,
                        expires_in,
                        is_wanted,
                    },
                    accepted_at,
                );
                Ok(Some(qos))
            }
            Err(error) => {
                transcript.say(format_args!("application can't publish at {qos}: {error}"));
                let of_server = matches!(
                    error,
                    RequestError::QoSNotSupported { .. }
                        | RequestError::RetainNotSupported
                        | RequestError::TooLarge { .. }
                );
                let of_policy = matches!(error, RequestError::Offline) && !was_connected;
                let aliased = matches!(error, RequestError::TopicAlias { .. })
                    && message.topic_alias.is_some();
                let full = matches!(error, RequestError::QueueFull { .. });
                let fine = of_server && was_connected || of_policy || aliased || full;
                ensure(fine, "what isn't accepted had a reason", || {
                    format!("{error:?}")
                })?;
                Ok(None)
            }
        }
    }

    /// Subscribes or unsubscribes, one request at a time for each filter.
    pub(super) fn asks(
        &mut self,
        engine: &mut Engine,
        promises: &Promises,
        now: Instant,
        chance: &mut Chance,
        transcript: &mut Transcript,
    ) {
        let mut filters = BTreeSet::new();
        for _ in 0..chance.between(1, 3) {
            filters.extend(chance.of(&FILTERS));
        }
        let is_asked = |filter: &&str| {
            self.asking
                .iter()
                .any(|(_, asked, _)| asked.filters().iter().any(|each| each == filter))
        };
        filters.retain(|filter| !is_asked(filter));
        let filters: Vec<_> = filters.into_iter().collect();
        if filters.is_empty() {
            return;
        }
        let accepted_at = promises.clock.accept(engine, now);
        let (accepted, asked) = if chance.one_in(3) {
            (engine.unsubscribe(&filters), Asked::Unsubscribe(filters))
        } else {
            let options = SubscriptionOptions {
                qos: chance
                    .of(&[QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::AtMostOnce])
                    .unwrap_or_default(),
                retain_handling: RetainHandling::Send,
                ..SubscriptionOptions::default()
            };
            let list: Vec<_> = filters.iter().map(|filter| (*filter, options)).collect();
            (engine.subscribe(&list), Asked::Subscribe(filters))
        };
        transcript.say(format_args!(
            "application asks: {asked:?}, {:?}",
            accepted.as_ref().err()
        ));
        match (accepted, asked) {
            (Ok(id), asked) => self.asking.push((id, asked, accepted_at)),
            // The engine gives a subscription up even if it can't say so now.
            (Err(_), Asked::Unsubscribe(filters)) => self.doubts(&filters),
            (Err(_), Asked::Subscribe(_)) => {}
        }
    }

    /// Looks whether there are outcomes; whether one is that of a re-authentication that succeeded.
    pub(super) fn looks(
        &mut self,
        engine: &mut Engine,
        promises: &mut Promises,
        (options, now): (&ConnectOptions, Instant),
        transcript: &mut Transcript,
    ) -> Checked<bool> {
        // What is due and wasn't handled yet may be late.
        let is_behind =
            engine.should_close() || engine.poll_timeout().is_some_and(|due| due <= now);
        let publishing = std::mem::take(&mut self.publishing);
        for (id, serial) in publishing {
            match engine.poll_outcome(id, &mut Context::from_waker(Waker::noop())) {
                Poll::Pending => {
                    if !is_behind {
                        promises.check_waits(serial, engine, now)?;
                    }
                    self.publishing.push((id, serial));
                }
                Poll::Ready(outcome) => {
                    transcript.say(format_args!("application learns of {serial}: {outcome:?}"));
                    promises.ended(serial, outcome, now)?;
                }
            }
        }
        let asking = std::mem::take(&mut self.asking);
        for (id, asked, since) in asking {
            match engine.poll_outcome(id, &mut Context::from_waker(Waker::noop())) {
                Poll::Pending => {
                    let timeout = asked.timeout(options);
                    let waited = now.saturating_duration_since(since.at);
                    ensure(
                        is_behind || timeout.is_none_or(|timeout| waited < timeout),
                        "a request ends within its time, outages included",
                        || format!("{asked:?} after {waited:?}"),
                    )?;
                    if !is_behind && engine.is_connected() {
                        promises.clock.check_waiting(&since, now)?;
                    }
                    self.asking.push((id, asked, since));
                }
                Poll::Ready(outcome) => {
                    transcript.say(format_args!("application learns of {asked:?}: {outcome:?}"));
                    self.is_answered(asked, outcome)?;
                }
            }
        }
        self.again.looks(engine, transcript)
    }

    /// Gives up waiting for some outcome.
    pub(super) fn drops_receipt(
        &mut self,
        engine: &mut Engine,
        promises: &mut Promises,
        chance: &mut Chance,
    ) {
        if !self.publishing.is_empty() {
            let (id, serial) = self
                .publishing
                .swap_remove(chance.below(self.publishing.len()));
            engine.forget(id);
            promises.unwanted(serial);
        }
    }

    /// Takes note of an event that isn't a connection.
    pub(super) fn hears(
        &mut self,
        event: EngineEvent,
        engine: &mut Engine,
        promises: &mut Promises,
        chance: &mut Chance,
        (options, now): (&ConnectOptions, Instant),
    ) -> Checked {
        match event {
            EngineEvent::UnmatchedRefused(id) => {
                let index = self.unmatched.iter().position(|each| each.id == id);
                let index = index.ok_or_else(|| {
                    Breach::new("what is refused was unmatched", format!("{id:?}"))
                })?;
                let refused = self.unmatched.swap_remove(index);
                let half = self.receive_maximum / 2;
                let waited = self
                    .resumed_at
                    .map(|since| now.saturating_duration_since(since));
                let has_waited = waited.is_some_and(|waited| waited >= options.unmatched_wait);
                let holds_back = refused.taken + self.answered_before >= half.max(1);
                self.answered += 1;
                ensure(
                    has_waited || holds_back,
                    "an unmatched message waits for a stream",
                    || format!("{refused:?}"),
                )?;
                promises.taken(refused.serial);
                // If this answer gets lost.
                promises.abandoned(refused.serial);
            }
            EngineEvent::Message(message, id) => {
                let serial = promises.received(&message)?;
                let acknowledges = message.qos() != QoS::AtMostOnce;
                ensure(
                    id.is_some() == acknowledges,
                    "QoS 1 and 2 are acknowledged",
                    || serial.to_string(),
                )?;
                let Some(id) = id else { return Ok(()) };
                // What follows a message that was declined can't be acknowledged before it.
                let declines = self.declines_one_in.map(|times| chance.one_in(times));
                if declines == Some(true) || engine.declines_messages() {
                    engine.decline(id);
                    promises.abandoned(serial);
                    self.declined += 1;
                    return Ok(());
                }
                if chance.one_in(4) && engine.keep_unmatched(id) {
                    self.unmatched.push(Unmatched {
                        id,
                        serial,
                        taken: 0,
                    });
                    return Ok(());
                }
                self.holding.push((id, serial));
                if chance.one_in(8) {
                    engine.share(id, 2);
                    self.holding.push((id, serial));
                }
            }
            // It waits behind those without a stream, like one that was taken.
            EngineEvent::MessageRefused(refused) if refused.qos != QoS::AtMostOnce => {
                self.answers_one();
            }
            EngineEvent::SubscriptionLost { filter, .. } => {
                let known = FILTERS.into_iter().find(|known| *known == filter);
                let Some(filter) = known else {
                    return Err(Breach::new("what is lost was asked for", filter));
                };
                // The server may have it still: who is in doubt and may not ask again gives it up.
                self.subscriptions.insert(filter, None);
            }
            _ => {}
        }
        Ok(())
    }

    /// Is done with one of its messages; whether there was one.
    pub(super) fn takes(
        &mut self,
        engine: &mut Engine,
        promises: &mut Promises,
        chance: &mut Chance,
        transcript: &mut Transcript,
    ) -> Checked<bool> {
        if !self.unmatched.is_empty() && (self.holding.is_empty() || chance.one_in(4)) {
            let Unmatched { id, serial, .. } =
                self.unmatched.remove(chance.below(self.unmatched.len()));
            transcript.say(format_args!("application has a stream for {serial}"));
            ensure(
                engine.match_unmatched(id),
                "an unmatched message waits until it is refused",
                || serial.to_string(),
            )?;
            self.holding.push((id, serial));
            return Ok(true);
        }
        if self.holding.is_empty() {
            // There is memory again.
            if engine.declines_messages() && engine.is_connected() {
                transcript.say(format_args!("application has memory again"));
                engine.leave_declined();
                return Ok(true);
            }
            return Ok(false);
        }
        let (id, serial) = self.holding.remove(chance.below(self.holding.len()));
        if self.holding.iter().all(|(held, _)| *held != id) {
            self.answers_one();
            transcript.say(format_args!("application is done with {serial}"));
            promises.taken(serial);
        }
        if chance.one_in(8) {
            ensure(
                engine.answer(id, ReasonCode::QuotaExceeded).is_ok(),
                "the code is legal",
                String::new,
            )?;
            // If this answer gets lost.
            promises.abandoned(serial);
        } else {
            engine.take(id);
        }
        Ok(true)
    }

    /// Gives a message up that it has: the server is to send it again on the next connection.
    pub(super) fn abandons(
        &mut self,
        engine: &mut Engine,
        promises: &mut Promises,
        chance: &mut Chance,
    ) {
        if !self.holding.is_empty() {
            let (id, serial) = self.holding.remove(chance.below(self.holding.len()));
            self.holding.retain(|(held, _)| *held != id);
            promises.abandoned(serial);
            engine.abandon(id);
        }
    }

    /// Its session moves to another engine: messages that it has and isn't done with come again.
    pub(super) fn moves_on(&mut self, promises: &mut Promises) {
        self.unmatched
            .drain(..)
            .for_each(|each| promises.abandoned(each.serial));
        self.resumed_at = None;
        self.disconnected();
        self.holding
            .drain(..)
            .for_each(|(_, serial)| promises.abandoned(serial));
    }

    /// Its connection has ended.
    pub(super) fn disconnected(&mut self) {
        self.answered_before += std::mem::take(&mut self.answered);
    }

    /// The server accepted a connection.
    pub(super) fn connected(&mut self, session_present: bool, now: Instant) {
        if session_present {
            self.resumed_at.get_or_insert(now);
        } else {
            (self.answered, self.answered_before) = (0, 0);
        }
    }

    /// One more message is answered, and may wait behind those without a stream.
    fn answers_one(&mut self) {
        self.answered += 1;
        self.unmatched.iter_mut().for_each(|each| each.taken += 1);
    }

    /// Its process ends: nobody learns what came of its requests.
    pub(super) fn loses_receipts(&mut self, promises: &mut Promises) {
        self.publishing
            .drain(..)
            .for_each(|(_, serial)| promises.unwanted(serial));
        let asking = std::mem::take(&mut self.asking);
        asking
            .iter()
            .for_each(|(_, asked, _)| self.doubts(asked.filters()));
        self.again = Again::default();
    }

    /// A process that remembers nothing.
    pub(super) fn starts_over(&mut self) {
        let known: Vec<_> = self.subscriptions.keys().copied().collect();
        *self = Self {
            declined: self.declined,
            ..Self::new(self.declines_one_in)
        };
        self.doubts(&known);
        self.doubts(&FILTERS);
    }

    /// Outcomes that it waits for.
    pub(super) fn waits_for(&self) -> usize {
        self.publishing.len() + self.asking.len() + usize::from(self.again.is_under_way())
    }

    fn is_answered(
        &mut self,
        asked: Asked,
        outcome: Option<Result<Outcome, RequestError>>,
    ) -> Checked {
        let answer = match outcome {
            Some(Ok(Outcome::Answered(answer))) => answer,
            Some(Err(_)) => {
                self.doubts(asked.filters());
                return Ok(());
            }
            other => {
                return Err(Breach::new(
                    "an outcome is of its request's kind",
                    format!("{other:?}"),
                ));
            }
        };
        let filters = asked.filters();
        ensure(
            answer.reason_codes.len() == filters.len(),
            "[MQTT-3.8.4-6] a code for each filter",
            || format!("{asked:?} {answer:?}"),
        )?;
        for (filter, code) in filters.iter().zip(answer.reason_codes) {
            match (&asked, code.is_error()) {
                (Asked::Subscribe(_), false) => drop(self.subscriptions.insert(filter, Some(true))),
                // What there was before stays; but it may have been granted before this answer got
                // lost.
                (Asked::Subscribe(_), true) => {
                    if self
                        .subscriptions
                        .get(filter)
                        .is_none_or(|believed| *believed == Some(false))
                    {
                        self.subscriptions.insert(filter, None);
                    }
                }
                (Asked::Unsubscribe(_), false) => {
                    self.subscriptions.insert(filter, Some(false));
                }
                (Asked::Unsubscribe(_), true) => {
                    self.subscriptions.insert(filter, None);
                }
            }
        }
        Ok(())
    }

    fn doubts(&mut self, filters: &[&'static str]) {
        for filter in filters {
            self.subscriptions.insert(filter, None);
        }
    }
}

impl Asked {
    fn timeout(&self, options: &ConnectOptions) -> Option<Duration> {
        match self {
            Self::Subscribe(_) => options.request_timeout.subscribe,
            Self::Unsubscribe(_) => options.request_timeout.unsubscribe,
        }
    }

    fn filters(&self) -> &[&'static str] {
        match self {
            Self::Subscribe(filters) | Self::Unsubscribe(filters) => filters,
        }
    }
}
