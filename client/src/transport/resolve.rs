//! Host names into addresses, by the system's resolver.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use super::deadline::Deadline;
use crate::error::{ResolveFault, Stage, TransportError};

/// In the order that the system prefers; at least one.
///
/// # Errors
/// [`TransportError::Resolve`] if the name has no address, [`TransportError::TimedOut`] in the
/// stage [`Stage::Resolve`].
pub(super) async fn resolve(
    host: &str,
    port: u16,
    deadline: Deadline,
) -> Result<Vec<SocketAddr>, TransportError> {
    let Some(answer) = deadline.run(tokio::net::lookup_host((host, port))).await else {
        return Err(deadline.passed(Stage::Resolve, Vec::new()));
    };
    // An answer without addresses is a failure as well; `judge` decides that apart from I/O, so
    // that tests need no resolver.
    let answer = answer.map(|addresses| addresses.collect::<Vec<_>>());
    judge(host, port, answer).map_err(|fault| TransportError::Resolve {
        host: host.to_owned(),
        fault,
    })
}

/// Checks that a host name has no white space and no control characters. Proxies and WebSocket get
/// the name in a line of a request, also where this computer doesn't resolve it.
///
/// # Errors
/// [`TransportError::Resolve`]: there is no host of such a name.
pub(super) fn check_name(host: &str) -> Result<(), TransportError> {
    if host.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(TransportError::Resolve {
            host: host.to_owned(),
            fault: ResolveFault::NotFound,
        });
    }
    Ok(())
}

/// The addresses that the system's resolver found, at least one.
///
/// # Errors
/// [`ResolveFault::NotFound`] if there is none, or the fault that the resolver's error stands for.
fn judge(
    host: &str,
    port: u16,
    answer: io::Result<Vec<SocketAddr>>,
) -> Result<Vec<SocketAddr>, ResolveFault> {
    match answer {
        Ok(addresses) if !addresses.is_empty() => Ok(addresses),
        // This name is always this computer (RFC 6761, section 6.3), but a small image may have no
        // /etc/hosts to say so.
        _ if is_localhost(host) => Ok(vec![
            (Ipv4Addr::LOCALHOST, port).into(),
            (Ipv6Addr::LOCALHOST, port).into(),
        ]),
        Ok(_) => Err(ResolveFault::NotFound),
        Err(error) => Err(classify(&error)),
    }
}

/// True if the name is `localhost`, in any case and with or without the dot at its end.
fn is_localhost(host: &str) -> bool {
    host.strip_suffix('.')
        .unwrap_or(host)
        .eq_ignore_ascii_case("localhost")
}

/// The standard library keeps no number of what `getaddrinfo` says, only its text, and that in the
/// C locale since nobody calls `setlocale`. So the text is what there is to go by; on Windows it is
/// a number.
fn classify(error: &io::Error) -> ResolveFault {
    // Winsock's numbers are stable, whereas its texts are in the user's language.
    if cfg!(windows) {
        match error.raw_os_error() {
            Some(WSAHOST_NOT_FOUND | WSANO_DATA) => return ResolveFault::NotFound,
            Some(WSATRY_AGAIN) => return ResolveFault::Temporary,
            _ => {}
        }
    }
    // Elsewhere the text decides. An unknown text is passed on to the user as it is.
    let detail = error.to_string();
    let says = |texts: &[&str]| texts.iter().any(|text| detail.contains(text));
    if says(&NOT_FOUND) {
        ResolveFault::NotFound
    } else if says(&TEMPORARY) {
        ResolveFault::Temporary
    } else {
        ResolveFault::Other { detail }
    }
}

/// EAI_NONAME and EAI_NODATA of glibc, musl, macOS and the BSDs.
const NOT_FOUND: [&str; 7] = [
    "Name or service not known",
    "No address associated with hostname",
    "Name does not resolve",
    "Name has no usable address",
    "nodename nor servname provided, or not known",
    "hostname nor servname provided, or not known",
    "no address associated with name",
];

/// EAI_AGAIN of the same.
const TEMPORARY: [&str; 4] = [
    "Temporary failure in name resolution",
    "Try again",
    "Name could not be resolved at this time",
    "temporary failure in name resolution",
];

const WSAHOST_NOT_FOUND: i32 = 11_001;
const WSATRY_AGAIN: i32 = 11_002;
const WSANO_DATA: i32 = 11_004;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn fault_of(text: &str) -> ResolveFault {
        classify(&io::Error::other(format!(
            "failed to lookup address information: {text}"
        )))
    }

    #[test]
    fn errors_of_the_resolver_are_distinguished() {
        assert_eq!(
            fault_of("Name or service not known"),
            ResolveFault::NotFound
        );
        assert_eq!(
            fault_of("No address associated with hostname"),
            ResolveFault::NotFound
        );
        assert_eq!(
            fault_of("Temporary failure in name resolution"),
            ResolveFault::Temporary
        );
        assert!(matches!(
            fault_of("Non-recoverable failure in name resolution"),
            ResolveFault::Other { detail } if detail.contains("Non-recoverable")
        ));
    }

    #[test]
    fn localhost_is_this_computer_where_the_system_does_not_know_it() {
        let unknown = || Err(io::Error::other("Name or service not known"));
        for name in ["localhost", "LocalHost", "localhost."] {
            let addresses = judge(name, 1883, unknown()).unwrap();
            assert_eq!(
                addresses,
                ["127.0.0.1:1883", "[::1]:1883"].map(|each| each.parse().unwrap())
            );
        }
        assert_eq!(
            judge("localhost.example", 1883, unknown()),
            Err(ResolveFault::NotFound)
        );
        // What the system says comes first.
        let other = vec!["127.0.0.53:1883".parse().unwrap()];
        assert_eq!(judge("localhost", 1883, Ok(other.clone())), Ok(other));
    }

    #[tokio::test]
    async fn an_address_resolves_to_itself() {
        let deadline = Deadline::after(Duration::from_secs(5));
        for (host, address) in [("127.0.0.1", "127.0.0.1:443"), ("::1", "[::1]:443")] {
            assert_eq!(
                resolve(host, 443, deadline).await,
                Ok(vec![address.parse().unwrap()])
            );
        }
    }
}
