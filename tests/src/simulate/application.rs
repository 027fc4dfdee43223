//! The application: publishes, subscribes, answers messages at some time, and polls outcomes or drops
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use dunlin_client::codec::{QoS, ReasonCode, RetainHandling, SubscriptionOptions, TopicAlias};
use dunlin_client::engine::{Accepted, DeliveryId, Engine, EngineEvent, OperationId, Outcome};
use dunlin_client::{ConnectOptions, Message, RequestError};

use super::auth_method::Reauthentication;
use super::checks::{AcceptedAt, Deliveries, NewMessage, WaitingAcks};
use super::choices::Choices;
use super::server::payload_of;
use super::transcript::Transcript;
use super::violation::{Checked, Violation, ensure};

/// State of the application.
#[derive(Debug, Default)]
pub(super) struct Application {
    pending_publishes: Vec<(OperationId, usize)>,
    subscription_requests: Vec<(OperationId, SubscriptionRequest, AcceptedAt)>,
    /// Re-authentication under way, if there is one.
    pub(super) again: Reauthentication,
    /// Messages that it has and isn't done with.
    unanswered: Vec<(DeliveryId, usize)>,
    /// Messages for which it has no stream yet.
    unmatched: Vec<(DeliveryId, usize)>,
    /// Time at which the engine first resumed a session; `None` while none was resumed.
    resumed_at: Option<Instant>,
    /// Receive Maximum of the last CONNECT.
    pub(super) receive_maximum: usize,
    /// One in how many messages of QoS 1 and 2 it has no memory for; `None` means it takes all.
    pub(super) declines_one_in: Option<usize>,
    /// Messages that it had no memory for.
    pub(super) declined: u64,
    /// Subscriptions by filter, as far as the application knows; `None` if it can't know.
    pub(super) subscriptions: BTreeMap<&'static str, Option<bool>>,
}

#[derive(Debug, Clone)]
enum SubscriptionRequest {
    Subscribe(Vec<&'static str>),
    Unsubscribe(Vec<&'static str>),
}

const TOPICS: [&str; 4] = ["a", "b/c", "lamp/seven/is/on", "d"];
/// All filters that the application subscribes to.
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
        deliveries: &mut Deliveries,
        now: Instant,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) -> Checked<Option<QoS>> {
        let serial = deliveries.next_serial();
        let qos = choices
            .pick(&[QoS::AtLeastOnce, QoS::ExactlyOnce, QoS::AtMostOnce])
            .unwrap_or_default();
        let payload = payload_of(serial, choices.below(8) * 12);
        let topic = choices.pick(&TOPICS).unwrap_or_default();
        let mut message = Message::new(topic, &payload)
            .qos(qos)
            .retain(choices.one_in(8));
        message.topic_alias = TopicAlias::new(choices.pick(&[0, 0, 1, 2]).unwrap_or_default());
        let expires_in = choices
            .pick(&[None, None, None, Some(5), Some(30)])
            .flatten();
        message.properties.message_expiry_interval = expires_in;
        let was_connected = engine.is_connected();
        let accepted_at = deliveries.clock.accept(engine, now);
        match engine.publish(&message, now) {
            Ok(accepted) => {
                transcript.say(format_args!(
                    "application publishes {serial} at {qos} to {topic}"
                ));
                let has_receiver = match accepted {
                    Accepted::Sent => false,
                    Accepted::Pending(id) if choices.one_in(8) => {
                        engine.forget(id);
                        false
                    }
                    Accepted::Pending(id) => {
                        self.pending_publishes.push((id, serial));
                        true
                    }
                };
                let sent = accepted == Accepted::Sent;
                ensure(
                    !sent || qos == QoS::AtMostOnce && was_connected,
                    "only QoS 0 is done at once",
                    || serial.to_string(),
                )?;
                deliveries.accepted(
                    NewMessage {
                        qos,
                        topic,
                        expires_in,
                        has_receiver,
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
    pub(super) fn request_some(
        &mut self,
        engine: &mut Engine,
        deliveries: &Deliveries,
        now: Instant,
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) {
        let mut filters = BTreeSet::new();
        for _ in 0..choices.between(1, 3) {
            filters.extend(choices.pick(&FILTERS));
        }
        let is_challenged = |filter: &&str| {
            self.subscription_requests
                .iter()
                .any(|(_, request, _)| request.filters().iter().any(|each| each == filter))
        };
        filters.retain(|filter| !is_challenged(filter));
        let filters: Vec<_> = filters.into_iter().collect();
        if filters.is_empty() {
            return;
        }
        let accepted_at = deliveries.clock.accept(engine, now);
        let (accepted, request) = if choices.one_in(3) {
            (
                engine.unsubscribe(&filters),
                SubscriptionRequest::Unsubscribe(filters),
            )
        } else {
            let options = SubscriptionOptions {
                qos: choices
                    .pick(&[QoS::ExactlyOnce, QoS::AtLeastOnce, QoS::AtMostOnce])
                    .unwrap_or_default(),
                retain_handling: RetainHandling::Send,
                ..SubscriptionOptions::default()
            };
            let list: Vec<_> = filters.iter().map(|filter| (*filter, options)).collect();
            (
                engine.subscribe(&list),
                SubscriptionRequest::Subscribe(filters),
            )
        };
        transcript.say(format_args!(
            "application requests: {request:?}, {:?}",
            accepted.as_ref().err()
        ));
        match (accepted, request) {
            (Ok(id), request) => self.subscription_requests.push((id, request, accepted_at)),
            // The engine gives a subscription up even if it can't say so now.
            (Err(_), SubscriptionRequest::Unsubscribe(filters)) => self.mark_unknown(&filters),
            (Err(_), SubscriptionRequest::Subscribe(_)) => {}
        }
    }

    /// Looks whether there are outcomes; whether one is that of a re-authentication that succeeded.
    pub(super) fn poll_outcomes(
        &mut self,
        engine: &mut Engine,
        deliveries: &mut Deliveries,
        (options, now): (&ConnectOptions, Instant),
        transcript: &mut Transcript,
    ) -> Checked<bool> {
        // What is due and wasn't handled yet may be late.
        let is_behind =
            engine.should_close() || engine.poll_timeout().is_some_and(|due| due <= now);
        let pending_publishes = std::mem::take(&mut self.pending_publishes);
        for (id, serial) in pending_publishes {
            match engine.poll_outcome(id, &mut Context::from_waker(Waker::noop())) {
                Poll::Pending => {
                    if !is_behind {
                        deliveries.check_waits(serial, engine, now)?;
                    }
                    self.pending_publishes.push((id, serial));
                }
                Poll::Ready(outcome) => {
                    transcript.say(format_args!("application learns of {serial}: {outcome:?}"));
                    deliveries.ended(serial, outcome, now)?;
                }
            }
        }
        let subscription_requests = std::mem::take(&mut self.subscription_requests);
        for (id, request, since) in subscription_requests {
            match engine.poll_outcome(id, &mut Context::from_waker(Waker::noop())) {
                Poll::Pending => {
                    let timeout = request.timeout(options);
                    let waited = now.saturating_duration_since(since.at);
                    ensure(
                        is_behind || timeout.is_none_or(|timeout| waited < timeout),
                        "a request ends within its time, outages included",
                        || format!("{request:?} after {waited:?}"),
                    )?;
                    if !is_behind && engine.is_connected() {
                        deliveries.clock.check_waiting(&since, now)?;
                    }
                    self.subscription_requests.push((id, request, since));
                }
                Poll::Ready(outcome) => {
                    transcript.say(format_args!(
                        "application learns of {request:?}: {outcome:?}"
                    ));
                    self.handle_answer(request, outcome)?;
                }
            }
        }
        self.again.poll_outcomes(engine, transcript)
    }

    /// Gives up waiting for some outcome.
    pub(super) fn drops_receipt(
        &mut self,
        engine: &mut Engine,
        deliveries: &mut Deliveries,
        choices: &mut Choices,
    ) {
        if !self.pending_publishes.is_empty() {
            let (id, serial) = self
                .pending_publishes
                .swap_remove(choices.below(self.pending_publishes.len()));
            engine.forget(id);
            deliveries.drop_receiver(serial);
        }
    }

    /// Takes note of an event that isn't a connection.
    pub(super) fn receives(
        &mut self,
        event: EngineEvent,
        engine: &mut Engine,
        (deliveries, acks): (&mut Deliveries, &mut WaitingAcks),
        choices: &mut Choices,
        (options, now): (&ConnectOptions, Instant),
    ) -> Checked {
        match event {
            EngineEvent::UnmatchedRefused(id) => {
                let index = self.unmatched.iter().position(|(each, _)| *each == id);
                let index = index.ok_or_else(|| {
                    Violation::new("what is refused was unmatched", format!("{id:?}"))
                })?;
                let (_, serial) = self.unmatched.swap_remove(index);
                let half = self.receive_maximum / 2;
                let waited = self
                    .resumed_at
                    .map(|since| now.saturating_duration_since(since));
                let has_waited = waited.is_some_and(|waited| waited >= options.unmatched_wait);
                let behind = acks.behind(id, deliveries.resumes_wrong_session());
                acks.answered(id);
                ensure(
                    has_waited || behind >= half.max(1),
                    "an unmatched message waits for a stream",
                    || format!("{serial} with {behind} of {half} behind it: {acks:?}"),
                )?;
                deliveries.incoming.taken(serial);
                // If this answer gets lost.
                deliveries.incoming.abandoned(serial);
            }
            EngineEvent::Message(message, id) => {
                let serial = deliveries.received(&message)?;
                let acknowledges = message.qos() != QoS::AtMostOnce;
                ensure(
                    id.is_some() == acknowledges,
                    "QoS 1 and 2 are acknowledged",
                    || serial.to_string(),
                )?;
                let Some(id) = id else { return Ok(()) };
                acks.delivered(message.delivery(), id);
                // What follows a message that was declined can't be acknowledged before it.
                let declines = self.declines_one_in.map(|times| choices.one_in(times));
                if declines == Some(true) || engine.declines_messages() {
                    engine.received().decline(id);
                    deliveries.incoming.abandoned(serial);
                    self.declined += 1;
                    return Ok(());
                }
                if choices.one_in(4) && engine.received().keep_unmatched(id) {
                    self.unmatched.push((id, serial));
                    return Ok(());
                }
                self.unanswered.push((id, serial));
                if choices.one_in(8) {
                    engine.received().set_consumers(id, 2);
                    self.unanswered.push((id, serial));
                }
            }
            EngineEvent::SubscriptionLost { filter, .. } => {
                let known = FILTERS.into_iter().find(|known| *known == filter);
                let Some(filter) = known else {
                    return Err(Violation::new("a lost subscription was requested", filter));
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
        (deliveries, acks): (&mut Deliveries, &mut WaitingAcks),
        choices: &mut Choices,
        transcript: &mut Transcript,
    ) -> Checked<bool> {
        if !self.unmatched.is_empty() && (self.unanswered.is_empty() || choices.one_in(4)) {
            let (id, serial) = self.unmatched.remove(choices.below(self.unmatched.len()));
            transcript.say(format_args!("application has a stream for {serial}"));
            ensure(
                engine.received().match_unmatched(id),
                "an unmatched message waits until it is refused",
                || serial.to_string(),
            )?;
            self.unanswered.push((id, serial));
            return Ok(true);
        }
        if self.unanswered.is_empty() {
            // There is memory again.
            if engine.declines_messages() && engine.is_connected() {
                transcript.say(format_args!("application has memory again"));
                engine.received().leave_declined();
                return Ok(true);
            }
            return Ok(false);
        }
        let (id, serial) = self.unanswered.remove(choices.below(self.unanswered.len()));
        if self.unanswered.iter().all(|(held, _)| *held != id) {
            acks.answered(id);
            transcript.say(format_args!("application is done with {serial}"));
            deliveries.incoming.taken(serial);
        }
        if choices.one_in(8) {
            ensure(
                engine
                    .received()
                    .answer(id, ReasonCode::QuotaExceeded)
                    .is_ok(),
                "the code is legal",
                String::new,
            )?;
            // If this answer gets lost.
            deliveries.incoming.abandoned(serial);
        } else {
            engine.received().consume(id);
        }
        Ok(true)
    }

    /// Gives a message up that it has: the server is to send it again on the next connection.
    pub(super) fn abandons(
        &mut self,
        engine: &mut Engine,
        deliveries: &mut Deliveries,
        choices: &mut Choices,
    ) {
        if !self.unanswered.is_empty() {
            let (id, serial) = self.unanswered.remove(choices.below(self.unanswered.len()));
            self.unanswered.retain(|(held, _)| *held != id);
            deliveries.incoming.abandoned(serial);
            engine.received().abandon(id);
        }
    }

    /// Handles that the session moves to another engine: unanswered messages are sent again.
    pub(super) fn move_session(&mut self, deliveries: &mut Deliveries) {
        self.unmatched
            .drain(..)
            .for_each(|(_, serial)| deliveries.incoming.abandoned(serial));
        self.resumed_at = None;
        self.unanswered
            .drain(..)
            .for_each(|(_, serial)| deliveries.incoming.abandoned(serial));
    }

    /// The server accepted a connection.
    pub(super) fn connected(&mut self, session_present: bool, now: Instant) {
        if session_present {
            self.resumed_at.get_or_insert(now);
        }
    }

    /// Handles the end of the process: the receivers of all outcomes are gone.
    pub(super) fn drop_receipts(&mut self, deliveries: &mut Deliveries) {
        self.pending_publishes
            .drain(..)
            .for_each(|(_, serial)| deliveries.drop_receiver(serial));
        let subscription_requests = std::mem::take(&mut self.subscription_requests);
        subscription_requests
            .iter()
            .for_each(|(_, request, _)| self.mark_unknown(request.filters()));
        self.again = Reauthentication::default();
    }

    /// A process that remembers nothing.
    pub(super) fn restart_empty(&mut self) {
        let known: Vec<_> = self.subscriptions.keys().copied().collect();
        *self = Self {
            declined: self.declined,
            ..Self::new(self.declines_one_in)
        };
        self.mark_unknown(&known);
        self.mark_unknown(&FILTERS);
    }

    /// Outcomes that it waits for.
    pub(super) fn pending_outcomes(&self) -> usize {
        self.pending_publishes.len()
            + self.subscription_requests.len()
            + usize::from(self.again.is_under_way())
    }

    fn handle_answer(
        &mut self,
        request: SubscriptionRequest,
        outcome: Option<Result<Outcome, RequestError>>,
    ) -> Checked {
        let answer = match outcome {
            Some(Ok(Outcome::Answered(answer))) => answer,
            Some(Err(_)) => {
                self.mark_unknown(request.filters());
                return Ok(());
            }
            other => {
                return Err(Violation::new(
                    "an outcome is of its request's kind",
                    format!("{other:?}"),
                ));
            }
        };
        let filters = request.filters();
        ensure(
            answer.reason_codes.len() == filters.len(),
            "[MQTT-3.8.4-6] a code for each filter",
            || format!("{request:?} {answer:?}"),
        )?;
        for (filter, code) in filters.iter().zip(answer.reason_codes) {
            match (&request, code.is_error()) {
                (SubscriptionRequest::Subscribe(_), false) => {
                    self.subscriptions.insert(filter, Some(true));
                }
                // What there was before stays; but it may have been granted before this answer got
                // lost.
                (SubscriptionRequest::Subscribe(_), true) => {
                    if self
                        .subscriptions
                        .get(filter)
                        .is_none_or(|believed| *believed == Some(false))
                    {
                        self.subscriptions.insert(filter, None);
                    }
                }
                (SubscriptionRequest::Unsubscribe(_), false) => {
                    self.subscriptions.insert(filter, Some(false));
                }
                (SubscriptionRequest::Unsubscribe(_), true) => {
                    self.subscriptions.insert(filter, None);
                }
            }
        }
        Ok(())
    }

    fn mark_unknown(&mut self, filters: &[&'static str]) {
        for filter in filters {
            self.subscriptions.insert(filter, None);
        }
    }
}

impl SubscriptionRequest {
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
