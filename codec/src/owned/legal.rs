//! Changes generated packets so that they obey the rules that encoding checks.

use super::{Auth, Lend, Packet, Repeated, Subscription};
use crate::packet::SubscriptionOptions;
use crate::packet_type::{PacketType, Sender};
use crate::property_types::TopicAlias;
use crate::qos::QoS;
use crate::reason_code::ReasonCode;
use crate::topic::TopicFilter;

impl Packet {
    /// Packet that can be encoded; the same one if it can.
    pub(super) fn legal(mut self) -> Self {
        let packet_type = self.packet().packet_type();
        match &mut self {
            Self::Connect(connect) => {
                let properties = &mut connect.properties;
                require_method(
                    &mut properties.authentication_method,
                    properties.authentication_data.is_some(),
                );
            }
            Self::ConnAck(connack) => {
                // A refusal has no session, and the absence of Maximum QoS means QoS 2.
                connack.reason_code = legal(connack.reason_code, packet_type);
                connack.session_present &= !connack.reason_code.is_error();
                let properties = &mut connack.properties;
                properties.maximum_qos = properties
                    .maximum_qos
                    .filter(|qos| *qos != QoS::ExactlyOnce);
                require_method(
                    &mut properties.authentication_method,
                    properties.authentication_data.is_some(),
                );
            }
            Self::Publish(publish) if publish.topic.is_none() => {
                // A PUBLISH without a topic needs an alias.
                let alias = &mut publish.properties.topic_alias;
                *alias = alias.or(TopicAlias::new(1));
            }
            Self::PubAck(ack) | Self::PubRec(ack) | Self::PubRel(ack) | Self::PubComp(ack) => {
                ack.reason_code = legal(ack.reason_code, packet_type);
            }
            Self::Subscribe(subscribe) => {
                subscribe.subscriptions = legal_subscriptions(&subscribe.subscriptions);
            }
            Self::SubAck(suback) => {
                suback.reason_codes = legal_codes(&suback.reason_codes, packet_type);
            }
            Self::UnsubAck(unsuback) => {
                unsuback.reason_codes = legal_codes(&unsuback.reason_codes, packet_type);
            }
            Self::Unsubscribe(unsubscribe) if unsubscribe.filters.lend().is_empty() => {
                unsubscribe
                    .filters
                    .push_item(TopicFilter::of_validated("#"));
            }
            Self::Disconnect(disconnect) => {
                disconnect.reason_code = legal(disconnect.reason_code, packet_type);
            }
            Self::Auth(auth) => {
                auth.reason_code = legal(auth.reason_code, packet_type);
                // Only the short form of AUTH has no method.
                let says_something = *auth != Auth::default();
                require_method(&mut auth.properties.authentication_method, says_something);
            }
            Self::Publish(_) | Self::Unsubscribe(_) | Self::PingReq | Self::PingResp => {}
        }
        self
    }
}

fn require_method<T: Default>(method: &mut Option<T>, required: bool) {
    if required {
        method.get_or_insert_with(T::default);
    }
}

/// Reason code that the packet can have: `code` if it can.
fn legal(code: ReasonCode, packet_type: PacketType) -> ReasonCode {
    if code.is_legal_in(packet_type, Sender::Any) {
        return code;
    }
    // The others are equally likely.
    let codes = || {
        ReasonCode::ALL
            .iter()
            .copied()
            .filter(|code| code.is_legal_in(packet_type, Sender::Any))
    };
    codes()
        .nth(usize::from(code.code()) % codes().count().max(1))
        .unwrap_or_default()
}

/// At least one subscription, none of which is shared and has No Local.
fn legal_subscriptions(subscriptions: &Repeated<Subscription>) -> Repeated<Subscription> {
    let mut legal = Repeated::default();
    for mut subscription in subscriptions.lend() {
        // No Local is not allowed with a shared subscription.
        subscription.options.no_local &= !subscription.filter.is_shared();
        legal.push_item(subscription);
    }
    if legal.lend().is_empty() {
        let filter = TopicFilter::of_validated("#");
        legal.push_item(crate::Subscription {
            filter,
            options: SubscriptionOptions::default(),
        });
    }
    legal
}

/// At least one reason code, all of which the packet can have.
fn legal_codes(codes: &Repeated<ReasonCode>, packet_type: PacketType) -> Repeated<ReasonCode> {
    let codes = if codes.lend().is_empty() {
        [ReasonCode::Success].into_iter().collect()
    } else {
        codes.clone()
    };
    codes
        .lend()
        .iter()
        .map(|code| legal(code, packet_type))
        .collect()
}
