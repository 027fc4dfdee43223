//! `Event`: lifecycle events of a client.

use std::time::Duration;

use dunlin_codec::{ConnAck, DecodeError, PacketId, PacketType, QoS, ReasonCode, Utf8String};

use crate::error::{EndCause, Explanation, Omitted, RequestError, StopCause};
#[cfg(feature = "tokio")]
use crate::error::{ServerReason, copied_bytes};
#[cfg(feature = "tokio")]
use crate::transport::Opened;

/// Lifecycle event of a client.
///
/// Each `Attempt` is followed by one `Connected` or `Disconnected`, each `Connected` by one
/// `Disconnected`.
/// `Stopped` is the last event.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A connection is being opened.
    Attempt {
        /// Number of the attempt since the last connection, from 1.
        attempt: u32,
        /// Host name of the server, or `unix:` and the path of its Unix domain socket.
        host: String,
        /// Port of the server; 0 for a Unix domain socket.
        port: u16,
        /// Client Identifier; empty if the server is to assign one.
        client_id: String,
    },
    /// TCP and TLS are open; CONNECT is sent next.
    #[cfg(feature = "tokio")]
    Opened(Box<Opened>),
    /// The server answered with success.
    Connected(Box<Connected>),
    /// The attempt failed, or the connection ended.
    Disconnected {
        /// Cause of the end; the variant tells an attempt from a connection.
        cause: EndCause,
        /// Time until the next attempt to connect, for which the provider is asked again; `None` if
        /// there is none.
        retry_in: Option<Duration>,
    },
    /// A received message was refused because it is invalid in itself; the connection stays
    /// ([`InvalidMessages::Refuse`](crate::InvalidMessages::Refuse)).
    MessageRefused(Box<RefusedMessage>),
    /// The server has lost the session, and a subscription that it had granted before couldn't be
    /// renewed. Its streams end.
    SubscriptionLost {
        /// Topic Filter.
        filter: String,
        /// Error of the renewal: the subscription was refused, not answered, or isn't possible any
        /// more.
        cause: Box<RequestError>,
    },
    /// Received messages were dropped: the application doesn't get them.
    ///
    /// Consecutive unread events with the same topic and cause are merged into one; with
    /// [`DropCause::StreamFull`] those of all topics, and the topic is that of the first message.
    /// Messages that the application asked to drop, by
    /// [`discard_unmatched`](crate::Client::discard_unmatched) or by dropping a stream, are only
    /// counted in
    /// [`Statistics::dropped_messages`](crate::engine::Statistics::dropped_messages).
    MessageDropped {
        /// Topic Name.
        topic: String,
        /// The reason.
        cause: DropCause,
        /// Number of messages.
        count: u64,
        /// Size of their packets in bytes.
        bytes: u64,
    },
    /// Stored messages with a Message Expiry Interval were restored, and the time since they were
    /// stored can't be known: the machine has started again, and its calendar was set back or
    /// wasn't set. They keep the time that was left when they were stored, less that since the
    /// machine started. It is the first event, if it comes.
    ExpiryUnmeasured {
        /// Number of messages.
        messages: usize,
    },
    /// The server can't send further messages of QoS 1 and 2 to any stream: the Receive Maximum is
    /// used up, and for a second the same message hasn't been answered. Nothing after it can
    /// be acknowledged (§4.6).
    WindowClosed {
        /// Topic filter of the stream that got the message; `None` for
        /// [`Unmatched`](crate::Unmatched) and for messages that wait for a stream.
        filter: Option<String>,
        /// True if the application has read the message and holds its
        /// [`Acknowledgement`](crate::Acknowledgement); false if the message is unread.
        is_taken: bool,
    },
    /// The client has stopped for good; no event follows.
    Stopped(StopCause),
}

/// Received message that was refused because it is invalid in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedMessage {
    /// Topic Name, or what the server sent as one: cut after 1,024 bytes, with U+FFFD in place of
    /// bytes that aren't UTF-8. It may hold control characters; escape it before it is shown.
    pub topic: String,
    /// Quality of service. A message of QoS 1 or 2 was acknowledged with 0x80 or 0x99.
    pub qos: QoS,
    /// Fault of the message, with the statement of the standard that it breaks.
    pub reason: DecodeError,
}

impl RefusedMessage {
    pub(crate) fn new(topic: &[u8], qos: QoS, reason: DecodeError) -> Self {
        let topic = topic.get(..LONGEST_TOPIC).unwrap_or(topic);
        Self {
            topic: String::from_utf8_lossy(topic).into_owned(),
            qos,
            reason,
        }
    }
}

/// Request that the server refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedRequest {
    /// Packet that refused it: PUBACK, PUBREC, SUBACK or UNSUBACK.
    pub packet_type: PacketType,
    /// Packet Identifier of the request.
    pub packet_id: PacketId,
    /// Reason code, 0x80 or above.
    pub reason_code: ReasonCode,
    /// Topic Filter of a SUBSCRIBE or UNSUBSCRIBE; `None` for a PUBLISH.
    pub filter: Option<String>,
    /// Reason String, cut after 256 characters. It may hold control characters; escape it before
    /// it is shown.
    pub reason_string: Option<String>,
}

impl RefusedRequest {
    pub(crate) fn new(
        packet_type: PacketType,
        packet_id: PacketId,
        reason_code: ReasonCode,
        filter: Option<&str>,
        reason_string: Option<Utf8String<'_>>,
    ) -> Self {
        let reason_string =
            reason_string.map(|text| text.as_str().chars().take(LONGEST_REASON).collect());
        Self {
            packet_type,
            packet_id,
            reason_code,
            filter: filter.map(str::to_owned),
            reason_string,
        }
    }
}

/// Characters of a refused request's reason string that are kept.
const LONGEST_REASON: usize = 256;

/// Bytes of a refused message's topic that are kept: events wait for the application, and a topic
/// may have 65,535 bytes.
const LONGEST_TOPIC: usize = 1024;

/// Cause of dropped messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropCause {
    /// No stream matches the topic. In a resumed session the message waited for a stream, see
    /// [`unmatched_wait`](crate::ConnectOptions::unmatched_wait), and was refused with reason code
    /// 0x80 at QoS 1 and 2; in other sessions it was acknowledged.
    Unmatched,
    /// A stream was full, and a message of QoS 0 was dropped ([`WhenFull`](crate::WhenFull)).
    StreamFull,
    /// An [`Acknowledgement`](crate::Acknowledgement) was dropped without an answer, and five
    /// seconds later the message was refused with reason code 0x80
    /// ([`OnDropped::Reject`](crate::OnDropped::Reject)).
    Unanswered,
    /// An [`Acknowledgement`](crate::Acknowledgement) was dropped by a thread that was panicking,
    /// and the message was refused with reason code 0x80 at once
    /// ([`OnDropped::Reject`](crate::OnDropped::Reject)).
    Panicked,
}

/// Bytes of an event without its texts, and of what it points to, rounded up.
#[cfg(feature = "tokio")]
const EVENT: usize = 512;

/// Connection that a server has accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Connected {
    /// Session Present: the server resumes the session of an earlier connection.
    pub session_present: bool,
    /// Client Identifier in use; assigned by the server if the client had none.
    pub client_id: String,
    /// Limits and capabilities of the server.
    pub limits: ServerLimits,
    /// Reason String; `None` if the server sent none. It may hold control characters: escape it
    /// before it is shown.
    pub reason_string: Option<String>,
    /// User Properties, in order.
    pub user_properties: Vec<(String, String)>,
    /// Part of the reason string and of the user properties that wasn't copied.
    pub omitted: Omitted,
    /// Response Information, from which response topics are built (§3.2.2.3.15); `None` if the server
    /// sent none.
    pub response_information: Option<String>,
    /// Time from CONNECT to CONNACK.
    pub elapsed: Duration,
}

/// Limits and capabilities of a server on one connection, with defaults filled in (§3.2.2.3).
///
/// ```
/// use dunlin_client::{Event, QoS, ServerLimits};
///
/// /// QoS 1 for important messages; QoS 0 at a server that has nothing else.
/// fn best_qos(limits: &ServerLimits) -> QoS {
///     limits.maximum_qos.min(QoS::AtLeastOnce)
/// }
///
/// # fn example(event: Event) {
/// if let Event::Connected(connected) = event {
///     println!("{}, packets up to {} bytes", best_qos(&connected.limits), connected.limits.maximum_packet_size);
/// }
/// # }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Receive Maximum: maximum number of unacknowledged messages of QoS 1 and 2.
    pub receive_maximum: u16,
    /// Maximum QoS of published messages.
    pub maximum_qos: QoS,
    /// Retain Available: messages can be retained.
    pub retain_available: bool,
    /// Maximum Packet Size in bytes.
    pub maximum_packet_size: u32,
    /// Topic Alias Maximum; 0 means that no alias can be used.
    pub topic_alias_maximum: u16,
    /// Wildcard Subscription Available: filters may have wildcards.
    pub wildcard_subscription_available: bool,
    /// Subscription Identifiers Available: subscriptions may have identifiers.
    pub subscription_identifier_available: bool,
    /// Shared Subscription Available: subscriptions may be shared.
    pub shared_subscription_available: bool,
    /// Keep Alive in force, in seconds; 0 means none.
    pub keep_alive: u16,
    /// Session Expiry Interval: seconds that the session outlives the connection.
    pub session_expiry_interval: u32,
}

/// Size of the largest packet of the protocol: five bytes of Fixed Header and 268,435,455 after it
/// (§2.1.4).
const PROTOCOL_MAXIMUM: u32 = 268_435_460;

impl Event {
    /// Bytes of memory that the event takes.
    #[cfg(feature = "tokio")]
    pub(crate) fn charge(&self) -> usize {
        let of_request = |error: &RequestError| match error {
            RequestError::Refused(reason) => reason.copied_bytes(),
            _ => 0,
        };
        // Texts of the server and of topics may be long, so they are counted; all else of an event
        // is in the constant part.
        let texts = match self {
            Self::Connected(connected) => {
                let response_information = connected
                    .response_information
                    .as_ref()
                    .map_or(0, String::len);
                let explanation =
                    copied_bytes(connected.reason_string.as_ref(), &connected.user_properties);
                connected.client_id.len() + response_information + explanation
            }
            Self::Disconnected { cause, .. } => {
                cause.server_reason().map_or(0, ServerReason::copied_bytes)
            }
            Self::SubscriptionLost { filter, cause } => filter.len() + of_request(cause),
            Self::MessageDropped { topic, .. } => topic.len(),
            Self::WindowClosed { filter, .. } => filter.as_ref().map_or(0, String::len),
            Self::MessageRefused(refused) => refused.topic.len(),
            Self::Attempt {
                host, client_id, ..
            } => host.len() + client_id.len(),
            _ => 0,
        };
        EVENT + texts
    }

    /// Adds `other` to this event if both report dropped messages of the same cause, and the same
    /// topic unless streams were full. Returns `true` in that case.
    #[cfg(feature = "tokio")]
    pub(crate) fn merge(&mut self, other: &Self) -> bool {
        let Self::MessageDropped {
            topic,
            cause,
            count,
            bytes,
        } = self
        else {
            return false;
        };
        // A full stream drops messages of many topics in a row: one event counts them all, under
        // the first topic.
        match other {
            Self::MessageDropped {
                topic: with,
                cause: as_well,
                count: more,
                bytes: larger,
            } if cause == as_well && (topic == with || *cause == DropCause::StreamFull) => {
                *count += more;
                *bytes += larger;
                true
            }
            _ => false,
        }
    }
}

impl ServerLimits {
    /// Limits in a CONNACK for a client that asked for `keep_alive` and `session_expiry` seconds; absent
    /// properties have their defaults.
    pub(crate) fn new(connack: &ConnAck<'_>, keep_alive: u16, session_expiry: u32) -> Self {
        // A property that CONNACK lacks has the standard's default (§3.2.2.3).
        let properties = &connack.properties;
        Self {
            receive_maximum: properties.receive_maximum.map_or(u16::MAX, Into::into),
            maximum_qos: properties.maximum_qos.unwrap_or(QoS::ExactlyOnce),
            retain_available: properties.retain_available.unwrap_or(true),
            maximum_packet_size: properties
                .maximum_packet_size
                .map_or(PROTOCOL_MAXIMUM, Into::into)
                .min(PROTOCOL_MAXIMUM),
            topic_alias_maximum: properties.topic_alias_maximum.unwrap_or(0),
            wildcard_subscription_available: properties
                .wildcard_subscription_available
                .unwrap_or(true),
            subscription_identifier_available: properties
                .subscription_identifier_available
                .unwrap_or(true),
            shared_subscription_available: properties.shared_subscription_available.unwrap_or(true),
            // The server's value counts, larger or smaller. [MQTT-3.1.2-21] [MQTT-3.2.2-21]
            keep_alive: properties.server_keep_alive.unwrap_or(keep_alive),
            session_expiry_interval: properties.session_expiry_interval.unwrap_or(session_expiry),
        }
    }
}

impl Connected {
    pub(crate) fn new(
        connack: &ConnAck<'_>,
        client_id: String,
        limits: ServerLimits,
        elapsed: Duration,
    ) -> Self {
        let properties = &connack.properties;
        let Explanation {
            reason_string,
            user_properties,
            omitted,
        } = Explanation::new(properties.reason_string, properties.user_properties);
        Self {
            session_present: connack.session_present,
            client_id,
            limits,
            reason_string,
            user_properties,
            omitted,
            response_information: properties.response_information.map(|text| text.to_string()),
            elapsed,
        }
    }
}
