//! Counters of an engine, and sizes of what it holds.

use dunlin_codec::QoS;

use super::outbound::outcome::{CompactOutcome, Outcome};
use crate::error::RequestError;

/// Counters since the engine was made, and sizes of what it holds now.
///
/// Each request that has ended is counted once, by its outcome.
///
/// ```
/// use dunlin_client::engine::Statistics;
///
/// /// Line for a log, for instance of `Client::statistics`.
/// fn summary(statistics: &Statistics) -> String {
///     format!(
///         "{} connections, {} messages acknowledged, {} waiting",
///         statistics.connections, statistics.acknowledged, statistics.queued,
///     )
/// }
///
/// assert_eq!(summary(&Statistics::default()), "0 connections, 0 messages acknowledged, 0 waiting");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Connections that a server accepted.
    pub connections: u64,
    /// Accepted connections that resumed a session.
    pub resumed: u64,
    /// Packets that were written into the output.
    pub packets_sent: u64,
    /// Packets that were received.
    pub packets_received: u64,
    /// Bytes that were taken from the output.
    pub bytes_sent: u64,
    /// Bytes of received packets.
    pub bytes_received: u64,
    /// Messages that were sent, without repetitions.
    pub messages_sent: ByQoS,
    /// Messages that were received, with repetitions.
    pub messages_received: ByQoS,
    /// Received messages that were refused because they were wrong in themselves
    /// ([`InvalidMessages::Refuse`](crate::InvalidMessages::Refuse)); they are among
    /// `messages_received`.
    pub invalid_messages: u64,
    /// Messages that were sent again after a connection had ended.
    pub repeated: u64,
    /// Messages of QoS 1 and 2 that the server acknowledged.
    pub acknowledged: u64,
    /// PINGRESP packets that were received.
    pub pings_answered: u64,
    /// SUBSCRIBE and UNSUBSCRIBE requests that were answered.
    pub answered: u64,
    /// Requests that the server refused.
    pub refused: u64,
    /// Requests that weren't acknowledged in time.
    pub timed_out: u64,
    /// Messages that expired before they could be sent.
    pub expired: u64,
    /// Messages that were dropped to make space in a full queue.
    pub dropped: u64,
    /// Messages that the poison guard failed
    /// ([`ConnectOptions::poison_guard`](crate::ConnectOptions::poison_guard)).
    pub poisoned: u64,
    /// Requests that were lost with their session.
    pub lost: u64,
    /// Requests that failed otherwise, after they were accepted.
    pub failed: u64,
    /// Messages that this client dropped, by cause.
    pub dropped_messages: DroppedMessages,
    /// Requests that are not complete now.
    pub unfinished: usize,
    /// Unfinished requests that a server may have.
    pub in_flight: usize,
    /// Unfinished requests that wait to be sent for the first time.
    pub queued: usize,
    /// Bytes that are held now for requests and in the output.
    pub bytes_held: usize,
}

/// Messages that this client dropped, by cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct DroppedMessages {
    /// Received messages that no stream matched
    /// ([`DropCause::Unmatched`](crate::DropCause::Unmatched)), and those that arrived for a
    /// subscription that had ended.
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

/// Number of dropped messages, and the bytes of their packets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// Number of messages.
    pub count: u64,
    /// Size of their packets in bytes.
    pub bytes: u64,
}

/// One counter for each QoS.
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
    /// Counts a message that was written into the output.
    #[inline]
    pub(super) const fn count_sent(&mut self, qos: QoS, is_repetition: bool) {
        self.packets_sent += 1;
        if is_repetition {
            self.repeated += 1;
        } else {
            self.messages_sent.count(qos);
        }
    }

    /// Counts the outcome of a request.
    pub(super) fn count_outcome(&mut self, outcome: &CompactOutcome) {
        let outcome = match outcome {
            CompactOutcome::Acknowledged { .. } => {
                self.acknowledged += 1;
                return;
            }
            CompactOutcome::Other(outcome) => &**outcome,
        };
        let count = match outcome {
            Ok(Outcome::Published(published)) if published.packet_id.is_some() => {
                &mut self.acknowledged
            }
            // Messages of QoS 0 are counted when they are sent.
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
