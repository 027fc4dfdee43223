//! `unix:PATH`: a server at a Unix domain socket.

use std::path::PathBuf;

use super::Server;
use crate::args::{EndpointArgs, WebSocketArgs};
use crate::diagnosis::Diagnosis;

/// Path of `unix:PATH` or `unix:///PATH`; `None` for another endpoint.
pub(super) fn path(endpoint: &str) -> Option<PathBuf> {
    let rest = endpoint.strip_prefix("unix:")?;
    // Two slashes begin a host, which a socket doesn't have; three are a path.
    let path = match rest.strip_prefix("//") {
        Some(path) if path.starts_with('/') => path,
        Some(_) => return None,
        None => rest,
    };
    (!path.is_empty()).then(|| path.into())
}

/// Server at this path, without TLS.
///
/// # Errors
/// [`Id::Usage`](crate::diagnosis::Id::Usage) for a flag that has no meaning for it, and on systems
/// without such sockets.
pub(super) fn server(path: PathBuf, typed: &EndpointArgs) -> Result<Server, Diagnosis> {
    if !cfg!(unix) {
        return Err(Diagnosis::usage(
            "unix:PATH needs a Unix system; this one has no such sockets for it",
        ));
    }
    let flag = [
        ("--port", typed.port.is_some()),
        ("--connect-to", typed.connect_to.is_some()),
        ("-4", typed.address.ipv4),
        ("-6", typed.address.ipv6),
        ("--bind", typed.address.bind.is_some()),
        ("--transport", typed.websocket.transport.is_some()),
    ]
    .into_iter()
    .find(|(_, is_given)| *is_given);
    if let Some((flag, _)) = flag {
        return Err(Diagnosis::usage(format!(
            "{flag} is for TCP, and unix:PATH is a socket of this computer"
        )));
    }
    Ok(Server {
        host: format!("unix:{}", path.display()),
        port: 0,
        is_tls: false,
        websocket: None,
        is_http: false,
        typed: WebSocketArgs::default(),
        connect_to: None,
        default_alpn: None,
        sandbox_ca: None,
        unix_socket: Some(path),
        suggested_endpoint: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_stands_behind_unix() {
        let of = |endpoint| path(endpoint).map(|path| path.display().to_string());
        assert_eq!(of("unix:/run/a.sock").as_deref(), Some("/run/a.sock"));
        assert_eq!(of("unix:a.sock").as_deref(), Some("a.sock"));
        assert_eq!(of("unix:///run/a@b").as_deref(), Some("/run/a@b"));
        for other in ["unix:", "unix://host/a", "unix", "localhost"] {
            assert_eq!(of(other), None, "{other}");
        }
    }
}
