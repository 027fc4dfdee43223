//! Secrets in packets: where they are, and the packet with filler in their place.

use std::borrow::Cow;
use std::ops::Range;

use dunlin_codec::{FieldSpan, FixedHeader, PacketType, field_spans};

use super::older_version::OlderConnect;
use super::words;

/// Fields of a packet of MQTT 5, or of a CONNECT of MQTT 3.1 and 3.1.1.
pub(super) fn spans(packet: &[u8]) -> Vec<FieldSpan> {
    match OlderConnect::read(packet) {
        Some(connect) => connect.into_spans(),
        None => field_spans(packet),
    }
}

/// Number of secret bytes at the end of a field, whose bytes begin with the length of its content or
/// with the identifier of a property.
pub(super) fn secret_len(name: &str, bytes: &[u8]) -> usize {
    let content = bytes.get(2..).unwrap_or_default();
    match name {
        "password" => content.len(),
        // A custom authorizer's token may be in the query of the User Name.
        "username" => content.len() - before_query(content).len(),
        // §3.1.2.11.10: this may be a credential, unlike Correlation Data.
        "authentication_data" => bytes.len().saturating_sub(3),
        "user_property" => secret_value(bytes.get(1..).unwrap_or_default()),
        _ => 0,
    }
}

/// User Name up to the query that may hold a token.
pub(super) fn before_query(content: &[u8]) -> &[u8] {
    content
        .split(|byte| *byte == b'?')
        .next()
        .unwrap_or_default()
}

/// Length of the value of a User Property that is a credential by its name, or 0.
fn secret_value(pair: &[u8]) -> usize {
    let len = pair.get(..2).unwrap_or_default();
    let len = len
        .iter()
        .fold(0, |len, byte| len << 8 | usize::from(*byte));
    let name = pair.get(2..2 + len).unwrap_or_default();
    let value = pair.get(4 + len..).unwrap_or_default();
    if is_credential(name) { value.len() } else { 0 }
}

/// True for the name of a User Property whose value is a credential, as the codec's `Debug` decides.
pub(super) fn is_credential(name: &[u8]) -> bool {
    name.get(..CUSTOM_AUTHORIZER.len())
        .is_some_and(|prefix| prefix.eq_ignore_ascii_case(CUSTOM_AUTHORIZER))
}

/// Names of User Properties that carry credentials of an AWS custom authorizer begin with this.
const CUSTOM_AUTHORIZER: &[u8] = b"x-amz-customauthorizer-";

/// True for the packets with passwords and authentication data: what can't be read of them may be
/// one.
pub(crate) fn may_hold_secrets(packet_type: PacketType) -> bool {
    matches!(
        packet_type,
        PacketType::Connect | PacketType::ConnAck | PacketType::Auth
    )
}

/// True if the packet is of such a type; false if its type can't be read.
pub(super) fn packet_may_hold_secrets(packet: &[u8]) -> bool {
    words::packet_type(packet).is_some_and(may_hold_secrets)
}

/// Ranges of a packet that are secret. What can't be read of a packet that may hold secrets is one.
pub(crate) fn ranges(packet: &[u8]) -> Vec<Range<usize>> {
    let spans = spans(packet);
    let mut ranges: Vec<Range<usize>> = spans
        .iter()
        .filter_map(|span| {
            let bytes = packet.get(span.start..span.end)?;
            let len = secret_len(span.field, bytes);
            (len > 0).then(|| span.end - len..span.end)
        })
        .collect();
    let end = spans.last().map_or(0, |span| span.end);
    if end < packet.len() && packet_may_hold_secrets(packet) {
        ranges.push(end..packet.len());
    }
    ranges
}

/// The packet with [`FILLER`] in place of each secret byte. Bytes that no packet begins with are
/// replaced as a whole, because they may be credentials of another protocol.
pub(crate) fn without_secrets(packet: &[u8]) -> Cow<'_, [u8]> {
    let Ok(Some(_)) = FixedHeader::peek(packet, u32::MAX) else {
        return Cow::Owned(vec![FILLER; packet.len()]);
    };
    let ranges = ranges(packet);
    if ranges.is_empty() {
        return Cow::Borrowed(packet);
    }
    let mut copy = packet.to_vec();
    for range in ranges {
        if let Some(secret) = copy.get_mut(range) {
            secret.fill(FILLER);
        }
    }
    Cow::Owned(copy)
}

/// Byte that stands in place of each byte of a secret.
pub(crate) const FILLER: u8 = b'*';

#[cfg(test)]
mod tests {
    use dunlin_codec::{BinaryData, Connect, Packet, Repeated, UserProperty, Utf8String};

    use super::*;

    fn encoded(packet: &Packet<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        packet.encode(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn filler_of_the_same_length_stands_in_place_of_each_secret() {
        let properties = [
            UserProperty::new("X-Amz-CustomAuthorizer-Signature", "canary-1").unwrap(),
            UserProperty::new("colour", "red").unwrap(),
        ];
        let mut connect = Connect {
            client_id: Utf8String::new("c").unwrap(),
            username: Some(Utf8String::new("me?token=canary-2").unwrap()),
            password: Some(BinaryData::new(b"canary-3").unwrap()),
            ..Connect::default()
        };
        connect.properties.user_properties = Repeated::from(&properties[..]);
        connect.properties.authentication_method = Some(Utf8String::new("m").unwrap());
        connect.properties.authentication_data = Some(BinaryData::new(b"canary-4").unwrap());
        let bytes = encoded(&Packet::from(&connect));
        let redacted = without_secrets(&bytes);
        assert_eq!(redacted.len(), bytes.len());
        assert!(!String::from_utf8_lossy(&redacted).contains("canary"));
        // What is left is the same packet with other values.
        let (packet, _) = Packet::decode(&redacted).unwrap().unwrap();
        let Packet::Connect(connect) = packet else {
            panic!("{packet}")
        };
        let connect = connect.read();
        assert_eq!(&*connect.username.unwrap(), "me***************");
        let colour = connect.properties.user_properties.iter().nth(1).unwrap();
        assert_eq!(colour, properties[1]);
    }

    #[test]
    fn what_is_no_packet_is_replaced_as_a_whole() {
        assert_eq!(&*without_secrets(b"\x00Bearer"), b"*******");
        assert_eq!(&*without_secrets(b"\xc0\x00"), b"\xc0\x00");
    }
}
