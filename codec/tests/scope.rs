//! Which faults of a PUBLISH concern the message alone, and what is known of it then (§4.13.1).
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use dunlin_codec::{
    DecodeOptions, Delivery, ErrorScope, FaultyMessage, Packet, PacketBuf, PacketId, Publish,
    TopicAlias,
};

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not 0")
}

fn faulty(bytes: &[u8]) -> FaultyMessage {
    let error = Packet::decode(bytes).expect_err("a fault");
    match error.scope {
        ErrorScope::Message(message) => message,
        ErrorScope::Connection => panic!("{error}: {bytes:02X?}"),
    }
}

/// [U-4.13.1-1]
#[test]
fn an_error_in_a_message_contains_what_is_needed_to_refuse_it() {
    let at_most_once = Delivery::AtMostOnce;
    let at_least_once = Delivery::AtLeastOnce {
        packet_id: id(7),
        dup: true,
    };
    let exactly_once = Delivery::ExactlyOnce {
        packet_id: id(0x0102),
        dup: false,
    };
    // First byte and identifier, as each delivery has them.
    let deliveries: [(u8, &[u8], Delivery); 3] = [
        (0x30, &[], at_most_once),
        (0x3A, &[0, 7], at_least_once),
        (0x34, &[1, 2], exactly_once),
    ];
    // Topic, properties, and the alias among them.
    let alias = |number| TopicAlias::new(number);
    let faults: [(&[u8], &[u8], Option<TopicAlias>); 9] = [
        (b"a/#", &[], None),
        (b"a\0b", &[], None),
        (b"\xFF", b"\x23\x00\x05", alias(5)),
        (b"a", b"\x08\x00\x03a/#", None),
        (b"a", b"\x23\x00\x05\x08\x00\x03a/#", alias(5)),
        (b"a", b"\x08\x00\x03a/#\x23\x00\x05", alias(5)),
        (b"", b"\x03\x00\x01\xFF\x23\xFF\xFF", alias(0xFFFF)),
        (
            b"a",
            b"\x26\x00\x01k\x00\x01\xFF\x0B\x01\x0B\x02\x02\x00\x00\x00\x01",
            None,
        ),
        (b"a", b"\x01\x02\x09\x00\x01\xFF", None),
    ];
    for (first, packet_id, delivery) in deliveries {
        for (topic, properties, topic_alias) in faults {
            let len = |bytes: &[u8]| u8::try_from(bytes.len()).expect("short");
            let body = [
                &[0, len(topic)],
                topic,
                packet_id,
                &[len(properties)],
                properties,
                b"on",
            ]
            .concat();
            let bytes = [&[first, len(&body)], &*body].concat();
            assert_eq!(
                faulty(&bytes),
                FaultyMessage {
                    delivery,
                    topic_alias
                },
                "{bytes:02X?}"
            );
            assert_eq!(FaultyMessage::topic_bytes(&bytes), topic);
        }
    }
}

#[test]
fn every_way_of_decoding_tells_the_scope() {
    let bytes = [0x30, 0x04, 0x00, 0x01, b'#', 0x00];
    let options = DecodeOptions::default();
    let expected = Packet::decode(&bytes).expect_err("a wildcard");
    assert!(matches!(expected.scope, ErrorScope::Message(_)));
    assert_eq!(Publish::decode(&bytes), Err(expected));
    assert_eq!(
        PacketBuf::take(&mut bytes[..].into(), &options),
        Err(expected)
    );
    let taken = PacketBuf::take_publish(&mut bytes[..].into(), &options, |_| ());
    assert_eq!(taken.map(drop), Err(expected));
}

/// Nothing is left to be found after a length that is wrong.
#[test]
fn a_truncated_message_is_an_error_of_the_connection() {
    let whole =
        *b"\x32\x1A\x00\x03a/#\x00\x01\x10\x08\x00\x03a/#\x26\x00\x01k\x00\x01v\x23\x00\x05on";
    assert_eq!(usize::from(whole[1]) + 2, whole.len());
    faulty(&whole);
    for len in 0..24 {
        let mut cut = whole[..2 + len].to_vec();
        cut[1] = u8::try_from(len).expect("short");
        let error = Packet::decode(&cut).expect_err("a fault");
        assert_eq!(error.scope, ErrorScope::Connection, "{len} of {whole:02X?}");
    }
}

#[test]
fn packets_other_than_publish_have_no_topic() {
    for bytes in [
        &[][..],
        &[0x30],
        &[0x30, 0x04, 0x00],
        &[0xFF; 8],
        &[0x30, 0x02, 0xFF, 0xFF],
    ] {
        assert_eq!(FaultyMessage::topic_bytes(bytes), b"");
    }
}
