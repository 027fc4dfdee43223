//! One request: its kind, how far it has come, and how it may end.

use std::task::Waker;
use std::time::Instant;

use dunlin_codec::{PacketId, QoS, ReasonCode};

use crate::engine::outbound::compact_outcome::Conclusion;
use crate::error::Omitted;
use crate::policy::{LostMessage, LostRequest, OnSessionLost};

/// Names an accepted request until its outcome is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId {
    pub(in crate::engine) key: u32,
    pub(in crate::engine) generation: u64,
}

/// How an accepted request ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// A message of QoS 0 is on the wire; one of QoS 1 or 2 is the server's now.
    Published(Published),
    /// SUBACK or UNSUBACK came, whatever it says.
    Answered(Answered),
    /// The server and this client are satisfied with each other again.
    Reauthenticated,
}

/// A message that the server has taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The identifier of the exchange; `None` at QoS 0.
    pub packet_id: Option<PacketId>,
    /// Success, or that nobody is subscribed. At QoS 2 a server that has forgotten the exchange
    /// says [`PacketIdentifierNotFound`](ReasonCode::PacketIdentifierNotFound) at its end: it
    /// had the message by then.
    pub reason_code: ReasonCode,
    /// The server's own words.
    pub reason_string: Option<String>,
    /// What the server added, in order.
    pub user_properties: Vec<(String, String)>,
    /// What wasn't copied of the reason string and the user properties.
    pub omitted: Omitted,
    /// Whether it was published anew after its session was lost, and may have arrived twice.
    pub republished: bool,
}

impl Published {
    /// A message of QoS 0: it is on the wire, and that is all.
    pub(crate) const fn unacknowledged() -> Self {
        Self {
            packet_id: None,
            reason_code: ReasonCode::Success,
            reason_string: None,
            user_properties: Vec::new(),
            omitted: Omitted {
                user_properties: 0,
                bytes: 0,
            },
            republished: false,
        }
    }
}

/// What SUBACK or UNSUBACK says.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Answered {
    /// The identifier of the exchange.
    pub packet_id: PacketId,
    /// One for each filter, in the request's order.
    pub reason_codes: Vec<ReasonCode>,
    /// The server's own words.
    pub reason_string: Option<String>,
    /// What the server added, in order.
    pub user_properties: Vec<(String, String)>,
    /// What wasn't copied of the reason string and the user properties.
    pub omitted: Omitted,
    /// Whether it was asked for anew, after a connection that ended before the answer.
    pub reissued: bool,
}

/// What kind of request it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Kind {
    PublishAtMostOnce,
    PublishAtLeastOnce,
    PublishExactlyOnce,
    Subscribe,
    /// A SUBSCRIBE of the engine's own, after the server lost the session.
    Resubscribe,
    Unsubscribe,
    /// An exchange of AUTH: it lives and dies with its connection.
    Reauthenticate,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Phase {
    /// Not on the wire of this connection, and without an identifier.
    Queued,
    /// Its first packet is on the wire: PUBACK, PUBREC, SUBACK or UNSUBACK is due.
    Sent(PacketId),
    /// A message that was on an earlier connection's wire and is to be repeated on this one's.
    Repeat(PacketId),
    /// PUBREC came: PUBREL is on the wire, PUBCOMP is due.
    Released(PacketId),
    /// Nothing more will happen.
    Done,
}

#[derive(Debug)]
pub(in crate::engine) struct Operation {
    pub(in crate::engine) kind: Kind,
    pub(in crate::engine) phase: Phase,
    /// The whole packet, with an identifier that means nothing; empty once it can't be needed
    /// again.
    pub(in crate::engine) packet: Vec<u8>,
    /// When it was first sent, or released, relative to the others.
    pub(in crate::engine) order: u64,
    /// Where it waits, if it waits to be sent.
    pub(in crate::engine) place: i64,
    /// At how many ends of connections in a row it was on the wire, as far as the server may have
    /// ended them over it.
    pub(in crate::engine) disconnects: u32,
    /// Whether it was on a wire before, as another request.
    pub(in crate::engine) is_anew: bool,
    /// Whether the time for its acknowledgement runs since an earlier connection.
    pub(in crate::engine) is_timed: bool,
    /// Whether the time that it may wait before it is sent is limited.
    pub(in crate::engine) is_limited: bool,
    /// When a message isn't worth sending any more.
    pub(in crate::engine) expires: Option<Instant>,
    /// Whether it is among those that are failed then.
    pub(in crate::engine) is_watched: bool,
    pub(in crate::engine) conclusion: Option<Conclusion>,
    pub(in crate::engine) waker: Option<Waker>,
    /// Whether somebody will take the outcome.
    pub(in crate::engine) wanted: bool,
    /// Whether an outcome was stated before it was done.
    pub(in crate::engine) settled: bool,
    /// Whether it is among those whose changes are to be known.
    pub(in crate::engine) is_noted: bool,
    /// Whether it is kept, with its packet: that never changes.
    pub(in crate::engine) is_kept: bool,
    pub(in crate::engine) generation: u64,
}

impl Operation {
    pub(in crate::engine) const fn is_publish(&self) -> bool {
        match self.kind {
            Kind::PublishAtMostOnce | Kind::PublishAtLeastOnce | Kind::PublishExactlyOnce => true,
            Kind::Subscribe | Kind::Resubscribe | Kind::Unsubscribe | Kind::Reauthenticate => false,
        }
    }

    pub(in crate::engine) const fn is(&self, id: OperationId) -> bool {
        self.generation == id.generation
    }

    /// Whether its outcome is stated already: it timed out here, and is waiting for a late
    /// acknowledgement.
    pub(in crate::engine) const fn is_settled(&self) -> bool {
        self.settled
    }

    /// Whether it timed out here and may be left at that. A subscription that was to end is still
    /// to end.
    pub(in crate::engine) const fn may_be_left(&self) -> bool {
        self.settled && !matches!(self.kind, Kind::Unsubscribe)
    }

    /// Whether it becomes a new request when its session is lost. What timed out here doesn't:
    /// nobody waits for it.
    pub(in crate::engine) const fn survives_loss(&self, policy: OnSessionLost) -> bool {
        let survives = match self.kind {
            Kind::PublishAtMostOnce | Kind::PublishAtLeastOnce => {
                matches!(policy.qos1, LostMessage::Republish)
            }
            Kind::PublishExactlyOnce => matches!(policy.qos2, LostMessage::Republish),
            Kind::Subscribe => matches!(policy.subscribe, LostRequest::Reissue),
            Kind::Unsubscribe => matches!(policy.unsubscribe, LostRequest::Reissue),
            Kind::Resubscribe | Kind::Reauthenticate => false,
        };
        survives && !self.settled && !matches!(self.phase, Phase::Released(_))
    }

    /// Of a message.
    pub(in crate::engine) const fn qos(&self) -> QoS {
        match self.kind {
            Kind::PublishExactlyOnce => QoS::ExactlyOnce,
            Kind::PublishAtLeastOnce => QoS::AtLeastOnce,
            _ => QoS::AtMostOnce,
        }
    }

    /// Whether the server's Receive Maximum counts it, once it is sent.
    pub(in crate::engine) const fn takes_quota(&self) -> bool {
        matches!(
            self.kind,
            Kind::PublishAtLeastOnce | Kind::PublishExactlyOnce
        )
    }

    /// Whether the next process goes on with it.
    pub(in crate::engine) const fn outlives_process(&self) -> bool {
        self.takes_quota() || matches!(self.kind, Kind::Unsubscribe)
    }

    /// Whether it may have to wait behind others.
    pub(in crate::engine) const fn takes_turns(&self, is_paced: bool) -> bool {
        self.takes_quota() || is_paced && self.is_publish()
    }

    /// Whether the server's Receive Maximum counts it now.
    pub(in crate::engine) const fn holds_quota(&self) -> bool {
        self.takes_quota() && matches!(self.phase, Phase::Sent(_) | Phase::Released(_))
    }

    /// The same request, whose outcome nobody will take.
    pub(in crate::engine) fn unattended(&self) -> Self {
        Self {
            packet: self.packet.clone(),
            conclusion: None,
            waker: None,
            wanted: false,
            ..*self
        }
    }

    /// Whether it can't be sent without a packet identifier of its own.
    pub(in crate::engine) const fn needs_id(&self) -> bool {
        !matches!(self.kind, Kind::PublishAtMostOnce) && matches!(self.phase, Phase::Queued)
    }
}

impl OperationId {
    pub(in crate::engine) const fn key(self) -> u32 {
        self.key
    }

    /// Its number among all requests.
    pub(in crate::engine) const fn generation(self) -> u64 {
        self.generation
    }
}
