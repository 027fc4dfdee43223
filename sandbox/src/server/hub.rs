//! State that all connections share: sessions, subscriptions and retained messages.

mod clients;
mod direct_messages;
mod losses;
mod memory;
mod routing;
mod sessions;
mod shares;
mod subscriptions;
mod unfinished;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dunlin_codec::TopicMatcher;
use tokio::sync::Notify;

use crate::event::Event;
use crate::server::charge::MemoryCounter;
use crate::server::hub::clients::Clients;
use crate::server::hub::losses::{LossReason, Losses};
use crate::server::hub::memory::MemoryBudget;
use crate::server::hub::subscriptions::{EndedSubscriptions, Subscribers};
use crate::server::hub::unfinished::Unfinished;
use crate::server::retained::{Retained, RetainedMessage};
use crate::server::session::{ConnectionId, Session};
use crate::server::settings::Settings;
use crate::server::timestamp::Timestamp;

pub(crate) use clients::{ClientRecord, ConnectionFacts, ConnectionStatus};
pub(crate) use memory::Eviction;
pub(crate) use sessions::{Attached, DetachOutcome};

/// Shared state of the server. The owner of the sockets keeps it behind one lock.
#[derive(Debug)]
pub(crate) struct Hub {
    settings: Arc<Settings>,
    sessions: HashMap<Arc<str>, Session>,
    /// Filters of all subscriptions, each once.
    index: TopicMatcher<Arc<str>>,
    /// Clients that subscribed with each filter of the index.
    subscribers: HashMap<Arc<str>, Subscribers>,
    /// Number of subscriptions of all sessions, with [`Self::ended_subscriptions`].
    subscription_count: usize,
    retained: Retained,
    /// Next time of each session whose client is away and that ends or has a will.
    due: BTreeSet<(Instant, Arc<str>)>,
    /// CONNECTs within the connect interval of the profile; empty if it has none.
    connects: VecDeque<(Instant, Arc<str>)>,
    memory: MemoryBudget,
    clients: Clients,
    losses: Losses,
    /// Wills and messages of sessions that have ended, in that order.
    unfinished: VecDeque<Unfinished>,
    /// Subscriptions of sessions that have ended, which are still in the index.
    ended_subscriptions: VecDeque<EndedSubscriptions>,
    /// Bytes of the filters of all sessions.
    filter_bytes: usize,
    last_id: u64,
    /// Notified when [`Self::poll_timeout`] may be sooner than before.
    timer_changed: Arc<Notify>,
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
            clients: Clients::default(),
            losses: Losses::default(),
            unfinished: VecDeque::new(),
            ended_subscriptions: VecDeque::new(),
            filter_bytes: 0,
            last_id: 0,
            timer_changed: Arc::default(),
        }
    }

    /// `true` if there is a session to resume: not one that ends with its connection. [MQTT-3.2.2-3]
    pub(crate) fn has_session(&self, client_id: &str) -> bool {
        self.sessions
            .get(client_id)
            .is_some_and(|session| !session.ends_with_connection())
    }

    /// `true` if the client id connects again sooner than the profile allows; otherwise this CONNECT
    /// is counted.
    pub(crate) fn connects_too_fast(&mut self, client_id: &Arc<str>, now: Instant) -> bool {
        let Some(interval) = self.settings.rules().connect_interval else {
            return false;
        };
        let interval = self.settings.scaled(interval);
        // CONNECTs outside the interval are forgotten, and so are the oldest beyond the number of
        // connections, which bounds the memory.
        while self
            .connects
            .front()
            .is_some_and(|(at, _)| *at + interval <= now)
            || self.connects.len() > self.settings.max_connections
        {
            self.connects.pop_front();
        }
        let connects_too_fast = self.connects.iter().any(|(_, id)| id == client_id);
        // A refused CONNECT doesn't start the interval again, so a client that retries gets in.
        if !connects_too_fast {
            self.connects.push_back((now, Arc::clone(client_id)));
        }
        connects_too_fast
    }

    /// Session of a connection; `None` once it has ended or another connection has it.
    pub(crate) fn session(
        &mut self,
        client_id: &str,
        connection: ConnectionId,
    ) -> Option<&mut Session> {
        self.sessions
            .get_mut(client_id)
            .filter(|session| session.is_of(connection))
    }

    /// Log lines of losses since the last report.
    pub(crate) fn report_losses(&mut self) -> Vec<Event> {
        self.losses.report()
    }

    /// Notification that [`Self::poll_timeout`] may be sooner than before.
    pub(crate) fn timer_changed(&self) -> Arc<Notify> {
        Arc::clone(&self.timer_changed)
    }

    /// Retained message of a topic; `None` if there is none.
    pub(crate) fn retained_message(&self, topic: &str, now: Timestamp) -> Option<RetainedMessage> {
        self.retained.get(topic, now)
    }

    /// Page of retained messages, see [`Retained::after`].
    pub(crate) fn retained_after(
        &self,
        after: &str,
        most: usize,
        now: Timestamp,
    ) -> (Vec<RetainedMessage>, bool) {
        self.retained.after(after, most, now)
    }

    /// Counter for the memory of messages.
    pub(crate) fn memory_counter(&self) -> MemoryCounter {
        self.memory.counter()
    }

    /// Counts a message that a client won't get, for the log.
    fn count_loss(
        &mut self,
        client_id: &Arc<str>,
        topic: Arc<str>,
        reason: LossReason,
        now: Instant,
    ) {
        // The first loss since a report sets the time of the next one.
        if self.losses.add(client_id, topic, reason, now) {
            self.timer_changed.notify_one();
        }
    }

    const fn next_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }
}

/// Longest sleep of a timer without a deadline.
pub(crate) const NO_DEADLINE: Duration = Duration::from_secs(24 * 60 * 60);
