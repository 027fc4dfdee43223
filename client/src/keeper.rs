//! Keeps a session as it changes: takes the changes, has them written down, and says how far that has come. Meanwhile more
//! of them gather, so a busy client's are written down many at a time.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::driver::{date, now};
use crate::engine::{Change, Engine};
use crate::error::StopCause;
use crate::shared::Shared;
use crate::state::State;
use crate::store::Store;

/// How far a session is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// How often changes were taken, and how often they were written down.
    taken: u64,
    written: u64,
    /// Nothing will change any more.
    is_over: bool,
    fault: Option<Arc<str>>,
    waker: Option<Waker>,
}

impl Kept {
    /// The number of the changes that there are by now.
    pub(crate) fn number(&self, engine: &Engine) -> u64 {
        self.taken + u64::from(engine.has_changes())
    }

    /// Whether the changes of this number are written down.
    pub(crate) const fn has(&self, number: u64) -> bool {
        self.fault.is_none() && number <= self.written
    }

    /// Why nothing can be written down any more.
    pub(crate) fn fault(&self) -> Option<StopCause> {
        self.fault.as_ref().map(|fault| StopCause::Store { fault: Arc::clone(fault) })
    }

    /// Something has changed perhaps.
    pub(crate) fn look(&mut self, engine: &Engine, wakers: &mut Vec<Waker>) {
        if self.is_over || engine.has_changes() {
            wakers.extend(self.waker.take());
        }
    }

    /// The session is at its end here.
    pub(crate) const fn end(&mut self) {
        self.is_over = true;
    }

    /// The next changes, as soon as there are any; none at the end.
    fn poll_changes(&mut self, engine: &mut Engine, cx: &Context<'_>) -> Poll<Option<Vec<Change>>> {
        if engine.has_changes() {
            self.taken += 1;
            return Poll::Ready(Some(engine.take_changes(now(), date())));
        }
        if self.is_over {
            return Poll::Ready(None);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

/// Keeps the session until it ends, or until the store fails: that stops the client.
pub(crate) async fn keep(shared: &Shared, mut store: Box<dyn Store>) {
    loop {
        let changes = poll_fn(|cx| {
            shared.drive(|state| match &mut state.kept {
                Some(kept) => kept.poll_changes(&mut state.engine, cx),
                None => Poll::Ready(None),
            })
        });
        let Some(changes) = changes.await else { return };
        let written = tokio::task::spawn_blocking(move || {
            let result = store.apply(&changes);
            (store, result)
        });
        let result = match written.await {
            Ok((kept, result)) => {
                store = kept;
                result
            }
            // It panicked, or the runtime ends.
            Err(error) => {
                shared.drive(|state| state.is_kept(Err(io::Error::other(error))));
                return;
            }
        };
        let has_failed = result.is_err();
        shared.drive(|state| state.is_kept(result));
        if has_failed {
            return;
        }
    }
}

impl State {
    /// Changes were written down, or couldn't be: then nothing leaves any more, and the client stops.
    fn is_kept(&mut self, result: io::Result<()>) {
        let Some(kept) = &mut self.kept else { return };
        match result {
            Ok(()) => kept.written += 1,
            Err(error) => {
                kept.fault = Some(error.to_string().into());
                self.stop.get_or_insert_default().within(Duration::ZERO);
            }
        }
        self.call_driver();
        self.wake_watchers();
    }
}
