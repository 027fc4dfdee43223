//! `OlderConnect`: the CONNECT of MQTT 3.1 and 3.1.1, which the codec doesn't read.

use dunlin_codec::{FieldSpan, FixedHeader};

/// CONNECT of MQTT 3.1 (protocol level 3) or 3.1.1 (level 4), with the bytes of its fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OlderConnect<'a> {
    /// Protocol level: 3 or 4.
    level: u8,
    flags: u8,
    /// Bytes from the protocol name up to the Will, which `with_credentials` keeps.
    before_credentials: &'a [u8],
    /// Offset of the protocol name, after the fixed header.
    start: usize,
    /// Client Identifier.
    client_id: &'a [u8],
    username: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    /// All fields, from the fixed header on.
    spans: Vec<FieldSpan>,
}

impl<'a> OlderConnect<'a> {
    /// Reads the packet at the front of `bytes`; `None` if it is no whole CONNECT of these versions.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = FixedHeader::peek(bytes, u32::MAX).ok().flatten()?;
        let packet = bytes.get(..header.packet_len())?;
        if packet.first() != Some(&CONNECT) {
            return None;
        }
        let remaining = usize::try_from(header.remaining_length).ok()?;
        let start = packet.len() - remaining;
        let mut fields = Fields {
            packet,
            at: 0,
            spans: Vec::new(),
        };
        fields.take("packet_type", 1)?;
        fields.take("remaining_length", start - 1)?;

        // The name and the level belong together (MQTT 3.1.1, section 3.1.2).
        let name = fields.text("protocol_name")?;
        let level = *fields.take("protocol_version", 1)?.first()?;
        if !matches!((name, level), (b"MQTT", 4) | (b"MQIsdp", 3)) {
            return None;
        }
        let flags = *fields.take("connect_flags", 1)?.first()?;
        fields.take("keep_alive", 2)?;

        // The payload: each field but the first is there if its flag is set.
        let client_id = fields.text("client_id")?;
        if flags & WILL != 0 {
            fields.text("will_topic")?;
            fields.text("will_payload")?;
        }
        let before_credentials = packet.get(start..fields.at)?;
        let mut credential = |flag, field| match flags & flag {
            0 => Some(None),
            _ => fields.text(field).map(Some),
        };
        let username = credential(USERNAME, "username")?;
        let password = credential(PASSWORD, "password")?;
        Some(Self {
            level,
            flags,
            before_credentials,
            start,
            client_id,
            username,
            password,
            spans: fields.spans,
        })
    }

    /// Name of the version.
    pub(crate) const fn version(&self) -> &'static str {
        match self.level {
            3 => "MQTT 3.1",
            _ => "MQTT 3.1.1",
        }
    }

    /// User Name; `None` if there is none, or it is no UTF-8.
    pub(crate) fn username(&self) -> Option<&'a str> {
        str::from_utf8(self.username?).ok()
    }

    pub(crate) fn password(&self) -> Option<&'a [u8]> {
        self.password
    }

    /// Client Identifier; invalid UTF-8 is replaced.
    pub(crate) fn client_id(&self) -> String {
        String::from_utf8_lossy(self.client_id).into_owned()
    }

    /// Fields of the packet, from the fixed header on.
    pub(crate) fn into_spans(self) -> Vec<FieldSpan> {
        self.spans
    }

    /// The same packet with another user name and password; `None` if it would be too large.
    pub(crate) fn with_credentials(
        &self,
        username: Option<&str>,
        password: Option<&[u8]>,
    ) -> Option<Vec<u8>> {
        // The flags stand after the protocol name and the level.
        let mut body = self.before_credentials.to_vec();
        let flags_at = self
            .spans
            .iter()
            .find(|span| span.field == "connect_flags")?;
        let flags = body.get_mut(flags_at.start - self.start)?;
        *flags = self.flags & !(USERNAME | PASSWORD);
        // Without a user name there is no password in these versions. [MQTT-3.1.2-22] of 3.1.1
        let password = password.filter(|_| username.is_some());
        *flags |= if username.is_some() { USERNAME } else { 0 };
        *flags |= if password.is_some() { PASSWORD } else { 0 };

        let credentials = [username.map(str::as_bytes), password];
        for value in credentials.into_iter().flatten() {
            body.extend(u16::try_from(value.len()).ok()?.to_be_bytes());
            body.extend(value);
        }
        let mut packet = vec![CONNECT];
        packet.extend(remaining_length(body.len()));
        packet.extend(body);
        Some(packet)
    }
}

/// Reader of the fields of a packet.
struct Fields<'a> {
    packet: &'a [u8],
    /// Offset of the next field.
    at: usize,
    spans: Vec<FieldSpan>,
}

impl<'a> Fields<'a> {
    /// Takes a field of `len` bytes; `None` if the packet ends before that.
    fn take(&mut self, field: &'static str, len: usize) -> Option<&'a [u8]> {
        let end = self.at.checked_add(len)?;
        let bytes = self.packet.get(self.at..end)?;
        self.spans.push(FieldSpan {
            field,
            start: self.at,
            end,
        });
        self.at = end;
        Some(bytes)
    }

    /// Takes text or binary data, which has two bytes of length before it, and returns its content.
    fn text(&mut self, field: &'static str) -> Option<&'a [u8]> {
        let len = self.packet.get(self.at..self.at.checked_add(2)?)?;
        let len = len
            .iter()
            .fold(0, |len, byte| len << 8 | usize::from(*byte));
        self.take(field, 2 + len)?.get(2..)
    }
}

/// Remaining Length as a Variable Byte Integer.
fn remaining_length(mut len: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(len & 0x7f).unwrap_or_default();
        len >>= 7;
        if len == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

/// First byte of CONNECT.
const CONNECT: u8 = 0x10;
/// Flags of CONNECT (MQTT 3.1.1, section 3.1.2.3).
const WILL: u8 = 0x04;
const PASSWORD: u8 = 0x40;
const USERNAME: u8 = 0x80;

#[cfg(test)]
mod tests {
    use super::super::hex;
    use super::*;

    /// Client Identifier "c", Will "w" of "x", user name "u", password "p".
    const WITH_ALL: &str = "101900044d51545404c6003c0001630001770001780001750001 70";

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text.replace(' ', "").as_bytes()).unwrap()
    }

    #[test]
    fn the_fields_of_both_versions_are_found() {
        let packet = bytes(WITH_ALL);
        let connect = OlderConnect::read(&packet).unwrap();
        assert_eq!(connect.version(), "MQTT 3.1.1");
        assert_eq!(connect.client_id(), "c");
        let spans = connect.into_spans();
        let names: Vec<_> = spans.iter().map(|span| span.field).collect();
        assert_eq!(
            names[4..],
            [
                "connect_flags",
                "keep_alive",
                "client_id",
                "will_topic",
                "will_payload",
                "username",
                "password"
            ]
        );
        assert_eq!(spans.last().unwrap().end, packet.len());

        let packet = bytes("101000064d51497364700302003c000263 63");
        assert_eq!(OlderConnect::read(&packet).unwrap().version(), "MQTT 3.1");
    }

    #[test]
    fn other_credentials_replace_those_of_the_packet() {
        let packet = bytes(WITH_ALL);
        let connect = OlderConnect::read(&packet).unwrap();
        let changed = connect.with_credentials(Some("me?q"), Some(b"secret"));
        let changed = changed.unwrap();
        assert_eq!(
            changed,
            bytes("102100044d51545404c6003c000163000177000178 00046d653f71 0006736563726574")
        );
        let without = OlderConnect::read(&changed).unwrap();
        let without = without.with_credentials(None, Some(b"alone")).unwrap();
        assert_eq!(without, bytes("101300044d5154540406003c000163000177000178"));
    }

    #[test]
    fn a_cut_or_newer_packet_is_refused() {
        let packet = bytes(WITH_ALL);
        for len in 0..packet.len() {
            assert_eq!(OlderConnect::read(&packet[..len]), None);
        }
        let newer = bytes("100d00044d515454050200000000 00");
        assert_eq!(OlderConnect::read(&newer), None);
    }
}
