//! `CertificateFault`: reason why a server's certificate was rejected.

use dunlin_codec::Escaped;
use tokio_rustls::rustls::CertificateError;

/// Reason why a certificate was rejected, other than its issuer, its names and its dates.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// The server presents the certificate of an authority (`CA:TRUE`) as its own.
    #[error("it is the certificate of an authority (CA:TRUE), not of a server")]
    AuthorityAsServer,
    /// A certificate that isn't one of an authority has signed another one.
    #[error("it is signed by a certificate that is not one of an authority (CA:FALSE)")]
    IssuerNotAuthority,
    /// X.509 version 1 or 2; TLS needs version 3.
    #[error("it is not X.509 version 3")]
    Version,
    /// The signature doesn't match the public key of the trusted issuer.
    #[error("its signature does not match the key of its issuer")]
    Signature,
    /// The signature algorithm isn't supported, such as SHA-1.
    #[error("its signature algorithm is not supported")]
    SignatureAlgorithm,
    /// The bytes aren't a well-formed certificate.
    #[error("it is malformed")]
    Malformed,
    /// The Extended Key Usage doesn't contain `serverAuth`.
    #[error("its Extended Key Usage does not allow servers (serverAuth)")]
    Purpose,
    /// A constraint of an authority in the chain excludes it: names, or the length of the path.
    #[error("an authority in its chain is not allowed to issue it")]
    Constraint,
    /// A critical extension isn't supported.
    #[error("it has a critical extension that is not supported")]
    CriticalExtension,
    /// The issuer has revoked it.
    #[error("it was revoked")]
    Revoked,
    /// Any other reason.
    #[error("{}", Escaped(.detail))]
    Other {
        /// Name of the error in rustls or webpki.
        detail: Box<str>,
    },
}

impl CertificateFault {
    pub(super) fn new(error: &CertificateError) -> Self {
        match error {
            CertificateError::BadEncoding => Self::Malformed,
            CertificateError::BadSignature => Self::Signature,
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
                Self::SignatureAlgorithm
            }
            CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
                Self::Purpose
            }
            CertificateError::UnhandledCriticalExtension => Self::CriticalExtension,
            CertificateError::Revoked => Self::Revoked,
            // rustls wraps webpki's error without exporting its type, so that only its name is
            // left to tell the variants apart.
            CertificateError::Other(other) => Self::from_webpki(&format!("{:?}", other.0)),
            other => Self::Other {
                detail: other.to_string().into(),
            },
        }
    }

    /// The variant for a name of `webpki::Error`.
    fn from_webpki(name: &str) -> Self {
        match name {
            "CaUsedAsEndEntity" => Self::AuthorityAsServer,
            "EndEntityUsedAsCa" => Self::IssuerNotAuthority,
            "UnsupportedCertVersion" => Self::Version,
            "NameConstraintViolation" | "PathLenConstraintViolated" => Self::Constraint,
            "UnsupportedCriticalExtension" => Self::CriticalExtension,
            "SignatureAlgorithmMismatch" => Self::Signature,
            "ExtensionValueInvalid" | "MalformedExtensions" | "InvalidSerialNumber" => {
                Self::Malformed
            }
            other => Self::Other {
                detail: other.into(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_webpki_is_known_by_its_name() {
        let fault = CertificateFault::from_webpki;
        assert_eq!(
            fault("CaUsedAsEndEntity"),
            CertificateFault::AuthorityAsServer
        );
        let other = fault("MaximumPathDepthExceeded");
        assert_eq!(other.to_string(), "MaximumPathDepthExceeded");
    }
}
