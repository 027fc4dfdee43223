//! Protocols of the ports.

/// Protocol that a client speaks after the handshake, or at once without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Mqtt,
    /// HTTP/1.1, and WebSocket after an upgrade.
    Http,
}

impl Protocol {
    /// Name of the protocol in ALPN.
    pub(crate) const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Mqtt => b"mqtt",
            Self::Http => b"http/1.1",
        }
    }
}
