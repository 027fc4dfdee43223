//! Tasks of the hub that wait for a time, and the wills and messages of sessions that ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::QoS;

use crate::event::{Event, Outcome};
use crate::server::hub::Hub;
use crate::server::hub::losses::LossReason;
use crate::server::limits::WORK_PER_TURN;
use crate::server::outgoing::Queued;
use crate::server::session::{DelayedWill, Session};

/// A will or a message of a session that has ended.
#[derive(Debug)]
pub(super) struct Unfinished {
    pub(super) client_id: Arc<str>,
    /// Time at which the session ended.
    pub(super) since: Instant,
    /// Reason for the log, should the message be lost.
    pub(super) reason: LossReason,
    pub(super) what: UnfinishedKind,
}

#[derive(Debug)]
pub(super) enum UnfinishedKind {
    /// A delayed will, which is published now.
    Will(DelayedWill),
    /// A message of QoS 1 or 2 that the client hasn't acknowledged.
    Message { queued: Queued, is_sent: bool },
}

impl Hub {
    /// Keeps a will that is published at its time, unless the client is back before.
    pub(crate) fn delay_will(&mut self, client_id: &Arc<str>, will: DelayedWill) {
        // The timer is keyed by its time, which the will may change: out before, in after.
        self.remove_timer(client_id);
        if let Some(session) = self.sessions.get_mut(client_id) {
            session.will = Some(will);
        }
        self.add_timer(client_id);
    }

    /// Time of the next call of [`Self::handle_timeout`]; `None` for no deadline.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let due = self.due.first().map(|(at, _)| *at);
        let unfinished = self.unfinished.front().map(|unfinished| unfinished.since);
        let ended = self.ended_subscriptions.front().map(|ended| ended.since);
        [due, unfinished, ended, self.losses.report_at()]
            .into_iter()
            .flatten()
            .min()
    }

    /// Publishes the wills whose time has come, and ends the sessions that have waited long enough.
    /// [MQTT-4.1.0-2]
    ///
    /// One call does a bounded portion of it, so that no connection waits long for the hub. If more
    /// is left, [`Self::poll_timeout`] isn't later than `now`.
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Vec<Event> {
        let mut events = Vec::new();
        let mut work = 0;

        // Sessions whose clients are away: their end, or the time of their will.
        while work < WORK_PER_TURN
            && let Some((at, client_id)) = self.due.first().cloned().filter(|(at, _)| *at <= now)
        {
            work += 1;
            self.due.remove(&(at, Arc::clone(&client_id)));
            let Some(session) = self.sessions.get_mut(&client_id) else {
                continue;
            };
            // The end of the session publishes a will that still waits: see end_session.
            if session.has_expired(now) {
                self.end_session(&client_id, LossReason::SessionEnded, now);
                continue;
            }
            if let Some(will) = session.will.take_if(|will| will.at <= now) {
                events.push(self.publish_will(&client_id, will, now));
            }
            self.add_timer(&client_id);
        }

        // Wills and messages of sessions that have ended. Publishing a will may end further
        // sessions, whose wills and messages join this queue.
        while work < WORK_PER_TURN
            && let Some(unfinished) = self.unfinished.pop_front()
        {
            work += 1;
            events.extend(self.finish(unfinished, now));
        }
        self.remove_ended_subscriptions(WORK_PER_TURN.saturating_sub(work));

        if self.losses.report_at().is_some_and(|at| at <= now) {
            events.extend(self.losses.report());
        }
        events
    }

    /// Publishes the will of a session that has ended, hands its message to another client of the
    /// shared subscription, or counts it as lost.
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
        // Only to a client that has space: no session ends for a message of another's.
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

    /// Notes the next time at which a session has something to do.
    pub(super) fn add_timer(&mut self, client_id: &Arc<str>) {
        if let Some(at) = self.sessions.get(client_id).and_then(Session::due) {
            self.due.insert((at, Arc::clone(client_id)));
            self.timer_changed.notify_one();
        }
    }

    pub(super) fn remove_timer(&mut self, client_id: &Arc<str>) {
        if let Some(at) = self.sessions.get(client_id).and_then(Session::due) {
            self.due.remove(&(at, Arc::clone(client_id)));
        }
    }
}
