//! `LocalTls`: TLS with a certificate of the sandbox's CA, for listeners of other programs.

use std::fmt;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use crate::net::protocol::Protocol;
use crate::net::tls;
use crate::pki::Pki;

/// TLS of a listener on this computer, with a certificate for `localhost` that the CA of a state
/// directory has issued.
///
/// Clients may offer the ALPN protocol `mqtt`, or none.
///
/// ```
/// use dunlin_sandbox::{LocalTls, Pki, StateDir};
///
/// # let folder = tempfile::tempdir()?;
/// # let state = StateDir::at(folder.path());
/// let tls = LocalTls::new(&Pki::open(&state)?)?;
/// # let _ = tls;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct LocalTls(TlsAcceptor);

impl LocalTls {
    /// Issues a certificate, which lasts as long as the value.
    ///
    /// # Errors
    /// An error of kind `Other` if the certificate can't be issued.
    pub fn new(pki: &Pki) -> io::Result<Self> {
        let identity = pki.server_identity(None).map_err(io::Error::other)?;
        let config =
            tls::config(&identity, None, Some(Protocol::Mqtt.alpn())).map_err(io::Error::other)?;
        Ok(Self(TlsAcceptor::from(config)))
    }

    /// Serves one handshake. It is not bounded in time: the caller does that. Cancel safe: a dropped
    /// future closes the connection.
    ///
    /// # Errors
    /// The error of the connection, or of TLS.
    pub async fn accept(
        &self,
        stream: TcpStream,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + use<>> {
        self.0.accept(stream).await
    }
}

impl fmt::Debug for LocalTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LocalTls(..)")
    }
}
