//! The tables of reason codes (Table 2-6 and that of each packet) against the decoder: every byte,
//! packet and sender.

use dunlin_codec::{DecodeErrorKind, DecodeOptions, Packet, PacketType, ReasonCode, Sender};

/// Around the code: a first byte and what stands before and after it. Then the codes that both
/// sides, a server alone and a client alone may send.
struct Row(
    PacketType,
    u8,
    &'static [u8],
    &'static [u8],
    &'static [u8],
    &'static [u8],
    &'static [u8],
);

const METHOD: &[u8] = b"\x04\x15\x00\x01m";

#[rustfmt::skip]
const ROWS: [Row; 9] = [
    Row(PacketType::ConnAck, 0x20, &[0], &[0], &[],
        &[0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f],
        &[]),
    // 0x10 is a server's by Table 3-4: taken from anybody.
    Row(PacketType::PubAck, 0x40, &[0, 1], &[], &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99], &[], &[]),
    Row(PacketType::PubRec, 0x50, &[0, 1], &[], &[0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99], &[], &[]),
    Row(PacketType::PubRel, 0x62, &[0, 1], &[], &[0x00, 0x92], &[], &[]),
    Row(PacketType::PubComp, 0x70, &[0, 1], &[], &[0x00, 0x92], &[], &[]),
    Row(PacketType::SubAck, 0x90, &[0, 1, 0], &[], &[],
        &[0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2], &[]),
    Row(PacketType::UnsubAck, 0xb0, &[0, 1, 0], &[], &[], &[0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91], &[]),
    // 0x8C is in Table 2-6 and not in Table 3-10: taken from a server.
    Row(PacketType::Disconnect, 0xe0, &[], &[],
        &[0x00, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99],
        &[0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2],
        &[0x04]),
    Row(PacketType::Auth, 0xf0, &[], METHOD, &[0x18], &[0x00], &[0x19]),
];

/// [MQTT-3.2.2-8] [MQTT-3.4.2-1] [MQTT-3.5.2-1] [MQTT-3.6.2-1] [MQTT-3.7.2-1] [MQTT-3.9.3-2]
/// [MQTT-3.11.3-2] [MQTT-3.14.2-1] [MQTT-3.15.2-1]
#[test]
fn a_reason_code_is_accepted_in_its_packets_from_its_senders() {
    for Row(packet_type, first, before, behind, either, server, client) in ROWS {
        for code in 0..=u8::MAX {
            for sender in [Sender::Any, Sender::Client, Sender::Server] {
                let body = [before, &[code], behind].concat();
                let packet = [&[first, u8::try_from(body.len()).unwrap()], &*body].concat();
                let decoded =
                    Packet::decode_with(&packet, &DecodeOptions::any_size().with_sender(sender));

                let may_be = |whose: Sender| sender == whose || sender == Sender::Any;
                let legal = either.contains(&code)
                    || (server.contains(&code) && may_be(Sender::Server))
                    || (client.contains(&code) && may_be(Sender::Client));
                let expected = if packet_type.sender() == Sender::Server && sender == Sender::Client
                {
                    Some(DecodeErrorKind::WrongDirection)
                } else if legal {
                    None
                } else if server.contains(&code) || client.contains(&code) {
                    Some(DecodeErrorKind::ProtocolError)
                } else {
                    Some(DecodeErrorKind::Malformed)
                };
                let what = format!("{code:#04x} in {packet_type} from {sender:?}");
                assert_eq!(
                    decoded.map_err(|error| error.kind).err(),
                    expected,
                    "{what}"
                );
                let listed = ReasonCode::from_code(code)
                    .is_some_and(|code| code.is_legal_in(packet_type, sender));
                assert_eq!(listed, legal, "{what}");
            }
        }
    }
}

/// The short form of AUTH is success, which only servers send. [MQTT-3.15.2-1]
#[test]
fn the_short_form_of_auth_is_judged_like_the_long_one() {
    let long = [&[0xf0, 0x06, 0x00], METHOD].concat();
    for (sender, is_accepted) in [
        (Sender::Any, true),
        (Sender::Server, true),
        (Sender::Client, false),
    ] {
        let options = DecodeOptions::any_size().with_sender(sender);
        for form in [&[0xf0, 0x00][..], &long] {
            let decoded = Packet::decode_with(form, &options);
            assert_eq!(decoded.is_ok(), is_accepted, "{sender:?} {form:02x?}");
            if let Err(error) = decoded {
                let found = (error.kind, error.offset, error.field, error.statement);
                let expected = (
                    DecodeErrorKind::ProtocolError,
                    2,
                    "reason_code",
                    Some("MQTT-3.15.2-1"),
                );
                assert_eq!(found, expected, "{form:02x?}");
            }
        }
    }
}

#[test]
fn other_packets_carry_no_code() {
    let with_codes = ROWS.map(|row| row.0);
    for packet_type in PacketType::ALL
        .into_iter()
        .filter(|packet_type| !with_codes.contains(packet_type))
    {
        assert!(
            !ReasonCode::ALL
                .iter()
                .any(|code| code.is_legal_in(packet_type, Sender::Any)),
            "{packet_type}"
        );
    }
}

#[test]
fn the_standard_defines_43_codes() {
    assert_eq!(ReasonCode::ALL.len(), 43);
    for code in ReasonCode::ALL {
        assert_eq!(ReasonCode::from_code(code.code()), Some(*code));
        assert_eq!(code.is_error(), code.code() >= 0x80);
    }
    assert_eq!(
        ReasonCode::NotAuthorized.to_string(),
        "Not authorized (0x87)"
    );
}
