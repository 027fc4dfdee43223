//! From a host name to a connection that carries bytes: resolve, TCP or a proxy's tunnel, TLS, under one deadline.

mod deadline;
mod error;
mod proxy;
mod resolve;
mod stream;
mod tcp;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::deadline::Deadline;
pub use self::error::{FailedAttempt, IoFault, ResolveFault, Stage, TransportError};
pub use self::proxy::{Proxy, ProxyCredentials, ProxyError};
pub use self::stream::Transport;
pub use self::tls::{
    CaBundle, ClientCertificate, PeerCertificate, Roots, RootsTried, TlsAlert, TlsConnector, TlsError,
    TlsInfo, TlsOptions, TlsOptionsError, TlsVersion,
};

/// Where to connect to, and how.
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// The server's name: resolved, sent as SNI and looked for in the certificate. Or an IP address.
    pub host: String,
    /// The port, unless `connect_to` says otherwise.
    pub port: u16,
    /// Connect here without resolving `host`, which keeps its part in TLS.
    pub connect_to: Option<SocketAddr>,
    /// Connect through this proxy, which resolves `host` itself; `connect_to` is where it is asked to connect to.
    pub proxy: Option<Proxy>,
    /// `None` for plain TCP. Share one connector among all attempts: TLS sessions resume through it.
    pub tls: Option<Arc<TlsConnector>>,
    /// For all stages together.
    pub timeout: Duration,
}

/// What is known of a connection when it opens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// The server's address; through a proxy, the proxy's.
    pub peer: SocketAddr,
    /// `None` over plain TCP.
    pub tls: Option<Box<TlsInfo>>,
    /// How long resolving took; zero if there was nothing to resolve.
    pub resolve_time: Duration,
    /// How long the TCP connection took, addresses that failed and a proxy's answer included.
    pub tcp_time: Duration,
    /// How long the TLS handshake took; zero over plain TCP.
    pub tls_time: Duration,
}

/// Opens a connection.
///
/// Cancel safe: a dropped future leaves no socket behind. (A name that the system is still resolving occupies one of
/// tokio's blocking threads until it answers.)
pub async fn open(options: &TransportOptions) -> Result<(Transport, Opened), TransportError> {
    let deadline = Deadline::after(options.timeout);

    let began = Instant::now();
    let addresses = match (options.connect_to, &options.proxy) {
        (Some(address), _) => vec![address],
        (None, Some(_)) => Vec::new(),
        (None, None) => resolve::resolve(&options.host, options.port, deadline).await?,
    };
    let resolved = Instant::now();
    let (tcp, peer) = match &options.proxy {
        Some(proxy) => {
            let to = options.connect_to.map(|address| (address.ip().to_string(), address.port()));
            let (host, port) = to.unwrap_or_else(|| (options.host.clone(), options.port));
            proxy.connect(&host, port, deadline).await?
        }
        None => tcp::connect(addresses, deadline).await?,
    };
    let connected = Instant::now();
    let (transport, tls) = match &options.tls {
        None => (Transport::plain(tcp), None),
        Some(connector) => {
            let (stream, info) = connector.connect(&options.host, tcp, peer, deadline).await?;
            (Transport::tls(stream), Some(Box::new(info)))
        }
    };

    let opened = Opened {
        peer,
        tls,
        resolve_time: resolved - began,
        tcp_time: connected - resolved,
        tls_time: connected.elapsed(),
    };
    Ok((transport, opened))
}
