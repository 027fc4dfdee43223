//! The connection is there, and what was asked for on it didn't happen.

use std::time::Duration;

use dunlin_client::{RequestError, ServerReason};
use dunlin_codec::ReasonCode;

use crate::diagnosis::context::RunContext;
use crate::diagnosis::progress::{Operation, Progress};
use crate::diagnosis::text::{count, duration, quoted, unquoted};
use crate::diagnosis::{Diagnosis, Id, Try, denial, reason};

/// Diagnosis of a failed request. A request that fails because the client stopped is explained by
/// the end of the connection instead.
pub(crate) fn failed(
    context: &RunContext,
    operation: Operation,
    progress: Progress<'_>,
    error: &RequestError,
) -> Diagnosis {
    match error {
        RequestError::Refused(refusal) => refused(context, operation, progress, refusal),
        RequestError::Timeout { after } => unacknowledged(context, operation, progress, *after),
        RequestError::Topic(_)
        | RequestError::ResponseTopic(_)
        | RequestError::Text { .. }
        | RequestError::Encode(_) => Diagnosis::usage(error.to_string()),
        error => Diagnosis {
            saw: Some(progress.line(operation)),
            ..Diagnosis::new(
                operation.denied(),
                format!(
                    "can't {} {}: {error}",
                    operation.verb(),
                    quoted(progress.topic)
                ),
            )
        },
    }
}

/// Diagnosis of a refusal by SUBACK, PUBACK or UNSUBACK, or by a DISCONNECT in place of one.
pub(crate) fn refused(
    context: &RunContext,
    operation: Operation,
    progress: Progress<'_>,
    refusal: &ServerReason,
) -> Diagnosis {
    let topic = quoted(progress.topic);
    // Evidence: the counts of the run, then what the packet holds.
    let mut evidence = reason::evidence(refusal);
    evidence.insert(0, progress.line(operation));
    let saw = Some(evidence.join("; "));
    let reason = reason::own_words(refusal);
    // AWS IoT answers a denied request with 0x87, or with 0x80 for SUBSCRIBE.
    let about_policy = matches!(
        refusal.reason_code,
        ReasonCode::NotAuthorized | ReasonCode::UnspecifiedError
    );
    // Limits and unsupported features: no policy would change them.
    if !about_policy {
        let headline = format!(
            "could not {} {topic} ({}){reason}",
            operation.verb(),
            reason::fact(refusal)
        );
        return Diagnosis {
            saw,
            likely: vec![other(refusal.reason_code).into()],
            ..Diagnosis::new(operation.denied(), headline)
        };
    }
    Diagnosis {
        saw,
        ..policy(
            context,
            operation,
            progress,
            format!(
                "not allowed to {} {topic} ({}){reason}",
                operation.verb(),
                reason::fact(refusal)
            ),
        )
    }
}

/// Diagnosis of a server that closed the connection `times` times in a row, each time shortly
/// (`after`) after the request was sent.
pub(crate) fn dropped(
    context: &RunContext,
    operation: Operation,
    progress: Progress<'_>,
    times: u32,
    after: Duration,
) -> Diagnosis {
    // Words for small numbers read better in a headline.
    let times = match times {
        1 => String::new(),
        2 => ", twice".into(),
        3 => ", three times".into(),
        times => format!(", {times} times"),
    };
    let headline = format!(
        "the server closed the connection {} after {} on {}{times}",
        duration(after),
        operation.packet(),
        quoted(progress.topic)
    );
    Diagnosis {
        id: operation.dropped(),
        saw: Some(format!(
            "{}; no DISCONNECT, so no reason string; not connecting again",
            progress.line(operation)
        )),
        ..policy(context, operation, progress, headline)
    }
}

/// Diagnosis of a request without an acknowledgement.
pub(crate) fn unacknowledged(
    context: &RunContext,
    operation: Operation,
    progress: Progress<'_>,
    after: Duration,
) -> Diagnosis {
    let packet = operation.packet();
    Diagnosis {
        saw: Some(progress.line(operation)),
        likely: vec![
            format!(
                "{} is overloaded, or dropped the packet",
                context.server_noun()
            ),
            // Without a FIN or RST, only the keep alive finds a broken connection.
            "the connection broke and nobody has noticed yet".into(),
        ],
        try_: vec![Try::advice(
            "again with a longer --timeout, or a shorter --keep-alive to notice it earlier",
        )],
        ..Diagnosis::new(
            Id::AckTimeout,
            format!(
                "no acknowledgement of {packet} on {} within {}",
                quoted(progress.topic),
                duration(after)
            ),
        )
    }
}

/// Diagnosis of messages that were acknowledged and didn't come back.
pub(crate) fn not_received(
    context: &RunContext,
    progress: Progress<'_>,
    after: Duration,
) -> Diagnosis {
    let Progress {
        topic,
        sent,
        acknowledged,
        received,
    } = progress;
    // Publishing and subscribing work, so that only the third action of the policy is left.
    let resource = context.arn("topic", topic);
    Diagnosis {
        saw: Some(format!(
            "subscription granted; {} missing",
            count(
                usize::try_from(sent - received).unwrap_or_default(),
                "message"
            )
        )),
        likely: vec![format!(
            "the policy allows iot:Publish and iot:Subscribe but not iot:Receive on topic/{}",
            unquoted(topic)
        )],
        try_: vec![
            Try::advice("add to the policy:"),
            statement("iot:Receive", &resource),
        ],
        ..Diagnosis::new(
            Id::NotReceived,
            format!(
                "published {sent}, acknowledged {acknowledged}, received {received} within {}",
                duration(after)
            ),
        )
    }
}

/// Diagnosis of a PINGREQ without an answer within `after`.
pub(crate) fn no_pong(after: Duration) -> Diagnosis {
    Diagnosis {
        likely: vec!["a router or a firewall between drops packets, or the server hangs".into()],
        try_: vec![Try::advice("again · a longer --timeout")],
        ..Diagnosis::new(
            Id::KeepAlive,
            format!("no PINGRESP within {}", duration(after)),
        )
    }
}

/// Diagnosis of a request that the server has acknowledged, and that too few responses came to within
/// `after`.
pub(crate) fn no_response(
    context: &RunContext,
    progress: Progress<'_>,
    after: Duration,
) -> Diagnosis {
    let topic = quoted(progress.topic);
    let responses = match usize::try_from(progress.received).unwrap_or(usize::MAX) {
        0 => "no response".to_owned(),
        some => format!("only {}", count(some, "response")),
    };
    let mut likely = vec![
        format!("nobody answers requests on {topic}"),
        "the responder failed, or needs more time".to_owned(),
    ];
    if context.uses_authorizers() {
        likely.push("the policy lacks iot:Receive on the response topic".to_owned());
    }
    Diagnosis {
        saw: Some("the request was published, and the response topic is subscribed to".to_owned()),
        likely,
        try_: vec![Try::advice(
            "a look at what the responder printed · a longer --timeout",
        )],
        ..Diagnosis::new(
            Id::NotReceived,
            format!(
                "{responses} to the request on {topic} within {}",
                duration(after)
            ),
        )
    }
}

/// Adds the missing policy statement, or the server's access rules where there is no policy.
fn policy(
    context: &RunContext,
    operation: Operation,
    progress: Progress<'_>,
    headline: String,
) -> Diagnosis {
    let diagnosis = Diagnosis::new(operation.denied(), headline);
    // Servers without authorizers have no IAM-like policy to extend.
    if context.authorizer.is_none() && !context.is_aws {
        return Diagnosis {
            likely: vec!["the server's access rules do not allow it".into()],
            ..diagnosis
        };
    }
    let from = context.authorizer.as_ref().map_or(String::new(), |name| {
        format!(" from authorizer {}", quoted(name))
    });
    // A topic filter is named by topicfilter/ in a policy, which is easy to miss.
    let note = if operation == Operation::Publish {
        ""
    } else {
        " (note: topicfilter/, not topic/)"
    };
    let (action, resource, topic) = (
        operation.action(),
        operation.resource(),
        unquoted(progress.topic),
    );
    Diagnosis {
        likely: vec![format!(
            "the policy{from} lacks {action} on {resource}/{topic}{note}"
        )],
        try_: vec![
            Try::advice("add to the policy:"),
            statement(action, &context.arn(resource, &topic)),
        ],
        ..diagnosis
    }
}

fn statement(action: &str, resource: &str) -> Try {
    Try::paste(denial::statement(action, resource))
}

/// Likely cause for a reason code that isn't about a policy.
fn other(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::TopicFilterInvalid | ReasonCode::TopicNameInvalid => {
            "the server does not take this topic (AWS IoT: 256 bytes and 7 slashes at most)"
        }
        ReasonCode::QuotaExceeded => "a limit of the account or the connection is reached",
        ReasonCode::PacketIdentifierInUse => "a bug: the server still uses this packet identifier",
        ReasonCode::PayloadFormatInvalid => "the server does not take this payload",
        ReasonCode::ImplementationSpecificError => {
            "the server does not accept this; its log should say why"
        }
        ReasonCode::SharedSubscriptionsNotSupported => {
            "the server has no shared subscriptions ($share/..)"
        }
        ReasonCode::WildcardSubscriptionsNotSupported => {
            "the server has no subscriptions with wildcards"
        }
        ReasonCode::SubscriptionIdentifiersNotSupported => {
            "the server has no subscription identifiers"
        }
        _ => "the server did not say more than the code; look at its log",
    }
}

#[cfg(test)]
mod tests {
    use dunlin_codec::PacketType;

    use super::*;
    use crate::diagnosis::context::context;
    use crate::diagnosis::reason::refusal;
    use crate::diagnosis::render;

    const PROGRESS: Progress<'static> = Progress {
        topic: "test/topic",
        sent: 5,
        acknowledged: 5,
        received: 0,
    };

    #[test]
    fn a_refused_subscription_names_the_statement_that_is_missing() {
        let refusal = refusal(PacketType::SubAck, ReasonCode::NotAuthorized);
        let context = context("x-ats.iot.eu-west-1.amazonaws.com");
        let none = Progress {
            sent: 0,
            acknowledged: 0,
            ..PROGRESS
        };
        let diagnosis = refused(&context, Operation::Subscribe, none, &refusal);
        assert_eq!(
            anstream::adapter::strip_str(&render(&diagnosis, Some(120))).to_string(),
            r#"error[E-SUB-DENIED]: not allowed to subscribe to "test/topic" (SUBACK 0x87 Not authorized)
  saw:    connected and authenticated; 0 of 1 subscriptions granted; nothing was published; server gave no reason string
  likely: the policy from authorizer "MyAuth" lacks iot:Subscribe on topicfilter/test/topic (note: topicfilter/, not
          topic/)
  try:    add to the policy:
          {"Effect":"Allow","Action":"iot:Subscribe","Resource":"arn:aws:iot:eu-west-1:*:topicfilter/test/topic"}
  help:   dunlin explain E-SUB-DENIED"#
        );
    }

    #[test]
    fn a_subscription_lost_on_the_way_does_not_say_that_nothing_was_published() {
        let refusal = refusal(PacketType::SubAck, ReasonCode::NotAuthorized);
        let saw = refused(
            &context("localhost"),
            Operation::Subscribe,
            PROGRESS,
            &refusal,
        )
        .saw
        .unwrap();
        assert!(
            saw.starts_with("published 5, acknowledged 5, received 0"),
            "{saw}"
        );
    }

    #[test]
    fn a_publish_is_checked_against_a_topic_and_not_a_topic_filter() {
        let refusal = refusal(PacketType::PubAck, ReasonCode::NotAuthorized);
        let diagnosis = refused(
            &context("localhost"),
            Operation::Publish,
            PROGRESS,
            &refusal,
        );
        assert_eq!(diagnosis.id, Id::PubDenied);
        assert_eq!(
            diagnosis.likely,
            [r#"the policy from authorizer "MyAuth" lacks iot:Publish on topic/test/topic"#]
        );
    }

    #[test]
    fn a_repeated_drop_says_how_often_and_how_fast() {
        let diagnosis = dropped(
            &context("localhost"),
            Operation::Subscribe,
            PROGRESS,
            3,
            Duration::from_millis(40),
        );
        assert_eq!(
            &*diagnosis.headline,
            "the server closed the connection 40 ms after SUBSCRIBE on \"test/topic\", three times"
        );
    }

    #[test]
    fn missing_messages_are_counted() {
        let diagnosis = not_received(&context("localhost"), PROGRESS, Duration::from_secs(10));
        assert_eq!(
            &*diagnosis.headline,
            "published 5, acknowledged 5, received 0 within 10 s"
        );
    }
}
