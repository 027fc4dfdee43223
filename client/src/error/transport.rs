//! `TransportError`: cause of a transport that couldn't be opened, or that failed. Plain data: the
//! conversions from errors of sockets and of TLS are in `transport/`.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use dunlin_codec::Escaped;

use super::io_fault::IoFault;
use super::peer::PeerAddress;
use super::socks::SocksReply;
use super::tls::TlsError;
use super::websocket::WebSocketError;

/// Cause of a transport that couldn't be opened, or that failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The host has no address that could be tried.
    #[error("cannot resolve {}: {fault}", Escaped(host))]
    Resolve {
        /// Host name.
        host: String,
        /// Fault of the name.
        fault: ResolveFault,
    },
    /// The Unix domain socket can't be connected to.
    #[error("cannot connect to unix:{}: {fault}", Escaped(path.display()))]
    UnixSocket {
        /// Path of the socket.
        path: PathBuf,
        /// Fault: `NotFound` if there is no such file, `ConnectionRefused` if no program listens.
        fault: IoFault,
    },
    /// The local address can't be used, usually because this computer doesn't have it.
    #[error("cannot connect from the address {address}: {fault}")]
    LocalAddress {
        /// Local address as given.
        address: IpAddr,
        /// Fault of the address.
        fault: IoFault,
    },
    /// A host answered that nothing listens on this port. Other addresses may have failed otherwise.
    #[error("connection refused: {}", listed(attempts))]
    Refused {
        /// All addresses that were tried, each with its fault.
        attempts: Vec<FailedAttempt>,
    },
    /// No address could be reached, and none refused.
    #[error("cannot connect: {}", listed(attempts))]
    Unreachable {
        /// All addresses that were tried, each with its fault.
        attempts: Vec<FailedAttempt>,
    },
    /// The time for opening a connection was over.
    #[error("no connection after {after:?}: {stage} took too long")]
    TimedOut {
        /// Stage at which the time was over.
        stage: Stage,
        /// Timeout for all stages.
        after: Duration,
        /// Addresses that were being connected to: none while resolving, the server's during TLS, the
        /// proxy's during its answer.
        addresses: Vec<SocketAddr>,
    },
    /// The proxy opened no tunnel.
    #[error("the proxy {}: {error}", Escaped(proxy))]
    Proxy {
        /// URL of the proxy, without credentials.
        proxy: String,
        /// Cause of the failure.
        error: ProxyError,
    },
    /// TLS failed, during the handshake or by an alert later on.
    #[error("{error}")]
    Tls {
        /// Address of the server.
        peer: PeerAddress,
        /// Cause of the failure.
        error: TlsError,
    },
    /// The server opened no WebSocket connection, or ended it.
    #[error("{error}")]
    WebSocket {
        /// Address of the server; through a proxy, that of the proxy.
        peer: PeerAddress,
        /// Cause of the failure. Boxed, because it has several texts.
        error: Box<WebSocketError>,
    },
    /// The connection failed after it was open. [`UnexpectedEof`](std::io::ErrorKind::UnexpectedEof) if the server
    /// closed it.
    #[error("the connection failed: {0}")]
    Io(IoFault),
}

/// Stage of opening a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Resolving the host name.
    Resolve,
    /// Opening a TCP connection.
    Tcp,
    /// Opening a stream of the application.
    Stream,
    /// Connecting to a Unix domain socket.
    UnixSocket,
    /// Waiting for the answer of a proxy.
    Proxy,
    /// Running the TLS handshake.
    Tls,
    /// Waiting for the answer to the request for a WebSocket connection.
    WebSocket,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving the host",
            Self::Tcp => "the TCP connection",
            Self::Stream => "opening the application's stream",
            Self::UnixSocket => "the Unix domain socket",
            Self::Proxy => "the proxy's answer",
            Self::Tls => "the TLS handshake",
            Self::WebSocket => "the WebSocket handshake",
        })
    }
}

/// Fault of a host name that has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveFault {
    /// The name doesn't exist, or has no address.
    #[error("no such host")]
    NotFound,
    /// No name server answered: another attempt may succeed, when the network is up.
    #[error("temporary failure")]
    Temporary,
    /// The host has addresses, but none of the IP version that the options allow.
    #[error("no {0} address")]
    NoAddressOf(IpVersion),
    /// Any other fault.
    #[error("{}", Escaped(detail))]
    Other {
        /// Message of the operating system.
        detail: String,
    },
}

/// Version of the Internet Protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IpVersion {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl IpVersion {
    /// Version of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }
}

impl fmt::Display for IpVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        })
    }
}

/// Address that could not be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedAttempt {
    /// IP address and port.
    pub address: SocketAddr,
    /// Fault of the attempt.
    pub fault: IoFault,
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.fault)
    }
}

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

fn listed(attempts: &[FailedAttempt]) -> String {
    attempts
        .iter()
        .map(FailedAttempt::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn an_error_can_be_shared_among_tasks_and_kept() {
        fn is<T: Clone + Send + Sync + std::error::Error + 'static>() {}
        is::<TransportError>();
    }

    #[test]
    fn a_refusal_says_which_addresses_were_tried() {
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        let attempt = |address: &str| FailedAttempt {
            address: address.parse().unwrap(),
            fault: IoFault::from(&refused),
        };
        let error = TransportError::Refused {
            attempts: vec![attempt("127.0.0.1:1"), attempt("[::1]:1")],
        };

        assert_eq!(
            error.to_string(),
            "connection refused: 127.0.0.1:1 (connection refused), [::1]:1 (connection refused)"
        );
    }
}
