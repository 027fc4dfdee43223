//! The handle that applications hold: publish, subscribe, watch, disconnect.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use dunlin_codec::{PacketType, SubscriptionOptions};

use crate::QoS;
use crate::backoff::Reconnect;
use crate::driver::{self, now};
use crate::engine::{Accepted, Answered, Engine, OperationId, Outcome};
use crate::error::{RequestError, ServerReason, StopCause};
use crate::event::Event;
use crate::message::Message;
use crate::options::ConnectOptions;
use crate::receipt::Receipt;
use crate::router::Router;
use crate::shared::Shared;
use crate::subscription::Subscription;
use crate::transport::TransportOptions;

/// Where to connect to, as whom, and how often to try.
#[derive(Debug, Clone)]
pub struct ClientOptions {
    /// The way to the server.
    pub transport: TransportOptions,
    /// What is said in CONNECT, and what the client promises itself.
    pub connect: ConnectOptions,
    /// When to connect again.
    pub reconnect: Reconnect,
    /// How long [`Client::connect`] waits for the first connection.
    pub connect_within: Duration,
}

impl ClientOptions {
    /// With the defaults: a minute for the first connection, and reconnecting for as long as it may help.
    #[must_use]
    pub fn new(transport: TransportOptions, connect: ConnectOptions) -> Self {
        let connect_within = Duration::from_secs(60);
        Self { transport, connect, reconnect: Reconnect::default(), connect_within }
    }
}

/// A client, connected or on its way there. Clones are handles of the same client; when the last one is dropped, the
/// client disconnects and ends.
#[derive(Debug, Clone)]
pub struct Client {
    handle: Arc<Handle>,
}

#[derive(Debug)]
struct Handle {
    shared: Arc<Shared>,
    /// How long accepted requests get to finish when the client is asked to stop, and to be acknowledged.
    ack_timeout: Duration,
}

/// The steps in a client's life, from the first attempt on. Up to 1,024 wait to be taken; the oldest go first.
#[derive(Debug)]
pub struct Events {
    shared: Arc<Shared>,
}

/// How long accepted requests get to finish when the last handle is dropped.
const FLUSH_ON_DROP: Duration = Duration::from_secs(1);
const FLUSH_ON_DISCONNECT: Duration = Duration::from_secs(5);

impl Client {
    /// Starts a client in the current tokio runtime and returns at once; what is asked of it waits for a connection.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(options: ClientOptions) -> Self {
        let ack_timeout = options.connect.ack_timeout;
        let shared = Arc::new(Shared::new(Engine::new(options.connect), Router::default()));
        tokio::spawn(driver::run(Arc::clone(&shared), options.transport, options.reconnect));
        Self { handle: Arc::new(Handle { shared, ack_timeout }) }
    }

    /// Starts a client and waits until a server has accepted it: as long as another attempt may help, [`Reconnect`]
    /// allows it, and [`ClientOptions::connect_within`] isn't over.
    ///
    /// Cancel safe: a dropped future ends the client.
    ///
    /// # Errors
    /// Why there will be no connection.
    pub async fn connect(options: ClientOptions) -> Result<Self, StopCause> {
        let within = options.connect_within;
        let client = Self::start(options);
        let accepted = poll_fn(|cx| {
            client.handle.shared.with(|state| {
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
            Ok(accepted) => accepted.map(|()| client),
            Err(_) => {
                let last = client.handle.shared.with(|state| state.last_failure.clone());
                Err(StopCause::TimedOut { after: within, last })
            }
        }
    }

    /// The steps in this client's life since it was started. Each goes to one reader: take this once.
    #[must_use]
    pub fn events(&self) -> Events {
        Events { shared: Arc::clone(&self.handle.shared) }
    }

    /// Hands a message over. Waits while the queue is full, for [`ConnectOptions::ack_timeout`] at most.
    ///
    /// Cancel safe: a dropped future hasn't handed it over.
    ///
    /// # Errors
    /// A topic that isn't one; what the server doesn't take; a queue that stays full; a client that has stopped.
    pub async fn publish(&self, message: Message<'_>) -> Result<Receipt, RequestError> {
        let room = poll_fn(|cx| match self.try_publish(message) {
            Err(RequestError::QueueFull { .. }) => {
                self.handle.shared.with(|state| state.watch_room(cx));
                // Room may have come between the two looks.
                match self.try_publish(message) {
                    Err(RequestError::QueueFull { .. }) => Poll::Pending,
                    done => Poll::Ready(done),
                }
            }
            done => Poll::Ready(done),
        });
        match tokio::time::timeout(self.handle.ack_timeout, room).await {
            Ok(done) => done,
            Err(_) => self.try_publish(message),
        }
    }

    /// Hands a message over, or says at once that there is no room.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn try_publish(&self, message: Message<'_>) -> Result<Receipt, RequestError> {
        let shared = &self.handle.shared;
        let accepted = shared.with(|state| match &state.stopped {
            Some(cause) => Err(RequestError::Stopped(cause.clone())),
            None => state.engine.publish(&message, now()),
        })?;
        Ok(Receipt::new(shared, accepted))
    }

    /// Subscribes with the default options; see [`subscribe_with`](Self::subscribe_with).
    ///
    /// # Errors
    /// As [`subscribe_with`](Self::subscribe_with).
    pub async fn subscribe(&self, filter: &str, qos: QoS) -> Result<Subscription, RequestError> {
        self.subscribe_with(filter, SubscriptionOptions { qos, ..SubscriptionOptions::default() }).await
    }

    /// Asks for the messages of `filter` and waits for the server's answer: a stream of them. After a connection that
    /// the server has forgotten everything of, the subscription is asked for again.
    ///
    /// Cancel safe: a dropped future gives the subscription up.
    ///
    /// # Errors
    /// A filter that isn't one; what the server doesn't have; a refusal; no answer; a client that has stopped.
    pub async fn subscribe_with(
        &self,
        filter: &str,
        options: SubscriptionOptions,
    ) -> Result<Subscription, RequestError> {
        let shared = &self.handle.shared;
        let (key, operation) = shared.with(|state| {
            if let Some(cause) = &state.stopped {
                return Err(RequestError::Stopped(cause.clone()));
            }
            let operation = state.engine.subscribe(&[(filter, options)])?;
            Ok((state.router.open(filter), operation))
        })?;
        // Messages may come before SUBACK: the stream is there first. [U-3.8.4-1]
        let mut subscription = Subscription::new(shared, key, filter);
        let answer = self.answered(operation).await?;
        match answer.reason_codes.first() {
            Some(code) if !code.is_error() => {
                subscription.granted(answer);
                Ok(subscription)
            }
            _ => {
                shared.with(|state| state.router.end_stream(key));
                Err(refused(PacketType::SubAck, answer))
            }
        }
    }

    /// Ends the subscription to `filter` and waits for the server's answer. Its streams end when they are drained.
    ///
    /// # Errors
    /// As [`subscribe_with`](Self::subscribe_with).
    pub async fn unsubscribe(&self, filter: &str) -> Result<Answered, RequestError> {
        let operation = self.handle.shared.with(|state| {
            if let Some(cause) = &state.stopped {
                return Err(RequestError::Stopped(cause.clone()));
            }
            let operation = state.engine.unsubscribe(&[filter])?;
            state.router.end(filter);
            Ok(operation)
        })?;
        let answer = self.answered(operation).await?;
        match answer.reason_codes.first() {
            Some(code) if !code.is_error() => Ok(answer),
            _ => Err(refused(PacketType::UnsubAck, answer)),
        }
    }

    /// Authenticates again on the connection that there is (§4.12.1), and waits until both sides are satisfied. Other
    /// requests go on meanwhile; a failure ends the connection, and the next one authenticates anew.
    ///
    /// Cancel safe: a dropped future doesn't call it off.
    ///
    /// # Errors
    /// [`RequestError::Reauthentication`] says what was missing or went wrong.
    pub async fn reauthenticate(&self) -> Result<(), RequestError> {
        let operation = self.handle.shared.with(|state| state.engine.reauthenticate(now()))?;
        Receipt::new(&self.handle.shared, Accepted::Pending(operation)).outcome().await.map(drop)
    }

    /// Messages that came for no stream. They were acknowledged.
    #[must_use]
    pub fn unrouted(&self) -> u64 {
        self.handle.shared.with(|state| state.router.unrouted())
    }

    /// Lets accepted requests finish for up to five seconds, says DISCONNECT, closes, and waits until that is done. While
    /// there is no connection nothing is waited for: requests fail at once.
    ///
    /// A dropped future doesn't call the end off.
    pub async fn disconnect(&self) {
        self.disconnect_within(FLUSH_ON_DISCONNECT).await;
    }

    /// As [`disconnect`](Self::disconnect), with this time for accepted requests. If it is asked for more than once, the
    /// earliest end counts.
    pub async fn disconnect_within(&self, flush_for: Duration) {
        let shared = &self.handle.shared;
        shared.request_stop(flush_for);
        poll_fn(|cx| {
            shared.with(|state| {
                if state.stopped.is_some() {
                    return Poll::Ready(());
                }
                state.watch(cx);
                Poll::Pending
            })
        })
        .await;
    }

    async fn answered(&self, operation: OperationId) -> Result<Answered, RequestError> {
        match Receipt::new(&self.handle.shared, Accepted::Pending(operation)).outcome().await? {
            Outcome::Answered(answer) => Ok(answer),
            Outcome::Published(_) | Outcome::Reauthenticated => Err(RequestError::SessionLost),
        }
    }
}

fn refused(packet_type: PacketType, answer: Answered) -> RequestError {
    RequestError::Refused(ServerReason {
        packet_type,
        reason_code: answer
            .reason_codes
            .first()
            .copied()
            .unwrap_or(crate::codec::ReasonCode::UnspecifiedError),
        reason_string: answer.reason_string,
        user_properties: answer.user_properties,
        server_reference: None,
    })
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.request_stop(FLUSH_ON_DROP);
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
