//! Subscribing: the server is asked for messages, and a stream brings them.

use dunlin_codec::{PacketType, ReasonCode, SubscribeProperties, SubscriptionOptions, TopicFilter};

use crate::QoS;
use crate::client::Client;
use crate::driver::now;
use crate::engine::{Accepted, Answered, OperationId, Outcome};
use crate::error::{RequestError, ServerReason};
use crate::log;
use crate::receipt::Receipt;
use crate::stream::StreamLimits;
use crate::subscription::{Subscription, Unmatched};

/// How to subscribe. A [`QoS`] or the codec's [`SubscriptionOptions`] alone is enough.
///
/// ```
/// use dunlin_client::codec::SubscriptionOptions;
/// use dunlin_client::{QoS, StreamLimits, SubscribeOptions, WhenFull};
///
/// let latest = SubscribeOptions {
///     subscription: SubscriptionOptions { qos: QoS::AtMostOnce, ..SubscriptionOptions::default() },
///     limits: StreamLimits { count: 1, when_full: WhenFull::DropOldest, ..StreamLimits::default() },
/// };
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SubscribeOptions {
    /// What the server is asked for (§3.8.3.1).
    pub subscription: SubscriptionOptions,
    /// How much of QoS 0 waits in the stream.
    pub limits: StreamLimits,
}

impl From<SubscriptionOptions> for SubscribeOptions {
    fn from(subscription: SubscriptionOptions) -> Self {
        Self { subscription, limits: StreamLimits::default() }
    }
}

impl From<QoS> for SubscribeOptions {
    fn from(qos: QoS) -> Self {
        SubscriptionOptions { qos, ..SubscriptionOptions::default() }.into()
    }
}

impl Client {
    /// Subscribes with the default options; see [`subscribe_with`](Self::subscribe_with).
    ///
    /// Cancel safe: a dropped future gives the subscription up.
    ///
    /// # Errors
    /// As [`subscribe_with`](Self::subscribe_with).
    pub async fn subscribe(&self, filter: &str, qos: QoS) -> Result<Subscription, RequestError> {
        self.subscribe_with(filter, qos).await
    }

    /// Asks for the messages of `filter` and waits for the server's answer: a stream of them. Where the server has
    /// subscription identifiers, a message that matches several filters comes to the streams of those that it was sent
    /// for; elsewhere to every stream that it matches, each time that it is sent. After a connection that
    /// the server has forgotten everything of, the subscription is asked for again.
    ///
    /// Cancel safe: a dropped future gives the subscription up.
    ///
    /// # Errors
    /// A filter that isn't one; what the server doesn't have; a refusal; no answer; a client that has stopped.
    pub async fn subscribe_with(
        &self,
        filter: &str,
        options: impl Into<SubscribeOptions>,
    ) -> Result<Subscription, RequestError> {
        let SubscribeOptions { subscription, limits } = options.into();
        let filter = TopicFilter::new(filter)?;
        let shared = self.shared();
        log::write_request(&shared.span, "subscribe", filter.as_str());
        let (key, operation) = shared.with(|state| {
            if let Some(cause) = &state.stopped {
                return Err(RequestError::Stopped(cause.clone()));
            }
            state.engine.set_now(now());
            let properties = SubscribeProperties {
                subscription_identifier: state.router.identifier(filter.as_str()),
                ..SubscribeProperties::default()
            };
            let operation = state.engine.subscribe_with(&[(filter.as_str(), subscription)], properties)?;
            Ok((state.router.open(filter, limits, &mut state.engine), operation))
        })?;
        // Messages may come before SUBACK: the stream is there first. [U-3.8.4-1]
        let mut subscription = Subscription::new(shared, key, filter.as_str());
        let answer = self.answered(operation).await?;
        match answer.reason_codes.first() {
            Some(code) if !code.is_error() => {
                shared.with(|state| state.router.granted(key));
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
    /// Cancel safe: a dropped future doesn't call it off.
    ///
    /// # Errors
    /// As [`subscribe_with`](Self::subscribe_with).
    pub async fn unsubscribe(&self, filter: &str) -> Result<Answered, RequestError> {
        log::write_request(&self.shared().span, "unsubscribe", filter);
        let operation = self.shared().with(|state| {
            if let Some(cause) = &state.stopped {
                return Err(RequestError::Stopped(cause.clone()));
            }
            state.engine.set_now(now());
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

    /// A stream of the messages that no other stream matches, those that wait for one included; `None` while there is another
    /// such stream.
    ///
    /// Without it, such messages wait for a stream in a resumed session (see
    /// [`unmatched_wait`](crate::ConnectOptions::unmatched_wait)), and are acknowledged and counted in other sessions.
    #[must_use]
    pub fn unmatched(&self, limits: StreamLimits) -> Option<Unmatched> {
        let key = self.shared().with(|state| state.router.open_catch_all(limits, &mut state.engine))?;
        Some(Unmatched::new(self.shared(), key))
    }

    /// Declares that no further stream will be opened for what a resumed session brings: messages that no stream matches,
    /// those that wait for one included, are acknowledged with success and counted from now on.
    ///
    /// While there is an [`Unmatched`] stream, it still gets them.
    pub fn discard_unmatched(&self) {
        self.shared().with(|state| state.router.discard_unmatched(&mut state.engine));
    }

    /// Number of received messages that no stream matched and that were dropped:
    /// [`DroppedMessages::unmatched`](crate::engine::DroppedMessages::unmatched) in [`Client::statistics`].
    #[must_use]
    pub fn unrouted(&self) -> u64 {
        self.statistics().dropped_messages.unmatched.count
    }

    async fn answered(&self, operation: OperationId) -> Result<Answered, RequestError> {
        match Receipt::new(self.shared(), Accepted::Pending(operation)).outcome().await? {
            Outcome::Answered(answer) => Ok(answer),
            Outcome::Published(_) | Outcome::Reauthenticated => Err(RequestError::SessionLost),
        }
    }
}

fn refused(packet_type: PacketType, answer: Answered) -> RequestError {
    RequestError::Refused(ServerReason {
        packet_type,
        reason_code: answer.reason_codes.first().copied().unwrap_or(ReasonCode::UnspecifiedError),
        reason_string: answer.reason_string,
        user_properties: answer.user_properties,
        omitted: answer.omitted,
        server_reference: None,
    })
}
