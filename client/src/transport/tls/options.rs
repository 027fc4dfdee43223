//! `TlsOptions`: options of TLS, and their errors.

use std::fmt;
use std::path::{Path, PathBuf};

use dunlin_codec::{Escaped, Quoted};
use tokio_rustls::rustls::{self, SupportedProtocolVersion};

use super::client_certificate::ClientCertificate;
use super::cryptography::Cryptography;
use super::key_log::KeyLog;
use super::roots::Roots;
use super::verification::ServerVerification;
use crate::error::IoFault;

/// Options of TLS. SNI is always sent for a host name.
///
/// ```
/// use dunlin_client::transport::{TlsConnector, TlsOptions};
///
/// let options = TlsOptions { alpn: vec![b"mqtt".to_vec()], ..Default::default() };
/// let connector = TlsConnector::new(&options)?;
/// # Ok::<(), dunlin_client::transport::TlsOptionsError>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// Certificate authorities that the server's certificate may be issued by. Default: those that
    /// Mozilla trusts.
    pub roots: Roots,
    /// ALPN protocols to offer, in order of preference. Default: none. The client connects to a server
    /// that selects none of them, too: [`TlsInfo::alpn_selected`](super::TlsInfo::alpn_selected) tells.
    pub alpn: Vec<Vec<u8>>,
    /// Client certificate for servers that ask for one. Default: `None`.
    pub client_certificate: Option<ClientCertificate>,
    /// Library that does the cryptography. Default: aws-lc, or ring if only that one is compiled in.
    pub cryptography: Cryptography,
    /// Minimum version of TLS. Default: TLS 1.2; older versions are not supported.
    pub min_version: TlsVersion,
    /// Name that is sent as SNI and that the server's certificate must have. Default: `None`, which
    /// means [`TransportOptions::host`](crate::transport::TransportOptions::host).
    pub server_name: Option<String>,
    /// Extent to which the server's certificate is verified. Default: in full.
    pub verification: ServerVerification,
    /// File that secrets of each connection are written to, for debugging. Default: `None`.
    pub key_log: Option<KeyLog>,
}

impl TlsOptions {
    /// ALPN protocols to offer, checked.
    ///
    /// # Errors
    /// [`TlsOptionsError::InvalidAlpn`].
    pub(super) fn alpn_protocols(&self) -> Result<Vec<Vec<u8>>, TlsOptionsError> {
        match self
            .alpn
            .iter()
            .map(Vec::len)
            // The length is one byte in the ClientHello, and an empty name is forbidden (RFC 7301,
            // section 3.1). rustls doesn't check either.
            .find(|length| !(1..=255).contains(length))
        {
            Some(length) => Err(TlsOptionsError::InvalidAlpn { length }),
            None => Ok(self.alpn.clone()),
        }
    }
}

/// Version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[non_exhaustive]
pub enum TlsVersion {
    /// TLS 1.2.
    #[default]
    V1_2,
    /// TLS 1.3.
    V1_3,
}

impl TlsVersion {
    /// This version and those after it.
    pub(super) fn and_later(self) -> &'static [&'static SupportedProtocolVersion] {
        match self {
            Self::V1_2 => rustls::ALL_VERSIONS,
            Self::V1_3 => &ONLY_1_3,
        }
    }
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1_2 => "TLSv1.2",
            Self::V1_3 => "TLSv1.3",
        })
    }
}

/// Error of files or options from which no TLS configuration can be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsOptionsError {
    /// The file can't be read.
    #[error("cannot read {}: {fault}", named(path))]
    Unreadable {
        /// Path of the file; empty for bytes in memory.
        path: PathBuf,
        /// Fault.
        fault: IoFault,
    },
    /// A section of the file isn't PEM.
    #[error("{} is not valid PEM: {}", named(path), Escaped(detail))]
    MalformedPem {
        /// Path of the file; empty for bytes in memory.
        path: PathBuf,
        /// Fault, in words.
        detail: String,
    },
    /// The file has no certificate (`BEGIN CERTIFICATE`).
    #[error("no certificate in {}", named(path))]
    NoCertificate {
        /// Path of the file; empty for bytes in memory.
        path: PathBuf,
    },
    /// The content of a section `BEGIN CERTIFICATE` is no certificate.
    #[error("certificate {position} in {} is not valid", named(path))]
    InvalidCertificate {
        /// Path of the file; empty for bytes in memory.
        path: PathBuf,
        /// Number of the certificate in the file, from 1.
        position: usize,
    },
    /// The file has no private key.
    #[error("no private key in {}", named(path))]
    NoPrivateKey {
        /// Path of the file; empty for bytes in memory.
        path: PathBuf,
    },
    /// The private key is encrypted, and no password was given, or the encryption isn't that of
    /// PKCS#8.
    #[error("the private key in {} is encrypted", named(path))]
    EncryptedPrivateKey {
        /// Path of the file; empty for bytes in memory.
        path: PathBuf,
    },
    /// The password of the encrypted private key is wrong.
    #[error("the password for the private key in {} is wrong", named(path))]
    WrongKeyPassword {
        /// Path of the file; empty for bytes in memory.
        path: PathBuf,
    },
    /// The private key can't be used.
    #[error(
        "the private key in {} cannot be used: {}",
        named(path),
        Escaped(detail)
    )]
    UnusablePrivateKey {
        /// Path of the file; empty for bytes in memory.
        path: PathBuf,
        /// Fault.
        detail: String,
    },
    /// The private key doesn't belong to the certificate.
    #[error(
        "the private key in {} does not belong to the certificate in {}",
        named(key),
        named(certificate)
    )]
    KeyMismatch {
        /// File of the certificate.
        certificate: PathBuf,
        /// File of the private key.
        key: PathBuf,
    },
    /// The list of trusted authorities is empty.
    #[error("there is no root certificate to trust")]
    NoRoots,
    /// The name of an ALPN protocol must have 1 to 255 bytes.
    #[error("an ALPN protocol has 1 to 255 bytes, not {length}")]
    InvalidAlpn {
        /// Number of bytes of the name.
        length: usize,
    },
    /// The name for SNI is neither a DNS name nor an IP address.
    #[error("{} is neither a host name nor an IP address", Quoted(name))]
    InvalidServerName {
        /// Name as given.
        name: String,
    },
    /// The file for TLS secrets can't be opened.
    #[error("cannot write to {}: {fault}", named(path))]
    KeyLog {
        /// Path of the file; empty for bytes in memory.
        path: PathBuf,
        /// Fault.
        fault: IoFault,
    },
    /// The cryptographic library doesn't support the options.
    #[error("unsupported: {}", Escaped(detail))]
    Unsupported {
        /// Message of rustls.
        detail: String,
    },
}

/// Path for an error, escaped; "the given bytes" for an empty one.
fn named(path: &Path) -> String {
    if path.as_os_str().is_empty() {
        return "the given bytes".to_owned();
    }
    Escaped(path.display()).to_string()
}

static ONLY_1_3: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
