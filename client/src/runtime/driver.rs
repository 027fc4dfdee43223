//! The task that owns socket and clock: asks what to connect with, connects, hands the connection
//! to its link, and does it again.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use dunlin_codec::ReasonCode;
use tracing::{Instrument, warn};

use crate::engine::Ended;
use crate::error::{ConnectError, StopCause};
use crate::event::Event;
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::now;
use crate::runtime::connection::Link;
use crate::runtime::deadline_timer::Alarm;
use crate::runtime::log;
use crate::runtime::provider::{Failure, NextAttempt, Provider, ProviderError, Target};
use crate::runtime::retry::{Retry, RetryContext, ViolationCounter};
use crate::runtime::shared::Shared;
use crate::runtime::store_task;
use crate::store::Store;
use crate::transport::{self, Transport};

/// How long the last changes may take to be written down.
pub(crate) const KEEPING: Duration = Duration::from_secs(5);

/// What a driver goes by.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) target: Target,
    pub(crate) provider: Provider,
    pub(crate) provide_within: Duration,
    pub(crate) backoff: Backoff,
    /// Shortest time between two CONNECTs that the service allows, also when the application asks
    /// for an attempt at once.
    pub(crate) connect_interval: Duration,
}

/// Runs a client until it stops, and keeps its session if there is a store. A driver that never
/// ran, because its runtime was shut down, has ended as well.
pub(crate) fn run(
    shared: Arc<Shared>,
    plan: Plan,
    store: Option<Box<dyn Store>>,
) -> impl Future<Output = ()> {
    // On the heap: a future keeps room for what was moved out of it.
    let span = shared.span.clone();
    let (end, plan) = (End(shared), Box::new(plan));
    let running = async move {
        let mut driver = Driver::new(&end.0, plan);
        let cause = match store {
            None => driver.run().await,
            // On the heap: most clients have none.
            Some(store) => Box::pin(driver.run_and_keep(store)).await,
        };
        drop(driver);
        end.0.finish(cause);
    };
    running.instrument(span)
}

/// Drop guard: completes all pending requests and streams if the runtime drops the driver task.
struct End(Arc<Shared>);

impl Drop for End {
    fn drop(&mut self) {
        let is_stopping = self.0.aside(|state| state.stop.is_some());
        self.0.finish(if is_stopping {
            StopCause::Requested
        } else {
            StopCause::RuntimeGone
        });
    }
}

struct Driver<'a> {
    shared: &'a Shared,
    plan: Box<Plan>,
    /// Whether a server has accepted a connection of this client.
    has_connected: bool,
    violations: ViolationCounter,
    /// Attempts since the last connection.
    number: u32,
    /// All attempts.
    attempts: u64,
    last: Option<Failure>,
    /// What the provider brought for the last attempt. What the options say needn't be kept twice.
    used: Option<Box<Target>>,
    /// Why there is no further attempt, unless the provider brings something else.
    final_cause: Option<StopCause>,
}

impl<'a> Driver<'a> {
    fn new(shared: &'a Shared, plan: Box<Plan>) -> Self {
        Self {
            shared,
            plan,
            has_connected: false,
            violations: ViolationCounter::default(),
            number: 0,
            attempts: 0,
            last: None,
            used: None,
            final_cause: None,
        }
    }

    async fn run_and_keep(&mut self, store: Box<dyn Store>) -> StopCause {
        let shared = self.shared;
        let running = async {
            let cause = self.run().await;
            shared.drive(|state| state.kept.as_mut().into_iter().for_each(|kept| kept.end()));
            cause
        };
        let (mut running, mut keeping) = (pin!(running), pin!(store_task::keep(shared, store)));
        let mut is_kept = false;
        let cause = poll_fn(|cx| {
            // First the link, so that what it takes is written down as sent at once.
            let running = running.as_mut().poll(cx);
            is_kept = is_kept || keeping.as_mut().poll(cx).is_ready();
            running
        });
        let cause = cause.await;
        if !is_kept && tokio::time::timeout(KEEPING, keeping).await.is_err() {
            let fault = format!("no answer within {KEEPING:?}").into();
            return StopCause::Store {
                kind: io::ErrorKind::TimedOut,
                fault,
            };
        }
        shared
            .drive(|state| state.kept.as_ref().and_then(|kept| kept.fault()))
            .unwrap_or(cause)
    }

    async fn run(&mut self) -> StopCause {
        loop {
            self.number = self.number.saturating_add(1);
            self.attempts += 1;
            let span = log::connection_span(self.attempts);
            let (ended, lifetime) = match self.connect_once().instrument(span.clone()).await {
                Ok(ended) => ended,
                Err(cause) => return cause,
            };
            let failure = Failure::from(ended);
            if let Failure::Connection(_) = failure {
                self.has_connected = true;
                self.number = 0;
                self.plan.backoff.connected_for(lifetime);
            }
            let retry = self.classify(&failure, lifetime);
            let delay = if self.should_retry(&failure, retry) {
                self.plan.backoff.next(retry, fastrand::f64())
            } else {
                None
            };
            span.in_scope(|| self.report(&failure, retry, delay));
            drop(span);
            let Some(delay) = delay else {
                return failure.stop_cause();
            };
            // A failed provider call does not count as "something else".
            if !failure.is_of_provider() {
                self.final_cause = (retry == Retry::Final).then(|| failure.stop_cause());
            }
            self.last = Some(failure);
            if self.wait(delay).await.is_none() {
                return StopCause::Requested;
            }
        }
    }

    fn classify(&mut self, failure: &Failure, lifetime: Duration) -> Retry {
        let reconnect = self.plan.backoff.reconnect();
        let repeated = self
            .violations
            .record(failure, lifetime, reconnect.stable_after);
        let context = RetryContext::new(failure, self.has_connected).with_violations(
            repeated,
            reconnect.violation_limit,
            reconnect.on_repeated_violation,
        );
        reconnect.policy.classify(&context)
    }

    /// Whether there may be another attempt: it might go better, or the provider might bring
    /// something else.
    fn should_retry(&self, failure: &Failure, retry: Retry) -> bool {
        let is_over = self.shared.drive(|state| state.stop_by(now()).is_over);
        // Other credentials change nothing about a take-over.
        let may_change = !self.plan.provider.is_static()
            && !failure.is_requested()
            && !failure.is_of_provider()
            && failure.reason_code() != Some(ReasonCode::SessionTakenOver);
        !is_over && (may_change || retry != Retry::Final)
    }

    /// Waits for `delay` before the next attempt, or until the application asks for one at once.
    /// `None` if the client is to stop.
    async fn wait(&mut self, delay: Duration) -> Option<()> {
        let earliest = tokio::time::sleep(self.plan.connect_interval.min(delay));
        let mut sleep = pin!(tokio::time::sleep(delay));
        let shared = self.shared;
        let waiting = poll_fn(|cx| {
            if sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            let is_wanted_now = shared.drive(|state| {
                state.watch_as_driver(cx);
                std::mem::take(&mut state.reconnect_now)
            });
            if is_wanted_now {
                Poll::Ready(true)
            } else {
                Poll::Pending
            }
        });
        if until_stop(shared, pin!(waiting)).await? {
            self.plan.backoff.restart();
            until_stop(shared, pin!(earliest)).await?;
        }
        Some(())
    }

    /// One attempt, and the connection if it comes to one; with how long that lasted. An error if
    /// there is no attempt.
    async fn connect_once(&mut self) -> Result<(Ended, Duration), StopCause> {
        // On the heap, so that it takes no memory while the connection lasts: opening one is large.
        let (transport, peer) = match Box::pin(self.open()).await? {
            Ok(open) => open,
            Err(error) => return Ok((Ended::Attempt(error), Duration::ZERO)),
        };
        let began = now();
        if let Err(error) = self.introduce(began) {
            return Ok((Ended::Attempt(error), Duration::ZERO));
        }
        let mut link = Link::new(transport, peer);
        let cause = link.run(self.shared).await;
        let ended = self.shared.drive(|state| {
            let ended = state.closed(cause, link.unwritten());
            if let Ended::Connection(_) = ended {
                // It was for the attempt that led to this connection.
                state.reconnect_now = false;
            }
            ended
        });
        Ok((ended, now().saturating_duration_since(began)))
    }

    /// Says CONNECT, with the credentials that this attempt uses.
    fn introduce(&self, now: Instant) -> Result<(), ConnectError> {
        self.shared.drive(|state| {
            if let Some(used) = &self.used {
                let options = state.engine.options_mut();
                options.username.clone_from(&used.username);
                options.password.clone_from(&used.password);
            }
            state.engine.open(now)
        })
    }

    /// Asks where to go, and goes there. An error of the outer kind if there is nothing to be
    /// tried.
    async fn open(&mut self) -> Result<Result<(Transport, SocketAddr), ConnectError>, StopCause> {
        let Some(provided) = until_stop(self.shared, pin!(self.ask_provider())).await else {
            return Err(StopCause::Requested);
        };
        let target = match provided {
            Ok(target) => target,
            Err(error) => {
                self.tell_attempt(&self.plan.target);
                return Ok(Err(error.into()));
            }
        };
        if let Some(cause) = self.final_cause.take()
            && self.used.as_ref().is_some_and(|used| used.is_like(&target))
        {
            return Err(cause);
        }
        self.tell_attempt(&target);
        let opened = until_stop(self.shared, pin!(transport::open(&target.transport))).await;
        if !self.plan.provider.is_static() {
            self.used = Some(Box::new(target));
        }
        match opened {
            Some(Ok((transport, opened))) => {
                let peer = opened.peer;
                self.shared.tell(Event::Opened(Box::new(opened)));
                Ok(Ok((transport, peer)))
            }
            Some(Err(error)) => Ok(Err(error.into())),
            None => Ok(Err(ConnectError::Stopped)),
        }
    }

    async fn ask_provider(&self) -> Result<Target, ProviderError> {
        let (target, last) = (self.plan.target.clone(), self.last.clone());
        let asked = self.plan.provider.provide(NextAttempt {
            number: self.number,
            target,
            last,
        });
        let within = self.plan.provide_within;
        match tokio::time::timeout(within, asked).await {
            Ok(provided) => provided,
            Err(_) => Err(ProviderError::retryable(format_args!(
                "the provider took longer than {within:?}"
            ))),
        }
    }

    fn tell_attempt(&self, target: &Target) {
        let (host, port) = (target.transport.host.clone(), target.transport.port);
        let client_id = self
            .shared
            .drive(|state| state.engine.client_id().to_owned());
        self.shared.tell(Event::Attempt {
            attempt: self.number,
            host,
            port,
            client_id,
        });
    }

    /// Tells the application of a failed attempt or a lost connection, and of the attempt that
    /// follows.
    fn report(&self, failure: &Failure, retry: Retry, retry_in: Option<Duration>) {
        if let (Retry::Slow, Some(retry_in)) = (retry, retry_in) {
            match failure {
                Failure::Attempt(cause) => {
                    warn!(target: log::CONNECTION, %cause, ?retry_in, "trying again slowly");
                }
                Failure::Connection(cause) => {
                    warn!(target: log::CONNECTION, %cause, ?retry_in, "trying again slowly");
                }
            }
        }
        self.shared.tell(match failure {
            Failure::Attempt(cause) => Event::Failed {
                cause: Arc::clone(cause),
                retry_in,
            },
            Failure::Connection(cause) => Event::Disconnected {
                cause: Arc::clone(cause),
                retry_in,
            },
        });
    }
}

/// Runs `work`, for which there is no connection yet, unless a stop is asked for that has nothing
/// to wait for or no time left. Time passes for what is queued, too.
async fn until_stop<T>(shared: &Shared, mut work: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    let mut alarm = Alarm::default();
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        loop {
            let mut events = Vec::new();
            let (stop, due) = shared.drive(|state| {
                state.watch_as_driver(cx);
                let now = now();
                if state.engine.poll_timeout().is_some_and(|due| due <= now) {
                    state.engine.handle_timeout(now);
                }
                state.handle_deadline(now);
                state.deliver(&mut events);
                let due = state
                    .engine
                    .poll_timeout()
                    .into_iter()
                    .chain(state.deadline())
                    .min();
                (state.stop_by(now), due)
            });
            events.into_iter().for_each(|event| shared.tell(event));
            if stop.is_over {
                return Poll::Ready(None);
            }
            if !alarm.poll(cx, due.into_iter().chain(stop.until).min()) {
                return Poll::Pending;
            }
        }
    })
    .await
}
