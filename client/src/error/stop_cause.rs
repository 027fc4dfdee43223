//! `StopCause`: cause of a client's stop.

use std::sync::Arc;
use std::time::Duration;

use dunlin_codec::Escaped;

use super::{ConnectError, EndCause};

/// Cause of a client's stop, after which it doesn't connect again.
///
/// ```
/// use dunlin_client::codec::ReasonCode;
/// use dunlin_client::error::TransportError;
/// use dunlin_client::{ConnectError, EndCause, StopCause};
///
/// /// Advice for the user of a program that can't connect.
/// fn advice(cause: &StopCause) -> &'static str {
///     match cause {
///         StopCause::TimedOut { .. } => "is the network up?",
///         StopCause::Final(EndCause::Attempt(error)) => match &**error {
///             ConnectError::Refused(reason) if reason.reason_code == ReasonCode::NotAuthorized => "wrong password?",
///             ConnectError::Transport(TransportError::Refused { .. }) => "nothing listens on this port",
///             _ => "see the error",
///         },
///         _ => "see the error",
///     }
/// }
///
/// assert_eq!(advice(&StopCause::Requested), "see the error");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StopCause {
    /// The application stopped the client.
    #[error("the client was stopped")]
    Requested,
    /// The tokio runtime of the client was shut down before the application stopped the client.
    #[error("the tokio runtime of the client was shut down")]
    RuntimeGone,
    /// An attempt to connect or a connection ended, and no further attempt follows: the end has the
    /// class `Retry::Final`, or the attempt was the last one allowed.
    #[error(transparent)]
    Final(EndCause),
    /// No server accepted the client within the time for the first connection.
    #[error("no connection within {after:?}{}", last.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default())]
    TimedOut {
        /// Time that the client waited.
        after: Duration,
        /// Cause of the last failed attempt; `None` if the first one was still under way.
        last: Option<Arc<ConnectError>>,
    },
    /// The store failed, so the session can't be persisted any more.
    #[error("the session can't be kept: {}", Escaped(fault))]
    Store {
        /// Kind of the store's error; [`TimedOut`](std::io::ErrorKind::TimedOut) if it didn't
        /// answer in time.
        kind: std::io::ErrorKind,
        /// Message of the store's error; that of a store in a file begins with its path.
        fault: Arc<str>,
    },
}

impl From<EndCause> for StopCause {
    fn from(cause: EndCause) -> Self {
        if cause.is_requested() {
            Self::Requested
        } else {
            Self::Final(cause)
        }
    }
}
