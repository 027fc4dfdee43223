//! `RecordingVerifier` and `UnverifiedServer`: verifiers of the server's certificate for rustls.

use std::cell::RefCell;
use std::sync::Arc;

use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::{
    WebPkiServerVerifier, verify_server_cert_signed_by_trust_anchor,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};

use super::certificate::PeerCertificate;
use super::verification::NameVerifier;

/// Verifier of rustls that also keeps the certificate that it rejected: an error of rustls doesn't
/// hold it, and a connection that fails doesn't show it.
#[derive(Debug)]
pub(super) struct RecordingVerifier {
    verifier: Arc<WebPkiServerVerifier>,
    /// Second opinion on names, with the roots that the rest is verified against.
    names: Option<(NameVerifier, Arc<RootCertStore>, Arc<CryptoProvider>)>,
}

impl RecordingVerifier {
    pub(super) fn new(verifier: Arc<WebPkiServerVerifier>) -> Self {
        Self {
            verifier,
            names: None,
        }
    }

    /// Asks `names` about certificates that rustls rejects for their names alone.
    pub(super) fn with_names(
        self,
        names: NameVerifier,
        roots: Arc<RootCertStore>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        Self {
            names: Some((names, roots, provider)),
            ..self
        }
    }

    /// Returns `true` if the name verifier accepts a certificate that rustls rejected with `error`.
    fn is_accepted_by_name(
        &self,
        error: &Error,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        now: UnixTime,
    ) -> bool {
        let is_name = matches!(
            error,
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
            )
        );
        let Some((names, roots, provider)) = self.names.as_ref().filter(|_| is_name) else {
            return false;
        };
        // rustls checks the chain before the name. Checked here again, so that this doesn't depend
        // on that order.
        let chain = ParsedCertificate::try_from(end_entity).and_then(|certificate| {
            verify_server_cert_signed_by_trust_anchor(
                &certificate,
                roots,
                intermediates,
                now,
                provider.signature_verification_algorithms.all,
            )
        });
        chain.is_ok() && names.accepts(&server_name.to_str(), end_entity)
    }
}

tokio::task_local! {
    /// Certificate that was rejected during one handshake. All attempts share one verifier, because
    /// rustls resumes a session only under the verifier that it began with; `recorded` sets a record
    /// of its own for each handshake.
    static REJECTED: RefCell<Option<PeerCertificate>>;
}

/// Runs a handshake and returns the certificate that was rejected during it, if there was one.
pub(super) async fn recorded<T>(
    handshake: impl Future<Output = T>,
) -> (T, Option<PeerCertificate>) {
    // The record is read within its scope, right after the handshake: outside of it there is none.
    let recorded = async {
        let outcome = handshake.await;
        (outcome, REJECTED.with(RefCell::take))
    };
    REJECTED.scope(RefCell::new(None), recorded).await
}

impl ServerCertVerifier for RecordingVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verified = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        let Err(error) = &verified else {
            return verified;
        };
        if self.is_accepted_by_name(error, end_entity, intermediates, server_name, now) {
            return Ok(ServerCertVerified::assertion());
        }
        // Outside of `recorded` there is no record.
        let _ = REJECTED.try_with(|rejected| rejected.replace(PeerCertificate::read(end_entity)));
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.verifier.requires_raw_public_keys()
    }

    fn root_hint_subjects(&self) -> Option<&[DistinguishedName]> {
        self.verifier.root_hint_subjects()
    }
}

/// Verifier that accepts any certificate, for
/// [`ServerVerification::Disabled`](super::ServerVerification::Disabled).
///
/// The signatures of the handshake are verified: the server has the key of its certificate.
#[derive(Debug)]
pub(super) struct UnverifiedServer {
    provider: Arc<CryptoProvider>,
}

impl UnverifiedServer {
    pub(super) fn new(provider: Arc<CryptoProvider>) -> Self {
        Self { provider }
    }
}

impl ServerCertVerifier for UnverifiedServer {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
