//! What a client may decide for itself: about lost sessions, times without a connection, topic aliases.

/// What becomes of requests that were on the wire when the connection ended, if the server then has no session to go on
/// with (§4.4). It may have got them or not.
///
/// A message of QoS 2 whose PUBREC came is the server's, and the exchange can't be finished any more: it always fails with
/// [`RequestError::SessionLost`](crate::RequestError::SessionLost).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnSessionLost {
    /// Messages of QoS 1: `Republish`.
    pub qos1: LostMessage,
    /// Messages of QoS 2: `Fail`.
    pub qos2: LostMessage,
    /// SUBSCRIBE: `Fail`.
    pub subscribe: LostRequest,
    /// UNSUBSCRIBE: `Fail`.
    pub unsubscribe: LostRequest,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostMessage {
    /// It is published as a new one, in its old order, and may arrive twice. Its receipt says so.
    Republish,
    /// It fails with [`RequestError::SessionLost`](crate::RequestError::SessionLost), and may have arrived.
    Fail,
}

/// What becomes of a SUBSCRIBE or an UNSUBSCRIBE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostRequest {
    /// It is sent as a new one, in its old order. Its answer says so.
    Reissue,
    /// It fails with [`RequestError::SessionLost`](crate::RequestError::SessionLost).
    Fail,
}

/// What is accepted while there is no connection, and what a full queue does. [`QueueLimits`](crate::QueueLimits) bound
/// every one of them. What was accepted before a connection ended stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offline {
    /// Everything is accepted, and a full queue takes nothing more.
    #[default]
    KeepAll,
    /// As `KeepAll`, but messages of QoS 0 are refused with [`RequestError::Offline`](crate::RequestError::Offline).
    DropQoS0,
    /// Everything is refused with [`RequestError::Offline`](crate::RequestError::Offline).
    Reject,
    /// Everything is accepted: a full queue, with a connection or without, makes room by failing the oldest message that
    /// hasn't been sent, with [`RequestError::Dropped`](crate::RequestError::Dropped).
    DropOldest,
}

/// Which messages leave with a topic alias (§3.3.2.3.4). A server's Topic Alias Maximum is never exceeded, and each
/// connection begins without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutboundAliases {
    /// None.
    #[default]
    None,
    /// Those whose [`topic_alias`](crate::Message::topic_alias) says so. The topic is sent along until the server knows
    /// the alias. An alias above the server's maximum is refused with
    /// [`RequestError::TopicAlias`](crate::RequestError::TopicAlias); a message that was accepted before the maximum was
    /// known is sent without.
    Manual,
    /// All: the topics that were used last have one.
    Lru {
        /// How many of them, if the server takes as many. The memory that they cost is that of the topics.
        maximum: u16,
    },
}

impl Default for OnSessionLost {
    fn default() -> Self {
        Self {
            qos1: LostMessage::Republish,
            qos2: LostMessage::Fail,
            subscribe: LostRequest::Fail,
            unsubscribe: LostRequest::Fail,
        }
    }
}
