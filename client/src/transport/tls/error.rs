//! Conversion of errors of rustls into [`TlsError`].

use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, InvalidMessage};

use super::certificate::PeerCertificate;
use crate::domains;
use crate::error::{CertificateFault, IoFault, RootsTried, TlsAlert, TlsError};

impl TlsError {
    /// TLS failure that an error of reading or writing stands for; `None` if it is another error.
    pub(in crate::transport) fn from_io(error: &io::Error) -> Option<Self> {
        // rustls' own error is inside of the I/O error; an error of the socket has none.
        match error.get_ref()?.downcast_ref::<rustls::Error>()? {
            rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) => {
                Some(Self::NoApplicationProtocol)
            }
            rustls::Error::AlertReceived(alert) => Some(Self::Alert(TlsAlert::from(*alert))),
            rustls::Error::InvalidMessage(
                InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
            ) => Some(Self::NotTls {
                received: Vec::new(),
            }),
            other => Some(Self::Handshake {
                detail: other.to_string(),
            }),
        }
    }

    pub(super) fn of_handshake(
        error: &io::Error,
        host: &str,
        rejected: Option<PeerCertificate>,
        roots: &RootsTried,
        received: &[u8],
    ) -> Self {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        // A rejected certificate has most to say, so it comes first.
        if let Some(rustls::Error::InvalidCertificate(fault)) = inner {
            return Self::of_certificate(fault, host, rejected, roots);
        }
        match Self::from_io(error) {
            // rustls doesn't keep the bytes that it rejected, so the recorded ones are added here.
            Some(Self::NotTls { .. }) => Self::NotTls {
                received: received.to_vec(),
            },
            Some(error) => error,
            // A server that closes within the handshake often refuses the SNI or the client
            // certificate without an alert, so it has a variant of its own.
            None if error.kind() == io::ErrorKind::UnexpectedEof => Self::Closed,
            None => Self::Io(IoFault::from(error)),
        }
    }

    fn of_certificate(
        fault: &CertificateError,
        host: &str,
        rejected: Option<PeerCertificate>,
        roots: &RootsTried,
    ) -> Self {
        match (fault, rejected) {
            // The two faults that users meet most get the names that they need to compare; both
            // need the rejected certificate.
            (CertificateError::UnknownIssuer, Some(leaf)) => {
                Self::of_unknown_issuer(leaf, host, roots)
            }
            (
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
                Some(leaf),
            ) => Self::NameMismatch {
                wanted: host.to_owned(),
                presented: leaf.names,
            },
            // Any certificate of the chain may be out of date: rustls knows that one's date, the
            // leaf tells the other.
            (CertificateError::ExpiredContext { time, not_after }, leaf) => Self::Expired {
                not_before: leaf.map(|leaf| leaf.not_before),
                not_after: system_time(*not_after),
                now: system_time(*time),
            },
            (CertificateError::NotValidYetContext { time, not_before }, leaf) => {
                Self::NotYetValid {
                    not_before: system_time(*not_before),
                    not_after: leaf.map(|leaf| leaf.not_after),
                    now: system_time(*time),
                }
            }
            (fault, leaf) => {
                let (subject, issuer) = leaf
                    .map(|leaf| (leaf.subject.into(), leaf.issuer.into()))
                    .unzip();
                Self::BadCertificate {
                    subject,
                    issuer,
                    fault: CertificateFault::new(fault),
                    ca_file: roots.file.as_deref().map(Box::from),
                }
            }
        }
    }

    fn of_unknown_issuer(leaf: PeerCertificate, host: &str, roots: &RootsTried) -> Self {
        let PeerCertificate {
            subject,
            issuer,
            issuer_organization,
            ..
        } = leaf;
        // For hosts of AWS the authorities are known. Another issuer means that a proxy on the way
        // opens TLS; the advice to add a CA file would be wrong.
        let authority = issuer_organization.as_ref().unwrap_or(&issuer);
        let expected = domains::authorities(host);
        if expected.is_some_and(|known| !known.iter().any(|known| authority.contains(known))) {
            return Self::Intercepted {
                host: host.to_owned(),
                issuer,
            };
        }
        Self::UnknownIssuer {
            subject,
            issuer,
            roots: roots.clone(),
        }
    }
}

impl From<AlertDescription> for TlsAlert {
    fn from(alert: AlertDescription) -> Self {
        Self {
            code: u8::from(alert),
            name: alert.as_str(),
        }
    }
}

fn system_time(time: UnixTime) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(time.as_secs()))
        .unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS_HOST: &str = "a1b2c3-ats.iot.eu-west-1.amazonaws.com";

    fn roots() -> RootsTried {
        RootsTried {
            web: 140,
            own: 0,
            file: None,
        }
    }

    fn issued_by(issuer: &str, organization: Option<&str>) -> PeerCertificate {
        PeerCertificate {
            subject: "server".to_owned(),
            issuer: issuer.to_owned(),
            issuer_organization: organization.map(str::to_owned),
            not_before: UNIX_EPOCH,
            not_after: UNIX_EPOCH,
            key: "ECDSA P-256".to_owned(),
            names: Vec::new(),
        }
    }

    fn unknown(leaf: PeerCertificate, host: &str) -> TlsError {
        TlsError::of_certificate(&CertificateError::UnknownIssuer, host, Some(leaf), &roots())
    }

    #[test]
    fn an_unknown_authority_for_a_host_of_aws_means_interception() {
        let error = unknown(issued_by("Corp Inspection CA", Some("Corp")), AWS_HOST);

        let (host, issuer) = (AWS_HOST.to_owned(), "Corp Inspection CA".to_owned());
        assert_eq!(error, TlsError::Intercepted { host, issuer });
    }

    #[test]
    fn an_authority_of_aws_that_our_roots_lack_is_no_interception() {
        let error = unknown(issued_by("Amazon RSA 2048 M01", Some("Amazon")), AWS_HOST);
        assert!(matches!(error, TlsError::UnknownIssuer { .. }));
    }

    #[test]
    fn elsewhere_an_unknown_authority_is_just_unknown() {
        let error = unknown(
            issued_by("Corp Inspection CA", Some("Corp")),
            "broker.example",
        );
        assert!(matches!(error, TlsError::UnknownIssuer { .. }));
    }

    #[test]
    fn a_certificate_that_cannot_be_read_is_still_explained() {
        let error =
            TlsError::of_certificate(&CertificateError::BadEncoding, AWS_HOST, None, &roots());
        assert!(matches!(
            error,
            TlsError::BadCertificate {
                subject: None,
                fault: CertificateFault::Malformed,
                ..
            }
        ));
    }
}
