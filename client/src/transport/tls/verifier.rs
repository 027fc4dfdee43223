//! `RecordingVerifier`: rustls' verifier, and a note of the certificate that it rejected.

use std::cell::RefCell;
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::certificate::PeerCertificate;

/// Every verdict is rustls' own. All this adds is the rejected certificate: an error of rustls
/// doesn't hold it, and a connection that fails doesn't show it.
#[derive(Debug)]
pub(super) struct RecordingVerifier {
    verifier: Arc<WebPkiServerVerifier>,
}

impl RecordingVerifier {
    pub(super) fn new(verifier: Arc<WebPkiServerVerifier>) -> Self {
        Self { verifier }
    }
}

tokio::task_local! {
    /// All attempts share one verifier, for rustls resumes a session only under the one that it began with. The record
    /// is of one attempt: whatever rustls verifies while `recorded` polls its handshake is that handshake's.
    static REJECTED: RefCell<Option<PeerCertificate>>;
}

/// Runs a handshake and gives back the certificate that was rejected during it, if there was one.
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
        let verdict = self.verifier.verify_server_cert(
            end_entity,
            intermediates,
            server_name,
            ocsp_response,
            now,
        );
        if verdict.is_err() {
            // Outside of `recorded` nobody asks for it.
            let _ =
                REJECTED.try_with(|rejected| rejected.replace(PeerCertificate::read(end_entity)));
        }
        verdict
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
