//! `check_signature`: finds malformed token signatures before they are sent.

use super::authorizer::SIGNATURE_PARAMETER;
use crate::percent::{Unescaped, unescaped};

/// Fault of a token signature that can't be the base64 of an RS256 signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureFault {
    /// The signature is empty.
    #[error("it is empty")]
    Empty,
    /// The signature has line breaks, as from `openssl base64` without `-A`.
    #[error("it contains a line break")]
    LineBreak,
    /// The signature has a space or a tab, as from copying.
    #[error("it contains white space")]
    Whitespace,
    /// The signature was percent-encoded twice: it has `%25`, an encoded `%`.
    #[error("it is percent-encoded twice")]
    DoublyEncoded,
    /// The signature has a `%` without two hexadecimal digits, or is only partly percent-encoded.
    #[error("it contains a '%' that begins no %XX")]
    BadEscape,
    /// The signature has the alphabet of JWTs, with `-` and `_`; AWS accepts the one with `+` and `/`.
    #[error("it is in the base64url alphabet, where AWS takes plain base64")]
    Base64Url,
    /// The signature is hexadecimal rather than base64.
    #[error("it is in hexadecimal, where AWS takes base64")]
    Hexadecimal,
    /// The signature has a character that base64 hasn't, or a `=` before the end.
    #[error("it isn't base64")]
    NotBase64,
    /// One or two `=` are missing at the end.
    #[error("its base64 padding ('=') is missing")]
    MissingPadding,
    /// The signature has the length of a SHA-256 digest: the hash was encoded instead of its signature.
    #[error(
        "it decodes to 32 bytes, as long as a SHA-256 digest, where an RSA-2048 signature has 256"
    )]
    Digest,
    /// The signature has a length that no RSA key accepted by AWS produces.
    #[error(
        "it decodes to {decoded} bytes, where an RSA-2048 signature has 256, RSA-3072 384 and RSA-4096 512"
    )]
    Length {
        /// Number of bytes.
        decoded: usize,
    },
}

/// Checks the form of a token signature, percent-encoded or not; the signature itself isn't verified.
///
/// Accepted is base64 with padding of 256 bytes (an RSA modulus of 2048 bits) or more, in steps of 64.
///
/// # Errors
/// The [`SignatureFault`] of the text.
///
/// ```
/// use dunlin_client::aws::{SignatureFault, check_signature};
///
/// let digest = "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=";
/// assert_eq!(check_signature(digest), Err(SignatureFault::Digest));
/// ```
pub fn check_signature(signature: &str) -> Result<(), SignatureFault> {
    // Users paste the parameter as it stands in the user name.
    let bare = signature
        .strip_prefix(SIGNATURE_PARAMETER)
        .and_then(|rest| rest.strip_prefix('='));
    let signature = bare.unwrap_or(signature);
    let bytes = || unescaped(signature).map(Unescaped::byte);
    let has = |of: fn(u8) -> bool| bytes().any(of);

    // The checks go from the most telling cause to the most general one: each later one would be
    // true for an earlier fault, too.
    if signature.is_empty() {
        return Err(SignatureFault::Empty);
    }
    if has(|byte| byte == b'\n' || byte == b'\r') {
        return Err(SignatureFault::LineBreak);
    }
    if has(|byte| byte.is_ascii_whitespace()) {
        return Err(SignatureFault::Whitespace);
    }
    // An escape that decodes to `%` is `%25`, which only a second encoding makes.
    if unescaped(signature).any(|item| item == Unescaped::Escape(b'%')) {
        return Err(SignatureFault::DoublyEncoded);
    }
    if has(|byte| byte == b'%') {
        return Err(SignatureFault::BadEscape);
    }
    check_base64(bytes())
}

/// Without decoding it: the length is arithmetic, and no copy of a secret is made.
fn check_base64(bytes: impl Iterator<Item = u8> + Clone) -> Result<(), SignatureFault> {
    // Base64 is digits, then up to two `=`; nothing may follow the first `=` but another one.
    let digits = || bytes.clone().take_while(|byte| *byte != b'=');
    let digit_count = digits().count();
    let padding = || bytes.clone().skip(digit_count);
    let padding_count = padding().count();

    if padding().any(|byte| byte != b'=') || !digits().all(is_any_base64) {
        return Err(SignatureFault::NotBase64);
    }
    if digits().any(|byte| byte == b'-' || byte == b'_') {
        return Err(SignatureFault::Base64Url);
    }
    // Hexadecimal digits are a part of base64's alphabet. Text of at least 64 that uses no others
    // is hexadecimal, with all but certainty.
    if padding_count == 0
        && digit_count >= HEXADECIMAL_MIN
        && digits().all(|byte| byte.is_ascii_hexdigit())
    {
        return Err(SignatureFault::Hexadecimal);
    }
    // Four digits are three bytes. A last group of two or three digits is filled up with `=`; one
    // digit is impossible.
    match (digit_count % 4, padding_count) {
        (0, 0) | (2, 2) | (3, 1) => check_length(digit_count * 3 / 4),
        (2 | 3, 0) | (2, 1) => Err(SignatureFault::MissingPadding),
        _ => Err(SignatureFault::NotBase64),
    }
}

fn check_length(decoded: usize) -> Result<(), SignatureFault> {
    match decoded {
        SHA256_LEN => Err(SignatureFault::Digest),
        RSA_2048_LEN.. if decoded.is_multiple_of(RSA_STEP) => Ok(()),
        _ => Err(SignatureFault::Length { decoded }),
    }
}

fn is_any_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte)
}

/// AWS takes no smaller RSA key for a custom authorizer.
const RSA_2048_LEN: usize = 256;
/// RSA keys are made in steps of 512 bits at the finest.
const RSA_STEP: usize = 64;
const SHA256_LEN: usize = 32;
/// A SHA-256 digest in hexadecimal; shorter text of these digits alone may be anything.
const HEXADECIMAL_MIN: usize = 64;

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
    use base64::prelude::*;

    use super::*;

    /// Bytes of a signature with the whole alphabet in their base64.
    fn raw(len: usize) -> Vec<u8> {
        (0..=u8::MAX).rev().cycle().take(len).collect()
    }

    fn base64(len: usize) -> String {
        STANDARD.encode(raw(len))
    }

    #[test]
    fn a_signature_of_a_usual_rsa_key_passes() {
        for len in [256, 384, 512, 1024] {
            assert_eq!(check_signature(&base64(len)), Ok(()), "{len}");
        }
    }

    #[test]
    fn a_percent_encoded_signature_is_checked_as_what_it_stands_for() {
        let encoded = base64(256)
            .replace('+', "%2B")
            .replace('/', "%2f")
            .replace('=', "%3D");
        assert_eq!(check_signature(&encoded), Ok(()));
        assert_eq!(check_signature(&encoded.replace("%3D", "=")), Ok(()));
        assert_eq!(
            check_signature(&format!("x-amz-customauthorizer-signature={encoded}")),
            Ok(())
        );
        assert_eq!(
            check_signature(&encoded.replace('%', "%25")),
            Err(SignatureFault::DoublyEncoded)
        );
        assert_eq!(
            check_signature(&encoded.replace("%2B", "%B")),
            Err(SignatureFault::BadEscape)
        );
        assert_eq!(
            check_signature(&format!("{encoded}%0A")),
            Err(SignatureFault::LineBreak)
        );
    }

    #[test]
    fn base64url_is_refused_with_and_without_padding() {
        for jwt in [URL_SAFE.encode(raw(256)), URL_SAFE_NO_PAD.encode(raw(256))] {
            assert_eq!(check_signature(&jwt), Err(SignatureFault::Base64Url));
        }
    }

    #[test]
    fn missing_padding_is_refused() {
        assert_eq!(
            check_signature(&STANDARD_NO_PAD.encode(raw(256))),
            Err(SignatureFault::MissingPadding)
        );
        assert_eq!(
            check_signature(base64(256).trim_end_matches("==")),
            Err(SignatureFault::MissingPadding)
        );
        assert_eq!(
            check_signature(base64(256).strip_suffix('=').unwrap()),
            Err(SignatureFault::MissingPadding)
        );
    }

    #[test]
    fn line_breaks_and_spaces_are_told_apart() {
        let signature = base64(256);
        let (head, tail) = signature.split_at(64);
        assert_eq!(
            check_signature(&format!("{head}\n{tail}")),
            Err(SignatureFault::LineBreak)
        );
        assert_eq!(
            check_signature(&format!("{signature}\r\n")),
            Err(SignatureFault::LineBreak)
        );
        assert_eq!(
            check_signature(&format!(" {signature}")),
            Err(SignatureFault::Whitespace)
        );
    }

    #[test]
    fn a_digest_is_recognised_in_base64_and_in_hexadecimal() {
        assert_eq!(check_signature(&base64(32)), Err(SignatureFault::Digest));
        assert_eq!(
            check_signature(&"2cf24dba".repeat(8)),
            Err(SignatureFault::Hexadecimal)
        );
    }

    #[test]
    fn a_signature_in_hexadecimal_is_no_rsa_3072_signature() {
        assert_eq!(
            check_signature(&"2cf24dba".repeat(64)),
            Err(SignatureFault::Hexadecimal)
        );
    }

    #[test]
    fn a_length_that_no_key_has_is_refused() {
        for decoded in [1, 20, 64, 128, 255, 257, 300] {
            assert_eq!(
                check_signature(&base64(decoded)),
                Err(SignatureFault::Length { decoded })
            );
        }
    }

    #[test]
    fn a_signature_that_is_not_base64_is_refused() {
        let signature = base64(256);
        for text in [
            "not a signature!".replace(' ', ""),
            format!("{signature}="),
            format!("={signature}"),
        ] {
            assert_eq!(
                check_signature(&text),
                Err(SignatureFault::NotBase64),
                "{text}"
            );
        }
        assert_eq!(check_signature(""), Err(SignatureFault::Empty));
        assert_eq!(
            check_signature("eyJh.eyJz.c2ln"),
            Err(SignatureFault::NotBase64)
        );
        assert_eq!(check_signature("AAAAA"), Err(SignatureFault::NotBase64));
    }
}
