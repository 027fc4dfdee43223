//! Requests and replies (§4.10), as the application asks for them.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use crate::QoS;
use crate::client::Client;
use crate::error::RequestError;
use crate::message::{Message, MessageProperties, ReceivedMessage};
use crate::payload::Payload;
use crate::runtime::replies::{Found, Opening, Waiting};

impl Client {
    /// Publishes a request with QoS 1 and waits for its reply; `timeout` is for all of it.
    ///
    /// Replies come to one topic of this client: below the server's Response Information, if it
    /// gave one
    /// ([`ConnectOptions::request_response_information`](crate::ConnectOptions::request_response_information)), else
    /// `dunlin/responses/` and the client identifier, with `-` for what a topic can't hold. Where
    /// the server is to say one of them, requests wait for the first connection. The first
    /// request subscribes to the topic. A reply is known by its correlation data; one that
    /// comes too late is dropped and counted. Whoever replies can use
    /// [`ReceivedMessage::reply`].
    ///
    /// Cancel safe: a dropped future doesn't take the request back, and its reply counts as late.
    ///
    /// # Errors
    /// [`RequestError::NoReply`] after `timeout`; [`RequestError::TooManyRequests`] while 1,024
    /// wait; as [`publish`](Self::publish) and [`subscribe`](Self::subscribe); a request that
    /// the server refused.
    pub async fn request(
        &self,
        topic: &str,
        payload: &[u8],
        timeout: Duration,
    ) -> Result<ReceivedMessage, RequestError> {
        self.request_with(Message::new(topic, payload).qos(QoS::AtLeastOnce), timeout)
            .await
    }

    /// As [`request`](Self::request), for any message. Its response topic and correlation data are
    /// set here.
    ///
    /// Cancel safe: a dropped future doesn't take the request back, and its reply counts as late.
    ///
    /// # Errors
    /// As [`request`](Self::request).
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

    /// Replies that nobody waited for any more, or that no request was made for.
    #[must_use]
    pub fn late_replies(&self) -> u64 {
        self.shared().with(|state| state.requests.late())
    }

    async fn exchange(&self, message: Message<'_>) -> Result<ReceivedMessage, RequestError> {
        let response_topic = self.open_responses().await?;
        let waiting = Waiting::new(self.shared())?;
        let correlation_data = waiting.correlation_data();
        let properties = MessageProperties {
            response_topic: Some(&response_topic),
            correlation_data: Some(&correlation_data),
            ..message.properties
        };
        let mut receipt = Some(
            self.publish(Message {
                properties,
                ..message
            })
            .await?,
        );
        poll_fn(|cx| {
            if let Poll::Ready(reply) = waiting.poll(cx) {
                return Poll::Ready(reply);
            }
            if let Some(pending) = &mut receipt
                && let Poll::Ready(outcome) = Pin::new(pending).poll(cx)
            {
                receipt = None;
                if let Err(error) = outcome {
                    return Poll::Ready(Err(error));
                }
            }
            Poll::Pending
        })
        .await
    }

    /// The topic that replies come to, once it is subscribed to. Of several that ask for it at once
    /// one subscribes.
    async fn open_responses(&self) -> Result<String, RequestError> {
        let found = poll_fn(|cx| self.shared().with(|state| state.poll_responses(cx))).await?;
        let topic = match found {
            Found::Open(topic) => return Ok(topic),
            Found::Closed(topic) => topic,
        };
        let opening = Opening::new(self.shared());
        let key = self.subscribe(&topic, QoS::AtLeastOnce).await?.detach();
        opening.opened(&topic, key);
        Ok(topic)
    }
}

impl ReceivedMessage {
    /// The reply to this message, of its QoS; `None` if it asks for none, by having no response
    /// topic.
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
        let asked = self.properties();
        let topic = asked.response_topic?.as_str();
        let properties = MessageProperties {
            correlation_data: asked.correlation_data.map(|data| data.as_bytes()),
            ..MessageProperties::default()
        };
        Some(Message {
            properties,
            ..Message::new(topic, payload).qos(self.qos())
        })
    }
}
