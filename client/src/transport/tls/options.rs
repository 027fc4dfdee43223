//! `TlsOptions`: what TLS is told, and why it can't be done.

use std::fmt;
use std::path::PathBuf;

use dunlin_codec::Escaped;
use tokio_rustls::rustls::{self, SupportedProtocolVersion};

use super::client_certificate::ClientCertificate;
use super::roots::Roots;
use crate::error::IoFault;

/// What TLS is told. SNI is always sent; the server's certificate is always verified.
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
    /// The ALPN protocols to offer, the most wanted first. A server that selects none of them is
    /// still connected to: [`TlsInfo::alpn_selected`](super::TlsInfo::alpn_selected) tells.
    pub alpn: Vec<Vec<u8>>,
    /// What we show to a server that asks for it.
    pub client_certificate: Option<ClientCertificate>,
    /// The lowest version to agree to.
    pub min_version: TlsVersion,
}

impl TlsOptions {
    pub(super) fn alpn_protocols(&self) -> Result<Vec<Vec<u8>>, TlsOptionsError> {
        match self
            .alpn
            .iter()
            .map(Vec::len)
            .find(|length| !(1..=255).contains(length))
        {
            Some(length) => Err(TlsOptionsError::InvalidAlpn { length }),
            None => Ok(self.alpn.clone()),
        }
    }
}

/// A version of TLS.
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

/// Files or settings that make no TLS configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsOptionsError {
    /// The file can't be read.
    #[error("cannot read {}: {fault}", Escaped(path.display()))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        fault: IoFault,
    },
    /// A section of the file isn't PEM.
    #[error("{} is not valid PEM: {}", Escaped(path.display()), Escaped(detail))]
    MalformedPem {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        detail: String,
    },
    /// No `BEGIN CERTIFICATE` is in it.
    #[error("{} contains no certificate", Escaped(path.display()))]
    NoCertificate {
        /// The file.
        path: PathBuf,
    },
    /// What stands between `BEGIN CERTIFICATE` and `END CERTIFICATE` is none.
    #[error("certificate {position} in {} is not valid", Escaped(path.display()))]
    InvalidCertificate {
        /// The file.
        path: PathBuf,
        /// Which certificate of it, from 1.
        position: usize,
    },
    /// No private key is in it.
    #[error("{} contains no private key", Escaped(path.display()))]
    NoPrivateKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key is protected by a passphrase.
    #[error("the private key in {} is encrypted", Escaped(path.display()))]
    EncryptedPrivateKey {
        /// The file.
        path: PathBuf,
    },
    /// The private key can't be used.
    #[error("the private key in {} cannot be used: {}", Escaped(path.display()), Escaped(detail))]
    UnusablePrivateKey {
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
    /// The private key is another certificate's.
    #[error("the private key in {} does not belong to the certificate in {}", Escaped(key.display()), Escaped(certificate.display()))]
    KeyMismatch {
        /// The certificate's file.
        certificate: PathBuf,
        /// The private key's file.
        key: PathBuf,
    },
    /// There is nobody whose word could be taken for the server.
    #[error("there is no root certificate to trust")]
    NoRoots,
    /// An ALPN protocol has 1 to 255 bytes.
    #[error("an ALPN protocol has 1 to 255 bytes, not {length}")]
    InvalidAlpn {
        /// How many it has.
        length: usize,
    },
    /// The cryptography can't do what is asked for.
    #[error("unsupported: {}", Escaped(detail))]
    Unsupported {
        /// What it can't do.
        detail: String,
    },
}

static ONLY_1_3: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
