//! Diagnoses of WebSocket connections that aren't opened, or that a server ends.

use std::time::Duration;

use dunlin_client::transport::{CloseReason, UpgradeRefusal, WebSocketError};

use crate::diagnosis::context::RunContext;
use crate::diagnosis::text::{duration, quoted};
use crate::diagnosis::{Diagnosis, Id, Try, denial};

/// Diagnosis of a WebSocket connection that wasn't opened, or that ended before CONNACK.
pub(super) fn failed(context: &RunContext, error: &WebSocketError) -> Diagnosis {
    match error {
        WebSocketError::InvalidPath | WebSocketError::InvalidHeader { .. } => {
            let encode = Try::advice("percent-encode what a URL or a header can't carry");
            Diagnosis {
                try_: vec![encode],
                ..Diagnosis::usage(format!("{error}; nothing was sent"))
            }
        }
        WebSocketError::Refused(refusal) if matches!(refusal.status, 401 | 403) => {
            denied(context, refusal)
        }
        WebSocketError::Refused(refusal) => refused(context, refusal),
        WebSocketError::Subprotocol { .. } => Diagnosis {
            likely: vec!["another service than MQTT is at this path".into()],
            try_: vec![another_path(context)],
            ..Diagnosis::new(Id::Upgrade, error.to_string())
        },
        WebSocketError::NoAnswer | WebSocketError::NotHttp => not_websocket(context, error),
        WebSocketError::WrongAnswer { .. } | WebSocketError::AnswerTooLong => Diagnosis {
            likely: vec!["a proxy or a gateway answers in place of the server".into()],
            try_: vec![Try::advice("another network, or --proxy none")],
            ..Diagnosis::new(Id::Upgrade, error.to_string())
        },
        // AWS IoT and others answer 101 first, and close the connection of a client that they deny.
        WebSocketError::Closed(reason) => Diagnosis {
            saw: Some(format!("{reason}; {}", context.credentials())),
            likely: denial::likely(context, None),
            try_: denial::advice(context, None),
            ..Diagnosis::new(
                Id::Hangup,
                "the server closed the WebSocket connection before answering CONNECT",
            )
        },
        WebSocketError::Frame(fault) => Diagnosis {
            likely: vec!["a bug of the server, or of a proxy before it".into()],
            try_: vec![Try::advice(
                "tell the operator of the server, with the lines above",
            )],
            ..Diagnosis::new(Id::Protocol, format!("the server sent {fault} (WebSocket)"))
        },
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

/// Diagnosis of a connection that the server ended after CONNACK by a Close frame or by a broken rule;
/// `None` for another end.
pub(super) fn ended(context: &RunContext, error: &WebSocketError) -> Option<Diagnosis> {
    let WebSocketError::Closed(reason) = error else {
        return matches!(error, WebSocketError::Frame(_)).then(|| failed(context, error));
    };
    let (likely, advice) = cause(reason);
    Some(Diagnosis {
        saw: Some("a Close frame of WebSocket, and no DISCONNECT".into()),
        likely: vec![likely.into()],
        try_: vec![Try::advice(advice)],
        ..Diagnosis::new(
            Id::Disconnected,
            format!(
                "{} closed the WebSocket connection: {reason}",
                context.server_noun()
            ),
        )
    })
}

/// Diagnosis of a server that accepts the connection and doesn't answer the request within `after`.
pub(super) fn silent(context: &RunContext, after: Duration) -> Diagnosis {
    Diagnosis {
        saw: Some("the connection is up; nothing came in answer to the request".into()),
        likely: vec![
            "this port has MQTT without WebSocket (such a server waits for CONNECT)".into(),
            "the server hangs, or something in between forwards nothing".into(),
        ],
        try_: vec![without_websocket(context)],
        ..Diagnosis::new(
            Id::ConnectTimeout,
            format!(
                "{} did not answer the request for a WebSocket connection within {}",
                context.address(),
                duration(after)
            ),
        )
    }
}

/// Diagnosis of status 401 or 403: credentials in headers or query.
fn denied(context: &RunContext, refusal: &UpgradeRefusal) -> Diagnosis {
    let mut likely = denial::likely(context, None);
    if context.is_aws {
        likely.push("a request signed with SigV4 whose keys or clock are wrong".into());
    }
    Diagnosis {
        saw: Some(evidence(refusal, Some(context.credentials()))),
        likely,
        try_: denial::advice(context, None),
        ..Diagnosis::new(Id::AuthDenied, headline(context, refusal))
    }
}

/// Diagnosis of another status.
fn refused(context: &RunContext, refusal: &UpgradeRefusal) -> Diagnosis {
    let (likely, advice) = match refusal.status {
        404 | 405 => ("MQTT is at another path", another_path(context)),
        400 | 426 => (
            "the server takes requests for WebSocket at another path, or of another subprotocol",
            another_path(context),
        ),
        407 => (
            "a proxy asks for a password",
            Try::advice("--proxy http://USER:PASSWORD@HOST:PORT"),
        ),
        429 => (
            "too many connections in a short time",
            Try::advice("again in a minute"),
        ),
        300..=399 => (
            "the server has moved, or wants a login first",
            Try::advice("the URL that it refers to: curl -si shows it"),
        ),
        200..=299 => (
            "a web server is there, which doesn't know WebSocket at this path",
            another_path(context),
        ),
        500..=599 => (
            "the server behind a gateway is down or overloaded",
            Try::advice("again in a minute"),
        ),
        _ => ("the server doesn't say more", another_path(context)),
    };
    Diagnosis {
        saw: Some(evidence(refusal, None)),
        likely: vec![likely.into()],
        try_: vec![advice],
        ..Diagnosis::new(Id::Upgrade, headline(context, refusal))
    }
}

/// Diagnosis of a port that doesn't speak HTTP.
fn not_websocket(context: &RunContext, error: &WebSocketError) -> Diagnosis {
    let mut likely = vec!["this port has MQTT without WebSocket".to_owned()];
    let mut try_ = vec![without_websocket(context)];
    if !context.choices.is_tls {
        likely.push("this port speaks TLS: use wss://".into());
        try_.push(Try::advice("--endpoint wss://HOST for WebSocket with TLS"));
    }
    Diagnosis {
        likely,
        try_,
        ..Diagnosis::new(Id::Upgrade, error.to_string())
    }
}

fn headline(context: &RunContext, refusal: &UpgradeRefusal) -> String {
    let reason = match refusal.reason.as_str() {
        "" => String::new(),
        reason => format!(" {}", quoted(reason)),
    };
    format!(
        "{} refused the WebSocket connection: HTTP {}{reason}",
        context.server_noun(),
        refusal.status
    )
}

/// Observations: type of the error, beginning of the body, and the credentials.
fn evidence(refusal: &UpgradeRefusal, credentials: Option<String>) -> String {
    let error_type = refusal.error_type.as_deref().map(|error_type| {
        let error_type = error_type.trim_end_matches(':');
        format!("x-amzn-ErrorType {}", quoted(error_type))
    });
    let body = match refusal.body.trim() {
        "" => "no body".to_owned(),
        body => format!("body {}", quoted(body)),
    };
    let parts = error_type.into_iter().chain([body]).chain(credentials);
    parts.collect::<Vec<_>>().join("; ")
}

/// Likely cause and advice for a close code (RFC 6455, section 7.4).
fn cause(reason: &CloseReason) -> (&'static str, &'static str) {
    match reason.code {
        Some(1000 | 1001 | 1012) => ("the server shuts down or restarts", "again in a minute"),
        Some(1002 | 1003 | 1007) => (
            "the server doesn't accept what was sent, or it isn't one of MQTT 5",
            "the server's log",
        ),
        Some(1008) => (
            "the server denies something that was sent, or the time of the credentials is over",
            "the server's log; fresh credentials",
        ),
        Some(1009) => (
            "a packet was larger than the server's limit for a frame",
            "smaller messages",
        ),
        Some(1011..=1014) => (
            "the server, or one behind it, has failed or is overloaded",
            "again in a minute",
        ),
        _ => ("the server doesn't say more", "the server's log"),
    }
}

fn another_path(context: &RunContext) -> Try {
    let scheme = if context.choices.is_tls { "wss" } else { "ws" };
    Try::advice(format!(
        "{scheme}://HOST/PATH with the path of the server's documentation, often /mqtt, /ws or /"
    ))
}

fn without_websocket(context: &RunContext) -> Try {
    let scheme = if context.choices.is_tls {
        "mqtts"
    } else {
        "mqtt"
    };
    Try::advice(format!(
        "--endpoint {scheme}://HOST for MQTT without WebSocket"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::context::context;

    fn refusal(status: u16, body: &str) -> WebSocketError {
        WebSocketError::Refused(UpgradeRefusal {
            status,
            reason: "Nope\u{1b}".into(),
            error_type: Some("ForbiddenException:".into()),
            body: body.into(),
        })
    }

    #[test]
    fn refused_credentials_and_other_refusals_have_ids_of_their_own() {
        let context = context("x-ats.iot.eu-west-1.amazonaws.com");
        for (status, id) in [
            (401, Id::AuthDenied),
            (403, Id::AuthDenied),
            (400, Id::Upgrade),
            (404, Id::Upgrade),
            (503, Id::Upgrade),
        ] {
            let diagnosis = failed(&context, &refusal(status, "{\"message\":\"no\u{7}\"}"));
            assert_eq!(diagnosis.id, id);
            let text = format!("{}{:?}", diagnosis.headline, diagnosis.saw);
            assert!(!text.contains(char::is_control), "{text}");
            assert!(text.contains("ForbiddenException"), "{text}");
            assert!(!diagnosis.likely.is_empty() && !diagnosis.try_.is_empty());
        }
    }

    #[test]
    fn a_close_frame_is_a_hangup_before_connack_and_a_disconnection_after_it() {
        let error = WebSocketError::Closed(CloseReason {
            code: Some(1008),
            reason: "token expired".into(),
        });
        let context = context("localhost");
        let before = failed(&context, &error);
        assert_eq!(before.id, Id::Hangup);
        assert!(before.saw.unwrap().contains("1008"));
        let after = ended(&context, &error).unwrap();
        assert_eq!(after.id, Id::Disconnected);
        assert!(after.headline.contains("token expired"));
    }
}
