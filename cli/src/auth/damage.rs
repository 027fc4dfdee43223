//! The usual damage to tokens and signatures, tried one after the other.

use std::path::Path;

use dunlin_client::aws::AuthorizerToken;
use percent_encoding::percent_decode_str;

use crate::diagnosis::Diagnosis;
use crate::rs256;

/// Change after which token and signature match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    TokenLacksNewline,
    TokenHasNewline,
    TokenIsEncoded,
    TokenWasEncoded,
    SignatureIsEncoded,
    SignatureIsBase64Url,
    SignatureIsWrapped,
}

impl Damage {
    const ALL: [Self; 7] = [
        Self::TokenLacksNewline,
        Self::TokenHasNewline,
        Self::TokenIsEncoded,
        Self::TokenWasEncoded,
        Self::SignatureIsEncoded,
        Self::SignatureIsBase64Url,
        Self::SignatureIsWrapped,
    ];

    pub(super) const fn text(self) -> &'static str {
        match self {
            Self::TokenLacksNewline => {
                "the token that was signed ends in a newline, and the one given does not"
            }
            Self::TokenHasNewline => {
                "the token given ends in a newline, and the one that was signed does not"
            }
            Self::TokenIsEncoded => {
                "the token given is URL-encoded, and the one that was signed is not"
            }
            Self::TokenWasEncoded => "the token was URL-encoded before it was signed",
            Self::SignatureIsEncoded => "the signature given is URL-encoded",
            Self::SignatureIsBase64Url => {
                "the signature is in the base64url alphabet, or lacks its padding (=)"
            }
            Self::SignatureIsWrapped => "the signature has line breaks or blanks in it",
        }
    }

    pub(super) const fn advice(self) -> &'static str {
        match self {
            Self::TokenLacksNewline => {
                "sign it with printf %s instead of echo: the newline is signed as well"
            }
            Self::TokenHasNewline => "give the token without the newline",
            Self::TokenIsEncoded => "give the token as it was signed",
            Self::TokenWasEncoded => {
                "sign the token as it is: dunlin encodes it where that is needed"
            }
            Self::SignatureIsEncoded => {
                "give the signature as plain base64: dunlin encodes it by itself"
            }
            Self::SignatureIsBase64Url => {
                "turn - into +, _ into / and add = until the length is a multiple of 4"
            }
            Self::SignatureIsWrapped => "make it with base64 -w0",
        }
    }

    /// Token and signature with this damage mended; `None` if there is nothing to mend.
    fn mended(self, token: &str, signature: &str) -> Option<(String, String)> {
        let decoded = |text: &str| {
            percent_decode_str(text)
                .decode_utf8()
                .ok()
                .map(|text| text.into_owned())
        };
        let (token, signature) = match self {
            Self::TokenLacksNewline => (format!("{token}\n"), signature.to_owned()),
            Self::TokenHasNewline => (
                token.trim_end_matches(['\r', '\n']).to_owned(),
                signature.to_owned(),
            ),
            Self::TokenIsEncoded => (decoded(token)?, signature.to_owned()),
            Self::TokenWasEncoded => (encoded(token), signature.to_owned()),
            Self::SignatureIsEncoded => (token.to_owned(), decoded(signature)?),
            Self::SignatureIsBase64Url => (token.to_owned(), standard(signature)),
            Self::SignatureIsWrapped => (
                token.to_owned(),
                signature.chars().filter(|c| !c.is_whitespace()).collect(),
            ),
        };
        Some((token, signature))
    }
}

/// The damage that explains why they don't match; `None` if it is another one.
pub(super) fn find(
    token: &AuthorizerToken,
    public_key: &Path,
) -> Result<Option<Damage>, Diagnosis> {
    let Some(signature) = &token.signature else {
        return Ok(None);
    };
    let (value, signature) = (token.value.expose(), signature.expose());
    for damage in Damage::ALL {
        let Some((mended, plain)) = damage.mended(value, signature) else {
            continue;
        };
        let is_change = mended != *value || plain != *signature;
        if is_change && rs256::verify("--auth-public-key", public_key, &mended, &plain)? {
            return Ok(Some(damage));
        }
    }
    Ok(None)
}

/// Everything but letters, digits and `-._~` as `%XX`.
fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

/// base64url as base64, with its padding.
fn standard(signature: &str) -> String {
    let mut text = signature.replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}
