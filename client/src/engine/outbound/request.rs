//! What the application wants: messages, subscriptions and their ends, checked and taken in.

use std::time::{Duration, Instant};

use dunlin_codec::{
    Delivery, Packet, PacketId, QoS, Subscribe, SubscribeProperties, SubscriptionIdentifier,
    SubscriptionOptions, TopicFilter, Unsubscribe, UnsubscribeProperties,
};

use crate::engine::outbound::operation::{Kind, OperationId};
use crate::engine::{Accepted, Engine, State};
use crate::error::RequestError;
use crate::message::Message;

impl Engine {
    /// Accepts a message; it is in the output at once if the connection allows it.
    ///
    /// If it has to wait, its Message Expiry Interval goes down by the whole seconds that it does;
    /// one that has none left fails with [`RequestError::Expired`] and isn't sent. What was on
    /// a wire before is repeated all the same, with what is left of the interval, or a second.
    ///
    /// # Errors
    /// A topic that isn't one; what the server said that it doesn't take; a full queue.
    pub fn publish(
        &mut self,
        message: &Message<'_>,
        now: Instant,
    ) -> Result<Accepted, RequestError> {
        self.now = Some(now);
        if let Some(limits) = &self.options.limits {
            limits.check_message(message)?;
        }
        if let State::Open(connection) = &self.state {
            connection.check_publish(message.qos, message.retain)?;
        }
        let takes = match &self.state {
            State::Open(connection) => connection.limits.topic_alias_maximum,
            _ => u16::MAX,
        };
        self.options
            .outbound_aliases
            .check(message.topic_alias, takes)?;
        self.session.expire(now);
        self.admit(Some(message.qos), message.load())?;
        let kind = match message.qos {
            QoS::AtMostOnce if self.may_send_once(message.load()) => {
                self.send_once(message)?;
                return Ok(Accepted::Sent);
            }
            QoS::AtMostOnce => Kind::PublishAtMostOnce,
            QoS::AtLeastOnce => Kind::PublishAtLeastOnce,
            QoS::ExactlyOnce => Kind::PublishExactlyOnce,
        };
        let user_properties = message.checked_user_properties()?;
        let publish = message.to_packet(
            Delivery::new(message.qos, PLACEHOLDER, false),
            &user_properties,
        )?;
        let id = if self.may_send_now() && kind != Kind::PublishAtMostOnce {
            self.send_now(kind, &publish)?
        } else {
            let mut packet = Vec::with_capacity(publish.encoded_len()?);
            publish.encode(&mut packet)?;
            self.accept(kind, packet)?
        };
        if let Some(seconds) = message.properties.message_expiry_interval
            && let Some(operation) = self.session.operations.get_mut(id.key())
        {
            operation.expires = now.checked_add(Duration::from_secs(seconds.into()));
            self.session.watch_expiry(id);
        }
        self.limit_request(id, self.options.request_timeout.publish);
        Ok(Accepted::Pending(id))
    }

    /// Accepts subscriptions, all in one SUBSCRIBE.
    ///
    /// # Errors
    /// A filter that isn't one, or none at all; what the server said that it doesn't have; a full
    /// queue.
    pub fn subscribe(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
    ) -> Result<OperationId, RequestError> {
        self.subscribe_with(filters, SubscribeProperties::default())
    }

    /// As [`subscribe`](Self::subscribe), with properties. The identifier is kept when the
    /// subscriptions are asked for again, and left out on connections whose server has none.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn subscribe_with(
        &mut self,
        filters: &[(&str, SubscriptionOptions)],
        properties: SubscribeProperties<'_>,
    ) -> Result<OperationId, RequestError> {
        self.check_limits(filters)?;
        let packet = encode_subscribe(filters, properties)?;
        self.admit(None, packet.len())?;
        let id = self.accept(Kind::Subscribe, packet)?;
        self.limit_request(id, self.options.request_timeout.subscribe);
        Ok(id)
    }

    /// Accepts the end of subscriptions, all in one UNSUBSCRIBE. From now on they aren't renewed.
    ///
    /// # Errors
    /// A filter that isn't one, or none at all; a full queue. The subscriptions go on.
    pub fn unsubscribe(&mut self, filters: &[&str]) -> Result<OperationId, RequestError> {
        self.unsubscribe_with(filters, UnsubscribeProperties::default())
    }

    /// As [`unsubscribe`](Self::unsubscribe), with properties.
    ///
    /// # Errors
    /// As [`unsubscribe`](Self::unsubscribe).
    pub fn unsubscribe_with(
        &mut self,
        filters: &[&str],
        properties: UnsubscribeProperties<'_>,
    ) -> Result<OperationId, RequestError> {
        let packet = encode_unsubscribe(filters, properties)?;
        self.admit(None, packet.len())?;
        let id = self.accept(Kind::Unsubscribe, packet)?;
        self.limit_request(id, self.options.request_timeout.unsubscribe);
        filters
            .iter()
            .for_each(|filter| self.session.subscriptions.end(filter, u64::MAX));
        Ok(id)
    }
}

/// Stands where a packet identifier will: a request gets its own when it is sent.
pub(in crate::engine) const PLACEHOLDER: PacketId = match PacketId::new(1) {
    Some(id) => id,
    None => unreachable!(),
};

pub(in crate::engine) fn encode_subscribe(
    filters: &[(&str, SubscriptionOptions)],
    properties: SubscribeProperties<'_>,
) -> Result<Vec<u8>, RequestError> {
    let subscriptions = filters
        .iter()
        .map(|&(filter, options)| {
            Ok(dunlin_codec::Subscription {
                filter: TopicFilter::new(filter)?,
                options,
            })
        })
        .collect::<Result<Vec<_>, RequestError>>()?;
    let subscribe = Subscribe {
        packet_id: PLACEHOLDER,
        properties,
        subscriptions: subscriptions.as_slice().into(),
    };
    let mut packet = Vec::with_capacity(subscribe.encoded_len()?);
    subscribe.encode(&mut packet)?;
    Ok(packet)
}

pub(in crate::engine) fn encode_unsubscribe(
    filters: &[&str],
    properties: UnsubscribeProperties<'_>,
) -> Result<Vec<u8>, RequestError> {
    let list = filters
        .iter()
        .map(|filter| TopicFilter::new(filter))
        .collect::<Result<Vec<_>, _>>()?;
    let unsubscribe = Unsubscribe {
        packet_id: PLACEHOLDER,
        properties,
        filters: list.as_slice().into(),
    };
    let mut packet = Vec::with_capacity(unsubscribe.encoded_len()?);
    unsubscribe.encode(&mut packet)?;
    Ok(packet)
}

/// The identifier that a SUBSCRIBE gives to its subscriptions.
pub(in crate::engine) fn requested_identifier(packet: &[u8]) -> Option<SubscriptionIdentifier> {
    match Packet::decode(packet) {
        Ok(Some((Packet::Subscribe(subscribe), _))) => subscribe.properties.subscription_identifier,
        _ => None,
    }
}

/// The filters and options of a SUBSCRIBE, or the filters of an UNSUBSCRIBE.
pub(in crate::engine) fn requested(packet: &[u8]) -> Vec<(&str, SubscriptionOptions)> {
    match Packet::decode(packet) {
        Ok(Some((Packet::Subscribe(subscribe), _))) => subscribe
            .subscriptions
            .iter()
            .map(|each| (each.filter.as_str(), each.options))
            .collect(),
        Ok(Some((Packet::Unsubscribe(unsubscribe), _))) => unsubscribe
            .filters
            .iter()
            .map(|filter| (filter.as_str(), SubscriptionOptions::default()))
            .collect(),
        _ => Vec::new(),
    }
}
