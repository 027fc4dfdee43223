//! SUBSCRIBE, UNSUBSCRIBE and what answers them.

use dunlin_codec::{
    Packet, QoS, ReasonCode, RetainHandling, SubAck, SubAckProperties, Subscribe,
    SubscribeProperties, Subscription, SubscriptionIdentifier, SubscriptionOptions, UnsubAck,
    Unsubscribe, UnsubscribeProperties,
};

use super::values::{filter, id, list, text, user_properties};

pub(super) fn table() -> Vec<(&'static str, &'static str, Packet<'static>)> {
    vec![
        (
            "a SUBSCRIBE with nothing",
            "82 07 0001 00 0001 61 00",
            Subscribe {
                packet_id: id(1),
                properties: SubscribeProperties::default(),
                subscriptions: list(vec![plain("a")]),
            }
            .into(),
        ),
        (
            "a SUBSCRIBE with everything",
            "82 34 1234 0C 0B FFFFFF7F 26 0001 6B 0001 76 \
             0001 23 00 000C 6C616D702F2B2F7374617465 2E 000F 2473686172652F672F6C616D702F23 19",
            subscribe_with_everything().into(),
        ),
        (
            "a SUBACK with nothing",
            "90 04 0001 00 00",
            SubAck {
                packet_id: id(1),
                properties: SubAckProperties::default(),
                reason_codes: list(vec![ReasonCode::GRANTED_QOS_0]),
            }
            .into(),
        ),
        (
            "a SUBACK with everything",
            "90 1D 1234 0E 1F 0004 736F6D65 26 0001 6B 0001 76 00 01 02 80 83 87 8F 91 97 9E A1 A2",
            SubAck {
                packet_id: id(0x1234),
                properties: some(),
                reason_codes: list(vec![
                    ReasonCode::GRANTED_QOS_0,
                    ReasonCode::GrantedQoS1,
                    ReasonCode::GrantedQoS2,
                    ReasonCode::UnspecifiedError,
                    ReasonCode::ImplementationSpecificError,
                    ReasonCode::NotAuthorized,
                    ReasonCode::TopicFilterInvalid,
                    ReasonCode::PacketIdentifierInUse,
                    ReasonCode::QuotaExceeded,
                    ReasonCode::SharedSubscriptionsNotSupported,
                    ReasonCode::SubscriptionIdentifiersNotSupported,
                    ReasonCode::WildcardSubscriptionsNotSupported,
                ]),
            }
            .into(),
        ),
        (
            "an UNSUBSCRIBE with nothing",
            "A2 06 0001 00 0001 61",
            Unsubscribe {
                packet_id: id(1),
                properties: UnsubscribeProperties::default(),
                filters: list(vec![filter("a")]),
            }
            .into(),
        ),
        (
            "an UNSUBSCRIBE with everything",
            "A2 1B 1234 07 26 0001 6B 0001 76 0001 23 000C 6C616D702F2B2F7374617465",
            Unsubscribe {
                packet_id: id(0x1234),
                properties: UnsubscribeProperties {
                    user_properties: user_properties(&[("k", "v")]),
                },
                filters: list(vec![filter("#"), filter("lamp/+/state")]),
            }
            .into(),
        ),
        (
            "an UNSUBACK with nothing",
            "B0 04 0001 00 00",
            UnsubAck {
                packet_id: id(1),
                properties: SubAckProperties::default(),
                reason_codes: list(vec![ReasonCode::Success]),
            }
            .into(),
        ),
        (
            "an UNSUBACK with everything",
            "B0 18 1234 0E 1F 0004 736F6D65 26 0001 6B 0001 76 00 11 80 83 87 8F 91",
            UnsubAck {
                packet_id: id(0x1234),
                properties: some(),
                reason_codes: list(vec![
                    ReasonCode::Success,
                    ReasonCode::NoSubscriptionExisted,
                    ReasonCode::UnspecifiedError,
                    ReasonCode::ImplementationSpecificError,
                    ReasonCode::NotAuthorized,
                    ReasonCode::TopicFilterInvalid,
                    ReasonCode::PacketIdentifierInUse,
                ]),
            }
            .into(),
        ),
    ]
}

fn subscribe_with_everything() -> Subscribe<'static> {
    let no_echo = SubscriptionOptions {
        qos: QoS::ExactlyOnce,
        no_local: true,
        retain_as_published: true,
        retain_handling: RetainHandling::DontSend,
    };
    let shared = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        no_local: false,
        retain_as_published: true,
        retain_handling: RetainHandling::SendIfNew,
    };
    Subscribe {
        packet_id: id(0x1234),
        properties: SubscribeProperties {
            subscription_identifier: SubscriptionIdentifier::new(268_435_455),
            user_properties: user_properties(&[("k", "v")]),
        },
        subscriptions: list(vec![
            plain("#"),
            Subscription {
                filter: filter("lamp/+/state"),
                options: no_echo,
            },
            Subscription {
                filter: filter("$share/g/lamp/#"),
                options: shared,
            },
        ]),
    }
}

fn plain(topic_filter: &'static str) -> Subscription<'static> {
    Subscription {
        filter: filter(topic_filter),
        options: SubscriptionOptions::default(),
    }
}

fn some() -> SubAckProperties<'static> {
    SubAckProperties {
        reason_string: Some(text("some")),
        user_properties: user_properties(&[("k", "v")]),
    }
}
