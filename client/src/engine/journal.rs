//! What outlives the process of a session: its changes, to be written down before the output that follows from them is,
//! and the session that can be made of them again.
//!
//! Kept are messages of QoS 1 and 2 with their packet identifiers, received messages of QoS 2 that were taken and not
//! released, subscriptions, and what a CONNECT hangs on. The rest ends with its process: messages of QoS 0, and SUBSCRIBE and
//! UNSUBSCRIBE that weren't answered.

mod record;

use std::collections::BTreeSet;
use std::time::{Instant, SystemTime};

use dunlin_codec::ReasonCode;

pub(super) use self::record::About;
use self::record::{Clock, Key, Message};
use super::operation::OperationId;
use super::session::Session;
use super::{Engine, State};

/// A change to what is kept: keys and values are bytes that mean something to the engine alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// There is this value under this key now, whether or not there was another.
    Put {
        /// At most 65,536 bytes.
        key: Vec<u8>,
        /// At most as long as the largest packet.
        value: Vec<u8>,
    },
    /// There is nothing under this key any more; perhaps there wasn't before.
    Remove {
        /// As of `Put`.
        key: Vec<u8>,
    },
}

/// What is kept isn't a session: something else wrote or cut it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what the store has is no session: {fault}")]
pub struct RestoreError {
    /// What is wrong.
    pub fault: &'static str,
}

impl Engine {
    /// From now on changes of the session are noted. All of it counts as changed.
    pub fn keep_journal(&mut self) {
        self.session.operations.keep_journal();
        self.session.inbound.keep_journal();
        self.session.subscriptions.keep_journal();
        self.session.about = Some(None);
    }

    /// Changes aren't noted any more: what is kept stays as it is.
    pub fn close_journal(&mut self) {
        let Session { operations, inbound, subscriptions, about, .. } = &mut self.session;
        (operations.noted, inbound.noted, subscriptions.noted) = (None, None, None);
        *about = None;
    }

    /// Whether anything has changed since the changes were last taken.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        let Session { operations, inbound, subscriptions, .. } = &self.session;
        operations.noted.as_ref().is_some_and(|noted| !noted.is_empty())
            || inbound.noted.as_ref().is_some_and(|noted| !noted.is_empty())
            || subscriptions.noted.as_ref().is_some_and(|noted| !noted.is_empty())
            || self.session.is_about_news()
    }

    /// What has left the output now was as new until then: that has to be known before it is written.
    pub(super) fn note_transmitted(&mut self) {
        if self.session.operations.noted.is_some() {
            self.unsent().into_iter().for_each(|id| self.session.operations.note(id.key()));
        }
    }

    /// What is in the output for the first time.
    fn unsent(&self) -> BTreeSet<OperationId> {
        let sent = match &self.state {
            State::Open(connection) => connection.unsent(),
            State::Closing { unsent, .. } => unsent,
            State::Connecting { .. } | State::Disconnected => return BTreeSet::new(),
        };
        sent.iter().filter(|each| !each.repeated).map(|each| each.id).collect()
    }

    /// The changes since they were last taken, to be kept all or none. What [`poll_transmit`](Self::poll_transmit) has
    /// given isn't to be written before those are kept that were there by then: only so nothing is forgotten that the
    /// server knows of.
    ///
    /// `now` and `date` are the same moment, by the clock that the engine goes by and by the calendar: messages that
    /// expire do so by the calendar.
    pub fn take_changes(&mut self, now: Instant, date: SystemTime) -> Vec<Change> {
        let clock = Clock { now, date };
        let mut changes = Vec::new();
        self.session.about_changes(&mut changes);
        let unsent = self.unsent();
        self.session.message_changes(&unsent, clock, &mut changes);
        for packet_id in self.session.inbound.noted.as_mut().map(std::mem::take).unwrap_or_default() {
            let record = self.session.inbound.record(packet_id);
            let value = record.map(|answer| answer.into_iter().map(ReasonCode::code).collect());
            changes.push(Key::Received(packet_id).change(value));
        }
        for filter in self.session.subscriptions.noted.as_mut().map(std::mem::take).unwrap_or_default() {
            let value = self.session.subscriptions.record(&filter);
            changes.push(Key::Subscription(&filter).change(value));
        }
        changes
    }
}

impl Session {
    /// The session whose changes were kept, out of all keys and values that there are now, in any order. `now` and `date`
    /// as in [`Engine::take_changes`]. `None` if nothing was ever kept.
    ///
    /// Nobody waits for the outcomes of its requests. Messages that the application hadn't taken come again.
    ///
    /// # Errors
    /// It is no session.
    pub fn restore(
        kept: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
        now: Instant,
        date: SystemTime,
    ) -> Result<Option<Self>, RestoreError> {
        record::restore(kept, Clock { now, date })
    }

    fn about_changes(&mut self, changes: &mut Vec<Change>) {
        if self.is_about_news() {
            let about = About::of(self);
            changes.push(Key::About.change(Some(about.encode())));
            self.about = Some(Some(about));
        }
    }

    fn is_about_news(&self) -> bool {
        self.about.as_ref().is_some_and(|kept| kept.as_ref().is_none_or(|kept| !kept.is_of(self)))
    }

    fn message_changes(&mut self, unsent: &BTreeSet<OperationId>, clock: Clock, changes: &mut Vec<Change>) {
        for id in self.operations.noted.as_mut().map(std::mem::take).unwrap_or_default() {
            self.operations.forget_note(id);
            self.message_change(id, unsent.contains(&id), clock, changes);
        }
    }

    fn message_change(&mut self, id: OperationId, is_unsent: bool, clock: Clock, changes: &mut Vec<Change>) {
        let number = id.generation();
        let message =
            self.operations.get_by(id).and_then(|operation| Message::of(operation, is_unsent, clock));
        let Some(message) = message else {
            changes.extend([Key::Message(number).change(None), Key::Packet(number).change(None)]);
            return;
        };
        changes.push(Key::Message(number).change(Some(message.encode())));
        let is_news = self.operations.is_packet_news(id);
        let packet = self.operations.get_by(id).map(|operation| &operation.packet);
        match packet.filter(|packet| !packet.is_empty()) {
            Some(packet) if is_news => changes.push(Key::Packet(number).change(Some(packet.clone()))),
            Some(_) => {}
            // It isn't needed any more.
            None => changes.push(Key::Packet(number).change(None)),
        }
    }
}
