//! The sandbox's log as JSON lines: fields may be added, none change.

use dunlin_codec::{EscapedJson, QoS};
use dunlin_sandbox::{Decision, Event, LogLine, Outcome, ParameterSource, Ready};
use serde::Serialize;

use crate::decision::Decided;

/// One line.
#[derive(Serialize)]
pub(crate) struct Line<'a> {
    v: u8,
    ts: String,
    #[serde(flatten)]
    told: Told<'a>,
    /// Decision of the policy; absent where it wasn't asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<Decided<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Told<'a> {
    Ready(&'a Ready),
    Rejected {
        peer: String,
        reason: &'a str,
    },
    Note {
        peer: String,
        text: &'a str,
    },
    Connect {
        client_id: &'a str,
        /// Scheme of the transport: `mqtts`, `mqtt`, `wss` or `ws`.
        transport: &'static str,
        authorizer: Option<&'a str>,
        /// Place of the authorizer's name, over WebSocket alone.
        #[serde(skip_serializing_if = "Option::is_none")]
        named_in: Option<&'static str>,
        #[serde(flatten)]
        verdict: VerdictJson<'a>,
        ms: u64,
    },
    Subscribe {
        client_id: &'a str,
        filter: &'a str,
        #[serde(flatten)]
        verdict: VerdictJson<'a>,
    },
    Lambda {
        authorizer: &'a str,
        text: &'a str,
    },
    Refresh {
        client_id: &'a str,
        #[serde(flatten)]
        verdict: VerdictJson<'a>,
    },
    Unsubscribe {
        client_id: &'a str,
        filter: &'a str,
    },
    Publish {
        client_id: &'a str,
        topic: &'a str,
        #[serde(flatten)]
        verdict: VerdictJson<'a>,
    },
    /// Message that an HTTP request publishes.
    HttpPublish {
        peer: String,
        caller: &'a str,
        topic: &'a str,
        status: u16,
        #[serde(flatten)]
        verdict: VerdictJson<'a>,
    },
    /// The will of a client, published when its connection or session ends.
    Will {
        client_id: &'a str,
        topic: &'a str,
        #[serde(flatten)]
        verdict: VerdictJson<'a>,
    },
    Receive {
        client_id: &'a str,
        topic: &'a str,
        #[serde(flatten)]
        verdict: VerdictJson<'a>,
    },
    Dropped {
        client_id: &'a str,
        topic: &'a str,
        count: usize,
        reason: &'a str,
    },
    /// Lines that weren't written because the reader was too slow.
    LeftOut {
        count: usize,
    },
    Limited {
        client_id: &'a str,
        limit: &'a str,
    },
    Disconnect {
        client_id: &'a str,
        reason: &'a str,
    },
    /// Something that this version has no line for.
    Other,
}

/// Outcome of a request: allowed, or refused with reason code and reason.
#[derive(Serialize)]
struct VerdictJson<'a> {
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// Summary of the policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a str>,
    /// The QoS of a subscription.
    #[serde(skip_serializing_if = "Option::is_none")]
    granted_qos: Option<u8>,
    /// Number of clients that get the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    subscribers: Option<usize>,
}

impl<'a> Line<'a> {
    /// The first one.
    #[expect(
        clippy::disallowed_methods,
        reason = "the time of an event on standard output"
    )]
    pub(crate) fn ready(ready: &'a Ready) -> Self {
        Self::at(std::time::SystemTime::now(), Told::Ready(ready), None)
    }

    /// Every other one: a decision.
    pub(crate) fn of(line: &'a LogLine) -> Self {
        Self::at(line.at, Told::of(&line.event), line.event.decision())
    }

    /// Said in the place of `count` lines.
    #[expect(
        clippy::disallowed_methods,
        reason = "the time of an event on standard output"
    )]
    pub(crate) fn left_out(count: usize) -> Self {
        Self::at(std::time::SystemTime::now(), Told::LeftOut { count }, None)
    }

    pub(crate) fn to_text(&self) -> String {
        EscapedJson(serde_json::to_string(self).unwrap_or_default()).to_string()
    }

    fn at(time: std::time::SystemTime, told: Told<'a>, decision: Option<&'a Decision>) -> Self {
        // UTC, in milliseconds.
        let ts = humantime::format_rfc3339_millis(time).to_string();
        Self {
            v: 1,
            ts,
            told,
            decision: decision.map(Decided::of),
        }
    }
}

impl<'a> Told<'a> {
    fn of(event: &'a Event) -> Self {
        match event {
            Event::Rejected { peer, reason } => Self::Rejected {
                peer: peer.to_string(),
                reason,
            },
            Event::Note { peer, text } => Self::Note {
                peer: peer.to_string(),
                text,
            },
            Event::Connect {
                client_id,
                transport,
                authorizer,
                named_in,
                outcome,
                took,
            } => Self::Connect {
                client_id,
                transport: transport.scheme(),
                authorizer: authorizer.as_deref(),
                named_in: named_in.map(place),
                verdict: VerdictJson::of_policy(outcome),
                // Whole milliseconds: the time of a Lambda, not of a packet.
                ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            },
            Event::Subscribe {
                client_id,
                filter,
                outcome,
            } => Self::Subscribe {
                client_id,
                filter,
                verdict: VerdictJson::of_subscribe(outcome),
            },
            Event::Lambda { authorizer, text } => Self::Lambda { authorizer, text },
            Event::Refresh { client_id, outcome } => Self::Refresh {
                client_id,
                verdict: VerdictJson::of_policy(outcome),
            },
            Event::Unsubscribe { client_id, filter } => Self::Unsubscribe { client_id, filter },
            Event::Publish {
                is_will,
                client_id,
                topic,
                outcome,
            } => {
                // The log has one event for both: a will is a PUBLISH of the server for a client
                // that is gone, so programs get a name of its own for it.
                let verdict = VerdictJson::of_publish(outcome);
                if *is_will {
                    Self::Will {
                        client_id,
                        topic,
                        verdict,
                    }
                } else {
                    Self::Publish {
                        client_id,
                        topic,
                        verdict,
                    }
                }
            }
            Event::HttpPublish {
                peer,
                caller,
                topic,
                status,
                outcome,
            } => Self::HttpPublish {
                peer: peer.to_string(),
                caller,
                topic,
                status: *status,
                verdict: VerdictJson::of_publish(outcome),
            },
            Event::Receive {
                client_id,
                topic,
                outcome,
            } => Self::Receive {
                client_id,
                topic,
                verdict: VerdictJson::of(outcome),
            },
            Event::Dropped {
                client_id,
                topic,
                count,
                reason,
            } => Self::Dropped {
                client_id,
                topic,
                count: *count,
                reason,
            },
            Event::Limited { client_id, limit } => Self::Limited { client_id, limit },
            Event::Disconnect { client_id, reason } => Self::Disconnect { client_id, reason },
            // `Event` is non-exhaustive: a newer sandbox may log events that this format does not
            // name.
            _ => Self::Other,
        }
    }
}

/// Name of the place in which a client names its authorizer.
const fn place(source: ParameterSource) -> &'static str {
    match source {
        ParameterSource::UserName => "user_name",
        ParameterSource::Query => "query",
        ParameterSource::Header => "header",
    }
}

impl<'a> VerdictJson<'a> {
    fn of<T>(outcome: &'a Outcome<T>) -> Self {
        // Fields that an outcome doesn't have stay away from the object instead of being null.
        let allowed = Self {
            allowed: true,
            code: None,
            reason: None,
            policy: None,
            granted_qos: None,
            subscribers: None,
        };
        match outcome {
            Outcome::Allowed(_) => allowed,
            Outcome::Refused {
                reason_code,
                reason,
                ..
            } => {
                // `None` if no packet told the client a reason code, such as after a close.
                let code = reason_code.map(|code| code.code());
                Self {
                    allowed: false,
                    code,
                    reason: Some(reason),
                    ..allowed
                }
            }
        }
    }

    fn of_policy(outcome: &'a Outcome<(String, Decision)>) -> Self {
        let policy = outcome.allowed().map(|(policy, _)| policy.as_str());
        Self {
            policy,
            ..Self::of(outcome)
        }
    }

    fn of_subscribe(outcome: &'a Outcome<(QoS, Decision)>) -> Self {
        Self {
            granted_qos: outcome.allowed().map(|(qos, _)| qos.level()),
            ..Self::of(outcome)
        }
    }

    fn of_publish(outcome: &'a Outcome<(usize, Decision)>) -> Self {
        Self {
            subscribers: outcome.allowed().map(|(count, _)| *count),
            ..Self::of(outcome)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn a_refusal_tells_code_and_reason_and_an_approval_neither() {
        let text = |outcome: Outcome<()>| {
            let verdict = VerdictJson::of(&outcome);
            let told = Told::Publish {
                client_id: "a",
                topic: "t",
                verdict,
            };
            Line::at(
                SystemTime::UNIX_EPOCH + Duration::from_millis(1500),
                told,
                None,
            )
            .to_text()
        };
        assert_eq!(
            text(Outcome::Refused {
                reason_code: None,
                reason: "no \"".into(),
                decision: None
            }),
            r#"{"v":1,"ts":"1970-01-01T00:00:01.500Z","event":"publish","client_id":"a","topic":"t","allowed":false,"reason":"no \""}"#
        );
        assert!(text(Outcome::Allowed(())).ends_with(r#""allowed":true}"#));
    }
}
