//! `reconnect`: failures after which the tool connects again. The choice is stricter than the
//! library's, because a person waits for the diagnosis.

use std::time::Duration;

use dunlin_client::transport::{
    ProxyError, ResolveFault, SocksReply, TlsError, TransportError, WebSocketError,
};
use dunlin_client::{
    ConnectError, ConnectionError, EndCause, Reconnect, Retry, RetryContext, RetryPolicy,
};
use dunlin_codec::ReasonCode;

/// Policy with at most `max_attempts` failures in a row (`None`: no limit), which ends at once for a
/// failure that another attempt wouldn't change. No delay is longer than `max_backoff`; `None` leaves
/// the client's delays.
pub(super) fn reconnect(max_attempts: Option<u32>, max_backoff: Option<Duration>) -> Reconnect {
    let mut reconnect = Reconnect {
        max_attempts,
        policy: RetryPolicy::new(classify),
        ..Reconnect::default()
    };
    if let Some(longest) = max_backoff {
        // The shortest delays as well, or they would be longer than the longest.
        for delay in [
            &mut reconnect.min_delay,
            &mut reconnect.base_delay,
            &mut reconnect.slow_min_delay,
        ] {
            *delay = longest.min(*delay);
        }
        reconnect.max_delay = longest;
        reconnect.slow_max_delay = longest;
    }
    reconnect
}

/// Policy that also waits for a server that isn't there yet, or can't be found.
pub(super) fn patient() -> RetryPolicy {
    RetryPolicy::new(|context| match context.failure {
        EndCause::Attempt(error)
            if matches!(
                **error,
                ConnectError::Transport(
                    TransportError::Refused { .. }
                        | TransportError::Resolve { .. }
                        | TransportError::UnixSocket { .. }
                )
            ) =>
        {
            Retry::Transient
        }
        _ => classify(context),
    })
}

fn classify(context: &RetryContext<'_>) -> Retry {
    let is_transient = match context.failure {
        EndCause::Attempt(error) => of_attempt(error, context.has_connected),
        EndCause::Connection(error) => of_connection(error),
    };
    if is_transient {
        Retry::Transient
    } else {
        Retry::Final
    }
}

/// True if another attempt may succeed.
fn of_attempt(error: &ConnectError, has_connected: bool) -> bool {
    match error {
        ConnectError::Transport(error) => of_transport(error, has_connected),
        ConnectError::Refused(reason) => matches!(
            reason.reason_code,
            ReasonCode::ServerUnavailable
                | ReasonCode::ServerBusy
                | ReasonCode::QuotaExceeded
                | ReasonCode::ConnectionRateExceeded
        ),
        // AWS IoT Core denies some clients like this. It looks like a broken connection, and every
        // attempt ends in the same way.
        ConnectError::Closed { .. } => has_connected,
        ConnectError::ConnAckTimeout { .. } => true,
        ConnectError::Provider(error) => error.is_retryable,
        _ => false,
    }
}

/// True if the connection may be opened again.
fn of_connection(error: &ConnectionError) -> bool {
    match error {
        ConnectionError::Disconnected(reason) => matches!(
            reason.reason_code,
            ReasonCode::Success
                | ReasonCode::ServerBusy
                | ReasonCode::ServerShuttingDown
                | ReasonCode::KeepAliveTimeout
                | ReasonCode::MessageRateTooHigh
                | ReasonCode::QuotaExceeded
                | ReasonCode::ConnectionRateExceeded
                | ReasonCode::MaximumConnectTime
        ),
        // A server that exceeds the Receive Maximum when it resumes a session has less to send the
        // next time.
        ConnectionError::Protocol(violation) => {
            violation.reason_code() == ReasonCode::ReceiveMaximumExceeded
        }
        ConnectionError::Requested => false,
        _ => true,
    }
}

/// True if another attempt may reach the server.
fn of_transport(error: &TransportError, has_connected: bool) -> bool {
    match error {
        TransportError::Resolve { fault, .. } => {
            !matches!(fault, ResolveFault::NotFound | ResolveFault::NoAddressOf(_))
        }
        TransportError::Refused { .. } | TransportError::UnixSocket { .. } => has_connected,
        TransportError::Proxy { error, .. } => match error {
            ProxyError::Unreachable(error) => of_transport(error, has_connected),
            ProxyError::Refused { status, .. } => matches!(status, 502..=504),
            ProxyError::Socks(reply) => match reply {
                SocksReply::ConnectionRefused => has_connected,
                SocksReply::GeneralFailure
                | SocksReply::NetworkUnreachable
                | SocksReply::HostUnreachable
                | SocksReply::TtlExpired => true,
                _ => false,
            },
            ProxyError::Closed | ProxyError::Io(_) => has_connected,
            ProxyError::Tls(error) => of_tls(error, has_connected),
            _ => false,
        },
        TransportError::Tls { error, .. } => of_tls(error, has_connected),
        TransportError::WebSocket { error, .. } => of_websocket(error, has_connected),
        _ => true,
    }
}

/// True if another TLS handshake may succeed.
fn of_tls(error: &TlsError, has_connected: bool) -> bool {
    matches!(error, TlsError::Closed | TlsError::Io(_)) && has_connected
}

/// True if another request for a WebSocket connection may succeed.
fn of_websocket(error: &WebSocketError, has_connected: bool) -> bool {
    match error {
        WebSocketError::Refused(refusal) => matches!(refusal.status, 408 | 425 | 429 | 500..=599),
        // As a connection that is closed before CONNACK.
        WebSocketError::NoAnswer | WebSocketError::Closed(_) => has_connected,
        WebSocketError::Io(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(error: ConnectError, has_connected: bool) -> Retry {
        classify(&RetryContext::new(&error.into(), has_connected))
    }

    #[test]
    fn no_delay_is_longer_than_the_user_allows() {
        let millis = Duration::from_millis;
        let short = reconnect(None, Some(millis(100)));
        for delay in [
            short.min_delay,
            short.base_delay,
            short.max_delay,
            short.slow_min_delay,
            short.slow_max_delay,
        ] {
            assert_eq!(delay, millis(100));
        }
        // The shortest delays stay where the longest one is longer.
        let long = reconnect(None, Some(Duration::from_secs(3600)));
        let default = Reconnect::default();
        assert_eq!(long.min_delay, default.min_delay);
        assert_eq!(long.slow_min_delay, default.slow_min_delay);
        assert_eq!(long.max_delay, Duration::from_secs(3600));
        assert_eq!(reconnect(None, None).max_delay, default.max_delay);
    }

    #[test]
    fn failures_that_the_library_would_retry_are_final_at_first() {
        let closed = || ConnectError::Closed { reset: false };
        let no_host = || {
            let host = "no.example".to_owned();
            ConnectError::Transport(TransportError::Resolve {
                host,
                fault: ResolveFault::NotFound,
            })
        };
        let refused = || {
            ConnectError::Transport(TransportError::Refused {
                attempts: Vec::new(),
            })
        };
        assert_eq!(
            [closed(), no_host(), refused()].map(|error| class(error, false)),
            [Retry::Final; 3]
        );
        assert_eq!(
            [closed(), refused()].map(|error| class(error, true)),
            [Retry::Transient; 2]
        );
        assert_eq!(class(no_host(), true), Retry::Final);
    }
}
