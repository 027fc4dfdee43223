use std::num::NonZero;

use dunlin_codec::{
    AckProperties, ConnAck, ConnAckProperties, Connect, ConnectProperties, Delivery,
    PublishProperties, QoS, ReasonCode, SubAck, Subscribe, Subscription, TopicAlias, TopicFilter,
    TopicName,
};

use super::*;

const SENT: Direction = Direction::Sent;
const RECEIVED: Direction = Direction::Received;

fn id(number: u16) -> PacketId {
    PacketId::new(number).unwrap()
}

fn publish(number: u16) -> Publish<'static> {
    Publish {
        delivery: Delivery::AtLeastOnce {
            packet_id: id(number),
            dup: false,
        },
        ..Publish::new(TopicName::new("a").unwrap(), b"")
    }
}

fn ack(number: u16) -> Ack<'static> {
    Ack {
        packet_id: id(number),
        reason_code: ReasonCode::Success,
        properties: AckProperties::default(),
    }
}

/// Statements that these packets break, one after the other, a second apart; CONNECT and CONNACK with
/// these properties come first.
fn broken(
    connect: ConnectProperties<'_>,
    connack: ConnAckProperties<'_>,
    packets: &[(Direction, Packet<'_>)],
) -> Vec<&'static str> {
    let connect = Connect {
        properties: connect,
        ..Connect::default()
    };
    let connack = ConnAck {
        properties: connack,
        ..ConnAck::default()
    };
    let mut rules = Rules::default();
    let first = [
        (SENT, Packet::from(&connect)),
        (RECEIVED, Packet::from(&connack)),
    ];
    first
        .iter()
        .chain(packets)
        .flat_map(|(direction, packet)| {
            let len = packet.encoded_len().unwrap();
            rules.handle(*direction, packet, len, Duration::ZERO).1
        })
        .map(|breach| breach.statement.unwrap())
        .collect()
}

fn broken_by_default(packets: &[(Direction, Packet<'_>)]) -> Vec<&'static str> {
    broken(
        ConnectProperties::default(),
        ConnAckProperties::default(),
        packets,
    )
}

#[test]
fn packets_are_sent_in_the_order_of_the_standard() {
    let mut rules = Rules::default();
    let mut statement = |direction, packet: Packet<'_>| {
        let breaches = rules.handle(direction, &packet, 2, Duration::ZERO).1;
        breaches.first().map(|breach| breach.statement.unwrap())
    };
    assert_eq!(statement(SENT, Packet::PingReq), Some("MQTT-3.1.0-1"));
    assert_eq!(statement(RECEIVED, Packet::PingResp), Some("MQTT-3.2.0-1"));
    let connect = Connect::default();
    let connack = ConnAck::default();
    assert_eq!(statement(SENT, Packet::from(&connect)), None);
    assert_eq!(
        statement(SENT, Packet::from(&connect)),
        Some("MQTT-3.1.0-2")
    );
    assert_eq!(statement(RECEIVED, Packet::from(&connack)), None);
    assert_eq!(
        statement(RECEIVED, Packet::from(&connack)),
        Some("MQTT-3.2.0-2")
    );
}

#[test]
fn the_receive_maximum_of_each_side_counts_until_the_acknowledgement() {
    let two = NonZero::new(2);
    let connack = ConnAckProperties {
        receive_maximum: two,
        ..ConnAckProperties::default()
    };
    let connect = ConnectProperties {
        receive_maximum: two,
        ..ConnectProperties::default()
    };
    for (direction, statement) in [(SENT, "MQTT-3.3.4-7"), (RECEIVED, "MQTT-3.3.4-9")] {
        let publish = |number| (direction, Packet::from(publish(number)));
        let answer = (opposite(direction), Packet::PubAck(ack(1)));
        let within = [publish(1), publish(2), answer, publish(3)];
        assert_eq!(broken(connect, connack, &within), [""; 0]);
        let above = [publish(1), publish(2), publish(3)];
        assert_eq!(broken(connect, connack, &above), [statement]);
    }
}

#[test]
fn an_identifier_is_free_again_after_its_last_answer() {
    let message = |number, qos| {
        let mut publish = publish(number);
        publish.delivery = Delivery::new(qos, id(number), false);
        (SENT, Packet::from(publish))
    };
    let once = |number| message(number, QoS::AtLeastOnce);
    assert_eq!(broken_by_default(&[once(7), once(7)]), ["MQTT-2.2.1-3"]);
    // At QoS 2 the answer is PUBCOMP.
    let twice = message(7, QoS::ExactlyOnce);
    let handshake = [
        twice,
        (RECEIVED, Packet::PubRec(ack(7))),
        (SENT, Packet::PubRel(ack(7))),
    ];
    let early = [&handshake[..], &[twice]].concat();
    assert_eq!(broken_by_default(&early), ["MQTT-2.2.1-3"]);
    let late = [
        &handshake[..],
        &[(RECEIVED, Packet::PubComp(ack(7))), twice],
    ]
    .concat();
    assert_eq!(broken_by_default(&late), [""; 0]);
    // The identifiers of both sides are independent.
    let theirs = (RECEIVED, Packet::from(publish(7)));
    assert_eq!(broken_by_default(&[once(7), theirs]), [""; 0]);
    assert_eq!(
        broken_by_default(&[theirs, (RECEIVED, Packet::from(publish(7)))]),
        ["MQTT-2.2.1-4"]
    );
}

#[test]
fn what_the_server_does_not_offer_is_a_breach() {
    let connack = ConnAckProperties {
        maximum_qos: Some(QoS::AtMostOnce),
        retain_available: Some(false),
        maximum_packet_size: NonZero::new(100),
        topic_alias_maximum: Some(1),
        ..ConnAckProperties::default()
    };
    let of = |packet: Publish<'_>| {
        let packets = [(SENT, Packet::from(packet))];
        broken(ConnectProperties::default(), connack, &packets)
    };
    let topic = TopicName::new("a").unwrap();
    let plain = Publish::new(topic, b"");
    assert_eq!(of(plain), [""; 0]);
    assert_eq!(of(publish(1)), ["MQTT-3.2.2-11"]);
    assert_eq!(
        of(Publish {
            retain: true,
            ..plain
        }),
        ["MQTT-3.2.2-14"]
    );
    assert_eq!(of(Publish::new(topic, &[0; 100])), ["MQTT-3.2.2-15"]);
    let with_alias = |topic, alias| Publish {
        topic,
        properties: PublishProperties {
            topic_alias: TopicAlias::new(alias),
            ..PublishProperties::default()
        },
        ..plain
    };
    assert_eq!(of(with_alias(Some(topic), 1)), [""; 0]);
    assert_eq!(of(with_alias(Some(topic), 2)), ["MQTT-3.3.2-9"]);
    assert_eq!(of(with_alias(None, 1)), ["U-3.3.4-1"]);
}

#[test]
fn an_answer_names_its_request_and_the_time_between() {
    let mut rules = Rules::in_the_middle();
    let mut at = Duration::ZERO;
    let mut answer = |direction, packet: Packet<'_>| {
        at += Duration::from_millis(10);
        let (answered, breaches) = rules.handle(direction, &packet, 2, at);
        assert_eq!(breaches, []);
        answered.map(|answered| format!("{} {:?}", answered.request, answered.after))
    };
    assert_eq!(answer(SENT, Packet::from(publish(7))), None);
    let subscriptions = [Subscription::new(
        TopicFilter::new("b/#").unwrap(),
        QoS::AtMostOnce,
    )];
    let subscribe = Subscribe::new(id(8), &subscriptions[..]);
    assert_eq!(answer(SENT, Packet::from(subscribe)), None);
    assert_eq!(
        answer(RECEIVED, Packet::PubAck(ack(7))).unwrap(),
        "PUBLISH \"a\" id 7 20ms"
    );
    let codes = [ReasonCode::Success];
    let suback = SubAck::new(id(8), &codes[..]);
    assert_eq!(
        answer(RECEIVED, Packet::from(suback)).unwrap(),
        "SUBSCRIBE \"b/#\" id 8 20ms"
    );
    assert_eq!(answer(RECEIVED, Packet::PubAck(ack(9))), None);
}
