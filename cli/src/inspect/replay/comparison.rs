//! Answers of a server in a capture and now, and their differences.

use std::collections::HashMap;
use std::fmt;

use dunlin_codec::{Escaped, Excerpt, Packet, ReasonCode};
use serde::Serialize;

/// Answer of a server, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ServerAnswer {
    /// Number of the connection in the capture.
    connection: u32,
    /// Type, and identifier or topic: answers with the same key are compared with each other in their
    /// order.
    key: String,
    /// Reason codes, or content.
    value: String,
}

/// Answer that is another one now, is missing, or is new.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    connection: u32,
    packet: String,
    /// Value in the capture; `None` if it had no such answer.
    captured: Option<String>,
    /// Value now; `None` if there was no such answer.
    now: Option<String>,
}

impl ServerAnswer {
    /// Answer of a packet; `None` for packets that are no answer.
    pub(super) fn new(connection: u32, packet: &Packet<'_>) -> Option<Self> {
        let name = packet.packet_type().name();
        let (key, value) = match packet {
            Packet::ConnAck(connack) => {
                let connack = connack.read();
                let present = if connack.session_present {
                    ", session present"
                } else {
                    ""
                };
                (name.to_owned(), format!("{}{present}", connack.reason_code))
            }
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubComp(ack) => (
                format!("{name} id {}", ack.packet_id),
                ack.reason_code.to_string(),
            ),
            Packet::SubAck(ack) => (
                format!("{name} id {}", ack.packet_id),
                codes(ack.reason_codes.iter()),
            ),
            Packet::UnsubAck(ack) => (
                format!("{name} id {}", ack.packet_id),
                codes(ack.reason_codes.iter()),
            ),
            // Identifiers, aliases and the order of topics are the server's choice.
            Packet::Publish(publish) => {
                let topic = publish.topic.as_deref().unwrap_or_default();
                let retain = if publish.retain { ", retain" } else { "" };
                let payload = String::from_utf8_lossy(publish.payload);
                let value = format!(
                    "{}{retain}, {} bytes \"{}\"",
                    publish.qos(),
                    publish.payload.len(),
                    Excerpt::new(&payload, PAYLOAD)
                );
                (format!("{name} \"{}\"", Excerpt::new(topic, TOPIC)), value)
            }
            Packet::PingResp => (name.to_owned(), String::new()),
            Packet::Disconnect(disconnect) => (name.to_owned(), disconnect.reason_code.to_string()),
            _ => return None,
        };
        Some(Self {
            connection,
            key,
            value,
        })
    }
}

/// Differences between the answers of the capture and those that came now, in the order of the
/// capture; new answers come last.
pub(super) fn differences(captured: &[ServerAnswer], now: &[ServerAnswer]) -> Vec<Difference> {
    // Answers of now by connection and key, in their order.
    let mut left: HashMap<(u32, &str), Vec<&ServerAnswer>> = HashMap::new();
    for answer in now.iter().rev() {
        let key = (answer.connection, answer.key.as_str());
        left.entry(key).or_default().push(answer);
    }
    let mut differences = Vec::new();
    for answer in captured {
        let key = (answer.connection, answer.key.as_str());
        let same = left.get_mut(&key).and_then(Vec::pop);
        if same.is_some_and(|same| same.value == answer.value) {
            continue;
        }
        differences.push(Difference {
            connection: answer.connection,
            packet: answer.key.clone(),
            captured: Some(answer.value.clone()),
            now: same.map(|same| same.value.clone()),
        });
    }
    // What is left is new, in the order in which it came.
    for answer in now {
        let key = (answer.connection, answer.key.as_str());
        let Some(rest) = left.get_mut(&key) else {
            continue;
        };
        // The last of the list came first.
        if rest
            .last()
            .is_some_and(|first| std::ptr::eq(*first, answer))
        {
            rest.pop();
            differences.push(Difference {
                connection: answer.connection,
                packet: answer.key.clone(),
                captured: None,
                now: Some(answer.value.clone()),
            });
        }
    }
    differences
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = |value: &Option<String>| match value.as_deref() {
            None => "none".to_owned(),
            Some("") => "one".to_owned(),
            Some(value) => Escaped(value).to_string(),
        };
        write!(
            f,
            "connection {}: {}: {} in the capture, {} now",
            self.connection,
            self.packet,
            value(&self.captured),
            value(&self.now)
        )
    }
}

fn codes(codes: impl Iterator<Item = ReasonCode>) -> String {
    let codes: Vec<String> = codes.map(|code| code.to_string()).collect();
    codes.join(", ")
}

/// Number of characters of topics and payloads that are shown and compared.
const TOPIC: usize = 256;
const PAYLOAD: usize = 64;

#[cfg(test)]
mod tests {
    use dunlin_codec::{Ack, PacketId, Publish, TopicName};

    use super::*;

    fn puback(id: u16, reason_code: ReasonCode) -> ServerAnswer {
        let ack = Ack::new(PacketId::new(id).unwrap(), reason_code);
        ServerAnswer::new(1, &Packet::PubAck(ack)).unwrap()
    }

    fn message(topic: &'static str, payload: &'static str) -> ServerAnswer {
        let publish = Publish::new(TopicName::new(topic).unwrap(), payload.as_bytes());
        ServerAnswer::new(1, &Packet::from(publish)).unwrap()
    }

    fn lines(captured: &[ServerAnswer], now: &[ServerAnswer]) -> Vec<String> {
        let differences = differences(captured, now);
        differences.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn equal_answers_have_no_difference_in_any_order_of_keys() {
        let one = [
            puback(1, ReasonCode::Success),
            message("a", "1"),
            message("b", "2"),
        ];
        let other = [
            message("b", "2"),
            message("a", "1"),
            puback(1, ReasonCode::Success),
        ];
        assert_eq!(lines(&one, &other), [""; 0]);
    }

    #[test]
    fn other_missing_and_new_answers_are_told() {
        let captured = [
            puback(1, ReasonCode::Success),
            puback(2, ReasonCode::Success),
        ];
        let now = [
            puback(1, ReasonCode::NotAuthorized),
            message("a", "1"),
            message("a", "2"),
        ];
        assert_eq!(
            lines(&captured, &now),
            [
                "connection 1: PUBACK id 1: Success (0x00) in the capture, Not authorized (0x87) now",
                "connection 1: PUBACK id 2: Success (0x00) in the capture, none now",
                "connection 1: PUBLISH \"a\": none in the capture, QoS 0, 1 bytes \"1\" now",
                "connection 1: PUBLISH \"a\": none in the capture, QoS 0, 1 bytes \"2\" now",
            ]
        );
    }
}
