//! Which bytes of a packet are which field (§3): for the eye only, as the codec alone judges.
//!
//! It goes as far as the bytes make sense, so that a broken packet can be looked at too.

use dunlin_codec::{DataType, PROPERTIES, PacketType, ReasonCode};

use super::walk::{Span, Walk, shown, text};

/// The fields of the packet in `bytes`, which they cover without a gap.
pub(super) fn spans(bytes: &[u8]) -> Vec<Span> {
    let mut walk = Walk::new(bytes);
    packet(&mut walk);
    walk.finish()
}

fn packet(walk: &mut Walk<'_>) -> Option<()> {
    let first = walk.number(1)?;
    let packet_type = PacketType::ALL
        .into_iter()
        .find(|each| *each as u32 == first >> 4);
    let flags = match packet_type {
        Some(PacketType::Publish) => publish_flags(first),
        _ if first & 0x0f == 0 => String::new(),
        _ => format!(", flags {:04b}", first & 0x0f),
    };
    walk.note(
        0,
        "packet_type",
        format!(
            "{}{flags}",
            packet_type.map_or("reserved", PacketType::name)
        ),
    );
    let remaining_length = walk.varint()?;
    walk.note(1, "remaining_length", remaining_length.to_string());
    let whole = walk.enter(usize::try_from(remaining_length).ok()?);
    let done = body(walk, packet_type?, first);
    if let Some(end) = whole {
        if done.is_some() {
            walk.leave_out();
        }
        walk.leave(end);
    }
    done
}

fn body(walk: &mut Walk<'_>, packet_type: PacketType, first: u32) -> Option<()> {
    if matches!(
        packet_type,
        PacketType::Connect | PacketType::ConnAck | PacketType::Auth
    ) {
        walk.guard();
    }
    match packet_type {
        PacketType::Connect => connect(walk),
        PacketType::ConnAck => {
            let session_present = walk.number(1)?;
            walk.note(
                walk.at() - 1,
                "connect_acknowledge_flags",
                flag(session_present, 1, "session present"),
            );
            reason_code(walk)?;
            properties(walk)
        }
        PacketType::Publish => publish(walk, first),
        PacketType::PubAck | PacketType::PubRec | PacketType::PubRel | PacketType::PubComp => {
            packet_id(walk)?;
            outcome(walk)
        }
        PacketType::Subscribe => {
            packet_id(walk)?;
            properties(walk)?;
            list(walk, |walk| {
                string(walk, "topic_filter")?;
                subscription_options(walk)
            })
        }
        PacketType::SubAck | PacketType::UnsubAck => {
            packet_id(walk)?;
            properties(walk)?;
            list(walk, reason_code)
        }
        PacketType::Unsubscribe => {
            packet_id(walk)?;
            properties(walk)?;
            list(walk, |walk| string(walk, "topic_filter"))
        }
        PacketType::PingReq | PacketType::PingResp => Some(()),
        PacketType::Disconnect | PacketType::Auth => outcome(walk),
    }
}

fn connect(walk: &mut Walk<'_>) -> Option<()> {
    string(walk, "protocol_name")?;
    let from = walk.at();
    let version = walk.number(1)?;
    walk.note(from, "protocol_version", version.to_string());
    if version != 5 {
        return None;
    }
    let from = walk.at();
    let flags = walk.number(1)?;
    walk.note(from, "connect_flags", connect_flags(flags));
    let from = walk.at();
    let keep_alive = walk.number(2)?;
    walk.note(from, "keep_alive", format!("{keep_alive} s"));
    properties(walk)?;
    string(walk, "client_id")?;
    if flags & 0x04 != 0 {
        properties(walk)?;
        string(walk, "will_topic")?;
        let from = walk.at();
        let payload = walk.prefixed()?;
        walk.note(from, "will_payload", shown(payload));
    }
    if flags & 0x80 != 0 {
        let from = walk.at();
        let username = walk.prefixed()?;
        let name = username
            .split(|byte| *byte == b'?')
            .next()
            .unwrap_or_default();
        let secret = username.len() - name.len();
        let more = if secret > 0 { "?.." } else { "" };
        walk.note_secret(from, "username", format!("{}{more}", text(name)), secret);
    }
    if flags & 0x40 != 0 {
        secret(walk, "password")?;
    }
    Some(())
}

fn publish(walk: &mut Walk<'_>, first: u32) -> Option<()> {
    string(walk, "topic")?;
    if first & 0x06 != 0 {
        packet_id(walk)?;
    }
    properties(walk)?;
    let from = walk.at();
    let payload = walk.rest();
    if !payload.is_empty() {
        walk.note(from, "payload", shown(payload));
    }
    Some(())
}

/// Reason code and properties, either of which may be left out.
fn outcome(walk: &mut Walk<'_>) -> Option<()> {
    if walk.is_at_end() {
        return Some(());
    }
    reason_code(walk)?;
    if walk.is_at_end() {
        Some(())
    } else {
        properties(walk)
    }
}

fn properties(walk: &mut Walk<'_>) -> Option<()> {
    let from = walk.at();
    let len = walk.varint()?;
    walk.note(from, "property_length", len.to_string());
    let end = walk.enter(usize::try_from(len).ok()?)?;
    let done = list(walk, property);
    walk.leave(end);
    done
}

fn property(walk: &mut Walk<'_>) -> Option<()> {
    let from = walk.at();
    let id = walk.number(1)?;
    let row = PROPERTIES.iter().find(|row| u32::from(row.id) == id)?;
    let meaning = match row.data_type {
        DataType::Byte => walk.number(1)?.to_string(),
        DataType::TwoByteInteger => walk.number(2)?.to_string(),
        DataType::FourByteInteger => walk.number(4)?.to_string(),
        DataType::VariableByteInteger => walk.varint()?.to_string(),
        DataType::Utf8EncodedString => text(walk.prefixed()?),
        DataType::BinaryData if row.name == "authentication_data" => {
            let data = walk.prefixed()?;
            walk.note_secret(from, row.name, redacted(data), data.len());
            return Some(());
        }
        DataType::BinaryData => shown(walk.prefixed()?),
        DataType::Utf8StringPair => {
            let name = text(walk.prefixed()?);
            format!("{name} = {}", text(walk.prefixed()?))
        }
    };
    walk.note(from, row.name, meaning);
    Some(())
}

/// One item after the other, to the end of the section.
fn list<'a>(walk: &mut Walk<'a>, item: impl Fn(&mut Walk<'a>) -> Option<()>) -> Option<()> {
    while !walk.is_at_end() {
        item(walk)?;
    }
    Some(())
}

fn string(walk: &mut Walk<'_>, field: &'static str) -> Option<()> {
    let from = walk.at();
    let bytes = walk.prefixed()?;
    walk.note(from, field, text(bytes));
    Some(())
}

fn secret(walk: &mut Walk<'_>, field: &'static str) -> Option<()> {
    let from = walk.at();
    let bytes = walk.prefixed()?;
    walk.note_secret(from, field, redacted(bytes), bytes.len());
    Some(())
}

fn redacted(bytes: &[u8]) -> String {
    format!("<redacted {} bytes>", bytes.len())
}

fn number(walk: &mut Walk<'_>, field: &'static str, len: usize) -> Option<()> {
    let from = walk.at();
    let number = walk.number(len)?;
    walk.note(from, field, number.to_string());
    Some(())
}

fn packet_id(walk: &mut Walk<'_>) -> Option<()> {
    number(walk, "packet_id", 2)
}

fn reason_code(walk: &mut Walk<'_>) -> Option<()> {
    let from = walk.at();
    let byte = u8::try_from(walk.number(1)?).ok()?;
    let meaning = ReasonCode::from_code(byte)
        .map_or_else(|| format!("0x{byte:02X}"), |code| code.to_string());
    walk.note(from, "reason_code", meaning);
    Some(())
}

fn subscription_options(walk: &mut Walk<'_>) -> Option<()> {
    let from = walk.at();
    let byte = walk.number(1)?;
    let meaning = [
        qos(byte),
        flag(byte, 0x04, "no local"),
        flag(byte, 0x08, "retain as published"),
        format!("retain handling {}", byte >> 4 & 0b11),
        flag(byte, 0xc0, "reserved bits"),
    ];
    walk.note(from, "subscription_options", joined(&meaning));
    Some(())
}

fn connect_flags(flags: u32) -> String {
    joined(&[
        flag(flags, 0x80, "user name"),
        flag(flags, 0x40, "password"),
        flag(flags, 0x20, "will retain"),
        if flags & 0x04 != 0 {
            format!("will {}", qos(flags >> 3))
        } else {
            String::new()
        },
        flag(flags, 0x02, "clean start"),
        flag(flags, 0x01, "reserved bit"),
    ])
}

fn publish_flags(first: u32) -> String {
    let flags = joined(&[
        qos(first >> 1),
        flag(first, 0x08, "dup"),
        flag(first, 0x01, "retain"),
    ]);
    format!(", {flags}")
}

fn qos(bits: u32) -> String {
    format!("QoS {}", bits & 0b11)
}

fn flag(flags: u32, bit: u32, name: &'static str) -> String {
    if flags & bit == 0 {
        String::new()
    } else {
        name.to_owned()
    }
}

fn joined(parts: &[String]) -> String {
    let parts: Vec<&str> = parts
        .iter()
        .map(String::as_str)
        .filter(|part| !part.is_empty())
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;

    const CONNECT: &str = "101e00044d51545405c2003c0000016100083f746f6b656e3d78000470617373";

    fn of(text: &str) -> Vec<Span> {
        spans(&hex::decode(text.as_bytes()).unwrap())
    }

    #[test]
    fn fields_lie_side_by_side_however_the_packet_is_cut_or_broken() {
        let bytes = hex::decode(CONNECT.as_bytes()).unwrap();
        for len in 0..=bytes.len() {
            for at in 0..len {
                for byte in [0x00, 0x30, 0x7f, 0x82, 0xff] {
                    let mut bytes = bytes[..len].to_vec();
                    bytes[at] = byte;
                    let end = spans(&bytes).iter().fold(0, |end, span| {
                        assert_eq!(span.at, end);
                        end + span.len
                    });
                    assert_eq!(end, len);
                }
            }
        }
    }

    #[test]
    fn passwords_and_the_query_of_a_user_name_are_secret() {
        let secrets: Vec<(&str, usize, String)> = of(CONNECT)
            .into_iter()
            .filter(|span| span.secret > 0)
            .map(|span| (span.field, span.secret, span.meaning))
            .collect();
        assert_eq!(
            secrets,
            [
                ("username", 8, "\"\"?..".to_owned()),
                ("password", 4, "<redacted 4 bytes>".to_owned())
            ]
        );
    }

    #[test]
    fn every_field_of_a_publish_has_a_name_and_a_meaning() {
        let told: Vec<(&str, String)> = of("3b0b0001610007032300036f6e")
            .into_iter()
            .map(|span| (span.field, span.meaning))
            .collect();
        let expected = [
            ("packet_type", "PUBLISH, QoS 1, dup, retain"),
            ("remaining_length", "11"),
            ("topic", "\"a\""),
            ("packet_id", "7"),
            ("property_length", "3"),
            ("topic_alias", "3"),
            ("payload", "2 bytes: \"on\""),
        ];
        assert_eq!(
            told,
            expected.map(|(field, meaning)| (field, meaning.to_owned()))
        );
    }
}
