//! Messages for one subscriber: the queue, and those without an acknowledgement. Bounded, in order,
//! and kept while the client is away.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{Delivery, PacketId, QoS, SubscriptionIdentifier};

use crate::server::charge::Charge;
use crate::server::direct_message::{DirectProgress, DirectReport};
use crate::server::limits::{MAX_QUEUED, MAX_QUEUED_BYTES, QUEUED_OVERHEAD};
use crate::server::message::Message;

/// Queue of a subscriber, and its unacknowledged messages with their packet identifiers.
#[derive(Debug)]
pub(crate) struct Outgoing {
    queue: VecDeque<Queued>,
    queued_bytes: usize,
    /// Unacknowledged messages in the order in which they were first sent.
    in_flight: VecDeque<InFlight>,
    in_flight_bytes: usize,
    /// Number of unacknowledged messages that this connection must send again.
    again: usize,
    /// Number of messages sent on this connection and unacknowledged; the client's Receive Maximum
    /// bounds it.
    unacknowledged: usize,
    receive_maximum: usize,
    last_id: u16,
    /// Number of messages at the front of the queue that waited for the client to come back.
    stored: usize,
}

/// A message for one subscriber.
#[derive(Debug, Clone)]
pub(crate) struct Queued {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    /// Subscription identifiers of all matching subscriptions.
    pub(crate) identifiers: Box<[SubscriptionIdentifier]>,
    /// Shared filter that matched; `None` for an ordinary subscription.
    pub(crate) share: Option<Arc<str>>,
    /// Progress for the sender of a direct message; `None` for every other message.
    pub(crate) direct: Option<DirectReport>,
    /// Memory of this entry of the queue.
    _charge: Charge,
}

impl Queued {
    pub(crate) fn new(
        message: &Arc<Message>,
        qos: QoS,
        retain: bool,
        identifiers: Box<[SubscriptionIdentifier]>,
    ) -> Self {
        // The message itself is shared and counted once; this is the cost of its entry.
        let charge = message.charge.another(QUEUED_OVERHEAD);
        Self {
            message: Arc::clone(message),
            qos,
            retain,
            identifiers,
            share: None,
            direct: None,
            _charge: charge,
        }
    }

    /// Tells the sender of a direct message its progress; does nothing for other messages.
    pub(crate) fn report(&self, progress: DirectProgress) {
        if let Some(direct) = &self.direct {
            direct.report(progress);
        }
    }
}

#[derive(Debug)]
struct InFlight {
    packet_id: PacketId,
    /// Message; `None` after PUBREC, when only its identifier is kept. [MQTT-4.3.3-6]
    message: Option<Queued>,
    qos: QoS,
    first_sent: Instant,
    /// Must be sent again on this connection.
    again: bool,
    /// Counts towards the Receive Maximum of this connection.
    is_charged: bool,
}

/// Next packet for the subscriber.
#[derive(Debug)]
pub(crate) enum NextDelivery {
    /// Message that was sent on an earlier connection, with its identifier.
    Again {
        packet_id: PacketId,
        queued: Queued,
        first_sent: Instant,
    },
    /// PUBREL that was sent on an earlier connection.
    Release(PacketId),
    /// Message that is sent for the first time.
    New(Queued),
}

/// Outcome of an acknowledgement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AckOutcome {
    Accepted,
    /// No message has this identifier; the acknowledgement may be for one of a lost connection.
    UnknownId,
    /// The message needs another kind of acknowledgement.
    WrongKind,
}

impl Outgoing {
    pub(crate) const fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            queued_bytes: 0,
            in_flight: VecDeque::new(),
            in_flight_bytes: 0,
            again: 0,
            unacknowledged: 0,
            receive_maximum: 0,
            last_id: 0,
            stored: 0,
        }
    }

    /// Begins a new connection: all unacknowledged messages are sent again, in order. [MQTT-4.4.0-1]
    pub(crate) fn resume(&mut self, receive_maximum: u16) {
        // The quota of the Receive Maximum begins again with the connection (§4.9).
        for in_flight in &mut self.in_flight {
            (in_flight.again, in_flight.is_charged) = (true, false);
        }
        self.again = self.in_flight.len();
        self.unacknowledged = 0;
        self.receive_maximum = receive_maximum.into();
        // On AWS IoT these have a rate of their own.
        self.stored = self.queue.len();
    }

    /// `true` if so many copies of a message fit in: with them at most 1,000 messages and `max_bytes`
    /// bytes wait.
    pub(crate) fn fits(&self, message: &Message, copies: usize, max_bytes: usize) -> bool {
        // Both bounds hold for all copies together.
        let bytes = message.len().saturating_mul(copies);
        self.queue.len().saturating_add(copies) <= MAX_QUEUED
            && self.queued_bytes + bytes <= max_bytes
    }

    /// Queues a message; returns `false` if it doesn't fit in.
    pub(crate) fn push(&mut self, queued: Queued, max_bytes: usize) -> bool {
        let fits = self.fits(&queued.message, 1, max_bytes);
        if fits {
            self.queued_bytes += queued.message.len();
            self.queue.push_back(queued);
        }
        fits
    }

    /// Messages that the client hasn't acknowledged, in order, each with `true` if it was sent.
    pub(crate) fn into_unacknowledged(self) -> impl Iterator<Item = (Queued, bool)> {
        // After PUBREC only the identifier is left: the client has the message, so it isn't lost.
        let sent = self
            .in_flight
            .into_iter()
            .filter_map(|in_flight| Some((in_flight.message?, true)));
        sent.chain(self.queue.into_iter().map(|queued| (queued, false)))
    }

    /// `true` if one message waits.
    pub(crate) fn has_only_one(&self) -> bool {
        self.queue.len() == 1
    }

    /// Bytes of all messages for this subscriber.
    pub(crate) fn cost(&self) -> usize {
        let places = (self.queue.len() + self.in_flight.len()) * QUEUED_OVERHEAD;
        self.queued_bytes + self.in_flight_bytes + places
    }

    /// QoS of the message that may be sent now, and `true` if it waited for the client to come back;
    /// `None` if no message may be sent.
    pub(crate) fn peek(&self) -> Option<(QoS, bool)> {
        // Redelivery comes first; PUBREL needs no quota, since it isn't a PUBLISH.
        if self.again > 0 {
            let next = self.in_flight.iter().find(|in_flight| in_flight.again)?;
            return self
                .has_quota(next.message.is_some())
                .then_some((next.qos, false));
        }
        let next = self.queue.front()?;

        // Unacknowledged messages are bounded as the queue is, but one may always be sent.
        let fits = self.in_flight.is_empty()
            || (self.in_flight.len() < MAX_QUEUED
                && self.in_flight_bytes + next.message.len() <= MAX_QUEUED_BYTES);
        // QoS 0 has neither identifier nor quota.
        let is_due = next.qos == QoS::AtMostOnce || (self.has_quota(true) && fits);
        is_due.then_some((next.qos, self.stored > 0))
    }

    /// Takes the message of [`Self::peek`]. Order is kept: QoS 0 waits behind a message that must
    /// wait, and all new messages wait behind those that are sent again.
    pub(crate) fn pop(&mut self) -> Option<NextDelivery> {
        self.peek()?;
        if self.again > 0 {
            // First everything that an earlier connection left unacknowledged, in its order.
            self.again -= 1;
            let next = self
                .in_flight
                .iter_mut()
                .find(|in_flight| in_flight.again)?;
            next.again = false;
            let (packet_id, first_sent) = (next.packet_id, next.first_sent);
            let Some(queued) = next.message.clone() else {
                return Some(NextDelivery::Release(packet_id));
            };
            // Again a PUBLISH of this connection, so it counts for the Receive Maximum.
            next.is_charged = true;
            self.unacknowledged += 1;
            return Some(NextDelivery::Again {
                packet_id,
                queued,
                first_sent,
            });
        }

        // Then new messages.
        let next = self.queue.pop_front()?;
        self.queued_bytes -= next.message.len();
        self.stored = self.stored.saturating_sub(1);
        Some(NextDelivery::New(next))
    }

    /// `true` if the client's Receive Maximum allows another PUBLISH. [MQTT-3.3.4-9] [MQTT-4.9.0-2]
    const fn has_quota(&self, is_publish: bool) -> bool {
        !is_publish || self.unacknowledged < self.receive_maximum
    }

    /// Begins the delivery of a message: from QoS 1 on it gets a packet identifier and is kept until
    /// its acknowledgement.
    pub(crate) fn begin(&mut self, queued: &Queued, now: Instant) -> Delivery {
        if queued.qos == QoS::AtMostOnce {
            return Delivery::AtMostOnce;
        }
        let packet_id = self.free_id();
        self.unacknowledged += 1;
        self.in_flight_bytes += queued.message.len();
        self.in_flight.push_back(InFlight {
            packet_id,
            message: Some(queued.clone()),
            qos: queued.qos,
            first_sent: now,
            again: false,
            is_charged: true,
        });
        Delivery::new(queued.qos, packet_id, false)
    }

    /// Ends an exchange: PUBACK, PUBCOMP, or a PUBREC that refuses. [MQTT-4.4.0-2]
    ///
    /// `ends` gets the QoS of the message, and `true` after its PUBREC.
    pub(crate) fn finish(
        &mut self,
        packet_id: PacketId,
        ends: impl Fn(QoS, bool) -> bool,
    ) -> AckOutcome {
        let Some((index, in_flight)) = self.find(packet_id) else {
            return AckOutcome::UnknownId;
        };
        // Checked before anything is removed: a wrong acknowledgement changes nothing.
        if !ends(in_flight.qos, in_flight.message.is_none()) {
            return AckOutcome::WrongKind;
        }
        if let Some(done) = self.in_flight.remove(index) {
            self.unacknowledged -= usize::from(done.is_charged);
            self.again -= usize::from(done.again);
            if let Some(queued) = done.message {
                self.in_flight_bytes -= queued.message.len();
                queued.report(DirectProgress::Acknowledged);
            }
        }
        AckOutcome::Accepted
    }

    /// Handles a PUBREC: the client has the message, and only its identifier is kept. [MQTT-4.3.3-4]
    pub(crate) fn received(&mut self, packet_id: PacketId) -> AckOutcome {
        let Some((index, in_flight)) = self.find(packet_id) else {
            return AckOutcome::UnknownId;
        };
        if in_flight.qos != QoS::ExactlyOnce {
            return AckOutcome::WrongKind;
        }
        let was_again = in_flight.again;
        if let Some(in_flight) = self.in_flight.get_mut(index) {
            // Still charged: only PUBCOMP ends the exchange and frees the quota (§4.9).
            let message = in_flight.message.take();
            in_flight.again = false;
            self.again -= usize::from(was_again);
            self.in_flight_bytes -= message.map_or(0, |queued| queued.message.len());
        }
        AckOutcome::Accepted
    }

    /// Ends the exchange of a message that won't be sent again.
    pub(crate) fn give_up(&mut self, packet_id: PacketId) {
        self.finish(packet_id, |_, _| true);
    }

    /// Forgets all direct messages: they don't wait for a client that is away.
    pub(crate) fn forget_direct_messages(&mut self) {
        self.queue.retain(|queued| {
            let is_direct = queued.direct.is_some();
            if is_direct {
                self.queued_bytes -= queued.message.len();
                queued.report(DirectProgress::Disconnected);
            }
            !is_direct
        });
        let sent = self.in_flight.iter().filter_map(|in_flight| {
            let queued = in_flight.message.as_ref()?;
            queued.direct.as_ref()?;
            queued.report(DirectProgress::Disconnected);
            Some(in_flight.packet_id)
        });
        for packet_id in sent.collect::<Vec<_>>() {
            self.give_up(packet_id);
        }
    }

    fn find(&self, packet_id: PacketId) -> Option<(usize, &InFlight)> {
        self.in_flight
            .iter()
            .enumerate()
            .find(|(_, in_flight)| in_flight.packet_id == packet_id)
    }

    /// Next unused packet identifier, in rotation, so that a late acknowledgement isn't taken for
    /// that of another message. [`peek`](Self::peek) keeps fewer in use than there are.
    /// [MQTT-2.2.1-4]
    fn free_id(&mut self) -> PacketId {
        loop {
            self.last_id = self.last_id.wrapping_add(1);
            if let Some(id) = PacketId::new(self.last_id)
                && self.find(id).is_none()
            {
                return id;
            }
        }
    }
}
