//! The files that TLS is configured from, good and bad.

use std::path::PathBuf;

use dunlin_client::transport::{
    CaBundle, ClientCertificate, Roots, TlsConnector, TlsOptions, TlsOptionsError,
};
use tempfile::TempDir;

use crate::authority::{Authority, Identity};
use crate::server::{Behaviour, Server};
use crate::{open_tls, tls_options, transport_options};

/// A folder of its own for each test.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn identity() -> Identity {
    Authority::new("Test CA").issues(&["localhost"])
}

#[tokio::test]
async fn a_ca_file_and_a_client_certificate_are_read_from_pem() {
    let files = Files::new();
    let authority = Authority::new("Test CA");
    let device = authority.issues(&["lamp-7"]);
    let server = Server::start(&authority.issues(&["localhost"]), Behaviour::default()).await;
    let ca = files.write(
        "ca.pem",
        &format!(
            "# two of them\n{}{}",
            Authority::new("Other").pem(),
            authority.pem()
        ),
    );
    let both = files.write(
        "device.pem",
        &format!("{}{}", device.certificate_pem(), device.key_pem()),
    );

    let mut tls = tls_options(&authority);
    tls.roots = Roots::from(CaBundle::from_pem_file(&ca).unwrap());
    tls.client_certificate = Some(ClientCertificate::from_pem_files(&both, &both).unwrap());

    open_tls(&transport_options("localhost", server.address, Some(&tls))).await;
}

#[test]
fn a_file_that_cannot_be_used_is_named_with_its_fault() {
    let files = Files::new();
    let missing = files.0.path().join("missing.pem");
    let empty = files.write("empty.pem", "");
    let key_only = files.write("key.pem", &identity().key_pem());
    let broken = files.write(
        "broken.pem",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    );
    let cut = files.write("cut.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n");
    let hollow = files.write(
        "hollow.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let fault = |path: &PathBuf| CaBundle::from_pem_file(path).unwrap_err();

    assert!(matches!(fault(&missing), TlsOptionsError::Unreadable { path, .. } if path == missing));
    for path in [empty, key_only] {
        assert_eq!(fault(&path), TlsOptionsError::NoCertificate { path });
    }
    for file in [broken, cut] {
        assert!(matches!(fault(&file), TlsOptionsError::MalformedPem { path, .. } if path == file));
    }
    assert_eq!(
        fault(&hollow),
        TlsOptionsError::InvalidCertificate {
            path: hollow,
            position: 1
        }
    );
}

#[test]
fn a_private_key_must_be_there_and_be_the_certificates() {
    let files = Files::new();
    let identity = identity();
    let certificate = files.write("certificate.pem", &identity.certificate_pem());
    let foreign = files.write("foreign.pem", &self::identity().key_pem());
    let pkcs8 = files.write("pkcs8.pem", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n");
    let pkcs1 = files.write(
        "pkcs1.pem",
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n",
    );
    let hollow = files.write(
        "hollow.pem",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    );
    let fault = |key: &PathBuf| ClientCertificate::from_pem_files(&certificate, key).unwrap_err();

    assert_eq!(
        fault(&certificate),
        TlsOptionsError::NoPrivateKey {
            path: certificate.clone()
        }
    );
    for path in [pkcs8, pkcs1] {
        assert_eq!(fault(&path), TlsOptionsError::EncryptedPrivateKey { path });
    }
    assert!(
        matches!(fault(&hollow), TlsOptionsError::UnusablePrivateKey { path, .. } if path == hollow)
    );
    let mismatch = TlsOptionsError::KeyMismatch {
        certificate: certificate.clone(),
        key: foreign.clone(),
    };
    assert_eq!(fault(&foreign), mismatch);
}

#[test]
fn neither_debug_nor_an_error_shows_a_private_key() {
    let files = Files::new();
    let identity = identity();
    let certificate = files.write("certificate.pem", &identity.certificate_pem());
    let pem = identity.key_pem();
    let canary = pem.lines().nth(1).unwrap();
    let key = files.write("key.pem", &pem);
    let glued = files.write(
        "glued.pem",
        &pem.replace("PRIVATE KEY-----\n", "PRIVATE KEY---"),
    );

    let tls = TlsOptions {
        client_certificate: Some(ClientCertificate::from_pem_files(&certificate, key).unwrap()),
        ..TlsOptions::default()
    };
    let error = ClientCertificate::from_pem_files(&certificate, glued).unwrap_err();
    let shown = format!(
        "{tls:?} {:?} {error} {error:?}",
        TlsConnector::new(&tls).unwrap()
    );

    assert!(shown.contains("localhost"), "{shown}");
    assert!(!shown.contains(canary), "{shown}");
}

#[test]
fn settings_that_make_no_tls_are_refused() {
    let no_roots = TlsOptions {
        roots: Roots::Only(CaBundle::from_der([]).unwrap()),
        ..TlsOptions::default()
    };
    assert_eq!(
        TlsConnector::new(&no_roots).unwrap_err(),
        TlsOptionsError::NoRoots
    );

    for length in [0, 256] {
        let alpn = TlsOptions {
            alpn: vec![vec![b'x'; length]],
            ..TlsOptions::default()
        };
        assert_eq!(
            TlsConnector::new(&alpn).unwrap_err(),
            TlsOptionsError::InvalidAlpn { length }
        );
    }
}

#[tokio::test]
async fn certificates_and_keys_are_read_from_memory_and_from_der() {
    let files = Files::new();
    let authority = Authority::new("Test CA");
    let device = authority.issues(&["lamp-7"]);
    let der = |name: &str, bytes: &[u8]| {
        let path = files.0.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let certificate = der("device.der", &device.chain()[0]);
    let key = der("device.key", device.key().secret_der());
    let ca = der("ca.der", &authority.certificate());

    let of_memory = ClientCertificate::from_pem(
        device.certificate_pem().as_bytes(),
        device.key_pem().as_bytes(),
    );
    let of_files = ClientCertificate::from_der_files(&certificate, &key);
    let roots = [
        CaBundle::from_pem(authority.pem().as_bytes()),
        CaBundle::from_der_file(&ca),
    ];
    for (client_certificate, roots) in [of_memory, of_files].into_iter().zip(roots) {
        let server = Server::start(&authority.issues(&["localhost"]), Behaviour::default()).await;
        let tls = TlsOptions {
            client_certificate: Some(client_certificate.unwrap()),
            roots: Roots::from(roots.unwrap()),
            ..tls_options(&authority)
        };
        open_tls(&transport_options("localhost", server.address, Some(&tls))).await;
    }

    // Errors of bytes in memory name no file.
    let error = CaBundle::from_pem(b"").unwrap_err();
    assert_eq!(error.to_string(), "no certificate in the given bytes");
    let error = ClientCertificate::from_der_files(&certificate, &ca).unwrap_err();
    assert!(
        matches!(error, TlsOptionsError::UnusablePrivateKey { .. }),
        "{error:?}"
    );
    let error = CaBundle::from_der_file(&key).unwrap_err();
    assert!(
        matches!(error, TlsOptionsError::InvalidCertificate { .. }),
        "{error:?}"
    );
}

/// Keys that OpenSSL has encrypted with the password `s3cret`.
#[cfg(feature = "encrypted-keys")]
mod encrypted {
    use dunlin_client::secret::Secret;
    use dunlin_client::transport::{ClientCertificate, TlsOptionsError};

    const CERTIFICATE: &[u8] = include_bytes!("keys/certificate.pem");
    /// Encryption that OpenSSL 3 uses by default: PBKDF2 with SHA-256, and AES-256.
    const PBKDF2: &[u8] = include_bytes!("keys/pbkdf2.pem");
    const SCRYPT: &[u8] = include_bytes!("keys/scrypt.pem");
    const TRIPLE_DES: &[u8] = include_bytes!("keys/des3.pem");
    /// Encryption of older PEM files.
    const TRADITIONAL: &[u8] = include_bytes!("keys/traditional.pem");

    fn load(key: &[u8], password: &str) -> Result<ClientCertificate, TlsOptionsError> {
        let password = || Some(Secret::from(password.as_bytes().to_vec()));
        ClientCertificate::from_pem_with_password(CERTIFICATE, key, password)
    }

    #[test]
    fn a_key_is_decrypted_with_its_password() {
        for key in [PBKDF2, SCRYPT] {
            // Loading checks that the key is that of the certificate.
            load(key, "s3cret").unwrap();
            let error = load(key, "canary").unwrap_err();
            assert!(
                matches!(error, TlsOptionsError::WrongKeyPassword { .. }),
                "{error:?}"
            );
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
        // Certificate and key may be in one file.
        let both = [CERTIFICATE, PBKDF2].concat();
        load(&both, "s3cret").unwrap();
    }

    #[test]
    fn the_password_is_asked_for_only_if_the_key_is_encrypted() {
        let error = ClientCertificate::from_pem_with_password(CERTIFICATE, PBKDF2, || None);
        assert!(matches!(
            error,
            Err(TlsOptionsError::EncryptedPrivateKey { .. })
        ));
        let error = ClientCertificate::from_pem_with_password(CERTIFICATE, CERTIFICATE, || {
            panic!("there is nothing to decrypt")
        });
        assert!(matches!(error, Err(TlsOptionsError::NoPrivateKey { .. })));
        // Without a password the key is refused as before.
        let error = ClientCertificate::from_pem(CERTIFICATE, PBKDF2);
        assert!(matches!(
            error,
            Err(TlsOptionsError::EncryptedPrivateKey { .. })
        ));
    }

    #[test]
    fn encryption_that_is_not_supported_is_named() {
        let error = load(TRADITIONAL, "s3cret").unwrap_err();
        assert!(
            matches!(error, TlsOptionsError::EncryptedPrivateKey { .. }),
            "{error:?}"
        );
        let error = load(TRIPLE_DES, "s3cret").unwrap_err();
        let TlsOptionsError::UnusablePrivateKey { detail, .. } = error else {
            panic!("{error:?}")
        };
        assert!(detail.contains("unsupported"), "{detail}");
        let damaged = &PBKDF2[..PBKDF2.len() / 2];
        let error = load(damaged, "s3cret").unwrap_err();
        assert!(
            matches!(error, TlsOptionsError::MalformedPem { .. }),
            "{error:?}"
        );
    }
}
