//! `TlsError`: why TLS failed, by what is known and not by what was said.

use dunlin_codec::{Escaped, Quoted};
use std::fmt;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_rustls::rustls::pki_types::UnixTime;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError, InvalidMessage};

use super::certificate::PeerCertificate;
use super::certificate_fault::CertificateFault;
use super::roots::RootsTried;
use crate::aws::is_aws_host;
use crate::transport::error::IoFault;

/// Why TLS failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Nobody whom we trust has issued the certificate.
    #[error(
        "the certificate of {} is issued by {}, which none of the roots vouches for ({roots})",
        Quoted(subject),
        Quoted(issuer)
    )]
    UnknownIssuer {
        /// Whose certificate it is.
        subject: String,
        /// Who issued it.
        issuer: String,
        /// Which roots it was held against.
        roots: RootsTried,
    },
    /// The same for a host of AWS, by an issuer that AWS has nothing to do with: something between
    /// reads along.
    #[error(
        "the certificate for {} is issued by {}, which is no authority of AWS",
        Escaped(host),
        Quoted(issuer)
    )]
    Intercepted {
        /// The host of AWS.
        host: String,
        /// Who issued the certificate.
        issuer: String,
    },
    /// The certificate is somebody else's.
    #[error(
        "the certificate is not valid for {}, but for {}",
        Escaped(wanted),
        Escaped(listed(presented))
    )]
    NameMismatch {
        /// The host that we connect to.
        wanted: String,
        /// The names and addresses of the certificate.
        presented: Vec<String>,
    },
    /// A certificate of the chain is no longer valid, by this computer's clock.
    #[error("the certificate has expired")]
    Expired {
        /// The time from which the server's certificate is valid, where known.
        not_before: Option<SystemTime>,
        /// The time until which the expired one was valid.
        not_after: SystemTime,
        /// What this computer's clock says.
        now: SystemTime,
    },
    /// A certificate of the chain isn't valid yet, by this computer's clock.
    #[error("the certificate is not valid yet")]
    NotYetValid {
        /// The time from which it is valid.
        not_before: SystemTime,
        /// The time until which the server's certificate is valid, where known.
        not_after: Option<SystemTime>,
        /// What this computer's clock says.
        now: SystemTime,
    },
    /// The certificate is bad in another way.
    #[error("the certificate is rejected: {fault}")]
    BadCertificate {
        /// Whose certificate it is, where it can be read.
        subject: Option<Box<str>>,
        /// Who issued it, where it can be read.
        issuer: Option<Box<str>>,
        /// Reason of the rejection.
        fault: CertificateFault,
        /// File of the roots that it was verified against, if they came from a file.
        ca_file: Option<Box<Path>>,
    },
    /// The server speaks none of the ALPN protocols that we offered, and says so.
    #[error("the server supports none of the offered ALPN protocols")]
    NoApplicationProtocol,
    /// The server ended TLS with another alert.
    #[error("the server sent the TLS alert {0}")]
    Alert(TlsAlert),
    /// What came back isn't TLS.
    #[error("the server does not speak TLS on this port")]
    NotTls {
        /// First bytes of what was received, 16 at most. Empty if the handshake was over.
        received: Vec<u8>,
    },
    /// The server closed the connection during the handshake without a word.
    #[error("the server closed the connection during the TLS handshake")]
    Closed,
    /// The socket failed during the handshake.
    #[error("the connection failed during the TLS handshake: {0}")]
    Io(IoFault),
    /// Neither a DNS name nor an IP address.
    #[error("{} cannot be the name in a certificate", Quoted(host))]
    InvalidServerName {
        /// What was given.
        host: String,
    },
    /// Anything else.
    #[error("TLS failed: {}", Escaped(detail))]
    Handshake {
        /// In the words of rustls.
        detail: String,
    },
}

impl TlsError {
    /// `None` if the error is not of TLS.
    pub(in crate::transport) fn from_io(error: &io::Error) -> Option<Self> {
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
        if let Some(rustls::Error::InvalidCertificate(fault)) = inner {
            return Self::of_certificate(fault, host, rejected, roots);
        }
        match Self::from_io(error) {
            Some(Self::NotTls { .. }) => Self::NotTls {
                received: received.to_vec(),
            },
            Some(error) => error,
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
        let authority = issuer_organization.as_ref().unwrap_or(&issuer);
        if is_aws_host(host)
            && !AUTHORITIES_OF_AWS
                .iter()
                .any(|known| authority.contains(known))
        {
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

/// An alert of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsAlert {
    /// Its number on the wire.
    pub code: u8,
    /// Its name, in the spelling of rustls, where the number has one.
    pub name: Option<&'static str>,
}

impl From<AlertDescription> for TlsAlert {
    fn from(alert: AlertDescription) -> Self {
        Self {
            code: u8::from(alert),
            name: alert.as_str(),
        }
    }
}

impl fmt::Display for TlsAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "{name} ({})", self.code),
            None => write!(f, "{}", self.code),
        }
    }
}

fn system_time(time: UnixTime) -> SystemTime {
    UNIX_EPOCH
        .checked_add(Duration::from_secs(time.as_secs()))
        .unwrap_or(UNIX_EPOCH)
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "no host at all".to_owned()
    } else {
        names.join(", ")
    }
}

/// The organisations whose certificates endpoints of AWS have or had, and those that have signed
/// for them.
const AUTHORITIES_OF_AWS: [&str; 5] = ["Amazon", "Starfield", "DigiCert", "VeriSign", "Symantec"];

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
            names: Vec::new(),
        }
    }

    fn unknown(leaf: PeerCertificate, host: &str) -> TlsError {
        TlsError::of_certificate(&CertificateError::UnknownIssuer, host, Some(leaf), &roots())
    }

    #[test]
    fn an_unknown_authority_for_a_host_of_aws_reads_along() {
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
