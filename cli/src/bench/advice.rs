//! Explanations of requests that failed in a load test, with the flag that changes it.

use std::time::Duration;

use dunlin_client::{RequestError, ServerReason};
use dunlin_codec::ReasonCode;

use super::plan::TrafficPlan;
use super::stamp;
use crate::diagnosis::{Diagnosis, Id, Operation, RunContext, Try, duration, quoted};

/// Facts of the load that advice needs.
#[derive(Clone, Debug, Default)]
pub(super) struct LoadFacts {
    /// `--topic`, under which the clients publish.
    pub(super) topic: String,
    /// `--size`, in bytes.
    pub(super) size: usize,
}

impl From<&TrafficPlan> for LoadFacts {
    fn from(plan: &TrafficPlan) -> Self {
        Self {
            topic: plan.topic.clone(),
            size: plan.size,
        }
    }
}

impl LoadFacts {
    /// Explains a request that failed.
    pub(super) fn request_failed(
        &self,
        context: &RunContext,
        operation: Operation,
        error: &RequestError,
    ) -> Diagnosis {
        let denied = match operation {
            Operation::Publish => Id::PubDenied,
            Operation::Subscribe | Operation::Unsubscribe => Id::SubDenied,
        };
        // A diagnosis with one remedy and no guess: the cause is known.
        let with = |id, headline: String, advice: &str| Diagnosis {
            try_: vec![Try::advice(advice)],
            ..Diagnosis::new(id, headline)
        };
        match error {
            RequestError::Refused(reason) => self.refused(context, operation, denied, reason),
            // Limits that the server announced in CONNACK; nothing was sent.
            RequestError::TooLarge { size, limit } => {
                let headline = format!(
                    "a {} of {size} bytes is larger than the server's Maximum Packet Size, {limit}",
                    operation.packet()
                );
                with(denied, headline, &self.smaller(operation, *size, *limit))
            }
            RequestError::QoSNotSupported { maximum } => with(
                denied,
                format!("the server accepts messages up to {maximum} only"),
                &format!("--qos {}", maximum.level()),
            ),
            RequestError::WildcardNotSupported => with(
                denied,
                "the server has no wildcard subscriptions, and sub subscribes to TOPIC/#"
                    .to_owned(),
                "dunlin bench pubsub, which needs no wildcards",
            ),
            RequestError::SharedNotSupported => with(
                denied,
                "the server has no shared subscriptions".to_owned(),
                "a --topic without $share",
            ),
            // Sent, and not answered in time.
            RequestError::Timeout { after } => with(
                Id::AckTimeout,
                format!(
                    "no acknowledgement of {} within {}",
                    operation.packet(),
                    duration(*after)
                ),
                "a lower --rate, fewer --in-flight, or a longer --timeout",
            ),
            RequestError::NoReply { after } => no_response(*after),
            // Refused by this program before anything was sent.
            RequestError::Topic(_) | RequestError::Limit(_) | RequestError::Encode(_) => {
                Diagnosis::new(denied, format!("the request can't be sent: {error}"))
            }
            error => Diagnosis::new(Id::Lost, format!("a request failed: {error}")),
        }
    }

    /// Flag that makes a packet small enough.
    fn smaller(&self, operation: Operation, size: usize, limit: u32) -> String {
        let excess = size.saturating_sub(limit as usize);
        match self.size.checked_sub(excess) {
            Some(size) if operation == Operation::Publish && size >= stamp::LEN => {
                format!("--size {size}, or less")
            }
            _ => "a shorter --topic".to_owned(),
        }
    }

    /// Explains a refusal by SUBACK, PUBACK or PUBREC.
    fn refused(
        &self,
        context: &RunContext,
        operation: Operation,
        id: Id,
        reason: &ServerReason,
    ) -> Diagnosis {
        // The server's own reason comes first; a guess follows.
        let words = reason
            .reason_string
            .as_deref()
            .map_or_else(String::new, |text| {
                format!("; the server's reason: {}", quoted(text))
            });
        let headline = format!(
            "the server refused: {} ({} 0x{:02X}){words}",
            reason.reason_code.name(),
            reason.packet_type,
            reason.reason_code.code()
        );
        // The flag of the load that each code is about.
        let (likely, try_) = match reason.reason_code {
            ReasonCode::QuotaExceeded | ReasonCode::MessageRateTooHigh => (
                "the server limits how many messages it accepts in a time".to_owned(),
                vec![Try::advice("a lower --rate, or fewer --in-flight")],
            ),
            ReasonCode::NotAuthorized => (
                format!(
                    "the policy does not allow these topics to client ids that begin with {}",
                    quoted(&context.client_id)
                ),
                self.statement(context, operation),
            ),
            ReasonCode::PacketTooLarge => (
                "the message is larger than the server's limit".to_owned(),
                vec![Try::advice("a smaller --size")],
            ),
            ReasonCode::TopicNameInvalid | ReasonCode::TopicFilterInvalid => (
                "the server does not accept the topic (AWS IoT: 256 bytes and 7 slashes at most)"
                    .to_owned(),
                vec![Try::advice("another --topic")],
            ),
            ReasonCode::QoSNotSupported => (
                "the server does not support this QoS (AWS IoT: 0 and 1)".to_owned(),
                vec![Try::advice("a lower --qos")],
            ),
            _ => (
                "the server did not say more than the code".to_owned(),
                vec![Try::advice("look at the server's log")],
            ),
        };
        Diagnosis {
            likely: vec![likely],
            try_,
            ..Diagnosis::new(id, headline)
        }
    }

    /// Statements that allow the topics and the client identifiers of the load.
    fn statement(&self, context: &RunContext, operation: Operation) -> Vec<Try> {
        let (action, kind) = match operation {
            Operation::Publish => ("iot:Publish", "topic"),
            Operation::Subscribe | Operation::Unsubscribe => ("iot:Subscribe", "topicfilter"),
        };
        let topic = context.arn(kind, &format!("{}/*", self.topic.trim_end_matches("/#")));
        vec![
            Try::advice(format!(
                "allow {action} on {topic}, and iot:Connect on {}",
                context.arn("client", &format!("{}-*", context.client_id))
            )),
            Try::advice("another --topic or --client-id, one that the policy allows"),
        ]
    }
}

/// Explains messages that the server has not acknowledged when the run ends.
pub(super) fn not_acknowledged(missing: u64, sent: u64, waited: Duration) -> Diagnosis {
    Diagnosis {
        likely: vec!["the server is slower than the load, or drops messages".into()],
        try_: vec![Try::advice(
            "a lower --rate, fewer --in-flight, or a longer --drain",
        )],
        ..Diagnosis::new(
            Id::AckTimeout,
            format!(
                "{missing} of {sent} messages were not acknowledged; the last wait was {}",
                duration(waited)
            ),
        )
    }
}

/// Explains messages that have not arrived when the run ends.
pub(super) fn not_received(missing: u64, expected: u64) -> Diagnosis {
    Diagnosis {
        likely: vec![
            "the policy lacks iot:Receive, or the server drops messages of clients that are slow"
                .into(),
        ],
        try_: vec![Try::advice(
            "a lower --rate, --qos 1, or a longer --drain, which is the wait for the last messages",
        )],
        ..Diagnosis::new(
            Id::NotReceived,
            format!("{missing} of {expected} messages were not received"),
        )
    }
}

/// Explains a `sub` that received no message in the time that it `waited`.
pub(super) fn nothing_received(expected: u64, waited: Duration) -> Diagnosis {
    Diagnosis {
        likely: vec!["nobody publishes to the topic, or the policy lacks iot:Receive".into()],
        try_: vec![
            Try::advice(
                "dunlin bench pub in another terminal, with the same --endpoint and --topic",
            ),
            Try::advice(
                "a longer --timeout, the time without a message; or --duration, to listen for a time",
            ),
        ],
        ..Diagnosis::new(
            Id::NotReceived,
            format!(
                "none of {expected} messages was received within {}",
                duration(waited)
            ),
        )
    }
}

/// Explains a request without a response.
fn no_response(after: Duration) -> Diagnosis {
    Diagnosis {
        likely: vec![
            "the policy lacks iot:Receive on the response topic, or the server is slow".into(),
        ],
        try_: vec![Try::advice("a longer --drain, or a lower --rate")],
        ..Diagnosis::new(
            Id::NotReceived,
            format!("no response to a request within {}", duration(after)),
        )
    }
}
