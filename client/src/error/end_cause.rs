//! `EndCause`: cause of the end of an attempt to connect, or of a connection.

use std::sync::Arc;

use dunlin_codec::ReasonCode;

use super::{ConnectError, ConnectionError, ServerReason, Violation};

/// Cause of the end of an attempt to connect, or of a connection.
///
/// The server's CONNACK is the border: before it, an attempt ended; after it, a connection.
///
/// ```
/// use dunlin_client::{ConnectError, ConnectionError, EndCause};
///
/// let attempt = EndCause::from(ConnectError::Closed { reset: false });
/// assert_eq!(attempt.to_string(), "the server closed the connection before it answered CONNECT");
///
/// let connection = EndCause::from(ConnectionError::Requested);
/// assert!(connection.is_requested());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EndCause {
    /// The attempt ended before a server had accepted the client.
    #[error(transparent)]
    Attempt(Arc<ConnectError>),
    /// The connection, which a server had accepted, ended.
    #[error(transparent)]
    Connection(Arc<ConnectionError>),
}

impl EndCause {
    /// Reason that the server gave in CONNACK or DISCONNECT; `None` if it gave none.
    #[must_use]
    pub fn server_reason(&self) -> Option<&ServerReason> {
        match self {
            Self::Attempt(cause) => match &**cause {
                ConnectError::Refused(reason) => Some(reason),
                _ => None,
            },
            Self::Connection(cause) => match &**cause {
                ConnectionError::Disconnected(reason) => Some(reason),
                _ => None,
            },
        }
    }

    /// Reason code of the server's CONNACK or DISCONNECT; `None` if the cause is another one.
    #[must_use]
    pub fn reason_code(&self) -> Option<ReasonCode> {
        self.server_reason().map(|reason| reason.reason_code)
    }

    /// Violation of the protocol by the server; `None` if the cause is another one.
    #[must_use]
    pub fn violation(&self) -> Option<&Violation> {
        match self {
            Self::Attempt(cause) => match &**cause {
                ConnectError::Protocol(violation) => Some(violation),
                _ => None,
            },
            Self::Connection(cause) => match &**cause {
                ConnectionError::Protocol(violation) => Some(violation),
                _ => None,
            },
        }
    }

    /// Returns `true` if the application asked the client to stop or to disconnect.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        match self {
            Self::Attempt(cause) => **cause == ConnectError::Requested,
            Self::Connection(cause) => **cause == ConnectionError::Requested,
        }
    }

    /// Returns `true` if the provider returned an error.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_of_provider(&self) -> bool {
        matches!(self, Self::Attempt(cause) if matches!(**cause, ConnectError::Provider(_)))
    }

    /// Returns `true` if the server may have closed the connection because of a message.
    pub(crate) fn may_be_over_a_message(&self) -> bool {
        match self {
            Self::Attempt(_) => false,
            Self::Connection(cause) => matches!(
                **cause,
                ConnectionError::Closed | ConnectionError::Reset | ConnectionError::Disconnected(_)
            ),
        }
    }

    /// Returns `true` if the connection ended because messages did not fit into the memory budget.
    pub(crate) fn is_memory_budget(&self) -> bool {
        matches!(self, Self::Connection(cause)
            if matches!(**cause, ConnectionError::MemoryBudget { .. }))
    }
}

impl From<ConnectError> for EndCause {
    fn from(error: ConnectError) -> Self {
        Self::Attempt(Arc::new(error))
    }
}

impl From<ConnectionError> for EndCause {
    fn from(error: ConnectionError) -> Self {
        Self::Connection(Arc::new(error))
    }
}
