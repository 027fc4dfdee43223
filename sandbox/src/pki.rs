//! Keys and certificates: a CA and a token signing key that stay, and a server certificate for each
//! start.
//!
//! Created once in the state directory and used again after that, so that a CA that somebody has
//! told their tools about goes on working. The server certificate is issued at each start and never
//! written down: it can't expire between two runs, and its key is on no disk.

mod certificate;

use core::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use dunlin_codec::Escaped;
use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey as _};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

pub use certificate::ClientIdentity;
pub(crate) use certificate::ServerIdentity;

use crate::authorizer::{PublicKey, PublicKeyError};
use crate::fault::CertificateFault;
use crate::state::{StateDir, StateError, create_private_dir, refuse_writable, write_private};

/// The keys of one state directory.
#[derive(Debug)]
pub struct Pki {
    ca_path: PathBuf,
    ca_key: KeyPair,
    signing_key_path: PathBuf,
    signing_key: KeyPair,
}

/// A new key pair that signs tokens: RSA-2048, as AWS IoT wants it at least.
///
/// ```
/// use dunlin_sandbox::{PublicKey, TokenKey};
///
/// let key = TokenKey::generate()?;
/// assert!(PublicKey::from_pem(&key.public_pem).is_ok());
/// # Ok::<(), dunlin_sandbox::PkiError>(())
/// ```
pub struct TokenKey {
    /// PKCS #8, in PEM.
    pub private_pem: String,
    /// Public key for the authorizer, in PEM.
    pub public_pem: String,
}

/// Files of a client's certificate and key.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientFiles {
    /// Certificate in PEM.
    pub certificate: PathBuf,
    /// Private key, PKCS #8 in PEM.
    pub key: PathBuf,
    /// `certificateId` of AWS IoT: the SHA-256 of the certificate, in hex.
    pub certificate_id: String,
}

/// Error of opening or making the keys.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PkiError {
    /// The state directory can't be used.
    #[error(transparent)]
    State(#[from] StateError),
    /// A file of the state directory can't be read.
    #[error("{}: {source}", Escaped(path.display()))]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Error of the system.
        source: io::Error,
    },
    /// A file that holds no key, or another kind of key.
    #[error("{}: not a usable private key ({source}); delete it and ca.pem to have new ones made", Escaped(path.display()))]
    Key {
        /// Path of the file.
        path: PathBuf,
        /// Error of the library that reads keys.
        source: rcgen::Error,
    },
    /// The certificate of the CA is missing, and its key is there.
    #[error("{} is missing although its key is there; delete {} to have new ones made", Escaped(path.display()), Escaped(key.display()))]
    Incomplete {
        /// File that is missing: the certificate.
        path: PathBuf,
        /// File of its private key.
        key: PathBuf,
    },
    /// The library refused to make a key, a certificate or a signature.
    #[error("can't make keys or certificates: {0}")]
    Generate(#[from] rcgen::Error),
    /// A name that no thing of AWS IoT can have; holds the name.
    #[error(
        "{0:?} can't be the name of a thing: 1 to 128 letters, digits, \":\", \"_\" and \"-\" are allowed"
    )]
    ThingName(String),
    /// The public half of the signing key isn't one that AWS IoT would take.
    #[error("the token signing key: {0}")]
    PublicKey(#[from] PublicKeyError),
}

impl TokenKey {
    /// Makes a key of 2,048 bits. It may take seconds: large primes are looked for.
    ///
    /// # Errors
    /// [`PkiError::Generate`] if the library refuses.
    pub fn generate() -> Result<Self, PkiError> {
        let key = new_signing_key()?;
        Ok(Self {
            private_pem: key.serialize_pem(),
            public_pem: key.public_key_pem(),
        })
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("public_pem", &self.public_pem)
            .finish_non_exhaustive()
    }
}

fn new_signing_key() -> Result<KeyPair, rcgen::Error> {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048)
}

impl Pki {
    /// Opens the keys of a state directory; makes those that aren't there yet.
    ///
    /// # Errors
    /// `State` if the directory can't be used or others can write to it, `Io` or `Key` if a file
    /// can't be read, `Incomplete` if one of a pair is missing, `Generate` if the library refuses.
    pub fn open(state_dir: &StateDir) -> Result<Self, PkiError> {
        // Two sandboxes that start at once must not make two CAs: the second waits for the first
        // one's.
        let _only_one = state_dir.lock()?;
        let dir = state_dir.sandbox();
        // The CA for TLS, then the key that signs tokens for DemoSigned.
        let ca_path = dir.join("ca.pem");
        let ca_key = open_ca(&ca_path, &dir.join("ca-key.pem"))?;
        let signing_key_path = dir.join("signing.pem");
        let signing_key = open_key(&signing_key_path, || Ok(new_signing_key()?))?;
        Ok(Self {
            ca_path,
            ca_key,
            signing_key_path,
            signing_key,
        })
    }

    /// The CA certificate that clients must trust.
    #[must_use]
    pub fn ca_path(&self) -> &Path {
        &self.ca_path
    }

    /// The private key that signs tokens for `DemoSigned`.
    #[must_use]
    pub fn signing_key_path(&self) -> &Path {
        &self.signing_key_path
    }

    /// Public half of the token signing key.
    ///
    /// # Errors
    /// [`PkiError::PublicKey`] if `signing.pem` holds another kind of key.
    pub fn signing_public_key(&self) -> Result<PublicKey, PkiError> {
        Ok(PublicKey::from_pem(&self.signing_key.public_key_pem())?)
    }

    /// Signs a token value by RS256, in base64 as in `x-amz-customauthorizer-signature`.
    ///
    /// # Errors
    /// [`PkiError::Generate`] if the library refuses to sign.
    pub fn sign_token(&self, value: &str) -> Result<String, PkiError> {
        Ok(STANDARD.encode(self.signing_key.sign(value.as_bytes())?))
    }

    /// Makes a key and a certificate for the client that is the thing of this name. They are valid for
    /// a year, and kept nowhere here.
    ///
    /// # Errors
    /// [`PkiError::ThingName`] for a name that AWS IoT doesn't take, [`PkiError::Generate`] if the
    /// library refuses.
    pub fn issue_client(&self, thing: &str) -> Result<ClientIdentity, PkiError> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '-');
        if thing.is_empty() || thing.len() > MAX_THING_NAME || !thing.chars().all(is_allowed) {
            return Err(PkiError::ThingName(thing.into()));
        }
        Ok(certificate::issue_client(&self.ca_key, thing)?)
    }

    /// Makes a key and a certificate as [`issue_client`](Self::issue_client) does, and writes them into
    /// the folder `things` beside the CA, for their owner alone. Earlier ones are replaced.
    ///
    /// # Errors
    /// Errors of [`issue_client`](Self::issue_client), and [`PkiError::State`] if the files can't be
    /// written.
    pub fn write_client(&self, thing: &str) -> Result<ClientFiles, PkiError> {
        let identity = self.issue_client(thing)?;
        let dir = self.ca_path.with_file_name("things");
        create_private_dir(&dir)?;
        // A colon can't be in the name of a file everywhere.
        let name = thing.replace(':', "_");
        let files = ClientFiles {
            certificate: dir.join(format!("{name}.pem")),
            key: dir.join(format!("{name}-key.pem")),
            certificate_id: identity.certificate_id,
        };
        write_private(&files.certificate, identity.certificate_pem.as_bytes())?;
        write_private(&files.key, identity.key_pem.as_bytes())?;
        Ok(files)
    }

    /// Certificate of the CA, which verifies those of clients.
    pub(crate) fn ca_certificate(&self) -> Result<CertificateDer<'static>, PkiError> {
        CertificateDer::from_pem_file(&self.ca_path).map_err(|error| PkiError::Io {
            path: self.ca_path.clone(),
            source: io::Error::new(io::ErrorKind::InvalidData, error.to_string()),
        })
    }

    /// A new certificate and key for `localhost`, or one with the fault that was asked for.
    pub(crate) fn server_identity(
        &self,
        fault: Option<CertificateFault>,
    ) -> Result<ServerIdentity, PkiError> {
        Ok(certificate::issue(&self.ca_key, fault)?)
    }
}

fn open_ca(path: &Path, key_path: &Path) -> Result<KeyPair, PkiError> {
    open_key(key_path, || {
        let key = KeyPair::generate()?;
        // The key comes last: it is what says that both are there.
        write_private(path, certificate::authority(&key)?.as_bytes())?;
        Ok(key)
    })
    .and_then(|key| {
        // A CA without its certificate was trusted somewhere: to make another in silence would
        // break that.
        if !path.exists() {
            return Err(PkiError::Incomplete {
                path: path.into(),
                key: key_path.into(),
            });
        }
        refuse_writable(path)?;
        Ok(key)
    })
}

fn open_key(
    path: &Path,
    generate: impl FnOnce() -> Result<KeyPair, PkiError>,
) -> Result<KeyPair, PkiError> {
    match fs::read_to_string(path) {
        // Others could have put a key of their own here, so its mode and owner are checked first.
        Ok(pem) => {
            refuse_writable(path)?;
            KeyPair::from_pem(&pem).map_err(|source| PkiError::Key {
                path: path.into(),
                source,
            })
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // The file is written whole or not at all, so a process that is killed leaves no half
            // key.
            let key = generate()?;
            write_private(path, key.serialize_pem().as_bytes())?;
            Ok(key)
        }
        Err(source) => Err(PkiError::Io {
            path: path.into(),
            source,
        }),
    }
}

/// Bytes of the name of a thing at AWS IoT.
const MAX_THING_NAME: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn open_in(dir: &Path) -> Pki {
        Pki::open(&StateDir::at(dir)).unwrap()
    }

    #[test]
    fn keys_are_made_once_and_used_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = open_in(dir.path());
        let ca = fs::read(first.ca_path()).unwrap();
        let second = open_in(dir.path());
        assert_eq!(fs::read(second.ca_path()).unwrap(), ca);
        assert_eq!(
            first.sign_token("hello").unwrap(),
            second.sign_token("hello").unwrap()
        );
    }

    #[test]
    fn a_signature_is_that_of_rsa_2048_in_base64() {
        let dir = tempfile::tempdir().unwrap();
        let signature = open_in(dir.path()).sign_token("hello").unwrap();
        assert_eq!(STANDARD.decode(signature).unwrap().len(), 256);
    }

    #[cfg(unix)]
    #[test]
    fn private_files_are_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let pki = open_in(&dir.path().join("new"));
        // The umask of the process must not matter.
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(pki.signing_key_path()), 0o600);
        assert_eq!(mode(&pki.ca_path().with_file_name("ca-key.pem")), 0o600);
        assert_eq!(mode(pki.ca_path()), 0o600);
        assert_eq!(mode(&pki.ca_path().with_file_name("lock")), 0o600);
        assert_eq!(mode(pki.ca_path().parent().unwrap()), 0o700);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_can_write_is_refused_with_the_command_that_mends_it() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = open_in(dir.path()).signing_key_path().to_owned();
        // Writable by the group.
        fs::set_permissions(&path, PermissionsExt::from_mode(0o620)).unwrap();
        let told = Pki::open(&StateDir::at(dir.path()))
            .unwrap_err()
            .to_string();
        assert!(
            told.ends_with(&format!("; to mend it: chmod 600 {}", path.display())),
            "{told}"
        );
    }

    #[test]
    fn a_file_that_holds_no_key_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = open_in(dir.path()).signing_key_path().to_owned();
        fs::write(&path, "not a key").unwrap();
        let error = Pki::open(&StateDir::at(dir.path())).unwrap_err();
        assert!(matches!(error, PkiError::Key { path: named, .. } if named == path));
    }

    #[test]
    fn a_lost_ca_certificate_is_named_and_not_replaced_in_silence() {
        let dir = tempfile::tempdir().unwrap();
        fs::remove_file(open_in(dir.path()).ca_path()).unwrap();
        assert!(matches!(
            Pki::open(&StateDir::at(dir.path())),
            Err(PkiError::Incomplete { .. })
        ));
    }
}
