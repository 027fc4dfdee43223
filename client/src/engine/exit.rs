//! Ends of connections: their causes, and what a packet or a deadline does to its connection.

use std::time::Duration;

use dunlin_codec::{DecodeError, ReasonCode};

use crate::error::{ConnectError, ConnectionError, EndCause, TransportError, Violation};

/// Reason why a transport closed, as far as the transport knows.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseCause {
    /// The server closed the transport, or this side did because
    /// [`Engine::should_close`](super::Engine::should_close) said so.
    Eof,
    /// The server reset the transport.
    Reset,
    /// The transport took no output for
    /// [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout), or another time that
    /// the driver chose: this side closed it.
    WriteTimeout {
        /// Time in which no byte was taken.
        after: Duration,
    },
    /// The transport failed.
    Transport(TransportError),
}

/// End of a connection that a packet or a deadline brings about.
#[derive(Debug)]
pub(super) enum Exit {
    /// The server broke the protocol. [MQTT-4.13.2-1]
    Violation(Violation),
    /// Any other end.
    Close(Box<Close>),
}

/// End of a connection: its cause, and the DISCONNECT that the server gets.
#[derive(Debug)]
pub(super) struct Close {
    pub(super) cause: EndCause,
    /// Reason code of DISCONNECT; `None` if none is sent.
    pub(super) reason_code: Option<ReasonCode>,
}

impl Exit {
    /// Ends an open connection with a DISCONNECT.
    pub(super) fn disconnect(reason_code: ReasonCode, cause: ConnectionError) -> Self {
        Self::Close(Box::new(Close {
            cause: cause.into(),
            reason_code: Some(reason_code),
        }))
    }

    /// Ends an open connection without a DISCONNECT.
    pub(super) fn connection(cause: ConnectionError) -> Self {
        Self::Close(Box::new(Close {
            cause: cause.into(),
            reason_code: None,
        }))
    }

    /// Ends an attempt to connect.
    pub(super) fn attempt(error: ConnectError) -> Self {
        Self::Close(Box::new(Close {
            cause: error.into(),
            reason_code: None,
        }))
    }
}

impl From<Violation> for Exit {
    fn from(violation: Violation) -> Self {
        Self::Violation(violation)
    }
}

impl From<DecodeError> for Exit {
    fn from(error: DecodeError) -> Self {
        Self::Violation(error.into())
    }
}
