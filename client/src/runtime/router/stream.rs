//! Queue of one stream: messages that wait to be read, and the limits of QoS 0.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::engine::{DeliveryId, Dropped};
use crate::message::ReceivedMessage;

/// Limits of the messages of QoS 0 that wait in a stream, and the reaction when they are reached.
///
/// Messages of QoS 1 and 2 don't count: they are bounded by the client's Receive Maximum, and none
/// is dropped. One message always fits, however large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Maximum number of messages. Default: 10,000.
    pub count: usize,
    /// Maximum size of their packets in bytes. Default: 16 MiB.
    pub bytes: usize,
    /// Reaction to further messages. Default: [`WhenFull::DropNewest`].
    pub when_full: WhenFull,
}

/// Reaction of a full stream to messages of QoS 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// The new message is dropped and counted.
    #[default]
    DropNewest,
    /// The oldest messages are dropped and counted until the new one fits.
    DropOldest,
    /// Nothing is dropped: the client reads nothing more from the connection until half of the
    /// limits, and of [`memory_budget`](crate::ConnectOptions::memory_budget), is free, or this
    /// stream is empty. The messages of one read, up to 64 KiB, may exceed the limits.
    ///
    /// **The danger**: while nothing is read, nothing else arrives either: no messages for other
    /// streams, no acknowledgements, no PINGRESP. The ping timeout stands still meanwhile, but
    /// acknowledgement timeouts don't, and a server that finds its buffers full may drop
    /// messages of its own or close the connection. A loop over such a stream that awaits a
    /// receipt before it reads the next message waits until that request times out.
    PauseReading,
}

impl Default for StreamLimits {
    /// 10,000 messages, 16 MiB, the newest dropped.
    fn default() -> Self {
        Self {
            count: 10_000,
            bytes: 16 << 20,
            when_full: WhenFull::DropNewest,
        }
    }
}

/// Size in bytes below which a message is copied out of its read buffer: an eighth of the largest
/// buffer.
const SMALL: usize = 8 * 1024;

/// Messages that wait for one reader.
#[derive(Debug)]
pub(crate) struct StreamQueue {
    /// Route that leads here; `None` for the stream of unmatched messages, and after the end.
    pub(super) route: Option<usize>,
    limits: StreamLimits,
    /// Messages of QoS 1 and 2, each with its number in the order of arrival.
    needs_ack: VecDeque<(u64, ReceivedMessage, DeliveryId)>,
    /// Messages of QoS 0, likewise.
    qos0: VecDeque<(u64, ReceivedMessage)>,
    /// Number of messages that have arrived.
    arrived: u64,
    /// Number up to which waiting messages have buffers of their own.
    detached_up_to: u64,
    /// Size of the packets in `qos0`, in bytes.
    bytes: usize,
    /// Bytes of memory that all messages take.
    charge: usize,
    dropped: Dropped,
    /// Topic of the first dropped message that wasn't reported yet.
    dropped_topic: Option<Box<str>>,
    /// True if the queue is full and wants reading to pause.
    pauses_reading: bool,
    ended: bool,
    /// True if the server has granted the subscription.
    pub(super) is_granted: bool,
    waker: Option<Waker>,
}

impl StreamQueue {
    pub(super) fn new(route: Option<usize>, limits: StreamLimits, ended: bool) -> Self {
        Self {
            route,
            limits,
            needs_ack: VecDeque::new(),
            qos0: VecDeque::new(),
            arrived: 0,
            detached_up_to: 0,
            bytes: 0,
            charge: 0,
            dropped: Dropped::default(),
            dropped_topic: None,
            pauses_reading: false,
            ended,
            is_granted: false,
            waker: None,
        }
    }

    /// Messages of QoS 0 that were dropped because the queue was full.
    pub(super) const fn dropped(&self) -> Dropped {
        self.dropped
    }

    fn count_dropped(&mut self, message: &ReceivedMessage) {
        self.dropped.add(message.len());
        self.dropped_topic
            .get_or_insert_with(|| message.topic().into());
    }

    /// Topic of the first message that was dropped since the last call.
    pub(super) const fn take_dropped_topic(&mut self) -> Option<Box<str>> {
        self.dropped_topic.take()
    }

    /// True if the queue is full and wants reading to pause.
    pub(super) const fn pauses_reading(&self) -> bool {
        self.pauses_reading
    }

    /// Ends the queue: it takes no further messages. Returns the waker of its reader.
    pub(super) const fn end(&mut self) -> Option<Waker> {
        self.ended = true;
        self.pauses_reading = false;
        self.waker.take()
    }

    /// Removes the messages of QoS 1 and 2: the server sends them again.
    pub(super) fn discard_unacknowledged(&mut self) {
        self.needs_ack.clear();
        self.charge = self.qos0.iter().map(|(_, message)| message.charge()).sum();
    }

    /// Bytes of memory that all messages take.
    pub(super) const fn charge(&self) -> usize {
        self.charge
    }

    /// Id of the first message of QoS 1 or 2.
    pub(super) fn first_needing_ack(&self) -> Option<DeliveryId> {
        self.needs_ack.front().map(|(_, _, id)| *id)
    }

    /// Number of messages of QoS 1 and 2.
    pub(super) fn need_ack_len(&self) -> usize {
        self.needs_ack.len()
    }

    /// Adds a message and returns the waker of the reader. Messages of QoS 1 and 2 always fit;
    /// those of QoS 0 may take `free` bytes of memory.
    pub(super) fn push(
        &mut self,
        message: ReceivedMessage,
        id: Option<DeliveryId>,
        free: usize,
    ) -> Option<Waker> {
        self.arrived += 1;
        // Messages of QoS 1 and 2 are never dropped here: the Receive Maximum bounds their number.
        let Some(id) = id else {
            return self.push_qos0(message, free);
        };
        self.charge += message.charge();
        self.needs_ack.push_back((self.arrived, message, id));
        self.waker.take()
    }

    fn push_qos0(&mut self, message: ReceivedMessage, mut free: usize) -> Option<Waker> {
        let (size, charge) = (size(&message), message.charge());
        // A message that doesn't fit is dropped, or replaces older ones.
        match self.limits.when_full {
            WhenFull::DropNewest if !self.fits(size) || charge > free => {
                self.count_dropped(&message);
                return None;
            }
            WhenFull::DropOldest => {
                while !self.fits(size) || charge > free {
                    // Drop from the front until the message fits, or none is left to drop.
                    let before = self.charge;
                    let Some(oldest) = self.remove_qos0() else {
                        self.count_dropped(&message);
                        return None;
                    };
                    self.count_dropped(&oldest);
                    free += before - self.charge;
                }
            }
            WhenFull::DropNewest | WhenFull::PauseReading => {}
        }

        // `PauseReading` takes this one, too: it has been read. The connection stops reading after
        // it.
        self.bytes += size;
        self.charge += charge;
        self.qos0.push_back((self.arrived, message));
        self.pauses_reading = self.limits.when_full == WhenFull::PauseReading
            && (self.qos0.len() >= self.limits.count
                || self.bytes >= self.limits.bytes
                || charge > free);
        self.waker.take()
    }

    /// Polls for the next message, with the id to acknowledge it by; `None` at the end.
    /// `has_drained`: see [`pop_qos0`](Self::pop_qos0).
    pub(super) fn poll_next(
        &mut self,
        cx: &Context<'_>,
        has_drained: bool,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        // Messages come before the end: a stream that has ended is still read to its end.
        if let Some(next) = self.pop(has_drained) {
            return Poll::Ready(Some(next));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Removes the next message, if one waits. `has_drained`: see [`pop_qos0`](Self::pop_qos0).
    pub(super) fn pop(
        &mut self,
        has_drained: bool,
    ) -> Option<(ReceivedMessage, Option<DeliveryId>)> {
        // Both queues hold a part of one order of arrival; `pop_qos0` compares their heads.
        match self.pop_qos0(has_drained) {
            Some(message) => Some((message, None)),
            None => {
                let (_, message, id) = self.needs_ack.pop_front()?;
                self.charge -= message.charge();
                Some((message, Some(id)))
            }
        }
    }

    /// Removes the next message if it is of QoS 0.
    ///
    /// A queue that pauses reading does so until half of its limits is free and the messages of all
    /// streams take no more than half of the client's memory budget (`has_drained`), or until it is
    /// empty.
    pub(super) fn pop_qos0(&mut self, has_drained: bool) -> Option<ReceivedMessage> {
        // An older message of QoS 1 or 2 goes first.
        if let (Some((needs_ack, ..)), Some((qos0, _))) =
            (self.needs_ack.front(), self.qos0.front())
            && needs_ack < qos0
        {
            return None;
        }
        let message = self.remove_qos0()?;
        // Reading resumes at half of the limits, not at the first free place: each pause and each
        // resumption wakes the driver.
        let (count, bytes) = (self.limits.count / 2, self.limits.bytes / 2);
        let is_low = has_drained && self.qos0.len() <= count && self.bytes <= bytes;
        self.pauses_reading &= !is_low && !self.qos0.is_empty();
        Some(message)
    }

    fn remove_qos0(&mut self) -> Option<ReceivedMessage> {
        let (_, message) = self.qos0.pop_front()?;
        self.bytes -= size(&message);
        self.charge -= message.charge();
        Some(message)
    }

    fn fits(&self, size: usize) -> bool {
        self.qos0.is_empty()
            || self.qos0.len() < self.limits.count && self.bytes + size <= self.limits.bytes
    }

    /// Releases memory that a burst has left: spare capacity of the queues, and the read buffers
    /// that small messages share with others.
    pub(super) fn give_back_memory(&mut self) {
        // Messages that were there at the last call have been looked at.
        let is_new = |number: u64| number > self.detached_up_to;
        let newest_first = self.needs_ack.iter_mut().rev();
        newest_first
            .take_while(|(number, ..)| is_new(*number))
            .for_each(|(_, message, _)| detach(message));
        let newest_first = self.qos0.iter_mut().rev();
        newest_first
            .take_while(|(number, _)| is_new(*number))
            .for_each(|(_, message)| detach(message));
        self.detached_up_to = self.arrived;
        self.needs_ack.shrink_to(2 * self.needs_ack.len());
        self.qos0.shrink_to(2 * self.qos0.len());
    }
}

/// Copies a small message into a buffer of its own.
fn detach(message: &mut ReceivedMessage) {
    if size(message) < SMALL {
        *message = message.to_owned_buffer();
    }
}

fn size(message: &ReceivedMessage) -> usize {
    message.packet().as_bytes().len()
}
