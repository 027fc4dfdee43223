//! `dunlin auth verify`: checks that a signature belongs to a token.

use std::io::{self, Write};

use dunlin_client::aws::AuthorizerToken;
use dunlin_codec::Escaped;

use super::damage;
use crate::args::{Sources, VerifyArgs};
use crate::config::{Asking, SecretArgs, Secrets, check_signature};
use crate::diagnosis::{Diagnosis, Try};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;

/// Prints that token and signature match.
///
/// # Errors
/// `E-SIGNATURE` if they don't match, with the damage that explains it if there is one; `E-USAGE`
/// if a value is missing or the public key can't be used.
pub(super) fn verify(
    typed: VerifyArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    let mut secrets = Secrets::new(sources, console);
    let value = super::token(typed.token, "that was signed", &mut secrets)?;
    let (given, file) = (typed.auth_signature, typed.auth_signature_file);
    let signature = secrets.resolve_text(SecretArgs {
        id: "auth_signature",
        value: given,
        file,
        asks: Asking::Never,
    })?;
    let signature = signature
        .ok_or_else(|| Diagnosis::usage("missing: --auth-signature or --auth-signature-file"))?;
    secrets.warn();
    // A signature covers the token only; its key name takes no part.
    let token = AuthorizerToken {
        key_name: String::new(),
        value,
        signature: Some(signature),
    };
    if let Err(diagnosis) = check_signature(&token, Some(&typed.auth_public_key)) {
        // Look for the usual damage that would explain the mismatch.
        let damage = damage::find(&token, &typed.auth_public_key)?;
        return Err(match damage {
            Some(damage) => Diagnosis {
                saw: Some("without the damage named here the signature matches".to_owned()),
                likely: damage.iter().map(|damage| damage.text.into()).collect(),
                try_: damage
                    .iter()
                    .map(|damage| Try::advice(damage.advice))
                    .collect(),
                ..diagnosis
            },
            None => diagnosis,
        }
        .into());
    }
    let key = typed.auth_public_key.display();
    writeln!(
        io::stdout(),
        "the signature matches: RS256, checked with {}",
        Escaped(key)
    )?;
    Ok(Exit::Done)
}
