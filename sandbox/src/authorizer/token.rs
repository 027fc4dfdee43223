//! Token signatures: RSA PKCS#1 v1.5 with SHA-256 over the token, in plain base64.

use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject as _;

/// The public half of a token signing key: RSA of 2048 bits or more.
#[derive(Debug, Clone)]
pub struct PublicKey {
    der: Vec<u8>,
}

/// Reason why a public key isn't accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PublicKeyError {
    /// No `BEGIN PUBLIC KEY` section, or not a whole one.
    #[error("it holds no PEM section \"PUBLIC KEY\"")]
    NotPem,
    /// Another kind of key, or one that is too short.
    #[error("it isn't an RSA public key of 2048 to 8192 bits")]
    NotRsa,
}

/// Error of a token signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// `-` or `_` in it.
    #[error("it is base64url; plain base64 with + and / is needed")]
    Base64Url,
    /// Spaces or line ends in it.
    #[error("it has spaces or line ends in it")]
    Whitespace,
    /// Not base64 at all.
    #[error("it isn't base64")]
    NotBase64,
    /// Well formed, and of another token or key.
    #[error("it doesn't match the token (RS256)")]
    Mismatch,
}

impl PublicKey {
    /// Reads a PEM section `PUBLIC KEY`, as `openssl rsa -pubout` writes it.
    ///
    /// # Errors
    /// `NotPem` without such a section, `NotRsa` for another kind of key or another size than 2,048
    /// to 8,192 bits.
    pub fn from_pem(pem: &str) -> Result<Self, PublicKeyError> {
        let spki = SubjectPublicKeyInfoDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| PublicKeyError::NotPem)?;
        // Nothing is encrypted: this is the one type of the library that judges kind and size
        // without a signature.
        PublicEncryptingKey::from_der(&spki).map_err(|_| PublicKeyError::NotRsa)?;
        Ok(Self { der: spki.to_vec() })
    }
}

pub(super) fn verify(
    token: &str,
    signature: &str,
    keys: &[PublicKey],
) -> Result<(), SignatureError> {
    // AWS takes plain base64 with padding: `[A-Za-z0-9+/]+={0,2}`.
    let signature = STANDARD
        .decode(signature)
        .map_err(|_| not_base64(signature))?;
    // Any of the keys will do, so that keys can be rotated without refusing clients.
    let verified = keys.iter().any(|key| {
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &key.der)
            .verify(token.as_bytes(), &signature)
            .is_ok()
    });
    if verified {
        Ok(())
    } else {
        Err(SignatureError::Mismatch)
    }
}

fn not_base64(signature: &str) -> SignatureError {
    // Parts of a JWT are base64url, and `openssl base64` breaks its output into lines: the two
    // usual mistakes have texts of their own.
    if signature.contains(['-', '_']) {
        SignatureError::Base64Url
    } else if signature.contains(char::is_whitespace) {
        SignatureError::Whitespace
    } else {
        SignatureError::NotBase64
    }
}

/// A token that may be shown to the Lambda.
#[derive(Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) value: &'a str,
    pub(super) signature_verified: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    use rcgen::{KeyPair, PKCS_RSA_SHA256, RsaKeySize, SigningKey as _};

    fn key() -> (KeyPair, PublicKey) {
        let pair = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let public = PublicKey::from_pem(&pair.public_key_pem()).unwrap();
        (pair, public)
    }

    #[test]
    fn only_a_signature_of_this_token_by_this_key_is_accepted() {
        // The key that signed is the second of the two: the order doesn't count.
        let (pair, public) = key();
        let (_, other) = key();
        let signature = STANDARD.encode(pair.sign(b"hello").unwrap());
        assert_eq!(
            verify("hello", &signature, &[other.clone(), public.clone()]),
            Ok(())
        );
        assert_eq!(
            verify("hello\n", &signature, &[public]),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verify("hello", &signature, &[other]),
            Err(SignatureError::Mismatch)
        );
        assert_eq!(
            verify("hello", &signature, &[]),
            Err(SignatureError::Mismatch)
        );
    }

    #[test]
    fn a_signature_that_is_not_base64_has_an_error_of_its_own() {
        assert_eq!(verify("t", "AbC_", &[]), Err(SignatureError::Base64Url));
        assert_eq!(
            verify("t", "AbCd\nAbCd", &[]),
            Err(SignatureError::Whitespace)
        );
        assert_eq!(verify("t", "AbC", &[]), Err(SignatureError::NotBase64));
    }

    #[test]
    fn a_key_that_is_no_rsa_key_is_refused() {
        let elliptic = KeyPair::generate().unwrap();
        assert_eq!(
            PublicKey::from_pem(&elliptic.public_key_pem()).err(),
            Some(PublicKeyError::NotRsa)
        );
        assert_eq!(
            PublicKey::from_pem("no key").err(),
            Some(PublicKeyError::NotPem)
        );
    }
}
