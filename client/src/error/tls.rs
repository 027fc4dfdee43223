//! `TlsError`: cause of a TLS failure. Plain data: the conversions from errors of rustls are in
//! `transport/tls/`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use dunlin_codec::{Escaped, Quoted};

use super::io_fault::IoFault;

/// Cause of a TLS failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The certificate isn't issued by a trusted authority.
    #[error(
        "the certificate of {} is issued by {}, which none of the roots vouches for ({roots})",
        Quoted(subject),
        Quoted(issuer)
    )]
    UnknownIssuer {
        /// Subject of the certificate.
        subject: String,
        /// Issuer of the certificate.
        issuer: String,
        /// Trusted roots that it was verified against.
        roots: RootsTried,
    },
    /// The certificate for a host of AWS is issued by an authority that AWS doesn't use: a device
    /// between intercepts the connection.
    #[error(
        "the certificate for {} is issued by {}, which is no authority of AWS",
        Escaped(host),
        Quoted(issuer)
    )]
    Intercepted {
        /// Host name.
        host: String,
        /// Issuer of the certificate.
        issuer: String,
    },
    /// The certificate is for other hosts.
    #[error(
        "the certificate is not valid for {}, but for {}",
        Escaped(wanted),
        Escaped(listed(presented))
    )]
    NameMismatch {
        /// Host name that the client connects to.
        wanted: String,
        /// Host names and addresses in the certificate.
        presented: Vec<String>,
    },
    /// A certificate of the chain is no longer valid, by this computer's clock.
    #[error("the certificate has expired")]
    Expired {
        /// The time from which the server's certificate is valid, where known.
        not_before: Option<SystemTime>,
        /// The time until which the expired one was valid.
        not_after: SystemTime,
        /// Time of this computer's clock.
        now: SystemTime,
    },
    /// A certificate of the chain isn't valid yet, by this computer's clock.
    #[error("the certificate is not valid yet")]
    NotYetValid {
        /// The time from which it is valid.
        not_before: SystemTime,
        /// The time until which the server's certificate is valid, where known.
        not_after: Option<SystemTime>,
        /// Time of this computer's clock.
        now: SystemTime,
    },
    /// The certificate is rejected for another reason.
    #[error("the certificate is rejected: {fault}")]
    BadCertificate {
        /// Subject of the certificate; `None` if it can't be read.
        subject: Option<Box<str>>,
        /// Issuer of the certificate; `None` if it can't be read.
        issuer: Option<Box<str>>,
        /// Reason of the rejection.
        fault: CertificateFault,
        /// File of the roots that it was verified against, if they came from a file.
        ca_file: Option<Box<Path>>,
    },
    /// The server supports none of the ALPN protocols that the client offered.
    #[error("the server supports none of the offered ALPN protocols")]
    NoApplicationProtocol,
    /// The server ended TLS with another alert.
    #[error("the server sent the TLS alert {0}")]
    Alert(TlsAlert),
    /// The server answered with something other than TLS.
    #[error("the server does not speak TLS on this port")]
    NotTls {
        /// First bytes that were received, at most 16. Empty if the handshake was over.
        received: Vec<u8>,
    },
    /// The server closed the connection during the handshake without an alert.
    #[error("the server closed the connection during the TLS handshake")]
    Closed,
    /// The socket failed during the handshake.
    #[error("the connection failed during the TLS handshake: {0}")]
    Io(IoFault),
    /// The host is neither a DNS name nor an IP address.
    #[error("{} cannot be the name in a certificate", Quoted(host))]
    InvalidServerName {
        /// Host as given.
        host: String,
    },
    /// Any other cause.
    #[error("TLS failed: {}", Escaped(detail))]
    Handshake {
        /// Message of rustls.
        detail: String,
    },
}

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

/// TLS alert of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsAlert {
    /// Number of the alert (RFC 8446, section 6).
    pub code: u8,
    /// Name of the alert, in the spelling of rustls; `None` for an unknown number.
    pub name: Option<&'static str>,
}

impl fmt::Display for TlsAlert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name {
            Some(name) => write!(f, "{name} ({})", self.code),
            None => write!(f, "{}", self.code),
        }
    }
}

/// Trusted roots that a certificate was verified against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RootsTried {
    /// Number of the roots of the web.
    pub web: usize,
    /// Number of the roots that the application added.
    pub own: usize,
    /// File of the roots that the application added; `None` if they aren't from a file.
    pub file: Option<PathBuf>,
}

impl fmt::Display for RootsTried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) => write!(f, "{} of {}", self.own, Escaped(file.display()))?,
            None if self.own > 0 => write!(f, "{} of our own", self.own)?,
            None => {}
        }
        if self.own > 0 && self.web > 0 {
            f.write_str(" and ")?;
        }
        if self.web > 0 {
            write!(f, "{} of the web", self.web)?;
        }
        Ok(())
    }
}

fn listed(names: &[String]) -> String {
    if names.is_empty() {
        "no host at all".to_owned()
    } else {
        names.join(", ")
    }
}
