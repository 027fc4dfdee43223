//! Servers with certificates that clients must reject, each made as people make them by mistake.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use dunlin_tests::{Program, Tool, system_program};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, PublicKeyData, SigningKey,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::{default_provider, sign::any_supported_type};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::{expect_error, sample_with_short_timeouts};

/// A server that only gets as far as its certificate, and the CA file that the client trusts.
pub(crate) struct TlsServer {
    pub(crate) port: u16,
    pub(crate) ca_file: PathBuf,
    /// Folder of the CA file.
    folder: TempDir,
}

/// Mistakes in certificates, by the words of the issue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mistake {
    CaAsServer,
    Version1,
    NoSan,
    DerInsteadOfPem,
    AmazonRootMissing,
    CaWithAnotherKey,
    ForClients,
    SignedByServer,
}

impl Mistake {
    pub(crate) const ALL: [Self; 8] = [
        Self::CaAsServer,
        Self::Version1,
        Self::NoSan,
        Self::DerInsteadOfPem,
        Self::AmazonRootMissing,
        Self::CaWithAnotherKey,
        Self::ForClients,
        Self::SignedByServer,
    ];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::CaAsServer => "TLS: a CA certificate as the server's",
            Self::Version1 => "TLS: X.509 version 1",
            Self::NoSan => "TLS: no Subject Alternative Name",
            Self::DerInsteadOfPem => "TLS: --ca in DER instead of PEM",
            Self::AmazonRootMissing => "TLS: SSL_CERT_FILE without Amazon's root",
            Self::CaWithAnotherKey => "TLS: a CA of the same name with another key",
            Self::ForClients => "TLS: a client's certificate as the server's",
            Self::SignedByServer => "TLS: signed by a certificate that is no CA",
        }
    }

    /// Error id, exit code, and words of the error.
    pub(crate) const fn expected(self) -> (&'static str, i32, &'static [&'static str]) {
        match self {
            Self::CaAsServer => (
                "E-TLS-CA",
                4,
                &[
                    "uses a CA certificate (CA:TRUE) as its own",
                    "openssl x509 -req",
                ],
            ),
            Self::Version1 => (
                "E-TLS-CA",
                4,
                &["X.509 version 1; TLS needs version 3", "openssl x509 -req"],
            ),
            Self::NoSan => (
                "E-TLS-NAME",
                4,
                &[
                    "no Subject Alternative Name (SAN)",
                    "subjectAltName=DNS:%s' localhost",
                ],
            ),
            Self::DerInsteadOfPem => (
                "E-USAGE",
                2,
                &["is a certificate in DER; PEM is needed", "-inform der"],
            ),
            Self::AmazonRootMissing => (
                "E-TLS-CA",
                4,
                &["lacks Amazon's root certificate", "unset SSL_CERT_FILE"],
            ),
            Self::CaWithAnotherKey => (
                "E-TLS-CA",
                4,
                &[
                    "signed with another key than that of the trusted CA",
                    "-CAfile",
                ],
            ),
            Self::ForClients => ("E-TLS-CA", 4, &["not for servers", "openssl x509 -req"]),
            Self::SignedByServer => ("E-TLS-CA", 4, &["one that is not a CA (CA:FALSE)"]),
        }
    }

    /// Starts a server with this mistake.
    pub(crate) async fn serve(self) -> TlsServer {
        let ca = Authority::new(if self == Self::AmazonRootMissing {
            "Amazon Root CA 1"
        } else {
            CA_NAME
        });
        let mut trusted = ca.pem.clone();
        let mut server = server_params();
        let key = KeyPair::generate().unwrap();
        let chain = match self {
            Self::CaAsServer => {
                server.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
                let certificate = server.self_signed(&key).unwrap();
                // The same certificate is trusted, as its makers do.
                trusted = certificate.pem();
                vec![certificate.der().clone()]
            }
            Self::Version1 => vec![version_1(&ca, &key)],
            Self::NoSan => {
                // The Common Name alone, as in certificates before 2017.
                server.subject_alt_names = Vec::new();
                vec![ca.issue(&server, &key)]
            }
            Self::AmazonRootMissing => {
                trusted = Authority::new(CA_NAME).pem;
                server = CertificateParams::new([AWS_HOST.to_owned()]).unwrap();
                vec![ca.issue(&server, &key)]
            }
            Self::CaWithAnotherKey => {
                trusted = Authority::new(CA_NAME).pem;
                vec![ca.issue(&server, &key)]
            }
            Self::ForClients => {
                server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                vec![ca.issue(&server, &key)]
            }
            Self::SignedByServer => {
                // The CA issues a certificate for a server, which then issues another one.
                let middle_key = KeyPair::generate().unwrap();
                let mut middle = server_params();
                middle.distinguished_name = named("not an authority");
                let middle_certificate = ca.issue(&middle, &middle_key);
                let middle = Issuer::new(middle, middle_key);
                let leaf = server.signed_by(&key, &middle).unwrap();
                vec![leaf.der().clone(), middle_certificate]
            }
            Self::DerInsteadOfPem => vec![ca.issue(&server, &key)],
        };
        let folder = TempDir::new().unwrap();
        let ca_file = folder.path().join("ca.pem");
        if self == Self::DerInsteadOfPem {
            fs::write(&ca_file, &ca.der).unwrap();
        } else {
            fs::write(&ca_file, trusted).unwrap();
        }
        let port = listen(chain, &key).await;
        TlsServer {
            port,
            ca_file,
            folder,
        }
    }
}

impl TlsServer {
    /// The sample, which connects to this server and trusts its CA file.
    pub(crate) fn sample(&self, mistake: Mistake) -> Tool {
        let port = self.port.to_string();
        match mistake {
            Mistake::AmazonRootMissing => sample_with_short_timeouts()
                .args(["--reconnect=0", "--endpoint", AWS_HOST, "--connect-to"])
                .args([format!("127.0.0.1:{port}")])
                .env("SSL_CERT_FILE", &self.ca_file),
            _ => sample_with_short_timeouts()
                .args(["--reconnect=0", "--endpoint=localhost", "--port", &port])
                .args(["--ca".as_ref(), self.ca_file.as_os_str()]),
        }
    }
}

/// A certificate authority of a test.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: Vec<u8>,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = named(name);
        if name.starts_with("Amazon") {
            params
                .distinguished_name
                .push(DnType::OrganizationName, "Amazon");
        }
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self {
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
            issuer: Issuer::new(params, key),
        }
    }

    fn issue(&self, params: &CertificateParams, key: &KeyPair) -> CertificateDer<'static> {
        let certificate = params.signed_by(key, &self.issuer).unwrap();
        certificate.der().clone()
    }
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}

fn server_params() -> CertificateParams {
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.distinguished_name = named("server");
    params
}

/// Certificate of version 1, as `openssl x509 -req` makes it without -extfile. rcgen makes version
/// 3 only, so that the DER is written here.
fn version_1(ca: &Authority, key: &KeyPair) -> CertificateDer<'static> {
    // Fields in the order of RFC 5280 section 4.1.
    let algorithm = der(0x30, &[der(0x06, &ECDSA_WITH_SHA256)].concat());
    let name = |text: &str| {
        let value = [der(0x06, &COMMON_NAME), der(0x0c, text.as_bytes())].concat();
        der(0x30, &der(0x31, &der(0x30, &value)))
    };
    let validity = [der(0x17, b"200101000000Z"), der(0x17, b"400101000000Z")].concat();
    // TBSCertificate without the version, whose default is 1 (RFC 5280 section 4.1).
    let content = [
        der(0x02, &[1]),
        algorithm.clone(),
        name(CA_NAME),
        der(0x30, &validity),
        name("server"),
        key.subject_public_key_info(),
    ]
    .concat();
    let content = der(0x30, &content);
    let signature = ca.issuer.key().sign(&content).unwrap();
    let signature = [vec![0], signature].concat();
    CertificateDer::from(der(
        0x30,
        &[content, algorithm, der(0x03, &signature)].concat(),
    ))
}

/// One DER value: tag, length, content.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap();
    let [high, low] = len.to_be_bytes();
    let mut value = match len {
        0..=127 => vec![tag, low],
        128..=255 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    };
    value.extend_from_slice(content);
    value
}

/// Accepts connections with this chain, and closes them after the handshake.
async fn listen(chain: Vec<CertificateDer<'static>>, key: &KeyPair) -> u16 {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    // rustls refuses such certificates in a server, too; this way round nobody looks at them.
    let certified = CertifiedKey::new(chain, any_supported_type(&key).unwrap());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_in_a_certificate_is_named_with_its_correction() {
    for mistake in Mistake::ALL {
        let server = mistake.serve().await;
        let run = server.sample(mistake).run().await;
        let (id, _, words) = mistake.expected();
        expect_error(&run, id, words);
        assert!(!run.stderr.contains("Other"), "{}", run.stderr);
        assert!(
            mistake == Mistake::DerInsteadOfPem || !run.stderr.contains("--ca with"),
            "--ca was given: {}",
            run.stderr
        );
    }
}

/// The commands that are printed are run in a folder with the files that they name; then the same
/// client gets beyond the certificate.
#[tokio::test(flavor = "multi_thread")]
async fn the_printed_commands_correct_the_certificate() {
    if !Program::OpenSsl.is_installed() {
        return;
    }
    for mistake in [Mistake::CaAsServer, Mistake::Version1, Mistake::NoSan] {
        let server = mistake.serve().await;
        let run = server.sample(mistake).run().await;
        let folder = server.folder.path();
        sh(
            folder,
            "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=ca -keyout ca.key -out ca.pem && openssl genrsa -out server.key 2048",
        );
        sh(folder, command(&run.stderr, "printf"));
        // The mended certificate, served with the key that belongs to it.
        let chain = pem(&folder.join("server.pem"));
        let key = KeyPair::from_pem(&fs::read_to_string(folder.join("server.key")).unwrap());
        let port = listen(chain, &key.unwrap()).await;
        let mended = TlsServer { port, ..server };
        let run = mended.sample(mistake).run().await;
        // The handshake succeeds, and no MQTT follows.
        assert!(!run.stderr.contains("error[E-TLS"), "{}", run.stderr);
        assert!(run.error_line().contains("after CONNECT"), "{}", run.stderr);
    }

    let server = Mistake::DerInsteadOfPem.serve().await;
    let run = server.sample(Mistake::DerInsteadOfPem).run().await;
    sh(server.folder.path(), command(&run.stderr, "openssl"));
    let run = server.sample(Mistake::DerInsteadOfPem).run().await;
    assert!(!run.stderr.contains("error[E-TLS"), "{}", run.stderr);
}

fn sh(folder: &Path, command: &str) {
    let output = Command::new(system_program("sh"))
        .args(["-e", "-c", command])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{command}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// The printed command that begins with this program.
#[track_caller]
fn command<'a>(stderr: &'a str, program: &str) -> &'a str {
    let lines = stderr
        .lines()
        .map(|line| line.trim_start().trim_start_matches("try:").trim_start());
    let mut commands = lines.filter(|line| line.starts_with(program));
    let command = commands.next();
    assert!(command.is_some(), "no command in\n{stderr}");
    command.unwrap_or_default()
}

fn pem(file: &Path) -> Vec<CertificateDer<'static>> {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    let certificates = CertificateDer::pem_file_iter(file).unwrap();
    certificates.collect::<Result<_, _>>().unwrap()
}

const CA_NAME: &str = "Test CA";
const AWS_HOST: &str = "x-ats.iot.eu-west-1.amazonaws.com";
/// OID 1.2.840.10045.4.3.2.
const ECDSA_WITH_SHA256: [u8; 8] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/// OID 2.5.4.3.
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
