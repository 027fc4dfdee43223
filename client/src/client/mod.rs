//! `Client`: the handle that applications hold.

mod acknowledgement;
mod events;
mod options;
mod publish;
mod receipt;
mod request;
mod request_handle;
mod stored;
mod subscribe;
mod subscription;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

pub use self::acknowledgement::Acknowledgement;
pub use self::events::Events;
pub use self::options::ClientOptions;
pub use self::receipt::Receipt;
use self::request_handle::{Reauthenticated, RequestHandle};
pub use self::subscribe::SubscribeOptions;
pub use self::subscription::{Subscription, Unmatched};
use crate::disconnect::DisconnectOptions;
use crate::engine::{Engine, Session, Statistics};
use crate::error::{OptionsError, RequestError, StopCause};
use crate::event::Event;
use crate::policy::CleanStart;
use crate::runtime::clock::now;
use crate::runtime::driver;
use crate::runtime::router::Router;
use crate::runtime::shared::Shared;
use crate::runtime::state::Handover;
use crate::store::Store;
use crate::transport::StreamOpener;

/// Time that accepted requests get to finish when the last handle is dropped.
const FLUSH_ON_DROP: Duration = Duration::from_secs(1);
/// Time that accepted requests get to finish in [`Client::disconnect`].
const FLUSH_ON_DISCONNECT: Duration = Duration::from_secs(5);

/// MQTT client that connects, and connects again, by itself.
///
/// Clones are handles of the same client. When the last handle is dropped, the client gives
/// accepted requests one second, disconnects, and stops.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// Maximum time for which a publisher waits for space in the queue.
    ack_timeout: Duration,
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.request_stop(FLUSH_ON_DROP);
    }
}

/// Parts of a client that differ by how it is started.
struct StartParts {
    engine: Engine,
    router: Router,
    store: Option<Box<dyn Store>>,
    first_event: Option<Event>,
}

impl Client {
    /// Starts a client in the current tokio runtime and returns at once. Requests wait for a
    /// connection.
    ///
    /// There is no time limit for the first connection. A server that doesn't listen yet, a name
    /// that can't be resolved or a clock that isn't set yet is followed by another attempt; refused
    /// credentials stop the client with [`Event::Stopped`]. The documentation of
    /// [`Reconnect`](crate::Reconnect) has the whole table.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(options: ClientOptions) -> Self {
        let router = Router::new(options.first_identifier(options.connect.clean_start));
        let engine = Engine::new(options.connect.clone());
        Self::start_from(
            options,
            StartParts {
                engine,
                router,
                store: None,
                first_event: None,
            },
        )
    }

    /// Like [`start`](Self::start), with the session of another client, which
    /// [`disconnect_keeping_session`](Self::disconnect_keeping_session) returned.
    ///
    /// Unacknowledged messages of the session are sent before all others, and its subscriptions
    /// stay. Messages for those wait until the application subscribes again, or go to
    /// [`unmatched`](Self::unmatched); see
    /// [`unmatched_wait`](crate::ConnectOptions::unmatched_wait).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start_with_session(options: ClientOptions, session: Session) -> Self {
        let router = Router::new(options.first_identifier(CleanStart::Never));
        let mut engine = Engine::with_session(options.connect.clone(), session);
        // The new client has no store, so the session stops recording changes.
        engine.recorder().stop();
        Self::start_from(
            options,
            StartParts {
                engine,
                router,
                store: None,
                first_event: None,
            },
        )
    }

    fn start_from(options: ClientOptions, parts: StartParts) -> Self {
        // The driver runs as a task of its own; handles and driver share only the state.
        let StartParts {
            mut engine,
            router,
            store,
            first_event,
        } = parts;
        let ack_timeout = options.connect.ack_timeout;
        let (observer, options) = options.into_driver_options();
        engine.share_identifiers();
        let shared = Arc::new(Shared::new(engine, router));
        shared.lock_and_notify(|state| {
            state.observer = observer;
            state.store = store.is_some().then(Box::default);
        });
        shared.emit_all(first_event.into_iter().collect());
        tokio::spawn(driver::run(Arc::clone(&shared), options, store));
        Self {
            handle: Arc::new(Handle {
                shared,
                ack_timeout,
            }),
        }
    }

    /// Starts a client and waits until a server has accepted it.
    ///
    /// After a failure of the class [`Retry::Transient`](crate::Retry::Transient) or
    /// [`Retry::Slow`](crate::Retry::Slow) it tries again, as often as
    /// [`Reconnect::max_attempts`](crate::Reconnect::max_attempts) allows, until
    /// [`ClientOptions::connect_within`] is over. The table of the classes is in the documentation
    /// of [`Reconnect`](crate::Reconnect).
    ///
    /// Cancel safe: dropping the future stops the client.
    ///
    /// # Errors
    /// * [`StopCause::Final`]: an attempt failed with the class
    ///   [`Retry::Final`](crate::Retry::Final), or was the last that
    ///   [`Reconnect::max_attempts`](crate::Reconnect::max_attempts) allows.
    /// * [`StopCause::TimedOut`]: [`ClientOptions::connect_within`] is over. It has the cause of the
    ///   last failed attempt.
    pub async fn connect(options: ClientOptions) -> Result<Self, StopCause> {
        let within = options.connect_within;
        let client = Self::start(options);
        client.until_connected(within).await?;
        Ok(client)
    }

    /// Like [`start`](Self::start), over byte streams of the application: a QUIC stream, a serial port,
    /// a pipe in a test. `opener` is called for each attempt; host and port of the options are names
    /// alone then.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start_over(mut options: ClientOptions, opener: StreamOpener) -> Self {
        options.transport.stream_opener = Some(opener);
        Self::start(options)
    }

    /// Like [`connect`](Self::connect), over byte streams of the application; see
    /// [`start_over`](Self::start_over).
    ///
    /// Cancel safe: dropping the future stops the client.
    ///
    /// # Errors
    /// Like [`connect`](Self::connect).
    pub async fn connect_over(
        mut options: ClientOptions,
        opener: StreamOpener,
    ) -> Result<Self, StopCause> {
        options.transport.stream_opener = Some(opener);
        Self::connect(options).await
    }

    /// True if there is a connection that a server has accepted. It may end at any time; requests
    /// need not wait for it.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared()
            .lock_quietly(|state| state.engine.is_connected())
    }

    /// Waits until a server has accepted this client, for at most `within`. Returns at once while
    /// there is a connection.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// * [`StopCause::TimedOut`]: `within` is over. The client goes on trying.
    /// * Other variants: the client has stopped.
    pub async fn until_connected(&self, within: Duration) -> Result<(), StopCause> {
        let accepted = poll_fn(|cx| {
            self.shared().lock_and_notify(|state| {
                // Both states are checked under the lock that registers the waker, so no change is
                // missed.
                if let Some(cause) = state.lifecycle.stop_cause() {
                    return Poll::Ready(Err(cause.clone()));
                }
                if state.engine.is_connected() {
                    return Poll::Ready(Ok(()));
                }
                state.watch(cx);
                Poll::Pending
            })
        });
        match tokio::time::timeout(within, accepted).await {
            Ok(accepted) => accepted,
            Err(_) => Err(StopCause::TimedOut {
                after: within,
                last: self
                    .shared()
                    .lock_quietly(|state| state.last_failure.clone()),
            }),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    /// Maximum time for which a publisher waits for space in the queue.
    pub(crate) fn ack_timeout(&self) -> Duration {
        self.handle.ack_timeout
    }

    /// Returns the lifecycle events since the client was started. Each event goes to one reader:
    /// call this once.
    pub fn events(&self) -> Events {
        Events::new(self.shared())
    }

    /// Makes the next attempt to connect now instead of after its delay: for an application that
    /// learns that the network is back.
    ///
    /// The delays after further failures start from the shortest again. If an attempt is under way,
    /// and fails, the next one follows at once. The
    /// [`connect_interval`](crate::aws::ServiceLimits::connect_interval) of a service is respected.
    /// Nothing happens while the client is connected or has stopped.
    pub fn reconnect_now(&self) {
        self.shared().lock_and_notify(|state| {
            // A request during a connection would otherwise skip the delay after its end.
            if !state.engine.is_connected() {
                state.reconnect_now = true;
                state.wake_driver();
            }
        });
    }

    /// Sends PINGREQ, whether the keep alive asks for it or not, and waits for PINGRESP (§3.12).
    ///
    /// Returns the time between the two; `None` if there is no connection, or if it ended before the
    /// answer: the events have the reason. A server that doesn't answer within
    /// [`ConnectOptions::ping_timeout`](crate::ConnectOptions::ping_timeout) ends the connection,
    /// unless the keep alive is off: then there is no limit. The answer to another PINGREQ that was
    /// under way counts as well.
    ///
    /// Cancel safe.
    pub async fn ping(&self) -> Option<Duration> {
        let began = now();
        let before = self.shared().lock_and_notify(|state| {
            let before = state.engine.statistics();
            state.engine.ping(began).then_some(before)
        })?;
        poll_fn(|cx| {
            self.shared().lock_quietly(|state| {
                let statistics = state.engine.statistics();
                if statistics.pings_answered > before.pings_answered {
                    return Poll::Ready(Some(now().saturating_duration_since(began)));
                }
                // Another connection has taken the place of the one that the ping was sent on.
                let is_same = statistics.connections == before.connections;
                if !is_same || !state.engine.is_connected() {
                    return Poll::Ready(None);
                }
                state.watch_for_pong(cx);
                Poll::Pending
            })
        })
        .await
    }

    /// Authenticates again on the present connection (§4.12.1), and waits until both sides are
    /// done. Other requests go on meanwhile. A failure ends the connection, and the next one
    /// authenticates from the beginning.
    ///
    /// Cancel safe: dropping the future doesn't take the request back.
    ///
    /// # Errors
    /// * [`RequestError::Reauthentication`]: something is missing or went wrong.
    /// * [`RequestError::Stopped`]: the client has stopped.
    pub async fn reauthenticate(&self) -> Result<(), RequestError> {
        let id = self.shared().lock_and_notify(|state| {
            state.lifecycle.check_running()?;
            state.engine.reauthenticate(now())
        })?;
        let Reauthenticated = RequestHandle::new(self.shared(), id).outcome().await?;
        Ok(())
    }

    /// Sets the content of the DISCONNECT that this client sends when it stops, instead of
    /// [`ConnectOptions::disconnect`](crate::ConnectOptions::disconnect).
    ///
    /// # Errors
    /// Nothing is changed.
    /// * [`OptionsError::DisconnectSessionExpiry`]: a Session Expiry Interval above 0, where CONNECT had 0 or none.
    /// * [`OptionsError::DisconnectReasonCode`]: a reason code that a client may not send.
    /// * [`OptionsError::Text`]: text that can't be encoded.
    pub fn set_disconnect(&self, disconnect: DisconnectOptions) -> Result<(), OptionsError> {
        self.shared()
            .lock_and_notify(|state| state.engine.set_disconnect(disconnect))
    }

    /// Counters and gauges of this client.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared().lock_and_notify(|state| {
            let mut statistics = state.engine.statistics();
            statistics.dropped_messages.stream_full = state.router.stream_full();
            statistics
        })
    }

    /// Lets accepted requests finish for up to five seconds, sends DISCONNECT, closes the
    /// connection, and waits until that is done.
    ///
    /// The server forgets the session, unless the session goes on
    /// ([`DisconnectOptions::session_expiry_interval`]). Without a connection, while requests wait for one,
    /// the client goes on trying for that time. Requests that aren't done then fail with
    /// [`RequestError::Stopped`].
    ///
    /// Cancel safe: dropping the future doesn't take the request to stop back.
    pub async fn disconnect(&self) {
        self.disconnect_within(FLUSH_ON_DISCONNECT).await;
    }

    /// Like [`disconnect`](Self::disconnect), with this time for accepted requests. Of several calls,
    /// the earliest end counts.
    ///
    /// Cancel safe: dropping the future doesn't take the request to stop back.
    pub async fn disconnect_within(&self, flush_for: Duration) {
        self.shared().request_stop(flush_for);
        self.shared().until_stopped().await;
    }

    /// Sends DISCONNECT, closes the connection, and returns the session, for
    /// [`start_with_session`](Self::start_with_session); `None` if the client had stopped before.
    ///
    /// Unacknowledged messages go on in the session, though their receipts fail here with
    /// [`RequestError::Stopped`]. Received messages that nobody has read come again. A store has
    /// the session as well: go on with one of the two.
    ///
    /// Cancel safe: dropping the future doesn't take the request to stop back, and the next call
    /// returns the session.
    pub async fn disconnect_keeping_session(&self) -> Option<Session> {
        self.shared().lock_and_notify(|state| {
            // Ask for the session before the stop, so that the driver keeps it; take it when the
            // driver has finished.
            if matches!(state.handover, Handover::NotWanted) {
                state.handover = Handover::Wanted;
            }
        });
        self.shared().request_stop(Duration::ZERO);
        self.shared().until_stopped().await;
        self.shared()
            .lock_and_notify(|state| match std::mem::take(&mut state.handover) {
                Handover::Ready(session) => Some(*session),
                // Another task has taken it, or the client had stopped before.
                Handover::NotWanted | Handover::Wanted => None,
            })
    }
}
