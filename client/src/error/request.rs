//! `RequestError`: error of a request of the application.

use std::time::Duration;

use dunlin_codec::{EncodeError, TextError, TopicError};

use super::{ServerReason, StopCause};
use crate::QoS;
use crate::authentication::ReauthenticationError;
use crate::limits::LimitError;

/// Error of a request: a publish, subscribe, unsubscribe, re-authentication, or one with a reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The Topic Name or Topic Filter is malformed.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The Response Topic is malformed (§3.3.2.3.5).
    #[error("the response topic: {0}")]
    ResponseTopic(TopicError),
    /// Text or data can't be encoded: it is longer than 65,535 bytes, or has a NUL.
    #[error("{field} {error}")]
    Text {
        /// Property of the message.
        field: &'static str,
        /// Fault of the text.
        error: TextError,
    },
    /// The packet can't be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The request exceeds [`ConnectOptions::limits`](crate::ConnectOptions::limits).
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The packet is larger than the server accepts (§3.2.2.3.6).
    #[error("a packet of {size} bytes; the server takes {limit}")]
    TooLarge {
        /// Size of the packet in bytes.
        size: usize,
        /// Maximum Packet Size of the server in bytes.
        limit: u32,
    },
    /// The server doesn't support this QoS (§3.2.2.3.4).
    #[error("the server takes messages up to {maximum}")]
    QoSNotSupported {
        /// Maximum QoS of the server.
        maximum: QoS,
    },
    /// The server doesn't support retained messages (§3.2.2.3.5).
    #[error("the server has no retained messages")]
    RetainNotSupported,
    /// The server doesn't support wildcard subscriptions (§3.2.2.3.11).
    #[error("the server has no wildcard subscriptions")]
    WildcardNotSupported,
    /// The server doesn't support shared subscriptions (§3.2.2.3.13).
    #[error("the server has no shared subscriptions")]
    SharedNotSupported,
    /// The queue is full ([`ConnectOptions::queue`](crate::ConnectOptions::queue)).
    #[error("the queue is full: {count} requests, {bytes} bytes")]
    QueueFull {
        /// Number of requests in the queue.
        count: usize,
        /// Size of their packets in bytes.
        bytes: usize,
    },
    /// The topic alias is above the server's Topic Alias Maximum, or the client chooses aliases itself
    /// (§3.2.2.3.8).
    #[error("topic alias {alias}; the highest is {limit}")]
    TopicAlias {
        /// Topic alias of the message.
        alias: u16,
        /// Maximum topic alias; 0 means that none can be used.
        limit: u16,
    },
    /// The message was unacknowledged each time that the server closed the connection, as often in a
    /// row as [`poison_guard`](crate::ConnectOptions::poison_guard) says, so it is probably the reason.
    /// The message may have arrived.
    #[error("on the wire at {disconnects} ends of the connection in a row")]
    Poisoned {
        /// Number of connections that ended.
        disconnects: u32,
    },
    /// There is no connection, and [`ConnectOptions::offline`](crate::ConnectOptions::offline)
    /// accepts no such request.
    #[error("there is no connection")]
    Offline,
    /// The request was the oldest in a full queue, and was dropped for a newer one.
    #[error("dropped from a full queue for a newer request")]
    Dropped,
    /// The Message Expiry Interval was over before the message could be sent (§3.3.2.3.3).
    #[error("it expired before it could be sent")]
    Expired,
    /// All 65,535 packet identifiers are in use.
    #[error("all packet identifiers are in use")]
    NoPacketId,
    /// The server refused the request.
    #[error("refused: {0}")]
    Refused(ServerReason),
    /// The server didn't acknowledge the request in time. The request may have succeeded.
    #[error("not acknowledged within {after:?}")]
    Timeout {
        /// Time since the request was first sent, connected time only.
        after: Duration,
    },
    /// The request wasn't done within
    /// [`ConnectOptions::request_timeout`](crate::ConnectOptions::request_timeout) of being
    /// accepted, outages included. The request may have succeeded.
    #[error("not done within {after:?}")]
    RequestTimeout {
        /// Time that the request had.
        after: Duration,
    },
    /// The re-authentication failed, or isn't possible.
    #[error("re-authentication: {0}")]
    Reauthentication(#[from] ReauthenticationError),
    /// The connection was lost while the request was unacknowledged, and the server has lost the
    /// session.
    #[error("the session was lost before it was acknowledged")]
    SessionLost,
    /// No reply came in time.
    #[error("no reply within {after:?}")]
    NoReply {
        /// Time that the client waited.
        after: Duration,
    },
    /// The maximum number of requests wait for replies.
    #[error("{limit} requests wait for replies already")]
    TooManyRequests {
        /// Maximum number of requests.
        limit: usize,
    },
    /// The client has no store to write records to.
    #[error("the client has no store")]
    NoStore,
    /// The client stopped before the request was done.
    #[error("not done: {0}")]
    Stopped(StopCause),
}
