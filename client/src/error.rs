//! What can go wrong, sorted by whose fault it is. Facts only: how to put them to people is the
//! application's matter.

use std::sync::Arc;
use std::time::Duration;

use dunlin_codec::{
    DecodeError, EncodeError, Escaped, PacketType, ReasonCode, Repeated, TextError, TopicError,
    UserProperty, Utf8String,
};

use crate::QoS;
use crate::authentication::{AuthenticationError, ReauthenticationError};
use crate::aws::LimitError;
use crate::options::OptionsError;
#[cfg(feature = "tokio")]
use crate::runtime::provider::ProviderError;
#[cfg(feature = "tokio")]
use crate::transport::TransportError;

/// What a server said when it refused something or closed the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerReason {
    /// The packet that said it.
    pub packet_type: PacketType,
    /// The code.
    pub reason_code: ReasonCode,
    /// The server's own words.
    pub reason_string: Option<String>,
    /// What it added, in order.
    pub user_properties: Vec<(String, String)>,
    /// Where it would have the client go (§4.11).
    pub server_reference: Option<String>,
    /// What wasn't copied of the reason string and the user properties.
    pub omitted: Omitted,
}

/// What the client left out when it copied the reason string and the user properties of a server's
/// packet.
///
/// Of each packet it copies at most 4,096 bytes of the reason string, 64 user properties, and 8,192
/// bytes of user properties. While outcomes that the application hasn't taken hold an eighth of
/// [`memory_budget`](crate::ConnectOptions::memory_budget), it copies nothing into further ones. Of
/// a SUBACK that ends several subscriptions, it copies at most 65,536 bytes into the
/// [events](crate::Event::SubscriptionLost) that report them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Omitted {
    /// Number of user properties.
    pub user_properties: usize,
    /// Bytes of the reason string and of the user properties.
    pub bytes: usize,
}

/// The part of a packet's reason string and user properties that is copied.
#[derive(Debug, Default)]
pub(crate) struct Explanation {
    pub(crate) reason_string: Option<String>,
    pub(crate) user_properties: Vec<(String, String)>,
    pub(crate) omitted: Omitted,
}

/// Limits of what is copied from one packet.
const LONGEST_REASON: usize = 4096;
const MOST_PROPERTIES: usize = 64;
const MOST_PROPERTY_BYTES: usize = 8192;

impl Explanation {
    /// Copies up to the limits of one packet.
    pub(crate) fn new(
        reason_string: Option<Utf8String<'_>>,
        user_properties: Repeated<'_, UserProperty<'_>>,
    ) -> Self {
        Self::within(usize::MAX, reason_string, user_properties)
    }

    /// Copies up to the limits of one packet, and at most `allowance` bytes.
    pub(crate) fn within(
        allowance: usize,
        reason_string: Option<Utf8String<'_>>,
        user_properties: Repeated<'_, UserProperty<'_>>,
    ) -> Self {
        let mut copied = Self::default();
        let mut allowance = allowance;
        if let Some(text) = reason_string {
            let text = text.as_str();
            let longest = LONGEST_REASON.min(allowance).min(text.len());
            // A character is copied whole or not at all.
            let kept = (0..=longest)
                .rev()
                .find_map(|end| text.get(..end))
                .unwrap_or_default();
            copied.omitted.bytes += text.len() - kept.len();
            allowance -= kept.len();
            copied.reason_string = (!kept.is_empty() || text.is_empty()).then(|| kept.to_owned());
        }
        let mut allowance = allowance.min(MOST_PROPERTY_BYTES);
        for (index, each) in user_properties.into_iter().enumerate() {
            let size = each.name.as_bytes().len() + each.value.as_bytes().len();
            // Empty ones take memory, too.
            if index < MOST_PROPERTIES && size.max(1) <= allowance {
                allowance -= size;
                copied
                    .user_properties
                    .push((each.name.to_string(), each.value.to_string()));
            } else {
                copied.omitted.user_properties += 1;
                copied.omitted.bytes += size;
            }
        }
        copied
    }
}

/// Bytes that copied text and user properties take on the heap.
pub(crate) fn copied_bytes(
    reason_string: Option<&String>,
    user_properties: &[(String, String)],
) -> usize {
    let strings = user_properties
        .iter()
        .map(|(name, value)| size_of::<(String, String)>() + name.len() + value.len());
    reason_string.map_or(0, String::len) + strings.sum::<usize>()
}

impl ServerReason {
    pub(crate) fn new<'a>(
        packet_type: PacketType,
        reason_code: ReasonCode,
        reason_string: Option<Utf8String<'a>>,
        user_properties: Repeated<'a, UserProperty<'a>>,
    ) -> Self {
        Self::from_explanation(
            packet_type,
            reason_code,
            Explanation::new(reason_string, user_properties),
        )
    }

    pub(crate) fn from_explanation(
        packet_type: PacketType,
        reason_code: ReasonCode,
        explanation: Explanation,
    ) -> Self {
        let Explanation {
            reason_string,
            user_properties,
            omitted,
        } = explanation;
        Self {
            packet_type,
            reason_code,
            reason_string,
            user_properties,
            server_reference: None,
            omitted,
        }
    }

    /// Bytes that it takes on the heap.
    pub(crate) fn copied_bytes(&self) -> usize {
        let reference = self.server_reference.as_ref().map_or(0, String::len);
        reference + copied_bytes(self.reason_string.as_ref(), &self.user_properties)
    }
}

impl std::fmt::Display for ServerReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.packet_type, self.reason_code)?;
        match &self.reason_string {
            Some(text) => write!(f, ": {}", Escaped(text)),
            None => Ok(()),
        }
    }
}

/// A server that broke the protocol (§4.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Violation {
    /// A packet that can't be decoded.
    #[error(transparent)]
    Packet(#[from] DecodeError),
    /// A packet that is fine by itself, but not now or not like this.
    #[error("{packet_type}: {fault} [{statement}]")]
    Conduct {
        /// The packet.
        packet_type: PacketType,
        /// What was wrong with it.
        fault: &'static str,
        /// The statement that it breaks.
        statement: &'static str,
        /// What it is answered with.
        reason_code: ReasonCode,
    },
}

impl Violation {
    /// What the DISCONNECT that answers it says.
    #[must_use]
    pub const fn reason_code(&self) -> ReasonCode {
        match self {
            Self::Packet(error) => error.reason_code,
            Self::Conduct { reason_code, .. } => *reason_code,
        }
    }

    /// Whether `other` breaks the same rule, wherever in a packet it does.
    #[cfg(feature = "tokio")]
    pub(crate) fn is_same_rule(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Packet(one), Self::Packet(two)) => {
                (one.kind, one.field, one.statement) == (two.kind, two.field, two.statement)
            }
            (one, two) => one == two,
        }
    }
}

/// Why an attempt to connect failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// What should be sent can't be.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// The connection didn't open.
    #[cfg(feature = "tokio")]
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The server answered CONNECT with a refusal.
    #[error("the server refused the connection: {0}")]
    Refused(ServerReason),
    /// The server closed the connection instead of answering CONNECT, politely or by a reset.
    #[error("the server closed the connection before it answered CONNECT")]
    Closed {
        /// Whether it was a reset.
        reset: bool,
    },
    /// The server didn't answer CONNECT in time.
    #[error("no CONNACK within {after:?}")]
    ConnAckTimeout {
        /// How long was waited.
        after: Duration,
    },
    /// The server's answer broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[from] Violation),
    /// The exchange of authentication couldn't go on: the server isn't who it should be, or asks
    /// what can't be answered.
    #[error("authentication: {0}")]
    Authentication(#[from] AuthenticationError),
    /// The provider had nothing to connect with.
    #[cfg(feature = "tokio")]
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The application gave up first.
    #[error("stopped")]
    Stopped,
}

/// Why a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectionError {
    /// The application asked for it.
    #[error("disconnected on request")]
    Requested,
    /// The server said why.
    #[error("the server closed the connection: {0}")]
    Disconnected(ServerReason),
    /// The server closed it without a word.
    #[error("the server closed the connection without saying why")]
    Closed,
    /// The server, or something between, reset it.
    #[error("the connection was reset")]
    Reset,
    /// The connection broke.
    #[cfg(feature = "tokio")]
    #[error(transparent)]
    Transport(TransportError),
    /// The transport took no output for
    /// [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout).
    #[error("the transport took no output for {after:?}")]
    WriteTimeout {
        /// How long no byte was taken.
        after: Duration,
    },
    /// No answer to PINGREQ in time.
    #[error("no PINGRESP within {after:?}")]
    KeepAliveTimeout {
        /// How long was waited.
        after: Duration,
        /// The keep alive in force.
        keep_alive: Duration,
        /// How long before the end something was last received.
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
    /// The application has left so many messages of earlier connections untaken, of QoS 1 and 2 and
    /// of sessions that were lost, that there is no room for more: twice its Receive Maximum.
    /// The server keeps what it has.
    #[error("{messages} messages of earlier connections aren't taken")]
    Untaken {
        /// How many.
        messages: usize,
    },
    /// Received messages of QoS 1 and 2 didn't fit into the
    /// [`memory_budget`](crate::ConnectOptions::memory_budget): this client left with reason code
    /// 0x97 (Quota exceeded), and the server keeps what it has.
    #[error("received messages fill the memory budget of {bytes} bytes")]
    MemoryBudget {
        /// The memory budget in bytes.
        bytes: usize,
    },
    /// This client gave up a re-authentication.
    #[error("re-authentication: {0}")]
    Reauthentication(ReauthenticationError),
}

/// Why a client stopped for good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StopCause {
    /// The application asked for it.
    #[error("the client was stopped")]
    Requested,
    /// The tokio runtime that the client ran in was shut down, and the application hadn't asked for
    /// the client's end before.
    #[error("the tokio runtime of the client was shut down")]
    RuntimeGone,
    /// An attempt failed in a way that another one wouldn't mend, or there were enough.
    #[error(transparent)]
    Connect(Arc<ConnectError>),
    /// A connection ended in a way that another one wouldn't mend.
    #[error(transparent)]
    Connection(Arc<ConnectionError>),
    /// There was no connection in the time that `Client::connect` had.
    #[error("no connection within {after:?}{}", last.as_ref().map(|cause| format!(": {cause}")).unwrap_or_default())]
    TimedOut {
        /// How long was waited.
        after: Duration,
        /// Why the last attempt failed; `None` if the first one was still under way.
        last: Option<Arc<ConnectError>>,
    },
    /// The session couldn't be kept, so nothing could be promised any more.
    #[error("the session can't be kept: {}", Escaped(fault))]
    Store {
        /// Kind of the store's error; [`TimedOut`](std::io::ErrorKind::TimedOut) if it didn't
        /// answer in time.
        kind: std::io::ErrorKind,
        /// The store's own words; those of a store in a file begin with its path.
        fault: Arc<str>,
    },
}

/// Why a publish, a subscribe or an unsubscribe didn't happen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The topic name or filter isn't one.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The Response Topic is no topic name (§3.3.2.3.5).
    #[error("the response topic: {0}")]
    ResponseTopic(TopicError),
    /// Text or data that can't be sent: longer than 65,535 bytes, or with a NUL.
    #[error("{field} {error}")]
    Text {
        /// The property of the message.
        field: &'static str,
        /// Why it can't be sent.
        error: TextError,
    },
    /// A packet that can't be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// More than the service takes, as [`ConnectOptions::limits`](crate::ConnectOptions::limits)
    /// have it.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// The server takes no packet of this size (§3.2.2.3.6).
    #[error("a packet of {size} bytes; the server takes {limit}")]
    TooLarge {
        /// The packet's bytes.
        size: usize,
        /// The server's Maximum Packet Size.
        limit: u32,
    },
    /// The server takes no message of this QoS (§3.2.2.3.4).
    #[error("the server takes messages up to {maximum}")]
    QoSNotSupported {
        /// The server's Maximum QoS.
        maximum: QoS,
    },
    /// The server retains no messages (§3.2.2.3.5).
    #[error("the server has no retained messages")]
    RetainNotSupported,
    /// The server has no wildcard subscriptions (§3.2.2.3.11).
    #[error("the server has no wildcard subscriptions")]
    WildcardNotSupported,
    /// The server has no shared subscriptions (§3.2.2.3.13).
    #[error("the server has no shared subscriptions")]
    SharedNotSupported,
    /// More is waiting to be sent than the queue's limits allow.
    #[error("the queue is full: {count} requests, {bytes} bytes")]
    QueueFull {
        /// Requests that wait.
        count: usize,
        /// Bytes that wait.
        bytes: usize,
    },
    /// The topic alias is above what the server takes, or aliases aren't the application's to
    /// choose (§3.2.2.3.8).
    #[error("topic alias {alias}; the highest is {limit}")]
    TopicAlias {
        /// The message's.
        alias: u16,
        /// The highest that can be used; 0 for none.
        limit: u16,
    },
    /// It was on the wire whenever the server closed the connection, so often in a row that it is
    /// taken for the reason ([`poison_guard`](crate::ConnectOptions::poison_guard)). It may
    /// have arrived.
    #[error("on the wire at {disconnects} ends of the connection in a row")]
    Poisoned {
        /// How often.
        disconnects: u32,
    },
    /// There is no connection, and the policy for that takes no such request.
    #[error("there is no connection")]
    Offline,
    /// It had waited longest when the queue was full, and made room for a newer request.
    #[error("dropped from a full queue to make room")]
    Dropped,
    /// Its Message Expiry Interval was over before it could be sent (§3.3.2.3.3).
    #[error("it expired before it could be sent")]
    Expired,
    /// All 65,535 packet identifiers are in use.
    #[error("all packet identifiers are in use")]
    NoPacketId,
    /// The server refused it.
    #[error("refused: {0}")]
    Refused(ServerReason),
    /// The server didn't acknowledge it in time. It may still have happened.
    #[error("not acknowledged within {after:?}")]
    Timeout {
        /// How long was waited, from when it was on the wire, over all connections since.
        after: Duration,
    },
    /// It wasn't done within
    /// [`ConnectOptions::request_timeout`](crate::ConnectOptions::request_timeout) of being
    /// accepted, outages included. It may still have happened.
    #[error("not done within {after:?}")]
    RequestTimeout {
        /// The time that it had.
        after: Duration,
    },
    /// A re-authentication that didn't happen.
    #[error("re-authentication: {0}")]
    Reauthentication(#[from] ReauthenticationError),
    /// The connection was lost while it was on the wire, and the server has no memory of the
    /// session.
    #[error("the session was lost before it was acknowledged")]
    SessionLost,
    /// No reply came in time.
    #[error("no reply within {after:?}")]
    NoReply {
        /// How long was waited.
        after: Duration,
    },
    /// As many requests as may wait for replies do already.
    #[error("{limit} requests wait for replies already")]
    TooManyRequests {
        /// How many may.
        limit: usize,
    },
    /// The client has no store to write records to.
    #[error("the client has no store")]
    NoStore,
    /// The client stopped first.
    #[error("not done: {0}")]
    Stopped(StopCause),
}
