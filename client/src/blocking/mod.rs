//! Client for programs without tokio: the same names, and every wait has a timeout.
//!
//! Each client has one thread of its own that does the work; the calling thread only waits. Use it
//! outside of async code only: waiting there panics.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use dunlin_client::blocking::Client;
//! use dunlin_client::transport::TransportOptions;
//! use dunlin_client::{ClientOptions, ConnectOptions, Message, QoS};
//!
//! # fn example(transport: TransportOptions) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(ClientOptions::new(transport, ConnectOptions::new("lamp-7")))?;
//! let mut lamps = client.subscribe("lamp/+", QoS::AtLeastOnce)?;
//! client.publish(Message::new("lamp/7", "on").qos(QoS::AtLeastOnce))?.wait(Duration::from_secs(5))?;
//! while let Some(message) = lamps.next(Duration::from_secs(60))? {
//!     println!("{}: {} bytes", message.topic(), message.payload().len());
//! }
//! client.disconnect();
//! # Ok(())
//! # }
//! ```

mod runtime;
mod streams;

use std::convert::identity;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::runtime::Runtime;
pub use self::streams::{Events, Receipt, Subscription, TimedOut, Unmatched};
use crate::QoS;
use crate::client::ClientOptions;
use crate::client::SubscribeOptions;
use crate::disconnect::DisconnectOptions;
use crate::engine::{Answered, Session, Statistics};
use crate::error::OptionsError;
use crate::error::{ConnectError, RequestError, StopCause};
use crate::message::{Message, ReceivedMessage};
use crate::runtime::router::StreamLimits;
use crate::store::{Store, StoreError};
use crate::transport::{IoFault, StreamOpener, TransportError};

/// MQTT client that connects, and connects again, by itself. Clones are handles of the same client.
///
/// # Panics
/// All functions that wait panic on a thread that runs asynchronous tasks, where waiting would block
/// the other tasks: use [`crate::Client`] there, or tokio's `spawn_blocking`.
///
/// Dropping the last handle disconnects. The last drop of a handle, a stream or a receipt waits for up
/// to three seconds until that is done, and for five more if the store doesn't answer.
#[derive(Debug, Clone)]
pub struct Client {
    inner: crate::Client,
    runtime: Arc<Runtime>,
}

impl Client {
    /// Starts a client on a thread of its own and returns at once. Requests wait for a connection.
    ///
    /// # Errors
    /// The error of the operating system, if it has no thread or no sockets.
    ///
    /// # Panics
    /// In asynchronous code, before anything is started.
    #[track_caller]
    pub fn start(options: ClientOptions) -> io::Result<Self> {
        let (runtime, inner) = Runtime::start(identity, || Ok(crate::Client::start(options)))?;
        Ok(Self { inner, runtime })
    }

    /// Like [`Client::start_over`](crate::Client::start_over), on a thread of its own.
    ///
    /// # Errors
    /// Like [`start`](Self::start).
    ///
    /// # Panics
    /// In asynchronous code, before anything is started.
    #[track_caller]
    pub fn start_over(mut options: ClientOptions, opener: StreamOpener) -> io::Result<Self> {
        options.transport.stream_opener = Some(opener);
        Self::start(options)
    }

    /// Like [`Client::start_with_session`](crate::Client::start_with_session), on a thread of its
    /// own.
    ///
    /// # Errors
    /// Like [`start`](Self::start). The session is lost.
    ///
    /// # Panics
    /// In asynchronous code, before anything is started.
    #[track_caller]
    pub fn start_with_session(options: ClientOptions, session: Session) -> io::Result<Self> {
        let (runtime, inner) = Runtime::start(identity, || {
            Ok(crate::Client::start_with_session(options, session))
        })?;
        Ok(Self { inner, runtime })
    }

    /// Like [`Client::start_with_store`](crate::Client::start_with_store), on a thread of its own.
    ///
    /// # Errors
    /// [`StoreError::System`] if the operating system has no thread or no sockets; others as in
    /// [`Client::start_with_store`](crate::Client::start_with_store).
    ///
    /// # Panics
    /// In asynchronous code, before anything is started.
    #[track_caller]
    pub fn start_with_store(options: ClientOptions, store: impl Store) -> Result<Self, StoreError> {
        let (runtime, inner) = Runtime::start(StoreError::System, || {
            crate::Client::start_with_store(options, store)
        })?;
        Ok(Self { inner, runtime })
    }

    /// Like [`Client::until_persisted`](crate::Client::until_persisted), for `timeout` at most.
    ///
    /// # Errors
    /// [`RequestError::Timeout`] after `timeout`; [`RequestError::Stopped`] if the client stopped
    /// before.
    pub fn until_persisted(&self, timeout: Duration) -> Result<(), RequestError> {
        let persisted = self.runtime.wait_for(timeout, self.inner.until_persisted());
        persisted.unwrap_or(Err(RequestError::Timeout { after: timeout }))
    }

    /// Starts a client and waits until a server has accepted it, for
    /// [`ClientOptions::connect_within`] at most.
    ///
    /// # Errors
    /// Like [`Client::connect`](crate::Client::connect).
    ///
    /// # Panics
    /// In asynchronous code, before anything is started.
    #[track_caller]
    pub fn connect(options: ClientOptions) -> Result<Self, StopCause> {
        let within = options.connect_within;
        let client = Self::start(options).map_err(|error| {
            let error = TransportError::Io(IoFault::from(&error));
            StopCause::Final(ConnectError::Transport(error).into())
        })?;
        client.until_connected(within)?;
        Ok(client)
    }

    /// Like [`Client::until_connected`](crate::Client::until_connected).
    ///
    /// # Errors
    /// Like [`Client::until_connected`](crate::Client::until_connected).
    pub fn until_connected(&self, within: Duration) -> Result<(), StopCause> {
        self.runtime.wait(self.inner.until_connected(within))
    }

    /// Like [`Client::events`](crate::Client::events).
    #[must_use]
    pub fn events(&self) -> Events {
        Events {
            inner: self.inner.events(),
            runtime: Arc::clone(&self.runtime),
        }
    }

    /// Publishes a message. Waits while the queue is full, for
    /// [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout) at most.
    ///
    /// # Errors
    /// Like [`Client::publish`](crate::Client::publish).
    pub fn publish(&self, message: Message<'_>) -> Result<Receipt, RequestError> {
        Ok(self.receipt(self.runtime.wait(self.inner.publish(message))?))
    }

    /// Publishes a message if the queue has space for it now.
    ///
    /// # Errors
    /// Like [`Client::publish`](crate::Client::publish).
    pub fn try_publish(&self, message: Message<'_>) -> Result<Receipt, RequestError> {
        Ok(self.receipt(self.inner.try_publish(message)?))
    }

    /// Like [`subscribe_with`](Self::subscribe_with), with the default options.
    ///
    /// # Errors
    /// Like [`subscribe_with`](Self::subscribe_with).
    pub fn subscribe(&self, filter: &str, qos: QoS) -> Result<Subscription, RequestError> {
        self.subscribe_with(filter, qos)
    }

    /// Subscribes to a topic filter, and waits for a connection and for the server's answer, for [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout)
    /// in all.
    ///
    /// # Errors
    /// Like [`Client::subscribe_with`](crate::Client::subscribe_with).
    pub fn subscribe_with(
        &self,
        filter: &str,
        options: impl Into<SubscribeOptions>,
    ) -> Result<Subscription, RequestError> {
        let inner = self.answered(self.inner.subscribe_with(filter, options))?;
        Ok(Subscription {
            inner,
            runtime: Arc::clone(&self.runtime),
        })
    }

    /// Like [`Client::subscribe_many`](crate::Client::subscribe_many), waiting as long as
    /// [`subscribe_with`](Self::subscribe_with) does.
    ///
    /// # Errors
    /// Like [`Client::subscribe_many`](crate::Client::subscribe_many).
    pub fn subscribe_many<'a>(
        &self,
        filters: impl IntoIterator<Item = (&'a str, impl Into<SubscribeOptions>)>,
        user_properties: &[(&str, &str)],
    ) -> Result<Vec<Result<Subscription, RequestError>>, RequestError> {
        let granted = self.answered(self.inner.subscribe_many(filters, user_properties))?;
        let subscription = |inner: crate::Subscription| Subscription {
            inner,
            runtime: Arc::clone(&self.runtime),
        };
        Ok(granted
            .into_iter()
            .map(|each| each.map(subscription))
            .collect())
    }

    /// Like [`Client::unsubscribe_many`](crate::Client::unsubscribe_many), waiting as long as
    /// [`subscribe_with`](Self::subscribe_with) does.
    ///
    /// # Errors
    /// Like [`Client::unsubscribe_many`](crate::Client::unsubscribe_many).
    pub fn unsubscribe_many(
        &self,
        filters: &[&str],
        user_properties: &[(&str, &str)],
    ) -> Result<Answered, RequestError> {
        self.answered(self.inner.unsubscribe_many(filters, user_properties))
    }

    /// Ends the subscription to `filter` and waits for the server's answer, as long as
    /// [`subscribe_with`](Self::subscribe_with) does.
    ///
    /// # Errors
    /// Like [`Client::unsubscribe`](crate::Client::unsubscribe).
    pub fn unsubscribe(&self, filter: &str) -> Result<Answered, RequestError> {
        self.answered(self.inner.unsubscribe(filter))
    }

    /// Publishes a request with QoS 1 and waits for its reply.
    ///
    /// # Errors
    /// Like [`Client::request`](crate::Client::request).
    pub fn request(
        &self,
        topic: &str,
        payload: &[u8],
        timeout: Duration,
    ) -> Result<ReceivedMessage, RequestError> {
        self.runtime
            .wait(self.inner.request(topic, payload, timeout))
    }

    /// Like [`request`](Self::request), for any message.
    ///
    /// # Errors
    /// Like [`Client::request`](crate::Client::request).
    pub fn request_with(
        &self,
        message: Message<'_>,
        timeout: Duration,
    ) -> Result<ReceivedMessage, RequestError> {
        self.runtime.wait(self.inner.request_with(message, timeout))
    }

    /// Like [`Client::is_connected`](crate::Client::is_connected).
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.inner.is_connected()
    }

    /// Like [`Client::reconnect_now`](crate::Client::reconnect_now).
    pub fn reconnect_now(&self) {
        self.inner.reconnect_now();
    }

    /// Authenticates again, within
    /// [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout).
    ///
    /// # Errors
    /// Like [`Client::reauthenticate`](crate::Client::reauthenticate).
    pub fn reauthenticate(&self) -> Result<(), RequestError> {
        self.answered(self.inner.reauthenticate())
    }

    /// Like [`Client::unmatched`](crate::Client::unmatched).
    #[must_use]
    pub fn unmatched(&self, limits: StreamLimits) -> Option<Unmatched> {
        Some(Unmatched {
            inner: self.inner.unmatched(limits)?,
            runtime: Arc::clone(&self.runtime),
        })
    }

    /// Like [`Client::discard_unmatched`](crate::Client::discard_unmatched).
    pub fn discard_unmatched(&self) {
        self.inner.discard_unmatched();
    }

    /// Like [`Client::unrouted`](crate::Client::unrouted).
    #[must_use]
    pub fn unrouted(&self) -> u64 {
        self.inner.unrouted()
    }

    /// Like [`Client::late_replies`](crate::Client::late_replies).
    #[must_use]
    pub fn late_replies(&self) -> u64 {
        self.inner.late_replies()
    }

    /// Lets accepted requests finish for up to five seconds, sends DISCONNECT, closes the connection, and
    /// waits until that is done.
    pub fn disconnect(&self) {
        self.runtime.wait(self.inner.disconnect());
    }

    /// Like [`disconnect`](Self::disconnect), with this time for accepted requests.
    pub fn disconnect_within(&self, flush_for: Duration) {
        self.runtime.wait(self.inner.disconnect_within(flush_for));
    }

    /// Like [`Client::disconnect_keeping_session`](crate::Client::disconnect_keeping_session).
    #[must_use]
    pub fn disconnect_keeping_session(&self) -> Option<Session> {
        self.runtime.wait(self.inner.disconnect_keeping_session())
    }

    /// Like [`Client::set_disconnect`](crate::Client::set_disconnect).
    ///
    /// # Errors
    /// Like [`Client::set_disconnect`](crate::Client::set_disconnect).
    pub fn set_disconnect(&self, disconnect: DisconnectOptions) -> Result<(), OptionsError> {
        self.inner.set_disconnect(disconnect)
    }

    /// Like [`Client::statistics`](crate::Client::statistics).
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.inner.statistics()
    }

    fn receipt(&self, inner: crate::Receipt) -> Receipt {
        Receipt {
            inner,
            runtime: Arc::clone(&self.runtime),
            outcome: None,
        }
    }

    fn answered<T>(
        &self,
        request: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        // The calling thread never waits longer than this, also while there is no connection.
        let after = self.inner.ack_timeout();
        self.runtime
            .wait_for(after, request)
            .unwrap_or(Err(RequestError::Timeout { after }))
    }
}
