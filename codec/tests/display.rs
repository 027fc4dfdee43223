//! Packets and errors in one line for people.

use dunlin_codec::{
    Ack, AckType, BinaryData, Connect, DecodeErrorKind, DecodeOptions, Delivery, Disconnect,
    EncodeErrorKind, FixedHeader, OnDemand, Packet, PacketBuf, PacketId, PayloadFormat, Publish,
    ReasonCode, RetainHandling, Sender, SubAck, SubAckProperties, Subscription,
    SubscriptionOptions, TopicFilter, TopicName, Unsubscribe, UnsubscribeProperties, UserProperty,
    Utf8String, owned,
};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_packet_prints_as_one_escaped_line(packet: owned::Packet) {
        let line = packet.packet().to_string();
        prop_assert!(!line.contains(char::is_control), "{line:?}");
        prop_assert!(line.starts_with(packet.packet().packet_type().name()));
        prop_assert!(line.chars().count() < 4000);
    }
}

#[test]
fn a_publish_prints_its_topic_and_payload_size() {
    let topic = TopicName::new("lamp/7").unwrap();
    let packet_id = PacketId::new(7).unwrap();
    let mut publish = Publish::new(topic, b"twelve bytes");
    assert_eq!(
        Packet::Publish(publish).to_string(),
        r#"PUBLISH QoS 0 "lamp/7" 12 bytes"#
    );
    publish.delivery = Delivery::AtLeastOnce {
        packet_id,
        dup: true,
    };
    publish.retain = true;
    assert_eq!(
        Packet::Publish(publish).to_string(),
        r#"PUBLISH QoS 1 id 7 "lamp/7" 12 bytes, retain, dup"#
    );
}

#[test]
fn a_connect_does_not_print_its_secrets() {
    let connect = Connect {
        keep_alive: 60,
        client_id: Utf8String::new("lamp-7").unwrap(),
        username: Some(Utf8String::new("demo?token=canary").unwrap()),
        password: Some(BinaryData::new(b"canary").unwrap()),
        ..Connect::default()
    };
    assert_eq!(
        Packet::from(&connect).to_string(),
        r#"CONNECT client "lamp-7", keep alive 60 s, user "demo"?.., password of 6 bytes"#
    );
}

#[test]
fn a_packet_that_is_read_on_demand_prints_as_the_packet() {
    let connect = Connect {
        keep_alive: 60,
        client_id: Utf8String::new("lamp-7").unwrap(),
        ..Connect::default()
    };
    let line = OnDemand::new(&connect).to_string();
    assert_eq!(line, r#"CONNECT client "lamp-7", keep alive 60 s"#);

    let bytes = PacketBuf::new(&Packet::from(&connect)).unwrap();
    let Packet::Connect(decoded) = bytes.packet() else {
        panic!("a CONNECT")
    };
    assert_eq!(decoded.to_string(), line);
}

#[test]
fn kinds_of_errors_print_as_text_of_a_given_width() {
    let kind = DecodeErrorKind::ProtocolError;
    assert_eq!(format!("{kind:>16}|"), "  protocol error|");
    let kind = EncodeErrorKind::NoRoom;
    assert_eq!(format!("{kind:<17}|"), "buffer too short |");
}

#[test]
fn a_packet_that_its_sender_may_not_send_is_an_error_that_says_so() {
    let options = DecodeOptions::any_size().with_sender(Sender::Client);
    let error = Packet::decode_with(b"\xD0\x00", &options).unwrap_err();
    assert_eq!(
        error.to_string(),
        "packet that its sender may not send: packet_type at byte 0"
    );
}

#[test]
fn reason_codes_have_the_name_of_their_packet() {
    assert_eq!(Packet::PingReq.to_string(), "PINGREQ");
    assert_eq!(
        Packet::Disconnect(Disconnect::default()).to_string(),
        "DISCONNECT Normal disconnection (0x00)"
    );
    let packet_id = PacketId::new(1).unwrap();
    let codes = [ReasonCode::Success, ReasonCode::NotAuthorized];
    let suback = SubAck {
        packet_id,
        properties: SubAckProperties::default(),
        reason_codes: (&codes).into(),
    };
    assert_eq!(
        Packet::SubAck(suback).to_string(),
        "SUBACK id 1 Granted QoS 0 (0x00), Not authorized (0x87)"
    );
}

#[test]
fn the_parts_of_a_packet_print_as_they_do_in_it() {
    let packet_id = PacketId::new(7).unwrap();
    let delivery = Delivery::ExactlyOnce {
        packet_id,
        dup: true,
    };
    assert_eq!(delivery.to_string(), "QoS 2 id 7, dup");
    assert_eq!(Delivery::AtMostOnce.to_string(), "QoS 0");
    let subscription = Subscription {
        filter: TopicFilter::new("lamp/+").unwrap(),
        options: SubscriptionOptions {
            no_local: true,
            retain_handling: RetainHandling::DontSend,
            ..SubscriptionOptions::default()
        },
    };
    assert_eq!(
        subscription.to_string(),
        r#""lamp/+" QoS 0, no local, don't send retained messages"#
    );
    let pair = UserProperty::new("a\u{1b}", "b").unwrap();
    assert_eq!(pair.to_string(), r#""a\u{1b}": "b""#);
    // Data may be secret.
    assert_eq!(BinaryData::new(b"canary").unwrap().to_string(), "6 bytes");
    assert_eq!(AckType::PubRel.to_string(), "PUBREL");
    assert_eq!(Sender::Client.to_string(), "client");
    assert_eq!(format!("{:>6}", PayloadFormat::Utf8), " UTF-8");

    // A packet of a known type prints as `Packet` does.
    let topic = TopicName::new("lamp/7").unwrap();
    let publish = Publish::new(topic, b"on");
    assert_eq!(publish.to_string(), Packet::Publish(publish).to_string());
    let ack = Ack::success(packet_id);
    assert_eq!(ack.to_string(), "id 7 Success (0x00)");
    assert_eq!(
        ack.into_packet(AckType::PubAck).to_string(),
        "PUBACK id 7 Success (0x00)"
    );
    let header = FixedHeader::peek(&[0x30, 0x0c], u32::MAX).unwrap().unwrap();
    assert_eq!(header.to_string(), "PUBLISH of 14 bytes");
}

#[test]
fn long_lists_and_long_text_are_cut() {
    let packet_id = PacketId::new(1).unwrap();
    let long = "x".repeat(100);
    let filters = [TopicFilter::new(&long).unwrap(); 6];
    let packet = Packet::Unsubscribe(Unsubscribe {
        packet_id,
        properties: UnsubscribeProperties::default(),
        filters: (&filters).into(),
    });
    let line = packet.to_string();
    assert!(
        line.len() < 320 && line.contains("xxx\"..") && line.ends_with(" and 2 more"),
        "{line}"
    );
}
