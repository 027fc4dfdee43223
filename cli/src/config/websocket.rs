//! Headers and query of WebSocket: from the flags, and from the custom authorizer's parameters.

use dunlin_client::aws::SentIn;
use dunlin_client::secret::Secret;
use dunlin_client::transport::{WebSocketError, WebSocketOptions};

use crate::args::{SentInArg, Sources, WebSocketArgs};
use crate::config::Credentials;
use crate::config::secret::{Asking, SecretArgs, Secrets};
use crate::diagnosis::{Diagnosis, quoted};
use crate::terminal::Console;

/// Checks that flags about WebSocket weren't typed for a server without it. The environment and
/// profiles may have them for other servers.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) with the flag.
pub(super) fn check_flags(is_websocket: bool, sources: &Sources) -> Result<(), Diagnosis> {
    let ids = ["ws_header", "ws_header_file", "authorizer_as"];
    let flag = ids.into_iter().find(|id| sources.on_command_line(id));
    match flag {
        Some(flag) if !is_websocket => Err(Diagnosis::usage(format!(
            "--{} is for WebSocket{}: wss://HOST, or --transport wss",
            flag.replace('_', "-"),
            if flag == "authorizer_as" {
                " and HTTP"
            } else {
                ""
            }
        ))),
        _ => Ok(()),
    }
}

/// Sets the headers of `--ws-header`, or else those of `--ws-header-file`. With `warns_of_secrets` a
/// warning names the flag if it was typed, because other users can read it.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for a file that can't be read, and for a header that
/// can't be sent. No value is repeated.
pub(super) fn set_headers(
    options: &mut WebSocketOptions,
    typed: WebSocketArgs,
    sources: &Sources,
    console: Console,
    warns_of_secrets: bool,
) -> Result<(), Diagnosis> {
    let mut secrets = Secrets::new(sources, console);
    let lines = typed.ws_header.join("\n");
    let text = secrets.resolve_text(SecretArgs {
        id: "ws_header",
        value: (!lines.is_empty()).then_some(lines),
        file: typed.ws_header_file,
        asks: Asking::Never,
    })?;
    if warns_of_secrets {
        secrets.warn();
    }
    let text = text.as_ref().map_or("", |text| text.expose().as_str());
    for line in text.lines().filter(|line| !line.is_empty()) {
        // curl's spelling, "Name: value", is understood as well.
        let (name, value) = line
            .split_once(['=', ':'])
            .ok_or_else(|| Diagnosis::usage("--ws-header needs NAME=VALUE; one has no \"=\""))?;
        options.set_header(name.trim(), value.trim());
    }
    options.check().map_err(|error| refused(&error))
}

/// Error for a header that can't be sent.
fn refused(error: &WebSocketError) -> Diagnosis {
    Diagnosis::usage(match error {
        WebSocketError::InvalidHeader { name } => {
            format!("--ws-header {} can't be sent: {error}", quoted(name))
        }
        error => error.to_string(),
    })
}

/// Adds the custom authorizer's parameters to headers or query, as `--authorizer-as` says.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for values that can't be sent there.
pub(super) fn add_parameters(
    options: &mut WebSocketOptions,
    credentials: &Credentials,
    sent_in: SentInArg,
) -> Result<(), Diagnosis> {
    let refused = |error: dunlin_client::aws::AuthorizerError| Diagnosis::usage(error.to_string());
    match sent_in.into() {
        SentIn::Headers => {
            let headers = credentials.authorizer.headers().map_err(refused)?;
            for (name, value) in headers {
                options.set_header(name, value);
            }
        }
        SentIn::Query => {
            let query: Secret<String> = credentials.authorizer.query().map_err(refused)?;
            options.push_query(&query);
        }
        // In CONNECT.
        _ => {}
    }
    Ok(())
}
