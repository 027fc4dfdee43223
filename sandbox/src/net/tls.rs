//! TLS as AWS IoT Core has it: ALPN tells MQTT from HTTP, and what isn't served gets a fatal alert.

use std::io;
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{Acceptor, WebPkiClientVerifier};
use tokio_rustls::rustls::{self, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

use crate::authorizer::TlsFacts;
use crate::net::other_protocol::OtherProtocol;
use crate::net::protocol::Protocol;
use crate::pki::ServerIdentity;
use crate::policy::{ClientCertificate, Thing};

/// The server's side of every handshake of one port.
#[derive(Debug)]
pub(crate) struct Tls {
    protocol: Protocol,
    config: Arc<ServerConfig>,
    /// Config of clients that a certificate authenticates; `None` if there are none.
    certificate_config: Option<Arc<ServerConfig>>,
    /// Config of clients of HTTP at a port of MQTT that serves both; `None` at other ports.
    http_config: Option<Arc<ServerConfig>>,
    /// Config of clients of HTTP that a certificate authenticates; `None` if there are none.
    http_certificate_config: Option<Arc<ServerConfig>>,
    /// A client of HTTP that shows a certificate is authenticated by it, as on port 8443 of AWS IoT Core.
    authenticates_by_certificate: bool,
    selects_alpn: bool,
    strict_sni: bool,
    /// Registry, in which the things of certificates are looked up.
    things: Arc<[Arc<Thing>]>,
}

/// Settings of all ports with TLS.
pub(crate) struct TlsSettings {
    /// Without it no protocol is selected, whatever the client offers: a fault.
    pub(crate) selects_alpn: bool,
    pub(crate) strict_sni: bool,
    /// `None` if no client is asked for a certificate.
    pub(crate) certificates: Option<CertificateUse>,
    /// The port of MQTT serves HTTP and WebSocket, too, as port 443 of AWS IoT Core does.
    pub(crate) serves_all: bool,
}

/// Config and protocol for a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Route {
    /// Protocol of the port.
    Main,
    /// MQTT of a client that its certificate authenticates.
    Certificate,
    /// HTTP at a port of MQTT.
    Http,
    /// HTTP of a client that its certificate authenticates.
    HttpCertificate,
}

/// Use of client certificates at a port.
pub(crate) struct CertificateUse {
    /// CA of the certificates.
    pub(crate) ca: CertificateDer<'static>,
    /// Clients of custom authorizers need one, too.
    pub(crate) with_authorizer: bool,
    /// Registry of things.
    pub(crate) things: Arc<[Arc<Thing>]>,
}

/// A connection after its handshake.
pub(crate) struct Accepted {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) protocol: Protocol,
    /// Facts of the handshake for the authorizers.
    pub(crate) facts: TlsFacts,
    /// Problem of the server name that the client sent; `None` if there is none.
    pub(crate) sni_mismatch: Option<SniMismatch>,
}

/// A server name that isn't this endpoint's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SniMismatch {
    #[error(
        "the client sends no server name (SNI); AWS IoT Core may refuse it: connect to {ENDPOINT:?} by this name"
    )]
    Missing,
    #[error(
        "the client asks for another server name (SNI) than {ENDPOINT:?}: {0:?}; AWS IoT Core refuses it"
    )]
    Other(String),
}

/// Error of a handshake.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandshakeError {
    #[error("the client offers no ALPN protocol; \"mqtt\" is needed")]
    NoAlpn,
    #[error("the client offers other ALPN protocols ({0}); \"mqtt\" is needed")]
    OtherAlpn(String),
    #[error(
        "the client offers the ALPN protocols {0}; WebSocket and HTTP need \"http/1.1\", or no ALPN, and \"mqtt\" \
         means MQTT without WebSocket"
    )]
    NotHttp(String),
    #[error("{0} (strict_sni)")]
    Sni(SniMismatch),
    #[error("{0}")]
    OtherProtocol(#[from] OtherProtocol),
    #[error("the TLS handshake failed: {0}")]
    Io(#[from] io::Error),
    #[error("the TLS handshake took more than 10 seconds")]
    TimedOut,
    #[error("too many clients wait to be let in, and this one has waited for longest")]
    Evicted,
    #[error("the sandbox stops")]
    Stopping,
}

impl Tls {
    /// Makes the server's side of a port that speaks `protocol`; a port of HTTP asks for certificates
    /// only if it `takes_certificates`.
    ///
    /// # Errors
    /// The error of the TLS library if it doesn't take a certificate.
    pub(crate) fn new(
        protocol: Protocol,
        takes_certificates: bool,
        identity: &ServerIdentity,
        settings: &TlsSettings,
    ) -> Result<Self, rustls::Error> {
        let certificates = settings.certificates.as_ref();
        let verifier = |is_optional| {
            let verifier = certificates.map(|certificates| verifier(&certificates.ca, is_optional));
            verifier.transpose()
        };
        let of_authorizer = verifier(false)?
            .filter(|_| certificates.is_some_and(|certificates| certificates.with_authorizer));
        let of_protocol = |protocol: Protocol, verifier: Option<_>| {
            let alpn = settings.selects_alpn.then(|| protocol.alpn());
            config(identity, verifier, alpn)
        };
        let by_certificate = |is_served: bool, alpn| {
            let verifier = verifier(false)?.filter(|_| is_served);
            let config = verifier.map(|verifier| config(identity, Some(verifier), Some(alpn)));
            config.transpose()
        };

        // The custom authorizer decides by the ALPN protocols of MQTT and of HTTP, beside a certificate if
        // the settings want both.
        let is_mqtt = protocol == Protocol::Mqtt;
        let serves_all = is_mqtt && settings.serves_all;
        let http = serves_all.then(|| of_protocol(Protocol::Http, of_authorizer.clone()));
        // At a port of HTTPS a certificate that is shown is enough, whatever the ALPN protocol.
        let authenticates_by_certificate =
            !is_mqtt && takes_certificates && of_authorizer.is_none() && certificates.is_some();
        let main = if authenticates_by_certificate {
            verifier(true)?
        } else {
            of_authorizer
        };
        Ok(Self {
            protocol,
            config: of_protocol(protocol, main)?,
            certificate_config: by_certificate(is_mqtt, MQTT_CA)?,
            http_config: http.transpose()?,
            http_certificate_config: by_certificate(
                serves_all || (!is_mqtt && takes_certificates),
                HTTP_CA,
            )?,
            authenticates_by_certificate,
            selects_alpn: settings.selects_alpn,
            strict_sni: settings.strict_sni,
            things: certificates
                .map(|certificates| Arc::clone(&certificates.things))
                .unwrap_or_default(),
        })
    }

    /// Serves one handshake. It is not bounded in time: the caller does that.
    ///
    /// # Errors
    /// `NoAlpn`, `OtherAlpn`, `NotHttp` or `Sni` if the client offers what isn't served, `OtherProtocol` if it
    /// doesn't speak TLS, `Io` if the handshake fails.
    pub(crate) async fn accept(&self, stream: TcpStream) -> Result<Accepted, HandshakeError> {
        // The TLS library would tell another protocol as a corrupt message.
        let mut first = [0; FIRST_BYTES];
        let length = stream.peek(&mut first).await?;
        let first = first.get(..length).unwrap_or_default();
        if let Some(other) = OtherProtocol::instead_of_tls(first, self.protocol) {
            return Err(other.into());
        }

        // The ClientHello is read before anything is decided, so the alert can say what was wrong.
        let mut start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let offered: Option<Vec<Vec<u8>>> = start
            .client_hello()
            .alpn()
            .map(|protocols| protocols.map(<[u8]>::to_vec).collect());
        // A fault selects no protocol, and refuses none.
        let route = match self.route(offered.as_deref()) {
            Err(_) if !self.selects_alpn => Ok(Route::Main),
            route => route,
        };
        let is_http = matches!(route, Ok(Route::Http | Route::HttpCertificate))
            || self.protocol == Protocol::Http;
        let sni_mismatch = match start.client_hello().server_name() {
            Some(name) if name.eq_ignore_ascii_case(ENDPOINT) => None,
            Some(name) => Some(SniMismatch::Other(name.into())),
            // AWS IoT takes the header Host in its place.
            None if is_http => None,
            None => Some(SniMismatch::Missing),
        };
        // The alert is written by hand: rustls has no way to refuse by server name.
        if let Some(fault) = sni_mismatch.as_ref().filter(|_| self.strict_sni) {
            start.io.write_all(&UNRECOGNIZED_NAME).await?;
            start.io.shutdown().await?;
            return Err(HandshakeError::Sni(fault.clone()));
        }
        // rustls lets a client pass that offers nothing, so this alert is written by hand, too.
        let route = match route {
            Ok(route) => route,
            Err(refusal) => {
                start.io.write_all(&NO_APPLICATION_PROTOCOL).await?;
                start.io.shutdown().await?;
                return Err(refusal);
            }
        };
        let config = match route {
            Route::Main => Some(&self.config),
            Route::Certificate => self.certificate_config.as_ref(),
            Route::Http => self.http_config.as_ref(),
            Route::HttpCertificate => self.http_certificate_config.as_ref(),
        };
        let config = Arc::clone(config.unwrap_or(&self.config));
        let stream = start.into_stream(config).await?;
        Ok(self.accepted(stream, route, sni_mismatch))
    }

    /// Chooses by the ALPN protocols that a client offers; without ALPN `offered` is `None`.
    ///
    /// # Errors
    /// `NoAlpn`, `OtherAlpn` or `NotHttp` if none of them is served.
    fn route(&self, offered: Option<&[Vec<u8>]>) -> Result<Route, HandshakeError> {
        let offers =
            |name: &[u8]| offered.is_some_and(|offered| offered.iter().any(|other| other == name));
        if offers(self.protocol.alpn()) {
            return Ok(Route::Main);
        }
        if self.http_certificate_config.is_some() && offers(HTTP_CA) {
            return Ok(Route::HttpCertificate);
        }
        // Without ALPN a client is one with a certificate, as on port 8883 of AWS IoT Core, or one of
        // HTTP, as on 443.
        let no_alpn = offered.is_none();
        let has_http = self.http_config.is_some();
        if self.certificate_config.is_some() && (offers(MQTT_CA) || (no_alpn && !has_http)) {
            return Ok(Route::Certificate);
        }
        if has_http && (no_alpn || offers(Protocol::Http.alpn())) {
            return Ok(Route::Http);
        }
        match (self.protocol, offered) {
            (Protocol::Http, None) => Ok(Route::Main),
            (Protocol::Http, Some(offered)) => Err(HandshakeError::NotHttp(listed(offered))),
            (Protocol::Mqtt, None) => Err(HandshakeError::NoAlpn),
            (Protocol::Mqtt, Some(offered)) => Err(HandshakeError::OtherAlpn(listed(offered))),
        }
    }

    fn accepted(
        &self,
        stream: TlsStream<TcpStream>,
        route: Route,
        sni_mismatch: Option<SniMismatch>,
    ) -> Accepted {
        let session = stream.get_ref().1;
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let certificate =
            certificate.map(|der| Arc::new(ClientCertificate::of_der(der).register(&self.things)));
        Accepted {
            protocol: match route {
                Route::Main | Route::Certificate => self.protocol,
                Route::Http | Route::HttpCertificate => Protocol::Http,
            },
            facts: TlsFacts {
                server_name: session.server_name().map(Into::into),
                is_authenticated: match route {
                    Route::Certificate | Route::HttpCertificate => true,
                    Route::Main => self.authenticates_by_certificate && certificate.is_some(),
                    Route::Http => false,
                },
                certificate,
            },
            stream,
            sni_mismatch,
        }
    }
}

/// Verifier that wants a certificate of this CA; with `is_optional` a client may show none.
fn verifier(
    ca: &CertificateDer<'static>,
    is_optional: bool,
) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone())?;
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if is_optional {
        builder.allow_unauthenticated()
    } else {
        builder
    };
    builder
        .build()
        .map(|verifier| verifier as Arc<dyn ClientCertVerifier>)
        .map_err(|error| rustls::Error::General(error.to_string()))
}

/// Config with TLS 1.2 and 1.3, as AWS IoT. Without a verifier clients aren't asked for certificates,
/// and without ALPN no protocol is selected.
pub(super) fn config(
    identity: &ServerIdentity,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    alpn: Option<&[u8]>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?;
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let chain = vec![identity.certificate.clone()];
    let mut config = builder.with_single_cert(chain, identity.key.clone_key())?;
    config.alpn_protocols = alpn.into_iter().map(<[u8]>::to_vec).collect();
    Ok(Arc::new(config))
}

fn listed(protocols: &[Vec<u8>]) -> String {
    let names: Vec<String> = protocols
        .iter()
        .map(|protocol| protocol.escape_ascii().to_string())
        .collect();
    names.join(", ")
}

/// The host name of the sandbox: the one in its certificate.
pub(crate) const ENDPOINT: &str = "localhost";
/// A TLS record (RFC 8446, 5.1): alert, fatal, `unrecognized_name` (RFC 6066, 3).
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];
/// ALPN protocol of MQTT with a client certificate.
const MQTT_CA: &[u8] = b"x-amzn-mqtt-ca";
/// ALPN protocol of HTTP with a client certificate.
const HTTP_CA: &[u8] = b"x-amzn-http-ca";
/// Bytes that tell the protocol of a client.
const FIRST_BYTES: usize = 16;
/// A TLS record (RFC 8446, 5.1): alert, fatal, `no_application_protocol` (RFC 7301, 3.2).
const NO_APPLICATION_PROTOCOL: [u8; 7] = [21, 3, 3, 0, 2, 2, 120];
