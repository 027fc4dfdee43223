//! `PeerCertificate`: content of a certificate, verified or not.

use dunlin_codec::Escaped;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;
use x509_parser::time::ASN1Time;
use x509_parser::x509::{AttributeTypeAndValue, SubjectPublicKeyInfo, X509Name};

/// Content of a certificate. The names are escaped ([`Escaped`]), because anyone may have made it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PeerCertificate {
    /// Common name of the subject, or the first other name.
    pub subject: String,
    /// Common name of the issuer, or the first other name.
    pub issuer: String,
    /// Organisation of the issuer; `None` if it has none.
    pub issuer_organization: Option<String>,
    /// Beginning of the validity.
    pub not_before: SystemTime,
    /// End of the validity.
    pub not_after: SystemTime,
    /// Host names and IP addresses that the certificate is valid for.
    pub names: Vec<String>,
    /// Type and size in bits of the public key, such as `RSA 2048` or `ECDSA P-256`; the object
    /// identifier of its algorithm if the type is unknown.
    pub key: String,
}

impl PeerCertificate {
    /// `None` if it isn't X.509.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        // The certificate may have been rejected, so nothing in it is trusted: every text is
        // escaped, and a field that can't be read is left out.
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let validity = certificate.validity();
        let names = certificate.subject_alternative_name().ok().flatten();
        Some(Self {
            subject: name_of(certificate.subject()),
            issuer: name_of(certificate.issuer()),
            issuer_organization: first(certificate.issuer().iter_organization()),
            not_before: time_of(&validity.not_before),
            not_after: time_of(&validity.not_after),
            key: key_of(certificate.public_key()),
            names: names
                .map(|names| {
                    names
                        .value
                        .general_names
                        .iter()
                        .filter_map(host_of)
                        .collect()
                })
                .unwrap_or_default(),
        })
    }
}

/// Type and size of a public key.
fn key_of(key: &SubjectPublicKeyInfo<'_>) -> String {
    let oid = key.algorithm.algorithm.to_id_string();
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) => format!("RSA {}", rsa.key_size()),
        // The size of P-521 in whole bytes is 528.
        Ok(PublicKey::EC(point)) => match point.key_size() {
            528 => "ECDSA P-521".to_owned(),
            bits => format!("ECDSA P-{bits}"),
        },
        _ if oid == ED25519 => "Ed25519".to_owned(),
        _ => oid,
    }
}

/// Object identifier of Ed25519 (RFC 8410, section 3).
const ED25519: &str = "1.3.101.112";

fn name_of(name: &X509Name<'_>) -> String {
    // The common name is what people recognise; some authorities have only an organisation.
    first(name.iter_common_name())
        .or_else(|| first(name.iter_organization()))
        .unwrap_or_else(|| escaped(&name.to_string()))
}

fn first<'a, 'b: 'a>(
    mut attributes: impl Iterator<Item = &'a AttributeTypeAndValue<'b>>,
) -> Option<String> {
    attributes
        .next()
        .and_then(|attribute| attribute.as_str().ok())
        .map(escaped)
}

pub(super) fn host_of(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => Some(escaped(name)),
        GeneralName::IPAddress(bytes) => address_of(bytes).map(|address| address.to_string()),
        _ => None,
    }
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    // An address in a certificate is 4 or 16 bytes (RFC 5280, section 4.2.1.6).
    if let Ok(v4) = <[u8; 4]>::try_from(bytes) {
        return Some(IpAddr::from(v4));
    }
    <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from)
}

fn escaped(text: &str) -> String {
    Escaped(text).to_string()
}

/// A time that the system's clock can't hold is as good as its zero.
fn time_of(time: &ASN1Time) -> SystemTime {
    // Certificates may name years before 1970, which `Duration` has no sign for.
    let seconds = time.timestamp();
    let distance = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        UNIX_EPOCH.checked_sub(distance)
    } else {
        UNIX_EPOCH.checked_add(distance)
    };
    time.unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(change: impl FnOnce(&mut CertificateParams)) -> PeerCertificate {
        let mut params =
            CertificateParams::new(["localhost".to_owned(), "::1".to_owned()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        change(&mut params);
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        PeerCertificate::read(certificate.der()).unwrap()
    }

    #[test]
    fn a_certificate_tells_names_and_dates() {
        let read = certificate(|params| {
            params
                .distinguished_name
                .push(DnType::CommonName, "a server");
            params
                .distinguished_name
                .push(DnType::OrganizationName, "an organisation");
            params.not_before = date_time_ymd(1970, 1, 2);
            params.not_after = date_time_ymd(2049, 1, 1);
        });

        assert_eq!(read.subject, "a server");
        assert_eq!(read.issuer, "a server");
        assert_eq!(read.issuer_organization.as_deref(), Some("an organisation"));
        assert_eq!(read.names, ["localhost", "::1"]);
        assert_eq!(read.not_before, UNIX_EPOCH + Duration::from_secs(86_400));
        assert!(read.not_after > read.not_before);
    }

    #[test]
    fn a_certificate_tells_the_type_of_its_key() {
        let of = |algorithm| {
            let key = KeyPair::generate_for(algorithm).unwrap();
            let params = CertificateParams::new(["localhost".to_owned()]).unwrap();
            PeerCertificate::read(params.self_signed(&key).unwrap().der())
                .unwrap()
                .key
        };
        assert_eq!(of(&rcgen::PKCS_ECDSA_P256_SHA256), "ECDSA P-256");
        assert_eq!(of(&rcgen::PKCS_ECDSA_P384_SHA384), "ECDSA P-384");
        assert_eq!(of(&rcgen::PKCS_ED25519), "Ed25519");
    }

    #[test]
    fn without_a_common_name_the_organisation_stands_for_it() {
        let read = certificate(|params| {
            params
                .distinguished_name
                .push(DnType::OrganizationName, "an organisation");
        });
        assert_eq!(read.subject, "an organisation");
    }

    #[test]
    fn a_certificate_cannot_write_to_a_terminal() {
        let read = certificate(|params| {
            params
                .distinguished_name
                .push(DnType::CommonName, "a\u{1b}[2Jb\n");
        });
        assert_eq!(read.subject, r"a\u{1b}[2Jb\n");
    }

    #[test]
    fn bytes_that_are_no_certificate_are_not_read() {
        assert_eq!(PeerCertificate::read(b""), None);
        assert_eq!(PeerCertificate::read(b"0\x82\xff\xff"), None);
    }
}
