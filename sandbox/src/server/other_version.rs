//! CONNECT of another version of MQTT, and an answer that its sender can read.

use core::fmt;

/// Facts about a CONNECT that isn't of MQTT 5.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OtherVersion {
    /// Protocol level: 3 is MQTT 3.1, 4 is MQTT 3.1.1; mosquitto's bridges add 0x80.
    level: u8,
    /// Protocol name; `None` if it is one that MQTT has or had.
    name: Option<String>,
    /// Client id; `None` if the packet ends before it, or it isn't text.
    client_id: Option<String>,
}

impl OtherVersion {
    /// Reads a CONNECT as far as its client id, which stands at the same place in versions 3 and 4.
    ///
    /// `None` if `packet` has no protocol level.
    pub(crate) fn read(packet: &[u8]) -> Option<Self> {
        let (_, rest) = packet.split_first()?;
        // The Remaining Length: at most three bytes that say that another one follows.
        let length_len = 1 + rest
            .iter()
            .take(3)
            .take_while(|byte| **byte & 0x80 != 0)
            .count();
        let (name, rest) = read_text(rest.get(length_len..)?)?;
        let (&level, rest) = rest.split_first()?;
        // After the flags and the keep alive.
        let client_id = || {
            core::str::from_utf8(read_text(rest.get(3..)?)?.0)
                .ok()
                .map(Into::into)
        };
        // Of an unknown version not even the place of the client id is known.
        let client_id = if Self::is_known(level) {
            client_id()
        } else {
            None
        };
        let name = (!NAMES.contains(&name)).then(|| {
            let name = String::from_utf8_lossy(name);
            name.chars().take(MAX_NAME).collect()
        });
        Some(Self {
            level,
            name,
            client_id,
        })
    }

    /// CONNACK in the form of MQTT 3 for a client of MQTT 3 (unacceptable protocol version), else in
    /// that of MQTT 5 (0x84, unsupported protocol version). [MQTT-3.1.2-2]
    pub(crate) const fn connack(&self) -> &'static [u8] {
        if Self::is_known(self.level) {
            &[0x20, 0x02, 0x00, 0x01]
        } else {
            &[0x20, 0x03, 0x00, 0x84, 0x00]
        }
    }

    const fn is_known(level: u8) -> bool {
        matches!(level & !BRIDGE, 3 | 4)
    }
}

impl fmt::Display for OtherVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A wrong name comes first: then the level means nothing.
        if let Some(name) = &self.name {
            return write!(f, "protocol name {name:?}; that of MQTT 5 is \"MQTT\"");
        }
        match self.level & !BRIDGE {
            // MQTT 3.1's name with a level of its successors: neither of them.
            5 => return f.write_str("protocol name \"MQIsdp\"; that of MQTT 5 is \"MQTT\""),
            3 if Self::is_known(self.level) => f.write_str("MQTT 3.1")?,
            4 => f.write_str("MQTT 3.1.1")?,
            _ => {
                return write!(
                    f,
                    "protocol level {}; this server speaks MQTT 5 only",
                    self.level
                );
            }
        }
        f.write_str(
            "; this server speaks MQTT 5 only (AWS IoT takes both): mosquitto_pub needs -V mqttv5",
        )?;
        match &self.client_id {
            Some(client_id) => write!(f, "; client id {client_id:?}"),
            None => Ok(()),
        }
    }
}

/// String with its length before it, and the bytes after it.
fn read_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_at_checked(2)?;
    let length = u16::from_be_bytes(length.try_into().ok()?);
    rest.split_at_checked(length.into())
}

const BRIDGE: u8 = 0x80;
/// Names of MQTT 5 and 3.1.1, and of MQTT 3.1.
const NAMES: [&[u8]; 2] = [b"MQTT", b"MQIsdp"];
/// Characters of another name that are shown.
const MAX_NAME: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_is_answered_in_its_own_form() {
        const OLD: &[u8] = &[0x20, 0x02, 0x00, 0x01];
        const NEW: &[u8] = &[0x20, 0x03, 0x00, 0x84, 0x00];
        // MQTT 3.1.1 and 3.1, each also from a bridge; a level of the future; another name.
        for (packet, connack, text) in [
            (
                &b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"[..],
                OLD,
                "MQTT 3.1.1; ",
            ),
            (
                b"\x10\x0d\x00\x04MQTT\x84\x02\x00\x3c\x00\x01a",
                OLD,
                "MQTT 3.1.1; ",
            ),
            (
                b"\x10\x0f\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x01a",
                OLD,
                "MQTT 3.1; ",
            ),
            (
                b"\x10\x0f\x00\x06MQIsdp\x83\x02\x00\x3c\x00\x01a",
                OLD,
                "MQTT 3.1; ",
            ),
            (
                b"\x10\x0d\x00\x04MQTT\x06\x02\x00\x3c\x00\x01a",
                NEW,
                "protocol level 6; ",
            ),
            (
                b"\x10\x0d\x00\x04MQTX\x05\x02\x00\x3c\x00\x01a",
                NEW,
                "protocol name \"MQTX\"; that of MQTT 5 is \"MQTT\"",
            ),
            (
                b"\x10\x0f\x00\x06MQIsdp\x05\x02\x00\x3c\x00\x01a",
                NEW,
                "protocol name \"MQIsdp\"; that of MQTT 5 is \"MQTT\"",
            ),
        ] {
            let other = OtherVersion::read(packet).unwrap();
            let shown = other.to_string();
            assert_eq!(other.connack(), connack, "{shown}");
            assert!(shown.starts_with(text), "{shown}");
            assert_eq!(
                shown.ends_with("client id \"a\""),
                connack == OLD,
                "{shown}"
            );
        }
    }

    #[test]
    fn a_packet_that_ends_early_has_no_client_id() {
        // Cut at every byte: nothing is read beyond the end.
        let whole = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a";
        for end in 0..whole.len() {
            let other = OtherVersion::read(&whole[..end]);
            assert!(other.is_none_or(|other| other.client_id.is_none()));
        }
    }
}
