//! TLS: one configuration for all attempts, and the result of each handshake.

mod certificate;
mod certificate_fault;
mod client_certificate;
mod cryptography;
#[cfg(feature = "encrypted-keys")]
mod encrypted_key;
mod error;
mod key_log;
mod options;
mod options_error;
mod pem;
mod roots;
mod verification;
mod verifier;

use std::fmt;
use std::sync::Arc;

use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::ServerCertVerifier;
use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, RootCertStore,
};

pub use self::certificate::PeerCertificate;
pub use self::client_certificate::ClientCertificate;
pub use self::cryptography::Cryptography;
pub use self::key_log::KeyLog;
pub use self::options::{TlsOptions, TlsVersion};
pub use self::options_error::TlsOptionsError;
pub use self::roots::{CaBundle, Roots};
pub use self::verification::{NameVerifier, PresentedNames, ServerVerification};
use self::verifier::{RecordingVerifier, UnverifiedServer};
use super::deadline::Deadline;
use super::socket::{RecordedStream, Socket};
use crate::error::{PeerAddress, RootsTried, Stage, TlsError, TransportError};

/// TLS configuration made from [`TlsOptions`]. Clones share the cache by which TLS sessions resume.
#[derive(Clone)]
pub struct TlsConnector {
    config: Arc<ClientConfig>,
    roots_tried: RootsTried,
    /// Name for SNI and certificate in place of the host.
    server_name: Option<ServerName<'static>>,
    is_verified: bool,
}

/// Result of a TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TlsInfo {
    /// Version of TLS.
    pub version: TlsVersion,
    /// ALPN protocols that the client offered.
    pub alpn_offered: Vec<String>,
    /// ALPN protocol that the server selected; `None` if it ignored the offer, or there was none.
    pub alpn_selected: Option<String>,
    /// Certificate of the server; `None` if it can't be read.
    pub certificate: Option<PeerCertificate>,
    /// True if the certificate was verified; false with [`ServerVerification::Disabled`].
    pub is_verified: bool,
    /// Certificates that the server sent after its own, in its order: those of the authorities that
    /// issued it. One that can't be read is left out.
    pub chain: Vec<PeerCertificate>,
    /// True if an earlier TLS session was resumed.
    pub resumed: bool,
}

impl TlsConnector {
    /// Builds the configuration once, for all attempts.
    ///
    /// # Errors
    /// [`TlsOptionsError::NoRoots`] if no authority is trusted, [`TlsOptionsError::InvalidAlpn`] if the
    /// name of an ALPN protocol has no byte or more than 255, [`TlsOptionsError::InvalidServerName`]
    /// if [`TlsOptions::server_name`] is no name, [`TlsOptionsError::Unsupported`] if the
    /// cryptographic library doesn't support the options.
    pub fn new(options: &TlsOptions) -> Result<Self, TlsOptionsError> {
        let provider = options.cryptography.provider();
        let (roots, roots_tried) = options.roots.to_store();
        let verifier = verifier(&options.verification, roots, &provider)?;
        // `dangerous` is rustls' word for any verifier that isn't built in.
        let builder = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(options.min_version.and_later())
            .map_err(|error| TlsOptionsError::Unsupported {
                detail: error.to_string(),
            })?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        // The client's own certificate, sent only to a server that asks for one.
        let mut config = match &options.client_certificate {
            Some(certificate) => builder.with_client_cert_resolver(certificate.resolver()),
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = options.alpn_protocols()?;
        if let Some(key_log) = &options.key_log {
            config.key_log = key_log.to_rustls();
        }
        // Checked here, and not by the first connection: the name is an option.
        let server_name = options.server_name.as_ref().map(|name| {
            ServerName::try_from(name.clone())
                .map_err(|_invalid| TlsOptionsError::InvalidServerName { name: name.clone() })
        });
        Ok(Self {
            config: Arc::new(config),
            roots_tried,
            server_name: server_name.transpose()?,
            is_verified: !matches!(options.verification, ServerVerification::Disabled),
        })
    }

    /// Copy that offers these ALPN protocols instead, or none if the list is empty. It resumes no TLS
    /// session of the original, because a session belongs to a protocol.
    ///
    /// # Errors
    /// [`TlsOptionsError::InvalidAlpn`] if a name has no byte or more than 255.
    pub fn with_alpn(&self, protocols: Vec<Vec<u8>>) -> Result<Self, TlsOptionsError> {
        let options = TlsOptions {
            alpn: protocols,
            ..TlsOptions::default()
        };
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = options.alpn_protocols()?;
        config.resumption = Resumption::default();
        Ok(Self {
            config: Arc::new(config),
            ..self.clone()
        })
    }

    /// Runs the handshake with `host` as SNI, unless the options name another one.
    ///
    /// # Errors
    /// [`TransportError::Tls`] if it fails, [`TransportError::TimedOut`] in the stage [`Stage::Tls`].
    pub(in crate::transport) async fn connect(
        &self,
        host: &str,
        socket: Socket,
        peer: &PeerAddress,
        deadline: Deadline,
    ) -> Result<(TlsStream<RecordedStream>, TlsInfo), TransportError> {
        // SNI needs a host name or an IP address in the form of rustls.
        let failed = |error| TransportError::Tls {
            peer: peer.clone(),
            error,
        };
        let server_name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(|_invalid| {
                failed(TlsError::InvalidServerName {
                    host: host.to_owned(),
                })
            })?,
        };
        let wanted = server_name.to_str().into_owned();
        // The first bytes of the answer are recorded, and the stream comes back with an error, so
        // that a server that speaks something else than TLS can be named.
        let stream = RecordedStream::new(socket);
        let handshake = tokio_rustls::TlsConnector::from(self.config.clone())
            .connect(server_name, stream)
            .into_fallible();
        let Some((outcome, rejected)) = deadline.run(verifier::recorded(handshake)).await else {
            return Err(deadline.passed(Stage::Tls, peer.socket_addr().into_iter().collect()));
        };
        match outcome {
            Ok(stream) => {
                let info = self.info(stream.get_ref().1);
                Ok((stream, info))
            }
            Err((error, stream)) => {
                // The error is made from all that is known: rustls' reason, the rejected
                // certificate, the authorities that were tried, and the first bytes received.
                let roots = &self.roots_tried;
                Err(failed(TlsError::of_handshake(
                    &error,
                    &wanted,
                    rejected,
                    roots,
                    stream.received(),
                )))
            }
        }
    }

    fn info(&self, connection: &ClientConnection) -> TlsInfo {
        // The values of the finished handshake. After a resumption, rustls has the certificate from
        // the first one.
        let text = |protocol: &[u8]| String::from_utf8_lossy(protocol).into_owned();
        let certificates = connection.peer_certificates().unwrap_or_default();
        let (leaf, issuers) = match certificates.split_first() {
            Some((leaf, issuers)) => (Some(leaf), issuers),
            None => (None, &[][..]),
        };
        TlsInfo {
            version: match connection.protocol_version() {
                Some(ProtocolVersion::TLSv1_2) => TlsVersion::V1_2,
                _ => TlsVersion::V1_3,
            },
            alpn_offered: self
                .config
                .alpn_protocols
                .iter()
                .map(|protocol| text(protocol))
                .collect(),
            alpn_selected: connection.alpn_protocol().map(text),
            certificate: leaf.and_then(|leaf| PeerCertificate::read(leaf)),
            is_verified: self.is_verified,
            chain: issuers
                .iter()
                .filter_map(|issuer| PeerCertificate::read(issuer))
                .collect(),
            resumed: connection.handshake_kind() == Some(HandshakeKind::Resumed),
        }
    }
}

/// Two connectors are equal if one is a clone of the other.
impl PartialEq for TlsConnector {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.config, &other.config)
    }
}

impl Eq for TlsConnector {}

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector")
            .field("roots", &self.roots_tried)
            .finish_non_exhaustive()
    }
}

/// Verifier of the server's certificate for rustls.
///
/// # Errors
/// [`TlsOptionsError::NoRoots`] if no authority is trusted and certificates are verified.
fn verifier(
    verification: &ServerVerification,
    roots: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, TlsOptionsError> {
    if let ServerVerification::Disabled = verification {
        return Ok(Arc::new(UnverifiedServer::new(provider.clone())));
    }
    let roots = Arc::new(roots);
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
        .build()
        .map_err(|_no_root| TlsOptionsError::NoRoots)?;
    let recording = RecordingVerifier::new(verifier);
    Ok(Arc::new(match verification {
        ServerVerification::OrName(names) => {
            recording.with_names(names.clone(), roots, provider.clone())
        }
        _ => recording,
    }))
}
