//! Why a connection didn't open or didn't last.

use dunlin_codec::Escaped;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use super::proxy::ProxyError;
use super::tls::TlsError;

/// Why a connection didn't open or didn't last.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// The host has no address that could be tried.
    #[error("cannot resolve {}: {fault}", Escaped(host))]
    Resolve {
        /// The host name.
        host: String,
        /// Why.
        fault: ResolveFault,
    },
    /// A host answered that nobody listens on this port. Other addresses may have failed otherwise.
    #[error("connection refused: {}", listed(attempts))]
    Refused {
        /// Every address that was tried.
        attempts: Vec<FailedAttempt>,
    },
    /// No address could be reached, and none refused.
    #[error("cannot connect: {}", listed(attempts))]
    Unreachable {
        /// Every address that was tried.
        attempts: Vec<FailedAttempt>,
    },
    /// The time for opening a connection ran out.
    #[error("no connection after {after:?}: {stage} took too long")]
    TimedOut {
        /// What was going on.
        stage: Stage,
        /// The time for all stages.
        after: Duration,
        /// The addresses in question: none while resolving, the peer's during TLS, the proxy's
        /// during its answer.
        addresses: Vec<SocketAddr>,
    },
    /// There is no tunnel through the proxy.
    #[error("the proxy {}: {error}", Escaped(proxy))]
    Proxy {
        /// The proxy's URL, without credentials.
        proxy: String,
        /// Why.
        error: ProxyError,
    },
    /// TLS failed, on opening or by an alert later on.
    #[error("{error}")]
    Tls {
        /// The server's address.
        peer: SocketAddr,
        /// Why.
        error: TlsError,
    },
    /// The connection failed after it was open. [`io::ErrorKind::UnexpectedEof`] if the server
    /// closed it without a word.
    #[error("the connection failed: {0}")]
    Io(IoFault),
}

impl TransportError {
    /// What an error of reading or writing says about an open connection. A server's TLS alert may
    /// well come here: under TLS 1.3 it judges the client certificate when the client believes
    /// that the handshake is done.
    pub fn from_io(error: &io::Error, peer: SocketAddr) -> Self {
        match TlsError::from_io(error) {
            Some(error) => Self::Tls { peer, error },
            None => Self::Io(IoFault::from(error)),
        }
    }
}

/// What a connection was waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// The host's addresses.
    Resolve,
    /// A TCP connection.
    Tcp,
    /// A proxy's answer.
    Proxy,
    /// The TLS handshake.
    Tls,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolving the host",
            Self::Tcp => "the TCP connection",
            Self::Proxy => "the proxy's answer",
            Self::Tls => "the TLS handshake",
        })
    }
}

/// Why a name has no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveFault {
    /// There is no such name, or it has no address.
    #[error("no such host")]
    NotFound,
    /// No name server answered: it may be better later, or when the network is up.
    #[error("temporary failure")]
    Temporary,
    /// In the system's words.
    #[error("{}", Escaped(detail))]
    Other {
        /// What the system said.
        detail: String,
    },
}

/// An address that could not be connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailedAttempt {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub fault: IoFault,
}

impl fmt::Display for FailedAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.address, self.fault)
    }
}

/// The part of an [`io::Error`] that can be copied and compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IoFault {
    /// What kind it is.
    pub kind: io::ErrorKind,
    /// The system's number, if the system reported it.
    pub os_code: Option<i32>,
}

impl From<&io::Error> for IoFault {
    fn from(error: &io::Error) -> Self {
        Self {
            kind: error.kind(),
            os_code: error.raw_os_error(),
        }
    }
}

impl fmt::Display for IoFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.os_code {
            Some(code) => io::Error::from_raw_os_error(code).fmt(f),
            None => self.kind.fmt(f),
        }
    }
}

impl std::error::Error for IoFault {}

fn listed(attempts: &[FailedAttempt]) -> String {
    attempts
        .iter()
        .map(FailedAttempt::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn what_is_no_alert_is_a_matter_of_the_socket() {
        let peer = "127.0.0.1:1".parse().unwrap();
        let eof = io::Error::new(io::ErrorKind::UnexpectedEof, "eof");

        let error = TransportError::from_io(&eof, peer);

        assert_eq!(
            error,
            TransportError::Io(IoFault {
                kind: io::ErrorKind::UnexpectedEof,
                os_code: None
            })
        );
    }
}
