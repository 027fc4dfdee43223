//! `dunlin auth sign`: makes the signature that an authorizer with signing requires.

use std::io::{self, Write};

use dunlin_sandbox::{Pki, StateDir};

use crate::args::{SignArgs, Sources};
use crate::config::Secrets;
use crate::diagnosis::folder;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::rs256;
use crate::terminal::Console;

/// Prints the base64 RS256 signature of a token.
///
/// # Errors
/// `E-USAGE` if the token is missing or empty, or if the key can't be used.
pub(super) fn sign(typed: SignArgs, sources: &Sources, console: Console) -> Result<Exit, Failure> {
    let mut secrets = Secrets::new(sources, console);
    let token = super::token(typed.token, "to sign", &mut secrets)?;
    secrets.warn();
    // Exactly one of --key and --sandbox was given.
    let signature = match typed.key {
        Some(key) => rs256::sign("--key", &key, token.expose())?.expose().clone(),
        None => StateDir::resolve(typed.state_dir)
            .map_err(Into::into)
            .and_then(|dir| Pki::open(&dir))
            .and_then(|pki| pki.sign_token(token.expose()))
            .map_err(|error| folder::state_dir("the sandbox's keys can't be used", error))?,
    };
    // The signature covers each byte; `echo` adds a newline that the token in CONNECT will lack.
    if token.expose().ends_with('\n') {
        console.warning("the token ends in a newline, which is signed with it");
    }
    writeln!(io::stdout(), "{signature}")?;
    Ok(Exit::Done)
}
