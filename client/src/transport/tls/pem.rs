//! PEM from files and from memory, with errors that name the file.

use std::path::{Path, PathBuf};

use rustls_pki_types::pem::{self, PemObject};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::options_error::TlsOptionsError;
use crate::error::IoFault;

/// Text in PEM, zeroed after use: a private key may be in it.
pub(super) struct PemFile {
    /// Path for errors; empty for bytes in memory.
    path: PathBuf,
    bytes: Zeroizing<Vec<u8>>,
}

impl PemFile {
    /// Reads a file whole.
    ///
    /// # Errors
    /// [`TlsOptionsError::Unreadable`].
    pub(super) fn read(path: &Path) -> Result<Self, TlsOptionsError> {
        match std::fs::read(path) {
            Ok(bytes) => Ok(Self {
                path: path.to_owned(),
                bytes: bytes.into(),
            }),
            Err(error) => Err(TlsOptionsError::Unreadable {
                path: path.to_owned(),
                fault: IoFault::from(&error),
            }),
        }
    }

    /// PEM in memory.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self {
            path: PathBuf::new(),
            bytes: bytes.to_vec().into(),
        }
    }

    /// All certificates, at least one.
    ///
    /// # Errors
    /// [`TlsOptionsError::MalformedPem`], or [`TlsOptionsError::NoCertificate`] if there is none.
    pub(super) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsOptionsError> {
        // Sections of other kinds, such as a private key in the same file, are skipped.
        let certificates = CertificateDer::pem_slice_iter(&self.bytes)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| self.malformed(&error))?;
        if certificates.is_empty() {
            return Err(TlsOptionsError::NoCertificate {
                path: self.path.clone(),
            });
        }
        Ok(certificates)
    }

    /// First private key: PKCS#8, PKCS#1 or SEC1.
    ///
    /// # Errors
    /// [`TlsOptionsError::EncryptedPrivateKey`], [`TlsOptionsError::NoPrivateKey`] or
    /// [`TlsOptionsError::MalformedPem`].
    pub(super) fn private_key(&self) -> Result<PrivateKeyDer<'static>, TlsOptionsError> {
        // Searched as text before parsing: the reader knows no encrypted keys and would say that
        // the file has none.
        if ENCRYPTED
            .iter()
            .any(|mark| self.bytes.windows(mark.len()).any(|window| window == *mark))
        {
            return Err(TlsOptionsError::EncryptedPrivateKey {
                path: self.path.clone(),
            });
        }
        PrivateKeyDer::from_pem_slice(&self.bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => TlsOptionsError::NoPrivateKey {
                path: self.path.clone(),
            },
            error => self.malformed(&error),
        })
    }

    /// First encrypted private key in PKCS#8, in DER; `None` if there is none.
    ///
    /// # Errors
    /// [`TlsOptionsError::MalformedPem`].
    #[cfg(feature = "encrypted-keys")]
    pub(super) fn encrypted_key(&self) -> Result<Option<Zeroizing<Vec<u8>>>, TlsOptionsError> {
        use base64::Engine as _;
        use base64::engine::general_purpose::STANDARD;

        // The reader of rustls doesn't know this kind of section.
        let text = String::from_utf8_lossy(&self.bytes);
        let Some((_, section)) = text.split_once("-----BEGIN ENCRYPTED PRIVATE KEY-----") else {
            return Ok(None);
        };
        let Some((body, _)) = section.split_once("-----END ENCRYPTED PRIVATE KEY-----") else {
            return Err(self.malformed(&pem::Error::MissingSectionEnd {
                end_marker: Vec::new(),
            }));
        };
        let digits: Vec<u8> = body
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect();
        match STANDARD.decode(&digits) {
            Ok(der) => Ok(Some(der.into())),
            Err(_) => Err(TlsOptionsError::MalformedPem {
                path: self.path.clone(),
                detail: "a section is not base64".to_owned(),
            }),
        }
    }

    /// Path for errors; empty for bytes in memory.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Error for malformed PEM, in own words, because the reader's may quote a line of the file, which may be of a key.
    fn malformed(&self, error: &pem::Error) -> TlsOptionsError {
        let detail = match error {
            pem::Error::MissingSectionEnd { .. } => "an END line is missing",
            pem::Error::IllegalSectionStart { .. } => "a BEGIN line is malformed",
            pem::Error::Base64Decode(_) => "a section is not base64",
            _ => "it cannot be read",
        };
        TlsOptionsError::MalformedPem {
            path: self.path.clone(),
            detail: detail.to_owned(),
        }
    }
}

/// PKCS#8 says it in its label, the older forms in a header.
const ENCRYPTED: [&[u8]; 2] = [b"BEGIN ENCRYPTED PRIVATE KEY", b"Proc-Type: 4,ENCRYPTED"];
