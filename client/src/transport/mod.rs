//! Transports: resolve a host name, open TCP or the tunnel of a proxy, run the handshakes of TLS and
//! of WebSocket, with one timeout for all.

mod deadline;
mod error;
mod local;
mod open_observer;
mod own;
mod proxy;
mod resolve;
mod socket;
mod stream;
mod tcp;
mod tls;
mod unix;
mod url;
#[cfg(feature = "websocket")]
mod websocket;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use self::deadline::Deadline;
use self::local::LocalEnd;
pub use self::open_observer::{OpenObserver, OpenStep};
pub use self::own::StreamOpener;
pub use self::proxy::{Proxy, ProxyCredentials, ProxyProtocol};
use self::socket::Socket;
pub use self::stream::Transport;
pub use self::tls::{
    CaBundle, ClientCertificate, Cryptography, KeyLog, NameVerifier, PeerCertificate,
    PresentedNames, Roots, ServerVerification, TlsConnector, TlsInfo, TlsOptions, TlsOptionsError,
    TlsVersion,
};
#[cfg(feature = "http")]
pub(crate) use self::url::Scheme;
pub use self::url::UrlError;
#[cfg(feature = "websocket")]
pub use self::websocket::{HttpHeader, WebSocketOptions};
pub use crate::error::{
    CertificateFault, CloseReason, FailedAttempt, FrameFault, IoFault, IpVersion, PeerAddress,
    ProxyError, ResolveFault, RootsTried, SocksReply, Stage, TlsAlert, TlsError, TransportError,
    UpgradeRefusal, WebSocketError,
};

/// Server address, TLS and time-out of a connection.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// use dunlin_client::transport::{TlsConnector, TlsOptions, TransportOptions};
///
/// // TCP without TLS.
/// let options = TransportOptions::new("localhost", 1883);
///
/// // TLS with the authorities that Mozilla trusts, at port 8883.
/// let options: TransportOptions = "mqtts://broker.example.com".parse()?;
///
/// // TLS with options.
/// let tls = TlsOptions { alpn: vec![b"mqtt".to_vec()], ..Default::default() };
/// let options = TransportOptions {
///     tls: Some(Arc::new(TlsConnector::new(&tls)?)),
///     timeout: Duration::from_secs(10),
///     ..TransportOptions::new("broker.example.com", 443)
/// };
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct TransportOptions {
    /// Host name, or an IP address; one of IPv6 with or without brackets. It is resolved, sent as
    /// SNI and looked for in the certificate.
    pub host: String,
    /// Port of the server, unless `connect_to` names another one.
    pub port: u16,
    /// Address to connect to without resolving `host`, which keeps its part in TLS. Default:
    /// `None`, which means that `host` is resolved.
    pub connect_to: Option<SocketAddr>,
    /// Unix domain socket to connect to, in place of the host's addresses; a proxy is not used then.
    /// `host` keeps its part in TLS. Default: `None`. On systems other than Unix, connecting fails.
    pub unix_socket: Option<PathBuf>,
    /// IP version of the address to connect to: the server's, or the proxy's. Default: `None`, which
    /// means both.
    pub ip_version: Option<IpVersion>,
    /// Local address to connect from, on a computer that has several. Only addresses of its IP
    /// version are connected to. Default: `None`, which means that the system chooses one.
    pub local_address: Option<IpAddr>,
    /// Proxy to connect through. It resolves `host` itself, unless its protocol says otherwise;
    /// `connect_to` is where it is asked to connect to. Default: `None`, which means no proxy.
    pub proxy: Option<Box<Proxy>>,
    /// Opener of streams of the application, in place of name resolution, proxy and socket. Default:
    /// `None`, which means that the client opens a socket.
    pub stream_opener: Option<StreamOpener>,
    /// TLS; `None`, the default, means plain TCP. Share one connector among all attempts: TLS
    /// sessions resume through it.
    pub tls: Option<Arc<TlsConnector>>,
    /// MQTT over WebSocket, above TCP or TLS; it works through proxies too. Default: `None`, which
    /// means MQTT without it.
    ///
    /// TLS for it offers no ALPN protocol, or `http/1.1`: servers that share a port, as AWS IoT Core
    /// does, take `mqtt` for MQTT without WebSocket.
    #[cfg(feature = "websocket")]
    pub websocket: Option<Box<WebSocketOptions>>,
    /// Time for all stages together: name, TCP, proxy, TLS and WebSocket. Default: 30 s.
    pub timeout: Duration,
    /// Callback invoked for each step of opening a transport. Default: `None`.
    pub observer: Option<OpenObserver>,
}

impl TransportOptions {
    /// Plain TCP to this host and port.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
            connect_to: None,
            unix_socket: None,
            ip_version: None,
            local_address: None,
            proxy: None,
            stream_opener: None,
            tls: None,
            #[cfg(feature = "websocket")]
            websocket: None,
            timeout: Duration::from_secs(30),
            observer: None,
        }
    }

    /// A Unix domain socket, without TLS. The host is `localhost`.
    ///
    /// ```
    /// use dunlin_client::transport::TransportOptions;
    ///
    /// let options = TransportOptions::unix("/run/mosquitto/mqtt.sock");
    /// assert!(options.unix_socket.is_some() && options.tls.is_none());
    /// ```
    #[must_use]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self {
            unix_socket: Some(path.into()),
            ..Self::default()
        }
    }
}

impl Default for TransportOptions {
    /// Plain TCP to `localhost`, port 1883.
    fn default() -> Self {
        Self::new("localhost", 1883)
    }
}

/// Facts about a transport that has opened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Opened {
    /// Address of the server; through a proxy, that of the proxy.
    pub peer: PeerAddress,
    /// Result of the TLS handshake; `None` over plain TCP.
    pub tls: Option<Box<TlsInfo>>,
    /// Time for resolving the host name; zero if there was nothing to resolve.
    pub resolve_time: Duration,
    /// Time for the TCP connection, including addresses that failed and the answer of a proxy.
    pub tcp_time: Duration,
    /// Time for the TLS handshake; zero over plain TCP.
    pub tls_time: Duration,
    /// Time for the WebSocket handshake; zero without WebSocket.
    pub websocket_time: Duration,
}

/// Opens a transport.
///
/// Cancel safe: a dropped future leaves no socket behind. (A name that the system is still
/// resolving occupies one of tokio's blocking threads until it answers.)
///
/// # Errors
/// [`TransportError::Resolve`] if the host name has no address, or none of the IP version that is
/// asked for, [`TransportError::UnixSocket`] if the Unix domain socket can't be connected to,
/// [`TransportError::LocalAddress`] if this computer doesn't have the local address,
/// [`TransportError::Refused`] and
/// [`TransportError::Unreachable`] if no address accepts a TCP connection,
/// [`TransportError::Proxy`] if the proxy opens no tunnel, [`TransportError::Tls`] if the TLS
/// handshake fails, [`TransportError::WebSocket`] if the server opens no WebSocket connection,
/// [`TransportError::TimedOut`] if `options.timeout` ends before all stages are
/// done.
#[expect(
    clippy::disallowed_methods,
    reason = "measures how long opening a transport takes"
)]
pub async fn open(options: &TransportOptions) -> Result<(Transport, Opened), TransportError> {
    let deadline = Deadline::after(options.timeout);
    let local = LocalEnd {
        ip_version: options.ip_version,
        address: options.local_address,
    };
    let host = without_brackets(&options.host);
    let observer = options.observer.as_ref();
    resolve::check_name(host)?;

    // Stage 1: resolve the host name. A given address skips the resolver, and with a proxy the
    // proxy resolves the name: the local network may have no DNS for it.
    let began = Instant::now();
    let mut resolve_time = Duration::ZERO;
    let addresses = match (options.connect_to, &options.proxy) {
        _ if options.unix_socket.is_some() || options.stream_opener.is_some() => Vec::new(),
        (Some(address), _) => vec![address],
        (None, Some(proxy)) if !proxy.needs_address() => Vec::new(),
        (None, _) => {
            let addresses = resolve::resolve(host, options.port, deadline).await?;
            resolve_time = began.elapsed();
            let step = OpenStep::Resolved {
                host,
                addresses: &addresses,
            };
            OpenObserver::report(observer, step);
            addresses
        }
    };
    let resolved = Instant::now();
    // Stage 2: the Unix domain socket, TCP to the first address that accepts it, or a tunnel through
    // the proxy. The proxy gets the address in place of the name where there is one, as with `connect_to`.
    let (socket, peer) = match (&options.stream_opener, &options.unix_socket, &options.proxy) {
        (Some(opener), _, _) => {
            let socket = opener.open(deadline).await?;
            let peer = PeerAddress::Own;
            OpenObserver::report(observer, OpenStep::Connected { peer: &peer });
            (socket, peer)
        }
        (None, Some(path), _) => {
            let socket = unix::connect(path, deadline).await?;
            let peer = PeerAddress::Unix(path.clone());
            OpenObserver::report(observer, OpenStep::Connected { peer: &peer });
            (socket, peer)
        }
        (None, None, Some(proxy)) => {
            let to = addresses
                .first()
                .map(|address| (address.ip().to_string(), address.port()));
            let (host, port) = to.unwrap_or_else(|| (host.to_owned(), options.port));
            // Boxed, as the later stages are: what a connection doesn't use adds nothing to the
            // size of the future, which is moved when it is boxed itself.
            let (socket, peer) =
                Box::pin(proxy.connect(&host, port, local, deadline, observer)).await?;
            (socket, PeerAddress::Ip(peer))
        }
        (None, None, None) => {
            let addresses = local.select(host, addresses)?;
            let (tcp, peer) = tcp::connect(addresses, local, deadline, observer).await?;
            (Socket::Tcp(tcp), PeerAddress::Ip(peer))
        }
    };
    let connected = Instant::now();
    // Stage 3: TLS. SNI and the certificate are for `host`, also where `connect_to` or a proxy led
    // to another address.
    let (transport, tls) = match &options.tls {
        None => (Transport::plain(socket), None),
        Some(connector) => {
            let (stream, info) = Box::pin(connector.connect(host, socket, &peer, deadline)).await?;
            OpenObserver::report(observer, OpenStep::Secured { tls: &info });
            (Transport::tls(stream), Some(Box::new(info)))
        }
    };
    let secured = Instant::now();
    // Without TLS the clock has moved on as well, by very little.
    let tls_time = match &tls {
        None => Duration::ZERO,
        Some(_) => secured - connected,
    };
    // Stage 4: WebSocket, through all that is there.
    #[cfg(feature = "websocket")]
    let (transport, websocket_time) = match &options.websocket {
        None => (transport, Duration::ZERO),
        Some(websocket) => {
            let server = websocket::Server {
                host,
                port: options.port,
                is_tls: tls.is_some(),
                peer: &peer,
            };
            let handshake = websocket::connect(transport, websocket, server, deadline);
            let stream = Box::pin(handshake).await?;
            OpenObserver::report(observer, OpenStep::Upgraded { peer: &peer });
            (Transport::websocket(stream), secured.elapsed())
        }
    };
    #[cfg(not(feature = "websocket"))]
    let websocket_time = Duration::ZERO;

    let opened = Opened {
        peer,
        tls,
        resolve_time,
        tcp_time: connected - resolved,
        tls_time,
        websocket_time,
    };
    Ok((transport, opened))
}

/// `host:port`, with brackets around an IPv6 address.
pub(crate) fn authority(host: &str, port: u16) -> String {
    if host.contains(':') && !host.starts_with('[') {
        return format!("[{host}]:{port}");
    }
    format!("{host}:{port}")
}

/// An IPv6 address as it is without the brackets that URLs put around it; anything else as it is.
fn without_brackets(host: &str) -> &str {
    // Brackets around anything but an IPv6 address are left for the resolver to refuse.
    let inner = host
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    inner.filter(|inner| inner.contains(':')).unwrap_or(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An attempt moves this future into a box: without boxes for the later stages it has 16 KB.
    #[test]
    fn the_future_of_an_attempt_is_small() {
        let options = TransportOptions::default();
        let size = size_of_val(&open(&options));
        assert!(size <= 1_024, "{size} bytes");
    }
}
