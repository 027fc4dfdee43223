//! Encoding errors (values that break a rule which their types can't express), and ways of writing that agree.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::{BufMut, BytesMut};
use dunlin_codec::{
    Ack, AckType, Auth, AuthProperties, BinaryData, ConnAck, ConnAckProperties, Connect,
    ConnectProperties, Delivery, Disconnect, EncodeError, EncodeErrorKind, Packet, PacketId,
    Publish, PublishProperties, QoS, ReasonCode, Sender, SubAck, SubAckProperties, Subscribe,
    SubscribeProperties, Subscription, SubscriptionOptions, TopicFilter, TopicName, UnsubAck,
    Unsubscribe, UnsubscribeProperties, UserProperty, Utf8String,
};

/// Both the length and the bytes are refused, and nothing is written.
fn assert_refused(packet: &Packet<'_>, kind: EncodeErrorKind, field: &'static str) {
    let mut out = Vec::new();
    let error = EncodeError::new(kind, field);
    assert_eq!(packet.encode(&mut out), Err(error), "{packet:?}");
    assert_eq!(packet.encoded_len(), Err(error), "{packet:?}");
    assert!(out.is_empty());
}

fn id() -> PacketId {
    PacketId::new(1).unwrap()
}

/// [U-3.1.2-2] [U-3.2.2-1]
#[test]
fn authentication_data_needs_a_method() {
    let authentication_data = BinaryData::new(b"x").ok();
    let properties = ConnectProperties {
        authentication_data,
        ..Default::default()
    };
    let connect = Connect {
        properties,
        ..Connect::default()
    };
    assert_refused(
        &(&connect).into(),
        EncodeErrorKind::Missing,
        "authentication_method",
    );

    let properties = ConnAckProperties {
        authentication_data,
        ..Default::default()
    };
    let connack = ConnAck {
        properties,
        ..ConnAck::default()
    };
    assert_refused(
        &(&connack).into(),
        EncodeErrorKind::Missing,
        "authentication_method",
    );
}

/// [U-3.15-1]
#[test]
fn an_auth_with_properties_needs_a_method() {
    let auth = Auth {
        reason_code: ReasonCode::ContinueAuthentication,
        ..Auth::default()
    };
    assert_refused(
        &auth.into(),
        EncodeErrorKind::Missing,
        "authentication_method",
    );

    let properties = AuthProperties {
        reason_string: Some(Utf8String::default()),
        ..Default::default()
    };
    let auth = Auth {
        properties,
        ..Auth::default()
    };
    assert_refused(
        &auth.into(),
        EncodeErrorKind::Missing,
        "authentication_method",
    );
}

/// [MQTT-3.2.2-6]
#[test]
fn a_refusal_has_no_session() {
    let connack = ConnAck {
        session_present: true,
        reason_code: ReasonCode::NotAuthorized,
        ..ConnAck::default()
    };
    assert_refused(
        &(&connack).into(),
        EncodeErrorKind::NotAllowed,
        "session_present",
    );
}

#[test]
fn a_maximum_qos_of_2_is_expressed_by_its_absence() {
    let properties = ConnAckProperties {
        maximum_qos: Some(QoS::ExactlyOnce),
        ..Default::default()
    };
    let connack = ConnAck {
        properties,
        ..ConnAck::default()
    };
    assert_refused(
        &(&connack).into(),
        EncodeErrorKind::NotAllowed,
        "maximum_qos",
    );
}

/// [U-3.3.2-1]
#[test]
fn a_publish_needs_a_topic_or_an_alias() {
    let publish = Publish {
        topic: None,
        ..Publish::new(TopicName::new("a").unwrap(), b"")
    };
    assert_refused(&publish.into(), EncodeErrorKind::Missing, "topic");
    assert!(publish.encode_head(&mut Vec::new()).is_err());
}

/// [MQTT-3.8.3-2] [MQTT-3.10.3-2] [U-3.9.3-1]
#[test]
fn lists_of_filters_and_reason_codes_are_not_empty() {
    let subscriptions = Default::default();
    let subscribe = Subscribe {
        packet_id: id(),
        properties: SubscribeProperties::default(),
        subscriptions,
    };
    assert_refused(&subscribe.into(), EncodeErrorKind::Missing, "subscriptions");

    let filters = Default::default();
    let unsubscribe = Unsubscribe {
        packet_id: id(),
        properties: UnsubscribeProperties::default(),
        filters,
    };
    assert_refused(&unsubscribe.into(), EncodeErrorKind::Missing, "filters");

    let (properties, reason_codes) = (SubAckProperties::default(), Default::default());
    let suback = SubAck {
        packet_id: id(),
        properties,
        reason_codes,
    };
    assert_refused(&suback.into(), EncodeErrorKind::Missing, "reason_codes");
    let unsuback = UnsubAck {
        packet_id: id(),
        properties,
        reason_codes,
    };
    assert_refused(&unsuback.into(), EncodeErrorKind::Missing, "reason_codes");
}

/// [MQTT-3.8.3-4]
#[test]
fn no_local_and_a_share_exclude_each_other() {
    let options = SubscriptionOptions {
        no_local: true,
        ..SubscriptionOptions::default()
    };
    let subscription = |filter| {
        [Subscription {
            filter: TopicFilter::new(filter).unwrap(),
            options,
        }]
    };
    let subscribe = |subscriptions| Subscribe {
        packet_id: id(),
        properties: SubscribeProperties::default(),
        subscriptions,
    };
    let (plain, shared) = (subscription("g/a"), subscription("$share/g/a"));
    assert!(subscribe((&plain).into()).encoded_len().is_ok());
    assert_refused(
        &subscribe((&shared).into()).into(),
        EncodeErrorKind::NotAllowed,
        "no_local",
    );
}

/// [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2]
/// [MQTT-3.11.3-2] [MQTT-3.14.2-1] [MQTT-3.15.2-1]
#[test]
fn a_packet_carries_its_own_reason_codes_only() {
    for code in ReasonCode::ALL.iter().copied() {
        let connack = ConnAck {
            reason_code: code,
            ..ConnAck::default()
        };
        let codes = [ReasonCode::UnspecifiedError, code];
        let (properties, reason_codes) = (SubAckProperties::default(), (&codes).into());
        let method = AuthProperties {
            authentication_method: Some(Utf8String::default()),
            ..Default::default()
        };
        let mut packets = vec![
            Packet::from(&connack),
            SubAck {
                packet_id: id(),
                properties,
                reason_codes,
            }
            .into(),
            UnsubAck {
                packet_id: id(),
                properties,
                reason_codes,
            }
            .into(),
            Disconnect {
                reason_code: code,
                ..Disconnect::default()
            }
            .into(),
            Auth {
                reason_code: code,
                properties: method,
            }
            .into(),
        ];
        for ack_type in [
            AckType::PubAck,
            AckType::PubRec,
            AckType::PubRel,
            AckType::PubComp,
        ] {
            packets.push(
                Ack {
                    reason_code: code,
                    ..Ack::success(id())
                }
                .into_packet(ack_type),
            );
        }
        for packet in &packets {
            if code.is_legal_in(packet.packet_type(), Sender::Any) {
                assert!(packet.encoded_len().is_ok(), "{packet:?}");
            } else {
                assert_refused(packet, EncodeErrorKind::IllegalReasonCode, "reason_code");
            }
        }
    }
}

#[test]
fn a_packet_has_at_most_268_435_460_bytes() {
    // One string of 65,535 bytes, over and over: the packet would be large, what says so isn't.
    let (long, empty) = ("x".repeat(65_535), Utf8String::default());
    let (topic, long) = (
        TopicName::new("a").unwrap(),
        Utf8String::new(&long).unwrap(),
    );
    let user_properties = [UserProperty {
        name: long,
        value: empty,
    }; 4_096];
    let with = |count: usize, payload| {
        let user_properties = user_properties.get(..count).unwrap().into();
        let properties = PublishProperties {
            user_properties,
            ..Default::default()
        };
        Publish {
            properties,
            ..Publish::new(topic, payload)
        }
    };
    // Each takes 65,540 bytes; around them: 3 of topic, 4 of property length.
    let room = 268_435_455 - 3 - 4 - 4_095 * 65_540;
    let payload = vec![0; room + 1];
    let largest = with(4_095, payload.get(..room).unwrap());
    assert_eq!(largest.encoded_len(), Ok(268_435_460));
    assert_refused(
        &with(4_095, &payload).into(),
        EncodeErrorKind::TooLarge,
        "remaining_length",
    );
    assert_refused(
        &with(4_096, &payload).into(),
        EncodeErrorKind::TooLarge,
        "remaining_length",
    );
}

#[test]
fn an_error_reads_as_one_line() {
    let error = EncodeError::new(EncodeErrorKind::Missing, "topic");
    assert_eq!(error.to_string(), "topic is missing");
}

/// Lengths at which the encoder chooses another way are among these: 64, 128 and 256 bytes.
#[test]
fn packets_of_any_length_are_the_same_in_every_buffer_and_in_a_slice() {
    let text = "x".repeat(400);
    for len in 1..text.len() {
        let topic = TopicName::new(&text[..len]).unwrap();
        let plain = Publish::new(topic, b"payload");
        let properties = PublishProperties {
            message_expiry_interval: Some(60),
            ..PublishProperties::default()
        };
        let filter = TopicFilter::new(&text[..len]).unwrap();
        let subscriptions = [Subscription::new(filter, QoS::AtLeastOnce)];
        let packets = [
            Packet::from(plain),
            Packet::from(Publish::new(
                TopicName::new("a/b").unwrap(),
                &text.as_bytes()[..len],
            )),
            Packet::from(Publish {
                delivery: Delivery::new(QoS::ExactlyOnce, id(), true),
                retain: true,
                ..plain
            }),
            Packet::from(Publish {
                properties,
                ..plain
            }),
            Packet::from(Subscribe::new(PacketId::MIN, &subscriptions)),
        ];
        for packet in packets {
            let mut slice = [0; 512];
            let written = packet.encode_to_slice(&mut slice).unwrap();
            assert_eq!(packet.encoded_len(), Ok(written));
            assert_eq!(Packet::decode(&slice), Ok(Some((packet, written))));
            assert_same_in_every_buffer(&packet, &slice[..written]);
        }
    }
}

/// Encodes into each kind of buffer, after bytes that are there already.
fn assert_same_in_every_buffer(packet: &Packet<'_>, encoded: &[u8]) {
    let before = b"before";
    let expected = [before, encoded].concat();

    // Growing buffers: without capacity, with just enough, and with more.
    for capacity in [0, expected.len(), expected.len() + 200] {
        let mut vec = Vec::with_capacity(capacity);
        vec.extend_from_slice(before);
        packet.encode(&mut vec).unwrap();
        assert_eq!(vec, expected);

        let mut bytes = BytesMut::with_capacity(capacity);
        bytes.extend_from_slice(before);
        packet.encode(&mut &mut bytes).unwrap();
        assert_eq!(bytes, expected);
    }

    // Buffers that can't grow: just long enough, and one byte too short.
    let mut limited = Vec::from(before).limit(encoded.len());
    packet.encode(&mut limited).unwrap();
    assert_eq!(limited.get_ref()[..], expected);

    let mut memory = vec![0; encoded.len()];
    packet.encode(&mut &mut memory[..]).unwrap();
    assert_eq!(memory, encoded);

    let no_room = Err(EncodeError::new(EncodeErrorKind::NoRoom, "packet"));
    let mut limited = Vec::from(before).limit(encoded.len() - 1);
    assert_eq!(packet.encode(&mut limited), no_room);
    assert_eq!(limited.get_ref()[..], before[..]);

    let mut memory = vec![0xee; encoded.len() - 1];
    assert_eq!(packet.encode_to_slice(&mut memory).err(), no_room.err());
    assert_eq!(packet.encode(&mut &mut memory[..]), no_room);
    assert!(memory.iter().all(|&byte| byte == 0xee));
}
