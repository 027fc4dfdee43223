//! PUBLISH and what answers it.

use dunlin_codec::{
    Ack, AckProperties, AckType, Delivery, Packet, PayloadFormat, Publish, PublishProperties,
    ReasonCode, SubscriptionIdentifier, TopicAlias,
};

use super::values::{data, id, list, name, text, user_properties};

pub(super) fn table() -> Vec<(&'static str, &'static str, Packet<'static>)> {
    let minimal = Publish::new(name("a"), b"");
    let mut table = vec![
        // No packet identifier, and the empty set is written. [MQTT-2.2.1-2] [MQTT-2.2.2-1]
        ("a PUBLISH with nothing", "30 04 0001 61 00", minimal.into()),
        (
            "a PUBLISH of QoS 1",
            "32 06 0001 61 0001 00",
            Publish {
                delivery: Delivery::AtLeastOnce {
                    packet_id: id(1),
                    dup: false,
                },
                ..minimal
            }
            .into(),
        ),
        (
            "a PUBLISH of QoS 2, repeated and retained",
            "3D 08 0001 61 FFFF 00 00FF",
            Publish {
                delivery: Delivery::ExactlyOnce {
                    packet_id: id(u16::MAX),
                    dup: true,
                },
                retain: true,
                payload: &[0x00, 0xff],
                ..minimal
            }
            .into(),
        ),
        (
            "a PUBLISH whose topic is its alias",
            "30 06 0000 03 23 0001",
            Publish {
                topic: None,
                properties: PublishProperties {
                    topic_alias: TopicAlias::new(1),
                    ..Default::default()
                },
                ..minimal
            }
            .into(),
        ),
        // [MQTT-1.5.4-3]
        (
            "a PUBLISH to U+FEFF",
            "30 06 0003 EFBBBF 00",
            Publish::new(name("\u{feff}"), b"").into(),
        ),
        (
            "a PUBLISH with everything",
            "32 64 000C 6C616D702F372F7374617465 000A \
             51 01 01 02 00000000 23 FFFF 08 000D 6C616D702F372F616E73776572 09 0002 DEAD \
             03 000A 746578742F706C61696E 0B 01 0B 8001 0B 808001 0B FFFFFF7F 0B 01 \
             26 0001 61 0001 31 26 0001 62 0001 32 26 0001 61 0001 31 \
             6F6E",
            publish_with_everything().into(),
        ),
        (
            "a PUBACK with success and something to say",
            "40 0B 1234 00 07 26 0001 6B 0001 76",
            Ack {
                properties: AckProperties {
                    user_properties: user_properties(&[("k", "v")]),
                    ..Default::default()
                },
                ..Ack::success(id(0x1234))
            }
            .into_packet(AckType::PubAck),
        ),
    ];
    for (ack_type, reason_code, minimal, code_alone, everything) in [
        (
            AckType::PubAck,
            ReasonCode::NoMatchingSubscribers,
            "40 02 0001",
            "40 03 1234 10",
            "40 1B 1234 10 17 1F 0006 6E6F626F6479 26 0001 6B 0001 76 26 0001 6B 0001 76",
        ),
        (
            AckType::PubRec,
            ReasonCode::NoMatchingSubscribers,
            "50 02 0001",
            "50 03 1234 10",
            "50 1B 1234 10 17 1F 0006 6E6F626F6479 26 0001 6B 0001 76 26 0001 6B 0001 76",
        ),
        (
            AckType::PubRel,
            ReasonCode::PacketIdentifierNotFound,
            "62 02 0001",
            "62 03 1234 92",
            "62 1B 1234 92 17 1F 0006 6E6F626F6479 26 0001 6B 0001 76 26 0001 6B 0001 76",
        ),
        (
            AckType::PubComp,
            ReasonCode::PacketIdentifierNotFound,
            "70 02 0001",
            "70 03 1234 92",
            "70 1B 1234 92 17 1F 0006 6E6F626F6479 26 0001 6B 0001 76 26 0001 6B 0001 76",
        ),
    ] {
        let of_code = Ack {
            reason_code,
            ..Ack::success(id(0x1234))
        };
        let properties = AckProperties {
            reason_string: Some(text("nobody")),
            user_properties: user_properties(&[("k", "v"), ("k", "v")]),
        };
        table.push((
            "an acknowledgement",
            minimal,
            Ack::success(id(1)).into_packet(ack_type),
        ));
        table.push((
            "an acknowledgement with a code alone",
            code_alone,
            of_code.into_packet(ack_type),
        ));
        let with_everything = Ack {
            properties,
            ..of_code
        };
        table.push((
            "an acknowledgement with everything",
            everything,
            with_everything.into_packet(ack_type),
        ));
    }
    table
}

fn publish_with_everything() -> Publish<'static> {
    Publish {
        delivery: Delivery::AtLeastOnce {
            packet_id: id(10),
            dup: false,
        },
        retain: false,
        topic: Some(name("lamp/7/state")),
        properties: PublishProperties {
            payload_format_indicator: Some(PayloadFormat::Utf8),
            message_expiry_interval: Some(0),
            topic_alias: TopicAlias::new(u16::MAX),
            response_topic: Some(name("lamp/7/answer")),
            correlation_data: Some(data(&[0xde, 0xad])),
            content_type: Some(text("text/plain")),
            subscription_identifiers: list(
                [1, 128, 16_384, 268_435_455, 1]
                    .into_iter()
                    .filter_map(SubscriptionIdentifier::new)
                    .collect(),
            ),
            user_properties: user_properties(&[("a", "1"), ("b", "2"), ("a", "1")]),
        },
        payload: b"on",
    }
}
