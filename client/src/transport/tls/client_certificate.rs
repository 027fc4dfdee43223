//! `ClientCertificate`: certificate by which the client authenticates itself to a server.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{self, InconsistentKeys};

use super::certificate::PeerCertificate;
use super::options::TlsOptionsError;
use super::pem::PemFile;

/// Certificate chain with its private key.
#[derive(Clone)]
pub struct ClientCertificate(Arc<CertifiedKey>);

impl ClientCertificate {
    /// Reads a chain, the client's own certificate first, and its private key, which may be in the same
    /// file.
    ///
    /// # Errors
    /// [`TlsOptionsError::Unreadable`] and [`TlsOptionsError::MalformedPem`] for either file;
    /// [`TlsOptionsError::NoCertificate`] and [`TlsOptionsError::InvalidCertificate`] for the chain;
    /// [`TlsOptionsError::NoPrivateKey`], [`TlsOptionsError::EncryptedPrivateKey`] and
    /// [`TlsOptionsError::UnusablePrivateKey`] for the key; [`TlsOptionsError::KeyMismatch`] if the key
    /// isn't that of the first certificate.
    pub fn from_pem_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsOptionsError> {
        let (certificate, key) = (certificate.as_ref(), key.as_ref());
        let chain = PemFile::read(certificate)?.certificates()?;
        let private_key = PemFile::read(key)?.private_key()?;
        Self::of(chain, private_key, certificate, key)
    }

    /// Chain and private key in DER.
    ///
    /// # Errors
    /// [`TlsOptionsError::NoCertificate`] if the chain is empty,
    /// [`TlsOptionsError::InvalidCertificate`] if its first certificate isn't X.509,
    /// [`TlsOptionsError::UnusablePrivateKey`] if the key can't be used,
    /// [`TlsOptionsError::KeyMismatch`] if it isn't that of the first certificate. The paths in these
    /// errors are empty.
    pub fn from_der(
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Self, TlsOptionsError> {
        Self::of(chain, key, Path::new(""), Path::new(""))
    }

    fn of(
        chain: Vec<CertificateDer<'static>>,
        private_key: PrivateKeyDer<'static>,
        certificate: &Path,
        key: &Path,
    ) -> Result<Self, TlsOptionsError> {
        // rustls would accept an empty chain, and the server would see a client without
        // certificate.
        if chain.is_empty() {
            return Err(TlsOptionsError::NoCertificate {
                path: certificate.to_owned(),
            });
        }
        // Parse the key and check that it belongs to the first certificate. A mismatch names both
        // files, because either may be the wrong one.
        match CertifiedKey::from_der(chain, private_key, &super::crypto_provider()) {
            Ok(certified) => Ok(Self(Arc::new(certified))),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(TlsOptionsError::KeyMismatch {
                    certificate: certificate.to_owned(),
                    key: key.to_owned(),
                })
            }
            Err(rustls::Error::InvalidCertificate(_)) => Err(TlsOptionsError::InvalidCertificate {
                path: certificate.to_owned(),
                position: 1,
            }),
            Err(error) => Err(TlsOptionsError::UnusablePrivateKey {
                path: key.to_owned(),
                detail: error.to_string(),
            }),
        }
    }

    pub(super) fn resolver(&self) -> Arc<dyn ResolvesClientCert> {
        Arc::new(SingleCertAndKey::from(self.0.clone()))
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Debug shows whose certificate it is, and nothing of the key.
        let subject = self
            .0
            .cert
            .first()
            .and_then(|leaf| PeerCertificate::read(leaf))
            .map(|leaf| leaf.subject);
        f.debug_struct("ClientCertificate")
            .field("subject", &subject)
            .finish_non_exhaustive()
    }
}
