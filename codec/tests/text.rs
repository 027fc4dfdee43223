//! Text (§1.5.4): what doesn't belong is found at every place of a string of any length.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::BytesMut;
use dunlin_codec::{
    Connect, ConnectProperties, DecodeOptions, Packet, PacketBuf, PacketId, Publish,
    PublishProperties, Subscribe, SubscribeProperties, Subscription, SubscriptionOptions,
    TextError, TopicAlias, TopicError, TopicFilter, TopicName, UserProperty, Utf8String,
};

/// Statement that a Topic Name on the wire breaks, found by the simplest possible check.
fn plainly(topic: &[u8]) -> Option<&'static str> {
    if std::str::from_utf8(topic).is_err() {
        Some("MQTT-1.5.4-1")
    } else if topic.contains(&0) {
        Some("MQTT-1.5.4-2")
    } else if topic.contains(&b'+') || topic.contains(&b'#') {
        Some("MQTT-3.3.2-2")
    } else {
        None
    }
}

/// Texts of up to 64 bytes and longer ones are checked by different functions, and so are those beyond
/// ASCII.
#[test]
fn text_of_any_length_is_read_as_it_is() {
    for len in (1..=130).chain([1000, 65_535]) {
        let ascii = "t".repeat(len);
        // A character of two bytes at the front, in the middle and at the end.
        let with_two_bytes = [0, len / 2, len.saturating_sub(2)].map(|at| {
            let mut text = ascii.clone();
            text.replace_range(at..text.len().min(at + 2), "\u{e9}");
            text
        });
        for text in [ascii].into_iter().chain(with_two_bytes) {
            let Ok(name) = TopicName::new(&text) else {
                continue;
            };
            let value = Utf8String::new(&text).unwrap();
            let connect = Connect {
                client_id: value,
                ..Connect::default()
            };
            let pair = [UserProperty { name: value, value }];
            let publish = Publish {
                properties: PublishProperties {
                    content_type: Some(value),
                    user_properties: (&pair).into(),
                    ..PublishProperties::default()
                },
                ..Publish::new(name, b"")
            };
            for packet in [
                Packet::from(&connect),
                publish.into(),
                Publish::new(name, b"").into(),
            ] {
                let mut bytes = Vec::new();
                packet.encode(&mut bytes).unwrap();
                assert_eq!(Packet::decode(&bytes), Ok(Some((packet, bytes.len()))));
                let taken =
                    PacketBuf::take(&mut BytesMut::from(&*bytes), &DecodeOptions::default());
                assert_eq!(taken.unwrap().unwrap().packet(), packet);
            }
        }
    }
}

#[test]
fn an_invalid_byte_is_found_at_every_position() {
    for len in (1..=33).chain(47..=50) {
        for place in 0..len {
            // The neighbours of what is looked for are where a clever way of looking would err.
            for around in [b'a', 0x01, 0x22, 0x24, 0x2a, 0x2c, 0x7f] {
                for byte in 0..=u8::MAX {
                    let mut topic = vec![around; len];
                    topic[place] = byte;
                    let total = u8::try_from(len).unwrap();
                    let packet = [&[0x30, total + 3, 0, total], &*topic, &[0]].concat();
                    let statement = Packet::decode(&packet)
                        .err()
                        .map(|error| error.statement.unwrap());
                    assert_eq!(statement, plainly(&topic), "{topic:02x?}");
                }
            }
        }
    }
}

#[test]
fn constructors_see_what_decoding_sees() {
    for len in (0..=33).chain(47..=50) {
        for place in 0..=len {
            for odd in [
                "\0",
                "+",
                "#",
                "\u{1}",
                "\u{7f}",
                "\u{80}",
                "\u{feff}",
                "\u{10ffff}",
            ] {
                let text = "a".repeat(place) + odd + &"a".repeat(len - place);
                let nul = text.contains('\0');
                assert_eq!(Utf8String::new(&text).err(), nul.then_some(TextError::Nul));
                let wildcard = text
                    .contains(['+', '#'])
                    .then_some(TopicError::WildcardInName);
                assert_eq!(
                    TopicName::new(&text).err(),
                    nul.then_some(TopicError::Nul).or(wildcard)
                );
            }
        }
    }
}

/// Numbers and lengths between two strings may look like text, or like a part of a character.
#[test]
fn strings_are_read_whatever_is_between_them() {
    let numbers = [
        0,
        0x7f,
        0x80,
        0xc3,
        0xc3a9,
        0x00c3_a900,
        0xe282_ac00,
        u32::MAX,
    ];
    let lengths = [
        0, 1, 15, 16, 33, 0x7f, 0x80, 0xc2, 0xc3, 0xff, 0x100, 0xc3a9,
    ];
    for (len, number) in lengths
        .into_iter()
        .flat_map(|len| numbers.map(|number| (len, number)))
    {
        for character in ["a", "\u{e9}", "\u{20ac}"] {
            let text = character.repeat(len / character.len());
            let text = Utf8String::new(&text).unwrap();
            let user_properties = [
                UserProperty {
                    name: text,
                    value: Utf8String::default(),
                },
                UserProperty {
                    name: Utf8String::new("n").unwrap(),
                    value: text,
                },
            ];
            let topic = "t/".to_owned() + &text;
            let topic = TopicName::new(&topic[..topic.len().min(65_000)]).unwrap();

            let publish = Publish {
                topic: Some(topic),
                properties: PublishProperties {
                    message_expiry_interval: Some(number),
                    topic_alias: TopicAlias::new(number.to_be_bytes()[3].into()),
                    response_topic: Some(topic),
                    content_type: Some(text),
                    user_properties: (&user_properties).into(),
                    ..PublishProperties::default()
                },
                ..Publish::new(topic, &[0xff, b'a', 0xc3])
            };
            assert_same(&publish.into());

            let connect = Connect {
                client_id: text,
                username: Some(text),
                properties: ConnectProperties {
                    session_expiry_interval: Some(number),
                    authentication_method: Some(text),
                    user_properties: (&user_properties).into(),
                    ..ConnectProperties::default()
                },
                ..Connect::default()
            };
            assert_same(&Packet::from(&connect));

            let subscription = |filter| Subscription {
                filter,
                options: SubscriptionOptions::default(),
            };
            let filter = TopicFilter::new(topic.as_str()).unwrap();
            let subscriptions = [filter, TopicFilter::new("#").unwrap(), filter].map(subscription);
            let subscribe = Subscribe {
                packet_id: PacketId::new(0xc3a9).unwrap(),
                properties: SubscribeProperties::default(),
                subscriptions: (&subscriptions).into(),
            };
            assert_same(&subscribe.into());
        }
    }
}

/// Asserts that the packet is decoded as it was built.
fn assert_same(packet: &Packet<'_>) {
    let mut bytes = Vec::new();
    packet.encode(&mut bytes).unwrap();
    let (decoded, len) = Packet::decode(&bytes).unwrap().unwrap();
    assert!(decoded == *packet, "{packet}");
    assert_eq!(len, bytes.len());
}

/// [MQTT-1.5.4-1]
#[test]
fn a_length_does_not_complete_the_character_after_it() {
    // A length of 0x00c3, and a string that begins with the second byte of a character.
    let mut string = vec![0x00, 0xc3, 0xa9];
    string.resize(2 + 0xc3, b'a');
    let properties = [&[0x03], &*string].concat();
    let body = [b"\x00\x01t\xc6\x01", &*properties].concat();
    assert_eq!(properties.len(), 0xc6);
    let packet = [&[0x30, 0xcb, 0x01], &*body].concat();
    let error = Packet::decode(&packet).unwrap_err();
    assert_eq!(
        (error.field, error.statement),
        ("content_type", Some("MQTT-1.5.4-1"))
    );
}
