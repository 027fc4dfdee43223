//! `ProxyChoice`: the proxy of a connection, from `--proxy` or from the environment.

use std::env;
use std::path::Path;
use std::sync::Arc;

use dunlin_client::transport::{Proxy, ProxyCredentials, ProxyProtocol};
use percent_encoding::percent_decode_str;

use crate::args::Sources;
use crate::config::no_proxy::{self, NoProxy};
use crate::config::{Server, secret, tls};
use crate::diagnosis::Diagnosis;
use crate::terminal::Console;

/// Proxy and the flag or variable that named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProxyChoice {
    pub(crate) proxy: Proxy,
    /// `--proxy` or the name of a variable.
    pub(crate) from: &'static str,
}

impl ProxyChoice {
    /// Chooses the proxy for `server`; `None` for a direct connection. `ca` is the file of `--ca`,
    /// whose authorities are trusted for an `https://` proxy, too.
    ///
    /// `--proxy` applies to every server. Variables don't apply to servers on this computer, and
    /// those that all programs share don't apply to the hosts in `NO_PROXY`.
    ///
    /// # Errors
    /// [`Id::Usage`](crate::diagnosis::Id::Usage) for a URL that names no proxy. The URL isn't
    /// repeated, because a password may be in it.
    pub(crate) fn new(
        typed: Option<&str>,
        sources: &Sources,
        server: &Server,
        ca: Option<&Path>,
        console: Console,
    ) -> Result<Option<Self>, Diagnosis> {
        let by_flag = sources.on_command_line("proxy");
        if server.unix_socket.is_some() && by_flag {
            return Err(Diagnosis::usage(
                "--proxy is for TCP, and unix:PATH is a socket of this computer",
            ));
        }
        // A proxy on another computer can't reach a server on this one.
        if server.is_local() && !by_flag {
            return Ok(None);
        }

        // The flag, or the tool's own variable, which clap reads.
        if let Some(url) = typed {
            let from = if by_flag { "--proxy" } else { "DUNLIN_PROXY" };
            let choice = parse(url, from, ca)?;
            let has_secret = choice
                .as_ref()
                .is_some_and(|choice| choice.proxy.credentials.is_some());
            if has_secret && by_flag && secret::warns() {
                console.warning(
                    "other users of this computer can read the password in --proxy in the process list (ps); use DUNLIN_PROXY",
                );
            }
            return Ok(choice);
        }

        // The variables that all programs share.
        let exempt = no_proxy::VARIABLES
            .iter()
            .find_map(|name| variable(name))
            .unwrap_or_default();
        let named = VARIABLES
            .iter()
            .find_map(|name| Some((variable(name)?, *name)));
        match named {
            Some((url, from))
                if !NoProxy::new(&exempt).covers(&server.host, server.connect_to, server.port) =>
            {
                parse(&url, from, ca)
            }
            _ => Ok(None),
        }
    }
}

/// Variables of curl, in the order in which it looks at them.
const VARIABLES: [&str; 4] = ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"];

fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

/// Reads a URL without printing it, because a password may be in it; `None` for "none".
///
/// hyper-util's reader is not used here: it drops in silence what it doesn't understand, and this
/// one has to say what is wrong.
fn parse(
    url: &str,
    from: &'static str,
    ca: Option<&Path>,
) -> Result<Option<ProxyChoice>, Diagnosis> {
    if url.eq_ignore_ascii_case("none") {
        return Ok(None);
    }
    let wrong = |what: &str| {
        Diagnosis::usage(format!(
            "{from}: {what}; write it as http://[USER:PASSWORD@]HOST[:PORT] or socks5h://.."
        ))
    };
    // A URL without a scheme is one of HTTP. The scheme is printed, as far as it is one.
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let (protocol, default_port) = match scheme.to_ascii_lowercase().as_str() {
        "http" => (ProxyProtocol::Http, HTTP),
        "https" => (ProxyProtocol::Https(Arc::new(tls::for_proxy(ca)?)), HTTPS),
        // Like curl: with the h, the proxy resolves the host name.
        "socks5h" => (ProxyProtocol::Socks5, SOCKS),
        "socks5" => (ProxyProtocol::Socks5LocalNames, SOCKS),
        _ => {
            let scheme: String = scheme
                .chars()
                .filter(char::is_ascii_alphanumeric)
                .take(10)
                .collect();
            return Err(wrong(&format!(
                "a proxy of the kind \"{scheme}\" isn't supported, only http, https, socks5h and socks5 are"
            )));
        }
    };
    let is_http = matches!(protocol, ProxyProtocol::Http | ProxyProtocol::Https(_));
    // User and password end at the last "@"; a path is ignored.
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (user, address) = match authority.rsplit_once('@') {
        Some((user, address)) => (Some(user), address),
        None => (None, authority),
    };
    let (host, port) =
        host_and_port(address, default_port).ok_or_else(|| wrong("no host and port"))?;
    let credentials = user
        .map(|user| credentials(user, is_http))
        .transpose()
        .map_err(wrong)?;
    Ok(Some(ProxyChoice {
        proxy: Proxy {
            protocol,
            host,
            port,
            credentials,
        },
        from,
    }))
}

/// User name and password in front of the host, percent-decoded.
fn credentials(user: &str, is_http: bool) -> Result<ProxyCredentials, &'static str> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let decoded = |text: &str| match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => Ok(decoded.into_owned()),
        Err(_) => Err("user name or password is not UTF-8 text"),
    };
    let username = decoded(name)?;
    let password = decoded(password)?;
    if is_http && username.contains(':') {
        return Err("a user name of HTTP has no colon");
    }
    // RFC 1929: each length is one byte, and not zero.
    if !is_http
        && [&username, &password]
            .iter()
            .any(|text| !(1..=255).contains(&text.len()))
    {
        return Err("user name and password of SOCKS5 have 1 to 255 bytes each");
    }
    Ok(ProxyCredentials {
        username,
        password: password.into(),
    })
}

/// Host and port of a URL; `None` if it has no host, or an invalid one or port.
fn host_and_port(address: &str, default_port: u16) -> Option<(String, u16)> {
    let (host, port) = match address.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            host.parse::<std::net::Ipv6Addr>().ok()?;
            (
                host,
                port.strip_prefix(':')
                    .or_else(|| port.is_empty().then_some(""))?,
            )
        }
        None => address.split_once(':').unwrap_or((address, "")),
    };
    let port = if port.is_empty() {
        default_port
    } else {
        port.parse().ok().filter(|port| *port > 0)?
    };
    let is_host = !host.is_empty()
        && host
            .chars()
            .all(|c| c.is_alphanumeric() || "-._:".contains(c));
    is_host.then(|| (host.to_owned(), port))
}

/// Ports of URLs that name none.
const HTTP: u16 = 80;
const HTTPS: u16 = 443;
const SOCKS: u16 = 1080;

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Option<(String, Option<(String, String)>)> {
        parse(url, "--proxy", None).unwrap().map(|choice| {
            let Proxy { credentials, .. } = &choice.proxy;
            let user = credentials
                .as_ref()
                .map(|user| (user.username.clone(), user.password.expose().clone()));
            (choice.proxy.to_string(), user)
        })
    }

    #[test]
    fn a_url_names_a_proxy_its_port_and_its_user() {
        let plain = |url: &str| Some((url.to_owned(), None));
        assert_eq!(
            parsed("http://proxy.corp:3128"),
            plain("http://proxy.corp:3128")
        );
        assert_eq!(
            parsed("HTTP://proxy.corp:3128/"),
            plain("http://proxy.corp:3128")
        );
        assert_eq!(parsed("proxy.corp"), plain("http://proxy.corp:80"));
        assert_eq!(parsed("http://[::1]:3128"), plain("http://[::1]:3128"));
        assert_eq!(parsed("none"), None);
        let user = || Some(("me@corp".to_owned(), "p:w/d".to_owned()));
        assert_eq!(
            parsed("http://me%40corp:p%3Aw%2Fd@p:1"),
            Some(("http://p:1".to_owned(), user()))
        );
        assert_eq!(parsed("https://p"), plain("https://p:443"));
        // SOCKS5: the h says who resolves the host.
        assert_eq!(parsed("socks5h://p"), plain("socks5h://p:1080"));
        assert_eq!(parsed("SOCKS5://p:1"), plain("socks5://p:1"));
        assert_eq!(
            parsed("socks5h://me%40corp:p%3Aw%2Fd@p"),
            Some(("socks5h://p:1080".to_owned(), user()))
        );
    }

    #[test]
    fn an_invalid_proxy_is_refused_and_not_repeated() {
        for url in [
            "socks4://p:1",
            "socks5h://canary@p:1",
            "http://canary:canary@",
            "http://p:0",
            "http://p:x",
            "http://%ff:@p:1",
        ] {
            let diagnosis = parse(url, "HTTPS_PROXY", None).unwrap_err();
            assert!(
                diagnosis.headline.starts_with("HTTPS_PROXY: "),
                "{}",
                diagnosis.headline
            );
            assert!(
                !diagnosis.headline.contains("canary"),
                "{}",
                diagnosis.headline
            );
        }
        let socks = parse("socks4://p:1", "--proxy", None).unwrap_err();
        assert!(
            socks.headline.contains("\"socks4\" isn't supported"),
            "{}",
            socks.headline
        );
    }
}
