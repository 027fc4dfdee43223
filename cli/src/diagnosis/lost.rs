//! Diagnoses of connections that end after CONNACK.

use std::time::Duration;

use dunlin_client::transport::TransportError;
use dunlin_client::{ConnectionError, ServerReason};
use dunlin_codec::ReasonCode;

use crate::diagnosis::context::{ConnectionFacts, RunContext};
use crate::diagnosis::text::{duration, quoted};
use crate::diagnosis::{Diagnosis, Id, Try, network, protocol, reason, websocket};

/// Diagnosis of a connection that ended; `connected` is the time since CONNACK.
pub(crate) fn ended(
    context: &RunContext,
    facts: &ConnectionFacts,
    error: &ConnectionError,
    connected: Duration,
) -> Diagnosis {
    let diagnosis = match error {
        ConnectionError::Disconnected(words) => disconnected(context, words),
        ConnectionError::KeepAliveTimeout {
            after,
            keep_alive,
            silent_for,
        } => silent(*after, *keep_alive, *silent_for),
        ConnectionError::Protocol(violation) => {
            protocol::broken(context, violation, &facts.malformed())
        }
        ConnectionError::Transport(error) => transport(context, error),
        ConnectionError::Closed => closed(context, "closed the connection without saying why"),
        ConnectionError::Reset => closed(context, "or something in between reset the connection"),
        error => Diagnosis {
            try_: vec![Try::advice("again; -v prints each step")],
            ..Diagnosis::new(Id::Lost, format!("the connection ended: {error}"))
        },
    };
    Diagnosis {
        at: Some(format!(
            "{} after CONNACK · {}",
            duration(connected),
            facts.summary(context)
        )),
        ..diagnosis
    }
}

/// Diagnosis of a connection whose transport failed.
fn transport(context: &RunContext, error: &TransportError) -> Diagnosis {
    // A Close frame says why; it is the server's word, as DISCONNECT is.
    if let TransportError::WebSocket { error, .. } = error
        && let Some(ended) = websocket::ended(context, error)
    {
        return ended;
    }
    // The network's own diagnosis, with an id that says that the connection had been up.
    Diagnosis {
        id: Id::Lost,
        headline: format!("the connection broke: {error}").into(),
        ..network::transport(context, error)
    }
}

/// Diagnosis of a DISCONNECT of the server.
fn disconnected(context: &RunContext, words: &ServerReason) -> Diagnosis {
    // Evidence: user properties and server reference of the DISCONNECT.
    let evidence = reason::evidence(words);
    let saw = (!evidence.is_empty()).then(|| evidence.join("; "));
    let by = |id| {
        Diagnosis::new(
            id,
            format!(
                "{} closed the connection: {} ({}){}",
                context.server_noun(),
                words.reason_code.name(),
                reason::wire(words),
                reason::own_words(words)
            ),
        )
    };
    match words.reason_code {
        // Connecting again would take the connection from the other client in turn.
        ReasonCode::SessionTakenOver => Diagnosis {
            saw,
            likely: vec!["a second run of this program, or a device that uses the same id".into()],
            try_: vec![Try::advice(if context.choices.client_id {
                "another --client-id, or none: then it is a new one each time"
            } else {
                "find out who else uses this id: it was chosen at random for this run"
            })],
            ..Diagnosis::new(
                Id::TakenOver,
                format!(
                    "another client connected with the same client id {} ({}); not reconnecting, to avoid a fight",
                    quoted(&context.client_id),
                    reason::wire(words)
                ),
            )
        },
        // The server heard nothing: the opposite direction of a missing PINGRESP.
        ReasonCode::KeepAliveTimeout => Diagnosis {
            saw,
            likely: vec![
                "the network stalled for longer than one and a half times the keep alive".into(),
            ],
            try_: vec![Try::advice(
                "look at the network; a longer --keep-alive (AWS IoT: up to 1200 s) tolerates more",
            )],
            ..by(Id::KeepAlive)
        },
        code => {
            let (likely, advice) = cause(code);
            Diagnosis {
                saw,
                likely: vec![likely.into()],
                try_: vec![Try::advice(advice)],
                ..by(Id::Disconnected)
            }
        }
    }
}

/// Diagnosis of a missing PINGRESP.
fn silent(after: Duration, keep_alive: Duration, silent_for: Duration) -> Diagnosis {
    // A PINGREQ was due every `keep_alive`; something dropped the connection within that time, so
    // that only a shorter keep alive can help.
    let shorter = (keep_alive.as_secs() / 2).min(60);
    // AWS raises anything below 30 s to 30 s, so that less would not help.
    let advice = if shorter >= LEAST_KEEP_ALIVE {
        format!("--keep-alive {shorter}")
    } else {
        "a shorter --keep-alive will not help: look at the server, and at what is between"
            .to_owned()
    };
    Diagnosis {
        saw: Some(format!(
            "last byte from the server {} ago",
            duration(silent_for)
        )),
        likely: vec![
            "a NAT or firewall dropped the idle connection".into(),
            "the server hangs, or the network is down".into(),
        ],
        try_: vec![Try::advice(advice)],
        ..Diagnosis::new(
            Id::KeepAlive,
            format!(
                "the connection went silent: no PINGRESP within {} (keep-alive {} s)",
                duration(after),
                keep_alive.as_secs()
            ),
        )
    }
}

/// Guess for a connection that is closed again and again without a DISCONNECT.
pub(crate) fn maybe_taken_over(context: &RunContext) -> String {
    format!(
        "another client connects with the same client id {}, each time",
        quoted(&context.client_id)
    )
}

/// Diagnosis of a connection that ended without a DISCONNECT.
fn closed(context: &RunContext, what: &str) -> Diagnosis {
    Diagnosis {
        saw: Some("no DISCONNECT, so no reason string".into()),
        likely: vec![
            "the server or something in between was restarted".into(),
            format!(
                "{} ended the connection for something that was sent before",
                context.server_noun()
            ),
        ],
        try_: vec![Try::advice(
            "again; if it happens every time, look at the server's log",
        )],
        ..Diagnosis::new(
            Id::Lost,
            format!("the connection is lost: the server {what}"),
        )
    }
}

/// Likely cause and advice for each code that a server may send in DISCONNECT (§3.14.2.1).
fn cause(code: ReasonCode) -> (&'static str, &'static str) {
    match code {
        ReasonCode::Success => (
            "the server ended the connection as planned",
            "connect again",
        ),
        ReasonCode::UnspecifiedError => (
            "the server had an error that it does not name",
            "look at the server's log",
        ),
        ReasonCode::ImplementationSpecificError => (
            "the packet that was sent last is valid MQTT, and this server does not accept it",
            "look at the server's log, or at its documentation",
        ),
        ReasonCode::MalformedPacket => (
            "the server could not read a packet of this program",
            "report it, with the packet that was sent last (-vv) and the server's log",
        ),
        ReasonCode::ProtocolError => (
            "to the server, a packet of this program broke the rules of MQTT, or held what it does not support",
            "report it, with the packet that was sent last (-vv) and the server's log",
        ),
        ReasonCode::NotAuthorized => (
            "the policy does not allow what was done, or the authorizer's answer has expired",
            "look at the policy, and at refreshAfterInSeconds",
        ),
        // Codes that pass by themselves.
        ReasonCode::ServerShuttingDown => {
            ("the server is stopped or restarted", "again in a minute")
        }
        ReasonCode::ServerBusy => ("the server is overloaded", "again in a minute"),
        ReasonCode::BadAuthenticationMethod => (
            "the authentication method is not the one that the connection began with",
            "look at the server's log",
        ),
        // Codes about topics.
        ReasonCode::TopicFilterInvalid => (
            "the server does not accept the topic filter (AWS IoT: 256 bytes and 7 slashes at most)",
            "another --topic",
        ),
        ReasonCode::TopicNameInvalid => (
            "the server does not accept the topic (AWS IoT: 256 bytes and 7 slashes at most)",
            "another --topic",
        ),
        // Limits that the client keeps by itself: exceeding them is an error of this program.
        ReasonCode::ReceiveMaximumExceeded => (
            "more messages were on their way unacknowledged than the server's Receive Maximum",
            "report it: this program should keep that limit",
        ),
        ReasonCode::TopicAliasInvalid => (
            "the server did not accept a topic alias",
            "report it: this program should keep the server's Topic Alias Maximum",
        ),
        // Limits that depend on what the user sends.
        ReasonCode::PacketTooLarge => (
            "a packet was larger than the server's limit (AWS IoT: payload of 128 KiB at most)",
            "a shorter --message",
        ),
        ReasonCode::MessageRateTooHigh => (
            "messages were sent faster than the server allows (AWS IoT: 100 a second for each connection)",
            "send less at a time",
        ),
        ReasonCode::QuotaExceeded => (
            "a limit of the account or the connection is reached",
            "send less at a time, or ask for a higher limit",
        ),
        // Ends that somebody has ordered.
        ReasonCode::AdministrativeAction => (
            "the authorizer's disconnectAfterInSeconds is over, or somebody ended the connection",
            "connect again",
        ),
        ReasonCode::PayloadFormatInvalid => (
            "a payload was announced as UTF-8 text and is none",
            "another --message",
        ),
        // Features that the server doesn't have.
        ReasonCode::RetainNotSupported => (
            "the server stores no retained messages",
            "no retained messages",
        ),
        ReasonCode::QoSNotSupported => (
            "the server does not support this QoS (AWS IoT: 0 and 1)",
            "a lower --qos",
        ),
        // Codes with a Server Reference (§3.14.2.2.5), which is part of the evidence.
        ReasonCode::UseAnotherServer => (
            "another server is to be used for now; the name that it refers to, if any, is above",
            "--endpoint with the other name",
        ),
        ReasonCode::ServerMoved => (
            "the server has moved for good; the name that it refers to, if any, is above",
            "--endpoint with the new name",
        ),
        // Features of subscriptions, which CONNACK announces (§3.2.2.3.11 to 13).
        ReasonCode::SharedSubscriptionsNotSupported => (
            "the server has no shared subscriptions ($share/..)",
            "a --topic without $share",
        ),
        ReasonCode::ConnectionRateExceeded => (
            "this client id connects too often (AWS IoT: once a second)",
            "again in a few seconds",
        ),
        ReasonCode::MaximumConnectTime => (
            "the authorizer's disconnectAfterInSeconds is over",
            "connect again",
        ),
        ReasonCode::SubscriptionIdentifiersNotSupported => (
            "the server has no subscription identifiers, and one was sent",
            "report it: this program should keep to what the server announces",
        ),
        ReasonCode::WildcardSubscriptionsNotSupported => (
            "the server has no subscriptions with wildcards",
            "a --topic without + and #",
        ),
        _ => (
            "this code is not defined for DISCONNECT",
            "look at the server's log",
        ),
    }
}

/// Shortest keep alive that AWS IoT uses, in seconds.
const LEAST_KEEP_ALIVE: u64 = 30;

#[cfg(test)]
mod tests {
    use dunlin_codec::{PacketType, Sender};

    use super::*;

    #[test]
    fn every_code_that_a_server_may_send_in_disconnect_has_words_of_its_own() {
        let mut words = std::collections::BTreeMap::new();
        // These two have an error id of their own.
        let elsewhere = [ReasonCode::KeepAliveTimeout, ReasonCode::SessionTakenOver];
        for code in (0..=u8::MAX).filter_map(ReasonCode::from_code) {
            if !elsewhere.contains(&code)
                && code.is_legal_in(PacketType::Disconnect, Sender::Server)
            {
                let (likely, advice) = cause(code);
                assert!(!likely.contains("not defined"), "{code}");
                assert!(!advice.is_empty());
                words.entry(likely).or_insert_with(Vec::new).push(code);
            }
        }
        assert!(words.values().all(|codes| codes.len() == 1), "{words:?}");
    }

    #[test]
    fn a_keep_alive_that_was_too_long_is_never_advised_to_be_longer() {
        for given in [30, 40, 59, 60, 100, 1200] {
            let diagnosis = silent(
                Duration::from_secs(15),
                Duration::from_secs(given),
                Duration::ZERO,
            );
            let text = format!("{:?}", diagnosis.try_);
            let advised = text.split_once("--keep-alive ").and_then(|(_, rest)| {
                rest.chars()
                    .take_while(char::is_ascii_digit)
                    .collect::<String>()
                    .parse::<u64>()
                    .ok()
            });
            assert!(
                advised.is_none_or(|advised| advised < given && advised >= 30),
                "{given}: {text}"
            );
        }
    }
}
