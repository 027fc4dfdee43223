//! Private keys that are encrypted with a password: PKCS#8 (RFC 5958, section 3) with the algorithms of
//! PKCS#5 (RFC 8018).

use std::path::Path;

use pkcs8::EncryptedPrivateKeyInfoRef;
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::options_error::TlsOptionsError;

/// Decrypts a private key in DER. `path` is named in errors.
///
/// # Errors
/// [`TlsOptionsError::WrongKeyPassword`], and [`TlsOptionsError::UnusablePrivateKey`] for an
/// algorithm that isn't supported or a key that isn't encrypted PKCS#8.
pub(super) fn decrypt(
    der: &[u8],
    password: &[u8],
    path: &Path,
) -> Result<PrivateKeyDer<'static>, TlsOptionsError> {
    let unusable = |error: pkcs8::Error| TlsOptionsError::UnusablePrivateKey {
        path: path.to_owned(),
        detail: error.to_string(),
    };
    let key = EncryptedPrivateKeyInfoRef::try_from(der).map_err(unusable)?;
    match key.decrypt(password) {
        Ok(decrypted) => {
            let key = PrivatePkcs8KeyDer::from(decrypted.as_bytes().to_vec());
            Ok(PrivateKeyDer::Pkcs8(key))
        }
        // A wrong password leaves an invalid padding, or one time in 256 a valid one before random
        // bytes.
        Err(
            pkcs8::Error::EncryptedPrivateKey(pkcs8::pkcs5::Error::DecryptFailed)
            | pkcs8::Error::Asn1(_),
        ) => Err(TlsOptionsError::WrongKeyPassword {
            path: path.to_owned(),
        }),
        Err(error) => Err(unusable(error)),
    }
}
