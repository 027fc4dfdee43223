//! Certificate of a client, as policies and Lambdas are told of it.

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use crate::policy::certificate_key::{CertificateHolder, CertificateKey};
use crate::policy::thing::Thing;

/// Certificate that a client has shown in the TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// Certificate in PEM.
    pub pem: String,
    /// `certificateId` of AWS IoT: the SHA-256 of the certificate, in hex.
    pub id: String,
    /// Name of the thing that the certificate is attached to: its common name; `None` without one.
    pub thing: Option<String>,
    /// Entry of the thing in the registry; `None` if there is none.
    pub(super) registered: Option<Arc<Thing>>,
    /// Serial number in hex.
    serial_number: String,
    /// Values of the policy variables `iot:Certificate.*`, at most five for each.
    fields: Vec<(CertificateHolder, &'static str, Vec<String>)>,
}

impl ClientCertificate {
    /// Reads a certificate. The TLS library has verified it: what can't be read here is left out.
    pub(crate) fn of_der(der: &[u8]) -> Self {
        let hash = digest::digest(&digest::SHA256, der);
        let mut certificate = Self {
            pem: pem(der),
            id: hex(hash.as_ref()),
            thing: None,
            registered: None,
            serial_number: String::new(),
            fields: Vec::new(),
        };
        let Ok((_, parsed)) = X509Certificate::from_der(der) else {
            return certificate;
        };
        certificate.serial_number = hex(parsed.raw_serial());
        certificate.add_name(CertificateHolder::Issuer, parsed.issuer());
        certificate.add_name(CertificateHolder::Subject, parsed.subject());
        if let Ok(Some(names)) = parsed.subject_alternative_name() {
            for name in &names.value.general_names {
                certificate.add_alternative_name(name);
            }
        }
        let common_name = certificate.values(CertificateKey::SUBJECT_COMMON_NAME);
        certificate.thing = common_name.first().map(|name| (*name).to_owned());
        certificate
    }

    /// Looks the thing of the certificate up in the registry.
    pub(crate) fn register(mut self, things: &[Arc<Thing>]) -> Self {
        let own = things
            .iter()
            .find(|thing| self.thing.as_ref() == Some(&thing.name));
        self.registered = own.cloned();
        self
    }

    /// Values of a policy variable; empty if the certificate has none.
    pub(crate) fn values(&self, key: CertificateKey) -> Vec<&str> {
        if key.is_serial_number() {
            return vec![&self.serial_number];
        }
        let found = self
            .fields
            .iter()
            .find(|(holder, field, _)| key.is(*holder, field));
        let values = found.map_or(&[][..], |(_, _, values)| values);
        key.select(values).iter().map(String::as_str).collect()
    }

    fn add_name(&mut self, holder: CertificateHolder, name: &X509Name<'_>) {
        for attribute in name.iter_attributes() {
            let oid = attribute.attr_type().to_id_string();
            let field = CertificateKey::NAME_FIELDS
                .iter()
                .find(|(known, _)| *known == oid);
            if let (Some((_, field)), Ok(value)) = (field, attribute.as_str()) {
                self.add(holder, field, value);
            }
        }
    }

    fn add_alternative_name(&mut self, name: &GeneralName<'_>) {
        let (field, value) = match name {
            GeneralName::RFC822Name(value) => ("AlternativeName.RFC822Name", (*value).to_owned()),
            GeneralName::DNSName(value) => ("AlternativeName.DNSName", (*value).to_owned()),
            GeneralName::URI(value) => (
                "AlternativeName.UniformResourceIdentifier",
                (*value).to_owned(),
            ),
            GeneralName::DirectoryName(name) => ("AlternativeName.DirectoryName", name.to_string()),
            GeneralName::IPAddress(bytes) => match ip_address(bytes) {
                Some(address) => ("AlternativeName.IPAddress", address),
                None => return,
            },
            _ => return,
        };
        self.add(CertificateHolder::Subject, field, &value);
    }

    /// Adds a value, unless AWS IoT leaves it out: with a character that policies or topics give a
    /// meaning, too long, or the sixth.
    fn add(&mut self, holder: CertificateHolder, field: &'static str, value: &str) {
        if value.contains(['*', '$', '+', '?', '#']) || value.chars().count() > MAX_VALUE {
            return;
        }
        let known = self
            .fields
            .iter_mut()
            .find(|(other, name, _)| *other == holder && *name == field);
        match known {
            Some((_, _, values)) if values.len() < MAX_VALUES => values.push(value.into()),
            Some(_) => {}
            None => self.fields.push((holder, field, vec![value.into()])),
        }
    }
}

fn ip_address(bytes: &[u8]) -> Option<String> {
    let v4: Option<[u8; 4]> = bytes.try_into().ok();
    let v6: Option<[u8; 16]> = bytes.try_into().ok();
    let v4 = v4.map(|bytes| core::net::Ipv4Addr::from(bytes).to_string());
    v4.or_else(|| v6.map(|bytes| core::net::Ipv6Addr::from(bytes).to_string()))
}

/// Section `CERTIFICATE`, with 64 characters a line.
fn pem(der: &[u8]) -> String {
    let encoded = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = encoded.as_str();
    while let Some((line, more)) = rest.split_at_checked(64) {
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    if !rest.is_empty() {
        pem.push_str(rest);
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Characters of a value that is put into a policy.
const MAX_VALUE: usize = 1024;
/// Values of one variable.
const MAX_VALUES: usize = 5;
