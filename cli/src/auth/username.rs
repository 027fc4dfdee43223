//! `dunlin auth username`: the User Name that the sample would send in CONNECT.

use dunlin_codec::Escaped;
use std::io::{self, IsTerminal, Write};

use crate::args::{Sources, UsernameArgs};
use crate::config::Credentials;
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;

/// Prints the User Name and a newline.
///
/// # Errors
/// `E-USAGE` if no authorizer, user name or token is given, or if they make no valid User Name;
/// `E-SIGNATURE` if the signature can't be valid.
pub(super) fn print(
    typed: UsernameArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    // The User Name doesn't depend on the password, so that none is given is no fault here.
    let mut credentials =
        Credentials::new(typed.authorizer, sources, Console { quiet: true }, false)?;
    if credentials.user_name.is_none() {
        return Err(
            Diagnosis::usage("missing: --authorizer-name, --auth-username or a token").into(),
        );
    }
    if typed.redacted
        && let Some(token) = &mut credentials.authorizer.token
    {
        // Angle brackets would be encoded; these words can stand in a query.
        token.value = format!("redacted-{}-bytes", token.value.expose().len()).into();
        if let Some(signature) = &mut token.signature {
            *signature = format!("redacted-{}-bytes", signature.expose().len()).into();
        }
    } else if credentials.authorizer.token.is_some() {
        console.warning(
            "the user name contains the token and its signature; --redacted leaves them out",
        );
    }
    let user_name = credentials.authorizer.user_name();
    let user_name = user_name.map_err(|error| Diagnosis::usage(error.to_string()))?;
    // Programs get the exact User Name; on a terminal control characters are escaped.
    let mut out = io::stdout();
    if out.is_terminal() {
        writeln!(out, "{}", Escaped(user_name.expose()))?;
    } else {
        writeln!(out, "{}", user_name.expose())?;
    }
    Ok(Exit::Done)
}
