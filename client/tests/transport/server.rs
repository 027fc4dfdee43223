//! `Server`: a TLS server that greets whoever gets through with what it knows of them.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{self, ServerConfig, SupportedProtocolVersion};

use crate::authority::{Authority, Identity};

/// Behaviour of the server.
pub(crate) struct Behaviour {
    pub(crate) alpn: Vec<&'static str>,
    pub(crate) versions: &'static [&'static SupportedProtocolVersion],
    /// Authority that must have issued the client's certificate; `None` requests no certificate.
    pub(crate) clients_of: Option<Authority>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            alpn: vec!["mqtt"],
            versions: rustls::ALL_VERSIONS,
            clients_of: None,
        }
    }
}

/// Ends when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(identity: &Identity, behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config(identity, behaviour)));
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                // A client that doesn't get through is the client's test.
                let _ = send_greeting(&acceptor, tcp).await;
            }
        });
        Self { address, task }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One line: the server name that was asked for, and how many certificates the client showed.
async fn send_greeting(acceptor: &TlsAcceptor, tcp: TcpStream) -> std::io::Result<()> {
    let mut stream = acceptor.accept(tcp).await?;
    let connection = stream.get_ref().1;
    let name = connection.server_name().unwrap_or("nobody");
    let certificates = connection.peer_certificates().map_or(0, <[_]>::len);
    let greeting = format!("{name} {certificates}\n");
    stream.write_all(greeting.as_bytes()).await?;
    stream.shutdown().await
}

/// Configuration of a TLS server.
pub(crate) fn config(identity: &Identity, behaviour: Behaviour) -> ServerConfig {
    let builder = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(behaviour.versions)
        .unwrap();
    let builder = match behaviour.clients_of {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(authority.store(), provider())
                .build()
                .unwrap(),
        ),
    };
    let mut config = builder
        .with_single_cert(identity.chain(), identity.key())
        .unwrap();
    config.alpn_protocols = behaviour
        .alpn
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    config
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}
