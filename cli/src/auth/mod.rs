//! `dunlin auth`: credentials and policies, offline.

mod damage;
mod documents;
mod eval;
mod keygen;
mod lint;
mod policy;
mod position;
mod sign;
mod username;
mod verify;

use dunlin_client::secret::Secret;

use crate::args::{AuthVerb, Sources, TokenArgs};
use crate::config::{Asking, SecretArgs, Secrets};
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;

/// Runs one of the verbs; nothing is sent over the network.
pub(crate) fn run(verb: AuthVerb, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    match verb {
        AuthVerb::Username(typed) => username::print(typed, sources, console),
        AuthVerb::Sign(typed) => sign::sign(typed, sources, console),
        AuthVerb::Verify(typed) => verify::verify(typed, sources, console),
        AuthVerb::Keygen(typed) => keygen::generate(&typed),
        AuthVerb::Policy(typed) => policy::print(&typed),
        AuthVerb::Eval(typed) => eval::evaluate(&typed),
        AuthVerb::Lint(typed) => lint::lint(&typed),
    }
}

/// Token from the bare word, or else from `--token`, `--token-file` or the environment.
///
/// # Errors
/// `E-USAGE` if it is missing or empty, or can't be read.
fn token(
    typed: TokenArgs,
    what_for: &str,
    secrets: &mut Secrets<'_>,
) -> Result<Secret<String>, Diagnosis> {
    let token = match typed.value {
        // As everywhere, "-" is standard input.
        Some(word) if word == "-" => secrets.resolve_text(SecretArgs {
            id: "token",
            value: None,
            file: Some("-".into()),
            asks: Asking::Never,
        })?,
        Some(word) => Some(word.into()),
        None => secrets.resolve_text(SecretArgs {
            id: "token",
            value: typed.token,
            file: typed.token_file,
            asks: Asking::Never,
        })?,
    };
    match token {
        Some(token) if token.expose().is_empty() => {
            Err(Diagnosis::usage(format!("the token {what_for} is empty")))
        }
        Some(token) => Ok(token),
        None => Err(Diagnosis::usage(format!("missing: the token {what_for}"))),
    }
}
