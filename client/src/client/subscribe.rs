//! Subscribing: the server is asked for messages, and a stream brings them.

use dunlin_codec::{
    PacketType, ReasonCode, SubscribeProperties, SubscriptionOptions, TopicFilter,
    UnsubscribeProperties,
};

use crate::QoS;
use crate::client::Client;
use crate::client::receipt::Receipt;
use crate::client::subscription::{Subscription, Unmatched};
use crate::engine::{Accepted, Answered, OperationId, Outcome};
use crate::error::{RequestError, ServerReason};
use crate::message;
use crate::runtime::clock::now;
use crate::runtime::log;
use crate::runtime::stream::StreamLimits;

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
    /// Subscribes with the default options; see [`subscribe_with`](Self::subscribe_with).
    ///
    /// Cancel safe: a dropped future gives the subscription up.
    ///
    /// # Errors
    /// As [`subscribe_with`](Self::subscribe_with).
    pub async fn subscribe(&self, filter: &str, qos: QoS) -> Result<Subscription, RequestError> {
        self.subscribe_with(filter, qos).await
    }

    /// Asks for the messages of `filter` and waits for the server's answer: a stream of them. Where
    /// the server has subscription identifiers, a message that matches several filters comes to
    /// the streams of those that it was sent for; elsewhere to every stream that it matches,
    /// each time that it is sent. After a connection that the server has forgotten everything
    /// of, the subscription is asked for again.
    ///
    /// Cancel safe: a dropped future gives the subscription up.
    ///
    /// # Errors
    /// A filter that isn't one; what the server doesn't have; a refusal; no answer; a client that
    /// has stopped.
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
    /// waits for the server's answer: a stream or an error for each filter, in order.
    ///
    /// The filters have one subscription identifier, so a message comes to those of them that match
    /// its topic. If a topic matches several of them, and the server sends the message once for
    /// each, each stream gets it as often.
    ///
    /// When the subscriptions are renewed after the server has lost the session, the user
    /// properties are left out.
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
    /// Cancel safe: a dropped future gives the subscriptions up.
    ///
    /// # Errors
    /// As [`subscribe_with`](Self::subscribe_with), for all filters together: one that isn't a
    /// filter, none at all, more than [`ConnectOptions::limits`](crate::ConnectOptions::limits)
    /// or the server's Maximum Packet Size allow; a user property that can't be sent
    /// ([`RequestError::Text`]); no answer. A filter that the server refuses is an error in its
    /// place.
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
        let (mut subscriptions, operation) = self.send_subscribe(&filters, user_properties)?;
        let answer = self.answered(operation).await?;
        let codes = answer.reason_codes.iter();
        let granted = subscriptions
            .drain(..)
            .zip(codes)
            .map(|(mut subscription, code)| {
                let answer = Answered {
                    reason_codes: vec![*code],
                    ..answer.clone()
                };
                let key = subscription.reader().key();
                if code.is_error() {
                    self.shared().with(|state| state.router.end_stream(key));
                    return Err(refused(PacketType::SubAck, answer));
                }
                self.shared().with(|state| state.router.granted(key));
                subscription.granted(answer);
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
        let user_properties = message::user_properties(user_properties)?;
        let checked: Vec<_> = filters
            .iter()
            .map(|(filter, options)| Ok((TopicFilter::new(filter)?, *options)))
            .collect::<Result<_, RequestError>>()?;
        let names: Vec<_> = filters.iter().map(|(filter, _)| *filter).collect();
        let requested: Vec<_> = filters
            .iter()
            .map(|(filter, options)| (*filter, options.subscription))
            .collect();
        let shared = self.shared();
        names
            .iter()
            .for_each(|filter| log::write_request(&shared.span, "subscribe", filter));
        shared
            .with(|state| {
                if let Some(cause) = &state.stopped {
                    return Err(RequestError::Stopped(cause.clone()));
                }
                state.engine.set_now(now());
                let identifier = state.router.identifier_of(&names);
                let properties = SubscribeProperties {
                    subscription_identifier: identifier,
                    user_properties: user_properties.as_slice().into(),
                };
                let operation = state.engine.subscribe_with(&requested, properties)?;

                // Messages may come before SUBACK: the streams are there first. [U-3.8.4-1]
                if names.len() > 1 {
                    state.router.issue_shared();
                }
                let open = |(filter, options): &(TopicFilter<'_>, SubscribeOptions)| {
                    state
                        .router
                        .open(*filter, options.limits, &mut state.engine)
                };
                let keys: Vec<_> = checked.iter().map(open).collect();
                if let (Some(identifier), true) = (identifier, names.len() > 1) {
                    state
                        .router
                        .share_identifier(identifier, names.iter().copied());
                }
                Ok((keys, operation))
            })
            .map(|(keys, operation)| {
                let new = |(key, filter): (usize, &&str)| Subscription::new(shared, key, filter);
                (keys.into_iter().zip(&names).map(new).collect(), operation)
            })
    }

    /// Ends the subscription to `filter` and waits for the server's answer. Its streams end when
    /// they are drained.
    ///
    /// Cancel safe: a dropped future doesn't call it off.
    ///
    /// # Errors
    /// As [`subscribe_with`](Self::subscribe_with).
    pub async fn unsubscribe(&self, filter: &str) -> Result<Answered, RequestError> {
        let answer = self.unsubscribe_many(&[filter], &[]).await?;
        match answer.reason_codes.first() {
            Some(code) if !code.is_error() => Ok(answer),
            _ => Err(refused(PacketType::UnsubAck, answer)),
        }
    }

    /// Ends several subscriptions in one UNSUBSCRIBE, with these user properties (§3.10.2.1.2), and
    /// waits for the server's answer, which has a reason code for each filter, in order. Their
    /// streams end when they are drained.
    ///
    /// Cancel safe: a dropped future doesn't call it off.
    ///
    /// # Errors
    /// As [`subscribe_many`](Self::subscribe_many). A code of 0x80 or above in the answer is not an
    /// error here.
    pub async fn unsubscribe_many(
        &self,
        filters: &[&str],
        user_properties: &[(&str, &str)],
    ) -> Result<Answered, RequestError> {
        let user_properties = message::user_properties(user_properties)?;
        for filter in filters {
            log::write_request(&self.shared().span, "unsubscribe", filter);
        }
        let operation = self.shared().with(|state| {
            if let Some(cause) = &state.stopped {
                return Err(RequestError::Stopped(cause.clone()));
            }
            state.engine.set_now(now());
            let properties = UnsubscribeProperties {
                user_properties: user_properties.as_slice().into(),
            };
            let operation = state.engine.unsubscribe_with(filters, properties)?;
            filters.iter().for_each(|filter| state.router.end(filter));
            Ok(operation)
        })?;
        self.answered(operation).await
    }

    /// A stream of the messages that no other stream matches, those that wait for one included;
    /// `None` while there is another such stream.
    ///
    /// Without it, such messages wait for a stream in a resumed session (see
    /// [`unmatched_wait`](crate::ConnectOptions::unmatched_wait)), and are acknowledged and counted
    /// in other sessions.
    #[must_use]
    pub fn unmatched(&self, limits: StreamLimits) -> Option<Unmatched> {
        let key = self
            .shared()
            .with(|state| state.router.open_catch_all(limits, &mut state.engine))?;
        Some(Unmatched::new(self.shared(), key))
    }

    /// Declares that no further stream will be opened for what a resumed session brings: messages
    /// that no stream matches, those that wait for one included, are acknowledged with success
    /// and counted from now on.
    ///
    /// While there is an [`Unmatched`] stream, it still gets them.
    pub fn discard_unmatched(&self) {
        self.shared()
            .with(|state| state.router.discard_unmatched(&mut state.engine));
    }

    /// Number of received messages that no stream matched and that were dropped:
    /// [`DroppedMessages::unmatched`](crate::engine::DroppedMessages::unmatched) in
    /// [`Client::statistics`].
    #[must_use]
    pub fn unrouted(&self) -> u64 {
        self.statistics().dropped_messages.unmatched.count
    }

    async fn answered(&self, operation: OperationId) -> Result<Answered, RequestError> {
        match Receipt::new(self.shared(), Accepted::Pending(operation))
            .outcome()
            .await?
        {
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
            .unwrap_or(ReasonCode::UnspecifiedError),
        reason_string: answer.reason_string,
        user_properties: answer.user_properties,
        omitted: answer.omitted,
        server_reference: None,
    })
}
