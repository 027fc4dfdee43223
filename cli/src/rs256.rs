//! RS256, the signature of custom authorizers: signing and checking with keys from PEM files.

use std::fs;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::prelude::{BASE64_STANDARD, Engine};
use dunlin_client::secret::Secret;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

use crate::diagnosis::{Diagnosis, Try, shell};

/// Base64 signature of `token` with the private key in the file `pem`, which `flag` named.
///
/// # Errors
/// `E-USAGE` if the file can't be read or holds another kind of key.
pub(crate) fn sign(flag: &str, pem: &Path, token: &str) -> Result<Secret<String>, Diagnosis> {
    let bytes = read(flag, pem)?;
    // Anything but an RSA key gets the name of what it is, and the command that helps.
    let key = private_key(&bytes).ok_or_else(|| Diagnosis {
        saw: Some(format!(
            "{} holds {}",
            pem.display(),
            KeyKind::of(&bytes).text()
        )),
        try_: vec![KeyKind::of(&bytes).private_from(pem)],
        ..Diagnosis::usage(format!(
            "{flag} needs an RSA private key of 2048 bits or more, unencrypted, in PEM"
        ))
    })?;
    // An RSA signature is as long as the modulus.
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        token.as_bytes(),
        &mut signature,
    )
    .map_err(|_| Diagnosis::usage(format!("the key in {} can't sign", pem.display())))?;
    Ok(BASE64_STANDARD.encode(signature).into())
}

/// True if `signature` (base64) is that of `token` with the private key that belongs to the public
/// key in the file `pem`, which `flag` named.
///
/// # Errors
/// `E-USAGE` if the file can't be read or holds another kind of key.
pub(crate) fn verify(
    flag: &str,
    pem: &Path,
    token: &str,
    signature: &str,
) -> Result<bool, Diagnosis> {
    let key = read(flag, pem)?;
    let public = SubjectPublicKeyInfoDer::from_pem_slice(&key).ok();
    let public = public
        // A shorter key would parse, and AWS IoT refuses it.
        .filter(|der| der.len() >= SHORTEST_PUBLIC && PublicKey::from_der(der).is_ok())
        .ok_or_else(|| Diagnosis {
            saw: Some(format!(
                "{} holds {}",
                pem.display(),
                KeyKind::of(&key).text()
            )),
            try_: vec![Try::command(KeyKind::of(&key).public_from(pem))],
            ..Diagnosis::usage(format!("{flag} needs an RSA public key in PEM"))
        })?;
    // Not base64 is a signature that doesn't match; its damage is explained elsewhere.
    let Ok(signature) = BASE64_STANDARD.decode(signature) else {
        return Ok(false);
    };
    Ok(UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &public)
        .verify(token.as_bytes(), &signature)
        .is_ok())
}

fn private_key(pem: &[u8]) -> Option<RsaKeyPair> {
    match PrivateKeyDer::from_pem_slice(pem).ok()? {
        PrivateKeyDer::Pkcs8(der) => RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).ok(),
        PrivateKeyDer::Pkcs1(der) => RsaKeyPair::from_der(der.secret_pkcs1_der()).ok(),
        _ => None,
    }
}

fn read(flag: &str, pem: &Path) -> Result<Vec<u8>, Diagnosis> {
    fs::read(pem).map_err(|error| Diagnosis::unreadable(flag, pem, &error))
}

/// Content of a file that doesn't hold the key that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KeyKind {
    EncryptedKey,
    EcKey,
    PssKey,
    OtherKey,
    ShortKey,
    PrivateKey,
    PublicKey,
    Pkcs1PublicKey,
    Certificate,
    Request,
    OpenSsh,
    OpenSshPublic,
    Der,
    Other,
}

impl KeyKind {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        // The labels of PEM (RFC 7468), the more specific ones first: the label of a request begins
        // like that of a certificate, and an encrypted PKCS #1 key has that of a plain one.
        let has = |words: &str| text.contains(words);
        if bytes.first() == Some(&0x30) {
            Self::Der
        } else if has("BEGIN ENCRYPTED PRIVATE KEY") || has("Proc-Type: 4,ENCRYPTED") {
            Self::EncryptedKey
        } else if has("BEGIN CERTIFICATE REQUEST") || has("BEGIN NEW CERTIFICATE REQUEST") {
            Self::Request
        } else if has("BEGIN CERTIFICATE") {
            Self::Certificate
        } else if has("BEGIN OPENSSH PRIVATE KEY") {
            Self::OpenSsh
        } else if has("BEGIN EC PRIVATE KEY") {
            Self::EcKey
        } else if has("BEGIN RSA PRIVATE KEY") || has("BEGIN PRIVATE KEY") {
            Self::of_private(bytes)
        } else if has("BEGIN RSA PUBLIC KEY") {
            Self::Pkcs1PublicKey
        } else if has("BEGIN PUBLIC KEY") {
            Self::of_public(bytes)
        } else if text.starts_with("ssh-") || text.starts_with("ecdsa-") {
            Self::OpenSshPublic
        } else {
            Self::Other
        }
    }

    fn of_public(bytes: &[u8]) -> Self {
        match SubjectPublicKeyInfoDer::from_pem_slice(bytes) {
            // By object identifier: the label "PUBLIC KEY" says nothing about the algorithm.
            Ok(der) if contains(&der, EC) => Self::EcKey,
            Ok(der) if contains(&der, PSS) => Self::PssKey,
            Ok(der) if !contains(&der, RSA) => Self::OtherKey,
            Ok(der) if der.len() < SHORTEST_PUBLIC => Self::ShortKey,
            _ => Self::PublicKey,
        }
    }

    fn of_private(bytes: &[u8]) -> Self {
        match PrivateKeyDer::from_pem_slice(bytes) {
            // PSS before RSA: both are RSA keys, and a PSS key makes no RS256 signature.
            Ok(PrivateKeyDer::Pkcs8(der)) if contains(der.secret_pkcs8_der(), PSS) => Self::PssKey,
            Ok(PrivateKeyDer::Pkcs8(der)) if contains(der.secret_pkcs8_der(), EC) => Self::EcKey,
            Ok(PrivateKeyDer::Pkcs8(der)) if !contains(der.secret_pkcs8_der(), RSA) => {
                Self::OtherKey
            }
            Ok(PrivateKeyDer::Pkcs8(der)) if der.secret_pkcs8_der().len() < SHORTEST => {
                Self::ShortKey
            }
            Ok(PrivateKeyDer::Pkcs1(der)) if der.secret_pkcs1_der().len() < SHORTEST => {
                Self::ShortKey
            }
            Ok(_) => Self::PrivateKey,
            Err(_) => Self::Other,
        }
    }

    const fn text(self) -> &'static str {
        match self {
            Self::EncryptedKey => "an encrypted private key",
            Self::EcKey => "an EC key; RS256 needs RSA",
            Self::PssKey => "an RSA-PSS key; RS256 needs a plain RSA key",
            Self::OtherKey => "a key that isn't RSA; RS256 needs RSA",
            Self::ShortKey => "an RSA key that is too short (AWS IoT: 2048 bits at least)",
            Self::PrivateKey => "a private key",
            Self::PublicKey => "a public key",
            Self::Pkcs1PublicKey => "an RSA public key in the older form (PKCS #1)",
            Self::Certificate => "a certificate",
            Self::Request => "a certificate request",
            Self::OpenSsh => "a private key in OpenSSH's own format",
            Self::OpenSshPublic => "a public key in OpenSSH's own format",
            Self::Der => "DER, not PEM",
            Self::Other => "no key in PEM that can be read",
        }
    }

    /// Command that makes a private key in PEM of it; advice where only another file has one.
    fn private_from(self, pem: &Path) -> Try {
        let file = shell(&pem.to_string_lossy());
        Try::command(match self {
            Self::EncryptedKey => format!("openssl pkey -in {file} -out decrypted.pem"),
            Self::Der => format!("openssl pkey -inform der -in {file} -out private.pem"),
            Self::OpenSsh => format!("ssh-keygen -p -m PKCS8 -f {file}"),
            Self::PublicKey
            | Self::Pkcs1PublicKey
            | Self::OpenSshPublic
            | Self::Certificate
            | Self::Request => {
                // A private key can't be computed from any of these.
                return Try::advice("the file with the private key that belongs to it");
            }
            _ => "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out private.pem"
                .to_owned(),
        })
    }

    /// Command that makes a public key of it.
    fn public_from(self, pem: &Path) -> String {
        let file = shell(&pem.to_string_lossy());
        match self {
            Self::Certificate => format!("openssl x509 -in {file} -pubkey -noout >public.pem"),
            Self::Request => format!("openssl req -in {file} -pubkey -noout >public.pem"),
            Self::Der => format!("openssl pkey -pubin -inform der -in {file} -out public.pem"),
            Self::Pkcs1PublicKey => {
                format!("openssl rsa -RSAPublicKey_in -in {file} -pubout -out public.pem")
            }
            Self::OpenSshPublic | Self::OpenSsh => {
                format!("ssh-keygen -e -m PKCS8 -f {file} >public.pem")
            }
            Self::PrivateKey | Self::EncryptedKey => {
                format!("openssl pkey -in {file} -pubout -out public.pem")
            }
            _ => "openssl pkey -in private.pem -pubout -out public.pem".to_owned(),
        }
    }
}

fn contains(der: &[u8], oid: &[u8]) -> bool {
    der.windows(oid.len()).any(|window| window == oid)
}

/// Object identifiers of id-ecPublicKey, rsaEncryption and id-RSASSA-PSS, in DER.
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// Minimum length in bytes of the DER of a private RSA key of 2048 bits.
const SHORTEST: usize = 1100;
/// Minimum length in bytes of the DER of a public RSA key of 2048 bits.
const SHORTEST_PUBLIC: usize = 270;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_holds_another_kind_of_key_is_named_as_what_it_is() {
        let ec = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
        for (pem, kind) in [
            (ec.serialize_pem(), KeyKind::EcKey),
            (ec.public_key_pem(), KeyKind::EcKey),
            (
                "-----BEGIN ENCRYPTED PRIVATE KEY-----\n".to_owned(),
                KeyKind::EncryptedKey,
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n".to_owned(),
                KeyKind::EncryptedKey,
            ),
            (
                "-----BEGIN CERTIFICATE-----\n".to_owned(),
                KeyKind::Certificate,
            ),
            (
                "-----BEGIN PUBLIC KEY-----\n".to_owned(),
                KeyKind::PublicKey,
            ),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----\n".to_owned(),
                KeyKind::OpenSsh,
            ),
            (
                "-----BEGIN CERTIFICATE REQUEST-----\n".to_owned(),
                KeyKind::Request,
            ),
            (
                "-----BEGIN RSA PUBLIC KEY-----\n".to_owned(),
                KeyKind::Pkcs1PublicKey,
            ),
            ("ssh-rsa AAAA me@here\n".to_owned(), KeyKind::OpenSshPublic),
            ("0\u{3}".to_owned(), KeyKind::Der),
            ("hello".to_owned(), KeyKind::Other),
        ] {
            assert_eq!(KeyKind::of(pem.as_bytes()), kind, "{pem}");
        }
    }
}
