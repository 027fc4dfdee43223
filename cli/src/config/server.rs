//! `Server`: host, port and TLS of `--endpoint`, checked before anything is sent.

mod errors;
mod unix;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use dunlin_client::aws::{self, Endpoint, EndpointAdvice};
use dunlin_sandbox::StateDir;

use self::errors::{has_userinfo, many_running, none_running, refused, unsupported};
use crate::args::{EndpointArgs, userinfo, without_userinfo};
use crate::diagnosis::{Diagnosis, folder, quoted};

/// Server to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// Host name or IP address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// False for `mqtt://`.
    pub(crate) is_tls: bool,
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
    /// `HOST[:PORT]`, always with TLS and port 443 by default.
    Host,
    /// Also `mqtt://HOST[:PORT]`, without TLS, port 1883 by default, and `mqtts://HOST[:PORT]`,
    /// with TLS, port 8883 by default.
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
        if form != EndpointForm::Host
            && let Some(path) = unix::path(endpoint)
        {
            return unix::server(path, &typed);
        }
        // A password in the URL must not reach any message, so this is checked before all else.
        let endpoint = typed.endpoint.unwrap_or_default();
        if let Some(userinfo) = userinfo(&endpoint) {
            return Err(has_userinfo(&endpoint.replace(userinfo, ""), form));
        }
        // The scheme chooses TLS and the default port; without one the verb does.
        let takes_url = form != EndpointForm::Host;
        let (authority, scheme) = match endpoint.split_once("://") {
            Some(("mqtt", rest)) if takes_url => (rest.trim_end_matches('/'), Some(false)),
            Some(("mqtts", rest)) if takes_url => (rest.trim_end_matches('/'), Some(true)),
            Some((scheme @ ("ws" | "wss" | "unix"), _)) if takes_url => {
                return Err(unsupported(scheme));
            }
            _ => (endpoint.as_str(), None),
        };
        // Host and port, with the mistakes that people make with endpoints of AWS.
        let checked = aws::check_endpoint(authority).map_err(|fault| refused(&endpoint, &fault))?;
        let port = one_of(checked.port, typed.port)?;
        // "sandbox" is a name for what runs on this computer.
        let mut server = if checked.host.eq_ignore_ascii_case("sandbox") {
            Self::sandbox(typed.state_dir, port)?
        } else {
            let access = form.access(&checked.host, port, scheme);
            Self::named(checked, port, access)
        };
        // After the port is known: an address without a port uses that of the endpoint.
        server.connect_to = typed
            .connect_to
            .map(|text| address(&text, server.port))
            .transpose()?;
        Ok(server)
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
            connect_to: None,
            default_alpn: access.default_alpn,
            sandbox_ca: None,
            unix_socket: None,
            suggested_endpoint,
        }
    }

    /// Running sandbox of this computer; among several the one that listens on `port`.
    fn sandbox(state_dir: Option<PathBuf>, port: Option<u16>) -> Result<Self, Diagnosis> {
        // Each running sandbox has a file in this folder.
        let running = StateDir::resolve(state_dir)
            .and_then(|dir| dir.running())
            .map_err(|error| folder::state_dir("can't look for running sandboxes", error))?;
        let mut wanted = running
            .iter()
            .filter(|sandbox| port.is_none_or(|port| port == sandbox.port));
        match (wanted.next(), wanted.next()) {
            (Some(only), None) => Ok(Self {
                host: only.endpoint.clone(),
                port: only.port,
                is_tls: true,
                connect_to: None,
                default_alpn: Some(MQTT_ALPN),
                sandbox_ca: Some(only.ca.clone()),
                unix_socket: None,
                suggested_endpoint: None,
            }),
            (None, _) => Err(none_running(&running)),
            // Among several only the user can choose.
            (Some(_), Some(_)) => Err(many_running(&running)),
        }
    }
}

/// TLS, default port and default ALPN protocol of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Access {
    is_tls: bool,
    default_port: u16,
    default_alpn: Option<&'static str>,
}

impl EndpointForm {
    /// Chooses TLS, port and ALPN for a host. `scheme` is true for `mqtts://`, false for `mqtt://`,
    /// and `None` without a scheme.
    fn access(self, host: &str, port: Option<u16>, scheme: Option<bool>) -> Access {
        let Self::AnyServer(asked_for) = self else {
            let default_port = match scheme {
                None => aws::DEFAULT_PORT,
                Some(true) => MQTTS,
                Some(false) => MQTT,
            };
            return Access {
                is_tls: scheme != Some(false),
                default_port,
                default_alpn: Some(MQTT_ALPN),
            };
        };
        let is_aws = aws::is_aws_host(host);
        let has_authorizer =
            asked_for.authorizer || (is_aws && !asked_for.certificate && scheme.is_none());
        let is_tls = scheme.unwrap_or(
            has_authorizer
                || is_aws
                || asked_for.certificate
                || asked_for.ca
                || matches!(port, Some(MQTTS | aws::DEFAULT_PORT)),
        );
        let default_port = match is_tls {
            true if has_authorizer && scheme.is_none() => aws::DEFAULT_PORT,
            true => MQTTS,
            false => MQTT,
        };
        // AWS IoT serves several protocols on port 443 and tells them apart by ALPN.
        let is_shared_port = port.unwrap_or(default_port) == aws::DEFAULT_PORT;
        let default_alpn = match (has_authorizer, is_aws && is_shared_port) {
            (true, _) => Some(MQTT_ALPN),
            (false, true) if asked_for.certificate => Some(CERTIFICATE_ALPN),
            (false, true) => Some(MQTT_ALPN),
            (false, false) => None,
        };
        Access {
            is_tls,
            default_port,
            default_alpn: default_alpn.filter(|_| is_tls),
        }
    }
}

/// Default ports of `mqtt://` and `mqtts://`.
const MQTT: u16 = 1883;
const MQTTS: u16 = 8883;
/// ALPN protocol of custom authorizers, and that of client certificates on port 443 of AWS IoT.
const MQTT_ALPN: &str = "mqtt";
const CERTIFICATE_ALPN: &str = "x-amzn-mqtt-ca";

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::{Id, Try};

    fn server(
        endpoint: &str,
        port: Option<u16>,
        connect_to: Option<&str>,
    ) -> Result<Server, Diagnosis> {
        new(endpoint, port, connect_to, EndpointForm::Host)
    }

    fn new(
        endpoint: &str,
        port: Option<u16>,
        connect_to: Option<&str>,
        form: EndpointForm,
    ) -> Result<Server, Diagnosis> {
        let typed = EndpointArgs {
            endpoint: Some(endpoint.into()),
            port,
            connect_to: connect_to.map(Into::into),
            address: crate::args::AddressArgs::default(),
            proxy: None,
            state_dir: None,
        };
        Server::new(typed, form)
    }

    #[test]
    fn a_port_stands_in_the_endpoint_or_behind_port_and_is_443_without_either() {
        assert_eq!(server("localhost", None, None).unwrap().port, 443);
        assert_eq!(server("localhost:8883", None, None).unwrap().port, 8883);
        assert_eq!(server("localhost", Some(8883), None).unwrap().port, 8883);
        assert_eq!(
            server("localhost:1", Some(2), None).unwrap_err().id,
            Id::Usage
        );
    }

    #[test]
    fn a_scheme_says_whether_there_is_tls_and_where() {
        let of = |endpoint: &str, port| {
            new(endpoint, port, None, EndpointForm::HostOrUrl)
                .map(|server| (server.host, server.port, server.is_tls))
        };
        let here = |port, is_tls| ("localhost".to_owned(), port, is_tls);
        assert_eq!(of("mqtt://localhost", None).unwrap(), here(1883, false));
        assert_eq!(
            of("mqtt://localhost:1884/", None).unwrap(),
            here(1884, false)
        );
        assert_eq!(of("mqtts://localhost", Some(1)).unwrap(), here(1, true));
        assert_eq!(of("localhost", None).unwrap(), here(443, true));
        assert!(of("https://localhost", None).is_err());
    }

    #[test]
    fn flags_and_port_choose_tls_and_alpn_for_any_server() {
        let of = |endpoint: &str, asked_for| {
            let server = new(endpoint, None, None, EndpointForm::AnyServer(asked_for)).unwrap();
            (server.port, server.is_tls, server.default_alpn)
        };
        let none = AskedFor::default();
        let ca = AskedFor { ca: true, ..none };
        let certificate = AskedFor {
            certificate: true,
            ..none
        };
        let authorizer = AskedFor {
            authorizer: true,
            ..none
        };
        let aws = "x-ats.iot.eu-west-1.amazonaws.com";
        for (endpoint, asked_for, expected) in [
            // As mosquitto's tools: TCP, unless a CA, a certificate or the port asks for TLS.
            ("localhost", none, (1883, false, None)),
            ("localhost:8883", none, (8883, true, None)),
            ("localhost", ca, (8883, true, None)),
            ("localhost:1884", certificate, (1884, true, None)),
            ("mqtt://localhost", none, (1883, false, None)),
            ("mqtts://localhost", none, (8883, true, None)),
            // Custom authorizers, and AWS IoT.
            ("localhost", authorizer, (443, true, Some("mqtt"))),
            (aws, none, (443, true, Some("mqtt"))),
            (aws, certificate, (8883, true, None)),
            (
                &format!("{aws}:443"),
                certificate,
                (443, true, Some("x-amzn-mqtt-ca")),
            ),
            (&format!("mqtts://{aws}"), none, (8883, true, None)),
        ] {
            assert_eq!(of(endpoint, asked_for), expected, "{endpoint}");
        }
    }

    #[test]
    fn a_transport_that_is_not_there_yet_is_named() {
        for (scheme, words) in [("ws", "WebSocket"), ("unix", "Unix domain socket")] {
            let form = EndpointForm::AnyServer(AskedFor::default());
            let diagnosis = new(&format!("{scheme}://localhost"), None, None, form).unwrap_err();
            assert_eq!(diagnosis.id, Id::Endpoint);
            assert!(diagnosis.headline.contains(words), "{}", diagnosis.headline);
        }
    }

    #[test]
    fn a_scheme_is_explained_where_only_a_host_name_is_taken() {
        for (endpoint, words) in [
            (
                "mqtt://localhost",
                "dunlin connect, pub, sub and bench take it",
            ),
            ("mqtts://localhost", "TLS is always used"),
        ] {
            let diagnosis = server(endpoint, None, None).unwrap_err();
            assert!(diagnosis.headline.contains(words), "{}", diagnosis.headline);
            assert_eq!(diagnosis.try_, [Try::paste("--endpoint localhost")]);
        }
    }

    #[test]
    fn a_password_in_a_url_is_refused_and_not_repeated() {
        for form in [EndpointForm::Host, EndpointForm::HostOrUrl] {
            for (endpoint, connect_to) in [
                ("mqtt://user:canary@localhost", None),
                ("mqtts://canary@localhost:1", None),
                ("user:canary@localhost", None),
                ("localhost", Some("mqtt://user:canary@localhost")),
            ] {
                let diagnosis = new(endpoint, None, connect_to, form).unwrap_err();
                assert!(
                    !format!("{diagnosis:?}").contains("canary"),
                    "{diagnosis:?}"
                );
                assert!(!diagnosis.headline.contains("user:"), "{diagnosis:?}");
            }
        }
    }

    #[test]
    fn another_address_keeps_the_name_and_may_keep_the_port() {
        let to = |text| server("localhost:8883", None, Some(text)).map(|server| server.connect_to);
        assert_eq!(
            to("127.0.0.1").unwrap(),
            Some("127.0.0.1:8883".parse().unwrap())
        );
        assert_eq!(
            to("127.0.0.1:1").unwrap(),
            Some("127.0.0.1:1".parse().unwrap())
        );
        assert_eq!(to("[::1]").unwrap(), Some("[::1]:8883".parse().unwrap()));
        assert_eq!(to("localhost").unwrap_err().id, Id::Usage);
    }

    #[test]
    fn local_endpoints_are_recognised_by_name_and_address() {
        for (endpoint, connect_to, is_local) in [
            ("localhost", None, true),
            ("a.LOCALHOST.", None, true),
            ("127.0.0.9:1", None, true),
            ("[::1]", None, true),
            ("[::ffff:127.0.0.1]", None, true),
            ("iot.example.com", Some("127.0.0.1"), true),
            ("localhost", Some("10.0.0.1"), false),
            ("iot.example.com", None, false),
            ("localhost.example.com", None, false),
        ] {
            assert_eq!(
                server(endpoint, None, connect_to).unwrap().is_local(),
                is_local,
                "{endpoint}"
            );
        }
    }

    #[test]
    fn another_endpoint_of_aws_is_named_with_the_one_to_use() {
        for (endpoint, words) in [
            (
                "c1abc.credentials.iot.eu-west-1.amazonaws.com",
                "is the credentials endpoint, not the data endpoint",
            ),
            ("https://localhost", "begins with \"https://\""),
            ("localhost/mqtt", "ends in \"/mqtt\""),
            ("", "is empty"),
        ] {
            let diagnosis = server(endpoint, None, None).unwrap_err();
            assert_eq!(diagnosis.id, Id::Endpoint);
            assert!(diagnosis.headline.contains(words), "{}", diagnosis.headline);
            assert!(!diagnosis.try_.is_empty());
        }
    }
}
