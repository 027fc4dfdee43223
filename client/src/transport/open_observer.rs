//! `OpenObserver`: callback that sees each step of opening a transport.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use super::TlsInfo;
use crate::error::{FailedAttempt, PeerAddress};

/// Callback that sees each step of [`open`](super::open) at the moment at which it is done: the time
/// of a step is that since the step before.
///
/// The task that opens the transport calls it without holding any lock, and goes on when it returns.
///
/// ```
/// use dunlin_client::transport::{OpenObserver, OpenStep, TransportOptions};
///
/// let observer = OpenObserver::new(|step| match step {
///     OpenStep::Resolved { host, addresses } => println!("{host}: {addresses:?}"),
///     OpenStep::Connected { peer } => println!("connected to {peer}"),
///     other => println!("{other:?}"),
/// });
/// let options = TransportOptions {
///     observer: Some(observer),
///     ..TransportOptions::new("localhost", 1883)
/// };
/// # let _ = options;
/// ```
#[derive(Clone)]
pub struct OpenObserver(Arc<dyn Fn(OpenStep<'_>) + Send + Sync>);

/// Step of opening a transport that is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenStep<'a> {
    /// A host name was resolved: that of the server, or that of the proxy. An IP address resolves
    /// to itself.
    Resolved {
        /// Host name.
        host: &'a str,
        /// Addresses in the order of the system, at least one.
        addresses: &'a [SocketAddr],
    },
    /// An address could not be connected to; others may follow.
    AddressFailed(FailedAttempt),
    /// A TCP connection is open, or one to a Unix domain socket.
    Connected {
        /// Address of the server; through a proxy, that of the proxy.
        peer: &'a PeerAddress,
    },
    /// The proxy has opened a tunnel to the server.
    Tunnelled {
        /// Address of the proxy.
        peer: SocketAddr,
    },
    /// The TLS handshake is done.
    Secured {
        /// Result of the handshake.
        tls: &'a TlsInfo,
    },
    /// The WebSocket connection is open.
    Upgraded {
        /// Address of the server; through a proxy, that of the proxy.
        peer: &'a PeerAddress,
    },
}

impl OpenObserver {
    /// Observer that calls `look` for every step.
    pub fn new(look: impl Fn(OpenStep<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }

    /// Calls the observer, if there is one.
    pub(super) fn report(observer: Option<&Self>, step: OpenStep<'_>) {
        if let Some(observer) = observer {
            (observer.0)(step);
        }
    }
}

impl fmt::Debug for OpenObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenObserver(..)")
    }
}
