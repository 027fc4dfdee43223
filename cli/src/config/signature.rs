//! Signature of a token: computed here or given, and checked before it is sent.

use std::path::{Path, PathBuf};

use dunlin_client::aws::{self, AuthorizerToken, SignatureFault};
use dunlin_client::secret::Secret;

use crate::args::Sources;
use crate::diagnosis::{Diagnosis, Id, Try};
use crate::rs256;

/// Computes the signature with `--auth-signing-key`.
///
/// # Errors
/// [`Id::Usage`] if a signature was given as well, or for a key that can't be used.
pub(super) fn sign(
    key: &Path,
    token: &Secret<String>,
    file: Option<&PathBuf>,
    sources: &Sources,
) -> Result<Secret<String>, Diagnosis> {
    if file.is_some() || sources.on_command_line("auth_signature") {
        return Err(Diagnosis::usage(
            "--auth-signing-key computes the signature; it can't be given as well",
        ));
    }
    rs256::sign("--auth-signing-key", key, token.expose())
}

/// Checks the form of a signature and, with a public key, the signature itself.
///
/// # Errors
/// [`Id::Signature`] for a signature that can't be valid or doesn't match; [`Id::Usage`] for a key
/// that can't be used.
pub(crate) fn check(token: &AuthorizerToken, public_key: Option<&Path>) -> Result<(), Diagnosis> {
    let Some(signature) = &token.signature else {
        return match public_key {
            Some(_) => Err(Diagnosis::usage(
                "--auth-public-key also needs --auth-signature, which it checks",
            )),
            None => Ok(()),
        };
    };
    // The form can be checked without a key.
    let signature = signature.expose();
    aws::check_signature(signature).map_err(impossible)?;
    let Some(public_key) = public_key else {
        return Ok(());
    };
    // The signature itself, as it will be when AWS IoT has decoded it.
    let plain = plain_base64(signature);
    if rs256::verify(
        "--auth-public-key",
        public_key,
        token.value.expose(),
        plain.expose(),
    )? {
        return Ok(());
    }
    // The usual mistakes, the likeliest first.
    let newline = if token.value.expose().ends_with('\n') {
        " (yours does)"
    } else {
        ""
    };
    Err(Diagnosis {
        saw: Some(format!(
            "token of {} bytes, checked with {}",
            token.value.expose().len(),
            public_key.display()
        )),
        likely: vec![
            format!("the token that was signed ends in a newline, or the one given does{newline}"),
            "it was signed with another key".into(),
            "the token was URL-encoded before it was signed, or is now".into(),
        ],
        try_: vec![sign_command(), openssl()],
        ..Diagnosis::new(
            Id::Signature,
            "the signature does not match the token (checked locally); nothing was sent",
        )
    })
}

/// Base64 of a signature that may have been copied from a user name, where `+`, `/` and `=` are
/// escaped.
fn plain_base64(signature: &str) -> Secret<String> {
    let value = signature
        .rsplit_once("-signature=")
        .map_or(signature, |(_, value)| value);
    let plain = [
        ("%2B", "+"),
        ("%2b", "+"),
        ("%2F", "/"),
        ("%2f", "/"),
        ("%3D", "="),
        ("%3d", "="),
    ]
    .iter()
    .fold(value.to_owned(), |text, (escape, character)| {
        text.replace(escape, character)
    });
    plain.into()
}

/// Explains a signature whose form is wrong.
fn impossible(fault: SignatureFault) -> Diagnosis {
    let likely = match fault {
        SignatureFault::LineBreak => "openssl base64 wraps its lines; base64 -w0 does not",
        SignatureFault::Whitespace => "it was copied with a blank",
        SignatureFault::DoublyEncoded | SignatureFault::BadEscape => {
            "it was percent-encoded once too often; dunlin encodes it by itself"
        }
        SignatureFault::Base64Url => {
            "it comes from a JWT: turn - into +, _ into / and add the = at the end"
        }
        SignatureFault::Digest => "the hash was base64-encoded instead of the RS256 signature",
        SignatureFault::MissingPadding => "it comes from a JWT, or was cut while copying",
        _ => "something else than the RS256 signature was encoded, or it was cut while copying",
    };
    Diagnosis {
        saw: Some(format!("the value for --auth-signature: {fault}")),
        likely: vec![likely.into()],
        try_: vec![sign_command(), openssl()],
        ..Diagnosis::new(
            Id::Signature,
            "the token signature cannot be valid; nothing was sent",
        )
    }
}

fn sign_command() -> Try {
    Try::command("dunlin auth sign --key private.pem --token \"$TOKEN\"")
}

fn openssl() -> Try {
    Try::command("printf %s \"$TOKEN\" | openssl dgst -sha256 -sign private.pem | base64 -w0")
}
