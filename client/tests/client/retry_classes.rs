//! Classes of failures: the table in the documentation of `Reconnect`.

use std::time::{Duration, UNIX_EPOCH};

use dunlin_client::codec::{PacketType, ReasonCode, Sender};
use dunlin_client::transport::{
    CloseReason, FrameFault, ProxyError, ResolveFault, TlsAlert, TlsError, TransportError,
    UpgradeRefusal, WebSocketError,
};
use dunlin_client::{
    AuthenticationError, ConnectError, ConnectionError, EndCause, OptionsError, ProviderError,
    Retry, RetryContext,
};

use crate::millis;

use crate::retry::{reason, refused, violation};

fn tls(error: TlsError) -> ConnectError {
    ConnectError::Transport(TransportError::Tls {
        peer: "127.0.0.1:1".parse().unwrap(),
        error,
    })
}

fn proxy(error: ProxyError) -> ConnectError {
    ConnectError::Transport(TransportError::Proxy {
        proxy: "http://proxy".into(),
        error,
    })
}

fn websocket(error: WebSocketError) -> ConnectError {
    ConnectError::Transport(TransportError::WebSocket {
        peer: "127.0.0.1:1".parse().unwrap(),
        error: Box::new(error),
    })
}

fn upgrade_refused(status: u16) -> ConnectError {
    websocket(WebSocketError::Refused(UpgradeRefusal {
        status,
        reason: String::new(),
        error_type: None,
        body: String::new(),
    }))
}

fn retry_classes(failure: &EndCause) -> (Retry, Retry) {
    let class = |has_connected| RetryContext::new(failure, has_connected).default_retry();
    (class(false), class(true))
}

#[test]
fn attempts_are_classified_as_documented() {
    use Retry::{Final, Slow, Transient};
    let resolve = |fault| {
        ConnectError::Transport(TransportError::Resolve {
            host: "a".into(),
            fault,
        })
    };
    let rows: Vec<(ConnectError, (Retry, Retry))> = vec![
        (resolve(ResolveFault::NotFound), (Transient, Transient)),
        (resolve(ResolveFault::Temporary), (Transient, Transient)),
        (
            ConnectError::Transport(TransportError::Refused {
                attempts: Vec::new(),
            }),
            (Transient, Transient),
        ),
        (
            ConnectError::Transport(TransportError::Unreachable {
                attempts: Vec::new(),
            }),
            (Transient, Transient),
        ),
        (
            tls(TlsError::Expired {
                not_before: None,
                not_after: UNIX_EPOCH,
                now: UNIX_EPOCH,
            }),
            (Transient, Transient),
        ),
        (
            tls(TlsError::NotYetValid {
                not_before: UNIX_EPOCH,
                not_after: None,
                now: UNIX_EPOCH,
            }),
            (Transient, Transient),
        ),
        (tls(TlsError::Closed), (Transient, Transient)),
        (
            tls(TlsError::Alert(TlsAlert {
                code: 48,
                name: Some("UnknownCA"),
            })),
            (Final, Transient),
        ),
        (
            tls(TlsError::NameMismatch {
                wanted: "a".into(),
                presented: Vec::new(),
            }),
            (Final, Transient),
        ),
        (tls(TlsError::NoApplicationProtocol), (Final, Transient)),
        (proxy(ProxyError::Closed), (Transient, Transient)),
        (
            proxy(ProxyError::Refused {
                status: 503,
                reason: "down".into(),
            }),
            (Transient, Transient),
        ),
        (
            proxy(ProxyError::Refused {
                status: 407,
                reason: "who?".into(),
            }),
            (Final, Transient),
        ),
        (proxy(ProxyError::NotHttp), (Final, Transient)),
        (upgrade_refused(401), (Final, Slow)),
        (upgrade_refused(403), (Final, Slow)),
        (upgrade_refused(404), (Final, Transient)),
        (upgrade_refused(302), (Final, Transient)),
        (upgrade_refused(429), (Transient, Transient)),
        (upgrade_refused(503), (Transient, Transient)),
        (websocket(WebSocketError::NoAnswer), (Transient, Transient)),
        (
            websocket(WebSocketError::Closed(CloseReason {
                code: Some(1008),
                reason: String::new(),
            })),
            (Transient, Transient),
        ),
        (websocket(WebSocketError::NotHttp), (Final, Transient)),
        (websocket(WebSocketError::AnswerTooLong), (Final, Transient)),
        (
            websocket(WebSocketError::Subprotocol { selected: None }),
            (Final, Transient),
        ),
        (
            websocket(WebSocketError::Frame(FrameFault::Text)),
            (Final, Transient),
        ),
        (
            ConnectError::Closed { reset: false },
            (Transient, Transient),
        ),
        (ConnectError::Closed { reset: true }, (Transient, Transient)),
        (
            ConnectError::ConnAckTimeout { after: millis(1) },
            (Transient, Transient),
        ),
        (ConnectError::Protocol(violation()), (Final, Transient)),
        (
            ConnectError::Authentication(AuthenticationError::new("no")),
            (Final, Transient),
        ),
        (
            ConnectError::Options(OptionsError::DisconnectSessionExpiry),
            (Final, Transient),
        ),
        (
            ConnectError::Provider(ProviderError::retryable("busy")),
            (Transient, Transient),
        ),
        (
            ConnectError::Provider(ProviderError::fatal("gone")),
            (Final, Final),
        ),
        (ConnectError::Requested, (Final, Final)),
    ];
    for (error, expected) in rows {
        let text = error.to_string();
        assert_eq!(retry_classes(&error.into()), expected, "{text}");
    }
    for code in 0x80..=0xFF {
        if !ReasonCode::from_code(code)
            .is_some_and(|code| code.is_legal_in(PacketType::ConnAck, Sender::Server))
        {
            continue;
        }
        let expected = match code {
            0x80 | 0x83 | 0x88 | 0x89 | 0x97 | 0x9F => (Transient, Transient),
            0x86 | 0x87 => (Final, Slow),
            _ => (Final, Transient),
        };
        assert_eq!(
            retry_classes(&refused(code).into()),
            expected,
            "{code:#04x}"
        );
    }
}

#[test]
fn ends_of_connections_are_classified_as_documented() {
    let class = |error| {
        let failure = EndCause::from(error);
        RetryContext::new(&failure, true).default_retry()
    };
    for code in 0x00..=0xFF {
        let Some(code) = ReasonCode::from_code(code)
            .filter(|code| code.is_legal_in(PacketType::Disconnect, Sender::Server))
        else {
            continue;
        };
        let expected = if code == ReasonCode::SessionTakenOver {
            Retry::Final
        } else {
            Retry::Transient
        };
        let error = ConnectionError::Disconnected(reason(PacketType::Disconnect, code));
        assert_eq!(class(error), expected, "{code}");
    }
    assert_eq!(class(ConnectionError::Requested), Retry::Final);
    let zero = Duration::ZERO;
    for error in [
        ConnectionError::Closed,
        ConnectionError::Reset,
        ConnectionError::Transport(TransportError::Unreachable {
            attempts: Vec::new(),
        }),
        ConnectionError::KeepAliveTimeout {
            after: zero,
            keep_alive: zero,
            silent_for: zero,
        },
        ConnectionError::Protocol(violation()),
        ConnectionError::BacklogFull { messages: 1 },
    ] {
        let text = error.to_string();
        assert_eq!(class(error), Retry::Transient, "{text}");
    }
}
