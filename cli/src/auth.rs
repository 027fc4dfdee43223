//! `dunlin auth sign`: the signature that a signed authorizer wants.

use std::io::{self, Write};
use std::path::PathBuf;

use dunlin_client::secret::Secret;
use dunlin_sandbox::{Pki, StateDir};

use crate::args::{SignArgs, Sources};
use crate::config::{SecretArgs, Secrets};
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::rs256;
use crate::terminal::Console;
use crate::verb::Failure;

/// Prints the base64 RS256 signature of a token.
pub(crate) fn sign(typed: SignArgs, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    let token = token(typed.value, typed.token, typed.token_file, Secrets::new(sources, console))?;
    let signature = match typed.key {
        Some(key) => rs256::sign("--key", &key, token.expose())?.expose().clone(),
        None => StateDir::resolve(typed.state_dir)
            .map_err(Into::into)
            .and_then(|dir| Pki::open(&dir))
            .and_then(|pki| pki.sign_token(token.expose()))
            .map_err(|error| Diagnosis::usage(format!("the sandbox's signing key: {error}")))?,
    };
    if token.expose().ends_with('\n') {
        console.warning("the token ends in a newline, which is signed with it");
    }
    writeln!(io::stdout(), "{signature}")?;
    Ok(Exit::Done)
}

/// The bare word, or else `--token` and what goes with it.
fn token(
    word: Option<String>,
    value: Option<String>,
    file: Option<PathBuf>,
    mut secrets: Secrets<'_>,
) -> Result<Secret<String>, Diagnosis> {
    let token = match word {
        Some(word) => Some(word.into()),
        None => secrets.resolve_text(SecretArgs { id: "token", value, file })?,
    };
    secrets.warn();
    token.ok_or_else(|| Diagnosis::usage("missing: the token to sign"))
}
