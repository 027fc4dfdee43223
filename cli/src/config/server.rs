//! Where to connect to: `--endpoint` and what goes with it, judged before anything is sent.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use dunlin_client::aws::{self, Endpoint, EndpointAdvice, EndpointFault};
use dunlin_sandbox::{RunningSandbox, StateDir};

use crate::args::EndpointArgs;
use crate::config::Detour;
use crate::diagnosis::{Diagnosis, Id, Try, folder, quoted};

/// A server and how to reach it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) connect_to: Option<SocketAddr>,
    /// The proxy on the way.
    pub(crate) detour: Option<Detour>,
    /// The CA of a sandbox found by itself.
    pub(crate) sandbox_ca: Option<PathBuf>,
    /// The same account's endpoint with a certificate that is trusted everywhere.
    pub(crate) rather: Option<String>,
}

impl Server {
    pub(crate) fn new(typed: EndpointArgs) -> Result<Self, Diagnosis> {
        let endpoint = typed.endpoint.unwrap_or_default();
        let checked = aws::check_endpoint(&endpoint).map_err(|fault| refused(&endpoint, &fault))?;
        let port = one_of(checked.port, typed.port)?;
        let mut server = if checked.host.eq_ignore_ascii_case("sandbox") {
            Self::sandbox(typed.state_dir, port)?
        } else {
            Self::named(checked, port)
        };
        server.connect_to = typed
            .connect_to
            .map(|text| address(&text, server.port))
            .transpose()?;
        Ok(server)
    }

    /// As [`new`](Self::new), for any MQTT server: `mqtt://` is without TLS, at 1883, `mqtts://`
    /// with it, at 8883. Whether there is TLS.
    pub(crate) fn of_any_kind(mut typed: EndpointArgs) -> Result<(Self, bool), Diagnosis> {
        let endpoint = typed.endpoint.take().unwrap_or_default();
        let (rest, port, is_tls) = match endpoint.split_once("://") {
            Some(("mqtt", rest)) => (rest, Some(1883), false),
            Some(("mqtts", rest)) => (rest, Some(8883), true),
            _ => (endpoint.as_str(), None, true),
        };
        let rest = if port.is_some() {
            rest.trim_end_matches('/')
        } else {
            rest
        };
        let has_port = rest
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let typed = EndpointArgs {
            endpoint: Some(rest.to_owned()),
            port: typed.port.or_else(|| port.filter(|_| !has_port)),
            ..typed
        };
        Ok((Self::new(typed)?, is_tls))
    }

    /// Whether it runs on this computer: a sandbox found by itself, or anything at loopback.
    pub(super) fn is_local(&self) -> bool {
        let host = self.host.trim_end_matches('.').to_ascii_lowercase();
        let address = self
            .connect_to
            .map(|address| address.ip())
            .or_else(|| host.parse().ok());
        self.sandbox_ca.is_some()
            || address.is_some_and(|address| address.to_canonical().is_loopback())
            || (address.is_none() && (host == "localhost" || host.ends_with(".localhost")))
    }

    fn named(checked: Endpoint, port: Option<u16>) -> Self {
        let rather = match checked.advice {
            Some(EndpointAdvice::NotAts { instead }) => Some(instead),
            _ => None,
        };
        let port = port.unwrap_or(aws::DEFAULT_PORT);
        Self {
            host: checked.host,
            port,
            connect_to: None,
            detour: None,
            sandbox_ca: None,
            rather,
        }
    }

    /// The sandbox that runs on this computer; among several the one that `--port` names.
    fn sandbox(state_dir: Option<PathBuf>, port: Option<u16>) -> Result<Self, Diagnosis> {
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
                connect_to: None,
                detour: None,
                sandbox_ca: Some(only.ca.clone()),
                rather: None,
            }),
            (None, _) => Err(none_running(&running)),
            (Some(_), Some(_)) => Err(many_running(&running)),
        }
    }
}

fn one_of(inner: Option<u16>, outer: Option<u16>) -> Result<Option<u16>, Diagnosis> {
    match (inner, outer) {
        (Some(inner), Some(outer)) if inner != outer => Err(Diagnosis::usage(format!(
            "--endpoint says port {inner} and --port says {outer}"
        ))),
        (inner, outer) => Ok(inner.or(outer)),
    }
}

fn address(text: &str, port: u16) -> Result<SocketAddr, Diagnosis> {
    let bare = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    text.parse()
        .or_else(|_| bare.parse::<IpAddr>().map(|ip| SocketAddr::new(ip, port)))
        .map_err(|_| {
            Diagnosis::usage(format!(
                "--connect-to needs an IP address, not {}",
                quoted(text)
            ))
        })
}

fn refused(endpoint: &str, fault: &EndpointFault) -> Diagnosis {
    let describe = Try::command("aws iot describe-endpoint --endpoint-type iot:Data-ATS");
    let instead = |host: &String| Try::paste(format!("--endpoint {host}"));
    let name = quoted(endpoint);
    let (headline, try_) = match fault {
        EndpointFault::WrongService { service, instead } => (
            format!("{name} is {service}, not the data endpoint"),
            vec![describe, Try::advice(format!("it looks like {instead}"))],
        ),
        EndpointFault::Scheme {
            scheme,
            instead: host,
        } => (
            format!("{name} begins with \"{scheme}://\"; --endpoint takes a host name"),
            vec![instead(host)],
        ),
        EndpointFault::Path {
            path,
            instead: host,
        } => (
            format!(
                "{name} ends in {}; --endpoint takes a host name",
                quoted(path)
            ),
            vec![instead(host)],
        ),
        EndpointFault::Port { .. } => (
            format!("{name}: what follows the \":\" is not a port"),
            Vec::new(),
        ),
        EndpointFault::Empty => ("--endpoint is empty".to_owned(), vec![describe]),
        _ => (
            format!("{name} is neither a host name nor an IP address"),
            vec![describe],
        ),
    };
    Diagnosis {
        try_,
        ..Diagnosis::new(Id::Endpoint, headline)
    }
}

fn none_running(others: &[RunningSandbox]) -> Diagnosis {
    let headline = match others {
        [] => "no sandbox is running on this computer".to_owned(),
        others => format!(
            "no sandbox is running on that port; running: {}",
            ports(others)
        ),
    };
    Diagnosis {
        try_: vec![
            Try::command("dunlin sandbox        # in another terminal"),
            Try::command("dunlin demo"),
        ],
        ..Diagnosis::new(Id::Refused, headline)
    }
}

fn many_running(running: &[RunningSandbox]) -> Diagnosis {
    let choose = |sandbox: &RunningSandbox| {
        Try::paste(format!("--endpoint sandbox --port {}", sandbox.port))
    };
    Diagnosis {
        try_: running.iter().take(4).map(choose).collect(),
        ..Diagnosis::new(
            Id::Endpoint,
            format!(
                "{} sandboxes are running: {}",
                running.len(),
                ports(running)
            ),
        )
    }
}

fn ports(running: &[RunningSandbox]) -> String {
    let ports: Vec<String> = running
        .iter()
        .map(|sandbox| format!("port {} (pid {})", sandbox.port, sandbox.pid))
        .collect();
    ports.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(
        endpoint: &str,
        port: Option<u16>,
        connect_to: Option<&str>,
    ) -> Result<Server, Diagnosis> {
        Server::new(EndpointArgs {
            endpoint: Some(endpoint.into()),
            port,
            connect_to: connect_to.map(Into::into),
            proxy: None,
            state_dir: None,
        })
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
            let endpoint = Some(endpoint.to_owned());
            let typed = EndpointArgs {
                endpoint,
                port,
                connect_to: None,
                proxy: None,
                state_dir: None,
            };
            Server::of_any_kind(typed).map(|(server, is_tls)| (server.host, server.port, is_tls))
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
    fn what_runs_on_this_computer_is_known_by_name_and_address() {
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
    fn what_is_no_data_endpoint_is_named_with_what_to_use() {
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
