//! Protocols that clients speak to a port of another one, recognised by their first bytes.

/// A protocol that isn't the one of the port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OtherProtocol {
    /// A TLS handshake where the bytes of MQTT are expected.
    #[error(
        "this is TLS, and this port speaks MQTT without TLS: use the port of mqtts://, or turn TLS off in the client"
    )]
    Tls,
    /// An HTTP request, of a WebSocket client too.
    #[error(
        "this is HTTP, and this port speaks MQTT: use mqtts://, or mqtt:// with the port of --plain; \
         there is no MQTT over WebSocket here"
    )]
    Http,
    /// An MQTT packet where a TLS handshake is expected.
    #[error(
        "this is MQTT without TLS, and this port needs TLS: use mqtts://, or start the sandbox with --plain \
         and use that port"
    )]
    PlainMqtt,
}

impl OtherProtocol {
    /// The protocol of the first bytes at a port of MQTT; `None` if they may be MQTT.
    pub(crate) fn instead_of_mqtt(bytes: &[u8]) -> Option<Self> {
        // TLS first: it is the usual mistake at a plain port.
        if is_tls(bytes) {
            Some(Self::Tls)
        } else if is_http(bytes) {
            Some(Self::Http)
        } else {
            None
        }
    }

    /// The protocol of the first bytes at a port of TLS; `None` if they may be TLS.
    pub(crate) fn instead_of_tls(bytes: &[u8]) -> Option<Self> {
        if is_http(bytes) {
            Some(Self::Http)
        } else if bytes.first() == Some(&CONNECT) {
            Some(Self::PlainMqtt)
        } else {
            None
        }
    }
}

/// A handshake record of TLS 1.0 to 1.3 (RFC 8446, 5.1). As MQTT it would be a CONNECT with wrong
/// flags.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 3, 0..=4, ..])
}

fn is_http(bytes: &[u8]) -> bool {
    METHODS.iter().any(|method| bytes.starts_with(method))
}

/// First byte of a CONNECT (§3.1.1).
const CONNECT: u8 = 0x10;
/// Beginnings of requests (RFC 9110, 9), and that of HTTP/2 (RFC 9113, 3.4).
const METHODS: [&[u8]; 9] = [
    b"GET ",
    b"POST ",
    b"PUT ",
    b"HEAD ",
    b"DELETE ",
    b"OPTIONS ",
    b"PATCH ",
    b"CONNECT ",
    b"PRI ",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_distinguished_by_their_first_bytes() {
        let client_hello = [22, 3, 1, 2, 0, 1];
        let http = b"GET / HTTP/1.1\r\n";
        let mqtt = b"\x10\x0d\x00\x04MQTT\x05";
        for (bytes, at_mqtt, at_tls) in [
            (&client_hello[..], Some(OtherProtocol::Tls), None),
            (http, Some(OtherProtocol::Http), Some(OtherProtocol::Http)),
            (mqtt, None, Some(OtherProtocol::PlainMqtt)),
            (b"", None, None),
            // Too short to tell.
            (b"GE", None, None),
        ] {
            assert_eq!(OtherProtocol::instead_of_mqtt(bytes), at_mqtt, "{bytes:?}");
            assert_eq!(OtherProtocol::instead_of_tls(bytes), at_tls, "{bytes:?}");
        }
    }
}
