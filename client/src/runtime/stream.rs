//! One stream: what waits in it, in order, and what happens when it is full.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use crate::engine::{DeliveryId, Dropped};
use crate::message::ReceivedMessage;

/// How much of QoS 0 waits in a stream, and what happens to more. Messages of QoS 1 and 2 don't
/// count: they are bounded by the client's Receive Maximum, and nothing is lost of them.
///
/// One message always fits, however large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Messages.
    pub count: usize,
    /// Bytes of their packets.
    pub bytes: usize,
    /// What happens to more.
    pub when_full: WhenFull,
}

/// What a full stream does with messages of QoS 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// The new one is dropped, and counted.
    #[default]
    DropNewest,
    /// The oldest ones make room, and are counted.
    DropOldest,
    /// Nothing is dropped: the client reads nothing more from the connection until half of the
    /// limits, and of [`memory_budget`](crate::ConnectOptions::memory_budget), is free, or this
    /// stream is empty. What one read brought, up to 64 KiB, may lie above the limits.
    ///
    /// **The danger**: while nothing is read, nothing else arrives either: no messages for other
    /// streams, no acknowledgements, no PINGRESP. The ping timeout stands still meanwhile, but
    /// acknowledgement timeouts don't, and a server that finds its buffers full may drop
    /// messages of its own or close the connection. A loop over such a stream that awaits a
    /// receipt before it takes the next message waits until that request times out.
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

/// What waits for one reader.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Where its messages come from; `None` for the catch-all.
    pub(crate) route: Option<usize>,
    limits: StreamLimits,
    /// Of QoS 1 and 2, each with its place among all that came.
    owed: VecDeque<(u64, ReceivedMessage, DeliveryId)>,
    /// Of QoS 0, likewise.
    unowed: VecDeque<(u64, ReceivedMessage)>,
    arrived: u64,
    /// Up to which place those that still wait have buffers of their own.
    kept_alone: u64,
    /// Of `unowed`.
    bytes: usize,
    /// Bytes of memory that all messages take.
    held: usize,
    dropped: u64,
    /// Bytes of the packets of those that were dropped.
    dropped_bytes: u64,
    /// Topic of the first one that wasn't reported yet.
    dropped_topic: Option<Box<str>>,
    /// Whether it is full and must not be given more.
    holds_up: bool,
    ended: bool,
    /// Whether the server has granted the subscription.
    pub(crate) is_granted: bool,
    waker: Option<Waker>,
}

impl Stream {
    pub(crate) const fn new(route: Option<usize>, limits: StreamLimits, ended: bool) -> Self {
        Self {
            route,
            limits,
            owed: VecDeque::new(),
            unowed: VecDeque::new(),
            arrived: 0,
            kept_alone: 0,
            bytes: 0,
            held: 0,
            dropped: 0,
            dropped_bytes: 0,
            dropped_topic: None,
            holds_up: false,
            ended,
            is_granted: false,
            waker: None,
        }
    }

    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Messages of QoS 0 that were dropped, and the bytes of their packets.
    pub(crate) const fn dropped_total(&self) -> Dropped {
        Dropped {
            count: self.dropped,
            bytes: self.dropped_bytes,
        }
    }

    fn count_dropped(&mut self, message: &ReceivedMessage) {
        self.dropped += 1;
        self.dropped_bytes += message.len() as u64;
        self.dropped_topic
            .get_or_insert_with(|| message.topic().into());
    }

    /// Topic of the first message that was dropped since the last call.
    pub(crate) const fn take_dropped_topic(&mut self) -> Option<Box<str>> {
        self.dropped_topic.take()
    }

    pub(crate) const fn holds_up(&self) -> bool {
        self.holds_up
    }

    /// Takes nothing more, and holds nothing up; whoever waits for the next message is to be woken.
    pub(crate) fn end(&mut self) -> Option<Waker> {
        self.ended = true;
        self.holds_up = false;
        self.waker.take()
    }

    /// Lets go of what isn't acknowledged: it comes again.
    pub(crate) fn hand_back(&mut self) {
        self.owed.clear();
        self.held = self
            .unowed
            .iter()
            .map(|(_, message)| message.charge())
            .sum();
    }

    /// Bytes of memory that its messages take.
    pub(crate) const fn held(&self) -> usize {
        self.held
    }

    /// The first message of QoS 1 or 2 in it.
    pub(crate) fn first_acknowledged(&self) -> Option<DeliveryId> {
        self.owed.front().map(|(_, _, id)| *id)
    }

    /// Number of messages of QoS 1 and 2 in it.
    pub(crate) fn acknowledged_len(&self) -> usize {
        self.owed.len()
    }

    /// Takes a message, if there is room; whoever waits for it is to be woken. What is acknowledged
    /// always has room. Those of QoS 0 have `free` bytes of the client's memory budget.
    pub(crate) fn push(
        &mut self,
        message: ReceivedMessage,
        id: Option<DeliveryId>,
        free: usize,
    ) -> Option<Waker> {
        self.arrived += 1;
        let Some(id) = id else {
            return self.push_unowed(message, free);
        };
        self.held += message.charge();
        self.owed.push_back((self.arrived, message, id));
        self.waker.take()
    }

    fn push_unowed(&mut self, message: ReceivedMessage, mut free: usize) -> Option<Waker> {
        let (size, charge) = (size(&message), message.charge());
        match self.limits.when_full {
            WhenFull::DropNewest if !self.has_room(size) || charge > free => {
                self.count_dropped(&message);
                return None;
            }
            WhenFull::DropOldest => {
                while !self.has_room(size) || charge > free {
                    let before = self.held;
                    match self.pop_unowed() {
                        Some(oldest) => self.count_dropped(&oldest),
                        None => {
                            self.count_dropped(&message);
                            return None;
                        }
                    }
                    free += before - self.held;
                }
            }
            WhenFull::DropNewest | WhenFull::PauseReading => {}
        }
        self.bytes += size;
        self.held += charge;
        self.unowed.push_back((self.arrived, message));
        self.holds_up = self.limits.when_full == WhenFull::PauseReading
            && (self.unowed.len() >= self.limits.count
                || self.bytes >= self.limits.bytes
                || charge > free);
        self.waker.take()
    }

    /// The next message; with it, the name under which it is taken. For `has_drained` see
    /// [`next_unowed`](Self::next_unowed).
    pub(crate) fn poll_next(
        &mut self,
        cx: &Context<'_>,
        has_drained: bool,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        if let Some(next) = self.pop(has_drained) {
            return Poll::Ready(Some(next));
        }
        if self.ended {
            return Poll::Ready(None);
        }
        self.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Gives back memory that a burst has left: room in the queues, and the buffers that small
    /// messages were read into together with others.
    pub(crate) fn give_back_memory(&mut self) {
        let is_new = |place: u64| place > self.kept_alone;
        let owed = self
            .owed
            .iter_mut()
            .rev()
            .map(|(place, message, _)| (*place, message));
        owed.take_while(|(place, _)| is_new(*place))
            .for_each(|(_, message)| keep_alone(message));
        let unowed = self
            .unowed
            .iter_mut()
            .rev()
            .map(|(place, message)| (*place, message));
        unowed
            .take_while(|(place, _)| is_new(*place))
            .for_each(|(_, message)| keep_alone(message));
        self.kept_alone = self.arrived;
        self.owed.shrink_to(2 * self.owed.len());
        self.unowed.shrink_to(2 * self.unowed.len());
    }

    /// The next message, if one waits. For `has_drained` see [`next_unowed`](Self::next_unowed).
    pub(crate) fn pop(
        &mut self,
        has_drained: bool,
    ) -> Option<(ReceivedMessage, Option<DeliveryId>)> {
        match self.next_unowed(has_drained) {
            Some(message) => Some((message, None)),
            None => {
                let (_, message, id) = self.owed.pop_front()?;
                self.held -= message.charge();
                Some((message, Some(id)))
            }
        }
    }

    /// The next message, if no acknowledgement is owed for it. A stream that holds the connection
    /// up does so until half of its limits is free and the messages of all streams have left
    /// half of the client's memory budget (`has_drained`), or it is empty.
    pub(crate) fn next_unowed(&mut self, has_drained: bool) -> Option<ReceivedMessage> {
        if let (Some((owed, ..)), Some((unowed, _))) = (self.owed.front(), self.unowed.front())
            && owed < unowed
        {
            return None;
        }
        let message = self.pop_unowed()?;
        let (count, bytes) = (self.limits.count / 2, self.limits.bytes / 2);
        let is_low = has_drained && self.unowed.len() <= count && self.bytes <= bytes;
        self.holds_up &= !is_low && !self.unowed.is_empty();
        Some(message)
    }

    fn pop_unowed(&mut self) -> Option<ReceivedMessage> {
        let (_, message) = self.unowed.pop_front()?;
        self.bytes -= size(&message);
        self.held -= message.charge();
        Some(message)
    }

    fn has_room(&self, size: usize) -> bool {
        self.unowed.is_empty()
            || self.unowed.len() < self.limits.count && self.bytes + size <= self.limits.bytes
    }
}

/// A small message in a large buffer gets one of its own.
fn keep_alone(message: &mut ReceivedMessage) {
    if size(message) < SMALL {
        *message = message.to_owned_buffer();
    }
}

/// An eighth of the largest buffer that is read into.
const SMALL: usize = 8 * 1024;

fn size(message: &ReceivedMessage) -> usize {
    message.packet().as_bytes().len()
}
