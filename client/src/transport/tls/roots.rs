//! `Roots`: certificate authorities that are trusted for the server.

use std::fmt;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use tokio_rustls::rustls::RootCertStore;

use super::client_certificate::read;
use super::options_error::TlsOptionsError;
use super::pem::PemFile;
use crate::error::RootsTried;

/// Certificate authorities that are trusted for the server.
///
/// A CA file of a user replaces the authorities of the web (`Only`), as with `mosquitto_pub --cafile`
/// and the AWS SDKs: a user who names the authority of a private server means that one alone.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Roots {
    /// Authorities that Mozilla trusts, compiled in; those of Amazon are among them.
    #[default]
    WebPki,
    /// Only these authorities.
    Only(CaBundle),
    /// These authorities and those of the web.
    WebPkiAnd(CaBundle),
}

impl From<CaBundle> for Roots {
    fn from(bundle: CaBundle) -> Self {
        Self::Only(bundle)
    }
}

impl TryFrom<&Path> for Roots {
    type Error = TlsOptionsError;

    /// Like [`from_pem_file`](Self::from_pem_file).
    fn try_from(path: &Path) -> Result<Self, TlsOptionsError> {
        Self::from_pem_file(path)
    }
}

impl Roots {
    /// Only the authorities in a PEM file, which is read now.
    ///
    /// ```no_run
    /// use dunlin_client::transport::{Roots, TlsOptions};
    ///
    /// let options = TlsOptions { roots: Roots::from_pem_file("ca.pem")?, ..Default::default() };
    /// # Ok::<(), dunlin_client::transport::TlsOptionsError>(())
    /// ```
    ///
    /// # Errors
    /// Like [`CaBundle::from_pem_file`].
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, TlsOptionsError> {
        CaBundle::from_pem_file(path).map(Self::Only)
    }

    pub(super) fn to_store(&self) -> (RootCertStore, RootsTried) {
        // The two numbers are kept for the error of an unknown issuer: they tell a missing CA file
        // from a wrong one.
        let mut store = RootCertStore::empty();
        if let Self::WebPki | Self::WebPkiAnd(_) = self {
            store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        let web = store.len();
        let mut file = None;
        if let Self::Only(bundle) | Self::WebPkiAnd(bundle) = self {
            store.extend(bundle.roots.roots.iter().cloned());
            file.clone_from(&bundle.path);
        }
        let own = store.len() - web;
        (store, RootsTried { web, own, file })
    }
}

/// Certificates of authorities, all well-formed.
#[derive(Clone)]
pub struct CaBundle {
    roots: RootCertStore,
    path: Option<PathBuf>,
}

impl CaBundle {
    /// All certificates of a PEM file, which is read now.
    ///
    /// # Errors
    /// [`TlsOptionsError::Unreadable`] if the file can't be read, [`TlsOptionsError::MalformedPem`] if
    /// it isn't PEM, [`TlsOptionsError::NoCertificate`] if it has no certificate,
    /// [`TlsOptionsError::InvalidCertificate`] if one of them can't be an authority.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, TlsOptionsError> {
        let path = path.as_ref();
        let certificates = PemFile::read(path)?.certificates()?;
        Self::of(certificates, Some(path.to_owned()))
    }

    /// All certificates in PEM, from memory.
    ///
    /// # Errors
    /// Like [`from_pem_file`](Self::from_pem_file), with empty paths, but for
    /// [`TlsOptionsError::Unreadable`].
    pub fn from_pem(pem: &[u8]) -> Result<Self, TlsOptionsError> {
        Self::of(PemFile::of(pem).certificates()?, None)
    }

    /// Certificate in a DER file, which is read now.
    ///
    /// # Errors
    /// [`TlsOptionsError::Unreadable`] if the file can't be read,
    /// [`TlsOptionsError::InvalidCertificate`] if it can't be an authority.
    pub fn from_der_file(path: impl AsRef<Path>) -> Result<Self, TlsOptionsError> {
        let path = path.as_ref();
        let certificate = CertificateDer::from(read(path)?);
        Self::of([certificate], Some(path.to_owned()))
    }

    /// Authorities that the operating system trusts, read now: those of Linux's certificate folders
    /// (or of `SSL_CERT_FILE` and `SSL_CERT_DIR`), of macOS's keychain, of Windows' store.
    ///
    /// Certificates that aren't well-formed are left out, because every system has some.
    ///
    /// # Errors
    /// [`TlsOptionsError::NoRoots`] if there is none.
    #[cfg(feature = "platform-roots")]
    pub fn from_platform() -> Result<Self, TlsOptionsError> {
        let found = rustls_native_certs::load_native_certs();
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            return Err(TlsOptionsError::NoRoots);
        }
        Ok(Self { roots, path: None })
    }

    /// Certificates in DER, from memory.
    ///
    /// # Errors
    /// [`TlsOptionsError::InvalidCertificate`], with an empty path, if one of them can't be an
    /// authority.
    pub fn from_der(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
    ) -> Result<Self, TlsOptionsError> {
        Self::of(certificates, None)
    }

    fn of(
        certificates: impl IntoIterator<Item = CertificateDer<'static>>,
        path: Option<PathBuf>,
    ) -> Result<Self, TlsOptionsError> {
        let mut roots = RootCertStore::empty();
        // One unusable certificate fails the whole file: skipping it would show up much later, as a
        // server that isn't trusted.
        for (index, certificate) in certificates.into_iter().enumerate() {
            if roots.add(certificate).is_err() {
                let path = path.unwrap_or_default();
                return Err(TlsOptionsError::InvalidCertificate {
                    path,
                    position: index + 1,
                });
            }
        }
        Ok(Self { roots, path })
    }
}

impl fmt::Debug for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaBundle")
            .field("count", &self.roots.len())
            .field("path", &self.path)
            .finish()
    }
}
