//! `ProxyError`: cause of a proxy that opened no tunnel.

use std::fmt;

use dunlin_codec::Escaped;

use super::io_fault::IoFault;
use super::tls::TlsError;
use super::transport::TransportError;

/// Cause of a proxy that opened no tunnel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// The proxy itself can't be reached.
    #[error("{0}")]
    Unreachable(Box<TransportError>),
    /// The TLS handshake with the proxy failed.
    #[error("{0}")]
    Tls(Box<TlsError>),
    /// An HTTP proxy refused the tunnel.
    #[error("it refused the tunnel: {status} {}", Escaped(reason))]
    Refused {
        /// HTTP status code: 407 asks for credentials, 403 forbids the target, 502 and 504 couldn't reach
        /// it.
        status: u16,
        /// Reason phrase, cut after 100 characters, and escaped ([`Escaped`]).
        reason: String,
    },
    /// A SOCKS5 proxy refused the connection.
    #[error("it refused the connection: {0}")]
    Socks(SocksReply),
    /// A SOCKS5 proxy accepts neither a client without credentials nor, if there are any, user name
    /// and password.
    #[error("it accepts none of the offered authentication methods")]
    NoAuthenticationMethod,
    /// A SOCKS5 proxy refused user name and password (RFC 1929).
    #[error("it refused user name and password")]
    CredentialsRefused,
    /// User name and password for a SOCKS5 proxy must have 1 to 255 bytes each (RFC 1929); nothing
    /// was sent.
    #[error("user name and password for SOCKS5 have 1 to 255 bytes each")]
    CredentialsLength,
    /// A host name for a SOCKS5 proxy has at most 255 bytes (RFC 1928, section 5); nothing was sent.
    #[error("a host name for SOCKS5 has at most 255 bytes")]
    HostLength,
    /// The proxy closed the connection without an answer.
    #[error("it closed the connection without an answer")]
    Closed,
    /// The answer isn't HTTP/1, is longer than 8 KiB, or has more bytes where the server should send
    /// nothing before the client.
    #[error("its answer isn't that of an HTTP proxy")]
    NotHttp,
    /// The answer isn't that of a SOCKS5 proxy.
    #[error("its answer isn't that of a SOCKS5 proxy")]
    NotSocks,
    /// The connection to the proxy failed.
    #[error("{0}")]
    Io(IoFault),
}

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
