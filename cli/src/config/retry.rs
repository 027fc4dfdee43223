//! `reconnect`: failures after which the tool connects again. The choice is stricter than the
//! library's, because a person waits for the diagnosis.

use dunlin_client::transport::{ProxyError, ResolveFault, SocksReply, TlsError, TransportError};
use dunlin_client::{
    ConnectError, ConnectionError, EndCause, Reconnect, Retry, RetryContext, RetryPolicy,
};
use dunlin_codec::ReasonCode;

/// Policy with at most `max_attempts` failures in a row (`None`: no limit), which ends at once for a
/// failure that another attempt wouldn't change.
pub(super) fn reconnect(max_attempts: Option<u32>) -> Reconnect {
    Reconnect {
        max_attempts,
        policy: RetryPolicy::new(classify),
        ..Reconnect::default()
    }
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
        _ => true,
    }
}

/// True if another TLS handshake may succeed.
fn of_tls(error: &TlsError, has_connected: bool) -> bool {
    matches!(error, TlsError::Closed | TlsError::Io(_)) && has_connected
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(error: ConnectError, has_connected: bool) -> Retry {
        classify(&RetryContext::new(&error.into(), has_connected))
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
