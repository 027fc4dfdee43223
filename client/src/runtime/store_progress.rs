//! Progress of the store: which changes of the session are persisted, and which output depends on
//! them.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;

use crate::engine::{Change, Engine};
use crate::error::StopCause;
use crate::runtime::clock::{self, now};
use crate::runtime::deadline_timer::DeadlineTimer;
use crate::runtime::wakers::{move_wakers, register};

/// Time after which changes that nothing depends on are persisted, if no other change comes before.
const DEFER: Duration = Duration::from_millis(100);

/// Progress of the task that writes a session's changes to its store.
///
/// Changes are taken out of the engine in batches, which are numbered from 1; output that depends
/// on a batch leaves the engine once the batch is persisted.
#[derive(Debug, Default)]
pub(crate) struct StoreProgress {
    /// Number of batches that were taken out of the engine, and that were persisted.
    taken: u64,
    persisted: u64,
    /// Batch that the staged output depends on.
    staged_depends_on: u64,
    /// Time since which there are changes that can wait, and no others.
    deferred_since: Option<Instant>,
    phase: StorePhase,
    /// Error of the store; nothing is persisted after it.
    fault: Option<(io::ErrorKind, Arc<str>)>,
    /// Waker of the store task.
    task: Option<Waker>,
    /// Tasks that wait until changes are persisted.
    waiting: Vec<Waker>,
}

/// Phase of the store task.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum StorePhase {
    #[default]
    Running,
    /// The changes that there are by now are the last.
    LastBatch,
    /// The last changes were taken.
    Ended,
}

impl StoreProgress {
    /// Number of the batch that has, or will have, all changes so far.
    pub(crate) fn current_batch(&self, engine: &Engine) -> u64 {
        self.taken + u64::from(engine.has_changes())
    }

    /// True if a batch is persisted.
    pub(crate) const fn is_persisted(&self, batch: u64) -> bool {
        !self.has_failed() && batch <= self.persisted
    }

    /// True if the store has failed.
    pub(crate) const fn has_failed(&self) -> bool {
        self.fault.is_some()
    }

    /// Error of the store, as the cause of the client's stop.
    pub(crate) fn fault(&self) -> Option<StopCause> {
        self.fault
            .clone()
            .map(|(kind, fault)| StopCause::Store { kind, fault })
    }

    /// Moves output that depends on nothing unpersisted into `output`.
    pub(crate) fn transmit(&mut self, engine: &mut Engine, output: &mut BytesMut, now: Instant) {
        self.stage(engine);
        if self.is_persisted(self.staged_depends_on) && engine.poll_transmit(output, now) {
            // Output that has gathered meanwhile counts as sent in the next batch. Staged later, it
            // would be written as new first, and once more as sent.
            self.stage(engine);
        }
    }

    fn stage(&mut self, engine: &mut Engine) {
        // Output depends on the next batch only if a change in it must be on disk before the output
        // leaves.
        if engine.recorder().stage() {
            let has_needed_changes = engine.has_changes() && !engine.changes_can_wait();
            self.staged_depends_on = self.taken + u64::from(has_needed_changes);
        }
    }

    /// Wakes the store task if there is something for it to do.
    pub(crate) fn wake_task(&mut self, engine: &Engine, wakers: &mut Vec<Waker>) {
        // Changes that can wait don't wake the task, unless somebody waits for them to be
        // persisted.
        let is_deferred =
            self.deferred_since.is_some() && self.waiting.is_empty() && engine.changes_can_wait();
        if self.phase != StorePhase::Running || engine.has_changes() && !is_deferred {
            wakers.extend(self.task.take());
        }
    }

    /// Makes the next batch the last one.
    pub(crate) const fn end(&mut self) {
        self.phase = StorePhase::LastBatch;
    }

    /// Gives up the changes that weren't taken so far, and wakes the tasks that wait for them.
    pub(crate) fn abandon_changes(&mut self, engine: &Engine, wakers: &mut Vec<Waker>) {
        // Counted as taken and never as persisted, so whoever waits for them learns that the client
        // has stopped.
        self.taken = self.current_batch(engine);
        move_wakers(&mut self.waiting, wakers);
    }

    /// Records that a batch was persisted, and wakes the tasks that waited for it.
    pub(crate) fn handle_persisted(&mut self, wakers: &mut Vec<Waker>) {
        self.persisted += 1;
        move_wakers(&mut self.waiting, wakers);
    }

    /// Records that the store has failed: nothing leaves the engine any more.
    pub(crate) fn handle_failed(&mut self, error: &io::Error) {
        self.fault = Some((error.kind(), error.to_string().into()));
    }

    /// Registers a task that waits until changes are persisted.
    pub(crate) fn register(&mut self, cx: &Context<'_>) {
        register(&mut self.waiting, cx);
    }

    /// Polls for the next batch: ready as soon as there are changes that can't wait, or others have
    /// waited for 100 ms; `None` after the last batch.
    pub(crate) fn poll_changes(
        &mut self,
        engine: &mut Engine,
        timer: &mut DeadlineTimer,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Vec<Change>>> {
        // `LastBatch` is used up here: the changes that exist now are the last ones.
        let phase = self.phase;
        if phase == StorePhase::LastBatch {
            self.phase = StorePhase::Ended;
        }
        if phase != StorePhase::Ended && engine.has_changes() {
            // Changes that nothing depends on wait for others, so that they cost no commit.
            let can_wait = phase == StorePhase::Running && self.waiting.is_empty();
            if can_wait && engine.changes_can_wait() {
                let due = *self.deferred_since.get_or_insert_with(now) + DEFER;
                if !timer.poll(cx, Some(due)) {
                    self.task = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
            self.deferred_since = None;
            self.taken += 1;
            return Poll::Ready(Some(engine.recorder().take_changes(clock::read())));
        }
        if phase != StorePhase::Running {
            return Poll::Ready(None);
        }
        self.task = Some(cx.waker().clone());
        Poll::Pending
    }
}
