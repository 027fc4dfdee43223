//! Protocols that clients speak to a port of another one, recognised by their first bytes.

use crate::net::protocol::Protocol;

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
         for MQTT over WebSocket start the sandbox with --wss or --ws and use that port"
    )]
    Http,
    /// An HTTP request where a TLS handshake is expected, at a port of WebSocket.
    #[error(
        "this is HTTP without TLS, and this port needs TLS: use wss:// or https://, or start the sandbox with \
         --ws and use that port"
    )]
    PlainHttp,
    /// An MQTT packet where a TLS handshake is expected.
    #[error(
        "this is MQTT without TLS, and this port needs TLS: use mqtts://, or start the sandbox with --plain \
         and use that port"
    )]
    PlainMqtt,
    /// A TLS handshake where an HTTP request is expected.
    #[error(
        "this is TLS, and this port speaks WebSocket and HTTP without TLS: use the port of wss://, or ws:// for \
         this one"
    )]
    TlsAtHttp,
    /// An MQTT packet where an HTTP request is expected.
    #[error(
        "this is MQTT without WebSocket, and this port speaks WebSocket: use ws:// or wss://, or the port of \
         mqtts://"
    )]
    MqttAtHttp,
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

    /// The protocol of the first bytes at a port of HTTP; `None` if they may be HTTP.
    pub(crate) fn instead_of_http(bytes: &[u8]) -> Option<Self> {
        if is_tls(bytes) {
            Some(Self::TlsAtHttp)
        } else if bytes.first() == Some(&CONNECT) {
            Some(Self::MqttAtHttp)
        } else {
            None
        }
    }

    /// The protocol of the first bytes at a port with TLS before `protocol`; `None` if they may be
    /// TLS.
    pub(crate) fn instead_of_tls(bytes: &[u8], protocol: Protocol) -> Option<Self> {
        if is_http(bytes) {
            Some(match protocol {
                Protocol::Mqtt => Self::Http,
                Protocol::Http => Self::PlainHttp,
            })
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
        use OtherProtocol::{Http, MqttAtHttp, PlainHttp, PlainMqtt, Tls, TlsAtHttp};
        for (bytes, at_mqtt, at_mqtts, at_http, at_https) in [
            (&client_hello[..], Some(Tls), None, Some(TlsAtHttp), None),
            (http, Some(Http), Some(Http), None, Some(PlainHttp)),
            (
                mqtt,
                None,
                Some(PlainMqtt),
                Some(MqttAtHttp),
                Some(PlainMqtt),
            ),
            (b"", None, None, None, None),
            // Too short to tell.
            (b"GE", None, None, None, None),
        ] {
            let at_tls = |protocol| OtherProtocol::instead_of_tls(bytes, protocol);
            assert_eq!(OtherProtocol::instead_of_mqtt(bytes), at_mqtt, "{bytes:?}");
            assert_eq!(at_tls(Protocol::Mqtt), at_mqtts, "{bytes:?}");
            assert_eq!(OtherProtocol::instead_of_http(bytes), at_http, "{bytes:?}");
            assert_eq!(at_tls(Protocol::Http), at_https, "{bytes:?}");
        }
    }
}
