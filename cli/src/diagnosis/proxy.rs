//! Diagnoses of proxies that don't connect to the server.

use std::time::Duration;

use dunlin_client::transport::{ProxyError, SocksReply};

use crate::diagnosis::context::RunContext;
use crate::diagnosis::{Diagnosis, Id, Try, duration};

/// Diagnosis of a proxy that doesn't connect to the server.
pub(super) fn no_tunnel(context: &RunContext, error: &ProxyError) -> Diagnosis {
    let headline = match error {
        // The proxy's own status and reason stand in the headline, as the server's reason does.
        ProxyError::Refused { status, reason } => {
            format!("the proxy refused the tunnel: {status} {reason}")
                .trim_end()
                .to_owned()
        }
        ProxyError::Socks(reply) => format!("the proxy refused the connection: {reply}"),
        ProxyError::Unreachable(error) => format!("the proxy cannot be reached: {error}"),
        ProxyError::Tls(error) => format!("TLS with the proxy failed: {error}"),
        error => format!("no tunnel through the proxy: {error}"),
    };
    let (likely, advice) = likely_and_advice(error);
    let via = context.proxy.as_deref().unwrap_or("via a proxy");
    Diagnosis {
        at: Some(format!("CONNECT {} {via}", context.address())),
        likely: vec![likely.into()],
        try_: vec![
            Try::advice(advice),
            // The proxy may come from a variable that was set for other programs.
            Try::advice("--proxy none, if this computer needs no proxy"),
        ],
        ..Diagnosis::new(Id::Proxy, headline)
    }
}

/// Diagnosis of a proxy that takes the connection and doesn't say in time whether there is a tunnel.
pub(super) fn silent(context: &RunContext, after: Duration) -> Diagnosis {
    let via = context.proxy.as_deref().unwrap_or("via a proxy");
    Diagnosis {
        // The proxy is connected to, so that no firewall before it is among the guesses.
        saw: Some(format!(
            "connected {via}; its answer is missing, or not complete"
        )),
        likely: vec![
            "it waits for the server, which is down or behind a firewall".into(),
            "it hangs, or is no proxy of this kind".into(),
        ],
        try_: vec![
            Try::advice("--connect-timeout, if the proxy is slow"),
            Try::advice("--proxy none, if this computer needs no proxy"),
        ],
        ..Diagnosis::new(
            Id::ConnectTimeout,
            format!(
                "the proxy did not answer for {} within {}",
                context.address(),
                duration(after)
            ),
        )
    }
}

/// Likely cause, and advice.
fn likely_and_advice(error: &ProxyError) -> (&'static str, &'static str) {
    match error {
        ProxyError::Refused { status: 407, .. } => (
            "it wants a user name and a password, or other ones",
            "http://USER:PASSWORD@HOST:PORT as the proxy's URL",
        ),
        ProxyError::NoAuthenticationMethod | ProxyError::CredentialsRefused => (
            "it wants a user name and a password, or other ones",
            "socks5h://USER:PASSWORD@HOST:PORT as the proxy's URL",
        ),
        ProxyError::Refused {
            status: 401 | 403 | 405,
            ..
        }
        | ProxyError::Socks(SocksReply::NotAllowed) => (
            "it lets nobody through to that host or port",
            "ask who runs it",
        ),
        ProxyError::Refused {
            status: 500..=599, ..
        } => (
            "it can't resolve or reach the endpoint, or is overloaded",
            "again in a minute · --endpoint as it is spelled",
        ),
        ProxyError::Socks(SocksReply::ConnectionRefused) => (
            "the server is not running, or on another port",
            "--port, or --endpoint as it is spelled",
        ),
        ProxyError::Socks(SocksReply::AddressTypeNotSupported) => (
            "it takes no host names, or no IPv6 addresses",
            "socks5://HOST:PORT as the proxy's URL, so that this computer resolves the name",
        ),
        ProxyError::Socks(_) => (
            "it can't resolve or reach the endpoint",
            "again in a minute · --endpoint as it is spelled",
        ),
        ProxyError::Unreachable(_) => (
            "it isn't running, or is another one on this network",
            "another --proxy",
        ),
        ProxyError::Tls(_) => (
            "it speaks no TLS on that port, or its certificate is not for that name",
            "http://HOST:PORT as the proxy's URL · --ca FILE, if its authority is a private one",
        ),
        ProxyError::NotSocks => (
            "that is no SOCKS5 proxy, but perhaps one for HTTP or SOCKS4",
            "http://HOST:PORT as the proxy's URL",
        ),
        ProxyError::HostLength | ProxyError::CredentialsLength => (
            "a word too many was pasted",
            "--endpoint and the proxy's URL as they are spelled",
        ),
        _ => (
            "that is no proxy of this protocol, or one that speaks TLS itself",
            "another --proxy",
        ),
    }
}
