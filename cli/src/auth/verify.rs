//! `dunlin auth verify`: whether a signature is that of a token.

use std::io::{self, Write};

use dunlin_client::aws::AuthorizerToken;
use dunlin_codec::Escaped;

use super::damage;
use crate::args::{Sources, VerifyArgs};
use crate::config::{SecretArgs, Secrets, check_signature};
use crate::diagnosis::{Diagnosis, Try};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;

/// Says so on standard output, or fails as a connection with them would.
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
    })?;
    let signature = signature
        .ok_or_else(|| Diagnosis::usage("missing: --auth-signature or --auth-signature-file"))?;
    secrets.warn();
    let token = AuthorizerToken {
        key_name: String::new(),
        value,
        signature: Some(signature),
    };
    if let Err(diagnosis) = check_signature(&token, Some(&typed.auth_public_key)) {
        let damage = damage::find(&token, &typed.auth_public_key)?;
        return Err(match damage {
            Some(damage) => Diagnosis {
                likely: vec![damage.text().into()],
                try_: vec![Try::advice(damage.advice())],
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
