//! The connection was there and is lost.

use std::time::Duration;

use dunlin_client::{ConnectionError, ServerReason};
use dunlin_codec::ReasonCode;

use crate::diagnosis::scene::{Scene, Seen};
use crate::diagnosis::text::{duration, quoted};
use crate::diagnosis::{Diagnosis, Id, Try, connect, network, reason};

/// Why a connection ended; `connected` is the time since CONNACK.
pub(crate) fn ended(scene: &Scene, seen: &Seen, error: &ConnectionError, connected: Duration) -> Diagnosis {
    let diagnosis = match error {
        ConnectionError::Disconnected(words) => disconnected(scene, words),
        ConnectionError::KeepAliveTimeout { after, keep_alive, silent_for } => {
            silent(*after, *keep_alive, *silent_for)
        }
        ConnectionError::Protocol(violation) => connect::broken(violation),
        ConnectionError::Transport(error) => Diagnosis {
            id: Id::Lost,
            headline: format!("the connection broke: {error}").into(),
            ..network::transport(scene, error)
        },
        ConnectionError::Closed => closed(scene, "closed the connection without saying why"),
        ConnectionError::Reset => closed(scene, "or something in between reset the connection"),
        error => Diagnosis::new(Id::Lost, format!("the connection ended: {error}")),
    };
    Diagnosis {
        at: Some(format!("{} after CONNACK · {}", duration(connected), seen.line(scene))),
        ..diagnosis
    }
}

fn disconnected(scene: &Scene, words: &ServerReason) -> Diagnosis {
    let saw = Some(reason::words(words));
    let by = |id| {
        Diagnosis::new(
            id,
            format!(
                "{} closed the connection: {} ({})",
                scene.who(),
                words.reason_code.name(),
                reason::wire(words)
            ),
        )
    };
    match words.reason_code {
        ReasonCode::SessionTakenOver => Diagnosis {
            saw,
            likely: vec!["a second run of this program, or a device that uses the same id".into()],
            try_: vec![Try::advice("another --client-id, or none: then it is a new one each time")],
            ..Diagnosis::new(
                Id::TakenOver,
                format!(
                    "another client connected with the same client id {} ({}); not reconnecting, to avoid a fight",
                    quoted(&scene.client_id),
                    reason::wire(words)
                ),
            )
        },
        ReasonCode::KeepAliveTimeout => Diagnosis {
            saw,
            likely: vec!["the network stalled for longer than one and a half times the keep alive".into()],
            try_: vec![Try::advice("--keep-alive between 30 and 1200 s, which is what AWS IoT takes")],
            ..by(Id::KeepAlive)
        },
        code => Diagnosis { saw, likely: vec![cause(code).into()], ..by(Id::Disconnected) },
    }
}

fn silent(after: Duration, keep_alive: Duration, silent_for: Duration) -> Diagnosis {
    Diagnosis {
        saw: Some(format!("last byte from the server {} ago", duration(silent_for))),
        likely: vec!["a NAT or firewall dropped the idle connection".into()],
        try_: vec![Try::advice("--keep-alive 60")],
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

fn closed(scene: &Scene, what: &str) -> Diagnosis {
    Diagnosis {
        saw: Some("no DISCONNECT, so no reason string".into()),
        likely: vec![
            "the server or something in between was restarted".into(),
            format!("{} ended the connection for something that was sent before", scene.who()),
        ],
        try_: vec![Try::advice("--reconnect inf, which is the default, connects again")],
        ..Diagnosis::new(Id::Lost, format!("the connection is lost: the server {what}"))
    }
}

fn cause(code: ReasonCode) -> &'static str {
    match code {
        ReasonCode::NotAuthorized => {
            "the policy does not allow what was done, or the authorizer's answer has expired"
        }
        ReasonCode::ServerShuttingDown | ReasonCode::ServerBusy => {
            "the server is restarted or overloaded; again in a minute"
        }
        ReasonCode::MaximumConnectTime => "the authorizer's disconnectAfterInSeconds is over",
        ReasonCode::QuotaExceeded | ReasonCode::MessageRateTooHigh => {
            "a limit of the account or the connection is reached"
        }
        ReasonCode::AdministrativeAction => {
            "the authorizer's disconnectAfterInSeconds is over, or somebody ended the connection"
        }
        _ => "the server's log or its documentation knows",
    }
}
