//! `CertificateFiles`: a provider that picks up a client certificate that was replaced on disk.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use dunlin_client::transport::{ClientCertificate, Roots, TlsConnector, TlsOptions};
use dunlin_client::{ConnectProvider, NextAttempt, Provided, ProviderError};

/// Certificate chain and private key in PEM files that another program replaces.
pub(crate) struct CertificateFiles {
    certificate: PathBuf,
    key: PathBuf,
    /// Certificate authorities to trust for the server.
    pub(crate) roots: Roots,
    loaded: Mutex<Option<Loaded>>,
}

/// The connector of the files' content at the last attempt.
struct Loaded {
    content: (Vec<u8>, Vec<u8>),
    connector: Arc<TlsConnector>,
}

impl CertificateFiles {
    /// A provider that reads these files before every attempt.
    pub(crate) fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        let (certificate, key) = (certificate.into(), key.into());
        Self {
            certificate,
            key,
            roots: Roots::default(),
            loaded: Mutex::new(None),
        }
    }

    fn connector(&self) -> Result<Arc<TlsConnector>, ProviderError> {
        // The files are small: reading them here takes less time than handing them to another
        // thread.
        let content = (std::fs::read(&self.certificate), std::fs::read(&self.key));
        let (Ok(certificate), Ok(key)) = content else {
            return Err(ProviderError::retryable(
                "the certificate or its key cannot be read",
            ));
        };
        let content = (certificate, key);
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);

        // The same files mean the same connector, so that TLS sessions resume.
        if let Some(loaded) = loaded.as_ref().filter(|loaded| loaded.content == content) {
            return Ok(Arc::clone(&loaded.connector));
        }

        // A certificate without its key yet: the files are being replaced. Another attempt finds
        // them whole.
        let certificate = ClientCertificate::from_pem_files(&self.certificate, &self.key)
            .map_err(ProviderError::retryable)?;
        let options = TlsOptions {
            roots: self.roots.clone(),
            client_certificate: Some(certificate),
            ..TlsOptions::default()
        };
        let connector = Arc::new(TlsConnector::new(&options).map_err(ProviderError::fatal)?);
        *loaded = Some(Loaded {
            content,
            connector: Arc::clone(&connector),
        });
        Ok(connector)
    }
}

impl ConnectProvider for CertificateFiles {
    fn provide(&self, attempt: NextAttempt) -> Provided<'_> {
        Box::pin(async move {
            let mut target = attempt.target;
            target.transport.tls = Some(self.connector()?);
            Ok(target)
        })
    }
}
