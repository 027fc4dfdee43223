//! The property table (Table 2-4) against the decoder: 27 rows in 14 places, and the range of every
//! value.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use dunlin_codec::{
    DataType, DecodeError, DecodeErrorKind, Delivery, ErrorScope, FaultyMessage, PROPERTIES,
    Packet, PropertyRow, ReasonCode,
};

/// A packet around a set of properties.
struct Place {
    name: &'static str,
    first: u8,
    head: &'static [u8],
    tail: &'static [u8],
    /// The identifiers that the standard allows there.
    allowed: &'static [u8],
    /// The statement that a repeated or ill-valued property breaks.
    rule: Option<&'static str>,
}

const CONNECT: &[u8] = b"\x00\x04MQTT\x05\x02\x00\x3c";
const WILL: &[u8] = b"\x00\x04MQTT\x05\x06\x00\x3c\x00\x00\x00";

#[rustfmt::skip]
const PLACES: [Place; 14] = [
    place("CONNECT", 0x10, CONNECT, &[0, 0], &[0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27], Some("U-3.1.2-2")),
    place("will", 0x10, WILL, b"\x00\x01w\x00\x00", &[0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26], None),
    place(
        "CONNACK", 0x20, &[0, 0], &[],
        &[0x11, 0x12, 0x13, 0x15, 0x16, 0x1a, 0x1c, 0x1f, 0x21, 0x22, 0x24, 0x25, 0x26, 0x27, 0x28, 0x29, 0x2a],
        Some("U-3.2.2-1"),
    ),
    place("PUBLISH", 0x30, b"\x00\x01a", &[], &[0x01, 0x02, 0x03, 0x08, 0x09, 0x0b, 0x23, 0x26], None),
    place("PUBACK", 0x40, &[0, 1, 0], &[], &[0x1f, 0x26], None),
    place("PUBREC", 0x50, &[0, 1, 0], &[], &[0x1f, 0x26], None),
    place("PUBREL", 0x62, &[0, 1, 0], &[], &[0x1f, 0x26], None),
    place("PUBCOMP", 0x70, &[0, 1, 0], &[], &[0x1f, 0x26], None),
    place("SUBSCRIBE", 0x82, &[0, 1], b"\x00\x01a\x00", &[0x0b, 0x26], Some("U-3.3.2-4")),
    place("SUBACK", 0x90, &[0, 1], &[0], &[0x1f, 0x26], None),
    place("UNSUBSCRIBE", 0xa2, &[0, 1], b"\x00\x01a", &[0x26], None),
    place("UNSUBACK", 0xb0, &[0, 1], &[0], &[0x1f, 0x26], None),
    place("DISCONNECT", 0xe0, &[0], &[], &[0x11, 0x1c, 0x1f, 0x26], None),
    place("AUTH", 0xf0, &[0x18], &[], &[0x15, 0x16, 0x1f, 0x26], Some("U-3.15-1")),
];

const fn place(
    name: &'static str,
    first: u8,
    head: &'static [u8],
    tail: &'static [u8],
    allowed: &'static [u8],
    rule: Option<&'static str>,
) -> Place {
    Place {
        name,
        first,
        head,
        tail,
        allowed,
        rule,
    }
}

/// An identifier, a legal value (the least where there is one), and values of its type that are out
/// of range.
type Values = (u8, &'static [u8], &'static [&'static [u8]]);

#[rustfmt::skip]
const VALUES: [Values; 27] = [
    (0x01, &[1], &[&[2], &[255]]),
    (0x02, &[0, 0, 0, 0], &[]),
    (0x03, &[0, 0], &[]),
    (0x08, b"\x00\x01r", &[&[0, 0], b"\x00\x01#", b"\x00\x03a/+"]),
    (0x09, &[0, 0], &[]),
    (0x0b, &[0xff, 0xff, 0xff, 0x7f], &[&[0]]),
    (0x11, &[0, 0, 0, 0], &[]),
    (0x12, b"\x00\x01c", &[]),
    (0x13, &[0, 0], &[]),
    (0x15, &[0, 0], &[]),
    (0x16, &[0, 0], &[]),
    (0x17, &[0], &[&[2], &[255]]),
    (0x18, &[0, 0, 0, 0], &[]),
    (0x19, &[1], &[&[2], &[255]]),
    (0x1a, &[0, 0], &[]),
    (0x1c, &[0, 0], &[]),
    (0x1f, &[0, 0], &[]),
    (0x21, &[0, 1], &[&[0, 0]]),
    (0x22, &[0, 0], &[]),
    (0x23, &[0xff, 0xff], &[&[0, 0]]),
    (0x24, &[0], &[&[2], &[255]]),
    (0x25, &[0], &[&[2], &[255]]),
    (0x26, &[0, 0, 0, 0], &[]),
    (0x27, &[0, 0, 0, 1], &[&[0, 0, 0, 0]]),
    (0x28, &[0], &[&[2], &[255]]),
    (0x29, &[1], &[&[2], &[255]]),
    (0x2a, &[0], &[&[2], &[255]]),
];

impl Place {
    /// The packet, and the offset in it of the first of `properties`, which `id` is the first of.
    fn packet(&self, id: u8, properties: &[u8]) -> (Vec<u8>, u32) {
        // Data needs a method, and so does an AUTH.
        let in_need =
            self.allowed.contains(&0x15) && (id == 0x16 || self.name == "AUTH" && id != 0x15);
        let method: &[u8] = if in_need { b"\x15\x00\x01m" } else { &[] };
        let section = [method, properties].concat();
        let len = |bytes: &[u8]| u8::try_from(bytes.len()).expect("a short packet");
        let body = [self.head, &[len(&section)], &section, self.tail].concat();
        let at = 2 + self.head.len() + 1 + method.len();
        (
            [&[self.first, len(&body)], &*body].concat(),
            u32::try_from(at).expect("a short packet"),
        )
    }

    /// Error with its scope: a value that a publisher chose concerns the message alone.
    fn scoped(&self, error: DecodeError) -> DecodeError {
        let message = FaultyMessage {
            delivery: Delivery::AtMostOnce,
            topic_alias: None,
        };
        if self.name == "PUBLISH" {
            error.with_scope(ErrorScope::Message(message))
        } else {
            error
        }
    }

    fn rows(&self) -> impl Iterator<Item = (PropertyRow, &'static [u8], &'static [&'static [u8]])> {
        let rows = PROPERTIES
            .into_iter()
            .zip(VALUES)
            .map(|(row, (_, value, others))| (row, value, others));
        rows.filter(|(row, ..)| self.allowed.contains(&row.id))
    }
}

fn property(id: u8, value: &[u8]) -> Vec<u8> {
    [&[id], value].concat()
}

fn malformed(offset: u32, field: &'static str, statement: Option<&'static str>) -> DecodeError {
    let (kind, code) = (DecodeErrorKind::Malformed, ReasonCode::MalformedPacket);
    let mut error = DecodeError::new(kind, code, offset, field);
    error.statement = statement;
    error
}

fn protocol_error(
    offset: u32,
    field: &'static str,
    statement: Option<&'static str>,
) -> DecodeError {
    let (kind, code) = (DecodeErrorKind::ProtocolError, ReasonCode::ProtocolError);
    let mut error = DecodeError::new(kind, code, offset, field);
    error.statement = statement;
    error
}

#[test]
fn the_table_has_the_rows_of_the_standard() {
    assert_eq!(PROPERTIES.map(|row| row.id), VALUES.map(|(id, ..)| id));
}

/// [U-2.2.2-1]
#[test]
fn a_property_is_accepted_in_its_packets_and_malformed_elsewhere() {
    for place in &PLACES {
        for id in 0..=u8::MAX {
            let value = VALUES
                .iter()
                .find(|row| row.0 == id)
                .map_or(&[][..], |row| row.1);
            let (packet, at) = place.packet(id, &property(id, value));
            let decoded = Packet::decode(&packet);
            if place.allowed.contains(&id) {
                assert!(
                    matches!(decoded, Ok(Some(_))),
                    "{id:#04x} in {}",
                    place.name
                );
            } else {
                let name = PROPERTIES
                    .iter()
                    .find(|row| row.id == id)
                    .map_or("property_id", |row| row.name);
                assert_eq!(
                    decoded,
                    Err(malformed(at, name, Some("U-2.2.2-1"))),
                    "{id:#04x} in {}",
                    place.name
                );
            }
        }
    }
}

/// [U-3.1.2-2] [U-3.2.2-1] [U-3.15-1]
#[test]
fn a_repeated_property_is_a_protocol_error_unless_it_may_repeat() {
    for place in &PLACES {
        for (row, value, _) in place.rows() {
            let once = property(row.id, value);
            let (packet, at) = place.packet(row.id, &once.repeat(2));
            let decoded = Packet::decode(&packet);
            if row.id == 0x26 || (row.id == 0x0b && place.name == "PUBLISH") {
                assert!(
                    matches!(decoded, Ok(Some(_))),
                    "{} in {}",
                    row.name,
                    place.name
                );
            } else {
                let second = at + u32::try_from(once.len()).expect("a short property");
                assert_eq!(
                    decoded,
                    Err(protocol_error(second, row.name, place.rule)),
                    "in {}",
                    place.name
                );
            }
        }
    }
}

/// [U-3.1.2-2] [U-3.2.2-1] [U-3.3.2-4] [MQTT-3.3.2-8] [MQTT-3.3.2-14] [MQTT-4.7.0-1] [MQTT-4.7.3-1]
#[test]
fn a_value_out_of_range_is_a_protocol_error() {
    for place in &PLACES {
        for (row, _, out_of_range) in place.rows() {
            for value in out_of_range {
                let (packet, at) = place.packet(row.id, &property(row.id, value));
                let statement = match (row.id, *value) {
                    (0x08, [0, 0]) => Some("MQTT-4.7.3-1"),
                    // The rule of the Response Topic is that of PUBLISH; in a Will it is a Topic Name.
                    (0x08, _) if place.name == "will" => Some("MQTT-4.7.0-1"),
                    (0x08, _) => Some("MQTT-3.3.2-14"),
                    (0x0b, _) => Some("U-3.3.2-4"),
                    (0x23, _) => Some("MQTT-3.3.2-8"),
                    _ => place.rule,
                };
                let mut error = protocol_error(at + 1, row.name, statement);
                if row.id == 0x23 {
                    error.reason_code = ReasonCode::TopicAliasInvalid;
                }
                if matches!(row.id, 0x01 | 0x08) {
                    error = place.scoped(error);
                }
                assert_eq!(Packet::decode(&packet), Err(error), "in {}", place.name);
            }
        }
    }
}

#[test]
fn a_value_cut_short_is_malformed_where_its_set_ends() {
    for place in &PLACES {
        for (row, value, _) in place.rows() {
            for len in 0..value.len() {
                let cut = property(row.id, value.get(..len).expect("a prefix"));
                let (packet, at) = place.packet(row.id, &cut);
                let end = at + u32::try_from(cut.len()).expect("a short property");
                assert_eq!(
                    Packet::decode(&packet),
                    Err(malformed(end, row.name, None)),
                    "in {}",
                    place.name
                );
            }
        }
    }
}

/// [MQTT-1.5.4-1] [MQTT-1.5.4-2] [MQTT-1.5.7-1] [MQTT-3.3.2-13] [MQTT-3.3.2-19]
#[test]
fn text_that_isnt_well_formed_is_malformed_in_every_property() {
    let ill_formed: [(&[u8], &str); 5] = [
        (b"\xed\xa0\x80", "MQTT-1.5.4-1"),
        (b"\xc0\x80", "MQTT-1.5.4-1"),
        (b"\xf0\x9f\x98", "MQTT-1.5.4-1"),
        (b"\x80", "MQTT-1.5.4-1"),
        (b"a\x00b", "MQTT-1.5.4-2"),
    ];
    for place in &PLACES {
        for (row, ..) in place.rows() {
            for (text, statement) in ill_formed {
                let text = [&[0, u8::try_from(text.len()).expect("short")], text].concat();
                let values = match row.data_type {
                    DataType::Utf8EncodedString => vec![(0, text)],
                    // The name is ill-formed, or the value after an empty name.
                    DataType::Utf8StringPair => {
                        vec![
                            (0, [&*text, &[0, 0]].concat()),
                            (2, [&[0, 0], &*text].concat()),
                        ]
                    }
                    _ => Vec::new(),
                };
                for (behind, value) in values {
                    let (packet, at) = place.packet(row.id, &property(row.id, &value));
                    let error = place.scoped(malformed(at + 1 + behind, row.name, Some(statement)));
                    assert_eq!(Packet::decode(&packet), Err(error), "in {}", place.name);
                }
            }
        }
    }
}
