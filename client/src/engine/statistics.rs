//! What a client has done, in numbers, and what it is at.

use dunlin_codec::QoS;

use crate::engine::Engine;
use crate::engine::outbound::compact_outcome::Conclusion;
use crate::engine::outbound::operation::Outcome;
use crate::error::RequestError;

/// What an engine has done since it was made, and what it holds now.
///
/// Each request that has ended is counted once, by how it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Connections that a server accepted.
    pub connections: u64,
    /// Of those, the ones that went on with a session.
    pub resumed: u64,
    /// Packets that were put into the output.
    pub packets_sent: u64,
    /// Packets that came.
    pub packets_received: u64,
    /// Bytes that were taken from the output.
    pub bytes_sent: u64,
    /// Bytes of the packets that came.
    pub bytes_received: u64,
    /// Messages that were sent, each once.
    pub messages_sent: ByQoS,
    /// Messages that came, as often as they did.
    pub messages_received: ByQoS,
    /// Received messages that were refused because they were wrong in themselves
    /// ([`InvalidMessages::Refuse`](crate::InvalidMessages::Refuse)); they are among
    /// `messages_received`.
    pub invalid_messages: u64,
    /// Messages that were sent again after a connection had ended.
    pub repeated: u64,
    /// Messages of QoS 1 and 2 that the server has taken.
    pub acknowledged: u64,
    /// SUBSCRIBE and UNSUBSCRIBE that were answered.
    pub answered: u64,
    /// Requests that the server refused.
    pub refused: u64,
    /// Requests that weren't acknowledged in time.
    pub timed_out: u64,
    /// Messages that expired before they could be sent.
    pub expired: u64,
    /// Messages that made room in a full queue.
    pub dropped: u64,
    /// Messages that were taken for the reason of closed connections.
    pub poisoned: u64,
    /// Requests that were lost with their session.
    pub lost: u64,
    /// Requests that failed otherwise, after they were accepted.
    pub failed: u64,
    /// Messages that were dropped on this side, by cause.
    pub dropped_messages: DroppedMessages,
    /// Requests that aren't at their end now.
    pub unfinished: usize,
    /// Of those, the ones that a server may have.
    pub in_flight: usize,
    /// Of those, the ones that wait to be sent for the first time.
    pub queued: usize,
    /// Bytes that are held now for requests and in the output.
    pub bytes_held: usize,
}

/// Messages that were dropped on this side, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DroppedMessages {
    /// Received messages that no stream matched: see
    /// [`DropCause::Unmatched`](crate::DropCause::Unmatched), and those that were
    /// still on their way to a subscription that had ended.
    pub unmatched: Dropped,
    /// Received messages of QoS 0 for which a stream or the memory budget had no space.
    pub stream_full: Dropped,
    /// Received messages that were in a stream when the application dropped it; those of QoS 1 and
    /// 2 were acknowledged.
    pub unconsumed: Dropped,
    /// Received messages whose [`Acknowledgement`](crate::Acknowledgement) was dropped without an
    /// answer, and that were refused with reason code 0x80.
    pub unanswered: Dropped,
    /// Received messages that were refused because they were wrong in themselves.
    pub refused: Dropped,
    /// Messages to send whose Message Expiry Interval ended before they could be sent; bytes of
    /// their packets.
    pub expired: Dropped,
}

/// A number of messages, and the bytes of their packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Number of messages.
    pub count: u64,
    /// Size of their packets in bytes.
    pub bytes: u64,
}

/// A number for each QoS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ByQoS {
    /// QoS 0.
    pub at_most_once: u64,
    /// QoS 1.
    pub at_least_once: u64,
    /// QoS 2.
    pub exactly_once: u64,
}

impl Dropped {
    /// Counts one more message.
    pub(crate) const fn add(&mut self, bytes: usize) {
        self.count += 1;
        self.bytes += bytes as u64;
    }
}

impl ByQoS {
    pub(super) const fn count(&mut self, qos: QoS) {
        match qos {
            QoS::AtMostOnce => self.at_most_once += 1,
            QoS::AtLeastOnce => self.at_least_once += 1,
            QoS::ExactlyOnce => self.exactly_once += 1,
        }
    }
}

impl Statistics {
    /// A request has its outcome.
    pub(super) fn count_end(&mut self, conclusion: &Conclusion) {
        let outcome = match conclusion {
            Conclusion::Acknowledged { .. } => {
                self.acknowledged += 1;
                return;
            }
            Conclusion::Other(outcome) => &**outcome,
        };
        let count = match outcome {
            Ok(Outcome::Published(published)) if published.packet_id.is_some() => {
                &mut self.acknowledged
            }
            Ok(Outcome::Published(_) | Outcome::Reauthenticated) => return,
            Ok(Outcome::Answered(_)) => &mut self.answered,
            Err(RequestError::Refused(_)) => &mut self.refused,
            Err(RequestError::Timeout { .. } | RequestError::RequestTimeout { .. }) => {
                &mut self.timed_out
            }
            Err(RequestError::Expired) => &mut self.expired,
            Err(RequestError::Dropped) => &mut self.dropped,
            Err(RequestError::Poisoned { .. }) => &mut self.poisoned,
            Err(RequestError::SessionLost) => &mut self.lost,
            Err(_) => &mut self.failed,
        };
        *count += 1;
    }
}

impl Engine {
    /// What was done so far, and what is held now.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        let (unfinished, bytes_held) = self.load();
        Statistics {
            unfinished,
            in_flight: self.session.in_flight(),
            queued: self.session.queued(),
            bytes_held,
            ..*self.session.operations.statistics()
        }
    }

    /// Counters of dropped messages.
    #[cfg(feature = "tokio")]
    pub(crate) const fn dropped_messages(&mut self) -> &mut DroppedMessages {
        &mut self.counts().dropped_messages
    }

    pub(super) const fn counts(&mut self) -> &mut Statistics {
        self.session.operations.statistics_mut()
    }
}
