//! Session State of the model server (§4.1).

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use dunlin_client::codec::{PacketId, QoS};

/// One session, from a clean start to its loss.
#[derive(Debug)]
pub(in crate::simulate) struct Session {
    /// Which one of all that there were.
    pub(in crate::simulate) number: usize,
    /// QoS 2 messages that were taken on and aren't released.
    pub(super) received: BTreeMap<PacketId, Received>,
    /// The granted QoS of each filter.
    pub(in crate::simulate) subscriptions: BTreeMap<String, QoS>,
    /// Messages that the client hasn't finished with, in the order in which they were first sent.
    pub(super) in_flight: Vec<Outgoing>,
    /// Messages that were never sent.
    pub(super) queue: VecDeque<Outgoing>,
    pub(super) expiry: Duration,
    /// Since when there is no connection.
    left_at: Option<Instant>,
    next_id: u16,
}

/// A QoS 2 message that the client is to release.
#[derive(Debug, Clone, Copy)]
pub(super) struct Received {
    pub(super) serial: usize,
    /// Which of the client's processes sent it.
    pub(super) process: usize,
}

/// A message for the client.
#[derive(Debug, Clone)]
pub(super) struct Outgoing {
    pub(super) serial: usize,
    pub(super) topic: String,
    pub(super) qos: QoS,
    /// From when it is first sent, at QoS 1 and 2.
    pub(super) id: Option<PacketId>,
    pub(super) is_released: bool,
    /// PUBLISH or PUBREL was sent on this connection; if not, it has to be
    /// repeated.
    pub(super) is_live: bool,
    /// PUBLISH was sent on this connection.
    pub(super) is_counted: bool,
    /// The message is invalid in itself, so the client refuses it.
    pub(super) is_faulty: bool,
}

impl Session {
    pub(super) const fn new(number: usize, first_id: u16) -> Self {
        Self {
            number,
            received: BTreeMap::new(),
            subscriptions: BTreeMap::new(),
            in_flight: Vec::new(),
            queue: VecDeque::new(),
            expiry: Duration::ZERO,
            left_at: None,
            next_id: first_id,
        }
    }

    /// Returns `true` if the Session Expiry Interval has passed.
    pub(super) fn has_expired(&self, now: Instant) -> bool {
        self.left_at
            .is_some_and(|left_at| now.saturating_duration_since(left_at) >= self.expiry)
    }

    /// The client is back.
    pub(super) const fn resume(&mut self) {
        self.left_at = None;
    }

    /// The connection is gone: what is unfinished will be repeated.
    pub(super) fn leave(&mut self, now: Instant) {
        self.left_at.get_or_insert(now);
        for outgoing in &mut self.in_flight {
            outgoing.is_live = false;
            outgoing.is_counted = false;
        }
    }

    /// The next thing to send: what is repeated goes first.
    pub(super) fn next(&self) -> Option<&Outgoing> {
        self.in_flight
            .iter()
            .find(|outgoing| !outgoing.is_live)
            .or_else(|| self.queue.front())
    }

    /// Takes the next thing to send, and whether it is repeated.
    pub(super) fn send_next(&mut self) -> Option<(Outgoing, bool)> {
        if let Some(repeated) = self.in_flight.iter_mut().find(|outgoing| !outgoing.is_live) {
            repeated.is_live = true;
            repeated.is_counted = !repeated.is_released;
            return Some((repeated.clone(), true));
        }
        let mut outgoing = self.queue.pop_front()?;
        if outgoing.qos != QoS::AtMostOnce {
            outgoing.id = Some(self.free_id());
            outgoing.is_live = true;
            outgoing.is_counted = true;
            self.in_flight.push(outgoing.clone());
        }
        Some((outgoing, false))
    }

    /// Messages of QoS 1 and 2 on this connection that the client hasn't finished with.
    /// [MQTT-3.3.4-9]
    pub(super) fn outstanding(&self) -> usize {
        self.in_flight
            .iter()
            .filter(|outgoing| outgoing.is_counted)
            .count()
    }

    pub(super) fn find(&mut self, id: PacketId) -> Option<&mut Outgoing> {
        self.in_flight
            .iter_mut()
            .find(|outgoing| outgoing.id == Some(id))
    }

    pub(super) fn finish(&mut self, id: PacketId) {
        self.in_flight.retain(|outgoing| outgoing.id != Some(id));
    }

    /// An identifier that is free again is the next to be used.
    pub(super) const fn reuse(&mut self, id: PacketId) {
        self.next_id = id.get();
    }

    fn free_id(&mut self) -> PacketId {
        loop {
            let candidate = PacketId::new(self.next_id);
            self.next_id = self.next_id.wrapping_add(1);
            let is_free = |id: &PacketId| self.in_flight.iter().all(|each| each.id != Some(*id));
            if let Some(id) = candidate.filter(is_free) {
                return id;
            }
        }
    }
}
