//! The client's one lock: state that handles and driver share, and the tasks that are woken after
//! unlocking.

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::time::Duration;

use dunlin_codec::Escaped;
use tracing::Span;
use tracing::field::display;

use crate::engine::{Accepted, Engine};
use crate::error::{EndCause, RequestError, StopCause};
use crate::event::Event;
use crate::message::{Message, ReceivedMessage};
use crate::runtime::clock::now;
use crate::runtime::lifecycle::Lifecycle;
use crate::runtime::log;
use crate::runtime::router::Router;
use crate::runtime::state::ClientState;

/// State of one client. Every handle, every stream and the driver hold it.
///
/// The lock is never held across an await, nor while a task is woken or the log is written.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<ClientState>,
    /// Span of all that the client does.
    pub(crate) span: Span,
    /// True if a publisher should yield before the next message.
    should_yield: AtomicBool,
}

impl Shared {
    pub(crate) fn new(engine: Engine, router: Router) -> Self {
        Self {
            span: log::client_span(engine.client_id()),
            state: Mutex::new(ClientState::new(engine, router)),
            should_yield: AtomicBool::new(false),
        }
    }

    /// Publishes a message, unless the queue is full.
    ///
    /// After every 512 messages or 32 KiB of new output, [`should_yield`](Self::should_yield)
    /// becomes true once.
    ///
    /// # Errors
    /// [`RequestError::QueueFull`], [`RequestError::Stopped`], and those of a message that can't be
    /// sent.
    pub(crate) fn publish(&self, message: &Message<'_>) -> Result<Accepted, RequestError> {
        self.publish_by(message, ClientState::publish)
    }

    /// Like [`publish`](Self::publish), for a publisher that waits after
    /// [`RequestError::QueueFull`]: at QoS 0 also while much output is unwritten.
    ///
    /// # Errors
    /// Like [`publish`](Self::publish).
    pub(crate) fn publish_below_mark(
        &self,
        message: &Message<'_>,
    ) -> Result<Accepted, RequestError> {
        self.publish_by(message, ClientState::publish_below_mark)
    }

    #[inline]
    fn publish_by(
        &self,
        message: &Message<'_>,
        publish: impl FnOnce(&mut ClientState, &Message<'_>) -> Result<Accepted, RequestError>,
    ) -> Result<Accepted, RequestError> {
        let mut is_enough = false;
        let accepted = self.lock_and_notify(|state| {
            let accepted = publish(state, message);
            is_enough = state.yield_counter.take_enough();
            accepted
        });
        if is_enough {
            self.should_yield.store(true, Ordering::Relaxed);
        }
        log::write_publish(&self.span, message, &accepted);
        accepted
    }

    /// True if the caller should yield before it publishes more, so that the driver can write.
    /// True once for each time that enough was published.
    pub(crate) fn should_yield(&self) -> bool {
        self.should_yield.load(Ordering::Relaxed)
            && self.should_yield.swap(false, Ordering::Relaxed)
    }

    fn guard(&self) -> MutexGuard<'_, ClientState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `act` with the state locked, then wakes the tasks that the changes concern, the driver
    /// included. Must not be called while the lock is held.
    pub(crate) fn lock_and_notify<T>(&self, act: impl FnOnce(&mut ClientState) -> T) -> T {
        self.lock(|state| {
            // While there is output, the driver is awake and looks at deadlines by itself, unless
            // the output waits for a store or for the transport.
            let had_output = state.engine.has_output();
            let deadline =
                (!had_output || state.store.is_some()).then(|| state.engine.poll_timeout());
            let unfinished = state.engine.load().0;
            let paused_reading = state.router.pauses_reading();
            let result = act(state);

            let has_output_or_deadline = deadline.is_some_and(|deadline| {
                !had_output && state.engine.has_output() || state.is_due_before(deadline)
            });
            let resumes_reading = paused_reading && !state.router.pauses_reading();
            if has_output_or_deadline
                || state.is_stalled_past_deadline(unfinished)
                || state.has_pending_events()
                || resumes_reading
            {
                state.wake_driver();
            }
            result
        })
    }

    /// Like [`lock_and_notify`](Self::lock_and_notify), but doesn't wake the driver: for the driver
    /// itself, which looks for output and deadlines afterwards.
    pub(crate) fn lock<T>(&self, act: impl FnOnce(&mut ClientState) -> T) -> T {
        let mut wakers = Vec::new();
        let (result, refusals) = {
            let mut state = self.guard();
            let load = state.engine.load();
            let result = act(&mut state);
            state.collect_wakers(load, &mut wakers);
            (result, std::mem::take(&mut state.refusals))
        };
        wakers.into_iter().for_each(Waker::wake);
        // Logged after unlocking: a tracing subscriber may call back into this client.
        for (refused, left_out) in &refusals {
            log::write_refusal(refused, *left_out);
        }
        result
    }

    /// Runs `act` with the state locked and wakes nobody: only for changes that add no output, free
    /// no queue space and move no deadline.
    pub(crate) fn lock_quietly<T>(&self, act: impl FnOnce(&mut ClientState) -> T) -> T {
        act(&mut self.guard())
    }

    /// Removes the next message of a stream if it is of QoS 0; other messages are left to
    /// [`lock_and_notify`](Self::lock_and_notify).
    ///
    /// The fast path of a reader: the engine isn't concerned, so only the driver may have to be
    /// woken, to resume reading.
    pub(crate) fn pop_qos0(&self, stream: usize) -> Option<ReceivedMessage> {
        let mut state = self.guard();
        // Taking a message may end a pause of reading; nothing else of the driver's depends on it.
        let paused_reading = state.router.pauses_reading();
        let message = state.router.pop_qos0(stream)?;
        let resumes_reading = paused_reading && !state.router.pauses_reading();
        let driver = if resumes_reading {
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

    /// Logs an event and adds it to those that the application reads.
    pub(crate) fn emit(&self, event: Event) {
        // The server may have chosen the client identifier.
        if let Event::Connected(connected) = &event
            && self.lock_quietly(|state| state.engine.options().client_id.is_empty())
        {
            self.span
                .record("client_id", display(Escaped(&connected.client_id)));
        }

        // Equal warnings are logged once a second.
        let left_out = match log::warning_key(&event) {
            Some(key) => self.lock_quietly(|state| state.warnings.admit(key, now())),
            None => Some(0),
        };
        if let Some(left_out) = left_out {
            log::write(&event, left_out);
        }

        self.lock(|state| {
            if let Event::Disconnected {
                cause: EndCause::Attempt(cause),
                ..
            } = &event
            {
                state.last_failure = Some(Arc::clone(cause));
            }
            state.push_event(event);
        });
    }

    /// Emits several events.
    pub(crate) fn emit_all(&self, events: Vec<Event>) {
        for event in events {
            self.emit(event);
        }
    }

    /// Asks the driver to stop, after at most `flush_for` in which accepted requests may finish. If
    /// called more than once, the earliest end counts.
    pub(crate) fn request_stop(&self, flush_for: Duration) {
        self.lock_and_notify(|state| {
            state.lifecycle.request_stop(flush_for);
            state.wake_driver();
        });
    }

    /// Returns when the client has stopped.
    ///
    /// Cancel safe.
    pub(crate) async fn until_stopped(&self) {
        poll_fn(|cx| {
            self.lock_and_notify(|state| {
                if state.lifecycle.has_stopped() {
                    return Poll::Ready(());
                }
                state.watch(cx);
                Poll::Pending
            })
        })
        .await;
    }

    /// Returns when a batch of changes is persisted; at once without a store.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// [`RequestError::Stopped`] if the client stopped before.
    pub(crate) async fn until_persisted(&self, batch: u64) -> Result<(), RequestError> {
        poll_fn(|cx| {
            self.lock_and_notify(|state| {
                let Some(store) = &mut state.store else {
                    return Poll::Ready(Ok(()));
                };
                // Persisted comes before stopped: what is on disk stays there.
                if store.is_persisted(batch) {
                    return Poll::Ready(Ok(()));
                }
                state.lifecycle.check_running()?;
                store.register(cx);
                Poll::Pending
            })
        })
        .await
    }

    /// Stops the client for good: requests fail, streams end, and no event follows. Does nothing if
    /// it has stopped before.
    pub(crate) fn finish(&self, cause: StopCause) {
        // Deliver what has arrived, and emit its events before the last one.
        let mut events = Vec::new();
        self.lock(|state| {
            if !state.lifecycle.has_stopped() {
                state.deliver(&mut events);
            }
        });
        self.emit_all(events);

        let event = Event::Stopped(cause.clone());
        let left_out = self.lock(|state| {
            if state.lifecycle.has_stopped() {
                return None;
            }
            state.end_session(&RequestError::Stopped(cause.clone()));
            state.router.end_all();
            state.replies.wake_all();
            state.push_event(event.clone());
            state.lifecycle = Lifecycle::Stopped(cause);
            Some(state.warnings.take_left_out())
        });

        // Logged after unlocking: a tracing subscriber may call back into this client.
        if let Some(left_out) = left_out {
            log::write_left_out(left_out);
            log::write(&event, 0);
        }
    }
}
