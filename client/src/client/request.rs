//! `Client::request`: publishes a request and waits for its reply (§4.10).

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::Client;
use crate::QoS;
use crate::error::RequestError;
use crate::message::{Message, MessageProperties, ReceivedMessage};
use crate::payload::Payload;
use crate::runtime::pending_replies::{CorrelationId, ResponseTopic};
use crate::runtime::shared::Shared;

/// Drop guard: removes a request from those that wait for replies.
struct PendingRequest<'a> {
    shared: &'a Shared,
    id: CorrelationId,
}

impl<'a> PendingRequest<'a> {
    fn new(shared: &'a Shared) -> Result<Self, RequestError> {
        let id = shared.lock_and_notify(|state| state.replies.add())?;
        Ok(Self { shared, id })
    }

    fn poll(&self, cx: &Context<'_>) -> Poll<Result<ReceivedMessage, RequestError>> {
        self.shared.lock_and_notify(|state| {
            // A reply that has arrived counts, even if the client has stopped since.
            if let Poll::Ready(reply) = state.replies.poll(self.id, cx) {
                return Poll::Ready(Ok(reply));
            }
            state.lifecycle.check_running()?;
            Poll::Pending
        })
    }
}

impl Drop for PendingRequest<'_> {
    fn drop(&mut self) {
        self.shared
            .lock_and_notify(|state| state.replies.remove(self.id));
    }
}

/// Drop guard: ends the attempt to subscribe to the response topic, so that other tasks that wait
/// for the subscription look again.
struct Opening<'a>(&'a Shared);

impl Drop for Opening<'_> {
    fn drop(&mut self) {
        self.0.lock_and_notify(|state| state.replies.stop_opening());
    }
}

impl Client {
    /// Publishes a request with QoS 1 and waits for its reply. `timeout` is for both.
    ///
    /// Replies come to one topic of this client: below the server's Response Information, if it
    /// gave one
    /// ([`ConnectOptions::request_response_information`](crate::ConnectOptions::request_response_information)),
    /// or else `dunlin/responses/` and the client identifier, with `-` for characters that a topic
    /// can't hold. If the server has to choose one of them, requests wait for the first connection.
    /// The first request subscribes to the topic. Correlation Data tells replies apart; a reply
    /// that comes too late is dropped and counted ([`late_replies`](Self::late_replies)). The side
    /// that replies can use [`ReceivedMessage::reply`].
    ///
    /// Cancel safe: dropping the future doesn't take the request back; its reply counts as late.
    ///
    /// # Errors
    /// * [`RequestError::NoReply`]: no reply came within `timeout`.
    /// * [`RequestError::TooManyRequests`]: 1,024 requests wait for replies.
    /// * Those of [`publish`](Self::publish) and its [`Receipt`](crate::Receipt), and of
    ///   [`subscribe`](Self::subscribe).
    pub async fn request(
        &self,
        topic: &str,
        payload: &[u8],
        timeout: Duration,
    ) -> Result<ReceivedMessage, RequestError> {
        self.request_with(Message::new(topic, payload).qos(QoS::AtLeastOnce), timeout)
            .await
    }

    /// Like [`request`](Self::request), for any message. The client sets its Response Topic and
    /// Correlation Data.
    ///
    /// Cancel safe: dropping the future doesn't take the request back; its reply counts as late.
    ///
    /// # Errors
    /// Like [`request`](Self::request).
    pub async fn request_with(
        &self,
        message: Message<'_>,
        timeout: Duration,
    ) -> Result<ReceivedMessage, RequestError> {
        match tokio::time::timeout(timeout, self.exchange(message)).await {
            Ok(reply) => reply,
            Err(_) => Err(RequestError::NoReply { after: timeout }),
        }
    }

    /// Number of replies that came too late, or to no request of this client.
    #[must_use]
    pub fn late_replies(&self) -> u64 {
        self.shared().lock_and_notify(|state| state.replies.late())
    }

    async fn exchange(&self, message: Message<'_>) -> Result<ReceivedMessage, RequestError> {
        // Subscribe first, so that the reply can't come too early.
        let response_topic = self.subscribe_to_replies().await?;
        let pending = PendingRequest::new(self.shared())?;

        // Publish the request.
        let correlation_data = pending.id.to_bytes();
        let properties = MessageProperties {
            response_topic: Some(&response_topic),
            correlation_data: Some(&correlation_data),
            ..message.properties
        };
        let message = Message {
            properties,
            ..message
        };
        let mut receipt = Some(self.publish(message).await?);

        // Wait for the reply, or for the refusal of the request. A reply may overtake PUBACK.
        poll_fn(|cx| {
            if let Poll::Ready(reply) = pending.poll(cx) {
                return Poll::Ready(reply);
            }
            if let Some(publishing) = &mut receipt
                && let Poll::Ready(outcome) = Pin::new(publishing).poll(cx)
            {
                receipt = None;
                outcome?;
            }
            Poll::Pending
        })
        .await
    }

    /// Returns the topic that replies come to, once it is subscribed to. Of several tasks that ask
    /// for it at once, one subscribes.
    async fn subscribe_to_replies(&self) -> Result<String, RequestError> {
        let topic = poll_fn(|cx| self.poll_response_topic(cx)).await?;
        let topic = match topic {
            ResponseTopic::Subscribed(topic) => return Ok(topic),
            ResponseTopic::Unsubscribed { topic, .. } => topic,
        };
        // Others wait for this subscription. The guard lets one of them try if it fails or this
        // future is dropped.
        let _opening = Opening(self.shared());
        let stream = self.subscribe(&topic, QoS::AtLeastOnce).await?.detach();
        self.shared()
            .lock_and_notify(|state| state.replies.opened(topic.clone(), stream));
        Ok(topic)
    }

    fn poll_response_topic(&self, cx: &Context<'_>) -> Poll<Result<ResponseTopic, RequestError>> {
        self.shared().lock_and_notify(|state| {
            state.lifecycle.check_running()?;
            let topic = ready!(state.replies.poll_topic(&state.engine, &state.router, cx));
            // Close the stream of the old topic first, so that its filter is unsubscribed.
            if let ResponseTopic::Unsubscribed {
                obsolete_stream: Some(key),
                ..
            } = topic
            {
                state.close_stream(key);
            }
            Poll::Ready(Ok(topic))
        })
    }
}

impl ReceivedMessage {
    /// Reply to this message, with its QoS and Correlation Data; `None` if it has no Response Topic.
    ///
    /// ```no_run
    /// # async fn example(client: dunlin_client::Client, mut requests: dunlin_client::Subscription)
    /// # -> Result<(), dunlin_client::RequestError> {
    /// while let Some(request) = requests.next().await {
    ///     if let Some(reply) = request.reply("21.5") {
    ///         client.publish(reply).await?.await?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn reply<'a>(&'a self, payload: impl Into<Payload<'a>>) -> Option<Message<'a>> {
        let request = self.properties();
        let topic = request.response_topic?.as_str();
        // A reply goes to the Response Topic with the request's Correlation Data, unchanged
        // (§4.10).
        let properties = MessageProperties {
            correlation_data: request.correlation_data.map(|data| data.as_bytes()),
            ..MessageProperties::default()
        };
        Some(Message {
            properties,
            ..Message::new(topic, payload).qos(self.qos())
        })
    }
}
