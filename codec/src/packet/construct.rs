//! Constructors of packets from the fields that they can't do without; all others have a default.

use super::{
    Auth, AuthProperties, ConnAck, ConnAckProperties, Connect, ConnectProperties, Disconnect,
    DisconnectProperties, SubAck, SubAckProperties, Subscribe, SubscribeProperties, Subscription,
    SubscriptionOptions, UnsubAck, Unsubscribe, UnsubscribeProperties, Will, WillProperties,
};
use crate::qos::{PacketId, QoS};
use crate::reason_code::ReasonCode;
use crate::repeated::Repeated;
use crate::text::{BinaryData, Utf8String};
use crate::topic::{TopicFilter, TopicName};

impl<'a> Connect<'a> {
    /// CONNECT of this client, with Clean Start 0, Keep Alive 0 (no limit), and without properties,
    /// Will, User Name and Password.
    ///
    /// ```
    /// use dunlin_codec::{Connect, Utf8String};
    ///
    /// let connect = Connect { keep_alive: 60, ..Connect::new(Utf8String::new("lamp-7")?) };
    /// assert_eq!(connect.encoded_len(), Ok(21));
    /// # Ok::<(), dunlin_codec::TextError>(())
    /// ```
    #[must_use]
    pub const fn new(client_id: Utf8String<'a>) -> Self {
        Self {
            clean_start: false,
            keep_alive: 0,
            properties: ConnectProperties::new(),
            client_id,
            will: None,
            username: None,
            password: None,
        }
    }
}

impl<'a> Will<'a> {
    /// Will of QoS 0 without properties, which is not retained.
    #[must_use]
    pub const fn new(topic: TopicName<'a>, payload: BinaryData<'a>) -> Self {
        Self {
            qos: QoS::AtMostOnce,
            retain: false,
            properties: WillProperties::new(),
            topic,
            payload,
        }
    }
}

impl ConnAck<'_> {
    /// CONNACK with this reason code, without a session and properties.
    #[must_use]
    pub const fn new(reason_code: ReasonCode) -> Self {
        Self {
            session_present: false,
            reason_code,
            properties: ConnAckProperties::new(),
        }
    }
}

impl<'a> Subscribe<'a> {
    /// SUBSCRIBE without properties. Encoding requires at least one subscription.
    ///
    /// ```
    /// use dunlin_codec::{PacketId, QoS, Subscribe, Subscription, TopicFilter};
    ///
    /// let subscriptions = [Subscription::new(TopicFilter::new("lamp/+")?, QoS::AtLeastOnce)];
    /// let subscribe = Subscribe::new(PacketId::MIN, &subscriptions);
    /// assert_eq!(subscribe.encoded_len(), Ok(14));
    /// # Ok::<(), dunlin_codec::TopicError>(())
    /// ```
    #[must_use]
    pub const fn new(packet_id: PacketId, subscriptions: &'a [Subscription<'a>]) -> Self {
        Self {
            packet_id,
            properties: SubscribeProperties::new(),
            subscriptions: Repeated::from_slice(subscriptions),
        }
    }
}

impl<'a> Subscription<'a> {
    /// Subscription with this maximum QoS; the other options are their defaults.
    #[must_use]
    pub const fn new(filter: TopicFilter<'a>, qos: QoS) -> Self {
        Self {
            filter,
            options: SubscriptionOptions::new(qos),
        }
    }
}

impl<'a> Unsubscribe<'a> {
    /// UNSUBSCRIBE without properties. Encoding requires at least one filter.
    #[must_use]
    pub const fn new(packet_id: PacketId, filters: &'a [TopicFilter<'a>]) -> Self {
        Self {
            packet_id,
            properties: UnsubscribeProperties::new(),
            filters: Repeated::from_slice(filters),
        }
    }
}

/// Implements `new` for SUBACK and UNSUBACK.
macro_rules! answer {
    ($($packet:ident $name:literal;)*) => {$(
        impl<'a> $packet<'a> {
            #[doc = concat!($name, " without properties. Encoding requires at least one reason code.")]
            #[must_use]
            pub const fn new(packet_id: PacketId, reason_codes: &'a [ReasonCode]) -> Self {
                Self {
                    packet_id,
                    properties: SubAckProperties::new(),
                    reason_codes: Repeated::from_slice(reason_codes),
                }
            }
        }
    )*};
}

answer! {
    SubAck "SUBACK";
    UnsubAck "UNSUBACK";
}

impl Disconnect<'_> {
    /// DISCONNECT with this reason code, without properties.
    #[must_use]
    pub const fn new(reason_code: ReasonCode) -> Self {
        Self {
            reason_code,
            properties: DisconnectProperties::new(),
        }
    }
}

impl<'a> Auth<'a> {
    /// AUTH with this reason code and Authentication Method, without data.
    #[must_use]
    pub const fn new(reason_code: ReasonCode, method: Utf8String<'a>) -> Self {
        Self {
            reason_code,
            properties: AuthProperties {
                authentication_method: Some(method),
                ..AuthProperties::new()
            },
        }
    }
}
