//! `Roots`: whose word is taken for the server.

use std::fmt;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use tokio_rustls::rustls::RootCertStore;

use super::options::TlsOptionsError;
use super::pem::PemFile;
use crate::error::RootsTried;

/// Whose word is taken for the server.
///
/// A CA file that a user names takes the place of the web's authorities (`Only`), as with
/// `mosquitto_pub --cafile` and the AWS SDKs: who names the authority of a private server means
/// that one and no other.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Roots {
    /// The authorities that Mozilla trusts, compiled in. Amazon's are among them.
    #[default]
    WebPki,
    /// These and no others.
    Only(CaBundle),
    /// These besides the web's.
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
    /// The authorities in a PEM file, and no others. Reads the file here and now.
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

/// Certificates of authorities, of which each one is readable.
#[derive(Clone)]
pub struct CaBundle {
    roots: RootCertStore,
    path: Option<PathBuf>,
}

impl CaBundle {
    /// All certificates of a PEM file. Reads the file here and now.
    pub fn from_pem_file(path: impl AsRef<Path>) -> Result<Self, TlsOptionsError> {
        let path = path.as_ref();
        let certificates = PemFile::read(path)?.certificates()?;
        Self::of(certificates, Some(path.to_owned()))
    }

    /// Certificates in DER.
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
