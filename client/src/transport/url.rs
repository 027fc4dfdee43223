//! Transport options from a URL: `mqtt://host:port`, `mqtts://host:port` and `unix:path`, and with the
//! feature `websocket` `ws://host:port/path?query` and `wss://host:port/path?query`.

use std::str::FromStr;
use std::sync::Arc;

#[cfg(feature = "websocket")]
use super::WebSocketOptions;
use super::{TlsConnector, TlsOptions, TlsOptionsError, TransportOptions, without_brackets};

/// Part of a URL that makes no transport options. No part of the URL is in the error, since it may
/// contain a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UrlError {
    /// The scheme is missing, or none of `mqtt`, `mqtts`, `unix`, and with the feature `websocket` `ws`
    /// and `wss`.
    #[error("the URL must begin with {SCHEMES}")]
    Scheme,
    /// The URL names no host, or an IPv6 address without brackets; or a URL of `unix` names one.
    #[error("the URL needs a host name, an IPv4 address or an IPv6 address in brackets")]
    Host,
    /// The port is no number from 1 to 65,535.
    #[error("the port of the URL must be a number from 1 to 65535")]
    Port,
    /// The URL contains a user name or a password. They belong to
    /// [`ConnectOptions::username`](crate::ConnectOptions::username) and
    /// [`ConnectOptions::password`](crate::ConnectOptions::password).
    #[error("the URL must not contain a user name or a password: they are options of CONNECT")]
    Credentials,
    /// Something follows host and port of `mqtt` or `mqtts`. The path of `ws` or `wss` can't stand in a
    /// request, or a fragment follows it. A URL of `unix` has no path.
    #[error(
        "the URL must end after host and port, with ws:// and wss:// after path and query, and unix: \
         needs a path"
    )]
    Path,
    /// TLS can't be set up.
    #[error(transparent)]
    Tls(#[from] TlsOptionsError),
}

impl TransportOptions {
    /// The options that a URL states. The scheme is not case-sensitive:
    ///
    /// | scheme | transport | default port |
    /// |---|---|---|
    /// | `mqtt://` | TCP | 1883 |
    /// | `mqtts://` | TLS with the default [`TlsOptions`] | 8883 |
    /// | `ws://` (feature `websocket`) | WebSocket over TCP | 80 |
    /// | `wss://` (feature `websocket`) | WebSocket over TLS with the default [`TlsOptions`] | 443 |
    ///
    /// | `unix:` or `unix://` | Unix domain socket at the path that follows | none |
    ///
    /// `ws` and `wss` may have a path and a query. Without a path it is `/mqtt`. The path of `unix` is
    /// taken as it is, without percent-decoding: `unix:///run/mqtt.sock`, `unix:/run/mqtt.sock`, or with
    /// a relative path `unix:mqtt.sock`.
    ///
    /// The same as parsing the URL with [`str::parse`].
    ///
    /// ```
    /// use dunlin_client::transport::TransportOptions;
    ///
    /// let options = TransportOptions::from_url("mqtts://[::1]")?;
    /// assert_eq!((options.host.as_str(), options.port), ("::1", 8883));
    /// assert!(options.tls.is_some());
    /// # Ok::<(), dunlin_client::transport::UrlError>(())
    /// ```
    ///
    /// # Errors
    /// [`UrlError::Scheme`], [`UrlError::Credentials`], [`UrlError::Path`], [`UrlError::Host`] or
    /// [`UrlError::Port`] for the part of the URL that is wrong; [`UrlError::Tls`] if TLS can't be
    /// set up.
    pub fn from_url(url: &str) -> Result<Self, UrlError> {
        if let Some(path) = unix_path(url)? {
            return Ok(Self::unix(path));
        }
        Self::from_url_with(url, |scheme| {
            Some(match scheme {
                "mqtt" => Scheme::new(false, 1883),
                "mqtts" => Scheme::new(true, 8883),
                #[cfg(feature = "websocket")]
                "ws" => Scheme::websocket(false, 80),
                #[cfg(feature = "websocket")]
                "wss" => Scheme::websocket(true, 443),
                _ => return None,
            })
        })
    }

    /// Options that a URL with one of the schemes of `known` states. `known` gets the scheme in lower
    /// case.
    ///
    /// # Errors
    /// Those of [`from_url`](Self::from_url).
    pub(crate) fn from_url_with(
        url: &str,
        known: impl Fn(&str) -> Option<Scheme>,
    ) -> Result<Self, UrlError> {
        // The scheme decides about TLS, the default port, and what may follow.
        let (scheme, rest) = url.split_once("://").ok_or(UrlError::Scheme)?;
        let Scheme {
            is_tls,
            is_websocket,
            default_port,
        } = known(&scheme.to_ascii_lowercase()).ok_or(UrlError::Scheme)?;

        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at_checked(end).unwrap_or((rest, ""));
        // Credentials first: a password that contains `/` would otherwise be reported as a path.
        if authority.contains('@') {
            return Err(UrlError::Credentials);
        }
        // A single slash says no more than none.
        if !is_websocket && !matches!(target, "" | "/") {
            return Err(UrlError::Path);
        }
        #[cfg(feature = "websocket")]
        let websocket = is_websocket
            .then(|| WebSocketOptions::from_target(target).map_err(|_invalid| UrlError::Path))
            .transpose()?;

        // Port 0 is a valid `u16`, but no port to connect to.
        let (host, port) = split_port(authority)?;
        let port = match port {
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or(UrlError::Port)?,
            None => default_port,
        };
        // The roots of the web are loaded here, so this step may fail as well.
        let tls = if is_tls {
            Some(Arc::new(TlsConnector::new(&TlsOptions::default())?))
        } else {
            None
        };
        Ok(Self {
            tls,
            #[cfg(feature = "websocket")]
            websocket: websocket.map(Box::new),
            ..Self::new(without_brackets(host), port)
        })
    }
}

/// Transport that the scheme of a URL stands for.
#[derive(Clone, Copy)]
pub(crate) struct Scheme {
    is_tls: bool,
    is_websocket: bool,
    default_port: u16,
}

impl Scheme {
    /// Transport without WebSocket.
    pub(crate) const fn new(is_tls: bool, default_port: u16) -> Self {
        Self {
            is_tls,
            is_websocket: false,
            default_port,
        }
    }

    #[cfg(feature = "websocket")]
    const fn websocket(is_tls: bool, default_port: u16) -> Self {
        Self {
            is_tls,
            is_websocket: true,
            default_port,
        }
    }
}

/// Schemes for the error about them.
const SCHEMES: &str = if cfg!(feature = "websocket") {
    "mqtt:// (TCP), mqtts:// (TLS), ws:// or wss:// (WebSocket), or unix: (socket)"
} else {
    "mqtt:// (TCP), mqtts:// (TLS) or unix: (socket)"
};

impl FromStr for TransportOptions {
    type Err = UrlError;

    /// Like [`TransportOptions::from_url`].
    fn from_str(url: &str) -> Result<Self, UrlError> {
        Self::from_url(url)
    }
}

/// Path of `unix:PATH` or `unix:///PATH`; `None` for a URL with another scheme.
///
/// # Errors
/// [`UrlError::Host`] for `unix://host`, [`UrlError::Path`] without a path.
fn unix_path(url: &str) -> Result<Option<&str>, UrlError> {
    let Some((scheme, rest)) = url.split_once(':') else {
        return Ok(None);
    };
    if !scheme.eq_ignore_ascii_case("unix") {
        return Ok(None);
    }
    // Two slashes begin a host, which a socket doesn't have; three are an absolute path.
    match rest.strip_prefix("//") {
        Some("") => Err(UrlError::Path),
        Some(path) if path.starts_with('/') => Ok(Some(path)),
        Some(_) => Err(UrlError::Host),
        None if rest.is_empty() => Err(UrlError::Path),
        None => Ok(Some(rest)),
    }
}

/// The host, brackets included, and the digits of the port.
///
/// # Errors
/// [`UrlError::Host`] or [`UrlError::Port`].
fn split_port(authority: &str) -> Result<(&str, Option<&str>), UrlError> {
    // Find the end of the host. An IPv6 address has colons of its own and ends at its bracket;
    // every other host ends at the first colon.
    let after_host = match authority.find(']') {
        Some(bracket) if authority.starts_with('[') => bracket + 1,
        Some(_) => return Err(UrlError::Host),
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority
        .split_at_checked(after_host)
        .ok_or(UrlError::Host)?;
    // Refuse a missing host, brackets around anything but an IPv6 address, and IPv6 without
    // brackets, where the port couldn't be told from the last group.
    let is_address = |host: &str| without_brackets(host).parse::<std::net::Ipv6Addr>().is_ok();
    if host.is_empty()
        || host.starts_with('[') && !is_address(host)
        || port.matches(':').count() > 1
    {
        return Err(UrlError::Host);
    }
    // The rest is empty, or a colon with the port's digits.
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok((host, None)),
        None => Err(UrlError::Host),
        // Signs are no digits, though `parse` takes them.
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            Ok((host, Some(digits)))
        }
        Some(_) => Err(UrlError::Port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(feature = "websocket")]
    use crate::secret::Secret;

    #[test]
    fn a_url_names_scheme_host_and_port() {
        for (url, host, port, is_tls) in [
            ("mqtt://localhost", "localhost", 1883, false),
            (
                "mqtts://broker.example.com",
                "broker.example.com",
                8883,
                true,
            ),
            (
                "MQTTS://broker.example.com:443/",
                "broker.example.com",
                443,
                true,
            ),
            ("mqtt://192.0.2.1:1", "192.0.2.1", 1, false),
            ("mqtt://[::1]", "::1", 1883, false),
            ("mqtts://[2001:db8::1]:65535", "2001:db8::1", 65_535, true),
        ] {
            let options: TransportOptions = url.parse().unwrap();
            assert_eq!((options.host.as_str(), options.port), (host, port), "{url}");
            assert_eq!(options.tls.is_some(), is_tls, "{url}");
        }
    }

    #[test]
    fn a_wrong_url_is_refused_by_its_part() {
        for (url, error) in [
            ("localhost", UrlError::Scheme),
            ("localhost:1883", UrlError::Scheme),
            ("https://localhost", UrlError::Scheme),
            ("mqtt://", UrlError::Host),
            ("mqtt://:1883", UrlError::Host),
            ("mqtt://::1", UrlError::Host),
            ("mqtt://2001:db8::1", UrlError::Host),
            ("mqtt://[::1", UrlError::Host),
            ("mqtt://[lamp]", UrlError::Host),
            ("mqtt://[::1]1883", UrlError::Host),
            ("mqtt://a]b", UrlError::Host),
            ("mqtt://localhost:", UrlError::Port),
            ("mqtt://localhost:0", UrlError::Port),
            ("mqtt://localhost:+1", UrlError::Port),
            ("mqtt://localhost:65536", UrlError::Port),
            ("mqtt://me:secret@localhost", UrlError::Credentials),
            ("mqtt://localhost/mqtt", UrlError::Path),
            ("mqtt://localhost?clientId=1", UrlError::Path),
        ] {
            assert_eq!(TransportOptions::from_url(url).unwrap_err(), error, "{url}");
        }
    }

    #[test]
    fn a_url_of_a_unix_domain_socket_names_its_path() {
        for (url, path) in [
            ("unix:/run/a.sock", "/run/a.sock"),
            ("UNIX:///run/a@b?c", "/run/a@b?c"),
            ("unix:a.sock", "a.sock"),
        ] {
            let options = TransportOptions::from_url(url).unwrap();
            assert_eq!(options.unix_socket, Some(path.into()), "{url}");
            assert!(options.tls.is_none(), "{url}");
        }
        for (url, error) in [
            ("unix:", UrlError::Path),
            ("unix://", UrlError::Path),
            ("unix://host/a.sock", UrlError::Host),
            ("unix", UrlError::Scheme),
        ] {
            assert_eq!(TransportOptions::from_url(url).unwrap_err(), error, "{url}");
        }
    }

    #[cfg(feature = "websocket")]
    #[test]
    fn a_url_of_websocket_names_path_and_query() {
        for (url, port, is_tls, path, query) in [
            ("ws://localhost", 80, false, "/mqtt", None),
            ("wss://localhost/", 443, true, "/mqtt", None),
            ("WSS://localhost:8443/a/b", 8443, true, "/a/b", None),
            ("ws://[::1]?t=a%2Fb", 80, false, "/mqtt", Some("t=a%2Fb")),
            ("ws://h:1/x?", 1, false, "/x", None),
            ("ws://h/x?a=1&b=?/", 80, false, "/x", Some("a=1&b=?/")),
        ] {
            let options = TransportOptions::from_url(url).unwrap();
            assert_eq!(
                (options.port, options.tls.is_some()),
                (port, is_tls),
                "{url}"
            );
            let websocket = options.websocket.unwrap();
            assert_eq!(websocket.path, path, "{url}");
            assert_eq!(websocket.query, query.map(Secret::from), "{url}");
        }
        for (url, error) in [
            ("ws://localhost/mqtt#part", UrlError::Path),
            ("ws://localhost/a b", UrlError::Path),
            ("ws://me:secret@localhost/mqtt", UrlError::Credentials),
            ("wss:///mqtt", UrlError::Host),
            ("wss://localhost:0/mqtt", UrlError::Port),
        ] {
            assert_eq!(TransportOptions::from_url(url).unwrap_err(), error, "{url}");
        }
    }

    #[test]
    fn brackets_belong_to_ipv6_addresses_alone() {
        assert_eq!(without_brackets("[::1]"), "::1");
        assert_eq!(without_brackets("::1"), "::1");
        assert_eq!(without_brackets("[lamp]"), "[lamp]");
        assert_eq!(without_brackets("lamp"), "lamp");
    }
}
