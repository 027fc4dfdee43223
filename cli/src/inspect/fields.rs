//! Fields of a packet with their meaning for people. The codec says where they are.

use dunlin_codec::{DataType, FieldSpan, PROPERTIES, PacketType, ReasonCode};

use super::secrets;
use crate::diagnosis::quoted;

/// A field of a packet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Field {
    /// Offset of the first byte.
    pub(super) at: usize,
    pub(super) len: usize,
    pub(super) name: &'static str,
    pub(super) meaning: String,
    /// Number of bytes at its end that are shown with `--show-secrets` only.
    pub(super) secret: usize,
}

/// Fields of the packet in `bytes`, which they cover without a gap. The last is [`NOT_PARSED`] if
/// the packet is cut off or can't be read to its end.
pub(super) fn of_packet(bytes: &[u8]) -> Vec<Field> {
    // The codec finds the fields even of a broken packet, up to the fault.
    let spans = secrets::spans(bytes);
    let end = spans.last().map_or(0, |span| span.end);
    let mut fields: Vec<Field> = spans.iter().map(|span| Field::new(span, bytes)).collect();
    if end < bytes.len() {
        let len = bytes.len() - end;
        fields.push(Field {
            at: end,
            len,
            name: NOT_PARSED,
            meaning: String::new(),
            // Only after the fixed header.
            secret: if spans.len() > 1 && secrets::packet_may_hold_secrets(bytes) {
                len
            } else {
                0
            },
        });
    }
    fields
}

/// Name of the bytes after the last field that can be read.
pub(super) const NOT_PARSED: &str = "not_parsed";

impl Field {
    fn new(span: &FieldSpan, packet: &[u8]) -> Self {
        let bytes = packet.get(span.start..span.end).unwrap_or_default();
        // A field that is cut off has fewer bytes than its type needs; each meaning copes with
        // that.
        let secret = secrets::secret_len(span.field, bytes);
        let meaning = meaning(span.field, bytes, secret);
        Self {
            at: span.start,
            len: bytes.len(),
            name: span.field,
            meaning,
            secret,
        }
    }

    /// Bytes of text or binary data without the length before them and, in a property, the
    /// identifier.
    pub(super) fn content<'a>(&self, packet: &'a [u8]) -> &'a [u8] {
        // A property begins with its identifier, one byte in all properties of MQTT 5.
        let prefix = if property(self.name).is_some() { 3 } else { 2 };
        packet
            .get(self.at + prefix..self.at + self.len)
            .unwrap_or_default()
    }
}

/// Meaning of a field without the `secret` bytes at its end.
fn meaning(name: &str, bytes: &[u8], secret: usize) -> String {
    // After two bytes of length, where the field is text or binary data.
    let content = bytes.get(2..).unwrap_or_default();
    let number = number(bytes);
    match name {
        "packet_type" => packet_type(number),
        "remaining_length" | "property_length" => variable_byte_integer(bytes),
        "connect_flags" => connect_flags(number),
        "connect_acknowledge_flags" => flag(number, 1, "session present"),
        "subscription_options" => subscription_options(number),
        "reason_code" => reason_code(number),
        "packet_id" | "protocol_version" => number.to_string(),
        "keep_alive" => format!("{number} s"),
        "protocol_name" | "client_id" | "topic" | "topic_filter" | "will_topic" => text(content),
        "payload" => shown(bytes),
        "will_payload" => shown(content),
        "username" => user_name(content),
        "password" => redacted(content.len()),
        _ => property_meaning(name, bytes, secret),
    }
}

/// Meaning of a property without the `secret` bytes at its end: its identifier, then its value.
fn property_meaning(name: &str, bytes: &[u8], secret: usize) -> String {
    let value = bytes.get(1..).unwrap_or_default();
    let content = value.get(2..).unwrap_or_default();
    match property(name) {
        Some(DataType::Byte | DataType::TwoByteInteger | DataType::FourByteInteger) => {
            number(value).to_string()
        }
        Some(DataType::VariableByteInteger) => variable_byte_integer(value),
        Some(DataType::Utf8EncodedString) => text(content),
        Some(DataType::BinaryData) if secret > 0 => redacted(secret),
        Some(DataType::BinaryData) => shown(content),
        Some(DataType::Utf8StringPair) => {
            // Two strings, each after a length of two bytes; a cut one is shown as far as it goes.
            let len = usize::try_from(number(value.get(..2).unwrap_or_default())).unwrap_or(0);
            let (name, value) = content.split_at_checked(len).unwrap_or((content, &[]));
            let value = match secret {
                0 => text(value.get(2..).unwrap_or_default()),
                secret => redacted(secret),
            };
            format!("{} = {value}", text(name))
        }
        None => String::new(),
    }
}

/// Data type of a property; `None` if the field is no property.
fn property(name: &str) -> Option<DataType> {
    let row = PROPERTIES.iter().find(|row| row.name == name)?;
    Some(row.data_type)
}

/// User Name up to the query that may hold a token.
fn user_name(bytes: &[u8]) -> String {
    let name = secrets::before_query(bytes);
    let more = if name.len() < bytes.len() { "?.." } else { "" };
    format!("{}{more}", text(name))
}

/// Number of up to four bytes, the most significant first.
fn number(bytes: &[u8]) -> u32 {
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// Value of a Variable Byte Integer, the least significant seven bits first.
fn variable_byte_integer(bytes: &[u8]) -> String {
    let value = bytes
        .iter()
        .rev()
        .fold(0_u32, |value, byte| value << 7 | u32::from(byte & 0x7f));
    value.to_string()
}

fn packet_type(first: u32) -> String {
    let packet_type = PacketType::ALL
        .into_iter()
        .find(|each| *each as u32 == first >> 4);
    // §2.1.3: only in PUBLISH do the lower four bits have a meaning of their own.
    let flags = match packet_type {
        Some(PacketType::Publish) => publish_flags(first),
        _ if first & 0x0f == 0 => String::new(),
        _ => format!(", flags {:04b}", first & 0x0f),
    };
    let name = packet_type.map_or("reserved", PacketType::name);
    format!("{name}{flags}")
}

fn reason_code(byte: u32) -> String {
    let code = u8::try_from(byte).ok().and_then(ReasonCode::from_code);
    code.map_or_else(|| format!("0x{byte:02X}"), |code| code.to_string())
}

fn subscription_options(byte: u32) -> String {
    joined(&[
        qos(byte),
        flag(byte, 0x04, "no local"),
        flag(byte, 0x08, "retain as published"),
        // §3.8.3.1: bits 4 and 5.
        format!("retain handling {}", byte >> 4 & 0b11),
        flag(byte, 0xc0, "reserved bits"),
    ])
}

fn connect_flags(flags: u32) -> String {
    joined(&[
        flag(flags, 0x80, "user name"),
        flag(flags, 0x40, "password"),
        flag(flags, 0x20, "will retain"),
        // §3.1.2.6: without the Will Flag the bits of the Will QoS have no meaning.
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

/// Bytes that may be text.
pub(super) fn shown(bytes: &[u8]) -> String {
    let count = format!(
        "{} byte{}",
        bytes.len(),
        if bytes.len() == 1 { "" } else { "s" }
    );
    match std::str::from_utf8(bytes) {
        Ok("") => "empty".to_owned(),
        Ok(text) => format!("{count}: {}", quoted(text)),
        Err(_) => count,
    }
}

/// Bytes that should be text.
fn text(bytes: &[u8]) -> String {
    std::str::from_utf8(bytes).map_or_else(|_| "not UTF-8".to_owned(), quoted)
}

fn redacted(len: usize) -> String {
    format!("<redacted {len} bytes>")
}

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;

    const CONNECT: &str = "101e00044d51545405c2003c0000016100083f746f6b656e3d78000470617373";

    fn of(text: &str) -> Vec<Field> {
        of_packet(&hex::decode(text.as_bytes()).unwrap())
    }

    #[test]
    fn fields_lie_side_by_side_however_the_packet_is_cut_or_broken() {
        let bytes = hex::decode(CONNECT.as_bytes()).unwrap();
        for len in 0..=bytes.len() {
            // Break each byte in turn, in values that hit flags, lengths and identifiers.
            for at in 0..len {
                for byte in [0x00, 0x30, 0x7f, 0x82, 0xff] {
                    let mut bytes = bytes[..len].to_vec();
                    bytes[at] = byte;
                    let end = of_packet(&bytes).iter().fold(0, |end, field| {
                        assert_eq!(field.at, end);
                        end + field.len
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
            .filter(|field| field.secret > 0)
            .map(|field| (field.name, field.secret, field.meaning))
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
            .map(|field| (field.name, field.meaning))
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
