use std::fs;
use std::path::Path;

use dunlin_codec::{DecodeOptions, Packet};

use super::super::hex;
use super::*;

fn words(text: &str, sender: Sender) -> String {
    let digits: String = text.split_whitespace().collect();
    let bytes = hex::decode(digits.as_bytes()).unwrap();
    let options = DecodeOptions::any_size().with_sender(sender);
    of(&Packet::decode_with(&bytes, &options).unwrap_err(), &bytes)
}

#[test]
fn a_refusal_says_what_is_wrong_and_where() {
    use Sender::{Any, Client, Server};

    for (bytes, sender, expected) in [
        (
            "30 8080808001",
            Any,
            "malformed packet: the Remaining Length at byte 1 has five bytes; the maximum is four [section 1.5.5]",
        ),
        (
            "C0 8000",
            Any,
            "malformed packet: the Remaining Length at byte 1 has more bytes than its value needs [MQTT-1.5.5-1]",
        ),
        (
            "36 04 0001 61 00",
            Any,
            "malformed packet: the QoS at byte 0 is 3; 0, 1 and 2 are allowed [MQTT-3.3.1-4]",
        ),
        (
            "61 02 0001",
            Any,
            "malformed packet: the flags of the fixed header at byte 0 are 0001; PUBREL has 0010 [MQTT-3.6.1-1]",
        ),
        (
            "30 05 0009 61 00 00",
            Any,
            "malformed packet: the Topic Name is cut off at byte 7",
        ),
        (
            "30 04 0001 61 05",
            Any,
            "malformed packet: the Property Length at byte 5 is larger than the rest of the packet",
        ),
        (
            "20 05 00 00 00 0000",
            Any,
            "malformed packet: the properties end at byte 5, and CONNACK has no field after them",
        ),
        (
            "30 08 0001 61 04 02000001",
            Any,
            "malformed packet: the Message Expiry Interval is cut off at byte 10",
        ),
        (
            "30 0A 0001 61 06 230001230002",
            Any,
            "protocol error: the Topic Alias at byte 9 appears a second time",
        ),
        (
            "30 06 0001 61 02 0102",
            Any,
            "protocol error: the Payload Format Indicator at byte 7 is 2; 0 and 1 are allowed",
        ),
        (
            "20 05 00 00 02 2402",
            Any,
            "protocol error: the Maximum QoS at byte 6 is 2; 0 and 1 are allowed [section 3.2.2.3]",
        ),
        (
            "20 07 00 00 04 24002400",
            Any,
            "protocol error: the Maximum QoS at byte 7 appears a second time [section 3.2.2.3]",
        ),
        (
            "20 07 00 00 04 16000100",
            Any,
            "protocol error: the Authentication Data at byte 5 appears without an Authentication Method [section 3.2.2.3]",
        ),
        (
            "82 09 0001 02 0B00 0001 61 00",
            Any,
            "protocol error: the Subscription Identifier at byte 6 is 0; 1 to 268,435,455 are allowed [section 3.8.2.1.2]",
        ),
        (
            "B0 03 0001 00",
            Any,
            "protocol error: the payload at byte 5 has no Reason Code; there is one for each Topic Filter [section 3.11.3]",
        ),
        (
            "40 03 0001 81",
            Any,
            "malformed packet: the Reason Code at byte 4 is Malformed Packet (0x81), which PUBACK doesn't have \
             [MQTT-3.4.2-1]",
        ),
        (
            "E0 01 87",
            Client,
            "protocol error: the Reason Code at byte 2 is Not authorized (0x87), which only the other side sends \
             in DISCONNECT [MQTT-3.14.2-1]",
        ),
        (
            "30 06 0001 61 02 9900",
            Any,
            "malformed packet: the Property Identifier at byte 6 is 0x99, which no property has [section 2.2.2.2]",
        ),
        (
            "30 06 0001 61 02 2400",
            Any,
            "malformed packet: the Maximum QoS at byte 6 is not a property of PUBLISH [section 2.2.2.2]",
        ),
        (
            "D0 00",
            Client,
            "packet that its sender may not send: the packet type at byte 0 is PINGRESP, which only servers send",
        ),
        (
            "40 02 0000",
            Server,
            "protocol error: the Packet Identifier at byte 2 is 0; 1 to 65,535 are allowed [MQTT-2.2.1-5]",
        ),
    ] {
        assert_eq!(words(bytes, sender), expected);
    }
}

/// Every statement that the codec's own vectors break has words: none is just "not allowed".
#[test]
fn every_broken_statement_has_words() {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../codec/tests/golden/vectors/rejected.tsv");
    let Ok(vectors) = fs::read_to_string(path) else {
        // The published crate has no codec beside it.
        return;
    };
    for line in vectors.lines().filter(|line| !line.starts_with('#')) {
        let columns: Vec<&str> = line.split('\t').collect();
        let sender = match columns[1] {
            "client" => Sender::Client,
            "server" => Sender::Server,
            _ => Sender::Any,
        };
        let words = words(columns[2], sender);
        let position = format!("at byte {}", columns[4]);
        assert!(words.contains(&position), "{line}\n{words}");
        assert!(
            !words.contains("is not allowed") && !words.contains("U-"),
            "{line}\n{words}"
        );
    }
}

#[test]
fn rules_without_a_number_are_shown_as_sections() {
    for (statement, packet_type, expected) in [
        ("U-1.5.5-1", PacketType::Publish, "section 1.5.5"),
        ("U-3.3.2-4", PacketType::Publish, "section 3.3.2.3.8"),
        ("U-3.3.2-4", PacketType::Subscribe, "section 3.8.2.1.2"),
        ("MQTT-3.1.2-2", PacketType::Connect, "MQTT-3.1.2-2"),
    ] {
        assert_eq!(source(statement, Some(packet_type)), expected);
    }
    assert_eq!(section("MQTT-3.1.2-2", None), "3.1.2");
}
