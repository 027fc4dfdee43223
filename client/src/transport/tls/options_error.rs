//! `TlsOptionsError`: error of files or options from which no TLS configuration can be made.

use std::path::{Path, PathBuf};

use dunlin_codec::{Escaped, Quoted};

use crate::error::IoFault;

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
