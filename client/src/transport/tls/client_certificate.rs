//! `ClientCertificate`: certificate by which the client authenticates itself to a server.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::client::ResolvesClientCert;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{self, InconsistentKeys};

use super::certificate::PeerCertificate;
use super::cryptography::Cryptography;
use super::options_error::TlsOptionsError;
use super::pem::PemFile;
use crate::error::IoFault;
#[cfg(feature = "encrypted-keys")]
use crate::secret::Secret;

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
        let certificate = PemFile::read(certificate.as_ref())?;
        let key = PemFile::read(key.as_ref())?;
        Self::of_pem(&certificate, &key, PemFile::private_key)
    }

    /// Reads a chain and its private key in PEM from memory.
    ///
    /// # Errors
    /// Like [`from_pem_files`](Self::from_pem_files), with empty paths, but for
    /// [`TlsOptionsError::Unreadable`].
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, TlsOptionsError> {
        Self::of_pem(
            &PemFile::of(certificate),
            &PemFile::of(key),
            PemFile::private_key,
        )
    }

    /// Like [`from_pem_files`](Self::from_pem_files), for a private key that may be encrypted
    /// (PKCS#8): `password` is then called once. Deriving the key from the password may take a part
    /// of a second.
    ///
    /// ```no_run
    /// use dunlin_client::transport::ClientCertificate;
    ///
    /// let password = || Some(std::env::var("KEY_PASSWORD").ok()?.into_bytes().into());
    /// let certificate =
    ///     ClientCertificate::from_pem_files_with_password("cert.pem", "key.pem", password)?;
    /// # Ok::<(), dunlin_client::transport::TlsOptionsError>(())
    /// ```
    ///
    /// # Errors
    /// Like [`from_pem_files`](Self::from_pem_files); [`TlsOptionsError::EncryptedPrivateKey`] if
    /// `password` returns `None`, or for the encryption of older PEM files (`Proc-Type`);
    /// [`TlsOptionsError::WrongKeyPassword`].
    #[cfg(feature = "encrypted-keys")]
    pub fn from_pem_files_with_password(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
        password: impl FnOnce() -> Option<Secret<Vec<u8>>>,
    ) -> Result<Self, TlsOptionsError> {
        let certificate = PemFile::read(certificate.as_ref())?;
        let key = PemFile::read(key.as_ref())?;
        Self::of_pem(&certificate, &key, |key| decrypted(key, password))
    }

    /// Like [`from_pem_files_with_password`](Self::from_pem_files_with_password), from memory.
    ///
    /// # Errors
    /// Like [`from_pem`](Self::from_pem); [`TlsOptionsError::EncryptedPrivateKey`] if `password`
    /// returns `None`, or for the encryption of older PEM files (`Proc-Type`);
    /// [`TlsOptionsError::WrongKeyPassword`].
    #[cfg(feature = "encrypted-keys")]
    pub fn from_pem_with_password(
        certificate: &[u8],
        key: &[u8],
        password: impl FnOnce() -> Option<Secret<Vec<u8>>>,
    ) -> Result<Self, TlsOptionsError> {
        let (certificate, key) = (PemFile::of(certificate), PemFile::of(key));
        Self::of_pem(&certificate, &key, |key| decrypted(key, password))
    }

    /// Reads one certificate and its private key (PKCS#8, PKCS#1 or SEC1) from files in DER.
    ///
    /// # Errors
    /// [`TlsOptionsError::Unreadable`] for either file, [`TlsOptionsError::InvalidCertificate`],
    /// [`TlsOptionsError::UnusablePrivateKey`] and [`TlsOptionsError::KeyMismatch`].
    pub fn from_der_files(
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsOptionsError> {
        let (certificate, key) = (certificate.as_ref(), key.as_ref());
        let chain = vec![CertificateDer::from(read(certificate)?)];
        let private_key = PrivateKeyDer::try_from(read(key)?).map_err(|detail| {
            TlsOptionsError::UnusablePrivateKey {
                path: key.to_owned(),
                detail: detail.to_owned(),
            }
        })?;
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

    /// Chain and private key in PEM; `private_key` takes the key out of its text.
    fn of_pem(
        certificate: &PemFile,
        key: &PemFile,
        private_key: impl FnOnce(&PemFile) -> Result<PrivateKeyDer<'static>, TlsOptionsError>,
    ) -> Result<Self, TlsOptionsError> {
        let chain = certificate.certificates()?;
        Self::of(chain, private_key(key)?, certificate.path(), key.path())
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
        match CertifiedKey::from_der(chain, private_key, &Cryptography::default().provider()) {
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

/// Private key in PEM, decrypted if it is encrypted.
#[cfg(feature = "encrypted-keys")]
fn decrypted(
    key: &PemFile,
    password: impl FnOnce() -> Option<Secret<Vec<u8>>>,
) -> Result<PrivateKeyDer<'static>, TlsOptionsError> {
    let Some(encrypted) = key.encrypted_key()? else {
        return key.private_key();
    };
    let path = key.path();
    let password = password().ok_or_else(|| TlsOptionsError::EncryptedPrivateKey {
        path: path.to_owned(),
    })?;
    super::encrypted_key::decrypt(&encrypted, password.expose(), path)
}

/// Bytes of a file.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, TlsOptionsError> {
    std::fs::read(path).map_err(|error| TlsOptionsError::Unreadable {
        path: path.to_owned(),
        fault: IoFault::from(&error),
    })
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
