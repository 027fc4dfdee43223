//! Packets with usual contents.

use dunlin_codec::{
    Ack, AckType, ConnAck, ConnAckProperties, Delivery, Disconnect, Packet, PacketBuf, PacketId,
    Publish, QoS, ReasonCode, RetainHandling, SubAck, SubAckProperties, Subscribe,
    SubscribeProperties, Subscription, SubscriptionIdentifier, SubscriptionOptions, TopicFilter,
    TopicName, UnsubAck, Unsubscribe, UnsubscribeProperties,
};

/// CONNACK with success, without a session and without properties.
pub fn connack() -> PacketBuf {
    connack_with(ConnAckProperties::default())
}

/// CONNACK with success, without a session.
pub fn connack_with(properties: ConnAckProperties<'_>) -> PacketBuf {
    buf(Packet::from(&ConnAck {
        properties,
        ..ConnAck::default()
    }))
}

/// CONNACK with success and Session Present.
pub fn connack_resumed() -> PacketBuf {
    connack_resumed_with(ConnAckProperties::default())
}

/// CONNACK with success, Session Present and these properties.
pub fn connack_resumed_with(properties: ConnAckProperties<'_>) -> PacketBuf {
    buf(Packet::from(&ConnAck {
        session_present: true,
        properties,
        ..ConnAck::default()
    }))
}

/// CONNACK with this reason code.
pub fn refusal(reason_code: ReasonCode) -> PacketBuf {
    buf(Packet::from(&ConnAck {
        reason_code,
        ..ConnAck::default()
    }))
}

/// PUBLISH with the payload "on".
pub fn publish(topic: &str, delivery: Delivery) -> PacketBuf {
    let publish = Publish {
        delivery,
        ..Publish::new(TopicName::new(topic).unwrap(), b"on")
    };
    buf(Packet::Publish(publish))
}

/// Delivery at QoS 0.
pub fn at_most_once() -> Delivery {
    Delivery::AtMostOnce
}

/// First delivery at QoS 1.
pub fn at_least_once(packet_id: u16) -> Delivery {
    Delivery::new(QoS::AtLeastOnce, id(packet_id), false)
}

/// First delivery at QoS 2.
pub fn exactly_once(packet_id: u16) -> Delivery {
    Delivery::new(QoS::ExactlyOnce, id(packet_id), false)
}

/// The same delivery with DUP.
pub fn with_dup(delivery: Delivery) -> Delivery {
    Delivery::new(delivery.qos(), delivery.packet_id().unwrap(), true)
}

/// PUBACK with success.
pub fn puback(packet_id: u16) -> PacketBuf {
    ack(AckType::PubAck, packet_id, ReasonCode::Success)
}

/// PUBREC with success.
pub fn pubrec(packet_id: u16) -> PacketBuf {
    ack(AckType::PubRec, packet_id, ReasonCode::Success)
}

/// PUBREL with success.
pub fn pubrel(packet_id: u16) -> PacketBuf {
    ack(AckType::PubRel, packet_id, ReasonCode::Success)
}

/// PUBCOMP with success.
pub fn pubcomp(packet_id: u16) -> PacketBuf {
    ack(AckType::PubComp, packet_id, ReasonCode::Success)
}

/// Acknowledgement of this type.
pub fn ack(ack_type: AckType, packet_id: u16, reason_code: ReasonCode) -> PacketBuf {
    buf(Ack {
        reason_code,
        ..Ack::success(id(packet_id))
    }
    .into_packet(ack_type))
}

/// SUBSCRIBE at QoS 1 that asks for retained messages.
pub fn subscribe(packet_id: u16, filters: &[&str]) -> PacketBuf {
    subscribe_with(packet_id, filters, RetainHandling::Send)
}

/// SUBSCRIBE at QoS 1 as the engine renews it: retained messages only for a new subscription.
pub fn resubscribe(packet_id: u16, filters: &[&str]) -> PacketBuf {
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

/// The same SUBSCRIBE with a Subscription Identifier.
pub fn with_identifier(subscribe: &PacketBuf, identifier: u32) -> PacketBuf {
    let Packet::Subscribe(mut packet) = subscribe.packet() else {
        panic!("{subscribe:?}")
    };
    packet.properties.subscription_identifier = SubscriptionIdentifier::new(identifier);
    buf(Packet::Subscribe(packet))
}

/// SUBACK with these reason codes.
pub fn suback(packet_id: u16, reason_codes: &[ReasonCode]) -> PacketBuf {
    let (packet_id, properties) = (id(packet_id), SubAckProperties::default());
    buf(Packet::SubAck(SubAck {
        packet_id,
        properties,
        reason_codes: reason_codes.into(),
    }))
}

/// UNSUBSCRIBE from these filters.
pub fn unsubscribe(packet_id: u16, filters: &[&str]) -> PacketBuf {
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

/// UNSUBACK with these reason codes.
pub fn unsuback(packet_id: u16, reason_codes: &[ReasonCode]) -> PacketBuf {
    let (packet_id, properties) = (id(packet_id), SubAckProperties::default());
    buf(Packet::UnsubAck(UnsubAck {
        packet_id,
        properties,
        reason_codes: reason_codes.into(),
    }))
}

/// PINGREQ.
pub fn pingreq() -> PacketBuf {
    buf(Packet::PingReq)
}

/// PINGRESP.
pub fn pingresp() -> PacketBuf {
    buf(Packet::PingResp)
}

/// DISCONNECT with this reason code.
pub fn disconnect(reason_code: ReasonCode) -> PacketBuf {
    buf(Packet::Disconnect(Disconnect {
        reason_code,
        ..Disconnect::default()
    }))
}

/// Packet identifier of this value.
pub fn id(packet_id: u16) -> PacketId {
    PacketId::new(packet_id).unwrap()
}

/// Encoded packet.
pub fn buf(packet: Packet<'_>) -> PacketBuf {
    PacketBuf::new(&packet).unwrap()
}
