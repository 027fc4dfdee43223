//! `Reconnect`: when a client connects again; and the delays between its attempts.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::runtime::retry::{RepeatedViolation, Retry, RetryPolicy};

/// Delays between attempts to connect, and the failures that are followed by another attempt.
///
/// # What is final
///
/// Each failed attempt and each lost connection has a class, [`Retry::Final`], [`Retry::Transient`]
/// or [`Retry::Slow`]. By default, once a server has accepted a connection of this client, only a
/// take-over by another client and the application's own stop are final. Before that, what another
/// attempt can't change is final as well:
///
/// | cause | before the first connection | after it |
/// |---|---|---|
/// | host name not found, or any other failure to resolve it | transient | transient |
/// | port refused, no route, timeout, reset, any other failure of the socket | transient | transient |
/// | server certificate expired or not yet valid (this computer's clock may be wrong) | transient | transient |
/// | connection closed during the TLS handshake | transient | transient |
/// | TLS otherwise: server certificate not trusted or of another name, client certificate refused, no common ALPN protocol or version | final | transient |
/// | proxy: unreachable, closed, status 500 to 599 | transient | transient |
/// | proxy: any other status, or not HTTP | final | transient |
/// | WebSocket: status 408, 425, 429 or 500 to 599, no answer, a Close frame | transient | transient |
/// | WebSocket: status 401 or 403 | final | slow |
/// | WebSocket: any other status, a wrong answer or subprotocol, a frame that breaks the rules | final | transient |
/// | connection closed or reset instead of CONNACK, or no CONNACK in time | transient | transient |
/// | CONNACK 0x80 (Unspecified error), 0x83 (Implementation specific error), 0x88 (Server unavailable), 0x89 (Server busy), 0x97 (Quota exceeded), 0x9F (Connection rate exceeded) | transient | transient |
/// | CONNACK 0x86 (Bad User Name or Password), 0x87 (Not authorized) | final | slow |
/// | CONNACK with any other reason code of 0x80 or above | final | transient |
/// | the server broke the protocol, or a malformed packet | final | transient |
/// | the same violation [`violation_limit`](Self::violation_limit) times in a row | final | slow, or final with [`RepeatedViolation::Stop`] |
/// | enhanced authentication failed | final | transient |
/// | CONNECT can't be made of the options | final | transient |
/// | [`ProviderError`](crate::ProviderError) | by its `is_retryable` | by its `is_retryable` |
/// | DISCONNECT 0x8E (Session taken over) | | final |
/// | DISCONNECT with any other reason code (0x80, 0x83, 0x98 and so on) | | transient |
/// | connection closed, reset or broken, no PINGRESP, failed re-authentication | | transient |
/// | stopped by the application | final | final |
///
/// CONNACK 0x86 and 0x87 are slow rather than final because AWS IoT Core gives them as well when
/// the Lambda function of a custom authorizer fails or is throttled. [`policy`](Self::policy)
/// changes any row.
///
/// After a final failure a [`ConnectProvider`](crate::ConnectProvider) is asked once more, except
/// after a take-over and after an error of its own; the client goes on if the provider's answer is
/// another one than before.
///
/// [`Client::connect`](crate::Client::connect) tries until
/// [`connect_within`](crate::ClientOptions::connect_within) is over;
/// [`Client::start`](crate::Client::start) has no such limit.
/// [`Client::reconnect_now`](crate::Client::reconnect_now) skips a delay.
#[derive(Debug, Clone)]
pub struct Reconnect {
    /// Maximum number of attempts in a row that may fail, the first one not counted; `None`, the
    /// default, means no maximum.
    pub max_attempts: Option<u32>,
    /// Shortest delay. Default: 1 s. AWS IoT Core allows one CONNECT per second and client
    /// identifier.
    pub min_delay: Duration,
    /// Delay that doubles with every failure: the first delay is at most twice as long. Default: 1
    /// s.
    pub base_delay: Duration,
    /// Longest delay. Default: 120 s.
    pub max_delay: Duration,
    /// Time that a connection must have lasted for the delays to start from the shortest again.
    /// Default: 30 s.
    pub stable_after: Duration,
    /// Shortest delay after a failure of the class [`Retry::Slow`], which doubles with every such
    /// failure. Default: 60 s.
    pub slow_min_delay: Duration,
    /// Longest delay after a failure of the class [`Retry::Slow`]. Default: 15 min.
    pub slow_max_delay: Duration,
    /// Hook that classifies failures. The default is the table above.
    pub policy: RetryPolicy,
    /// Number of times in a row that a server may break the protocol in the same way, each time
    /// within [`stable_after`](Self::stable_after), before
    /// [`on_repeated_violation`](Self::on_repeated_violation) applies. Default: 5.
    pub violation_limit: NonZeroU32,
    /// Reaction to a server that has broken the protocol in the same way
    /// [`violation_limit`](Self::violation_limit) times in a row. Default:
    /// [`RepeatedViolation::SlowDown`].
    pub on_repeated_violation: RepeatedViolation,
}

/// Default of [`Reconnect::violation_limit`].
const VIOLATION_LIMIT: NonZeroU32 = NonZeroU32::new(5).unwrap();

impl Default for Reconnect {
    fn default() -> Self {
        Self {
            max_attempts: None,
            min_delay: Duration::from_secs(1),
            base_delay: Duration::from_secs(1),
            max_delay: Duration::from_secs(120),
            stable_after: Duration::from_secs(30),
            slow_min_delay: Duration::from_secs(60),
            slow_max_delay: Duration::from_secs(15 * 60),
            policy: RetryPolicy::default(),
            violation_limit: VIOLATION_LIMIT,
            on_repeated_violation: RepeatedViolation::default(),
        }
    }
}

impl Reconnect {
    /// One attempt, one connection.
    #[must_use]
    pub fn never() -> Self {
        Self {
            max_attempts: Some(0),
            ..Self::default()
        }
    }
}

/// Delays that double, with jitter.
#[derive(Debug)]
pub(crate) struct Backoff {
    reconnect: Reconnect,
    /// Failures in a row that count towards `max_attempts`.
    failures: u32,
    /// Failures that the next delay doubles by.
    doublings: u32,
    slow_doublings: u32,
}

impl Backoff {
    pub(crate) const fn new(reconnect: Reconnect) -> Self {
        Self {
            reconnect,
            failures: 0,
            doublings: 0,
            slow_doublings: 0,
        }
    }

    pub(crate) const fn reconnect(&self) -> &Reconnect {
        &self.reconnect
    }

    /// A connection lasted for `lifetime`.
    pub(crate) fn connected_for(&mut self, lifetime: Duration) {
        // A server that accepts and closes at once doesn't reset the delays.
        if lifetime >= self.reconnect.stable_after {
            self.failures = 0;
            self.restart();
        }
    }

    /// The next delay is the shortest again.
    pub(crate) const fn restart(&mut self) {
        self.doublings = 0;
        self.slow_doublings = 0;
    }

    /// The delay before the attempt that follows a failure of the class `retry`. It is evenly
    /// spread between the shortest and the current longest one, so that many clients that lost
    /// the same server don't come back at once; `random` is in 0..1. `None` if there were
    /// enough attempts.
    pub(crate) fn next(&mut self, retry: Retry, random: f64) -> Option<Duration> {
        let reconnect = &self.reconnect;
        // `max_attempts` counts attempts after the first one, of both kinds of delay together.
        if reconnect
            .max_attempts
            .is_some_and(|most| self.failures >= most)
        {
            return None;
        }
        self.failures = self.failures.saturating_add(1);
        // The two kinds double apart from each other: a refusal that needs a person doesn't
        // lengthen the delay after a lost connection.
        let (min, base, max, doublings) = match retry {
            Retry::Slow => {
                let min = reconnect.slow_min_delay;
                (min, min, reconnect.slow_max_delay, &mut self.slow_doublings)
            }
            Retry::Final | Retry::Transient => (
                reconnect.min_delay,
                reconnect.base_delay,
                reconnect.max_delay,
                &mut self.doublings,
            ),
        };
        *doublings = doublings.saturating_add(1);
        // Uniform between the floor and a ceiling that doubles (full jitter): clients that lost
        // their server together come back at different times.
        let floor = min.min(max);
        let doubled = base.saturating_mul(1_u32.checked_shl(*doublings).unwrap_or(u32::MAX));
        let ceiling = doubled.min(max).max(floor);
        Some(floor + (ceiling - floor).mul_f64(random))
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
    fn slow_attempts_double_their_delay_up_to_the_maximum() {
        let mut longest = Backoff::new(policy());
        let waits: Vec<_> = (0..8)
            .map(|_| longest.next(Retry::Transient, 1.0).unwrap().as_secs())
            .collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60, 60]);
        let mut shortest = Backoff::new(policy());
        assert!(
            (0..80).all(|_| shortest.next(Retry::Transient, 0.0) == Some(Duration::from_secs(1))),
            "never below the floor"
        );
    }

    /// awscrt_jitter_disappears, mqtt5_no_jitter
    #[test]
    fn long_outages_keep_their_jitter() {
        let mut backoff = Backoff::new(policy());
        for _ in 0..100 {
            backoff.next(Retry::Transient, 0.5);
        }
        assert_eq!(
            backoff.next(Retry::Transient, 0.5),
            Some(Duration::from_millis(30_500))
        );
    }

    /// mqtt5_kick_restarts_the_backoff
    #[test]
    fn a_connection_of_a_second_does_not_reset_the_delay() {
        let mut backoff = Backoff::new(policy());
        for _ in 0..3 {
            backoff.next(Retry::Transient, 1.0);
            backoff.connected_for(Duration::from_secs(1));
        }
        assert_eq!(
            backoff.next(Retry::Transient, 1.0),
            Some(Duration::from_secs(16))
        );
        backoff.connected_for(Duration::from_secs(30));
        assert_eq!(
            backoff.next(Retry::Transient, 1.0),
            Some(Duration::from_secs(2))
        );
    }

    #[test]
    fn slow_attempts_begin_at_a_minute_and_stop_at_a_quarter_of_an_hour() {
        let mut longest = Backoff::new(policy());
        let delays: Vec<_> = (0..6)
            .map(|_| longest.next(Retry::Slow, 1.0).unwrap().as_secs())
            .collect();
        assert_eq!(delays, [120, 240, 480, 900, 900, 900]);
        let mut shortest = Backoff::new(policy());
        assert!((0..80).all(|_| shortest.next(Retry::Slow, 0.0) == Some(Duration::from_secs(60))));
        assert_eq!(
            longest.next(Retry::Transient, 1.0),
            Some(Duration::from_secs(2)),
            "counted apart"
        );
    }

    #[test]
    fn attempts_in_a_row_are_counted() {
        let mut backoff = Backoff::new(Reconnect {
            max_attempts: Some(2),
            ..policy()
        });
        assert!(
            backoff.next(Retry::Transient, 0.0).is_some()
                && backoff.next(Retry::Transient, 0.0).is_some()
        );
        assert_eq!(backoff.next(Retry::Transient, 0.0), None);
        assert_eq!(
            Backoff::new(Reconnect::never()).next(Retry::Transient, 0.0),
            None
        );
    }
}
