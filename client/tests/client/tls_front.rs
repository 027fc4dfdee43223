//! `TlsFront`: takes TLS connections for a `TestServer` that speaks plain TCP.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;

use crate::authority::{Authority, Identity};
use crate::server::TestServer;

/// Ends when dropped.
pub(crate) struct TlsFront {
    pub(crate) address: SocketAddr,
    config: Arc<Mutex<Arc<ServerConfig>>>,
    task: JoinHandle<()>,
}

impl TlsFront {
    pub(crate) async fn start(server: &TestServer, config: Arc<ServerConfig>) -> Self {
        Self::start_now(server, config)
    }

    /// Like [`start`](Self::start), without a wait; in a tokio runtime.
    pub(crate) fn start_now(server: &TestServer, config: Arc<ServerConfig>) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let (address, server) = (listener.local_addr().unwrap(), server.address());
        let config = Arc::new(Mutex::new(config));
        let current = Arc::clone(&config);
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = TlsAcceptor::from(Arc::clone(&current.lock().unwrap()));
                tokio::spawn(async move {
                    let Ok(mut tls) = acceptor.accept(tcp).await else {
                        return;
                    };
                    let Ok(mut plain) = TcpStream::connect(server).await else {
                        return;
                    };
                    let _ = tokio::io::copy_bidirectional(&mut tls, &mut plain).await;
                });
            }
        });
        Self {
            address,
            config,
            task,
        }
    }

    /// Uses `config` from the next connection on.
    pub(crate) fn replace_config(&self, config: Arc<ServerConfig>) {
        *self.config.lock().unwrap() = config;
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A server with this identity that lets in clients of `clients_of`, or anybody.
pub(crate) fn server_config(
    identity: &Identity,
    clients_of: Option<&Authority>,
) -> Arc<ServerConfig> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients_of {
        None => builder.with_no_client_auth(),
        Some(authority) => builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(authority.store(), provider)
                .build()
                .unwrap(),
        ),
    };
    Arc::new(
        builder
            .with_single_cert(identity.chain(), identity.key())
            .unwrap(),
    )
}
