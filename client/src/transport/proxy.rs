//! `Proxy`: tunnels through HTTP and SOCKS5 proxies.

mod credentials;
mod http;
mod socks;

use dunlin_codec::Escaped;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

pub use self::credentials::ProxyCredentials;
use super::deadline::Deadline;
use super::local::LocalEnd;
use super::open_observer::{OpenObserver, OpenStep};
use super::socket::{RecordedStream, Socket};
use super::tls::TlsConnector;
use super::{authority, resolve, tcp, without_brackets};
use crate::error::{IoFault, PeerAddress, ProxyError, Stage, TransportError};

/// Proxy that connections go through. The proxy sees host and port of the server, and with TLS to the
/// server nothing else.
///
/// ```
/// use dunlin_client::transport::{Proxy, ProxyCredentials, ProxyProtocol, TransportOptions};
///
/// let proxy = Proxy {
///     protocol: ProxyProtocol::Socks5,
///     credentials: Some(ProxyCredentials {
///         username: "lamp".into(),
///         password: "secret".to_owned().into(),
///     }),
///     ..Proxy::new("proxy.example.com", 1080)
/// };
/// let options = TransportOptions {
///     proxy: Some(Box::new(proxy)),
///     ..TransportOptions::new("broker.example.com", 1883)
/// };
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Protocol that the proxy speaks. Default: HTTP.
    pub protocol: ProxyProtocol,
    /// Host name or IP address of the proxy; an IPv6 address with or without brackets.
    pub host: String,
    /// Port of the proxy.
    pub port: u16,
    /// Credentials for the proxy, sent for every connection: HTTP's `Basic` (RFC 7617), or user name
    /// and password of SOCKS5 (RFC 1929). Only `Https` encrypts them. Default: `None`.
    pub credentials: Option<ProxyCredentials>,
}

/// Protocol of a proxy.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProtocol {
    /// HTTP with the method CONNECT (RFC 9110, section 9.3.6): `http://`.
    #[default]
    Http,
    /// The same within TLS, which also protects the credentials and the name of the server:
    /// `https://`.
    Https(Arc<TlsConnector>),
    /// SOCKS5 (RFC 1928); the proxy resolves the host name: `socks5h://`.
    Socks5,
    /// SOCKS5; this computer resolves the host name, and the proxy gets its first address:
    /// `socks5://`.
    Socks5LocalNames,
}

impl Proxy {
    /// HTTP proxy without credentials.
    #[must_use]
    pub fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            protocol: ProxyProtocol::Http,
            host: host.into(),
            port,
            credentials: None,
        }
    }

    /// True if the name of the server is resolved by this computer and not by the proxy.
    pub(super) fn needs_address(&self) -> bool {
        self.protocol == ProxyProtocol::Socks5LocalNames
    }

    /// Opens a tunnel to `host`; returns it with the proxy's address.
    ///
    /// # Errors
    /// [`TransportError::Proxy`] if the proxy can't be reached or opens no tunnel,
    /// [`TransportError::TimedOut`] in the stage [`Stage::Proxy`] if it doesn't answer in time.
    pub(super) async fn connect(
        &self,
        host: &str,
        port: u16,
        local: LocalEnd,
        deadline: Deadline,
        observer: Option<&OpenObserver>,
    ) -> Result<(Socket, SocketAddr), TransportError> {
        // All failures name the proxy, also those of its own name and address: otherwise the user
        // would look for the fault at the MQTT server.
        let failed = |error| TransportError::Proxy {
            proxy: self.to_string(),
            error,
        };
        let unreachable = |error| failed(ProxyError::Unreachable(Box::new(error)));
        // Connect to the proxy itself.
        let proxy_host = without_brackets(&self.host);
        let addresses = resolve::resolve(proxy_host, self.port, deadline)
            .await
            .map_err(unreachable)?;
        let step = OpenStep::Resolved {
            host: proxy_host,
            addresses: &addresses,
        };
        OpenObserver::report(observer, step);
        let addresses = local.select(proxy_host, addresses).map_err(unreachable)?;
        let (tcp, peer) = tcp::connect(addresses, local, deadline, observer)
            .await
            .map_err(unreachable)?;
        // Then ask it for the tunnel. After its answer, the socket carries the server's bytes.
        let tunnel = self.open_tunnel(tcp, host, port, deadline);
        match deadline.run(tunnel).await {
            Some(Ok(socket)) => {
                OpenObserver::report(observer, OpenStep::Tunnelled { peer });
                Ok((socket, peer))
            }
            Some(Err(error)) => Err(failed(error)),
            None => Err(deadline.passed(Stage::Proxy, vec![peer])),
        }
    }

    /// Asks the proxy for a tunnel to `host` and returns the socket of the tunnel.
    async fn open_tunnel(
        &self,
        mut tcp: TcpStream,
        host: &str,
        port: u16,
        deadline: Deadline,
    ) -> Result<Socket, ProxyError> {
        let credentials = self.credentials.as_ref();
        match &self.protocol {
            ProxyProtocol::Http => {
                http::open_tunnel(&mut tcp, credentials, host, port).await?;
            }
            ProxyProtocol::Https(connector) => {
                let mut stream = self.start_tls(connector, tcp, deadline).await?;
                http::open_tunnel(&mut stream, credentials, host, port).await?;
                return Ok(Socket::ProxyTls(Box::new(stream)));
            }
            ProxyProtocol::Socks5 | ProxyProtocol::Socks5LocalNames => {
                socks::open_tunnel(&mut tcp, credentials, host, port).await?;
            }
        }
        Ok(Socket::Tcp(tcp))
    }

    /// Runs the TLS handshake with the proxy.
    async fn start_tls(
        &self,
        connector: &TlsConnector,
        tcp: TcpStream,
        deadline: Deadline,
    ) -> Result<TlsStream<RecordedStream>, ProxyError> {
        let io = |error: std::io::Error| ProxyError::Io(IoFault::from(&error));
        let peer = PeerAddress::Ip(tcp.peer_addr().map_err(io)?);
        let host = without_brackets(&self.host);
        match connector
            .connect(host, Socket::Tcp(tcp), &peer, deadline)
            .await
        {
            Ok((stream, _info)) => Ok(stream),
            Err(TransportError::Tls { error, .. }) => Err(ProxyError::Tls(Box::new(error))),
            Err(error) => Err(ProxyError::Unreachable(Box::new(error))),
        }
    }
}

/// URL of the proxy, without the credentials.
impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match &self.protocol {
            ProxyProtocol::Http => "http",
            ProxyProtocol::Https(_) => "https",
            ProxyProtocol::Socks5 => "socks5h",
            ProxyProtocol::Socks5LocalNames => "socks5",
        };
        write!(
            f,
            "{scheme}://{}",
            Escaped(authority(&self.host, self.port))
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_printed_has_the_password() {
        let credentials = Some(ProxyCredentials {
            username: "u".into(),
            password: "canary".into(),
        });
        for (protocol, url) in [
            (ProxyProtocol::Http, "http://proxy.corp:3128"),
            (ProxyProtocol::Socks5, "socks5h://proxy.corp:3128"),
            (ProxyProtocol::Socks5LocalNames, "socks5://proxy.corp:3128"),
        ] {
            let proxy = Proxy {
                protocol,
                credentials: credentials.clone(),
                ..Proxy::new("proxy.corp", 3128)
            };
            assert!(!format!("{proxy} {proxy:?}").contains("canary"));
            assert_eq!(proxy.to_string(), url);
        }
    }
}
