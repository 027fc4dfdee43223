//! Packets as a test writes them down.

use dunlin_client::QoS;
use dunlin_client::codec::{
    Ack, AckType, ConnAck, ConnAckProperties, Delivery, Disconnect, Packet, PacketBuf, PacketId,
    Publish, ReasonCode, RetainHandling, SubAck, SubAckProperties, Subscribe, SubscribeProperties,
    Subscription, SubscriptionIdentifier, SubscriptionOptions, TopicFilter, TopicName, UnsubAck,
    Unsubscribe, UnsubscribeProperties,
};

pub(crate) fn connack() -> PacketBuf {
    connack_with(ConnAckProperties::default())
}

pub(crate) fn connack_with(properties: ConnAckProperties<'_>) -> PacketBuf {
    buf(Packet::ConnAck(ConnAck {
        properties,
        ..ConnAck::default()
    }))
}

/// The server goes on with the session.
pub(crate) fn connack_resumed() -> PacketBuf {
    connack_resumed_with(ConnAckProperties::default())
}

pub(crate) fn connack_resumed_with(properties: ConnAckProperties<'_>) -> PacketBuf {
    buf(Packet::ConnAck(ConnAck {
        session_present: true,
        properties,
        ..ConnAck::default()
    }))
}

pub(crate) fn refusal(reason_code: ReasonCode) -> PacketBuf {
    buf(Packet::ConnAck(ConnAck {
        reason_code,
        ..ConnAck::default()
    }))
}

/// The payload is "on", always.
pub(crate) fn publish(topic: &str, delivery: Delivery) -> PacketBuf {
    let publish = Publish {
        delivery,
        ..Publish::new(TopicName::new(topic).unwrap(), b"on")
    };
    buf(Packet::Publish(publish))
}

pub(crate) fn at_most_once() -> Delivery {
    Delivery::AtMostOnce
}

pub(crate) fn at_least_once(packet_id: u16) -> Delivery {
    Delivery::new(QoS::AtLeastOnce, id(packet_id), false)
}

pub(crate) fn exactly_once(packet_id: u16) -> Delivery {
    Delivery::new(QoS::ExactlyOnce, id(packet_id), false)
}

/// The same with DUP.
pub(crate) fn again(delivery: Delivery) -> Delivery {
    Delivery::new(delivery.qos(), delivery.packet_id().unwrap(), true)
}

pub(crate) fn puback(packet_id: u16) -> PacketBuf {
    ack(AckType::PubAck, packet_id, ReasonCode::Success)
}

pub(crate) fn pubrec(packet_id: u16) -> PacketBuf {
    ack(AckType::PubRec, packet_id, ReasonCode::Success)
}

pub(crate) fn pubrel(packet_id: u16) -> PacketBuf {
    ack(AckType::PubRel, packet_id, ReasonCode::Success)
}

pub(crate) fn pubcomp(packet_id: u16) -> PacketBuf {
    ack(AckType::PubComp, packet_id, ReasonCode::Success)
}

pub(crate) fn ack(ack_type: AckType, packet_id: u16, reason_code: ReasonCode) -> PacketBuf {
    buf(Ack {
        reason_code,
        ..Ack::success(id(packet_id))
    }
    .into_packet(ack_type))
}

/// QoS 1, as `Client::subscribes` asks for it.
pub(crate) fn subscribe(packet_id: u16, filters: &[&str]) -> PacketBuf {
    subscribe_with(packet_id, filters, RetainHandling::Send)
}

/// As the engine asks for it again.
pub(crate) fn resubscribe(packet_id: u16, filters: &[&str]) -> PacketBuf {
    subscribe_with(packet_id, filters, RetainHandling::SendIfNew)
}

fn subscribe_with(packet_id: u16, filters: &[&str], retain_handling: RetainHandling) -> PacketBuf {
    let options = SubscriptionOptions {
        qos: QoS::AtLeastOnce,
        retain_handling,
        ..SubscriptionOptions::default()
    };
    let subscriptions: Vec<_> = filters
        .iter()
        .map(|filter| Subscription {
            filter: TopicFilter::new(filter).unwrap(),
            options,
        })
        .collect();
    let properties = SubscribeProperties::default();
    let subscriptions = subscriptions.as_slice().into();
    buf(Packet::Subscribe(Subscribe {
        packet_id: id(packet_id),
        properties,
        subscriptions,
    }))
}

/// The same SUBSCRIBE with an identifier for its subscriptions.
pub(crate) fn identified(subscribe: &PacketBuf, identifier: u32) -> PacketBuf {
    let Packet::Subscribe(mut packet) = subscribe.packet() else {
        panic!("{subscribe:?}")
    };
    packet.properties.subscription_identifier = SubscriptionIdentifier::new(identifier);
    buf(Packet::Subscribe(packet))
}

pub(crate) fn suback(packet_id: u16, reason_codes: &[ReasonCode]) -> PacketBuf {
    let (packet_id, properties) = (id(packet_id), SubAckProperties::default());
    buf(Packet::SubAck(SubAck {
        packet_id,
        properties,
        reason_codes: reason_codes.into(),
    }))
}

pub(crate) fn unsubscribe(packet_id: u16, filters: &[&str]) -> PacketBuf {
    let filters: Vec<_> = filters
        .iter()
        .map(|filter| TopicFilter::new(filter).unwrap())
        .collect();
    let (packet_id, properties) = (id(packet_id), UnsubscribeProperties::default());
    buf(Packet::Unsubscribe(Unsubscribe {
        packet_id,
        properties,
        filters: filters.as_slice().into(),
    }))
}

pub(crate) fn unsuback(packet_id: u16, reason_codes: &[ReasonCode]) -> PacketBuf {
    let (packet_id, properties) = (id(packet_id), SubAckProperties::default());
    buf(Packet::UnsubAck(UnsubAck {
        packet_id,
        properties,
        reason_codes: reason_codes.into(),
    }))
}

pub(crate) fn pingreq() -> PacketBuf {
    buf(Packet::PingReq)
}

pub(crate) fn pingresp() -> PacketBuf {
    buf(Packet::PingResp)
}

pub(crate) fn disconnect(reason_code: ReasonCode) -> PacketBuf {
    buf(Packet::Disconnect(Disconnect {
        reason_code,
        ..Disconnect::default()
    }))
}

pub(crate) fn id(packet_id: u16) -> PacketId {
    PacketId::new(packet_id).unwrap()
}

pub(crate) fn buf(packet: Packet<'_>) -> PacketBuf {
    PacketBuf::new(&packet).unwrap()
}
