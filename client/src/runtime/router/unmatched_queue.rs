//! Messages of a resumed session that no stream matches yet, in order of arrival.

use std::collections::VecDeque;
use std::time::Instant;

use super::stream::StreamLimits;
use crate::engine::DeliveryId;
use crate::message::ReceivedMessage;

/// Messages that wait for a stream.
///
/// Messages of QoS 1 and 2 are bounded by the client's Receive Maximum, and the engine decides how
/// long they wait. Messages of QoS 0 are bounded by the default limits of a stream; beyond them
/// new ones are dropped.
#[derive(Debug, Default)]
pub(crate) struct UnmatchedQueue {
    messages: VecDeque<UnmatchedMessage>,
    /// Number of messages of QoS 0, and the size of their packets in bytes.
    count_qos0: usize,
    bytes_qos0: usize,
    /// Bytes of memory that all messages take.
    charge: usize,
}

/// One message that waits for a stream.
#[derive(Debug)]
pub(crate) struct UnmatchedMessage {
    pub(crate) message: ReceivedMessage,
    /// `None` at QoS 0.
    pub(crate) id: Option<DeliveryId>,
    /// End of the wait of a message of QoS 0; `None` at QoS 1 and 2.
    deadline: Option<Instant>,
}

impl UnmatchedQueue {
    /// Adds a message of QoS 1 or 2.
    pub(crate) fn push(&mut self, message: ReceivedMessage, id: DeliveryId) {
        self.charge += message.charge();
        self.messages.push_back(UnmatchedMessage {
            message,
            id: Some(id),
            deadline: None,
        });
    }

    /// Adds a message of QoS 0 that waits until `deadline` and may take `free` bytes of memory.
    ///
    /// # Errors
    /// The message, if there is no space for it.
    pub(crate) fn push_qos0(
        &mut self,
        message: ReceivedMessage,
        deadline: Instant,
        free: usize,
    ) -> Result<(), ReceivedMessage> {
        let limits = StreamLimits::default();
        let bytes = message.len();
        // Both the limits of a stream and the client's memory budget hold.
        let is_full = self.count_qos0 >= limits.count || self.bytes_qos0 + bytes > limits.bytes;
        if is_full || message.charge() > free {
            return Err(message);
        }
        self.charge += message.charge();
        self.count_qos0 += 1;
        self.bytes_qos0 += bytes;
        self.messages.push_back(UnmatchedMessage {
            message,
            id: None,
            deadline: Some(deadline),
        });
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Removes the message with this id.
    pub(crate) fn remove(&mut self, id: DeliveryId) -> Option<ReceivedMessage> {
        // Messages are refused in order of arrival, so it is hardly ever far from the front.
        let index = self.messages.iter().position(|each| each.id == Some(id))?;
        let removed = self.messages.remove(index)?;
        self.forget(&removed);
        Some(removed.message)
    }

    /// Removes the messages of QoS 0 at the front whose deadline has passed.
    pub(crate) fn remove_expired(&mut self, now: Instant) -> Vec<ReceivedMessage> {
        let mut expired = Vec::new();
        // Deadlines are in order, and messages of QoS 1 and 2 are few.
        while let Some(index) = self.messages.iter().position(|each| each.id.is_none())
            && self
                .messages
                .get(index)
                .and_then(|each| each.deadline)
                .is_some_and(|deadline| deadline <= now)
            && let Some(removed) = self.messages.remove(index)
        {
            self.forget(&removed);
            expired.push(removed.message);
        }
        expired
    }

    /// Removes and returns the messages for which `matches` is true.
    pub(crate) fn take(
        &mut self,
        mut matches: impl FnMut(&UnmatchedMessage) -> bool,
    ) -> Vec<UnmatchedMessage> {
        let mut taken = Vec::new();
        for each in std::mem::take(&mut self.messages) {
            if matches(&each) {
                taken.push(each);
            } else {
                self.messages.push_back(each);
            }
        }
        taken.iter().for_each(|each| self.forget(each));
        taken
    }

    /// Bytes of memory that all messages take.
    pub(crate) const fn charge(&self) -> usize {
        self.charge
    }

    /// Number of messages of QoS 1 and 2.
    pub(crate) fn need_ack_len(&self) -> usize {
        self.messages.len() - self.count_qos0
    }

    fn forget(&mut self, removed: &UnmatchedMessage) {
        self.charge -= removed.message.charge();
        if removed.id.is_none() {
            self.count_qos0 -= 1;
            self.bytes_qos0 -= removed.message.len();
        }
    }
}
