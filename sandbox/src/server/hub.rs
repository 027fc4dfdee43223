//! What all connections share: the sessions, who subscribed to what, and the retained messages.

mod losses;
mod memory;
mod routing;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_codec::{QoS, TopicMatcher};
use tokio::sync::Notify;

use crate::event::{Event, Outcome};
use crate::server::charge::MemoryCounter;
use crate::server::hub::losses::{LossReason, Losses};
use crate::server::hub::memory::{Eviction, MemoryBudget};
use crate::server::hub::routing::Subscribers;
use crate::server::outgoing::Queued;
use crate::server::retained::Retained;
use crate::server::session::{ClientState, ConnectionId, DelayedWill, Session, SessionId};
use crate::server::settings::Settings;

pub(crate) use routing::SubscribeOutcome;

/// The one thing behind the one lock of the server.
#[derive(Debug)]
pub(crate) struct Hub {
    settings: Arc<Settings>,
    sessions: HashMap<Arc<str>, Session>,
    /// Each filter that somebody subscribed with, once.
    index: TopicMatcher<Arc<str>>,
    /// Who subscribed with each filter of the index.
    subscribers: HashMap<Arc<str>, Subscribers>,
    /// Subscriptions of all sessions.
    subscription_count: usize,
    retained: Retained,
    /// When something is to happen to a session whose client is away.
    due: BTreeSet<(Instant, Arc<str>)>,
    /// The latest CONNECTs, where a client id may have only so many.
    connects: VecDeque<(Instant, Arc<str>)>,
    memory: MemoryBudget,
    losses: Losses,
    /// What sessions left behind that ended, in the order in which they did.
    unfinished: VecDeque<Unfinished>,
    /// What the filters of all sessions weigh.
    filter_bytes: usize,
    last_id: u64,
    /// Told when [`Self::poll_timeout`] may be sooner than it was.
    timer_changed: Arc<Notify>,
}

/// What a connection has got to do with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attached {
    pub(crate) connection: ConnectionId,
    pub(crate) session: SessionId,
}

/// Something of a session that ended.
#[derive(Debug)]
struct Unfinished {
    client_id: Arc<str>,
    /// When the session ended.
    since: Instant,
    /// Why, should a message be lost by it.
    reason: LossReason,
    what: UnfinishedKind,
}

#[derive(Debug)]
enum UnfinishedKind {
    /// A will that waited.
    Will(DelayedWill),
    /// A message of QoS 1 or 2 that the client hasn't acknowledged.
    Message { queued: Queued, is_sent: bool },
}

/// What becomes of a session when its connection ends.
#[derive(Debug)]
pub(crate) enum DetachOutcome {
    /// Another connection of the client goes on with it.
    TakenOver,
    /// It waits for its client; its will may wait too.
    Kept,
    /// It has ended, then or before.
    Ended,
}

impl Hub {
    pub(crate) fn new(settings: Arc<Settings>) -> Self {
        Self {
            settings,
            sessions: HashMap::new(),
            index: TopicMatcher::new(),
            subscribers: HashMap::new(),
            subscription_count: 0,
            retained: Retained::default(),
            due: BTreeSet::new(),
            connects: VecDeque::new(),
            memory: MemoryBudget::default(),
            losses: Losses::default(),
            unfinished: VecDeque::new(),
            filter_bytes: 0,
            last_id: 0,
            timer_changed: Arc::default(),
        }
    }

    /// Whether there is a session to resume: one that ends with its connection is none to the next.
    /// [MQTT-3.2.2-3]
    pub(crate) fn has_session(&self, client_id: &str) -> bool {
        self.sessions
            .get(client_id)
            .is_some_and(|session| !session.ends_with_connection())
    }

    /// Whether a client id comes again sooner than the profile allows. Otherwise this time counts.
    pub(crate) fn connects_too_fast(&mut self, client_id: &Arc<str>, now: Instant) -> bool {
        let Some(interval) = self.settings.rules().connect_interval else {
            return false;
        };
        let interval = self.settings.scaled(interval);
        while self
            .connects
            .front()
            .is_some_and(|(at, _)| *at + interval <= now)
            || self.connects.len() > self.settings.max_connections
        {
            self.connects.pop_front();
        }
        let connects_too_fast = self.connects.iter().any(|(_, id)| id == client_id);
        if !connects_too_fast {
            self.connects.push_back((now, Arc::clone(client_id)));
        }
        connects_too_fast
    }

    /// A new connection of a client. An older one finds that it isn't the session's any more.
    /// [MQTT-3.1.4-3]
    pub(crate) fn attach(
        &mut self,
        client_id: &Arc<str>,
        clean_start: bool,
        session_expiry: u32,
        receive_maximum: u16,
        wake: Arc<Notify>,
        now: Instant,
    ) -> Attached {
        if clean_start {
            // [MQTT-3.1.2-4]
            self.end_session(client_id, LossReason::CleanStart, now);
        } else if !self.has_session(client_id) {
            // It ends with the connection that this one takes the place of (§3.1.2.11.2).
            self.end_session(client_id, LossReason::SessionEnded, now);
        }
        let connection = ConnectionId(self.next_id());
        let client_state = ClientState::Attached {
            connection,
            wake,
            ends_with_connection: session_expiry == 0,
        };
        self.remove_timer(client_id);
        if let Some(session) = self.sessions.get_mut(client_id) {
            // [MQTT-3.1.2-5]
            session.wake();
            session.client_state = client_state;
            // The client is back in time. [MQTT-3.1.3-9]
            session.will = None;
            session.outgoing.resume(receive_maximum);
            return Attached {
                connection,
                session: session.id,
            };
        }
        self.limit_sessions(now);
        // [MQTT-3.1.2-6]
        let id = SessionId(self.next_id());
        let mut session = Session::new(id, client_state);
        session.outgoing.resume(receive_maximum);
        self.sessions.insert(Arc::clone(client_id), session);
        Attached {
            connection,
            session: id,
        }
    }

    /// The session of this connection; `None` once it is no longer this connection's.
    pub(crate) fn session(
        &mut self,
        client_id: &str,
        connection: ConnectionId,
    ) -> Option<&mut Session> {
        self.sessions
            .get_mut(client_id)
            .filter(|session| session.is_of(connection))
    }

    /// The connection is over; its session ends with it, or after `expiry` seconds without its
    /// client.
    pub(crate) fn detach(
        &mut self,
        client_id: &Arc<str>,
        attached: Attached,
        expiry: u32,
        now: Instant,
    ) -> DetachOutcome {
        self.memory.forget(attached.connection);
        let Some(session) = self
            .sessions
            .get_mut(client_id)
            .filter(|session| session.id == attached.session)
        else {
            return DetachOutcome::Ended;
        };
        if !session.is_of(attached.connection) {
            return DetachOutcome::TakenOver;
        }
        if expiry == 0 {
            self.end_session(client_id, LossReason::SessionEnded, now);
            return DetachOutcome::Ended;
        }
        let ends_at = (expiry != u32::MAX).then(|| now + self.settings.scaled_seconds(expiry));
        session.client_state = ClientState::Away {
            since: now,
            ends_at,
        };
        self.add_timer(client_id);
        DetachOutcome::Kept
    }

    /// The will of a session whose client has gone: published when its time comes, unless the
    /// client does first.
    pub(crate) fn delay_will(&mut self, client_id: &Arc<str>, will: DelayedWill) {
        self.remove_timer(client_id);
        if let Some(session) = self.sessions.get_mut(client_id) {
            session.will = Some(will);
        }
        self.add_timer(client_id);
    }

    /// When [`Self::handle_timeout`] is wanted.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let due = self.due.first().map(|(at, _)| *at);
        let unfinished = self.unfinished.front().map(|unfinished| unfinished.since);
        [due, unfinished, self.losses.report_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Publishes the wills whose time has come, and ends the sessions that have waited long enough.
    /// [MQTT-4.1.0-2]
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some((at, client_id)) = self.due.first().cloned().filter(|(at, _)| *at <= now) {
            self.due.remove(&(at, Arc::clone(&client_id)));
            let Some(session) = self.sessions.get_mut(&client_id) else {
                continue;
            };
            let is_over = matches!(session.client_state, ClientState::Away { ends_at: Some(ends_at), .. } if ends_at <= now);
            if is_over {
                self.end_session(&client_id, LossReason::SessionEnded, now);
                continue;
            }
            if let Some(will) = session.will.take_if(|will| will.at <= now) {
                events.push(self.publish_will(&client_id, will, now));
            }
            self.add_timer(&client_id);
        }
        while let Some(unfinished) = self.unfinished.pop_front() {
            events.extend(self.finish(unfinished, now));
        }
        if self.losses.report_at().is_some_and(|at| at <= now) {
            events.extend(self.losses.report());
        }
        events
    }

    /// The losses that weren't told yet.
    pub(crate) fn report_losses(&mut self) -> Vec<Event> {
        self.losses.report()
    }

    /// Whoever waits for [`Self::poll_timeout`] is told by it when it changes.
    pub(crate) fn timer_changed(&self) -> Arc<Notify> {
        Arc::clone(&self.timer_changed)
    }

    /// A weight for a message that is to be kept.
    pub(crate) fn memory_counter(&self) -> MemoryCounter {
        self.memory.counter()
    }

    /// Ends a session: its subscriptions, its will, and the messages that its client hasn't
    /// acknowledged.
    fn end_session(&mut self, client_id: &Arc<str>, reason: LossReason, now: Instant) {
        self.remove_timer(client_id);
        let Some(mut session) = self.sessions.remove(client_id) else {
            return;
        };
        self.remove_subscriptions(client_id, &session);
        session.wake();
        let leave = |what| Unfinished {
            client_id: Arc::clone(client_id),
            since: now,
            reason,
            what,
        };
        // The will that waited for the end of the session. [MQTT-3.1.2-8]
        self.unfinished.extend(
            session
                .will
                .take()
                .map(|will| leave(UnfinishedKind::Will(will))),
        );
        // A message of QoS 0 is no loss: its sender was promised nothing.
        let messages = session
            .outgoing
            .into_unacknowledged()
            .filter(|(queued, _)| queued.qos > QoS::AtMostOnce);
        self.unfinished.extend(
            messages.map(|(queued, is_sent)| leave(UnfinishedKind::Message { queued, is_sent })),
        );
        if !self.unfinished.is_empty() {
            self.timer_changed.notify_one();
        }
    }

    /// Publishes a will, or finds another taker for a message, or counts it as lost.
    fn finish(&mut self, unfinished: Unfinished, now: Instant) -> Option<Event> {
        let Unfinished {
            client_id,
            reason,
            what,
            ..
        } = unfinished;
        let (queued, is_sent) = match what {
            UnfinishedKind::Will(will) => return Some(self.publish_will(&client_id, will, now)),
            UnfinishedKind::Message { queued, is_sent } => (queued, is_sent),
        };
        // Another client of the shared subscription gets the message, but for one of QoS 2 that was
        // sent already: its client may have it (§4.8.2). [MQTT-4.8.2-5]
        let may_move = queued.qos == QoS::AtLeastOnce || !is_sent;
        let share = queued.share.as_ref().filter(|_| may_move);
        // Nobody's session ends for a message of another's.
        let (message, max_bytes) = (&queued.message, self.memory.queue_limit());
        let has_taker = |share: &&Arc<str>| {
            self.next_share_member(share, message, &HashMap::new(), max_bytes)
                .is_some()
        };
        let share = share.filter(has_taker);
        if !share.is_some_and(|share| self.queue_for_share(share, message, max_bytes, now)) {
            let topic = queued.message.topic().into();
            self.count_loss(&client_id, topic, reason, now);
        }
        None
    }

    /// Counts a message that a client won't get, for the log.
    fn count_loss(
        &mut self,
        client_id: &Arc<str>,
        topic: Arc<str>,
        reason: LossReason,
        now: Instant,
    ) {
        if self.losses.add(client_id, topic, reason, now) {
            self.timer_changed.notify_one();
        }
    }

    /// Ends the session of a client for what the sandbox holds for it; a connection is told by
    /// DISCONNECT 0x97.
    fn evict(
        &mut self,
        client_id: &Arc<str>,
        eviction: Eviction,
        reason: LossReason,
        now: Instant,
    ) {
        let connection = self.sessions.get(client_id).and_then(Session::connection);
        if let Some(connection) = connection {
            self.memory.evict(connection, eviction);
        }
        self.end_session(client_id, reason, now);
    }

    fn publish_will(&mut self, client_id: &Arc<str>, will: DelayedWill, now: Instant) -> Event {
        let topic = will.message.topic();
        let outcome = match self.publish(&will.message, now) {
            Ok(receivers) => Outcome::Allowed((receivers, will.decision)),
            Err(full) => Outcome::Refused {
                reason_code: None,
                reason: full.to_string(),
                decision: None,
            },
        };
        Event::Publish {
            is_will: true,
            client_id: client_id.to_string(),
            topic,
            outcome,
        }
    }

    /// Too many sessions: the one whose client has been away for longest is given up.
    fn limit_sessions(&mut self, now: Instant) {
        if self.sessions.len() < self.settings.max_sessions() {
            return;
        }
        let away =
            self.sessions
                .iter()
                .filter_map(|(client_id, session)| match session.client_state {
                    ClientState::Away { since, .. } => Some((since, client_id)),
                    ClientState::Attached { .. } => None,
                });
        if let Some(client_id) = away.min().map(|(_, client_id)| Arc::clone(client_id)) {
            self.end_session(&client_id, LossReason::TooManySessions, now);
        }
    }

    fn add_timer(&mut self, client_id: &Arc<str>) {
        if let Some(at) = self.sessions.get(client_id).and_then(Session::due) {
            self.due.insert((at, Arc::clone(client_id)));
            self.timer_changed.notify_one();
        }
    }

    fn remove_timer(&mut self, client_id: &Arc<str>) {
        if let Some(at) = self.sessions.get(client_id).and_then(Session::due) {
            self.due.remove(&(at, Arc::clone(client_id)));
        }
    }

    const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// The longest that is waited for a deadline that may never come.
pub(crate) const NO_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);
