//! `dunlin auth username`: the user name of CONNECT, as the sample would send it.

use dunlin_codec::Escaped;
use std::io::{self, IsTerminal, Write};

use crate::args::{Sources, UsernameArgs};
use crate::config::Credentials;
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;

/// Prints it on one line.
pub(super) fn print(
    typed: UsernameArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    // The password goes its own way: that none is given is no fault here.
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
        console.warning("it holds token and signature; --redacted leaves them out");
    }
    let user_name = credentials.authorizer.user_name();
    let user_name = user_name.map_err(|error| Diagnosis::usage(error.to_string()))?;
    // Programs get the exact user name, a terminal nothing that it would obey.
    let mut out = io::stdout();
    if out.is_terminal() {
        writeln!(out, "{}", Escaped(user_name.expose()))?;
    } else {
        writeln!(out, "{}", user_name.expose())?;
    }
    Ok(Exit::Done)
}
