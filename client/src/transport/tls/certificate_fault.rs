//! Conversion of rustls's reasons for rejecting a certificate into [`CertificateFault`].

use tokio_rustls::rustls::CertificateError;

use crate::error::CertificateFault;

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
