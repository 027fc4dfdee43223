//! The usual damage to tokens and signatures, undone one by one until they match.

use std::path::Path;

use base64::prelude::{BASE64_STANDARD, Engine};
use dunlin_client::aws::AuthorizerToken;
use percent_encoding::percent_decode_str;

use crate::diagnosis::Diagnosis;
use crate::rs256;

/// A kind of damage to a token or a signature.
pub(super) struct Damage {
    /// Sentence that names the damage.
    pub(super) text: &'static str,
    /// Advice that avoids the damage.
    pub(super) advice: &'static str,
    /// Text without the damage; `None` if the text can't have it.
    mend: fn(&str) -> Option<String>,
}

/// Damage that explains why token and signature don't match: of the token, of the signature or of
/// both. `None` if no combination of the usual damage does.
///
/// # Errors
/// `E-USAGE` if the public key can't be used.
pub(super) fn find(
    token: &AuthorizerToken,
    public_key: &Path,
) -> Result<Option<Vec<&'static Damage>>, Diagnosis> {
    let Some(signature) = &token.signature else {
        return Ok(None);
    };
    // Token and signature can each have one kind of damage: 9 times 8 pairs at most.
    let mut pairs: Vec<_> = mended(token.value.expose(), TOKEN)
        .flat_map(|token| {
            mended(signature.expose(), SIGNATURE).map(move |signature| (token.clone(), signature))
        })
        .collect();
    // The simplest explanation first.
    pairs.sort_by_key(|((damage_of_token, _), (damage_of_signature, _))| {
        damage_of_token.iter().count() + damage_of_signature.iter().count()
    });
    for ((damage_of_token, token), (damage_of_signature, signature)) in pairs {
        if rs256::verify("--auth-public-key", public_key, &token, &signature)? {
            return Ok(Some(
                damage_of_token
                    .into_iter()
                    .chain(damage_of_signature)
                    .collect(),
            ));
        }
    }
    Ok(None)
}

/// `text` as it is, and once without each kind of damage that it can have.
fn mended<'t>(
    text: &'t str,
    kinds: &'static [Damage],
) -> impl Iterator<Item = (Option<&'static Damage>, String)> + use<'t> {
    let without = kinds.iter().filter_map(move |damage| {
        // Mending that changes nothing would repeat the pair that failed already.
        let mended = (damage.mend)(text)?;
        (mended != text).then_some((Some(damage), mended))
    });
    std::iter::once((None, text.to_owned())).chain(without)
}

const TOKEN: &[Damage] = &[
    Damage {
        text: "the token that was signed ends in a newline, and the one given does not",
        advice: "sign it with printf %s instead of echo: the newline is signed as well",
        mend: |token| Some(format!("{token}\n")),
    },
    Damage {
        text: "the token that was signed ends in a Windows line ending, and the one given does not",
        advice: "sign it without the line ending, which is signed as well",
        mend: |token| Some(format!("{token}\r\n")),
    },
    Damage {
        text: "the token given ends in a newline, and the one that was signed does not",
        advice: "give the token without the newline",
        mend: |token| Some(token.trim_end_matches(['\r', '\n']).to_owned()),
    },
    Damage {
        text: "the token given has blanks around it, and the one that was signed does not",
        advice: "give the token without the blanks",
        mend: |token| Some(token.trim().to_owned()),
    },
    Damage {
        text: "the token given has quotation marks around it, and the one that was signed does not",
        advice: "give the token without the quotation marks",
        mend: unquoted,
    },
    Damage {
        text: "the token given is URL-encoded, and the one that was signed is not",
        advice: "give the token as it was signed",
        mend: decoded,
    },
    Damage {
        text: "the token given is encoded as in a form (+ for a blank), and the one that was signed is not",
        advice: "give the token as it was signed",
        mend: |token| decoded(&token.replace('+', " ")),
    },
    Damage {
        text: "the token was URL-encoded before it was signed",
        advice: "sign the token as it is: dunlin encodes it where that is needed",
        mend: |token| Some(encoded(token)),
    },
];

const SIGNATURE: &[Damage] = &[
    Damage {
        text: "the signature given is URL-encoded",
        advice: "give the signature as plain base64: dunlin encodes it by itself",
        mend: decoded,
    },
    Damage {
        text: "the signature given is URL-encoded twice",
        advice: "give the signature as plain base64: dunlin encodes it by itself",
        mend: |signature| decoded(&decoded(signature)?),
    },
    Damage {
        text: "the signature is in the base64url alphabet, or lacks its padding (=)",
        advice: "turn - into +, _ into / and add = until the length is a multiple of 4",
        mend: |signature| Some(standard(signature)),
    },
    Damage {
        text: "each + of the signature became a blank, as in a form that is decoded",
        advice: "URL-encode the signature before it goes through a form or a URL",
        mend: |signature| Some(signature.trim_end().replace(' ', "+")),
    },
    Damage {
        text: "the signature has line breaks or blanks in it",
        advice: "make it with base64 -w0",
        mend: |signature| Some(signature.chars().filter(|c| !c.is_whitespace()).collect()),
    },
    Damage {
        text: "the signature has quotation marks around it",
        advice: "give the signature without the quotation marks",
        mend: unquoted,
    },
    Damage {
        text: "the signature is in hexadecimal, where base64 is needed",
        advice: "make it with openssl dgst -sha256 -sign (without -hex) and base64 -w0",
        mend: from_hex,
    },
];

fn unquoted(text: &str) -> Option<String> {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| text.trim().strip_prefix(quote)?.strip_suffix(quote))
        .map(str::to_owned)
}

/// Text of a URL-encoded one.
fn decoded(text: &str) -> Option<String> {
    let text = percent_decode_str(text).decode_utf8().ok()?;
    Some(text.into_owned())
}

/// Text with all but letters, digits and `-._~` as `%XX`.
fn encoded(text: &str) -> String {
    const KEPT: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'.')
        .remove(b'_')
        .remove(b'~');
    percent_encoding::utf8_percent_encode(text, KEPT).to_string()
}

/// base64 of a text in base64url, with its padding.
fn standard(signature: &str) -> String {
    let mut text = signature.replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// base64 of hexadecimal digits, after the label that openssl prints or alone.
fn from_hex(signature: &str) -> Option<String> {
    // openssl prints "RSA-SHA2-256(stdin)= " before the digits.
    let digits = signature.rsplit(' ').next()?.trim();
    let (pairs, []) = digits.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let bytes: Option<Vec<u8>> = pairs
        .iter()
        .map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
        .collect();
    Some(BASE64_STANDARD.encode(bytes?))
}
