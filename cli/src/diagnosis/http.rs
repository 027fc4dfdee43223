//! Diagnoses of messages that weren't published over HTTP.

use dunlin_client::aws::http_publish::{HttpPublishError, HttpRefusal, RefusalKind};
use dunlin_client::error::{PeerAddress, TransportError};

use crate::diagnosis::context::RunContext;
use crate::diagnosis::text::{duration, quoted, shell, unquoted};
use crate::diagnosis::{Diagnosis, Id, Try, network};
use crate::message::OutgoingMessage;

/// Diagnosis of a message that wasn't published, after `sent` others.
pub(crate) fn failed(
    context: &RunContext,
    message: &OutgoingMessage,
    sent: u64,
    error: &HttpPublishError,
) -> Diagnosis {
    let diagnosis = match error {
        HttpPublishError::Message(error) => return Diagnosis::usage(error.to_string()),
        HttpPublishError::NotOverHttp(_)
        | HttpPublishError::InvalidRequest(_)
        | HttpPublishError::Signing(_) => return Diagnosis::usage(error.to_string()),
        // These have an address and a stage of their own for the line `at:`.
        HttpPublishError::Connect(error) => return network::transport(context, error),
        HttpPublishError::Connection { error, .. } => match &**error {
            TransportError::Tls { .. } => return network::transport(context, error),
            error => closed(context, sent, error),
        },
        HttpPublishError::TimedOut { stage, after, .. } => Diagnosis {
            likely: vec![
                "the server is overloaded, or waits for an authorizer that does not answer".into(),
                "this port speaks another protocol than HTTP".into(),
            ],
            try_: vec![Try::advice("again in a minute · a longer --timeout")],
            ..Diagnosis::new(
                Id::AckTimeout,
                format!("{stage} did not come within {}", duration(*after)),
            )
        },
        HttpPublishError::NotHttp { detail, .. } => not_http(context, detail),
        HttpPublishError::AnswerTooLong { .. } => Diagnosis {
            likely: vec!["a proxy or a web server answers in place of AWS IoT".into()],
            try_: vec![another_port(context)],
            ..Diagnosis::new(Id::Protocol, error.to_string())
        },
        HttpPublishError::Refused { refusal, .. } => refused(context, message, refusal),
        error => Diagnosis::new(Id::Lost, format!("the message was not published: {error}")),
    };
    let saw = match sent {
        0 => diagnosis.saw,
        sent => {
            let before = format!("{sent} message(s) were published before it");
            let saw = diagnosis.saw.into_iter().chain([before]);
            Some(saw.collect::<Vec<_>>().join("; "))
        }
    };
    Diagnosis {
        at: Some(at(context, error.peer())),
        saw,
        ..diagnosis
    }
}

/// Request, address and peer.
fn at(context: &RunContext, peer: Option<&PeerAddress>) -> String {
    let peer = peer.and_then(PeerAddress::socket_addr);
    let peer = peer.filter(|peer| peer.ip().to_string() != context.host);
    let peer = peer.map_or_else(String::new, |peer| format!(" ({})", peer.ip()));
    format!("HTTP request · {}{peer}", context.address())
}

/// Diagnosis of a connection that ended before the answer was complete, after `sent` messages.
fn closed(context: &RunContext, sent: u64, error: &TransportError) -> Diagnosis {
    let mut likely = Vec::new();
    let mut try_ = Vec::new();
    // A server that has accepted messages speaks HTTP.
    if sent == 0 {
        likely = likely_port(context);
        try_ = other_ports(context);
    }
    likely.push("the server, or something in between, ended the connection".into());
    try_.push(Try::advice("again in a minute"));
    Diagnosis {
        saw: Some(format!("{error}; the message may have been published")),
        likely,
        try_,
        ..Diagnosis::new(
            Id::Lost,
            format!(
                "{} closed the connection before its answer was complete",
                context.server_noun()
            ),
        )
    }
}

/// Diagnosis of an answer that breaks the rules of HTTP.
fn not_http(context: &RunContext, detail: &str) -> Diagnosis {
    // Every answer of HTTP begins with its version, and comes after the request; the other rules are
    // those of its parts.
    let is_other_protocol = ["version", "unexpected message"]
        .iter()
        .any(|words| detail.contains(words));
    let (likely, try_) = match is_other_protocol {
        true => (likely_port(context), other_ports(context)),
        false => (
            vec!["a bug of the server, or of a proxy in between".to_owned()],
            vec![another_port(context)],
        ),
    };
    Diagnosis {
        saw: Some(format!("parser: {}", quoted(detail))),
        likely,
        try_,
        ..Diagnosis::new(Id::Protocol, "the answer isn't valid HTTP")
    }
}

/// Diagnosis of an answer with another status than 200.
fn refused(context: &RunContext, message: &OutgoingMessage, refusal: &HttpRefusal) -> Diagnosis {
    let (id, likely, try_) = match refusal.kind {
        RefusalKind::Forbidden | RefusalKind::Unauthorized => {
            let (likely, try_) = denied(context, message);
            (Id::HttpDenied, likely, try_)
        }
        RefusalKind::Throttled => (
            Id::HttpUnavailable,
            vec!["too many messages in a second".to_owned()],
            vec![Try::advice("again in a minute · --interval 100ms")],
        ),
        RefusalKind::InternalFailure | RefusalKind::Unavailable => (
            Id::HttpUnavailable,
            vec!["the server, or one behind a gateway, is down or overloaded".to_owned()],
            vec![Try::advice("again in a minute")],
        ),
        RefusalKind::TooLarge => (
            Id::HttpRefused,
            vec!["the payload is above 128 KiB, the limit of AWS IoT".to_owned()],
            vec![Try::advice("a smaller payload, or several messages")],
        ),
        RefusalKind::InvalidRequest => (
            Id::HttpRefused,
            vec!["the topic or a property isn't one that the service takes".to_owned()],
            vec![Try::command("dunlin explain limits")],
        ),
        RefusalKind::NotFound | RefusalKind::MethodNotAllowed => (
            Id::HttpRefused,
            vec!["another service is at this port".to_owned()],
            vec![another_port(context)],
        ),
        _ => (
            Id::HttpRefused,
            vec!["a proxy or a web server answers in place of AWS IoT".to_owned()],
            vec![Try::advice("another network, or --proxy none")],
        ),
    };
    // Redirections and the like refuse nothing, and publish nothing either.
    let words = match refusal.status {
        ..400 => "did not confirm",
        _ => "refused",
    };
    let reason = match refusal.reason {
        "" => String::new(),
        reason => format!(" {reason}"),
    };
    Diagnosis {
        saw: Some(evidence(context, refusal)),
        likely,
        try_,
        ..Diagnosis::new(
            id,
            format!(
                "{} {words} the message for {}: HTTP {}{reason}",
                context.server_noun(),
                quoted(&message.topic),
                refusal.status
            ),
        )
    }
}

/// Observations: the server's words, the id of the request, and the credentials.
fn evidence(context: &RunContext, refusal: &HttpRefusal) -> String {
    let error_type = refusal.error_type.as_deref();
    let error_type = error_type.map(|name| format!("x-amzn-ErrorType {}", quoted(name)));
    let message = match refusal.message.as_str() {
        "" => "no text".to_owned(),
        text => format!("message {}", quoted(text)),
    };
    let request_id = refusal.request_id.as_deref();
    let request_id = request_id.map(|id| format!("request id {}", quoted(id)));
    let parts = error_type.into_iter().chain([message]).chain(request_id);
    let parts = parts.chain([context.credentials()]);
    parts.collect::<Vec<_>>().join("; ")
}

/// Causes of 401 and 403, and advice. The answer is the same for all of them.
fn denied(context: &RunContext, message: &OutgoingMessage) -> (Vec<String>, Vec<Try>) {
    let topic = &message.topic;
    // A retained message needs a second action.
    let (needed, actions) = match message.retain {
        true => (
            "iot:Publish and iot:RetainPublish",
            r#"["iot:Publish","iot:RetainPublish"]"#,
        ),
        false => ("iot:Publish", r#""iot:Publish""#),
    };
    let mut likely = Vec::new();
    let mut try_ = Vec::new();
    if context.has_token || context.authorizer.is_some() {
        likely.push(
            "the authorizer Lambda returned isAuthenticated=false (wrong or expired token)".into(),
        );
        likely.push(format!(
            "its policy does not allow {needed} on topic/{}",
            unquoted(topic)
        ));
        if !context.is_signed {
            likely.push("the authorizer has signing enabled, and no signature was sent".into());
        }
        likely.push(
            "the authorizer name is wrong or INACTIVE, or the Lambda failed or needs a password"
                .into(),
        );
        try_.push(Try::advice(
            "the Lambda's log; the sandbox's log says which of them it was",
        ));
        try_.push(Try::paste(format!(
            r#"{{"Effect":"Allow","Action":{actions},"Resource":"{}"}}"#,
            context.arn("topic", topic)
        )));
    } else {
        likely.push("the request had no token, and the default authorizer needs one".into());
        likely.push(format!(
            "the policy of the client certificate does not allow {needed} on topic/{}",
            unquoted(topic)
        ));
        try_.push(Try::advice(
            "--authorizer-name NAME with --auth-token-key-name and --auth-token-key-value-file, or --cert and --key",
        ));
    }
    (likely, try_)
}

/// Causes of a port without HTTP.
fn likely_port(context: &RunContext) -> Vec<String> {
    let mut likely = vec!["this port speaks MQTT".to_owned()];
    if !context.choices.is_tls {
        likely.insert(0, "this port speaks TLS: use https://".into());
    }
    likely
}

/// Proposals for a port without HTTP: TLS, and another port.
fn other_ports(context: &RunContext) -> Vec<Try> {
    let mut try_ = vec![another_port(context)];
    if !context.choices.is_tls {
        let url = format!("--endpoint https://{}", shell(&context.address()));
        try_.insert(0, Try::paste(url));
    }
    try_
}

fn another_port(context: &RunContext) -> Try {
    Try::advice(match context.is_aws {
        true => "port 443, or 8443 with a client certificate",
        false => "the port of HTTP, which the server's log or configuration names",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::context::context;

    #[test]
    fn a_policy_for_the_topic_is_proposed_with_its_arn() {
        let mut context = context("x-ats.iot.eu-west-1.amazonaws.com");
        context.choices.is_http = true;
        let message = OutgoingMessage {
            topic: "lamp/7".into(),
            retain: true,
            ..OutgoingMessage::default()
        };
        let (likely, try_) = denied(&context, &message);
        assert!(likely.iter().any(|cause| cause.contains("topic/lamp/7")));
        let Some(Try::Paste(statement)) = try_.last() else {
            panic!("{try_:?}");
        };
        let resource = "arn:aws:iot:eu-west-1:*:topic/lamp/7";
        assert!(statement.contains(resource), "{statement}");
        assert!(
            statement.contains(r#"["iot:Publish","iot:RetainPublish"]"#),
            "{statement}"
        );
    }

    #[test]
    fn a_port_of_another_protocol_is_told_from_a_mistake_within_an_answer() {
        let mut context = context("localhost");
        context.choices.is_http = true;
        let mqtt = "this port speaks MQTT".to_owned();
        for (detail, is_other) in [
            ("invalid HTTP version parsed", true),
            ("received unexpected message from connection", true),
            ("invalid content-length parsed", false),
            ("invalid chunk size: overflow", false),
        ] {
            let diagnosis = not_http(&context, detail);
            assert_eq!(diagnosis.likely.contains(&mqtt), is_other, "{detail}");
        }
    }

    #[test]
    fn a_port_that_hangs_up_may_speak_tls_unless_it_has_accepted_messages() {
        let mut context = context("localhost");
        context.choices.is_http = true;
        context.choices.is_tls = false;
        let error = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let error = TransportError::Io((&error).into());

        let first = closed(&context, 0, &error);
        assert_eq!(first.likely[0], "this port speaks TLS: use https://");
        let url = format!("--endpoint https://{}", context.address());
        assert_eq!(first.try_[0], Try::paste(url));

        let later = closed(&context, 3, &error);
        assert!(!format!("{later:?}").contains("https"), "{later:?}");
    }
}
