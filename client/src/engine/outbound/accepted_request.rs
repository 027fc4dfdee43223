//! One accepted request: its stage, its time limits and its outcome.

use std::task::Waker;
use std::time::Instant;

use dunlin_codec::{PacketId, QoS};

use crate::engine::outbound::outcome::CompactOutcome;
use crate::engine::outbound::request::Request;
use crate::policy::{LostMessage, LostRequest, OnSessionLost};

/// Identifier of an accepted request. It stays valid until the outcome is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OperationId {
    /// Slot in the table of operations; slots are used again.
    pub(super) key: u32,
    /// Number among all requests of the session, from 1.
    pub(super) generation: u64,
}

impl OperationId {
    /// Slot in the table of operations.
    pub(in crate::engine) const fn key(self) -> u32 {
        self.key
    }

    /// Number among all requests of the session.
    pub(in crate::engine) const fn generation(self) -> u64 {
        self.generation
    }
}

/// Progress of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum RequestStage {
    /// Not sent on this connection, and without a packet identifier.
    Queued,
    /// The first packet is written: PUBACK, PUBREC, SUBACK or UNSUBACK is awaited.
    Sent(PacketId),
    /// A message that an earlier connection carried and that this connection has to repeat.
    Resend(PacketId),
    /// PUBREC was received and PUBREL is written: PUBCOMP is awaited.
    Released(PacketId),
    /// Complete: nothing is sent or awaited any more.
    Done,
}

/// Time limit of a request on the clock of [`AckDeadlines`](super::ack_deadlines::AckDeadlines).
///
/// The limit only ever moves from one variant to a later one, except that a request that was sent
/// in time goes back from `ForSending` to `None`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum TimeLimit {
    /// No limit.
    None,
    /// The request has to be sent in time.
    ForSending,
    /// The request has to be acknowledged in time, counted since an earlier connection.
    ForAcknowledgement,
}

/// Time at which a message that was not sent fails.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Expiry {
    /// End of the Message Expiry Interval.
    pub(in crate::engine) at: Instant,
    /// Entry in the heap of [`Expiries`](super::expiry::Expiries), so that none is made twice.
    pub(in crate::engine) is_watched: bool,
}

/// Outcome of a request, and the application's interest in it.
#[derive(Debug)]
pub(in crate::engine) enum Completion {
    /// No outcome yet; the waker belongs to whoever polled last.
    Pending(Option<Waker>),
    /// No outcome yet, and nobody will take it.
    Unattended,
    /// The outcome is known and has not been taken.
    Ready(CompactOutcome),
    /// The outcome was taken, or nobody wants it.
    Taken,
}

impl Completion {
    /// Returns `true` if the outcome is known: the request may still wait for a late
    /// acknowledgement.
    const fn has_outcome(&self) -> bool {
        matches!(self, Self::Ready(_) | Self::Taken)
    }

    /// Returns `true` if the application may still take the outcome.
    pub(in crate::engine) const fn has_receiver(&self) -> bool {
        matches!(self, Self::Pending(_) | Self::Ready(_))
    }

    /// The same state without a receiver.
    const fn unattended(&self) -> Self {
        if self.has_outcome() {
            Self::Taken
        } else {
            Self::Unattended
        }
    }
}

/// An accepted request.
#[derive(Debug)]
pub(in crate::engine) struct AcceptedRequest {
    pub(in crate::engine) request: Request,
    pub(in crate::engine) stage: RequestStage,
    /// Number of the first send, or of PUBREC, among all of the session; 0 before.
    pub(in crate::engine) order: u64,
    /// Position among the requests that wait to be sent, in ascending order.
    pub(in crate::engine) queue_position: i64,
    /// Number of connections in a row that the server closed while this message was unacknowledged.
    pub(in crate::engine) disconnects: u32,
    /// `true` for a request that was sent before under another packet identifier.
    pub(in crate::engine) is_reissued: bool,
    pub(in crate::engine) time_limit: TimeLimit,
    /// `None` for messages that never expire, and for other requests.
    pub(in crate::engine) expiry: Option<Expiry>,
    pub(in crate::engine) completion: Completion,
    /// `true` if the store has this request.
    pub(super) is_persisted: bool,
    pub(super) generation: u64,
}

impl AcceptedRequest {
    /// A request that was accepted just now.
    pub(super) const fn new(request: Request, completion: Completion, generation: u64) -> Self {
        Self {
            request,
            stage: RequestStage::Queued,
            order: 0,
            queue_position: 0,
            disconnects: 0,
            is_reissued: false,
            time_limit: TimeLimit::None,
            expiry: None,
            completion,
            is_persisted: false,
            generation,
        }
    }

    /// Returns `true` if `id` means this request, and not an earlier one in the same slot.
    pub(in crate::engine) const fn is(&self, id: OperationId) -> bool {
        self.generation == id.generation
    }

    /// Returns `true` if nothing more happens to the request.
    pub(in crate::engine) const fn is_done(&self) -> bool {
        matches!(self.stage, RequestStage::Done)
    }

    /// Returns `true` if the request waits to be sent for the first time.
    pub(in crate::engine) const fn is_queued(&self) -> bool {
        matches!(self.stage, RequestStage::Queued)
    }

    /// Returns `true` if the outcome is known. A request that timed out still waits for a late
    /// acknowledgement.
    pub(in crate::engine) const fn has_outcome(&self) -> bool {
        self.completion.has_outcome()
    }

    /// Returns `true` if the request timed out and need not be sent again. UNSUBSCRIBE still has to
    /// reach the server.
    pub(in crate::engine) const fn is_expendable(&self) -> bool {
        self.has_outcome() && !matches!(self.request, Request::Unsubscribe(_))
    }

    /// Returns `true` if `policy` makes a new request of this one when its session is lost.
    /// Requests that timed out are not repeated.
    pub(in crate::engine) const fn survives_loss(&self, policy: OnSessionLost) -> bool {
        let survives = match &self.request {
            Request::Publish(publish) => match publish.qos {
                QoS::AtMostOnce | QoS::AtLeastOnce => {
                    matches!(policy.qos1, LostMessage::Republish)
                }
                QoS::ExactlyOnce => matches!(policy.qos2, LostMessage::Republish),
            },
            Request::Subscribe(subscribe) => {
                !subscribe.is_resubscribe && matches!(policy.subscribe, LostRequest::Reissue)
            }
            // Nobody would learn of a failure, and a SUBSCRIBE before it may be sent again.
            Request::Unsubscribe(_) => {
                matches!(policy.unsubscribe, LostRequest::Reissue)
                    || !self.completion.has_receiver()
            }
            Request::Authenticate => false,
        };
        survives && !self.has_outcome() && !matches!(self.stage, RequestStage::Released(_))
    }

    /// Returns `true` if the server's Receive Maximum counts the message now.
    pub(in crate::engine) const fn holds_quota(&self) -> bool {
        self.request.needs_quota()
            && matches!(
                self.stage,
                RequestStage::Sent(_) | RequestStage::Released(_)
            )
    }

    /// Returns `true` if the request needs a new packet identifier to be sent.
    pub(in crate::engine) const fn needs_packet_id(&self) -> bool {
        self.is_queued() && self.request.has_packet_id()
    }

    /// A copy for a session that moves on: nobody takes its outcome.
    pub(super) fn unattended(&self) -> Self {
        Self {
            request: self.request.clone(),
            completion: self.completion.unattended(),
            ..*self
        }
    }
}
