//! Errors of connections: of an attempt, of a connection, and of a provider.

use std::fmt;
use std::time::Duration;

use dunlin_codec::{DecodeError, Escaped, PacketType, ReasonCode};

use super::{OptionsError, ServerReason, TransportError};
use crate::authentication::{AuthenticationError, ReauthenticationError};

/// Violation of the protocol by a server (§4.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// The packet can't be decoded.
    #[error(transparent)]
    Packet(#[from] DecodeError),
    /// The packet is well formed, but not allowed now or not with this content.
    #[error("{packet_type}: {fault} [{statement}]")]
    Unexpected {
        /// Type of the packet.
        packet_type: PacketType,
        /// Fault of the packet, in words.
        fault: &'static str,
        /// Id of the statement of the standard that it breaks.
        statement: &'static str,
        /// Reason code of the DISCONNECT that answers it.
        reason_code: ReasonCode,
    },
}

impl Violation {
    /// Reason code of the DISCONNECT that answers it.
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Packet(error) => error.reason_code,
            Self::Unexpected { reason_code, .. } => *reason_code,
        }
    }

    /// True if `other` breaks the same rule, at whatever place of a packet.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_same_rule(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Packet(one), Self::Packet(two)) => {
                // The offset is left out: the same mistake may lie at another place in the next
                // packet.
                (one.kind, one.field, one.statement) == (two.kind, two.field, two.statement)
            }
            (one, two) => one == two,
        }
    }
}

/// Cause of a failed attempt to connect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// CONNECT can't be encoded, or exceeds a limit.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The transport couldn't be opened, or failed before CONNACK.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server answered CONNECT with a refusal.
    #[error("the server refused the connection: {0}")]
    Refused(ServerReason),
    /// The server closed the connection instead of answering CONNECT.
    #[error("the server closed the connection before it answered CONNECT")]
    Closed {
        /// True if the connection was reset (RST) rather than closed (FIN).
        reset: bool,
    },
    /// The server didn't answer CONNECT in time.
    #[error("no CONNACK within {after:?}")]
    ConnAckTimeout {
        /// Time that the client waited.
        after: Duration,
    },
    /// The answer of the server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] Violation),
    /// The authentication exchange couldn't go on: the server didn't prove who it is, or asked what
    /// the client can't answer.
    #[error("authentication: {0}")]
    Authentication(#[from] AuthenticationError),
    /// The provider returned an error instead of a target.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The application asked the client to stop or to disconnect before the server had answered.
    #[error("stopped on request")]
    Requested,
}

/// Cause of the end of a connection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The application asked the client to disconnect.
    #[error("disconnected on request")]
    Requested,
    /// The server sent DISCONNECT.
    #[error("the server closed the connection: {0}")]
    Disconnected(ServerReason),
    /// The server closed the connection without DISCONNECT.
    #[error("the server closed the connection without saying why")]
    Closed,
    /// The server, or a device between, reset the connection.
    #[error("the connection was reset")]
    Reset,
    /// The transport failed.
    #[error(transparent)]
    Transport(TransportError),
    /// The transport took no output for
    /// [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout).
    #[error("the transport took no output for {after:?}")]
    WriteTimeout {
        /// Time in which the transport took no byte.
        after: Duration,
    },
    /// The server didn't answer PINGREQ in time.
    #[error("no PINGRESP within {after:?}")]
    KeepAliveTimeout {
        /// Time that the client waited.
        after: Duration,
        /// Keep Alive in force.
        keep_alive: Duration,
        /// Time between the last received byte and the end.
        silent_for: Duration,
    },
    /// A packet of the server had been arriving for a whole keep alive, at less than 1,000 bytes a
    /// second.
    #[error("a packet arrives too slowly: {bytes} bytes within {within:?}")]
    TooSlow {
        /// Bytes of the packet that arrived in that time.
        bytes: usize,
        /// Keep alive in force.
        within: Duration,
    },
    /// The server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] Violation),
    /// Too many messages of QoS 1 and 2 of earlier connections, whose sessions were lost, are unread:
    /// twice the Receive Maximum. The server keeps its messages.
    #[error("{messages} messages of earlier connections are unread")]
    BacklogFull {
        /// Number of unread messages.
        messages: usize,
    },
    /// Received messages of QoS 1 and 2 didn't fit into the
    /// [`memory_budget`](crate::ConnectOptions::memory_budget): this client disconnected with reason
    /// code 0x97 (Quota exceeded), and the server keeps its messages.
    #[error("received messages fill the memory budget of {bytes} bytes")]
    MemoryBudget {
        /// The memory budget in bytes.
        bytes: usize,
    },
    /// This client gave up a re-authentication.
    #[error("re-authentication: {0}")]
    Reauthentication(ReauthenticationError),
}

/// Error of a [`ConnectProvider`](crate::ConnectProvider) that has no target for an attempt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", Escaped(detail))]
pub struct ProviderError {
    /// True if another call may succeed. If not, the client stops.
    pub is_retryable: bool,
    /// Explanation for people, without secrets.
    pub detail: String,
}

impl ProviderError {
    /// Error after which another call may succeed.
    pub fn retryable(error: impl fmt::Display) -> Self {
        Self {
            is_retryable: true,
            detail: error.to_string(),
        }
    }

    /// Error after which another call won't succeed.
    pub fn fatal(error: impl fmt::Display) -> Self {
        Self {
            is_retryable: false,
            detail: error.to_string(),
        }
    }
}
