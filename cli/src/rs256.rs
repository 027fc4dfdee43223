//! RS256, the signature of custom authorizers: made and checked with keys from PEM files.

use std::fs;
use std::path::Path;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PublicKey;
use aws_lc_rs::signature::{RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey};
use base64::prelude::{BASE64_STANDARD, Engine};
use dunlin_client::secret::Secret;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

use crate::diagnosis::{Diagnosis, Try};

/// The base64 signature of `token` by the private key in `pem`, which `flag` named.
pub(crate) fn sign(flag: &str, pem: &Path, token: &str) -> Result<Secret<String>, Diagnosis> {
    let key = private_key(&read(flag, pem)?).ok_or_else(|| Diagnosis {
        saw: Some(found(pem)),
        try_: vec![Try::command(
            "openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out private.pem",
        )],
        ..Diagnosis::usage(format!(
            "{flag} needs an RSA private key of 2048 bits or more, unencrypted, in PEM"
        ))
    })?;
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
        .map_err(|_| Diagnosis::usage(format!("the key in {} can't sign", pem.display())))?;
    Ok(BASE64_STANDARD.encode(signature).into())
}

/// Whether `signature` (base64) is that of `token` by the owner of the public key in `pem`, which `flag` named.
pub(crate) fn verify(flag: &str, pem: &Path, token: &str, signature: &str) -> Result<bool, Diagnosis> {
    let key = read(flag, pem)?;
    let public = SubjectPublicKeyInfoDer::from_pem_slice(&key).ok();
    let public = public.filter(|der| PublicKey::from_der(der).is_ok()).ok_or_else(|| Diagnosis {
        saw: Some(found(pem)),
        try_: vec![Try::command("openssl pkey -in private.pem -pubout -out public.pem")],
        ..Diagnosis::usage(format!("{flag} needs an RSA public key in PEM"))
    })?;
    let Ok(signature) = BASE64_STANDARD.decode(signature) else { return Ok(false) };
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

fn found(pem: &Path) -> String {
    format!("{} holds something else", pem.display())
}
