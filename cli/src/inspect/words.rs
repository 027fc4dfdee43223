//! What is wrong with a packet, in words.

use dunlin_codec::{DecodeError, DecodeErrorKind};

/// `malformed packet: the Remaining Length at byte 1 has five bytes; four are allowed
/// [MQTT-1.5.5-1]`
pub(super) fn of(error: &DecodeError) -> String {
    let field = name(error.field);
    let reason = reason(error).map_or_else(String::new, |reason| format!(" {reason}"));
    let source = error
        .statement
        .map_or_else(String::new, |statement| format!(" [{}]", source(statement)));
    match error.kind {
        DecodeErrorKind::TooLarge => {
            format!("packet too large: the packet is longer than --max-packet-size allows{source}")
        }
        kind => format!(
            "{kind}: the {field} at byte {}{}{source}",
            error.offset,
            if reason.is_empty() {
                " is not allowed"
            } else {
                &reason
            }
        ),
    }
}

/// Name of a field as the standard writes it.
fn name(field: &str) -> String {
    match field {
        "qos" => "QoS".into(),
        "dup" => "DUP flag".into(),
        "no_local" => "No Local option".into(),
        "flags" => "flags of the fixed header".into(),
        "trailing_bytes" => "end of the packet".into(),
        "packet_id" => "Packet Identifier".into(),
        "packet_type" => "packet type".into(),
        "payload" | "topic" | "username" | "password" => field.into(),
        other => {
            let words: Vec<String> = other
                .split('_')
                .map(|word| {
                    let mut letters = word.chars();
                    letters.next().map_or_else(String::new, |first| {
                        first.to_uppercase().chain(letters).collect()
                    })
                })
                .collect();
            words.join(" ")
        }
    }
}

/// What is wrong with the field, where its rule says more than that it is broken.
fn reason(error: &DecodeError) -> Option<&'static str> {
    Some(match (error.field, error.statement.unwrap_or_default()) {
        (_, "MQTT-1.5.5-1") => "has five bytes; four are allowed, in the shortest form",
        ("qos", _) => "is 3; 0, 1 and 2 are allowed",
        ("dup", _) => "is set on a message of QoS 0",
        ("packet_id", "MQTT-2.2.1-3") => "is 0; 1 to 65535 are allowed",
        (_, "MQTT-1.5.4-1") => "is not UTF-8",
        (_, "MQTT-1.5.4-2") => "holds the character U+0000",
        ("flags", _) => "are not those that this packet type must have",
        ("protocol_version", _) => "is not 5",
        ("protocol_name", _) => "is not MQTT",
        ("trailing_bytes", _) => "comes before the Remaining Length says so",
        ("topic" | "topic_name", "MQTT-3.3.2-2") => {
            "holds a wildcard, which only a Topic Filter may"
        }
        ("reason_code", _) => "is no code of this packet",
        (_, "U-2.2.2-1") => "is unknown, not allowed in this packet, or of another type",
        _ => return None,
    })
}

/// A statement of the standard as it is; ours, for what the standard doesn't number, as the
/// section.
fn source(statement: &str) -> String {
    match statement
        .strip_prefix("U-")
        .and_then(|rest| rest.rsplit_once('-'))
    {
        Some((section, _)) => format!("section {section}"),
        None => statement.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use dunlin_codec::Packet;

    use super::*;

    fn words(bytes: &[u8]) -> String {
        of(&Packet::decode(bytes).unwrap_err())
    }

    #[test]
    fn a_refusal_says_what_is_wrong_and_where() {
        assert_eq!(
            words(&[0x30, 0x80, 0x80, 0x80, 0x80, 0x01]),
            "malformed packet: the Remaining Length at byte 1 has five bytes; four are allowed, in the shortest form \
             [MQTT-1.5.5-1]"
        );
        assert_eq!(
            words(&[0x36, 0x04, 0x00, 0x01, 0x61, 0x00]),
            "malformed packet: the QoS at byte 0 is 3; 0, 1 and 2 are allowed [MQTT-3.3.1-4]"
        );
    }

    #[test]
    fn statements_of_our_own_are_shown_as_sections() {
        assert_eq!(source("U-3.1.2-2"), "section 3.1.2");
        assert_eq!(source("U-3.15-1"), "section 3.15");
        assert_eq!(source("MQTT-3.1.2-2"), "MQTT-3.1.2-2");
    }
}
