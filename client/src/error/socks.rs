//! `SocksReply`: reply by which a SOCKS5 proxy refuses a connection.

use std::fmt;

/// Reply by which a SOCKS5 proxy refuses a connection (RFC 1928, section 6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SocksReply {
    /// 0x01: the proxy itself failed.
    GeneralFailure,
    /// 0x02: the rules of the proxy forbid the connection.
    NotAllowed,
    /// 0x03: the proxy has no route to the network of the server.
    NetworkUnreachable,
    /// 0x04: the proxy can't resolve or reach the server.
    HostUnreachable,
    /// 0x05: the server refused the connection.
    ConnectionRefused,
    /// 0x06: the server is too many hops away.
    TtlExpired,
    /// 0x07: the proxy doesn't support the command CONNECT.
    CommandNotSupported,
    /// 0x08: the proxy doesn't support this type of address: host names, or IPv6.
    AddressTypeNotSupported,
}

impl SocksReply {
    /// Number of the reply.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::GeneralFailure => 0x01,
            Self::NotAllowed => 0x02,
            Self::NetworkUnreachable => 0x03,
            Self::HostUnreachable => 0x04,
            Self::ConnectionRefused => 0x05,
            Self::TtlExpired => 0x06,
            Self::CommandNotSupported => 0x07,
            Self::AddressTypeNotSupported => 0x08,
        }
    }
}

impl fmt::Display for SocksReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match self {
            Self::GeneralFailure => "general failure",
            Self::NotAllowed => "not allowed by its rules",
            Self::NetworkUnreachable => "network unreachable",
            Self::HostUnreachable => "host unreachable",
            Self::ConnectionRefused => "the server refused the connection",
            Self::TtlExpired => "TTL expired",
            Self::CommandNotSupported => "command not supported",
            Self::AddressTypeNotSupported => "address type not supported",
        };
        write!(f, "{words} (SOCKS reply 0x{:02x})", self.code())
    }
}
