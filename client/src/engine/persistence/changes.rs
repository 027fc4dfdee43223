//! What outlives the process of a session: its changes, to be written down before the output that
//! follows from them is, and the session that can be made of them again.
//!
//! Kept are messages of QoS 1 and 2 and UNSUBSCRIBE that weren't answered, with their packet
//! identifiers, received messages of QoS 2 that were taken and not released, subscriptions, and
//! what a CONNECT hangs on. The rest ends with its process: messages of QoS 0, and SUBSCRIBE that
//! wasn't answered, whose streams have ended with it.

use std::collections::BTreeSet;

use dunlin_codec::ReasonCode;

use crate::engine::Engine;
use crate::engine::clock::ClockReading;
use crate::engine::outbound::operation::OperationId;
use crate::engine::outbound::operations::Noted;
pub(in crate::engine) use crate::engine::persistence::application_records::Records;
pub(crate) use crate::engine::persistence::application_records::application_records;
pub(in crate::engine) use crate::engine::persistence::record::About;
use crate::engine::persistence::record::{self, Key, Request};
use crate::engine::session::Session;

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
#[non_exhaustive]
#[error("what the store has is no session: {fault}")]
pub struct RestoreError {
    /// What is wrong.
    pub fault: &'static str,
}

impl Engine {
    /// From now on changes of the session are noted, if they aren't yet, and all of it counts as
    /// changed: for a store that has nothing so far. And nothing leaves any more before it was
    /// [staged](Self::stage).
    pub fn keep_journal(&mut self) {
        if !self.keeps_journal() {
            self.session.note_changes();
            self.session.note_all();
        }
    }

    /// Changes aren't noted any more: what is kept stays as it is.
    pub fn close_journal(&mut self) {
        let Session {
            operations,
            inbound,
            subscriptions,
            about,
            ..
        } = &mut self.session;
        (operations.noted, inbound.noted, subscriptions.noted) = (None, None, None);
        *about = None;
        self.session.records.clear();
    }

    /// Whether changes of the session are noted.
    pub(in crate::engine) const fn keeps_journal(&self) -> bool {
        self.session.about.is_some()
    }

    /// Whether anything has changed since the changes were last taken.
    #[must_use]
    pub fn has_changes(&self) -> bool {
        let Session {
            operations,
            inbound,
            subscriptions,
            ..
        } = &self.session;
        operations.noted.as_ref().is_some_and(Noted::has_any)
            || inbound
                .noted
                .as_ref()
                .is_some_and(|noted| !noted.is_empty())
            || subscriptions
                .noted
                .as_ref()
                .is_some_and(|noted| !noted.is_empty())
            || self.session.is_about_news()
            || self.session.records.has_due()
    }

    /// Whether all that has changed is that requests are over, so that nothing has to wait for it:
    /// a process that doesn't find it kept repeats a message that was acknowledged, as after a
    /// lost acknowledgement. To be kept within a moment all the same, or with the next change:
    /// that saves a commit for most messages.
    #[must_use]
    pub fn changes_can_wait(&self) -> bool {
        let Session {
            operations,
            inbound,
            subscriptions,
            ..
        } = &self.session;
        operations.noted.as_ref().is_none_or(Noted::has_only_ended)
            && inbound.noted.as_ref().is_none_or(BTreeSet::is_empty)
            && subscriptions.noted.as_ref().is_none_or(BTreeSet::is_empty)
            && !self.session.is_about_news()
            && !self.session.records.has_due()
    }

    /// The changes since they were last taken, to be kept all or none.
    /// [`poll_transmit`](Self::poll_transmit) isn't to be asked before those are kept that were
    /// there when its output was [staged](Self::stage): only so nothing is forgotten
    /// that the server knows of.
    ///
    /// `clock` is read now: what is left of the time of messages that expire is kept with it.
    pub fn take_changes(&mut self, clock: ClockReading) -> Vec<Change> {
        let mut changes = Vec::new();
        self.session.about_changes(&mut changes);
        let unstaged = self.unstaged();
        self.session.request_changes(&unstaged, clock, &mut changes);
        for packet_id in self
            .session
            .inbound
            .noted
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
        {
            let record = self.session.inbound.record(packet_id);
            let value = record.map(|answer| answer.into_iter().map(ReasonCode::code).collect());
            changes.push(Key::Received(packet_id).change(value));
        }
        for filter in self
            .session
            .subscriptions
            .noted
            .as_mut()
            .map(std::mem::take)
            .unwrap_or_default()
        {
            let value = self.session.subscriptions.record(&filter);
            changes.push(Key::Subscription(&filter).change(value));
        }
        changes.append(&mut self.session.records.take_due());
        changes
    }
}

impl Session {
    /// The session whose changes were kept, out of all keys and values that there are now, in any
    /// order. `clock` is read now, as in [`Engine::take_changes`]. `None` if nothing was ever
    /// kept.
    ///
    /// Nobody waits for the outcomes of its requests. Messages that the application hadn't taken
    /// come again. Its changes are noted from here on, against what is kept.
    ///
    /// # Errors
    /// It is no session.
    pub fn restore(
        kept: impl IntoIterator<Item = (Vec<u8>, Vec<u8>)>,
        clock: ClockReading,
    ) -> Result<Option<Self>, RestoreError> {
        record::restore(kept, clock)
    }

    /// Restored messages with a Message Expiry Interval for which the time between the processes
    /// can't be known, because the calendar was set. They keep the time that was left when they
    /// were stored, less that since the machine started.
    #[must_use]
    pub const fn unmeasured_expiries(&self) -> usize {
        self.unmeasured_expiries
    }

    fn about_changes(&mut self, changes: &mut Vec<Change>) {
        if self.is_about_news() {
            let about = About::of(self);
            changes.push(Key::About.change(Some(about.encode())));
            self.about = Some(Some(about));
        }
    }

    fn is_about_news(&self) -> bool {
        self.about
            .as_ref()
            .is_some_and(|kept| kept.as_ref().is_none_or(|kept| !kept.is_of(self)))
    }

    /// Its changes are noted from now on.
    pub(in crate::engine) fn note_changes(&mut self) {
        self.operations.noted = Some(Noted::default());
        self.inbound.noted = Some(BTreeSet::new());
        self.subscriptions.noted = Some(BTreeSet::new());
        self.about = Some(None);
    }

    /// All of it counts as changed.
    fn note_all(&mut self) {
        self.operations.note_all();
        self.inbound.note_all();
        self.subscriptions.note_all();
    }

    fn request_changes(
        &mut self,
        unstaged: &BTreeSet<OperationId>,
        clock: ClockReading,
        changes: &mut Vec<Change>,
    ) {
        let (changed, ended) = self.operations.take_noted();
        for number in ended {
            changes.extend([
                Key::Request(number).change(None),
                Key::Packet(number).change(None),
            ]);
        }
        for id in changed {
            self.request_change(id, unstaged.contains(&id), clock, changes);
        }
    }

    fn request_change(
        &mut self,
        id: OperationId,
        is_unstaged: bool,
        clock: ClockReading,
        changes: &mut Vec<Change>,
    ) {
        let number = id.generation();
        let was_kept = self.operations.is_now_kept(id);
        let Some(operation) = self.operations.get_by(id) else {
            return;
        };
        changes.push(
            Key::Request(number).change(Some(Request::of(operation, is_unstaged, clock).encode())),
        );
        match &operation.packet {
            packet if packet.is_empty() => changes.push(Key::Packet(number).change(None)),
            packet if !was_kept => changes.push(Key::Packet(number).change(Some(packet.clone()))),
            _ => {}
        }
    }
}
