//! `Server`: host, port and transport of `--endpoint`, checked before anything is sent.

mod access;
mod errors;
#[cfg(test)]
mod tests;
mod unix;

pub(crate) use errors::needs_mqtt;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use dunlin_client::aws::{self, Endpoint, EndpointAdvice};
use dunlin_client::transport::WebSocketOptions;
use dunlin_sandbox::{RunningSandbox, StateDir};

use self::access::{Access, Asked, MQTT_ALPN};
use self::errors::{
    bad_path, contradiction, has_userinfo, many_running, needs_tls, no_http, no_websocket,
    none_running, refused, unix_host, unix_without_tls,
};
use crate::args::{EndpointArgs, TransportArg, WebSocketArgs, userinfo, without_userinfo};
use crate::diagnosis::{Diagnosis, folder, quoted};

/// Server to connect to.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Host name or IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// False for `mqtt://` and `ws://`.
    pub(crate) is_tls: bool,
    /// Path and query of `ws://` and `wss://`; `None` without WebSocket.
    pub(crate) websocket: Option<WebSocketOptions>,
    /// True for HTTP requests in place of a connection of MQTT: `https://`, `http://`.
    pub(crate) is_http: bool,
    /// Flags about the headers of WebSocket. They may hold secrets, which are read later.
    pub(crate) typed: WebSocketArgs,
    /// Address to connect to instead of the host's; `None` resolves the host.
    pub(crate) connect_to: Option<SocketAddr>,
    /// ALPN protocol to offer unless the user names one; `None` for none.
    pub(crate) default_alpn: Option<&'static str>,
    /// CA file of a sandbox that was found by itself; `None` for other servers.
    pub(crate) sandbox_ca: Option<PathBuf>,
    /// Path of `unix:PATH`, which is connected to in place of the host; `None` for other servers.
    pub(crate) unix_socket: Option<PathBuf>,
    /// Endpoint of the same AWS account with a certificate that is trusted everywhere; `None` if
    /// the given one has that.
    pub(crate) suggested_endpoint: Option<String>,
}

/// Forms of `--endpoint` that a verb takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointForm {
    /// `HOST[:PORT]` or `wss://HOST[:PORT]/PATH`, always with TLS and port 443 by default.
    Host,
    /// Also `mqtt://` and `ws://`, without TLS, ports 1883 and 80 by default, and `mqtts://`, with TLS,
    /// port 8883 by default.
    HostOrUrl,
    /// The same URLs, and `HOST[:PORT]` with TLS only where something asks for it, as mosquitto's
    /// tools do.
    AnyServer(AskedFor),
}

/// Flags that ask for TLS, and for an ALPN protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct AskedFor {
    /// A custom authorizer of AWS IoT.
    pub(crate) authorizer: bool,
    /// A client certificate.
    pub(crate) certificate: bool,
    /// A CA file, or another flag of TLS.
    pub(crate) ca: bool,
}

impl Server {
    /// Checks `--endpoint`, `--port` and `--connect-to`, and looks for a running sandbox where that
    /// is the endpoint.
    ///
    /// # Errors
    /// [`Id::Endpoint`](crate::diagnosis::Id::Endpoint) for an endpoint that can't be used; [`Id::Refused`](crate::diagnosis::Id::Refused) if no sandbox
    /// is running; [`Id::Usage`](crate::diagnosis::Id::Usage) for the other flags. No user name or password is repeated.
    pub(crate) fn new(typed: EndpointArgs, form: EndpointForm) -> Result<Self, Diagnosis> {
        let endpoint = typed.endpoint.as_deref().unwrap_or_default();
        if let Some(path) = unix::path(endpoint) {
            return match form {
                EndpointForm::Host => Err(unix_without_tls()),
                EndpointForm::HostOrUrl | EndpointForm::AnyServer(_) => unix::server(path, &typed),
            };
        }
        if matches!(endpoint, "unix:" | "unix://") {
            return Err(unix_host());
        }
        // A password in the URL must not reach any message, so this is checked before all else.
        let endpoint = typed.endpoint.unwrap_or_default();
        if let Some(userinfo) = userinfo(&endpoint) {
            let without = endpoint.replace(userinfo, "");
            return Err(has_userinfo(before_query(&without), form));
        }
        // The scheme or `--transport` chooses transport and default port; without them the verb does.
        let (scheme, rest) = form.split_scheme(&endpoint)?;
        let asked = match (scheme, typed.websocket.transport) {
            (Some(scheme), Some(flag))
                if scheme != flag && !(scheme.is_http() && flag.is_http()) =>
            {
                return Err(contradiction(scheme, flag));
            }
            (Some(scheme), _) => Asked::Scheme(scheme),
            (None, Some(flag)) => Asked::Flag(flag),
            (None, None) => Asked::Nothing,
        };
        if form == EndpointForm::Host
            && let Some(transport @ (TransportArg::Tcp | TransportArg::Ws)) = asked.transport()
        {
            return Err(needs_tls(transport));
        }

        let is_http = asked.transport().is_some_and(TransportArg::is_http);
        if is_http && !matches!(form, EndpointForm::AnyServer(_)) {
            return Err(needs_mqtt());
        }

        // Path and query belong to WebSocket; the query may hold a token and isn't repeated.
        let is_websocket = matches!(
            asked.transport(),
            Some(TransportArg::Ws | TransportArg::Wss)
        );
        let (authority, target) = match scheme {
            Some(TransportArg::Ws | TransportArg::Wss) => {
                rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()))
            }
            Some(_) => (rest.trim_end_matches('/'), ""),
            None => (rest, ""),
        };
        let websocket = is_websocket
            .then(|| WebSocketOptions::from_target(target).map_err(|_invalid| bad_path()))
            .transpose()?;
        // Host and port, with the mistakes that people make with endpoints of AWS.
        let named = endpoint.strip_suffix(target).unwrap_or(&endpoint);
        let named = before_query(named);
        let checked = aws::check_endpoint(authority).map_err(|fault| refused(named, &fault))?;
        let port = one_of(checked.port, typed.port)?;
        // "sandbox" is a name for what runs on this computer.
        let mut server = if checked.host.eq_ignore_ascii_case("sandbox") {
            Self::sandbox(typed.state_dir, port, asked)?
        } else {
            let access = form.access(&checked.host, port, asked);
            Self::named(checked, port, access)
        };
        server.websocket = websocket;
        server.is_http = is_http;
        server.typed = typed.websocket;
        // After the port is known: an address without a port uses that of the endpoint.
        server.connect_to = typed
            .connect_to
            .map(|text| address(&text, server.port))
            .transpose()?;
        Ok(server)
    }

    /// Scheme of a URL of this server.
    pub(crate) const fn scheme(&self) -> &'static str {
        match (self.is_tls, self.websocket.is_some()) {
            _ if self.is_http => {
                if self.is_tls {
                    "https"
                } else {
                    "http"
                }
            }
            (false, false) => "mqtt",
            (true, false) => "mqtts",
            (false, true) => "ws",
            (true, true) => "wss",
        }
    }

    /// True for a server on this computer: a sandbox that was found by itself, or a loopback
    /// address.
    pub(super) fn is_local(&self) -> bool {
        // A trailing dot marks a full name and does not change the host.
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        let address = self
            .connect_to
            .map(|address| address.ip())
            .or_else(|| host.parse().ok());
        self.sandbox_ca.is_some()
            || self.unix_socket.is_some()
            || address.is_some_and(|address| address.to_canonical().is_loopback())
            || (address.is_none() && (host == "localhost" || host.ends_with(".localhost")))
    }

    /// Server by its name or address.
    fn named(checked: Endpoint, port: Option<u16>, access: Access) -> Self {
        // An endpoint without "-ats" has a certificate that many systems don't trust.
        let suggested_endpoint = match checked.advice {
            Some(EndpointAdvice::NotAts { instead }) => Some(instead),
            _ => None,
        };
        Self {
            host: checked.host,
            port: port.unwrap_or(access.default_port),
            is_tls: access.is_tls,
            websocket: None,
            is_http: false,
            typed: WebSocketArgs::default(),
            connect_to: None,
            default_alpn: access.default_alpn,
            sandbox_ca: None,
            unix_socket: None,
            suggested_endpoint,
        }
    }

    /// Running sandbox of this computer; among several the one that listens on `port`.
    fn sandbox(
        state_dir: Option<PathBuf>,
        port: Option<u16>,
        asked: Asked,
    ) -> Result<Self, Diagnosis> {
        // Each running sandbox has a file in this folder.
        let running = StateDir::resolve(state_dir)
            .and_then(|dir| dir.running())
            .map_err(|error| folder::state_dir("can't look for running sandboxes", error))?;
        let is_http = asked.transport().is_some_and(TransportArg::is_http);
        let is_websocket = matches!(
            asked.transport(),
            Some(TransportArg::Ws | TransportArg::Wss)
        );
        let mut wanted = running.iter().filter_map(|sandbox| {
            let own = listening_port(sandbox, asked)?;
            port.is_none_or(|port| port == own)
                .then_some((sandbox, own))
        });
        match (wanted.next(), wanted.next()) {
            (Some((only, port)), None) => Ok(Self {
                host: only.endpoint.clone(),
                port,
                is_tls: !matches!(
                    asked.transport(),
                    Some(TransportArg::Ws | TransportArg::Http)
                ),
                websocket: None,
                is_http,
                typed: WebSocketArgs::default(),
                connect_to: None,
                default_alpn: (!is_websocket && !is_http).then_some(MQTT_ALPN),
                sandbox_ca: Some(only.ca.clone()),
                unix_socket: None,
                suggested_endpoint: None,
            }),
            (None, _) if is_websocket && !running.is_empty() => Err(no_websocket(asked)),
            (None, _) if is_http && !running.is_empty() => Err(no_http()),
            (None, _) => Err(none_running(&running)),
            // Among several only the user can choose.
            (Some(_), Some(_)) => Err(many_running(&running)),
        }
    }
}

/// Port at which a sandbox has this transport; `None` if it doesn't have it.
fn listening_port(sandbox: &RunningSandbox, asked: Asked) -> Option<u16> {
    match asked.transport() {
        Some(TransportArg::Ws) => sandbox.ws_port,
        Some(TransportArg::Wss) => sandbox.wss_port,
        Some(TransportArg::Https) => sandbox.https_port,
        Some(TransportArg::Http) => sandbox.http_port,
        _ => Some(sandbox.port),
    }
}

impl EndpointForm {
    /// Scheme of a URL and the text after it; `None` for a host without a scheme.
    ///
    /// # Errors
    /// [`Id::Endpoint`](crate::diagnosis::Id::Endpoint) for a scheme that isn't supported.
    fn split_scheme(self, endpoint: &str) -> Result<(Option<TransportArg>, &str), Diagnosis> {
        let takes_all = self != Self::Host;
        let takes_http = matches!(self, Self::AnyServer(_));
        let Some((scheme, rest)) = endpoint.split_once("://") else {
            return Ok((None, endpoint));
        };
        // Schemes are the same in either case (RFC 3986 section 3.1).
        let transport = match &*scheme.to_ascii_lowercase() {
            "mqtt" if takes_all => TransportArg::Tcp,
            "mqtts" if takes_all => TransportArg::Tls,
            "ws" => TransportArg::Ws,
            "wss" => TransportArg::Wss,
            "https" if takes_http => TransportArg::Https,
            "http" if takes_http => TransportArg::Http,
            "unix" if takes_all => return Err(unix_host()),
            _ => return Ok((None, endpoint)),
        };
        Ok((Some(transport), rest))
    }
}

/// Text before a query, which may hold a token.
fn before_query(text: &str) -> &str {
    text.split(['?', '#']).next().unwrap_or_default()
}

/// Port of the endpoint or of `--port`, which must not contradict each other.
fn one_of(inner: Option<u16>, outer: Option<u16>) -> Result<Option<u16>, Diagnosis> {
    match (inner, outer) {
        (Some(inner), Some(outer)) if inner != outer => Err(Diagnosis::usage(format!(
            "--endpoint says port {inner} and --port says {outer}"
        ))),
        (inner, outer) => Ok(inner.or(outer)),
    }
}

/// Address of `--connect-to`, with `port` where it names none.
fn address(text: &str, port: u16) -> Result<SocketAddr, Diagnosis> {
    // An IPv6 address in brackets may come without a port.
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    text.parse()
        .or_else(|_| bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port)))
        .map_err(|_| {
            Diagnosis::usage(format!(
                "--connect-to needs an IP address, not {}",
                quoted(&without_userinfo(text))
            ))
        })
}
