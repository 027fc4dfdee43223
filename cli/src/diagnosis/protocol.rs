//! Diagnoses of servers that don't speak MQTT 5: other protocols, recognised by their first bytes,
//! and violations of the standard.

use dunlin_client::Violation;

use crate::diagnosis::context::RunContext;
use crate::diagnosis::received::SHOWN;
use crate::diagnosis::text::shell;
use crate::diagnosis::{Diagnosis, Id, Try};

/// Protocol of a server, other than MQTT 5.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Foreign {
    /// CONNACK of MQTT 3.1.1, with its return code.
    Mqtt3 {
        return_code: u8,
    },
    Http,
    Tls,
    Ssh,
    Amqp,
}

impl Foreign {
    /// Recognises a protocol by its first bytes; `None` for all others.
    pub(crate) fn recognise(bytes: &[u8]) -> Option<Self> {
        match bytes {
            // MQTT 5 has at least three bytes after the fixed header of a CONNACK.
            [0x20, 0x02, 0x00 | 0x01, return_code, ..] => Some(Self::Mqtt3 {
                return_code: *return_code,
            }),
            // TLS records of an alert or a handshake: type, then version 3.x (RFC 8446 section
            // 5.1).
            [0x15 | 0x16, 0x03, 0x00..=0x04, ..] => Some(Self::Tls),
            [b'H', b'T', b'T', b'P', ..] => Some(Self::Http),
            [b'S', b'S', b'H', b'-', ..] => Some(Self::Ssh),
            [b'A', b'M', b'Q', b'P', ..] => Some(Self::Amqp),
            _ => None,
        }
    }

    fn headline(self) -> &'static str {
        match self {
            Self::Mqtt3 { .. } => "this server speaks MQTT 3.1.1 only; this program speaks MQTT 5",
            Self::Http => "a web server answers on this port, not an MQTT server",
            Self::Tls => "this port speaks TLS, and the connection was made without it",
            Self::Ssh => "an SSH server answers on this port, not an MQTT server",
            Self::Amqp => "an AMQP server answers on this port, not an MQTT server",
        }
    }

    fn likely(self) -> &'static str {
        match self {
            Self::Mqtt3 { return_code: 0x01 } => "it refused the protocol version (return code 1)",
            Self::Mqtt3 { return_code: 0x00 } => {
                "it took CONNECT for one of MQTT 3.1.1 and accepted it"
            }
            Self::Mqtt3 { .. } => "it took CONNECT for one of MQTT 3.1.1 and refused it",
            Self::Http => {
                "the port is that of MQTT over WebSocket, or of a website, an API or a proxy"
            }
            Self::Tls => "the port is that of MQTT over TLS (usually 8883), or of HTTPS",
            Self::Ssh | Self::Amqp => "the port belongs to another service",
        }
    }

    fn advice(self, context: &RunContext) -> Try {
        match self {
            Self::Mqtt3 { .. } => Try::advice("a server, or a version of it, that supports MQTT 5"),
            Self::Tls => with_tls(context),
            _ if context.is_aws => {
                Try::advice("drop --port: AWS IoT takes custom authorizers at 443")
            }
            Self::Http if !context.choices.is_websocket => over_websocket(context),
            _ => Try::advice("another --port: MQTT is usually at 1883, with TLS at 8883"),
        }
    }

    /// Diagnosis with the received bytes as evidence.
    pub(crate) fn diagnosis(self, id: Id, context: &RunContext, bytes: &[u8]) -> Diagnosis {
        Diagnosis {
            saw: Some(format!("received: {}", shown(bytes))),
            likely: vec![self.likely().into()],
            try_: vec![self.advice(context)],
            ..Diagnosis::new(id, self.headline())
        }
    }
}

/// Proposal to connect to the same port with TLS.
pub(super) fn with_tls(context: &RunContext) -> Try {
    Try::paste(format!("--endpoint mqtts://{}", shell(&context.address())))
}

/// Proposal to connect to the same port over WebSocket, with the default path.
pub(super) fn over_websocket(context: &RunContext) -> Try {
    let scheme = if context.choices.is_tls { "wss" } else { "ws" };
    Try::paste(format!(
        "--endpoint {scheme}://{}",
        shell(&context.address())
    ))
}

/// Diagnosis of a violation of MQTT 5; `bytes` are the start of the packet, or empty if unknown.
pub(crate) fn broken(context: &RunContext, violation: &Violation, bytes: &[u8]) -> Diagnosis {
    // Another protocol is no violation of MQTT.
    if let Some(foreign) = Foreign::recognise(bytes) {
        return foreign.diagnosis(Id::Protocol, context, bytes);
    }
    // The statement of the standard helps the operator of the server most.
    let likely = match violation {
        Violation::Packet(error) => match error.statement {
            Some(statement) => {
                format!("a bug of the server: it breaks {statement} of the MQTT 5 standard")
            }
            None => "a bug of the server, or the port speaks something else than MQTT 5".into(),
        },
        _ => "a bug of the server".into(),
    };
    Diagnosis {
        saw: (!bytes.is_empty()).then(|| format!("received: {}", shown(bytes))),
        likely: vec![likely, "something in between changes what passes".into()],
        try_: vec![Try::advice(
            "tell the operator of the server, with the lines above",
        )],
        ..Diagnosis::new(
            Id::Protocol,
            format!("the server broke the protocol: {violation}"),
        )
    }
}

/// `48 54 54 50 ("HTTP")`: the first bytes in hex, and as text if at least four are printable.
fn shown(bytes: &[u8]) -> String {
    let start = bytes.get(..SHOWN).unwrap_or(bytes);
    let hex: Vec<String> = start.iter().map(|byte| format!("{byte:02x}")).collect();
    let more = if bytes.len() >= SHOWN { " .." } else { "" };
    let printable: String = start
        .iter()
        .take_while(|byte| matches!(byte, 0x20..=0x7e))
        .map(|byte| char::from(*byte))
        .collect();
    // Fewer printable bytes are more likely to be binary data.
    let text = if printable.len() >= 4 {
        format!(" (\"{printable}\")")
    } else {
        String::new()
    };
    format!("{}{more}{text}", hex.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_protocols_are_known_by_their_first_bytes() {
        for (bytes, foreign) in [
            (
                &[0x20, 0x02, 0x00, 0x01][..],
                Some(Foreign::Mqtt3 { return_code: 1 }),
            ),
            (
                &[0x20, 0x02, 0x00, 0x05],
                Some(Foreign::Mqtt3 { return_code: 5 }),
            ),
            (
                &[0x20, 0x02, 0x00, 0x00],
                Some(Foreign::Mqtt3 { return_code: 0 }),
            ),
            (b"HTTP/1.1 400 Bad Request\r\n", Some(Foreign::Http)),
            (&[0x15, 0x03, 0x03, 0x00, 0x02], Some(Foreign::Tls)),
            (&[0x16, 0x03, 0x01, 0x02], Some(Foreign::Tls)),
            (b"SSH-2.0-OpenSSH_9.6\r\n", Some(Foreign::Ssh)),
            (&[0x20, 0x03, 0x00, 0x00, 0x00], None),
            (&[], None),
        ] {
            assert_eq!(Foreign::recognise(bytes), foreign, "{bytes:02x?}");
        }
    }

    #[test]
    fn bytes_are_shown_in_hex_and_as_text_where_they_are() {
        assert_eq!(shown(&[0x20, 0x02, 0x00, 0x01]), "20 02 00 01");
        assert_eq!(
            shown(b"SSH-2.0\r\n"),
            "53 53 48 2d 32 2e 30 0d 0a (\"SSH-2.0\")"
        );
    }
}
