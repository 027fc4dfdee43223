//! `PeerAddress`: address that a connection is made to.

use std::fmt;
use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use dunlin_codec::Escaped;

/// Address that a connection is made to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum PeerAddress {
    /// IP address and port: the server's, or through a proxy, the proxy's.
    Ip(SocketAddr),
    /// Path of a Unix domain socket.
    Unix(PathBuf),
    /// Stream of the application, which has no address.
    Own,
}

impl PeerAddress {
    /// IP address and port; `None` for a Unix domain socket and for a stream of the application.
    #[must_use]
    pub const fn socket_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Ip(address) => Some(*address),
            Self::Unix(_) | Self::Own => None,
        }
    }
}

impl From<SocketAddr> for PeerAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Ip(address)
    }
}

/// `127.0.0.1:1883` or `unix:/run/mqtt.sock`.
impl FromStr for PeerAddress {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, AddrParseError> {
        match text.strip_prefix("unix:") {
            Some(path) => Ok(Self::Unix(path.into())),
            None => text.parse().map(Self::Ip),
        }
    }
}

/// `127.0.0.1:1883`, or `unix:/run/mqtt.sock`, escaped; words for a stream of the application.
impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) => address.fmt(f),
            Self::Own => f.write_str("a stream of the application"),
            Self::Unix(path) => write!(f, "unix:{}", Escaped(path.display())),
        }
    }
}
