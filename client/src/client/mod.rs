//! The handle that applications hold: started, watched, stopped. What it is asked for has rooms of
//! its own.

pub(crate) mod acknowledgement;
mod publish;
pub(crate) mod receipt;
pub(crate) mod request;
pub(crate) mod subscribe;
mod subscription;

pub use acknowledgement::Acknowledgement;
pub use receipt::Receipt;
pub use subscribe::SubscribeOptions;
pub use subscription::{Subscription, Unmatched};

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use crate::disconnect::Farewell;
use crate::engine::{Accepted, Engine, Session, Statistics};
use crate::error::{RequestError, StopCause};
use crate::event::Event;
use crate::options::{CleanStart, ConnectOptions, OptionsError};
use crate::runtime::backoff::{Backoff, Reconnect};
use crate::runtime::clock::now;
use crate::runtime::driver::{self, Plan};
use crate::runtime::observer::Observer;
use crate::runtime::provider::{Provider, Target};
use crate::runtime::router::{LAST_IDENTIFIER, Router};
use crate::runtime::shared::Shared;
use crate::store::Store;
use crate::transport::TransportOptions;

/// Where to connect to, as whom, and how often to try.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The way to the server.
    pub transport: TransportOptions,
    /// What is said in CONNECT, and what the client promises itself.
    pub connect: ConnectOptions,
    /// Is asked before every attempt; by default it brings the way, the user name and the password
    /// from here.
    pub provider: Provider,
    /// How long an answer of the provider is waited for.
    pub provide_within: Duration,
    /// When to connect again.
    pub reconnect: Reconnect,
    /// How long [`Client::connect`] waits for the first connection.
    pub connect_within: Duration,
    /// Sees every packet on the wire; `None` for nobody.
    pub observer: Option<Observer>,
}

impl Default for ClientOptions {
    /// [`new`](Self::new) with the defaults of both: plain TCP to `localhost`, port 1883, and a
    /// client identifier that the server assigns.
    fn default() -> Self {
        Self::new(TransportOptions::default(), ConnectOptions::default())
    }
}

impl ClientOptions {
    /// With the defaults: a minute for the first connection, and reconnecting for as long as it may
    /// help.
    #[must_use]
    pub fn new(transport: TransportOptions, connect: ConnectOptions) -> Self {
        Self {
            transport,
            connect,
            provider: Provider::default(),
            provide_within: Duration::from_secs(30),
            reconnect: Reconnect::default(),
            connect_within: Duration::from_secs(60),
            observer: None,
        }
    }
}

/// A client, connected or on its way there. Clones are handles of the same client; when the last
/// one is dropped, the client disconnects and ends.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// How long a request waits for room, and for its acknowledgement.
    ack_timeout: Duration,
}

/// The steps in a client's life, from the first attempt on. Up to 1,024 wait to be taken; the
/// oldest go first.
#[derive(Debug)]
#[must_use = "events are lost when nobody reads them"]
pub struct Events {
    shared: Arc<Shared>,
}

/// How long accepted requests get to finish when the last handle is dropped.
const FLUSH_ON_DROP: Duration = Duration::from_secs(1);
const FLUSH_ON_DISCONNECT: Duration = Duration::from_secs(5);

impl Client {
    /// Starts a client in the current tokio runtime and returns at once; what is asked of it waits
    /// for a connection.
    ///
    /// There is no limit in time for the first connection. A server that isn't there yet, a name
    /// that isn't found or a clock that isn't set yet is followed by another attempt; refused
    /// credentials end the client with [`Event::Stopped`]. The whole table is in the
    /// documentation of [`Reconnect`].
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(options: ClientOptions) -> Self {
        let router = Router::new(first_identifier(options.connect.clean_start));
        let engine = Engine::new(options.connect.clone());
        Self::run(options, engine, router, None, None)
    }

    /// As [`start`](Self::start), going on with the session of another client, which
    /// [`disconnect_keeping_session`](Self::disconnect_keeping_session) gave: its unacknowledged
    /// messages are sent before all others, its subscriptions stay. What the server sends for
    /// those waits until they are subscribed to again, or goes
    /// to [`unmatched`](Self::unmatched); see [`unmatched_wait`](ConnectOptions::unmatched_wait).
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start_with_session(options: ClientOptions, session: Session) -> Self {
        let router = Router::new(first_identifier(CleanStart::Never));
        let mut engine = Engine::with_session(options.connect.clone(), session);
        // Nobody keeps it any more, if anybody did.
        engine.close_journal();
        Self::run(options, engine, router, None, None)
    }

    pub(crate) fn run(
        options: ClientOptions,
        engine: Engine,
        router: Router,
        store: Option<Box<dyn Store>>,
        first_event: Option<Event>,
    ) -> Self {
        let ack_timeout = options.connect.ack_timeout;
        let connect = &options.connect;
        let mut reconnect = options.reconnect;
        if let Some(limits) = &connect.limits {
            reconnect.min_delay = reconnect.min_delay.max(limits.connect_interval);
            reconnect.max_delay = reconnect.max_delay.max(reconnect.min_delay);
            reconnect.slow_min_delay = reconnect.slow_min_delay.max(limits.connect_interval);
            reconnect.slow_max_delay = reconnect.slow_max_delay.max(reconnect.slow_min_delay);
        }
        let connect_interval = connect
            .limits
            .map_or(Duration::ZERO, |limits| limits.connect_interval);
        let plan = Plan {
            target: Target::new(
                options.transport,
                connect.username.clone(),
                connect.password.clone(),
            ),
            provider: options.provider,
            provide_within: options.provide_within,
            backoff: Backoff::new(reconnect),
            connect_interval,
        };
        let mut engine = engine;
        engine.share_identifiers();
        let shared = Arc::new(Shared::new(engine, router));
        shared.with(|state| {
            state.observer = options.observer;
            state.kept = store.is_some().then(Box::default);
        });
        first_event.into_iter().for_each(|event| shared.tell(event));
        tokio::spawn(driver::run(Arc::clone(&shared), plan, store));
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
    /// [`Reconnect::max_attempts`] allows, until [`ClientOptions::connect_within`] is over. The
    /// table of the classes is in the documentation of [`Reconnect`].
    ///
    /// Cancel safe: a dropped future ends the client.
    ///
    /// # Errors
    /// [`StopCause::Connect`] for a failure of the class [`Retry::Final`](crate::Retry::Final), or
    /// after [`Reconnect::max_attempts`]; [`StopCause::TimedOut`], with the cause of the last
    /// failed attempt, after [`ClientOptions::connect_within`].
    pub async fn connect(options: ClientOptions) -> Result<Self, StopCause> {
        let within = options.connect_within;
        let client = Self::start(options);
        client.until_connected(within).await?;
        Ok(client)
    }

    /// Whether there is a connection that a server has accepted. It may end at any time; requests
    /// need not wait for it.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.shared().aside(|state| state.engine.is_connected())
    }

    /// Waits until a server has accepted this client, or until there is no further attempt. Returns
    /// at once while there is a connection.
    ///
    /// Cancel safe.
    ///
    /// # Errors
    /// Why there is none, and won't be. After [`StopCause::TimedOut`] attempts go on.
    pub async fn until_connected(&self, within: Duration) -> Result<(), StopCause> {
        let accepted = poll_fn(|cx| {
            self.shared().with(|state| {
                if let Some(cause) = &state.stopped {
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
            Err(_) => {
                let last = self.shared().with(|state| state.last_failure.clone());
                Err(StopCause::TimedOut {
                    after: within,
                    last,
                })
            }
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.handle.shared
    }

    pub(crate) fn ack_timeout(&self) -> Duration {
        self.handle.ack_timeout
    }

    /// The steps in this client's life since it was started. Each goes to one reader: take this
    /// once.
    pub fn events(&self) -> Events {
        Events {
            shared: Arc::clone(&self.handle.shared),
        }
    }

    /// Makes the next attempt to connect now instead of after its delay. For an application that
    /// learns that the network is back.
    ///
    /// The delays after further failures start from the shortest again. If an attempt is under way,
    /// and fails, the next one follows at once. Nothing happens while the client is connected
    /// or has stopped. The [`connect_interval`](crate::aws::ServiceLimits::connect_interval) of
    /// a service is kept.
    pub fn reconnect_now(&self) {
        self.handle.shared.with(|state| {
            if !state.engine.is_connected() {
                state.reconnect_now = true;
                state.call_driver();
            }
        });
    }

    /// Authenticates again on the connection that there is (§4.12.1), and waits until both sides
    /// are satisfied. Other requests go on meanwhile; a failure ends the connection, and the
    /// next one authenticates anew.
    ///
    /// Cancel safe: a dropped future doesn't call it off.
    ///
    /// # Errors
    /// [`RequestError::Reauthentication`] says what was missing or went wrong.
    pub async fn reauthenticate(&self) -> Result<(), RequestError> {
        let operation = self
            .handle
            .shared
            .with(|state| state.engine.reauthenticate(now()))?;
        Receipt::new(&self.handle.shared, Accepted::Pending(operation))
            .outcome()
            .await
            .map(drop)
    }

    /// What DISCONNECT will say when this client leaves, instead of [`ConnectOptions::farewell`].
    ///
    /// # Errors
    /// [`OptionsError::Farewell`] if it prolongs a session that ends with its connection,
    /// [`OptionsError::FarewellReasonCode`] for a reason code that a client may not send,
    /// [`OptionsError::Text`] for text that the wire has no form for. Nothing was changed.
    pub fn set_farewell(&self, farewell: Farewell) -> Result<(), OptionsError> {
        self.handle
            .shared
            .with(|state| state.engine.set_farewell(farewell))
    }

    /// What this client has done so far, and what it holds now.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.handle.shared.with(|state| {
            let mut statistics = state.engine.statistics();
            statistics.dropped_messages.stream_full = state.router.stream_full();
            statistics
        })
    }

    /// Lets accepted requests finish for up to five seconds, says DISCONNECT, closes, and waits
    /// until that is done. The server forgets the session, unless it is kept
    /// ([`Farewell::session_expiry_interval`]). While there is no connection, and requests wait
    /// for one, attempts go on for that time; what isn't done then fails with
    /// [`RequestError::Stopped`].
    ///
    /// Cancel safe: a dropped future doesn't call the end off.
    pub async fn disconnect(&self) {
        self.disconnect_within(FLUSH_ON_DISCONNECT).await;
    }

    /// As [`disconnect`](Self::disconnect), with this time for accepted requests. If it is asked
    /// for more than once, the earliest end counts.
    ///
    /// Cancel safe: a dropped future doesn't call the end off.
    pub async fn disconnect_within(&self, flush_for: Duration) {
        self.handle.shared.request_stop(flush_for);
        self.handle.shared.until_stopped().await;
    }

    /// Says DISCONNECT, closes, and gives the session: what wasn't acknowledged goes on with
    /// [`start_with_session`](Self::start_with_session), though its receipts fail here with
    /// [`RequestError::Stopped`]. Received messages that nobody took come again. A store has
    /// the session as well: go on with one of the two. `None` from a client that has stopped
    /// before.
    ///
    /// Cancel safe: a dropped future doesn't call the end off, and the next call gives the session.
    pub async fn disconnect_keeping_session(&self) -> Option<Session> {
        let shared = &self.handle.shared;
        shared.with(|state| state.keeps_session = true);
        shared.request_stop(Duration::ZERO);
        self.handle.shared.until_stopped().await;
        shared
            .with(|state| state.kept_session.take())
            .map(|session| *session)
    }
}

/// The server of a session that was begun elsewhere may know identifiers from there: those of this
/// client are other ones.
pub(crate) fn first_identifier(clean_start: CleanStart) -> u32 {
    match clean_start {
        CleanStart::First | CleanStart::Always => 1,
        CleanStart::Never => fastrand::u32(1..=LAST_IDENTIFIER),
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.request_stop(FLUSH_ON_DROP);
    }
}

impl futures_core::Stream for Events {
    type Item = Event;

    fn poll_next(
        self: std::pin::Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Event>> {
        self.shared.with(|state| state.poll_event(cx))
    }
}

impl Events {
    /// The next step; `None` after [`Event::Stopped`].
    ///
    /// Cancel safe: a step that wasn't returned comes next time.
    pub async fn next(&mut self) -> Option<Event> {
        poll_fn(|cx| self.shared.with(|state| state.poll_event(cx))).await
    }
}
