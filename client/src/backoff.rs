//! How long to wait before the next attempt, and whether there is one.

use std::time::Duration;

use dunlin_codec::ReasonCode;

use crate::engine::Ended;
use crate::error::{ConnectError, ConnectionError};
use crate::transport::{ProxyError, ResolveFault, TlsError, TransportError};

/// When a client connects again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reconnect {
    /// How many attempts may fail in a row, the first one not counted; `None` for any number.
    pub max_attempts: Option<u32>,
    /// The shortest wait. AWS IoT Core allows one CONNECT a second for each client identifier.
    pub min_delay: Duration,
    /// What doubles with every failure: the first wait is up to twice as long.
    pub base_delay: Duration,
    /// The longest wait.
    pub max_delay: Duration,
    /// How long a connection must have lasted for the waits to start from the shortest again.
    pub stable_after: Duration,
}

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            max_attempts: None,
            min_delay: Duration::from_secs(1),
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(120),
            stable_after: Duration::from_secs(30),
        }
    }
}

impl Reconnect {
    /// One attempt, one connection.
    #[must_use]
    pub fn never() -> Self {
        Self { max_attempts: Some(0), ..Self::default() }
    }
}

/// Waits that double and scatter.
#[derive(Debug)]
pub(crate) struct Backoff {
    policy: Reconnect,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(policy: Reconnect) -> Self {
        Self { policy, failures: 0 }
    }

    /// A connection lasted for `lifetime`.
    pub(crate) fn connected_for(&mut self, lifetime: Duration) {
        if lifetime >= self.policy.stable_after {
            self.failures = 0;
        }
    }

    /// The wait before the next attempt, evenly spread between the shortest and the current longest one, so that many
    /// clients that lost the same server don't come back at once; `random` is in 0..1. `None` if there were enough.
    pub(crate) fn next(&mut self, random: f64) -> Option<Duration> {
        if self.policy.max_attempts.is_some_and(|most| self.failures >= most) {
            return None;
        }
        self.failures += 1;
        let floor = self.policy.min_delay.min(self.policy.max_delay);
        let doubled =
            self.policy.base_delay.saturating_mul(1_u32.checked_shl(self.failures).unwrap_or(u32::MAX));
        let ceiling = doubled.min(self.policy.max_delay).max(floor);
        Some(floor + (ceiling - floor).mul_f64(random))
    }
}

/// Whether another attempt may go better. Some failures are final only as long as nothing has ever worked.
pub(crate) fn may_get_better(ended: &Ended, has_worked: bool) -> bool {
    match ended {
        Ended::Attempt(error) => match error {
            ConnectError::Transport(error) => transport_may_get_better(error, has_worked),
            ConnectError::Refused(reason) => matches!(
                reason.reason_code,
                ReasonCode::ServerUnavailable
                    | ReasonCode::ServerBusy
                    | ReasonCode::QuotaExceeded
                    | ReasonCode::ConnectionRateExceeded
            ),
            // How AWS IoT Core denies some clients: it looks like a broken connection, and goes on for ever.
            ConnectError::Closed { .. } => has_worked,
            ConnectError::ConnAckTimeout { .. } => true,
            ConnectError::Provider(error) => error.is_retryable,
            ConnectError::Options(_)
            | ConnectError::Protocol(_)
            | ConnectError::Authentication(_)
            | ConnectError::Stopped => false,
        },
        Ended::Connection(error) => match error {
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
            ConnectionError::Closed
            | ConnectionError::Reset
            | ConnectionError::Transport(_)
            | ConnectionError::KeepAliveTimeout { .. }
            | ConnectionError::Untaken { .. }
            // The next connection begins with an exchange of its own.
            | ConnectionError::Reauthentication(_) => true,
            // Servers that resume a session with more than it may send at once have less to send the next time. Whatever
            // else a server does wrong, it does again.
            ConnectionError::Protocol(violation) => {
                violation.reason_code() == ReasonCode::ReceiveMaximumExceeded
            }
            ConnectionError::Requested => false,
        },
    }
}

fn transport_may_get_better(error: &TransportError, has_worked: bool) -> bool {
    match error {
        TransportError::Resolve { fault, .. } => !matches!(fault, ResolveFault::NotFound),
        TransportError::Refused { .. } => has_worked,
        TransportError::Unreachable { .. } | TransportError::TimedOut { .. } | TransportError::Io(_) => true,
        TransportError::Proxy { error, .. } => match error {
            ProxyError::Unreachable(error) => transport_may_get_better(error, has_worked),
            // It couldn't get through, this time.
            ProxyError::Refused { status, .. } => matches!(status, 502..=504),
            ProxyError::Closed | ProxyError::Io(_) => has_worked,
            ProxyError::NotHttp => false,
        },
        // What was judged stays judged; a handshake that broke off may have met a restart.
        TransportError::Tls { error, .. } => {
            matches!(error, TlsError::Closed | TlsError::Io(_)) && has_worked
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Reconnect {
        Reconnect {
            min_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(60),
            ..Reconnect::default()
        }
    }

    /// awscrt_first_retry_at_once, reconnect_failure_backoff
    #[test]
    fn waits_double_from_the_floor_and_stop_at_the_longest() {
        let mut longest = Backoff::new(policy());
        let waits: Vec<_> = (0..8).map(|_| longest.next(1.0).unwrap().as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
        let mut shortest = Backoff::new(policy());
        assert!((0..80).all(|_| shortest.next(0.0) == Some(Duration::from_secs(1))), "never below the floor");
    }

    /// awscrt_jitter_disappears, mqtt5_no_jitter
    #[test]
    fn long_outages_keep_their_jitter() {
        let mut backoff = Backoff::new(policy());
        for _ in 0..100 {
            backoff.next(0.5);
        }
        assert_eq!(backoff.next(0.5), Some(Duration::from_millis(30_500)));
    }

    /// mqtt5_kick_restarts_the_backoff
    #[test]
    fn a_kick_right_after_connecting_does_not_start_over() {
        let mut backoff = Backoff::new(policy());
        for _ in 0..3 {
            backoff.next(1.0);
            backoff.connected_for(Duration::from_secs(1));
        }
        assert_eq!(backoff.next(1.0), Some(Duration::from_secs(16)));
        backoff.connected_for(Duration::from_secs(30));
        assert_eq!(backoff.next(1.0), Some(Duration::from_secs(2)));
    }

    #[test]
    fn attempts_in_a_row_are_counted() {
        let mut backoff = Backoff::new(Reconnect { max_attempts: Some(2), ..policy() });
        assert!(backoff.next(0.0).is_some() && backoff.next(0.0).is_some());
        assert_eq!(backoff.next(0.0), None);
        assert_eq!(Backoff::new(Reconnect::never()).next(0.0), None);
    }
}
