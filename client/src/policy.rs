//! Policies of a client where the standard leaves a choice: sessions, timeouts and limits of requests,
//! times without a connection, topic aliases.

use std::time::Duration;

/// Connections for which a client asks for a new session (§3.1.2.4).
///
/// ```
/// use dunlin_client::{CleanStart, ConnectOptions};
///
/// // A program that is started again resumes the session of its last run, if the server still has it.
/// let options = ConnectOptions {
///     clean_start: CleanStart::Never,
///     session_expiry_interval: Some(60 * 60),
///     ..ConnectOptions::new("lamp-7")
/// };
/// assert!(options.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CleanStart {
    /// The first connection asks for a new session; later ones resume it.
    #[default]
    First,
    /// Every connection asks for a new session.
    Always,
    /// No connection asks for a new session. A client that is given no session declares by this that it
    /// has an empty one for its client identifier: see [`Session::assumed_empty`](crate::engine::Session::assumed_empty).
    Never,
}

/// Timeouts of whole requests, from acceptance to the end; `None` means no timeout.
///
/// ```
/// use std::time::Duration;
///
/// use dunlin_client::{ConnectOptions, RequestTimeouts};
///
/// // A measured value is of no use after 30 s, the time without a connection included.
/// let options = ConnectOptions {
///     request_timeout: RequestTimeouts {
///         publish: Some(Duration::from_secs(30)),
///         ..RequestTimeouts::default()
///     },
///     ..ConnectOptions::new("lamp-7")
/// };
/// assert_eq!(options.request_timeout.subscribe, Some(Duration::from_secs(60)));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestTimeouts {
    /// Timeout of a publish. Default: `None`.
    pub publish: Option<Duration>,
    /// Timeout of a subscribe. Default: 60 s.
    pub subscribe: Option<Duration>,
    /// Timeout of an unsubscribe. Default: 60 s. The subscription still ends when there is a connection
    /// again.
    pub unsubscribe: Option<Duration>,
}

/// Limits of the queue of requests: those that wait for a connection, for the server's Receive
/// Maximum or for a slow transport, and those that aren't acknowledged.
///
/// ```
/// use dunlin_client::{ConnectOptions, Offline, QueueLimits};
///
/// // A device with little memory: the newest 100 messages wait for a connection.
/// let options = ConnectOptions {
///     queue: QueueLimits { count: 100, bytes: 64 << 10 },
///     offline: Offline::DropOldest,
///     ..ConnectOptions::new("lamp-7")
/// };
/// assert!(options.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueLimits {
    /// Maximum number of requests. Default: 10,000.
    pub count: usize,
    /// Maximum size of their packets in bytes. Default: 16 MiB. `Client::publish` at QoS 0 waits
    /// earlier, at 256 KiB of unwritten output.
    pub bytes: usize,
}

impl Default for RequestTimeouts {
    fn default() -> Self {
        let subscribe = Some(Duration::from_secs(60));
        Self {
            publish: None,
            subscribe,
            unsubscribe: subscribe,
        }
    }
}

impl Default for QueueLimits {
    fn default() -> Self {
        Self {
            count: 10_000,
            bytes: 16 << 20,
        }
    }
}

/// Reaction to a received message that is invalid in itself: its publisher made the mistake, and the
/// server forwarded it. [`ErrorScope`](dunlin_codec::ErrorScope) has the table of faults.
///
/// A violation of the connection's rules closes the connection in any case (§4.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvalidMessages {
    /// The message is refused and the connection stays, as the standard allows clients
    /// [U-4.13.1-1].
    ///
    /// At QoS 1 and 2 it is acknowledged with 0x80 (Unspecified error), in order of
    /// arrival. It reaches no stream, is counted in
    /// [`Statistics::invalid_messages`](crate::engine::Statistics::invalid_messages), and reported as
    /// [`Event::MessageRefused`](crate::Event::MessageRefused).
    #[default]
    Refuse,
    /// The client closes the connection, as the standard recommends: with 0x81 (Malformed Packet),
    /// 0x82 (Protocol Error) or 0x99 (Payload format invalid). A server that has such a message
    /// for this client, a retained one for instance, will send it again on the next connection.
    CloseConnection,
}

/// Reaction of requests that were unacknowledged when the connection ended, if the server has lost
/// the session (§4.4). The server may have received them or not.
///
/// A message of QoS 2 whose PUBREC has arrived was received by the server, and the exchange can't be
/// finished any more: it always fails with [`RequestError::SessionLost`](crate::RequestError::SessionLost).
///
/// ```
/// use dunlin_client::{ConnectOptions, LostMessage, LostRequest, OnSessionLost};
///
/// // No message may arrive twice: the application decides about those whose fate is unknown.
/// let options = ConnectOptions {
///     on_session_lost: OnSessionLost {
///         qos1: LostMessage::Fail,
///         ..OnSessionLost::default()
///     },
///     ..ConnectOptions::new("lamp-7")
/// };
/// assert_eq!(options.on_session_lost.subscribe, LostRequest::Reissue);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnSessionLost {
    /// Messages of QoS 1: `Republish` by default.
    pub qos1: LostMessage,
    /// Messages of QoS 2: `Fail` by default.
    pub qos2: LostMessage,
    /// SUBSCRIBE: `Reissue` by default.
    pub subscribe: LostRequest,
    /// UNSUBSCRIBE: `Reissue` by default. One that nobody waits for is reissued in any case, or a
    /// subscription of a dropped stream might stay.
    pub unsubscribe: LostRequest,
}

/// Reaction of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostMessage {
    /// The message is published as a new one, in its old order, and may arrive twice. Its receipt has
    /// [`Published::republished`](crate::engine::Published::republished).
    Republish,
    /// The message fails with [`RequestError::SessionLost`](crate::RequestError::SessionLost), and may
    /// have arrived.
    Fail,
}

/// Reaction of a SUBSCRIBE or an UNSUBSCRIBE that the server didn't answer before the session was
/// lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostRequest {
    /// The request is sent as a new one with a new packet identifier, in its old order
    /// ([`Answered::reissued`](crate::engine::Answered::reissued)). It isn't a resend
    /// [MQTT-4.4.0-1].
    Reissue,
    /// The request fails with [`RequestError::SessionLost`](crate::RequestError::SessionLost).
    Fail,
}

/// Requests that are accepted while there is no connection, and the reaction of a full queue. Limits
/// of the queue are in [`QueueLimits`](crate::QueueLimits). Requests that were accepted before a
/// connection ended stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offline {
    /// All requests are accepted until the queue is full.
    #[default]
    KeepAll,
    /// Like `KeepAll`, but messages of QoS 0 are refused with
    /// [`RequestError::Offline`](crate::RequestError::Offline).
    DropQoS0,
    /// All requests are refused with [`RequestError::Offline`](crate::RequestError::Offline).
    Reject,
    /// All requests are accepted. A full queue, with a connection or without, fails its oldest message
    /// that hasn't been sent, with
    /// [`RequestError::Dropped`](crate::RequestError::Dropped).
    DropOldest,
}

/// Messages that are sent with a topic alias (§3.3.2.3.4). A server's Topic Alias Maximum is never
/// exceeded, and each connection begins without any.
///
/// ```
/// use dunlin_client::{ConnectOptions, OutboundAliases};
///
/// // Few topics, many small messages: two bytes in place of the topic, for up to eight topics.
/// let options = ConnectOptions {
///     outbound_aliases: OutboundAliases::Lru { maximum: 8 },
///     ..ConnectOptions::new("lamp-7")
/// };
/// assert!(options.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutboundAliases {
    /// No message has an alias.
    #[default]
    None,
    /// Messages with a [`topic_alias`](crate::Message::topic_alias) have it. The topic is sent as well
    /// until the server knows the alias. An alias above the server's maximum is refused with
    /// [`RequestError::TopicAlias`](crate::RequestError::TopicAlias); a message that was accepted
    /// before the maximum was known is sent without.
    Manual,
    /// All messages may have an alias: the topics that were used last have one.
    Lru {
        /// Maximum number of aliases, within the server's Topic Alias Maximum. The client stores a topic
        /// for each.
        maximum: u16,
    },
}

impl Default for OnSessionLost {
    fn default() -> Self {
        Self {
            qos1: LostMessage::Republish,
            qos2: LostMessage::Fail,
            subscribe: LostRequest::Reissue,
            unsubscribe: LostRequest::Reissue,
        }
    }
}

/// Reaction to an `Acknowledgement` of a received message of QoS 1 or 2 that is dropped without an
/// answer.
///
/// Nothing after it can be acknowledged meanwhile (§4.6). Five seconds after the drop, or at once
/// if the thread is panicking, the policy is applied; never once the client is being stopped or its
/// runtime shuts down: then the server sends the message again.
///
/// ```
/// use dunlin_client::{ConnectOptions, OnDropped};
///
/// // A message whose handler failed comes again with the next connection of the session.
/// let options = ConnectOptions {
///     on_dropped: OnDropped::Hold,
///     ..ConnectOptions::new("lamp-7")
/// };
/// assert!(options.check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnDropped {
    /// The message is refused with reason code 0x80 (Unspecified error), counted, and reported as
    /// [`Event::MessageDropped`](crate::Event::MessageDropped).
    #[default]
    Reject,
    /// The message is acknowledged with success.
    Accept,
    /// The message stays unacknowledged on this connection, and so do all after it; the server
    /// sends it again on the next connection of the session, and it is delivered again.
    Hold,
}
