//! Received messages: which are delivered, and which acknowledgements are due in which order.
//!
//! [`Inbound`] is the part that outlives a connection. `received_publish` brings a PUBLISH here, `refusal`
//! handles messages that are wrong in themselves, `receive_window` limits what the server may send,
//! and `unmatched` keeps messages for which the application has no stream yet.

mod inbound_action;
pub(super) mod inbound_aliases;
pub(super) mod receive_window;
pub(super) mod received_publish;
mod received_records;
mod refusal;
pub(super) mod unmatched;

use std::collections::{BTreeMap, VecDeque};

use dunlin_codec::{AckType, PacketId, ReasonCode};

use self::unmatched::UnmatchedMessages;
use super::persistence::dirty::DirtySet;

/// Identifier of a delivered message until it is acknowledged.
///
/// The number is the position of the message among all that were received with QoS 1 or 2.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(u64);

/// Acknowledgements of one session, in the order of arrival. [MQTT-4.6.0-2] [MQTT-4.6.0-3]
///
/// The maps are mostly empty or small: trees need no memory then, and no hash of the key.
#[derive(Debug, Default)]
pub(super) struct Inbound {
    /// Messages of this connection that are not acknowledged, in the order of arrival.
    pending_acks: VecDeque<PendingAck>,
    /// Position of the first in `pending_acks`.
    first_position: u64,
    /// Messages of QoS 2 whose PUBREL was not received.
    unreleased: BTreeMap<PacketId, Unreleased>,
    /// Number of messages of this connection whose exchange is not finished.
    unfinished: usize,
    /// Messages of earlier connections that the application has: the server sends them again.
    awaiting_redelivery: BTreeMap<PacketId, PendingAck>,
    /// Locations of messages that are not at the position that their identifier says.
    moved: BTreeMap<DeliveryId, Location>,
    /// Messages that the application has and that are not acknowledged any more, with the number of
    /// consumers that have not answered: their session is lost, or the server is done with them.
    orphaned: BTreeMap<DeliveryId, usize>,
    /// Number of entries in `pending_acks` that wait only for those before them.
    ready: usize,
    /// Messages that no stream matches yet.
    unmatched: UnmatchedMessages,
    /// Bytes of unacknowledged messages above the Receive Maximum; `None` if none are tolerated,
    /// because the connection did not resume a session.
    excess_bytes: Option<usize>,
    /// Messages of QoS 2 whose record in a store has changed.
    pub(super) dirty: DirtySet<PacketId>,
}

/// A message that has to be acknowledged.
#[derive(Debug)]
struct PendingAck {
    id: DeliveryId,
    packet_id: PacketId,
    ack_type: AckType,
    /// Number of consumers that have not answered.
    consumers: usize,
    /// Reason code of the acknowledgement: of several answers the highest.
    reason_code: ReasonCode,
    /// `true` if a consumer will not answer: the message waits for the next connection, and so do
    /// those after it.
    is_abandoned: bool,
    /// Bytes above the Receive Maximum; 0 within it.
    excess: usize,
    /// `true` if PUBREL was received before PUBREC was sent: the exchange is over, and the packet
    /// identifier may stand for another message.
    is_released: bool,
}

/// An acknowledgement that can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DueAck {
    pub(super) ack_type: AckType,
    pub(super) packet_id: PacketId,
    pub(super) reason_code: ReasonCode,
}

/// A message of QoS 2 whose PUBREL was not received.
#[derive(Debug)]
struct Unreleased {
    /// `true` if PUBREC was sent.
    is_received: bool,
    /// `true` if it was received on this connection, so that it is in `unfinished`.
    is_counted: bool,
    /// Position of its PUBREC in `pending_acks`; `None` if none is due. There is at most one,
    /// however often the server repeats the message.
    position: Option<u64>,
}

/// Location of a message whose position is not that of its identifier.
#[derive(Debug, Clone, Copy)]
enum Location {
    /// Position among the pending acknowledgements.
    Pending(u64),
    AwaitingRedelivery(PacketId),
}

impl Inbound {
    /// Tolerates messages above the Receive Maximum, as the server resumed the session.
    pub(super) const fn set_resumed(&mut self) {
        self.excess_bytes = Some(0);
    }

    /// The first unacknowledged message, if there are at least `minimum` of them.
    pub(super) fn blocking(&self, minimum: usize) -> Option<DeliveryId> {
        self.pending_acks
            .front()
            .filter(|_| self.pending_acks.len() >= minimum)
            .map(|pending| pending.id)
    }

    /// Number of unacknowledged messages of this connection.
    pub(super) fn outstanding(&self) -> usize {
        self.pending_acks.len()
    }

    /// Sets the number of consumers that have to answer a message.
    pub(super) fn set_consumers(&mut self, id: DeliveryId, consumers: usize) {
        if let Some(pending) = self.find(id) {
            pending.consumers = consumers;
        }
    }

    /// Notes the answer of one consumer.
    pub(super) fn answer(&mut self, id: DeliveryId, reason_code: ReasonCode) {
        // A message that is answered waits for no stream.
        self.unmatched.remove(id);
        if let Some(consumers) = self.orphaned.get_mut(&id) {
            // Nothing is sent for it any more; it only takes space in the backlog.
            *consumers -= 1;
            if *consumers == 0 {
                self.orphaned.remove(&id);
            }
        } else if let Some(pending) = self.find(id) {
            let was_ready = pending.is_ready();
            pending.consumers = pending.consumers.saturating_sub(1);
            pending.reason_code = pending.reason_code.max(reason_code);
            let is_newly_ready = pending.is_ready() && !was_ready;
            let (packet_id, is_recorded) = (pending.packet_id, pending.ack_type == AckType::PubRec);
            // One of an earlier connection is ready when the server repeats it.
            if is_newly_ready && !self.is_awaiting_redelivery(id) {
                self.ready += 1;
            }
            if is_recorded {
                self.mark_dirty(packet_id);
            }
        }
    }

    /// Notes that one consumer will not answer: the message counts as never received, but it keeps
    /// its place in the order.
    pub(super) fn abandon(&mut self, id: DeliveryId) {
        if self.orphaned.remove(&id).is_some() {
            return;
        }
        if let Some(Location::AwaitingRedelivery(packet_id)) = self.moved.get(&id).copied() {
            // Forgotten: the repetition will be delivered as a new message.
            self.moved.remove(&id);
            self.awaiting_redelivery.remove(&packet_id);
        } else if let Some(pending) = self.find(id) {
            let was_ready = pending.is_ready();
            pending.is_abandoned = true;
            self.ready -= usize::from(was_ready);
        }
    }

    /// Returns `true` if some consumer has the message and has not answered.
    pub(super) fn waits_for_consumers(&mut self, id: DeliveryId) -> bool {
        self.orphaned.contains_key(&id) || self.find(id).is_some_and(|each| each.consumers > 0)
    }

    /// Returns `true` if an answer still reaches the server, on this connection or another one.
    #[cfg(feature = "tokio")]
    pub(super) fn may_answer(&mut self, id: DeliveryId) -> bool {
        self.find(id).is_some_and(|pending| pending.consumers > 0)
    }

    /// Returns `true` if the message is delivered again, whatever it is answered with.
    pub(super) fn is_abandoned(&mut self, id: DeliveryId) -> bool {
        self.find(id).is_some_and(|pending| pending.is_abandoned)
    }

    /// Returns `true` if the server has to send the message again before it can be acknowledged.
    fn is_awaiting_redelivery(&self, id: DeliveryId) -> bool {
        matches!(self.moved.get(&id), Some(Location::AwaitingRedelivery(_)))
    }

    /// The message with this identifier; `None` once it is acknowledged, and if its session is
    /// lost.
    fn find(&mut self, id: DeliveryId) -> Option<&mut PendingAck> {
        let position = match self.moved.get(&id) {
            Some(Location::AwaitingRedelivery(packet_id)) => {
                return self.awaiting_redelivery.get_mut(packet_id);
            }
            Some(Location::Pending(position)) => *position,
            None => id.0,
        };
        self.pending_acks.get_mut(self.index_of(position)?)
    }

    fn index_of(&self, position: u64) -> Option<usize> {
        usize::try_from(position.checked_sub(self.first_position)?).ok()
    }

    /// Removes the next acknowledgement that can be sent; `None` if the first message is not
    /// answered.
    pub(super) fn next_due(&mut self) -> Option<DueAck> {
        let pending = loop {
            if !self.pending_acks.front().is_some_and(PendingAck::is_ready) {
                return None;
            }
            let pending = self.pending_acks.pop_front()?;
            // Positions are those among all messages, so the first one moves on.
            self.first_position += 1;
            self.ready = self.ready.saturating_sub(1);
            self.moved.remove(&pending.id);
            if let Some(bytes) = self.excess_bytes.as_mut().filter(|_| pending.excess > 0) {
                *bytes = bytes.saturating_sub(pending.excess);
            }
            // PUBREL came first: the exchange is over without a PUBREC.
            if !pending.is_released {
                break pending;
            }
        };
        let PendingAck {
            packet_id,
            ack_type,
            reason_code,
            ..
        } = pending;
        // At QoS 2 the exchange goes on until PUBREL.
        match ack_type {
            // A refusal ends the exchange: there will be no PUBREL. [MQTT-4.3.3-9]
            AckType::PubRec if reason_code.is_error() => {
                self.release(packet_id);
            }
            AckType::PubRec => {
                if let Some(unreleased) = self.unreleased.get_mut(&packet_id) {
                    (unreleased.is_received, unreleased.position) = (true, None);
                }
                self.mark_dirty(packet_id);
            }
            _ => self.unfinished -= 1,
        }
        Some(DueAck {
            ack_type,
            packet_id,
            reason_code,
        })
    }

    /// Handles PUBREL. Returns whether its message was known. [MQTT-4.3.3-11]
    pub(super) fn release(&mut self, packet_id: PacketId) -> bool {
        let Some(unreleased) = self.unreleased.remove(&packet_id) else {
            return false;
        };
        self.mark_dirty(packet_id);
        self.unfinished -= usize::from(unreleased.is_counted);
        // A PUBREC after PUBREL would be taken for that of the next message with this identifier.
        let index = unreleased
            .position
            .and_then(|position| self.index_of(position));
        if let Some(pending) = index.and_then(|index| self.pending_acks.get_mut(index)) {
            pending.is_released = true;
        }
        // The server does not repeat the message either.
        if let Some(pending) = self.awaiting_redelivery.remove(&packet_id) {
            self.moved.remove(&pending.id);
            orphan(&mut self.orphaned, &pending);
        }
        true
    }

    /// Moves unacknowledged messages to the next connection.
    ///
    /// Acknowledgements belong to the connection of their messages. The server sends the messages
    /// again; each is then acknowledged as soon as it is answered, and is delivered again only if
    /// it was abandoned.
    pub(super) fn disconnected(&mut self) {
        // Positions of this connection are not used again.
        self.first_position += self.pending_acks.len() as u64;
        for pending in std::mem::take(&mut self.pending_acks) {
            if pending.is_abandoned {
                self.moved.remove(&pending.id);
                continue;
            }
            // The server is done with the message and does not send it again.
            if pending.is_released {
                self.moved.remove(&pending.id);
                orphan(&mut self.orphaned, &pending);
                continue;
            }
            let location = Location::AwaitingRedelivery(pending.packet_id);
            self.moved.insert(pending.id, location);
            // A server that used the identifier twice can repeat only one of the messages.
            let packet_id = pending.packet_id;
            if let Some(former) = self.awaiting_redelivery.insert(packet_id, pending) {
                self.moved.remove(&former.id);
                orphan(&mut self.orphaned, &former);
                self.mark_dirty(packet_id);
            }
        }
        (self.unfinished, self.ready) = (0, 0);
        self.excess_bytes = None;
        // Nothing of the next connection has been counted yet.
        for unreleased in self.unreleased.values_mut() {
            (unreleased.is_counted, unreleased.position) = (false, None);
        }
    }

    /// Prepares for a session that the server may have begun again without this client's knowledge:
    /// a known packet identifier may then stand for another message.
    ///
    /// At QoS 1 the message is delivered; at QoS 2 it isn't [MQTT-4.3.3-10]. DUP does not help, as
    /// some servers repeat without it.
    pub(super) fn doubt(&mut self) {
        let (moved, orphaned) = (&mut self.moved, &mut self.orphaned);
        self.awaiting_redelivery.retain(|_, pending| {
            let is_kept = pending.ack_type == AckType::PubRec;
            if !is_kept {
                moved.remove(&pending.id);
                orphan(orphaned, pending);
            }
            is_kept
        });
    }

    /// Prepares the session for another application, which has none of the delivered messages: the
    /// server's repetitions are delivered.
    pub(super) fn move_on(&mut self) {
        self.disconnected();
        self.orphaned.clear();
        self.unmatched.clear();
        // Messages without an answer are forgotten, so that they are delivered again.
        let moved = &mut self.moved;
        self.awaiting_redelivery.retain(|_, pending| {
            let is_answered = pending.consumers == 0;
            if !is_answered {
                moved.remove(&pending.id);
            }
            is_answered
        });
        self.mark_all_dirty();
        let answered = &self.awaiting_redelivery;
        self.unreleased
            .retain(|id, each| each.is_received || answered.contains_key(id));
    }

    /// Number of messages of earlier connections that the application has not answered.
    fn backlog(&self) -> usize {
        let awaiting = self.awaiting_redelivery.values();
        self.orphaned.len() + awaiting.filter(|each| each.consumers > 0).count()
    }

    /// Returns `true` if no message of QoS 2 is known.
    pub(super) fn is_empty(&self) -> bool {
        self.unreleased.is_empty()
    }

    /// Forgets the messages of a session that the server lost. [MQTT-3.2.2-5]
    pub(super) fn forget(&mut self) {
        self.awaiting_redelivery
            .values()
            .for_each(|pending| orphan(&mut self.orphaned, pending));
        self.mark_all_dirty();
        self.unreleased.clear();
        self.awaiting_redelivery.clear();
        self.moved.clear();
    }
}

impl PendingAck {
    /// Returns `true` if the acknowledgement can be sent once those before it are.
    const fn is_ready(&self) -> bool {
        self.consumers == 0 && !self.is_abandoned
    }
}

/// Remembers a message that is not acknowledged any more and that the application still has.
fn orphan(orphaned: &mut BTreeMap<DeliveryId, usize>, pending: &PendingAck) {
    if pending.consumers > 0 {
        orphaned.insert(pending.id, pending.consumers);
    }
}
