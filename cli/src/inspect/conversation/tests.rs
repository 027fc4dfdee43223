use super::super::hex;
use super::*;

const CONNECT_5: &str = "100d00044d515454050200000000 00";
const CONNECT_311: &str = "101100044d5154540402003c000563616e 6172";
const CONNACK: &str = "2003000000";
const PINGREQ: &str = "c000";

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text.replace(' ', "").as_bytes()).unwrap()
}

/// Findings as text: summaries, and a word for all else.
fn findings(conversation: &mut Conversation, parts: &[(Direction, &[u8])]) -> Vec<String> {
    let mut found = Vec::new();
    for (direction, bytes) in parts {
        conversation.push(*direction, bytes, Duration::ZERO, &mut |finding| {
            found.push(match finding {
                Finding::Packet(seen) => match seen.breaches.first() {
                    Some(breach) => format!("{:?}", breach.statement),
                    None => seen.summary,
                },
                Finding::Rest { bytes, .. } => format!("rest {}", bytes.len()),
                Finding::NoPacket(bytes) => format!("no packet {}", bytes.len()),
                Finding::Protocol(protocol) => format!("{protocol:?}"),
            });
        });
    }
    found
}

#[test]
fn the_protocol_is_told_by_the_first_bytes() {
    let of = |first: &[u8]| {
        let mut conversation = Conversation::new();
        findings(&mut conversation, &[(Direction::Sent, first)])
    };
    assert_eq!(of(b"GET / HTTP/1.1"), ["Other", "no packet 14"]);
    assert_eq!(of(b"\x16\x03\x01\x02"), ["Tls", "no packet 4"]);
    assert_eq!(
        of(&bytes(CONNECT_311)),
        [
            "Older(\"MQTT 3.1.1\")",
            "CONNECT of MQTT 3.1.1, client id \"canar\""
        ]
    );
    assert!(of(&bytes(CONNECT_5))[0].starts_with("CONNECT"));
}

#[test]
fn a_packet_that_cannot_be_decoded_names_its_statement() {
    let mut conversation = Conversation::new();
    let connect = bytes(CONNECT_5);
    let connack = bytes(CONNACK);
    // A PUBLISH of QoS 3.
    let found = findings(
        &mut conversation,
        &[
            (Direction::Sent, &connect),
            (Direction::Received, &connack),
            (Direction::Sent, &[0x36, 0x00]),
            (Direction::Sent, &bytes(PINGREQ)),
        ],
    );
    // Where the next packet begins isn't known after that.
    assert_eq!(found[2..], ["Some(\"MQTT-3.3.1-4\")", "no packet 2"]);
}

#[test]
fn after_a_gap_the_next_packet_is_found() {
    let mut conversation = Conversation::new();
    let connect = bytes(CONNECT_5);
    findings(&mut conversation, &[(Direction::Sent, &connect)]);
    conversation.skip_gap(Direction::Sent);
    let found = findings(
        &mut conversation,
        &[
            (Direction::Sent, b"rest of a packet"),
            (Direction::Sent, &bytes(PINGREQ)),
        ],
    );
    assert_eq!(found, ["no packet 16", "PINGREQ"]);
}

#[test]
fn no_byte_makes_it_panic() {
    let all = [bytes(CONNECT_5), bytes(PINGREQ), bytes("300400016100")].concat();
    for at in 0..all.len() {
        for byte in 0..=u8::MAX {
            let mut changed = all.clone();
            changed[at] = byte;
            let mut conversation = Conversation::new();
            findings(
                &mut conversation,
                &[(Direction::Sent, &changed), (Direction::Received, &changed)],
            );
        }
    }
}

#[test]
fn a_packet_after_disconnect_breaks_a_rule_of_either_side() {
    let (connect, connack) = (bytes(CONNECT_5), bytes(CONNACK));
    for (direction, packet) in [
        (Direction::Sent, bytes(PINGREQ)),
        (Direction::Received, bytes("d000")),
    ] {
        let mut conversation = Conversation::new();
        let found = findings(
            &mut conversation,
            &[
                (Direction::Sent, &connect),
                (Direction::Received, &connack),
                (direction, &bytes("e000")),
                (direction, &packet),
            ],
        );
        assert!(found[2].starts_with("DISCONNECT"), "{found:?}");
        assert_eq!(found[3], "Some(\"MQTT-3.14.4-1\")");
    }
}
