//! The one lock: what handles and the driver share, and who is woken when it is let go of.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use dunlin_codec::Escaped;
use tracing::Span;
use tracing::field::display;

use crate::engine::{Accepted, Engine};
use crate::error::{RequestError, StopCause};
use crate::event::Event;
use crate::message::{Message, ReceivedMessage};
use crate::runtime::clock::now;
use crate::runtime::log;
use crate::runtime::router::Router;
use crate::runtime::state::State;

/// What every handle, every stream and the driver hold.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// Span of all that the client does.
    pub(crate) span: Span,
    /// Whether a publisher should yield before the next message.
    should_yield: AtomicBool,
}

impl Shared {
    pub(crate) fn new(engine: Engine, router: Router) -> Self {
        let span = log::client_span(engine.client_id());
        let state = Mutex::new(State::new(engine, router));
        Self {
            state,
            span,
            should_yield: AtomicBool::new(false),
        }
    }

    /// Publishes a message, unless the queue is full.
    ///
    /// After every 512 messages or 32 KiB of new output, [`should_yield`](Self::should_yield)
    /// becomes true once.
    pub(crate) fn publish(&self, message: &Message<'_>) -> Result<Accepted, RequestError> {
        let (accepted, should_yield) = self.with(|state| state.publish(message));
        if should_yield {
            self.should_yield.store(true, Ordering::Relaxed);
        }
        log::write_publish(&self.span, message, &accepted);
        accepted
    }

    /// Whether the caller should yield before it publishes more, so that the driver can write.
    /// True once for each time that enough was published.
    pub(crate) fn should_yield(&self) -> bool {
        self.should_yield.load(Ordering::Relaxed)
            && self.should_yield.swap(false, Ordering::Relaxed)
    }

    /// Does something under the lock, then wakes whom it concerns. Never called while the lock is
    /// held.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        self.drive(|state| {
            // Where there is output the driver is awake, and looks at the time by itself, unless it
            // waits for a store.
            let had_none = !state.engine.has_output();
            let before = (had_none || state.kept.is_some()).then(|| state.engine.poll_timeout());
            let held_up = state.router.is_holding_up();
            let result = act(state);
            let has_news = before.is_some_and(|due| {
                had_none && state.engine.has_output() || state.is_due_before(due)
            });
            if has_news || state.has_late_events() || held_up && !state.router.is_holding_up() {
                state.call_driver();
            }
            result
        })
    }

    /// Does something under the lock that is nobody else's concern: no output comes of it, no load
    /// goes, no time changes.
    pub(crate) fn aside<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The next message of a stream, if it is owed nothing; otherwise the stream is left alone for
    /// [`with`](Self::with). The engine isn't concerned, so nobody but the driver may have to
    /// be woken, and neither output nor time is looked at.
    pub(crate) fn next_unowed(&self, key: usize) -> Option<ReceivedMessage> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let held_up = state.router.is_holding_up();
        let message = state.router.take_unowed(key)?;
        let driver = if held_up && !state.router.is_holding_up() {
            state.take_driver()
        } else {
            None
        };
        drop(state);
        if let Some(driver) = driver {
            driver.wake();
        }
        Some(message)
    }

    /// As [`with`](Self::with), for the driver: it looks for output by itself.
    pub(crate) fn drive<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut wakers = Vec::new();
        let (result, refusals) = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            let before = state.engine.load();
            let result = act(&mut state);
            state.settle(before, &mut wakers);
            (result, std::mem::take(&mut state.refusals))
        };
        wakers.into_iter().for_each(Waker::wake);
        // Written after unlocking: a tracing subscriber may call back into this client.
        refusals
            .iter()
            .for_each(|(refused, left_out)| log::write_refusal(refused, *left_out));
        result
    }

    /// Tells of a step.
    pub(crate) fn tell(&self, event: Event) {
        if let Event::Connected(connected) = &event {
            // The server has chosen the identifier.
            if self.aside(|state| state.engine.options().client_id.is_empty()) {
                self.span
                    .record("client_id", display(Escaped(&connected.client_id)));
            }
        }
        let key = log::warning_key(&event);
        let admitted = match key {
            Some(key) => self.aside(|state| state.warnings.admit(key, now())),
            None => Some(0),
        };
        if let Some(left_out) = admitted {
            log::write(&event, left_out);
        }
        self.drive(|state| {
            if let Event::Failed { cause, .. } = &event {
                state.last_failure = Some(Arc::clone(cause));
            }
            state.push(event);
        });
    }

    /// Asks the driver to end after at most `flush_for` of finishing what was accepted. The
    /// earliest end counts.
    pub(crate) fn request_stop(&self, flush_for: Duration) {
        self.with(|state| {
            state.stop.get_or_insert_default().within(flush_for);
            state.call_driver();
        });
    }

    /// Returns when the client has stopped.
    pub(crate) async fn until_stopped(&self) {
        poll_fn(|cx| {
            self.with(|state| {
                if state.stopped.is_some() {
                    return Poll::Ready(());
                }
                state.watch(cx);
                Poll::Pending
            })
        })
        .await;
    }

    /// The end: requests fail, streams end, nothing follows.
    pub(crate) fn finish(&self, cause: StopCause) {
        let mut events = Vec::new();
        self.drive(|state| {
            if state.stopped.is_none() {
                state.deliver(&mut events);
            }
        });
        events.into_iter().for_each(|event| self.tell(event));
        let event = Event::Stopped(cause.clone());
        let left_out = self.drive(|state| {
            if state.stopped.is_some() {
                return None;
            }
            let error = RequestError::Stopped(cause.clone());
            state.give_store_up();
            if state.keeps_session {
                state.router.hand_back();
                state.kept_session = Some(Box::new(state.engine.take_session(&error)));
            } else {
                state.engine.fail_all(&error);
            }
            state.router.end_all();
            state.requests.end();
            state.push(event.clone());
            state.stopped = Some(cause);
            Some(state.warnings.take_left_out())
        });
        // Not under the lock: whoever keeps the log may use this client.
        if let Some(left_out) = left_out {
            log::write_left_out(left_out);
            log::write(&event, 0);
        }
    }
}
