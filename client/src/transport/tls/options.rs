//! `TlsOptions`: options of TLS, and their errors.

use std::fmt;

use tokio_rustls::rustls::{self, SupportedProtocolVersion};

use super::client_certificate::ClientCertificate;
use super::cryptography::Cryptography;
use super::key_log::KeyLog;
use super::options_error::TlsOptionsError;
use super::roots::Roots;
use super::verification::ServerVerification;

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

static ONLY_1_3: [&SupportedProtocolVersion; 1] = [&rustls::version::TLS13];
