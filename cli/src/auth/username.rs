//! `dunlin auth username`: the User Name that the sample would send in CONNECT, or headers or query
//! of WebSocket.

use dunlin_client::aws::{CustomAuthorizer, SentIn};
use dunlin_client::secret::Secret;
use dunlin_client::transport::WebSocketOptions;
use dunlin_codec::Escaped;
use std::io::{self, IsTerminal, Write};

use crate::args::{Sources, UsernameArgs};
use crate::config::Credentials;
use crate::diagnosis::Diagnosis;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::terminal::Console;

/// Prints the User Name, the headers, or path and query, and a newline.
///
/// # Errors
/// `E-USAGE` if no authorizer, user name or token is given, or if they can't be sent in that way;
/// `E-SIGNATURE` if the signature can't be valid.
pub(super) fn print(
    typed: UsernameArgs,
    sources: &Sources,
    console: Console,
) -> Result<Exit, Failure> {
    // The User Name doesn't depend on the password, so that none is given is no fault here.
    let sent_in = SentIn::from(typed.authorizer.authorizer_as);
    let mut credentials =
        Credentials::new(typed.authorizer, sources, Console { quiet: true }, false)?;
    let authorizer = &credentials.authorizer;
    let has_parameter = authorizer.authorizer_name.is_some() || authorizer.token.is_some();
    if sent_in != SentIn::UserName && !has_parameter {
        return Err(Diagnosis::usage("missing: --authorizer-name or a token").into());
    }
    if sent_in == SentIn::UserName && credentials.user_name.is_none() {
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
        console
            .warning("the output contains the token and its signature; --redacted leaves them out");
    }
    // Programs get the exact text; on a terminal control characters are escaped.
    let mut out = io::stdout();
    let escapes = out.is_terminal();
    for line in lines(&credentials.authorizer, sent_in)? {
        match escapes {
            true => writeln!(out, "{}", Escaped(line.expose()))?,
            false => writeln!(out, "{}", line.expose())?,
        }
    }
    Ok(Exit::Done)
}

/// Lines of the output.
///
/// # Errors
/// `E-USAGE` for values that can't be sent in this way.
fn lines(authorizer: &CustomAuthorizer, sent_in: SentIn) -> Result<Vec<Secret<String>>, Diagnosis> {
    let lines = match sent_in {
        SentIn::Headers => authorizer.headers().map(|headers| {
            let headers = headers.into_iter();
            headers
                .map(|(name, value)| format!("{name}: {}", value.expose()).into())
                .collect()
        }),
        SentIn::Query => authorizer.query().map(|query| {
            let path = WebSocketOptions::DEFAULT_PATH;
            vec![format!("{path}?{}", query.expose()).into()]
        }),
        _ => authorizer.user_name().map(|user_name| vec![user_name]),
    };
    lines.map_err(|error| Diagnosis::usage(error.to_string()))
}
