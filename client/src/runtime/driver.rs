//! Driver: the task that connects, runs the connection, and connects again.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use dunlin_codec::ReasonCode;
use tracing::{Instrument, warn};

use crate::error::{ConnectError, EndCause, PeerAddress, ProviderError, StopCause};
use crate::event::Event;
use crate::runtime::backoff::Backoff;
use crate::runtime::clock::now;
use crate::runtime::connection::Connection;
use crate::runtime::log;
use crate::runtime::provider::{NextAttempt, Provider, Target};
use crate::runtime::retry::{Retry, RetryContext, ViolationCounter};
use crate::runtime::shared::Shared;
use crate::runtime::store_task;
use crate::runtime::until_stop::{Stop, until_stop};
use crate::store::Store;
use crate::transport::{self, Transport};

/// Maximum time for which the driver waits until the last changes are persisted.
pub(crate) const PERSIST_WITHIN: Duration = Duration::from_secs(5);

/// Options of a driver.
#[derive(Debug)]
pub(crate) struct DriverOptions {
    pub(crate) target: Target,
    pub(crate) provider: Provider,
    /// Timeout of one call to the provider.
    pub(crate) provide_within: Duration,
    pub(crate) backoff: Backoff,
    /// Minimum time between two CONNECTs that the service allows, also if the application asks for
    /// an attempt at once.
    pub(crate) connect_interval: Duration,
}

/// Runs a client until it stops, and writes its session to the store if there is one.
///
/// If the runtime is shut down before the driver has run, the client stops as well.
pub(crate) fn run(
    shared: Arc<Shared>,
    options: DriverOptions,
    store: Option<Box<dyn Store>>,
) -> impl Future<Output = ()> {
    let span = shared.span.clone();
    // The guard exists before the first poll. The options are boxed, because a future keeps space
    // for values that were moved out of it.
    let (guard, options) = (FinishOnDrop(shared), Box::new(options));
    let running = async move {
        let mut driver = Driver::new(&guard.0, options);
        let cause = match store {
            None => driver.run().await,
            // Boxed, because the future is large and most clients have no store.
            Some(store) => Box::pin(driver.run_with_store(store)).await,
        };
        drop(driver);
        guard.0.finish(cause);
    };
    running.instrument(span)
}

/// Drop guard: completes all pending requests and streams if the runtime drops the driver task.
struct FinishOnDrop(Arc<Shared>);

impl Drop for FinishOnDrop {
    fn drop(&mut self) {
        let is_running = self.0.lock_quietly(|state| state.lifecycle.is_running());
        self.0.finish(if is_running {
            StopCause::RuntimeGone
        } else {
            StopCause::Requested
        });
    }
}

/// Error of an attempt before it had a transport.
enum OpenError {
    /// There is no further attempt, for this cause.
    Stopped(StopCause),
    /// The attempt failed.
    Failed(ConnectError),
}

struct Driver<'a> {
    shared: &'a Shared,
    options: Box<DriverOptions>,
    /// True if a server has accepted a connection of this client.
    has_connected: bool,
    violations: ViolationCounter,
    /// Number of attempts since the last connection.
    attempt: u32,
    /// Number of all attempts.
    attempts: u64,
    /// End of the attempt before, or of the last connection; `None` before the first one.
    last_end: Option<EndCause>,
    /// Target of the last attempt, if the provider chose it; the options needn't be kept twice.
    last_target: Option<Box<Target>>,
    /// Cause for which the client stops, unless the provider returns another target.
    final_cause: Option<StopCause>,
}

impl<'a> Driver<'a> {
    fn new(shared: &'a Shared, options: Box<DriverOptions>) -> Self {
        Self {
            shared,
            options,
            has_connected: false,
            violations: ViolationCounter::default(),
            attempt: 0,
            attempts: 0,
            last_end: None,
            last_target: None,
            final_cause: None,
        }
    }

    /// Runs the driver and the store task, until both have ended.
    async fn run_with_store(&mut self, store: Box<dyn Store>) -> StopCause {
        let shared = self.shared;
        let running = async {
            let cause = self.run().await;
            shared.lock(|state| {
                if let Some(store) = &mut state.store {
                    store.end();
                }
            });
            cause
        };
        let (mut running, mut storing) = (pin!(running), pin!(store_task::run(shared, store)));
        let mut is_stored = false;
        let cause = poll_fn(|cx| {
            // The connection is polled first, so that what it sends is persisted as sent at once.
            let running = running.as_mut().poll(cx);
            is_stored = is_stored || storing.as_mut().poll(cx).is_ready();
            running
        })
        .await;

        // The last changes may still be on their way to the store.
        if !is_stored && tokio::time::timeout(PERSIST_WITHIN, storing).await.is_err() {
            let fault = format!("no answer within {PERSIST_WITHIN:?}").into();
            return StopCause::Store {
                kind: io::ErrorKind::TimedOut,
                fault,
            };
        }
        shared
            .lock(|state| state.store.as_ref().and_then(|store| store.fault()))
            .unwrap_or(cause)
    }

    /// Connects and runs connections until the client stops.
    async fn run(&mut self) -> StopCause {
        loop {
            // One attempt, and the connection if there is one.
            self.attempt = self.attempt.saturating_add(1);
            self.attempts += 1;
            let span = log::connection_span(self.attempts);
            let (end, lifetime) = match self.connect_once().instrument(span.clone()).await {
                Ok(end) => end,
                Err(cause) => return cause,
            };
            if let EndCause::Connection(_) = end {
                self.has_connected = true;
                self.attempt = 0;
                self.options.backoff.connected_for(lifetime);
            }

            // Decide whether there is another attempt, and when.
            let retry = self.classify(&end, lifetime);
            let delay = if self.should_retry(&end, retry) {
                self.options.backoff.next(retry, fastrand::f64())
            } else {
                None
            };
            span.in_scope(|| self.report(&end, retry, delay));
            drop(span);
            let Some(delay) = delay else {
                return end.into();
            };
            // A failed provider call does not count as "another target".
            if !end.is_of_provider() {
                self.final_cause = (retry == Retry::Final).then(|| end.clone().into());
            }
            self.last_end = Some(end);
            if self.wait(delay).await.is_err() {
                return StopCause::Requested;
            }
        }
    }

    fn classify(&mut self, end: &EndCause, lifetime: Duration) -> Retry {
        let reconnect = self.options.backoff.reconnect();
        let repeated = self
            .violations
            .record(end, lifetime, reconnect.stable_after);
        let context = RetryContext::new(end, self.has_connected).with_violations(
            repeated,
            reconnect.violation_limit,
            reconnect.on_repeated_violation,
        );
        reconnect.policy.classify(&context)
    }

    /// True if there may be another attempt: because it may succeed, or because the provider may
    /// return another target.
    fn should_retry(&self, end: &EndCause, retry: Retry) -> bool {
        let is_over = self
            .shared
            .lock(|state| state.stop_progress(now()))
            .is_over();
        // Other credentials change nothing about a take-over.
        let may_change = !self.options.provider.is_static()
            && !end.is_requested()
            && !end.is_of_provider()
            && end.reason_code() != Some(ReasonCode::SessionTakenOver);
        !is_over && (may_change || retry != Retry::Final)
    }

    /// Waits for `delay` before the next attempt, or until the application asks for one at once.
    async fn wait(&mut self, delay: Duration) -> Result<(), Stop> {
        // `reconnect_now` shortens the delay, but never below the service's limit for connecting.
        let earliest = tokio::time::sleep(self.options.connect_interval.min(delay));
        let mut sleep = pin!(tokio::time::sleep(delay));
        let shared = self.shared;
        let waiting = poll_fn(|cx| {
            if sleep.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            let is_wanted_now = shared.lock(|state| {
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
            self.options.backoff.restart();
            until_stop(shared, pin!(earliest)).await?;
        }
        Ok(())
    }

    /// Makes one attempt and runs its connection. Returns the end of either, and how long the
    /// connection lasted.
    ///
    /// # Errors
    /// The cause of the client's stop, if there is no attempt.
    async fn connect_once(&mut self) -> Result<(EndCause, Duration), StopCause> {
        // Boxed, so that it takes no memory while the connection lasts: the future is large.
        let (transport, peer) = match Box::pin(self.open_transport()).await {
            Ok(open) => open,
            Err(OpenError::Stopped(cause)) => return Err(cause),
            Err(OpenError::Failed(error)) => return Ok((error.into(), Duration::ZERO)),
        };
        // The lifetime of a connection begins here; only a long one resets the delays.
        let began = now();
        if let Err(error) = self.send_connect(began) {
            return Ok((error.into(), Duration::ZERO));
        }
        let mut connection = Connection::new(transport, peer);
        let cause = connection.run(self.shared).await;
        let end = self.shared.lock(|state| {
            let end = state.handle_connection_closed(cause, connection.unwritten());
            if let EndCause::Connection(_) = end {
                // The application asked for the attempt that led to this connection.
                state.reconnect_now = false;
            }
            end
        });
        Ok((end, now().saturating_duration_since(began)))
    }

    /// Puts CONNECT into the output, with the credentials of this attempt.
    fn send_connect(&self, now: Instant) -> Result<(), ConnectError> {
        self.shared.lock(|state| {
            // Only a provider changes user name and password; without one the options stay as they
            // are.
            if let Some(target) = &self.last_target {
                let options = state.engine.options_mut();
                options.username.clone_from(&target.username);
                options.password.clone_from(&target.password);
            }
            state.engine.open(now)
        })
    }

    /// Asks the provider for a target and opens a transport to it.
    ///
    /// # Errors
    /// [`OpenError::Stopped`] if the client is to stop, or if the provider returned a target that
    /// failed for good before; [`OpenError::Failed`] if the attempt failed.
    async fn open_transport(&mut self) -> Result<(Transport, PeerAddress), OpenError> {
        // Ask the provider.
        let target = match until_stop(self.shared, pin!(self.ask_provider())).await {
            Ok(Ok(target)) => target,
            Ok(Err(error)) => {
                self.emit_attempt(&self.options.target);
                return Err(OpenError::Failed(error.into()));
            }
            Err(Stop) => return Err(OpenError::Stopped(StopCause::Requested)),
        };
        // The same target would be refused again, for good.
        if let Some(cause) = self.final_cause.take()
            && self
                .last_target
                .as_ref()
                .is_some_and(|last| last.is_same_as(&target))
        {
            return Err(OpenError::Stopped(cause));
        }

        // Connect.
        self.emit_attempt(&target);
        let opened = until_stop(self.shared, pin!(transport::open(&target.transport))).await;
        if !self.options.provider.is_static() {
            self.last_target = Some(Box::new(target));
        }
        match opened {
            Ok(Ok((transport, opened))) => {
                let peer = opened.peer.clone();
                self.shared.emit(Event::Opened(Box::new(opened)));
                Ok((transport, peer))
            }
            Ok(Err(error)) => Err(OpenError::Failed(error.into())),
            Err(Stop) => Err(OpenError::Failed(ConnectError::Requested)),
        }
    }

    async fn ask_provider(&self) -> Result<Target, ProviderError> {
        let call = self.options.provider.provide(NextAttempt {
            number: self.attempt,
            target: self.options.target.clone(),
            last: self.last_end.clone(),
        });
        let within = self.options.provide_within;
        match tokio::time::timeout(within, call).await {
            Ok(provided) => provided,
            Err(_) => Err(ProviderError::retryable(format_args!(
                "the provider took longer than {within:?}"
            ))),
        }
    }

    fn emit_attempt(&self, target: &Target) {
        let client_id = self
            .shared
            .lock(|state| state.engine.client_id().to_owned());
        // The host of a Unix domain socket is never connected to.
        let transport = &target.transport;
        let (host, port) = match &transport.unix_socket {
            Some(path) => (format!("unix:{}", path.display()), 0),
            None => (transport.host.clone(), transport.port),
        };
        self.shared.emit(Event::Attempt {
            attempt: self.attempt,
            host,
            port,
            client_id,
        });
    }

    /// Reports a failed attempt or a lost connection, and the time until the next attempt.
    fn report(&self, end: &EndCause, retry: Retry, retry_in: Option<Duration>) {
        if let (Retry::Slow, Some(retry_in)) = (retry, retry_in) {
            warn!(target: log::CONNECTION, cause = %end, ?retry_in, "trying again slowly");
        }
        self.shared.emit(Event::Disconnected {
            cause: end.clone(),
            retry_in,
        });
    }
}
