//! What a client may decide for itself: about lost sessions, times without a connection, topic
//! aliases.

/// What the client does with a received message that is wrong only in itself: in what its publisher
/// wrote, and a lax server passed on. [`ErrorScope`](dunlin_codec::ErrorScope) has the table of
/// faults.
///
/// What breaks the rules of the connection closes it in any case (§4.13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum InvalidMessages {
    /// The message is refused and the connection stays, as the standard allows clients
    /// [U-4.13.1-1].
    ///
    /// At QoS 1 and 2 it is acknowledged with 0x80 (Unspecified error), in its turn; it reaches no
    /// stream, is counted in
    /// [`Statistics::invalid_messages`](crate::engine::Statistics::invalid_messages), and told as
    /// [`Event::MessageRefused`](crate::Event::MessageRefused).
    #[default]
    Refuse,
    /// The client closes the connection, as the standard recommends: with 0x81 (Malformed Packet),
    /// 0x82 (Protocol Error) or 0x99 (Payload format invalid). A server that has such a message
    /// for this client, a retained one for instance, will send it again on the next connection.
    CloseConnection,
}

/// What becomes of requests that were on the wire when the connection ended, if the server then has
/// no session to go on with (§4.4). It may have got them or not.
///
/// A message of QoS 2 whose PUBREC came is the server's, and the exchange can't be finished any
/// more: it always fails with [`RequestError::SessionLost`](crate::RequestError::SessionLost).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OnSessionLost {
    /// Messages of QoS 1: `Republish` by default.
    pub qos1: LostMessage,
    /// Messages of QoS 2: `Fail` by default.
    pub qos2: LostMessage,
    /// SUBSCRIBE: `Reissue` by default.
    pub subscribe: LostRequest,
    /// UNSUBSCRIBE: `Reissue` by default.
    pub unsubscribe: LostRequest,
}

/// What becomes of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostMessage {
    /// It is published as a new one, in its old order, and may arrive twice. Its receipt says so.
    Republish,
    /// It fails with [`RequestError::SessionLost`](crate::RequestError::SessionLost), and may have
    /// arrived.
    Fail,
}

/// What becomes of a SUBSCRIBE or an UNSUBSCRIBE that the server didn't answer before the session
/// was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LostRequest {
    /// It is sent as a new request with a new packet identifier, in its old order
    /// ([`Answered::reissued`](crate::engine::Answered::reissued)). It isn't a resend
    /// [MQTT-4.4.0-1].
    Reissue,
    /// It fails with [`RequestError::SessionLost`](crate::RequestError::SessionLost).
    Fail,
}

/// What is accepted while there is no connection, and what a full queue does.
/// [`QueueLimits`](crate::QueueLimits) bound every one of them. What was accepted before a
/// connection ended stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offline {
    /// Everything is accepted, and a full queue takes nothing more.
    #[default]
    KeepAll,
    /// As `KeepAll`, but messages of QoS 0 are refused with
    /// [`RequestError::Offline`](crate::RequestError::Offline).
    DropQoS0,
    /// Everything is refused with [`RequestError::Offline`](crate::RequestError::Offline).
    Reject,
    /// Everything is accepted: a full queue, with a connection or without, makes room by failing
    /// the oldest message that hasn't been sent, with
    /// [`RequestError::Dropped`](crate::RequestError::Dropped).
    DropOldest,
}

/// Which messages leave with a topic alias (§3.3.2.3.4). A server's Topic Alias Maximum is never
/// exceeded, and each connection begins without any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OutboundAliases {
    /// None.
    #[default]
    None,
    /// Those whose [`topic_alias`](crate::Message::topic_alias) says so. The topic is sent along
    /// until the server knows the alias. An alias above the server's maximum is refused with
    /// [`RequestError::TopicAlias`](crate::RequestError::TopicAlias); a message that was accepted
    /// before the maximum was known is sent without.
    Manual,
    /// All: the topics that were used last have one.
    Lru {
        /// How many of them, if the server takes as many. The memory that they cost is that of the
        /// topics.
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

/// What becomes of a received message of QoS 1 or 2 whose `Acknowledgement` is dropped without an
/// answer.
///
/// Nothing behind it can be acknowledged meanwhile (§4.6). Five seconds after the drop, or at once
/// if the thread is panicking, the policy is applied; never once the client is being stopped or its
/// runtime shuts down: then the server sends the message again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnDropped {
    /// The message is refused with reason code 0x80 (Unspecified error), counted, and reported as
    /// [`Event::MessageDropped`](crate::Event::MessageDropped).
    #[default]
    Reject,
    /// The message is acknowledged with success.
    Accept,
    /// The message stays unacknowledged on this connection, and so do all behind it; the server
    /// sends it again on the next connection of the session, and it is delivered again.
    Hold,
}
