//! Keeps a session as it changes: takes the changes, has them written down, and says how far that
//! has come. Meanwhile more of them gather, so a busy client's are written down many at a time.

use std::future::poll_fn;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use dunlin_codec::Escaped;
use tracing::{debug, error};

use crate::client::{Client, ClientOptions, first_identifier};
use crate::engine::{Change, Engine, Session};
use crate::error::{RequestError, StopCause};
use crate::event::Event;
use crate::options::CleanStart;
use crate::runtime::clock;
use crate::runtime::clock::now;
use crate::runtime::deadline_timer::Alarm;
use crate::runtime::log;
use crate::runtime::router::Router;
use crate::runtime::shared::Shared;
use crate::runtime::state::{State, register};
use crate::store::{Store, StoreError};

/// How far a session is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    /// How often changes were taken, and how often they were written down.
    taken: u64,
    written: u64,
    /// The changes that what is staged in the engine hangs on.
    hangs_on: u64,
    /// Since when there are changes that can wait, and nothing else.
    can_wait_since: Option<Instant>,
    end: End,
    fault: Option<(io::ErrorKind, Arc<str>)>,
    keeper: Option<Waker>,
    /// Those who wait for changes to be written down.
    waiting: Vec<Waker>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum End {
    #[default]
    NotYet,
    /// The changes that there are by now are the last.
    Near,
    Here,
}

/// Time within which changes are kept that nothing has to wait for, if no other change comes
/// before.
const CAN_WAIT: Duration = Duration::from_millis(100);

impl Kept {
    /// The number of the changes that there are by now.
    pub(crate) fn number(&self, engine: &Engine) -> u64 {
        self.taken + u64::from(engine.has_changes())
    }

    /// Whether the changes of this number are written down.
    pub(crate) const fn has(&self, number: u64) -> bool {
        !self.has_failed() && number <= self.written
    }

    /// Whether nothing can be written down any more.
    pub(crate) const fn has_failed(&self) -> bool {
        self.fault.is_some()
    }

    /// Why nothing can be written down any more.
    pub(crate) fn fault(&self) -> Option<StopCause> {
        self.fault
            .clone()
            .map(|(kind, fault)| StopCause::Store { kind, fault })
    }

    /// Moves into `output` what depends on nothing that isn't written down yet.
    pub(crate) fn transmit(&mut self, engine: &mut Engine, output: &mut BytesMut, now: Instant) {
        self.stage(engine);
        if self.has(self.hangs_on) && engine.poll_transmit(output, now) {
            // What has gathered in the meantime counts as sent in the next commit. Staged later it
            // would be written down as new first, and once more as sent.
            self.stage(engine);
        }
    }

    fn stage(&mut self, engine: &mut Engine) {
        if engine.stage() {
            let is_needed = engine.has_changes() && !engine.changes_can_wait();
            self.hangs_on = self.taken + u64::from(is_needed);
        }
    }

    /// Something has changed perhaps.
    pub(crate) fn look(&mut self, engine: &Engine, wakers: &mut Vec<Waker>) {
        let is_known =
            self.can_wait_since.is_some() && self.waiting.is_empty() && engine.changes_can_wait();
        if self.end != End::NotYet || engine.has_changes() && !is_known {
            wakers.extend(self.keeper.take());
        }
    }

    /// The session is at its end here: what changes from now on isn't kept.
    pub(crate) const fn end(&mut self) {
        self.end = End::Near;
    }

    /// What wasn't taken so far never is.
    pub(crate) fn give_up(&mut self, engine: &Engine, wakers: &mut Vec<Waker>) {
        self.taken = self.number(engine);
        wakers.append(&mut self.waiting);
    }

    /// The next changes, as soon as there are any that can't wait, or others have waited; none at
    /// the end.
    fn poll_changes(
        &mut self,
        engine: &mut Engine,
        alarm: &mut Alarm,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Vec<Change>>> {
        let end = self.end;
        if end == End::Near {
            self.end = End::Here;
        }
        if end != End::Here && engine.has_changes() {
            if end == End::NotYet && self.waiting.is_empty() && engine.changes_can_wait() {
                let due = *self.can_wait_since.get_or_insert_with(now) + CAN_WAIT;
                if !alarm.poll(cx, Some(due)) {
                    self.keeper = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
            self.can_wait_since = None;
            self.taken += 1;
            return Poll::Ready(Some(engine.take_changes(clock::read())));
        }
        if end != End::NotYet {
            return Poll::Ready(None);
        }
        self.keeper = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Client {
    /// As [`start`](Self::start), with a session that outlives the process: it goes on with what
    /// `store` has of an earlier one, and keeps there what this one does.
    ///
    /// Messages of QoS 1 and 2 are kept a moment after they are accepted, and before they leave;
    /// [`until_kept`](Self::until_kept) waits for that. After a crash they are sent, or repeated as
    /// the standard has it, or
    /// follow [`on_session_lost`](crate::ConnectOptions::on_session_lost), and nobody but the
    /// server learns how they end. Subscriptions stay: what the server sends for them waits
    /// until they are subscribed to again, or goes to [`unmatched`](Self::unmatched); see
    /// [`unmatched_wait`](crate::ConnectOptions::unmatched_wait). The end of a subscription is kept
    /// until the server knows of it. A message of QoS 2 that a stream had given out doesn't
    /// come again once that is kept, too, a moment later. A message or UNSUBSCRIBE that failed
    /// with [`RequestError::Stopped`] may be sent by the next process.
    ///
    /// That the server has acknowledged a message is kept with the next change, or within 100 ms: a
    /// process that is killed before repeats the message, as it does when the acknowledgement
    /// itself was lost.
    ///
    /// A store belongs to one client identifier: with another one the first connection starts
    /// clean, and what was kept is treated as that of a session which the server has lost.
    ///
    /// The store is read here, before this returns.
    ///
    /// # Errors
    /// The store can't be read, or has something else.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn start_with_store(
        options: ClientOptions,
        mut store: impl Store,
    ) -> Result<Self, StoreError> {
        let kept = store.load().map_err(StoreError::Load)?;
        let mut unmeasured = 0;
        let (mut engine, identifier) = match Session::restore(kept, clock::read())? {
            Some(session) => {
                unmeasured = session.unmeasured_expiries();
                (
                    Engine::with_session(options.connect.clone(), session),
                    first_identifier(CleanStart::Never),
                )
            }
            None => (
                Engine::new(options.connect.clone()),
                first_identifier(options.connect.clean_start),
            ),
        };
        // Of a session that was kept, what changes.
        engine.keep_journal();
        let first_event = (unmeasured > 0).then_some(Event::ExpiryUnmeasured {
            messages: unmeasured,
        });
        Ok(Self::run(
            options,
            engine,
            Router::new(identifier),
            Some(Box::new(store)),
            first_event,
        ))
    }

    /// Returns when the store has all that was accepted so far; at once without a store.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`RequestError::Stopped`] by a client that stopped first.
    pub async fn until_kept(&self) -> Result<(), RequestError> {
        let number = self.shared().with(|state| state.changes_so_far());
        until_kept(self.shared(), number).await
    }

    /// Changes records of the application's own in the client's store, and returns when the store
    /// has them: those that
    /// [`Acknowledgement::accept_with`](crate::Acknowledgement::accept_with) has written, too. All
    /// changes of one call are in one commit.
    /// [`Store::application_records`](crate::store::Store::application_records) reads them, before
    /// the client is started.
    ///
    /// Cancel safe once it was polled: what is dropped is the wait for the store.
    ///
    /// # Errors
    /// * [`RequestError::NoStore`]: the client wasn't started with a store.
    /// * [`RequestError::Stopped`]: the client stopped, or its store failed. The records may or may
    ///   not be there.
    pub async fn write_records(&self, records: Vec<Change>) -> Result<(), RequestError> {
        let number = self.shared().with(|state| {
            state.check_writable()?;
            state.engine.write_records(records);
            Ok::<_, RequestError>(state.changes_so_far())
        })?;
        until_kept(self.shared(), number).await
    }
}

/// Returns when the store has the changes of this number; at once without a store.
pub(crate) async fn until_kept(shared: &Shared, number: u64) -> Result<(), RequestError> {
    poll_fn(|cx| {
        shared.with(|state| {
            let Some(kept) = state.kept.as_mut().filter(|kept| !kept.has(number)) else {
                return Poll::Ready(Ok(()));
            };
            if let Some(cause) = &state.stopped {
                return Poll::Ready(Err(RequestError::Stopped(cause.clone())));
            }
            register(&mut kept.waiting, cx);
            Poll::Pending
        })
    })
    .await
}

/// Keeps the session until it ends, or until the store fails: that stops the client.
pub(crate) async fn keep(shared: &Shared, mut store: Box<dyn Store>) {
    let mut alarm = Alarm::default();
    loop {
        let changes = poll_fn(|cx| {
            shared.drive(|state| match &mut state.kept {
                Some(kept) => kept.poll_changes(&mut state.engine, &mut alarm, cx),
                None => Poll::Ready(None),
            })
        });
        let Some(changes) = changes.await else { return };
        debug!(target: log::STORE, changes = changes.len(), "commit");
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
        if let Err(error) = &result {
            error!(target: log::STORE, error = %Escaped(error), "the store failed");
        }
        let has_failed = result.is_err();
        shared.drive(|state| state.is_kept(result));
        if has_failed {
            return;
        }
        // The connection stages what has gathered, and publishers add to it: all of that is one
        // commit.
        tokio::task::yield_now().await;
    }
}

impl State {
    /// Whether records can be written.
    pub(crate) fn check_writable(&self) -> Result<(), RequestError> {
        match &self.stopped {
            _ if self.kept.is_none() => Err(RequestError::NoStore),
            Some(cause) => Err(RequestError::Stopped(cause.clone())),
            None => Ok(()),
        }
    }

    /// The number of the changes that there are by now; 0 without a store.
    pub(crate) fn changes_so_far(&self) -> u64 {
        self.kept
            .as_ref()
            .map(|kept| kept.number(&self.engine))
            .unwrap_or_default()
    }

    /// Changes were written down, or couldn't be: then nothing leaves any more, and the client
    /// stops.
    fn is_kept(&mut self, result: io::Result<()>) {
        let Some(kept) = &mut self.kept else { return };
        match result {
            Ok(()) => {
                kept.written += 1;
                let waiting = std::mem::take(&mut kept.waiting);
                self.wake(waiting);
            }
            Err(error) => {
                kept.fault = Some((error.kind(), error.to_string().into()));
                self.stop.get_or_insert_default().within(Duration::ZERO);
            }
        }
        self.call_driver();
    }
}
