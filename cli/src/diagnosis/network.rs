//! Diagnoses of endpoints that can't be reached: names, ports, time-outs, proxies.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use dunlin_client::transport::{
    FailedAttempt, IpVersion, ResolveFault, Stage, TransportError, WebSocketError,
};

use crate::diagnosis::context::RunContext;
use crate::diagnosis::text::{duration, quoted, shell};
use crate::diagnosis::{Diagnosis, Id, Try, proxy, region, tls, websocket};

/// Diagnosis of a connection that was not opened, or that failed below MQTT.
pub(crate) fn transport(context: &RunContext, error: &TransportError) -> Diagnosis {
    match error {
        TransportError::Resolve { fault, .. } => unresolved(context, fault),
        TransportError::UnixSocket { fault, .. } => Diagnosis {
            likely: vec![
                match fault.kind {
                    ErrorKind::NotFound => "the server is not running, or its socket is elsewhere",
                    ErrorKind::ConnectionRefused => {
                        "the server has ended and left its socket behind, or that is another file"
                    }
                    ErrorKind::PermissionDenied => "the socket belongs to another user",
                    ErrorKind::InvalidInput => {
                        "the path is too long: 107 bytes at most, 103 on macOS"
                    }
                    _ => "that is no socket of a server",
                }
                .into(),
            ],
            try_: vec![Try::command(format!(
                "ls -l {}",
                shell(context.host.trim_start_matches("unix:"))
            ))],
            ..Diagnosis::new(
                Id::Refused,
                format!("{} cannot be connected to: {fault}", context.address()),
            )
        },
        TransportError::LocalAddress { address, fault } => Diagnosis {
            likely: vec!["the interface with this address is not up".into()],
            try_: vec![Try::advice("leave --bind out")],
            ..Diagnosis::new(
                Id::Refused,
                format!(
                    "{} cannot be reached from the address {address}: {fault}",
                    context.address()
                ),
            )
        },
        TransportError::Refused { attempts } => refused(context, attempts),
        TransportError::Unreachable { attempts } => unreachable(context, attempts),
        TransportError::TimedOut {
            stage,
            after,
            addresses,
        } => {
            // The stage that took too long tells what had worked before it.
            let diagnosis = match stage {
                Stage::Proxy => proxy::silent(context, *after),
                Stage::Tls => silent_in_tls(context, *after),
                Stage::WebSocket => websocket::silent(context, *after),
                Stage::Resolve => no_answer_from_dns(context, *after),
                _ => timed_out(context, *after),
            };
            Diagnosis {
                at: Some(stage_line(context, *stage, addresses)),
                ..diagnosis
            }
        }
        TransportError::Proxy { error, .. } => proxy::no_tunnel(context, error),
        TransportError::Tls { peer, error } => tls::failed(context, peer, error),
        TransportError::WebSocket { peer, error } => {
            // Frames come after the handshake: the connection was open, and CONNECT was sent.
            let stage = match &**error {
                WebSocketError::Closed(_) | WebSocketError::Frame(_) => "CONNECT".to_owned(),
                _ => Stage::WebSocket.to_string(),
            };
            Diagnosis {
                at: Some(format!("{stage} · {peer}")),
                ..websocket::failed(context, error)
            }
        }
        error => Diagnosis {
            likely: vec!["the network, or something in between, ended the connection".into()],
            try_: vec![Try::advice("again in a minute")],
            ..Diagnosis::new(
                Id::Lost,
                format!("the connection to {} failed ({error})", context.address()),
            )
        },
    }
}

/// Diagnosis of a TCP connection that was not made in time.
pub(crate) fn timed_out(context: &RunContext, after: Duration) -> Diagnosis {
    Diagnosis {
        likely: vec![
            format!("a firewall drops packets to port {}", context.port),
            "the host is down, or not reachable from this network".into(),
        ],
        try_: vec![Try::command(format!(
            "nc -vz {} {}",
            shell(&context.host),
            context.port
        ))],
        ..Diagnosis::new(
            Id::ConnectTimeout,
            format!(
                "no connection to {} within {}",
                context.address(),
                duration(after)
            ),
        )
    }
}

/// Diagnosis of a server that accepts TCP and sends nothing during the TLS handshake.
fn silent_in_tls(context: &RunContext, after: Duration) -> Diagnosis {
    Diagnosis {
        // TCP works, so that no firewall drops the packets; a firewall is not among the guesses.
        saw: Some("the TCP connection is up; the server sent nothing in the TLS handshake".into()),
        likely: vec![
            "this port does not speak TLS (a plain MQTT server waits for CONNECT)".into(),
            "the server hangs, or something in between accepts connections and forwards nothing"
                .into(),
        ],
        try_: vec![Try::command(format!(
            "openssl s_client -connect {} -servername {} </dev/null",
            shell(&context.address()),
            shell(&context.server_name)
        ))],
        ..Diagnosis::new(
            Id::ConnectTimeout,
            format!(
                "{} did not answer the TLS handshake within {}",
                context.address(),
                duration(after)
            ),
        )
    }
}

/// Diagnosis of a name server that doesn't answer in time.
fn no_answer_from_dns(context: &RunContext, after: Duration) -> Diagnosis {
    Diagnosis {
        likely: vec!["this computer has no network or no working name server".into()],
        try_: vec![Try::command(format!("ping -c 1 {}", shell(&context.host)))],
        ..Diagnosis::new(
            Id::ConnectTimeout,
            format!(
                "the name server did not answer for {} within {}",
                quoted(&context.host),
                duration(after)
            ),
        )
    }
}

/// Diagnosis of a host name without an address.
fn unresolved(context: &RunContext, fault: &ResolveFault) -> Diagnosis {
    let host = quoted(&context.host);
    if let ResolveFault::NoAddressOf(version) = fault {
        let flags = match version {
            IpVersion::V4 => "-4 and --bind",
            IpVersion::V6 => "-6 and --bind",
        };
        return Diagnosis {
            likely: vec!["the server can be reached by the other IP version only".into()],
            try_: vec![Try::advice(format!("leave {flags} out"))],
            ..Diagnosis::new(Id::Dns, format!("{host} has {fault} (DNS)"))
        };
    }
    let mut diagnosis = match fault {
        ResolveFault::NotFound => Diagnosis::new(Id::Dns, format!("there is no host {host} (DNS)")),
        fault => Diagnosis::new(Id::Dns, format!("cannot resolve {host} (DNS: {fault})")),
    };
    // A mistyped region is the most common mistake in the name of an endpoint.
    if let Some(region) = context.region().filter(|region| !region::is_known(region)) {
        // The nearest region by edit distance, if one is near enough.
        let nearest = region::nearest(region).map_or(String::new(), |nearest| {
            format!("; the nearest is {}", quoted(nearest))
        });
        diagnosis.likely.push(format!(
            "{} is no AWS region known to this version{nearest}",
            quoted(region)
        ));
    }
    match fault {
        // A name server that answered rules out a missing network.
        ResolveFault::NotFound => diagnosis.likely.push("the endpoint is mistyped".into()),
        _ => diagnosis
            .likely
            .push("this computer has no network or no working name server".into()),
    }
    if context.is_aws {
        diagnosis.try_.push(Try::command(
            // AWS knows the right name of an account's endpoint.
            "aws iot describe-endpoint --endpoint-type iot:Data-ATS",
        ));
    } else {
        diagnosis
            .try_
            .push(Try::command(format!("ping -c 1 {}", shell(&context.host))));
    }
    diagnosis
}

/// Diagnosis of a port on which no program listens.
fn refused(context: &RunContext, attempts: &[FailedAttempt]) -> Diagnosis {
    let mut diagnosis = Diagnosis {
        saw: Some(tried(attempts)),
        ..Diagnosis::new(
            Id::Refused,
            format!(
                "{} refused the connection: nothing listens on that port",
                context.address()
            ),
        )
    };
    if context.is_aws {
        diagnosis
            .likely
            .push("the port is wrong: custom authorizers are at 443".into());
        diagnosis.try_.push(Try::advice("--port 443"));
    } else {
        diagnosis
            .likely
            .push("the server is not running, or on another port".into());
        diagnosis.try_.push(Try::command(
            "dunlin sandbox        # a local server, in another terminal",
        ));
    }
    diagnosis
}

/// Diagnosis of addresses without a route.
fn unreachable(context: &RunContext, attempts: &[FailedAttempt]) -> Diagnosis {
    Diagnosis {
        saw: Some(tried(attempts)),
        likely: vec!["this computer has no network, or no route to that one".into()],
        try_: vec![Try::command(format!("ping -c 1 {}", shell(&context.host)))],
        ..Diagnosis::new(
            Id::Refused,
            format!("{} cannot be reached", context.address()),
        )
    }
}

/// Addresses that were tried, with the error of each.
fn tried(attempts: &[FailedAttempt]) -> String {
    let mut tried: Vec<String> = attempts
        .iter()
        .take(MOST_ADDRESSES)
        .map(FailedAttempt::to_string)
        .collect();
    if attempts.len() > MOST_ADDRESSES {
        tried.push(format!("{} more", attempts.len() - MOST_ADDRESSES));
    }
    tried.join(", ")
}

/// Stage and addresses for the line `at:`.
fn stage_line(context: &RunContext, stage: Stage, addresses: &[SocketAddr]) -> String {
    let addresses: Vec<String> = addresses
        .iter()
        .take(MOST_ADDRESSES)
        .map(SocketAddr::to_string)
        .collect();
    // Before names are resolved there are no addresses: the endpoint stands for them.
    let addresses = if addresses.is_empty() {
        context.address()
    } else {
        addresses.join(", ")
    };
    format!("{stage} · {addresses}")
}

const MOST_ADDRESSES: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::context::context;

    #[test]
    fn an_unknown_region_is_the_first_guess_for_an_unknown_host() {
        let mistyped = context("x-ats.iot.eu-wset-1.amazonaws.com");
        let diagnosis = unresolved(&mistyped, &ResolveFault::NotFound);
        assert_eq!(
            diagnosis.likely.first().map(String::as_str),
            Some(
                r#""eu-wset-1" is no AWS region known to this version; the nearest is "eu-west-1""#
            )
        );
    }

    #[test]
    fn a_temporary_failure_is_not_called_a_typing_error() {
        let diagnosis = unresolved(&context("iot.example"), &ResolveFault::Temporary);
        assert_eq!(
            diagnosis.likely,
            ["this computer has no network or no working name server"]
        );
    }
}
