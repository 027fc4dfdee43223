//! Byte ranges of fields: they cover a packet, and they are those that the decoder reads.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use dunlin_codec::{Packet, field_spans, owned};
use proptest::prelude::*;

proptest! {
    #[test]
    fn the_fields_of_any_packet_lie_side_by_side(packet: owned::Packet) {
        let mut bytes = Vec::new();
        packet.packet().encode(&mut bytes).unwrap();
        let spans = field_spans(&bytes);
        let end = spans.iter().fold(0, |end, span| {
            assert_eq!(span.start, end, "{spans:?}");
            assert!(span.end > span.start, "{spans:?}");
            span.end
        });
        assert_eq!(end, bytes.len(), "{spans:?}");
    }

    #[test]
    fn a_packet_that_is_cut_off_has_the_fields_that_are_there(packet: owned::Packet, cut: u16) {
        let mut bytes = Vec::new();
        packet.packet().encode(&mut bytes).unwrap();
        let whole = field_spans(&bytes);
        let cut = usize::from(cut) % bytes.len();
        let there = field_spans(&bytes[..cut]);
        for (span, expected) in there.iter().zip(&whole) {
            // A payload ends where the bytes do, a user property may lose its value.
            assert_eq!((span.field, span.start), (expected.field, expected.start));
            assert!(span.end <= expected.end.min(cut), "{there:?} {whole:?}");
        }
    }

    #[test]
    fn any_bytes_have_fields_side_by_side(bytes: Vec<u8>) {
        field_spans(&bytes).iter().fold(0, |end, span| {
            assert_eq!(span.start, end);
            assert!(span.end <= bytes.len());
            span.end
        });
    }
}

/// Fields of the packet in hexadecimal digits: name, first byte, end.
fn fields(text: &str) -> Vec<(&'static str, usize, usize)> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let bytes: Vec<u8> = digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    field_spans(&bytes)
        .iter()
        .map(|span| (span.field, span.start, span.end))
        .collect()
}

#[test]
fn a_property_is_one_field_from_its_identifier_on() {
    assert_eq!(
        fields("32 13 0001 61 0007 0B 23 0003 26 0001 6B 0002 7676 6F"),
        [
            ("packet_type", 0, 1),
            ("remaining_length", 1, 2),
            ("topic", 2, 5),
            ("packet_id", 5, 7),
            ("property_length", 7, 8),
            ("topic_alias", 8, 11),
            ("user_property", 11, 19),
            ("payload", 19, 20),
        ]
    );
}

#[test]
fn each_of_many_user_properties_is_a_field() {
    // Linear time: if each property were read up to the last one, this would take a minute.
    let properties = owned::DisconnectProperties {
        user_properties: vec![owned::UserProperty::default(); 1_000_000].into(),
        ..owned::DisconnectProperties::default()
    };
    let disconnect = owned::Disconnect {
        properties,
        ..owned::Disconnect::default()
    };
    let mut bytes = Vec::new();
    owned::Packet::from(disconnect).encode(&mut bytes).unwrap();

    let spans = field_spans(&bytes);
    let found = spans
        .iter()
        .filter(|span| span.field == "user_property" && span.end - span.start == 5);
    assert_eq!(found.count(), 1_000_000);
    assert_eq!(spans.last().unwrap().end, bytes.len());
}

#[test]
fn the_items_of_a_list_are_fields_of_their_own() {
    assert_eq!(
        fields("90 05 0001 00 00 01")[2..],
        [
            ("packet_id", 2, 4),
            ("property_length", 4, 5),
            ("reason_code", 5, 6),
            ("reason_code", 6, 7),
        ]
    );
    assert_eq!(
        fields("82 0B 0001 00 0001 61 00 0001 62 01")[4..],
        [
            ("topic_filter", 5, 8),
            ("subscription_options", 8, 9),
            ("topic_filter", 9, 12),
            ("subscription_options", 12, 13),
        ]
    );
}

#[test]
fn fields_end_at_the_first_that_cannot_be_read() {
    // Wrong values don't hide what is after them.
    assert_eq!(
        fields("30 06 0001 FF 02 0102")[2..],
        [
            ("topic", 2, 5),
            ("property_length", 5, 6),
            ("payload_format_indicator", 6, 8)
        ]
    );
    assert_eq!(
        fields("20 07 04 99 04 24022400")[2..],
        [
            ("connect_acknowledge_flags", 2, 3),
            ("reason_code", 3, 4),
            ("property_length", 4, 5),
            ("maximum_qos", 5, 7),
            ("maximum_qos", 7, 9),
        ]
    );
    // A property of another packet is one field too; an unknown one ends what can be read.
    assert_eq!(
        fields("40 08 0000 00 04 230299 00")[4..],
        [
            ("property_length", 5, 6),
            ("topic_alias", 6, 9),
            ("property_id", 9, 10)
        ]
    );
    // Of a property that is cut off, the identifier alone is no field.
    assert_eq!(fields("30 06 0001 61 02 2300")[4..], []);
    // Wrong flags hide nothing.
    assert_eq!(fields("60 02 0001")[2..], [("packet_id", 2, 4)]);
    // MQTT 3.1.1 is recognised by its version, and not read.
    assert_eq!(fields("10 0C 0004 4D515454 04 02 003C 0000").len(), 4);
}

#[test]
fn the_field_of_an_error_is_a_field_or_begins_after_the_last() {
    let vectors = include_str!("golden/vectors/rejected.tsv");
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let digits: Vec<u8> = columns[2].bytes().filter(|byte| *byte != b' ').collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let offset: usize = columns[4].parse().unwrap();
        let spans = field_spans(&bytes);
        let end = spans.last().map_or(0, |span| span.end);
        assert!(
            offset >= end
                || spans
                    .iter()
                    .any(|span| span.start <= offset && offset < span.end),
            "{line}\n{spans:?}"
        );
        assert!(
            Packet::decode(&bytes).is_err() || columns[1] != "any",
            "{line}"
        );
    }
}
