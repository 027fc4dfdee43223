//! Classification of failed attempts and lost connections: which are followed by another attempt,
//! and how soon.

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use dunlin_codec::ReasonCode;

use crate::error::{
    ConnectError, ConnectionError, EndCause, ProxyError, SocksReply, TlsError, TransportError,
    Violation, WebSocketError,
};

/// Class of a failure: whether the client connects again after it, and how soon.
///
/// The table of the defaults is in the documentation of [`Reconnect`](crate::Reconnect).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Retry {
    /// The client stops for good. With a [`ConnectProvider`](crate::ConnectProvider), it first asks
    /// once more, and goes on if the answer differs from the one that failed.
    Final,
    /// The client tries again after [`Reconnect::min_delay`](crate::Reconnect::min_delay) to
    /// [`Reconnect::max_delay`](crate::Reconnect::max_delay).
    Transient,
    /// The client tries again after [`Reconnect::slow_min_delay`](crate::Reconnect::slow_min_delay)
    /// to [`Reconnect::slow_max_delay`](crate::Reconnect::slow_max_delay), with a warning in
    /// the log each time.
    Slow,
}

/// Reaction to a server that keeps breaking the protocol in the same way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum RepeatedViolation {
    /// The client goes on with slow attempts ([`Retry::Slow`]).
    #[default]
    SlowDown,
    /// The client stops with the violation as the cause ([`Retry::Final`]).
    Stop,
}

/// A failed attempt or a lost connection, as a [`RetryPolicy`] sees it.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct RetryContext<'a> {
    /// The failure to be classified.
    pub failure: &'a EndCause,
    /// True if this client has had a connection that a server accepted, the lost one included.
    pub has_connected: bool,
    /// Number of times in a row that the server broke the protocol in this same way, this time
    /// included, each time within [`Reconnect::stable_after`](crate::Reconnect::stable_after)
    /// of the attempt's begin. 0 if the failure is another one.
    pub same_violation: u32,
    /// Reaction when `same_violation` reaches a limit.
    repeated: (NonZeroU32, RepeatedViolation),
}

/// Hook that classifies failures; the default is the table in the documentation of
/// [`Reconnect`](crate::Reconnect).
///
/// The hook is called after every failed attempt and every lost connection, but not after a stop that the
/// application asked for. It runs on the client's task and must not block.
///
/// ```
/// use dunlin_client::codec::ReasonCode;
/// use dunlin_client::{Reconnect, Retry, RetryPolicy};
///
/// // Refused credentials stop this client, even after a connection has worked.
/// let policy = RetryPolicy::new(|context| match context.failure.reason_code() {
///     Some(ReasonCode::BadUserNameOrPassword | ReasonCode::NotAuthorized) => Retry::Final,
///     _ => context.default_retry(),
/// });
/// let reconnect = Reconnect { policy, ..Reconnect::default() };
/// # assert!(format!("{reconnect:?}").contains("RetryPolicy(custom)"));
/// ```
#[derive(Clone, Default)]
pub struct RetryPolicy(Option<Arc<Classify>>);

type Classify = dyn Fn(&RetryContext<'_>) -> Retry + Send + Sync;

impl RetryPolicy {
    /// A policy that calls `classify` for every failure.
    pub fn new(classify: impl Fn(&RetryContext<'_>) -> Retry + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(classify)))
    }

    /// The class of a failure. What the application asked for is final, whatever the hook says.
    pub(crate) fn classify(&self, context: &RetryContext<'_>) -> Retry {
        // No policy overrules the application's own stop.
        if context.failure.is_requested() {
            return Retry::Final;
        }
        self.0
            .as_ref()
            .map_or_else(|| context.default_retry(), |classify| classify(context))
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() {
            "RetryPolicy(custom)"
        } else {
            "RetryPolicy(default)"
        })
    }
}

impl<'a> RetryContext<'a> {
    /// A failure of a client that `has_connected` before or not, without a repeated violation.
    #[must_use]
    pub const fn new(failure: &'a EndCause, has_connected: bool) -> Self {
        let repeated = (NonZeroU32::MAX, RepeatedViolation::SlowDown);
        Self {
            failure,
            has_connected,
            same_violation: 0,
            repeated,
        }
    }

    pub(crate) const fn with_violations(
        self,
        same_violation: u32,
        limit: NonZeroU32,
        reaction: RepeatedViolation,
    ) -> Self {
        Self {
            same_violation,
            repeated: (limit, reaction),
            ..self
        }
    }

    /// The class by the table in the documentation of [`Reconnect`](crate::Reconnect).
    #[must_use]
    pub fn default_retry(&self) -> Retry {
        let (limit, reaction) = self.repeated;
        // First the failure by itself, then its repetition: the reaction only makes the answer
        // stricter.
        let retry = match self.failure {
            EndCause::Attempt(error) => of_attempt(error, self.has_connected),
            EndCause::Connection(error) => of_connection(error),
        };
        match reaction {
            _ if self.same_violation < limit.get() => retry,
            RepeatedViolation::SlowDown if retry == Retry::Transient => Retry::Slow,
            RepeatedViolation::SlowDown => retry,
            RepeatedViolation::Stop => Retry::Final,
        }
    }
}

fn of_attempt(error: &ConnectError, has_connected: bool) -> Retry {
    match error {
        ConnectError::Transport(error) => of_transport(error, has_connected),
        ConnectError::Refused(reason) => of_refusal(reason.reason_code, has_connected),
        // A proxy or a load balancer whose server is being started again does the same.
        ConnectError::Closed { .. } | ConnectError::ConnAckTimeout { .. } => Retry::Transient,
        ConnectError::Provider(error) if error.is_retryable => Retry::Transient,
        ConnectError::Provider(_) | ConnectError::Requested => Retry::Final,
        // The same options or the same server will fail in the same way, unless they have worked
        // before.
        ConnectError::Options(_) | ConnectError::Protocol(_) | ConnectError::Authentication(_) => {
            unless_new(has_connected)
        }
    }
}

/// CONNACK with a reason code of 0x80 or above (§3.2.2.2).
const fn of_refusal(code: ReasonCode, has_connected: bool) -> Retry {
    match code {
        // The server's own trouble.
        ReasonCode::UnspecifiedError
        | ReasonCode::ImplementationSpecificError
        | ReasonCode::ServerUnavailable
        | ReasonCode::ServerBusy
        | ReasonCode::QuotaExceeded
        | ReasonCode::ConnectionRateExceeded => Retry::Transient,
        // With AWS IoT Core, a custom authorizer that failed or was throttled looks like refused
        // credentials.
        ReasonCode::BadUserNameOrPassword | ReasonCode::NotAuthorized if has_connected => {
            Retry::Slow
        }
        _ => unless_new(has_connected),
    }
}

fn of_connection(error: &ConnectionError) -> Retry {
    match error {
        // The other client with this identifier would be disconnected in turn, and connect again,
        // and so on.
        ConnectionError::Disconnected(reason)
            if reason.reason_code == ReasonCode::SessionTakenOver =>
        {
            Retry::Final
        }
        ConnectionError::Requested => Retry::Final,
        _ => Retry::Transient,
    }
}

fn of_transport(error: &TransportError, has_connected: bool) -> Retry {
    match error {
        TransportError::Resolve { .. }
        | TransportError::Refused { .. }
        | TransportError::Unreachable { .. }
        | TransportError::TimedOut { .. }
        | TransportError::Io(_) => Retry::Transient,
        // The server isn't running, and creates its socket when it starts.
        TransportError::UnixSocket { .. } => Retry::Transient,
        // An interface may get its address later, for example that of a VPN.
        TransportError::LocalAddress { .. } => Retry::Transient,
        TransportError::Proxy { error, .. } => match error {
            // The way to the proxy fails as the way to a server does.
            ProxyError::Unreachable(error) => of_transport(error, has_connected),
            ProxyError::Refused {
                status: 500..=599, ..
            } => Retry::Transient,
            // The server isn't there for the proxy.
            ProxyError::Socks(
                SocksReply::GeneralFailure
                | SocksReply::NetworkUnreachable
                | SocksReply::HostUnreachable
                | SocksReply::ConnectionRefused
                | SocksReply::TtlExpired,
            ) => Retry::Transient,
            ProxyError::Closed | ProxyError::Io(_) => Retry::Transient,
            ProxyError::Tls(error) => of_tls(error, has_connected),
            ProxyError::Refused { .. }
            | ProxyError::Socks(_)
            | ProxyError::NoAuthenticationMethod
            | ProxyError::CredentialsRefused
            | ProxyError::CredentialsLength
            | ProxyError::HostLength
            | ProxyError::NotHttp
            | ProxyError::NotSocks => unless_new(has_connected),
        },
        TransportError::Tls { error, .. } => of_tls(error, has_connected),
        TransportError::WebSocket { error, .. } => of_websocket(error, has_connected),
    }
}

fn of_websocket(error: &WebSocketError, has_connected: bool) -> Retry {
    match error {
        WebSocketError::Refused(refusal) => match refusal.status {
            // The server or something before it has trouble of its own, or asks for patience.
            408 | 425 | 429 | 500..=599 => Retry::Transient,
            // As CONNACK 0x86 and 0x87: an authorizer that failed looks like refused credentials.
            401 | 403 if has_connected => Retry::Slow,
            _ => unless_new(has_connected),
        },
        // The same as a connection that ends without CONNACK.
        WebSocketError::NoAnswer | WebSocketError::Closed(_) | WebSocketError::Io(_) => {
            Retry::Transient
        }
        WebSocketError::InvalidPath
        | WebSocketError::InvalidHeader { .. }
        | WebSocketError::NotHttp
        | WebSocketError::AnswerTooLong
        | WebSocketError::WrongAnswer { .. }
        | WebSocketError::Subprotocol { .. }
        | WebSocketError::Frame(_) => unless_new(has_connected),
    }
}

const fn of_tls(error: &TlsError, has_connected: bool) -> Retry {
    match error {
        // The server was started again, or this computer's clock isn't set yet.
        TlsError::Closed
        | TlsError::Io(_)
        | TlsError::Expired { .. }
        | TlsError::NotYetValid { .. } => Retry::Transient,
        _ => unless_new(has_connected),
    }
}

/// Wrong settings are found out by the first attempt. What has worked before isn't wrong in itself.
const fn unless_new(has_connected: bool) -> Retry {
    if has_connected {
        Retry::Transient
    } else {
        Retry::Final
    }
}

/// Counter of equal protocol violations in a row.
#[derive(Debug, Default)]
pub(crate) struct ViolationCounter {
    last: Option<Violation>,
    count: u32,
}

impl ViolationCounter {
    /// Counts the failure of an attempt or of a connection that lasted for `lifetime`, and returns
    /// how often it has come in a row.
    pub(crate) fn record(
        &mut self,
        failure: &EndCause,
        lifetime: Duration,
        stable_after: Duration,
    ) -> u32 {
        // Only violations soon after connecting count: those come again with each attempt, for
        // example with the repetition of a message.
        let violation = failure
            .violation()
            .filter(|_| lifetime < stable_after)
            .copied();
        let is_same = match (&self.last, &violation) {
            (Some(last), Some(violation)) => last.is_same_rule(violation),
            _ => false,
        };
        self.count = match violation {
            Some(_) if is_same => self.count.saturating_add(1),
            Some(_) => 1,
            None => 0,
        };
        self.last = violation;
        self.count
    }
}
