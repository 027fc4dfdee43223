//! `HttpPublisher`: publishes messages over HTTP and keeps connections for the next ones.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::answer::HttpPublished;
use super::connection::{Exchange, HttpConnection};
use super::error::HttpPublishError;
use super::options::HttpPublishOptions;
use super::request::PublishRequest;
use crate::message::Message;

/// Publisher of messages over HTTP, which keeps connections for the next messages.
///
/// A connection carries one message at a time. Calls at the same time open further connections, of
/// which four are kept, each for at most a minute without a message; a server that closes an idle
/// connection isn't an error.
///
/// ```no_run
/// use dunlin_client::Message;
/// use dunlin_client::aws::http_publish::{HttpPublishOptions, HttpPublisher};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let publisher = HttpPublisher::new(HttpPublishOptions::from_url("http://localhost:8080")?);
/// for state in ["on", "off"] {
///     publisher.publish(Message::new("lamp/7", state)).await?;
/// }
/// # Ok(())
/// # }
/// ```
pub struct HttpPublisher {
    options: HttpPublishOptions,
    /// Connections without a request. Locked for no longer than a push or a pop.
    idle: Mutex<Vec<HttpConnection>>,
}

impl HttpPublisher {
    /// Publisher with these options. It connects with the first message.
    #[must_use]
    pub fn new(mut options: HttpPublishOptions) -> Self {
        // An upgraded connection would carry MQTT.
        #[cfg(feature = "websocket")]
        {
            options.transport.websocket = None;
        }
        #[cfg(not(feature = "websocket"))]
        let _ = &mut options;
        Self {
            options,
            idle: Mutex::default(),
        }
    }

    /// Options of the publisher.
    #[must_use]
    pub const fn options(&self) -> &HttpPublishOptions {
        &self.options
    }

    /// Publishes a message and waits for the answer.
    ///
    /// Connecting has the time-out of the transport, the head of the answer and its body have
    /// [`answer_timeout`](HttpPublishOptions::answer_timeout) each. A request is sent once: only if a
    /// kept connection turns out to be closed before anything was sent, another one is opened.
    ///
    /// Cancel safe in the sense that a dropped future leaves no connection and no task behind; the
    /// message may have been published.
    ///
    /// # Errors
    /// * [`HttpPublishError::Message`], [`HttpPublishError::NotOverHttp`],
    ///   [`HttpPublishError::InvalidRequest`], [`HttpPublishError::Signing`]: nothing was sent.
    /// * [`HttpPublishError::Connect`]: no connection could be opened.
    /// * [`HttpPublishError::Connection`], [`HttpPublishError::TimedOut`]: the answer didn't come.
    /// * [`HttpPublishError::NotHttp`], [`HttpPublishError::AnswerTooLong`]: the answer isn't that of
    ///   AWS IoT Core.
    /// * [`HttpPublishError::Refused`]: the server refused the message.
    pub async fn publish(&self, message: Message<'_>) -> Result<HttpPublished, HttpPublishError> {
        let request = PublishRequest::new(message, &self.options)?;
        // Kept connections first; those that the server has closed are dropped.
        while let Some(connection) = self.take_idle() {
            if let Some(outcome) = self.exchange(connection, &request).await {
                return outcome;
            }
        }
        let connection = HttpConnection::open(&self.options.transport).await?;
        let outcome = self.exchange(connection, &request).await;
        // A new connection always has an outcome.
        outcome.unwrap_or(Err(HttpPublishError::InvalidRequest("request")))
    }

    /// Sends a request on a connection and keeps that, if it stays open; `None` if nothing was sent.
    async fn exchange(
        &self,
        connection: HttpConnection,
        request: &PublishRequest,
    ) -> Option<Result<HttpPublished, HttpPublishError>> {
        let within = self.options.answer_timeout;
        let Exchange {
            outcome,
            connection,
        } = connection.exchange(request, within).await?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.extend(connection);
        }
        Some(outcome)
    }

    /// Kept connection that was used last; `None` if there is none. Those that were kept for too long
    /// are closed.
    fn take_idle(&self) -> Option<HttpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|connection| !connection.is_stale());
        idle.pop()
    }
}

impl fmt::Debug for HttpPublisher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpPublisher")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

/// Publishes one message over a connection of its own.
///
/// # Errors
/// Errors of [`HttpPublisher::publish`].
pub async fn publish(
    message: Message<'_>,
    options: HttpPublishOptions,
) -> Result<HttpPublished, HttpPublishError> {
    HttpPublisher::new(options).publish(message).await
}

/// Number of idle connections that are kept.
const MAX_IDLE: usize = 4;
