//! `ServerVerification`: extent to which the certificate of a server is verified.

use std::fmt;
use std::sync::Arc;

use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use super::certificate::host_of;

/// Extent to which the certificate of a server is verified.
///
/// In every case the server must prove that it has the private key of its certificate.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum ServerVerification {
    /// The certificate must be issued by a trusted authority, be valid today, and name the host in
    /// a Subject Alternative Name (RFC 6125).
    #[default]
    Full,
    /// Like `Full`; a certificate that doesn't name the host is accepted if the function says so.
    ///
    /// Whoever gets a certificate of a trusted authority that the function accepts can pose as the
    /// server, so the function should be strict, and the authority be a private one.
    OrName(NameVerifier),
    /// Any certificate is accepted. Nobody can read the connection by listening alone, but anybody
    /// who can redirect it can pose as the server, read and change everything. For tests alone.
    Disabled,
}

/// Function that decides on certificates that don't name the host in a Subject Alternative Name.
///
/// ```
/// use dunlin_client::transport::{NameVerifier, ServerVerification, TlsOptions};
///
/// // An old test server whose certificate has the host name only as its Common Name.
/// let options = TlsOptions {
///     verification: ServerVerification::OrName(NameVerifier::common_name()),
///     ..Default::default()
/// };
/// # assert!(format!("{options:?}").contains("NameVerifier"));
/// ```
#[derive(Clone)]
pub struct NameVerifier(Arc<dyn Fn(&PresentedNames<'_>) -> bool + Send + Sync>);

/// Names of a certificate that doesn't name the host. The certificate is valid otherwise.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct PresentedNames<'a> {
    /// Host name or IP address that the client connects to, or
    /// [`TlsOptions::server_name`](super::TlsOptions::server_name).
    pub host: &'a str,
    /// First Common Name of the subject, as it is in the certificate; `None` if it has none.
    pub common_name: Option<&'a str>,
    /// Host names and IP addresses of the Subject Alternative Name.
    pub alternative_names: &'a [String],
    /// Certificate in DER.
    pub certificate: &'a [u8],
}

impl NameVerifier {
    /// Verifier that accepts a certificate if `accepts` returns `true`.
    ///
    /// `accepts` is called during the handshake, on the client's task, and must not block.
    #[must_use]
    pub fn new(accepts: impl Fn(&PresentedNames<'_>) -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(accepts))
    }

    /// Verifier that accepts the host as the Common Name of a certificate that has no Subject
    /// Alternative Name with a host or an address, as clients did before RFC 6125. Wildcards are
    /// not accepted; upper and lower case are the same.
    #[must_use]
    pub fn common_name() -> Self {
        Self::new(|names| {
            names.alternative_names.is_empty()
                && names
                    .common_name
                    .is_some_and(|name| name.eq_ignore_ascii_case(names.host))
        })
    }

    /// Asks the function about a certificate in DER; `false` if it can't be read.
    pub(super) fn accepts(&self, host: &str, der: &[u8]) -> bool {
        let Ok((_, certificate)) = X509Certificate::from_der(der) else {
            return false;
        };
        // A Subject Alternative Name that can't be read must not count as none.
        let Ok(extension) = certificate.subject_alternative_name() else {
            return false;
        };
        let alternative_names: Vec<String> = extension
            .map(|names| &names.value.general_names)
            .into_iter()
            .flatten()
            .filter_map(host_of)
            .collect();
        let common_name = certificate
            .subject()
            .iter_common_name()
            .next()
            .and_then(|name| name.as_str().ok());
        (self.0)(&PresentedNames {
            host,
            common_name,
            alternative_names: &alternative_names,
            certificate: der,
        })
    }
}

impl fmt::Debug for NameVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NameVerifier").finish_non_exhaustive()
    }
}
