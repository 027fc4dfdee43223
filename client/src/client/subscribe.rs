//! `Client::subscribe` and `Client::unsubscribe`.

use dunlin_codec::{
    PacketType, ReasonCode, SubscribeProperties, SubscriptionOptions, TopicFilter,
    UnsubscribeProperties,
};

use super::Client;
use super::request_handle::RequestHandle;
use super::subscription::{Subscription, Unmatched};
use crate::QoS;
use crate::engine::{Answered, OperationId};
use crate::error::{RequestError, ServerReason};
use crate::message;
use crate::runtime::clock::now;
use crate::runtime::log;
use crate::runtime::router::StreamLimits;
use crate::runtime::state::ClientState;

/// Options of a subscription; can be made from a [`QoS`] or the codec's [`SubscriptionOptions`].
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
    /// Subscription Options that are sent to the server (§3.8.3.1).
    pub subscription: SubscriptionOptions,
    /// Limits of the messages of QoS 0 that wait in the stream.
    pub limits: StreamLimits,
}

impl From<SubscriptionOptions> for SubscribeOptions {
    fn from(subscription: SubscriptionOptions) -> Self {
        Self {
            subscription,
            limits: StreamLimits::default(),
        }
    }
}

impl From<QoS> for SubscribeOptions {
    fn from(qos: QoS) -> Self {
        SubscriptionOptions {
            qos,
            ..SubscriptionOptions::default()
        }
        .into()
    }
}

impl Client {
    /// Subscribes to a topic filter and waits for the server's answer. See
    /// [`subscribe_with`](Self::subscribe_with).
    ///
    /// Cancel safe: dropping the future ends the subscription.
    ///
    /// # Errors
    /// Like [`subscribe_with`](Self::subscribe_with).
    pub async fn subscribe(&self, filter: &str, qos: QoS) -> Result<Subscription, RequestError> {
        self.subscribe_with(filter, qos).await
    }

    /// Subscribes to a topic filter with options, waits for the server's answer, and returns the
    /// stream of the messages.
    ///
    /// If the server supports subscription identifiers, a message that matches several filters
    /// reaches the streams of the subscriptions that the server sent it for. Otherwise it reaches
    /// every stream that it matches, each time that the server sends it.
    ///
    /// The client subscribes again after it has connected to a server that has lost the session.
    ///
    /// Cancel safe: dropping the future ends the subscription.
    ///
    /// # Errors
    /// * [`RequestError::Topic`]: the filter is malformed.
    /// * [`RequestError::Limit`]: the filter exceeds
    ///   [`ConnectOptions::limits`](crate::ConnectOptions::limits).
    /// * [`RequestError::WildcardNotSupported`], [`RequestError::SharedNotSupported`],
    ///   [`RequestError::TooLarge`]: the server doesn't accept such subscriptions.
    /// * [`RequestError::Refused`]: the server refused the subscription.
    /// * [`RequestError::QueueFull`], [`RequestError::Offline`], [`RequestError::NoPacketId`]: the
    ///   client doesn't accept the request now.
    /// * [`RequestError::Timeout`], [`RequestError::RequestTimeout`]: the server didn't answer in
    ///   time.
    /// * [`RequestError::SessionLost`], [`RequestError::Dropped`]: the client gave the request up.
    /// * [`RequestError::Stopped`]: the client has stopped.
    pub async fn subscribe_with(
        &self,
        filter: &str,
        options: impl Into<SubscribeOptions>,
    ) -> Result<Subscription, RequestError> {
        let mut subscriptions = self.subscribe_many([(filter, options)], &[]).await?;
        subscriptions
            .pop()
            .unwrap_or(Err(RequestError::SessionLost))
    }

    /// Subscribes to several filters in one SUBSCRIBE, with these user properties (§3.8.2.1.3), and
    /// waits for the server's answer. Returns a stream or an error for each filter, in order.
    ///
    /// The filters have one subscription identifier, so a message reaches those of them that match
    /// its topic. If a topic matches several of them, and the server sends the message once for
    /// each, each stream gets it as often.
    ///
    /// The user properties are left out of a SUBSCRIBE that renews the subscriptions after the server has
    /// lost the session.
    ///
    /// ```no_run
    /// # async fn example(client: dunlin_client::Client) -> Result<(), dunlin_client::RequestError> {
    /// use dunlin_client::QoS;
    ///
    /// let filters = [("lamp/+", QoS::AtLeastOnce), ("door/+", QoS::AtMostOnce)];
    /// for subscription in client.subscribe_many(filters, &[("origin", "kitchen")]).await? {
    ///     println!("granted: {}", subscription?.granted_qos());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// Cancel safe: dropping the future ends the subscriptions.
    ///
    /// # Errors
    /// Like [`subscribe_with`](Self::subscribe_with), for all filters together; in addition
    /// [`RequestError::Text`] for a user property that can't be sent, and [`RequestError::Encode`]
    /// for an empty list. A filter that the server refuses has its error in the returned list.
    pub async fn subscribe_many<'a>(
        &self,
        filters: impl IntoIterator<Item = (&'a str, impl Into<SubscribeOptions>)>,
        user_properties: &[(&str, &str)],
    ) -> Result<Vec<Result<Subscription, RequestError>>, RequestError> {
        let filters = filters
            .into_iter()
            .map(|(filter, options)| (filter, options.into()))
            .collect();
        self.subscribe_to(filters, user_properties).await
    }

    async fn subscribe_to(
        &self,
        filters: Vec<(&str, SubscribeOptions)>,
        user_properties: &[(&str, &str)],
    ) -> Result<Vec<Result<Subscription, RequestError>>, RequestError> {
        // If this future is dropped from here on, the streams are closed, and so are their
        // subscriptions.
        let (subscriptions, id) = self.send_subscribe(&filters, user_properties)?;
        let answer: Answered = RequestHandle::new(self.shared(), id).outcome().await?;
        // SUBACK has one reason code for each filter, in their order. [MQTT-3.9.3-1]
        let granted = subscriptions.into_iter().zip(&answer.reason_codes);
        let granted = granted.map(|(mut subscription, code)| {
            let answer = Answered {
                reason_codes: vec![*code],
                ..answer.clone()
            };
            let key = subscription.reader().key();
            // A filter that was refused ends its stream, and nothing is to be unsubscribed.
            if code.is_error() {
                self.shared()
                    .lock_and_notify(|state| state.router.end_stream(key));
                return Err(refused(PacketType::SubAck, answer));
            }
            self.shared()
                .lock_and_notify(|state| state.router.set_granted(key));
            subscription.set_granted(answer);
            Ok(subscription)
        });
        Ok(granted.collect())
    }

    /// Hands a SUBSCRIBE to the engine and opens the streams.
    fn send_subscribe(
        &self,
        filters: &[(&str, SubscribeOptions)],
        user_properties: &[(&str, &str)],
    ) -> Result<(Vec<Subscription>, OperationId), RequestError> {
        // Check all arguments before anything is sent.
        let user_properties = message::user_properties(user_properties)?;
        let checked: Vec<_> = filters
            .iter()
            .map(|(filter, options)| Ok((TopicFilter::new(filter)?, options.limits)))
            .collect::<Result<_, RequestError>>()?;
        let names: Vec<_> = filters.iter().map(|(filter, _)| *filter).collect();
        let requested: Vec<_> = filters
            .iter()
            .map(|(filter, options)| (*filter, options.subscription))
            .collect();
        let shared = self.shared();
        for filter in &names {
            log::write_request(&shared.span, "subscribe", filter);
        }

        // Send, and open the streams under the same lock: messages may come before SUBACK.
        // [U-3.8.4-1]
        let (keys, id) = shared.lock_and_notify(|state| {
            state.lifecycle.check_running()?;
            state.engine.set_now(now());
            let identifier = state.router.identifier_for(&names);
            let properties = SubscribeProperties {
                subscription_identifier: identifier,
                user_properties: user_properties.as_slice().into(),
            };
            let id = state.engine.subscribe_with(&requested, properties)?;
            // One SUBSCRIBE has at most one identifier, so several filters share it; each route has
            // its own besides, for its renewal.
            let is_shared = names.len() > 1;
            if is_shared {
                state.router.issue_shared();
            }
            let keys = open_streams(state, &checked);
            if let Some(identifier) = identifier.filter(|_| is_shared) {
                state
                    .router
                    .share_identifier(identifier, names.iter().copied());
            }
            Ok::<_, RequestError>((keys, id))
        })?;
        let subscriptions = keys.into_iter().zip(&names);
        let subscriptions = subscriptions.map(|(key, name)| Subscription::new(shared, key, name));
        Ok((subscriptions.collect(), id))
    }

    /// Ends the subscription to a filter and waits for the server's answer. Its streams end when
    /// they are read to their ends.
    ///
    /// Cancel safe: dropping the future doesn't take the request back.
    ///
    /// # Errors
    /// Like [`unsubscribe_many`](Self::unsubscribe_many), and [`RequestError::Refused`] if the server
    /// refused.
    pub async fn unsubscribe(&self, filter: &str) -> Result<Answered, RequestError> {
        let answer = self.unsubscribe_many(&[filter], &[]).await?;
        match answer.reason_codes.first() {
            Some(code) if !code.is_error() => Ok(answer),
            _ => Err(refused(PacketType::UnsubAck, answer)),
        }
    }

    /// Ends several subscriptions in one UNSUBSCRIBE, with these user properties (§3.10.2.1.2), and
    /// waits for the server's answer, which has a reason code for each filter, in order. The
    /// streams end when they are read to their ends.
    ///
    /// Cancel safe: dropping the future doesn't take the request back.
    ///
    /// # Errors
    /// Like [`subscribe_many`](Self::subscribe_many), but a reason code of 0x80 or above in the
    /// answer is not an error.
    pub async fn unsubscribe_many(
        &self,
        filters: &[&str],
        user_properties: &[(&str, &str)],
    ) -> Result<Answered, RequestError> {
        let user_properties = message::user_properties(user_properties)?;
        for filter in filters {
            log::write_request(&self.shared().span, "unsubscribe", filter);
        }
        let id = self.shared().lock_and_notify(|state| {
            state.lifecycle.check_running()?;
            state.engine.set_now(now());
            let properties = UnsubscribeProperties {
                user_properties: user_properties.as_slice().into(),
            };
            // The streams end at once: messages that still arrive until UNSUBACK aren't wanted.
            let id = state.engine.unsubscribe_with(filters, properties)?;
            filters.iter().for_each(|filter| state.router.end(filter));
            Ok::<_, RequestError>(id)
        })?;
        RequestHandle::new(self.shared(), id).outcome().await
    }

    /// Opens the stream of the messages that no other stream matches, those that wait for a stream
    /// included; `None` while there is another such stream.
    ///
    /// Without it, such messages wait for a stream in a resumed session (see
    /// [`unmatched_wait`](crate::ConnectOptions::unmatched_wait)), and are acknowledged and counted
    /// in other sessions.
    #[must_use]
    pub fn unmatched(&self, limits: StreamLimits) -> Option<Unmatched> {
        let key = self
            .shared()
            .lock_and_notify(|state| state.delivery().open_unmatched(limits))?;
        Some(Unmatched::new(self.shared(), key))
    }

    /// Declares that the application opens no further streams for the messages of a resumed
    /// session: messages that no stream matches, those that wait for one included, are acknowledged
    /// with success and counted from now on.
    ///
    /// While there is an [`Unmatched`] stream, it still gets them.
    pub fn discard_unmatched(&self) {
        self.shared()
            .lock_and_notify(|state| state.delivery().discard_unmatched());
    }

    /// Number of received messages that no stream matched and that were dropped:
    /// [`DroppedMessages::unmatched`](crate::engine::DroppedMessages::unmatched) in
    /// [`Client::statistics`].
    #[must_use]
    pub fn unrouted(&self) -> u64 {
        self.statistics().dropped_messages.unmatched.count
    }
}

fn open_streams(
    state: &mut ClientState,
    filters: &[(TopicFilter<'_>, StreamLimits)],
) -> Vec<usize> {
    let mut delivery = state.delivery();
    let filters = filters.iter();
    filters
        .map(|(filter, limits)| delivery.open(*filter, *limits))
        .collect()
}

fn refused(packet_type: PacketType, answer: Answered) -> RequestError {
    RequestError::Refused(ServerReason {
        packet_type,
        reason_code: answer
            .reason_codes
            .first()
            .copied()
            .unwrap_or(ReasonCode::UnspecifiedError),
        reason_string: answer.reason_string,
        user_properties: answer.user_properties,
        omitted: answer.omitted,
        server_reference: None,
    })
}
