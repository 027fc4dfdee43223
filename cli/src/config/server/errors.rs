//! Errors of `--endpoint`: endpoints that can't be used, and sandboxes that can't be found.

use dunlin_client::aws::EndpointFault;
use dunlin_sandbox::RunningSandbox;

use super::EndpointForm;
use super::access::Asked;
use super::before_query;
use crate::args::TransportArg;
use crate::diagnosis::{Diagnosis, Id, Try, quoted, shell};

/// Error for `unix:` without a path, and for `unix://` with a host.
pub(super) fn unix_host() -> Diagnosis {
    Diagnosis::new(
        Id::Endpoint,
        "a Unix domain socket is written as unix:/PATH, with a path and without a host",
    )
}

/// Error for a URL and `--transport` that name two transports.
pub(super) fn contradiction(scheme: TransportArg, flag: TransportArg) -> Diagnosis {
    Diagnosis::usage(format!(
        "--endpoint begins with {}:// and --transport says {}",
        scheme_of(scheme),
        name_of(flag)
    ))
}

/// Error for a transport without TLS where the sample needs it.
pub(super) fn needs_tls(transport: TransportArg) -> Diagnosis {
    Diagnosis {
        try_: vec![Try::advice("wss://HOST or --transport wss for WebSocket")],
        ..Diagnosis::new(
            Id::Endpoint,
            format!("{}:// {WITHOUT_TLS}", scheme_of(transport)),
        )
    }
}

/// Error for a Unix domain socket where the sample needs TLS.
pub(super) fn unix_without_tls() -> Diagnosis {
    Diagnosis::new(Id::Endpoint, format!("unix:PATH {WITHOUT_TLS}"))
}

/// End of errors about endpoints without TLS, which only the sample refuses.
const WITHOUT_TLS: &str =
    "is without TLS, which custom authorizers need; all verbs but the sample take it";

/// Error for a path or query that can't stand in a request.
pub(super) fn bad_path() -> Diagnosis {
    Diagnosis {
        try_: vec![Try::advice(
            "percent-encode path and query: %20 for a space, %23 for \"#\"",
        )],
        ..Diagnosis::new(
            Id::Endpoint,
            "the path or the query of --endpoint can't stand in a request",
        )
    }
}

/// Error for running sandboxes without a listener for WebSocket.
pub(super) fn no_websocket(asked: Asked) -> Diagnosis {
    let transport = asked.transport().map_or("wss", name_of);
    Diagnosis {
        try_: vec![Try::command(
            "dunlin sandbox --wss 0 --ws 0        # also over WebSocket",
        )],
        ..Diagnosis::new(
            Id::Refused,
            format!("a sandbox is running, but not with {transport}:// on that port"),
        )
    }
}

/// Scheme of the URLs of a transport.
const fn scheme_of(transport: TransportArg) -> &'static str {
    match transport {
        TransportArg::Tcp => "mqtt",
        TransportArg::Tls => "mqtts",
        TransportArg::Ws => "ws",
        TransportArg::Wss => "wss",
        TransportArg::Https => "https",
        TransportArg::Http => "http",
    }
}

/// Value of `--transport`.
const fn name_of(transport: TransportArg) -> &'static str {
    match transport {
        TransportArg::Tcp => "tcp",
        TransportArg::Tls => "tls",
        TransportArg::Ws => "ws",
        TransportArg::Wss => "wss",
        TransportArg::Https | TransportArg::Http => "http",
    }
}

/// Error for HTTP in a verb that needs a connection of MQTT.
pub(crate) fn needs_mqtt() -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command(
            "dunlin pub -H https://HOST -t lamp/7 -m on --authorizer-name NAME",
        )],
        ..Diagnosis::new(
            Id::Endpoint,
            "HTTP publishes messages and does nothing else: only pub and doctor take it",
        )
    }
}

/// Error for running sandboxes without a listener for HTTP.
pub(super) fn no_http() -> Diagnosis {
    Diagnosis {
        try_: vec![Try::command(
            "dunlin sandbox --https 0        # also over HTTPS",
        )],
        ..Diagnosis::new(
            Id::Refused,
            "a sandbox is running, but not with HTTPS on that port",
        )
    }
}

/// Error for an endpoint with a user name; `endpoint` is without it and without its query.
pub(super) fn has_userinfo(endpoint: &str, form: EndpointForm) -> Diagnosis {
    let host = match endpoint.split_once("://") {
        Some((_, host)) if form == EndpointForm::Host => host,
        _ => endpoint,
    };
    let is_http = endpoint.starts_with("https://") || endpoint.starts_with("http://");
    let instead = match form {
        EndpointForm::AnyServer(_) if is_http => {
            "a token, with --auth-token-key-name NAME and --auth-token-key-value-file FILE: HTTP \
             carries no user name"
        }
        EndpointForm::AnyServer(_) => {
            "--username NAME and --password-file FILE, or the variables DUNLIN_USERNAME and \
             DUNLIN_PASSWORD"
        }
        EndpointForm::Host | EndpointForm::HostOrUrl => {
            "--auth-username NAME and --auth-password-file FILE, or the variables \
             DUNLIN_AUTH_USERNAME and DUNLIN_AUTH_PASSWORD"
        }
    };
    Diagnosis {
        try_: vec![
            Try::paste(format!("--endpoint {}", shell(host))),
            Try::advice(instead),
        ],
        ..Diagnosis::new(
            Id::Endpoint,
            "--endpoint has a user name or password in front of the host, which is not supported",
        )
    }
}

/// Error for an endpoint that `fault` makes unusable; `endpoint` is without its query.
pub(super) fn refused(endpoint: &str, fault: &EndpointFault) -> Diagnosis {
    // Each mistake gets the endpoint to use instead, or the command that prints it.
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
        } if scheme == "mqtt" => (
            format!("{name}: mqtt:// {WITHOUT_TLS}"),
            vec![instead(host)],
        ),
        EndpointFault::Scheme {
            scheme,
            instead: host,
        } if scheme == "mqtts" => (
            format!("{name}: --endpoint takes a host name here; TLS is always used"),
            vec![instead(host)],
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
            match before_query(path) {
                "" => format!("{name} is followed by a query; --endpoint takes a host name"),
                path => format!(
                    "{name} ends in {}; --endpoint takes a host name",
                    quoted(path)
                ),
            },
            // The scheme was right, and chooses the transport.
            vec![match endpoint.split_once("://") {
                Some((scheme, _)) => instead(&format!("{scheme}://{host}")),
                None => instead(host),
            }],
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

/// Error for `--endpoint sandbox` without a running sandbox on that port; `others` run elsewhere.
pub(super) fn none_running(others: &[RunningSandbox]) -> Diagnosis {
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

/// Error for `--endpoint sandbox` with several sandboxes that are running.
pub(super) fn many_running(running: &[RunningSandbox]) -> Diagnosis {
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

/// Ports of the sandboxes, with their process ids.
fn ports(running: &[RunningSandbox]) -> String {
    let ports: Vec<String> = running
        .iter()
        .map(|sandbox| format!("port {} (pid {})", sandbox.port, sandbox.pid))
        .collect();
    ports.join(", ")
}
