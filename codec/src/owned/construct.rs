//! Constructors of owned packets from the fields that they can't do without, as those of the
//! borrowed ones, and `Display` of their parts.

use alloc::vec::Vec;
use core::fmt;

use super::{
    Ack, AckProperties, Auth, AuthProperties, BinaryData, ConnAck, Connect, Disconnect, Publish,
    PublishProperties, Repeated, SubAck, SubAckProperties, Subscribe, SubscribeProperties,
    Subscription, TopicFilter, TopicName, UnsubAck, Unsubscribe, UnsubscribeProperties,
    UserProperty, Utf8String, Will, WillProperties,
};
use crate::delivery::Delivery;
use crate::packet::SubscriptionOptions;
use crate::qos::{PacketId, QoS};
use crate::reason_code::ReasonCode;

impl Connect {
    /// CONNECT of this client; all else as [`Connect::new`](crate::Connect::new) has it.
    #[must_use]
    pub fn new(client_id: Utf8String) -> Self {
        Self {
            client_id,
            ..Self::default()
        }
    }
}

impl Will {
    /// Will of QoS 0 without properties, which is not retained.
    #[must_use]
    pub fn new(topic: TopicName, payload: BinaryData) -> Self {
        Self {
            qos: QoS::AtMostOnce,
            retain: false,
            properties: WillProperties::default(),
            topic,
            payload,
        }
    }
}

impl Publish {
    /// PUBLISH of QoS 0 without properties.
    ///
    /// ```
    /// use dunlin_codec::{Delivery, PacketId, owned};
    ///
    /// let mut publish = owned::Publish::new("lamp/7".parse()?, "on");
    /// publish.delivery = Delivery::AtLeastOnce { packet_id: PacketId::MIN, dup: false };
    /// assert_eq!(publish.to_string(), r#"PUBLISH QoS 1 id 1 "lamp/7" 2 bytes"#);
    /// # Ok::<(), dunlin_codec::TopicError>(())
    /// ```
    #[must_use]
    pub fn new(topic: TopicName, payload: impl Into<Vec<u8>>) -> Self {
        Self {
            delivery: Delivery::AtMostOnce,
            retain: false,
            topic: Some(topic),
            properties: PublishProperties::default(),
            payload: payload.into(),
        }
    }
}

impl Ack {
    /// Acknowledgement with this reason code, without properties.
    #[must_use]
    pub fn new(packet_id: PacketId, reason_code: ReasonCode) -> Self {
        Self {
            packet_id,
            reason_code,
            properties: AckProperties::default(),
        }
    }
}

impl Subscribe {
    /// SUBSCRIBE without properties. Encoding requires at least one subscription.
    ///
    /// ```
    /// use dunlin_codec::{PacketId, QoS, owned};
    ///
    /// let subscription = owned::Subscription::new("lamp/+".parse()?, QoS::AtLeastOnce);
    /// let subscribe = owned::Subscribe::new(PacketId::MIN, [subscription]);
    /// assert_eq!(subscribe.to_string(), r#"SUBSCRIBE id 1 "lamp/+" QoS 1"#);
    /// # Ok::<(), dunlin_codec::TopicError>(())
    /// ```
    #[must_use]
    pub fn new(packet_id: PacketId, subscriptions: impl Into<Repeated<Subscription>>) -> Self {
        Self {
            packet_id,
            properties: SubscribeProperties::default(),
            subscriptions: subscriptions.into(),
        }
    }
}

impl Subscription {
    /// Subscription with this maximum QoS; the other options are their defaults.
    #[must_use]
    pub const fn new(filter: TopicFilter, qos: QoS) -> Self {
        Self {
            filter,
            options: SubscriptionOptions::new(qos),
        }
    }
}

impl Unsubscribe {
    /// UNSUBSCRIBE without properties. Encoding requires at least one filter.
    #[must_use]
    pub fn new(packet_id: PacketId, filters: impl Into<Repeated<TopicFilter>>) -> Self {
        Self {
            packet_id,
            properties: UnsubscribeProperties::default(),
            filters: filters.into(),
        }
    }
}

impl ConnAck {
    /// CONNACK with this reason code, without a session and properties.
    #[must_use]
    pub fn new(reason_code: ReasonCode) -> Self {
        Self {
            reason_code,
            ..Self::default()
        }
    }
}

/// Implements `new` for SUBACK and UNSUBACK.
macro_rules! new_list_of_codes {
    ($($type:ident $name:literal)*) => {$(
        impl $type {
            #[doc = concat!($name, " without properties. Encoding requires at least one reason code.")]
            #[must_use]
            pub fn new(packet_id: PacketId, reason_codes: impl Into<Repeated<ReasonCode>>) -> Self {
                Self {
                    packet_id,
                    properties: SubAckProperties::default(),
                    reason_codes: reason_codes.into(),
                }
            }
        }
    )*};
}

new_list_of_codes!(SubAck "SUBACK" UnsubAck "UNSUBACK");

impl Disconnect {
    /// DISCONNECT with this reason code, without properties.
    #[must_use]
    pub fn new(reason_code: ReasonCode) -> Self {
        Self {
            reason_code,
            ..Self::default()
        }
    }
}

impl Auth {
    /// AUTH with this reason code and Authentication Method, without data.
    #[must_use]
    pub fn new(reason_code: ReasonCode, method: Utf8String) -> Self {
        Self {
            reason_code,
            properties: AuthProperties {
                authentication_method: Some(method),
                ..AuthProperties::default()
            },
        }
    }
}

/// Implements `Display` as the borrowed type has it.
macro_rules! display {
    ($($type:ident)*) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.as_borrowed(), f)
            }
        }
    )*};
}

display!(Ack Subscription UserProperty Will);
