//! A certificate authority, and the certificates that it issues.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::RootCertStore;

/// Self-signed certificate authority.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// Certificate and its key.
#[derive(Debug)]
pub struct Identity {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    /// Makes an authority whose organisation has this name.
    pub fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params
            .distinguished_name
            .push(DnType::OrganizationName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Issues a certificate for these hosts.
    pub fn issues(&self, hosts: &[&str]) -> Identity {
        self.issues_with(hosts, |_| {})
    }

    /// Issues a certificate with this Common Name, and these hosts as Subject Alternative Names.
    pub fn issues_as(&self, common_name: &str, hosts: &[&str]) -> Identity {
        self.issue(named(common_name, hosts))
    }

    /// Issues a certificate that is valid for one year only.
    pub fn issues_for_year(&self, hosts: &[&str], year: i32) -> Identity {
        self.issues_with(hosts, |params| {
            params.not_before = date_time_ymd(year, 1, 1);
            params.not_after = date_time_ymd(year + 1, 1, 1);
        })
    }

    fn issues_with(&self, hosts: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = named(hosts.first().unwrap(), hosts);
        change(&mut params);
        self.issue(params)
    }

    fn issue(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { certificate, key }
    }

    /// The authority's certificate as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The authority's certificate.
    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// Root store with this authority alone.
    pub fn store(&self) -> Arc<RootCertStore> {
        let mut store = RootCertStore::empty();
        store.add(self.0.der().clone()).unwrap();
        Arc::new(store)
    }
}

impl Identity {
    /// Certificate chain.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        vec![self.certificate.der().clone()]
    }

    /// Private key.
    pub fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::try_from(self.key.serialize_der()).unwrap()
    }

    /// Certificate as PEM.
    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    /// Private key as PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

fn named(name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
