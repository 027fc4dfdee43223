//! The one lock: what handles and the driver share, and who is woken when it is let go of.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::engine::{Engine, EngineEvent};
use crate::error::StopCause;
use crate::event::Event;
use crate::router::Router;

/// Events that nobody has taken; older ones are dropped beyond this.
const EVENTS: usize = 1024;

/// What every handle, every stream and the driver hold.
#[derive(Debug)]
pub(crate) struct Shared(Mutex<State>);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) engine: Engine,
    pub(crate) router: Router,
    /// Set once; the driver acts on it.
    pub(crate) stop: Option<Stop>,
    /// Why there will be no further connection.
    pub(crate) stopped: Option<StopCause>,
    events: VecDeque<Event>,
    driver: Option<Waker>,
    /// Those who wait for an event, for room in the queue, or for the end.
    watchers: Vec<Waker>,
    roomless: Vec<Waker>,
}

/// A wish to end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stop {
    /// Until then, requests may still finish. `None` until the driver has seen it and started the time.
    pub(crate) flush_until: Option<Instant>,
    pub(crate) flush_for: Duration,
}

impl Shared {
    pub(crate) const fn new(engine: Engine, router: Router) -> Self {
        Self(Mutex::new(State {
            engine,
            router,
            stop: None,
            stopped: None,
            events: VecDeque::new(),
            driver: None,
            watchers: Vec::new(),
            roomless: Vec::new(),
        }))
    }

    /// Does something under the lock, then wakes whom it concerns. Never called while the lock is held.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let mut wakers = Vec::new();
        let result = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let had_output = state.engine.has_output();
            let result = act(&mut state);
            if state.engine.has_output() && !had_output {
                wakers.extend(state.driver.take());
            }
            state.engine.take_wakers(&mut wakers);
            state.router.take_wakers(&mut wakers);
            if !state.roomless.is_empty() && state.engine.has_room() {
                wakers.append(&mut state.roomless);
            }
            result
        };
        wakers.into_iter().for_each(Waker::wake);
        result
    }

    /// Tells of a step.
    pub(crate) fn tell(&self, event: Event) {
        let watchers = self.with(|state| {
            if state.events.len() == EVENTS {
                state.events.pop_front();
            }
            state.events.push_back(event);
            std::mem::take(&mut state.watchers)
        });
        watchers.into_iter().for_each(Waker::wake);
    }

    /// Asks the driver to end after at most `flush_for` of finishing what was accepted. The shortest time counts.
    pub(crate) fn request_stop(&self, flush_for: Duration) {
        let driver = self.with(|state| {
            let flush_for = state.stop.map_or(flush_for, |earlier| earlier.flush_for.min(flush_for));
            state.stop = Some(Stop { flush_until: None, flush_for });
            state.driver.take()
        });
        driver.into_iter().for_each(Waker::wake);
    }

    /// The end: requests fail, streams end, nothing follows.
    pub(crate) fn finish(&self, cause: StopCause) {
        self.with(|state| {
            state.engine.fail_all(&crate::RequestError::Stopped(cause.clone()));
            state.router.end_all();
            state.stopped = Some(cause.clone());
        });
        self.tell(Event::Stopped(cause));
    }
}

impl State {
    /// Hands what the engine has to tell to streams; what is left concerns the driver.
    pub(crate) fn deliver(&mut self, events: &mut Vec<Event>) {
        while let Some(event) = self.engine.poll_event() {
            match event {
                EngineEvent::Message(message, id) => self.router.route(&message, id, &mut self.engine),
                EngineEvent::Connected(connected) => events.push(Event::Connected(connected)),
                EngineEvent::SubscriptionLost { filter, reason } => {
                    self.router.end(&filter);
                    events.push(Event::SubscriptionLost { filter, reason });
                }
            }
        }
    }

    /// The next event, after `Stopped` none.
    pub(crate) fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        match self.events.pop_front() {
            Some(event) => Poll::Ready(Some(event)),
            None if self.stopped.is_some() => Poll::Ready(None),
            None => {
                self.watch(cx);
                Poll::Pending
            }
        }
    }

    /// Wakes the caller at the next event.
    pub(crate) fn watch(&mut self, cx: &Context<'_>) {
        register(&mut self.watchers, cx);
    }

    /// Wakes the caller when the queue has room.
    pub(crate) fn watch_room(&mut self, cx: &Context<'_>) {
        register(&mut self.roomless, cx);
    }

    /// Wakes the driver when there is output, or a wish to stop.
    pub(crate) fn watch_as_driver(&mut self, cx: &Context<'_>) {
        if !self.driver.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            self.driver = Some(cx.waker().clone());
        }
    }
}

fn register(wakers: &mut Vec<Waker>, cx: &Context<'_>) {
    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
        wakers.push(cx.waker().clone());
    }
}
