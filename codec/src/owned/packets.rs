//! Owned packets and their parts, with the fields of the borrowed ones.

use alloc::vec::Vec;
use core::fmt;

use super::{
    AckProperties, AuthProperties, BinaryData, ConnAckProperties, ConnectProperties,
    DisconnectProperties, Lend, PublishProperties, Repeated, SubAckProperties, SubscribeProperties,
    TopicFilter, TopicName, UnsubscribeProperties, Utf8String, WillProperties, own_themselves,
    owns,
};
use crate::delivery::Delivery;
use crate::packet::SubscriptionOptions;
use crate::qos::{PacketId, QoS};
use crate::reason_code::ReasonCode;

/// Owned form of [`Packet`](crate::Packet).
#[derive(Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "documented where it is borrowed")]
pub enum Packet {
    Connect(Connect),
    ConnAck(ConnAck),
    Publish(Publish),
    PubAck(Ack),
    PubRec(Ack),
    PubRel(Ack),
    PubComp(Ack),
    Subscribe(Subscribe),
    SubAck(SubAck),
    Unsubscribe(Unsubscribe),
    UnsubAck(UnsubAck),
    PingReq,
    PingResp,
    Disconnect(Disconnect),
    Auth(Auth),
}

impl Packet {
    /// Packet that borrows from this one.
    #[must_use]
    pub fn packet(&self) -> crate::Packet<'_> {
        match self {
            Self::Connect(packet) => crate::Packet::Connect(packet.lend()),
            Self::ConnAck(packet) => crate::Packet::ConnAck(packet.lend()),
            Self::Publish(packet) => crate::Packet::Publish(packet.lend()),
            Self::PubAck(ack) => crate::Packet::PubAck(ack.lend()),
            Self::PubRec(ack) => crate::Packet::PubRec(ack.lend()),
            Self::PubRel(ack) => crate::Packet::PubRel(ack.lend()),
            Self::PubComp(ack) => crate::Packet::PubComp(ack.lend()),
            Self::Subscribe(packet) => crate::Packet::Subscribe(packet.lend()),
            Self::SubAck(packet) => crate::Packet::SubAck(packet.lend()),
            Self::Unsubscribe(packet) => crate::Packet::Unsubscribe(packet.lend()),
            Self::UnsubAck(packet) => crate::Packet::UnsubAck(packet.lend()),
            Self::PingReq => crate::Packet::PingReq,
            Self::PingResp => crate::Packet::PingResp,
            Self::Disconnect(packet) => crate::Packet::Disconnect(packet.lend()),
            Self::Auth(packet) => crate::Packet::Auth(packet.lend()),
        }
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.packet().fmt(f)
    }
}

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
