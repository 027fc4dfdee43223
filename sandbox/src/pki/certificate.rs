//! The certificates: an authority that can vouch for loopback names only, and the server's, right
//! or wrong.

use core::fmt;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, Error,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, SanType,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::fault::CertificateFault;
use crate::policy::ClientCertificate;

/// Certificate and private key of the TLS server.
#[derive(Debug)]
pub(crate) struct ServerIdentity {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) key: PrivateKeyDer<'static>,
}

/// Certificate and private key of a client.
pub struct ClientIdentity {
    /// Certificate in PEM.
    pub certificate_pem: String,
    /// Private key, PKCS #8 in PEM.
    pub key_pem: String,
    /// `certificateId` of AWS IoT: the SHA-256 of the certificate, in hex.
    pub certificate_id: String,
}

impl fmt::Debug for ClientIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientIdentity")
            .field("certificate_pem", &self.certificate_pem)
            .finish_non_exhaustive()
    }
}

/// The CA certificate of this key, as PEM.
pub(super) fn authority(key: &KeyPair) -> Result<String, Error> {
    Ok(authority_params()?.self_signed(key)?.pem())
}

/// A server certificate signed by the authority of `ca_key`.
pub(super) fn issue(
    ca_key: &KeyPair,
    fault: Option<CertificateFault>,
) -> Result<ServerIdentity, Error> {
    let params = server_params(fault)?;
    let key = KeyPair::generate()?;
    let certificate = match fault {
        Some(CertificateFault::UnknownCa) => {
            // An authority of the same name with another key: clients find the issuer, and the
            // signature is wrong.
            let unknown = KeyPair::generate()?;
            params.signed_by(&key, &Issuer::new(authority_params()?, unknown))?
        }
        _ => params.signed_by(&key, &Issuer::new(authority_params()?, ca_key))?,
    };
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok(ServerIdentity {
        certificate: certificate.into(),
        key,
    })
}

/// A client certificate whose common name is this thing, signed by the authority of `ca_key`.
#[expect(
    clippy::disallowed_methods,
    reason = "certificates are valid from now on"
)]
pub(super) fn issue_client(ca_key: &KeyPair, thing: &str) -> Result<ClientIdentity, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = named(thing);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    // A day early, for clocks that are late.
    let now = SystemTime::now();
    params.not_before = (now - DAY).into();
    params.not_after = (now + 365 * DAY).into();
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &Issuer::new(authority_params()?, ca_key))?;
    Ok(ClientIdentity {
        certificate_pem: certificate.pem(),
        certificate_id: ClientCertificate::of_der(certificate.der()).id,
        key_pem: key.serialize_pem(),
    })
}

/// The same every time, so that the issuer's name can be had from the key alone.
fn authority_params() -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = named("Dunlin sandbox CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Whoever trusts this CA and loses its key has lost loopback and nothing else.
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".into()),
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix(Ipv4Addr::LOCALHOST.octets(), 8)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix(
                Ipv6Addr::LOCALHOST.octets(),
                128,
            )),
        ],
        excluded_subtrees: Vec::new(),
    });
    Ok(params)
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are valid from now on"
)]
fn server_params(fault: Option<CertificateFault>) -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name = named("Dunlin sandbox");
    params.subject_alt_names = match fault {
        Some(CertificateFault::WrongHost) => {
            vec![SanType::DnsName("wrong-host.localhost".try_into()?)]
        }
        _ => vec![
            SanType::DnsName("localhost".try_into()?),
            SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        ],
    };
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let now = SystemTime::now();
    // Each fault is a day off, so that no clock of a client hides it. A valid certificate begins a
    // day early for clocks that are late.
    let (not_before, not_after) = match fault {
        Some(CertificateFault::Expired) => (now - 30 * DAY, now - DAY),
        Some(CertificateFault::NotYet) => (now + DAY, now + 30 * DAY),
        _ => (now - DAY, now + 365 * DAY),
    };
    (params.not_before, params.not_after) = (not_before.into(), not_after.into());
    Ok(params)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
