//! Owned packets and their parts, with the fields of the borrowed ones.

use alloc::vec::Vec;

use super::{
    AckProperties, AuthProperties, BinaryData, ConnAckProperties, ConnectProperties,
    DisconnectProperties, PublishProperties, Repeated, SubAckProperties, SubscribeProperties,
    TopicFilter, TopicName, UnsubscribeProperties, Utf8String, WillProperties, own_themselves,
    owns,
};
use crate::delivery::Delivery;
use crate::packet::SubscriptionOptions;
use crate::qos::{PacketId, QoS};
use crate::reason_code::ReasonCode;

own_themselves!(SubscriptionOptions);

owns! {
    #[derive(Default)]
    Connect lends Connect {
        clean_start: bool,
        keep_alive: u16,
        properties: ConnectProperties,
        client_id: Utf8String,
        will: Option<Will>,
        username: Option<Utf8String>,
        password: Option<BinaryData>,
    }

    Will lends Will {
        qos: QoS,
        retain: bool,
        properties: WillProperties,
        topic: TopicName,
        payload: BinaryData,
    }

    #[derive(Default)]
    ConnAck lends ConnAck {
        session_present: bool,
        reason_code: ReasonCode,
        properties: ConnAckProperties,
    }

    Publish lends Publish {
        delivery: Delivery,
        retain: bool,
        topic: Option<TopicName>,
        properties: PublishProperties,
        payload: Vec<u8>,
    }

    Ack lends Ack {
        packet_id: PacketId,
        reason_code: ReasonCode,
        properties: AckProperties,
    }

    Subscribe lends Subscribe {
        packet_id: PacketId,
        properties: SubscribeProperties,
        subscriptions: Repeated<Subscription>,
    }

    Subscription lends Subscription {
        filter: TopicFilter,
        options: SubscriptionOptions,
    }

    SubAck lends SubAck {
        packet_id: PacketId,
        properties: SubAckProperties,
        reason_codes: Repeated<ReasonCode>,
    }

    Unsubscribe lends Unsubscribe {
        packet_id: PacketId,
        properties: UnsubscribeProperties,
        filters: Repeated<TopicFilter>,
    }

    UnsubAck lends UnsubAck {
        packet_id: PacketId,
        properties: SubAckProperties,
        reason_codes: Repeated<ReasonCode>,
    }

    #[derive(Default)]
    Disconnect lends Disconnect {
        reason_code: ReasonCode,
        properties: DisconnectProperties,
    }

    #[derive(Default)]
    Auth lends Auth {
        reason_code: ReasonCode,
        properties: AuthProperties,
    }
}
