//! `Recorder`: what a store needs to know of the session.

use super::clock_reading::ClockReading;
use super::core::Core;
use super::persistence::change::Change;

/// Recorder of what changes in the session, for a store. Returned by
/// [`Engine::recorder`](super::Engine::recorder).
#[derive(Debug)]
pub struct Recorder<'a>(pub(super) &'a mut Core);

impl Recorder<'_> {
    /// Starts to record changes of the session, if they aren't yet, and marks all of it as changed:
    /// for a store that has nothing so far. Output has to be [staged](Self::stage) from now on
    /// before it is written.
    pub fn start(&mut self) {
        let session = &mut self.0.session;
        if !session.is_recording() {
            session.record_changes();
            session.mark_all_dirty();
        }
    }

    /// Stops to record changes: the store keeps what it has.
    pub fn stop(&mut self) {
        self.0.session.stop_recording();
    }

    /// Stages all of the output, with a store ([`start`](Self::start)):
    /// [`poll_transmit`](super::Engine::poll_transmit) returns it next. Its requests count as sent in the
    /// changes that are taken from now on; once those are stored, it may be written. If the
    /// connection ends before, they were never sent.
    ///
    /// Returns whether anything was staged: nothing is without a store, or before the output that
    /// was staged before is taken.
    pub fn stage(&mut self) -> bool {
        let core = &mut *self.0;
        if !core.session.is_recording() {
            return false;
        }
        // Looked up before staging: afterwards they are no longer unstaged.
        let unstaged = core.output.unstaged_new_requests();
        if !core.output.stage() {
            return false;
        }
        // The store has these requests as not sent.
        for id in unstaged {
            core.session.outbound.operations.mark_dirty(id.key());
        }
        true
    }

    /// Takes the changes since they were last taken, to be stored all or none.
    /// [`poll_transmit`](super::Engine::poll_transmit) isn't to be called before those are stored that were
    /// there when its output was [staged](Self::stage): otherwise the store lacks what the server
    /// knows of.
    ///
    /// `clock` is read now: the rest of expiry intervals is stored with it.
    pub fn take_changes(&mut self, clock: ClockReading) -> Vec<Change> {
        let unstaged = self.0.output.unstaged_new_requests();
        self.0.session.take_changes(&unstaged, clock)
    }

    /// Changes records of the application, which are stored beside the session: the changes come
    /// with the next ones of [`take_changes`](Self::take_changes). Without a store they are
    /// dropped.
    pub fn write_records(&mut self, records: Vec<Change>) {
        if self.0.session.is_recording() {
            self.0.session.records.add(records);
        }
    }
}
