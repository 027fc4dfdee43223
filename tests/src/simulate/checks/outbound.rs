//! Requests of a client: packet identifiers, send quota, repetitions and their order.

use std::collections::{BTreeMap, VecDeque};

use dunlin_client::codec::{Ack, Packet, PacketId, Publish, ReasonCode};

use super::content::Content;
use super::limits::Limits;
use crate::simulate::violation::{Checked, ensure};

/// Requests that the server hasn't finished, as far as the client knows.
#[derive(Debug)]
pub(super) struct Outbound {
    flights: BTreeMap<u16, Flight>,
    places: u64,
    complete: bool,
}

#[derive(Debug)]
struct Flight {
    /// `None` for SUBSCRIBE and UNSUBSCRIBE.
    publish: Option<Content>,
    /// Position in the order in which requests were first sent, or their PUBRECs received.
    place: u64,
    /// PUBREC was received.
    is_released: bool,
    /// The packet was sent on this connection.
    is_live: bool,
    /// The limits of a later connection don't allow it: perhaps nothing will be
    /// heard of it.
    is_given_up: bool,
}

/// Requests in flight on one connection.
#[derive(Debug)]
pub(super) struct Window {
    /// The server's Receive Maximum.
    receive_maximum: usize,
    /// Messages that count against the server's Receive Maximum.
    used: usize,
    /// The place of the last repetition.
    last_repeated: u64,
    /// PUBRELs that are due, in order.
    releases: VecDeque<(PacketId, ReasonCode)>,
}

impl Window {
    pub(super) const fn new(limits: &Limits) -> Self {
        Self {
            receive_maximum: limits.receive_maximum,
            used: 0,
            last_repeated: 0,
            releases: VecDeque::new(),
        }
    }
}

impl Outbound {
    pub(super) const fn new(complete: bool) -> Self {
        Self {
            flights: BTreeMap::new(),
            places: 0,
            complete,
        }
    }

    /// Number of requests that the server should finish.
    pub(super) fn len(&self) -> usize {
        self.flights
            .values()
            .filter(|flight| !flight.is_given_up)
            .count()
    }

    /// Number of packet identifiers in use.
    pub(super) fn reserved(&self) -> usize {
        self.flights.len()
    }

    pub(super) const fn is_complete(&self) -> bool {
        self.complete
    }

    pub(super) fn forget(&mut self) {
        self.flights.clear();
    }

    /// A connection that goes on with the session. SUBSCRIBE and UNSUBSCRIBE aren't part of it.
    pub(super) fn resume(&mut self, limits: &Limits) -> Window {
        self.flights.retain(|_, flight| flight.publish.is_some());
        for flight in self
            .flights
            .values_mut()
            .filter(|flight| !flight.is_released)
        {
            flight.is_given_up |= flight.publish.is_some_and(|content| !limits.allow(content));
        }
        let mut released: Vec<_> = self
            .flights
            .iter()
            .filter(|(_, flight)| flight.is_released)
            .collect();
        released.sort_unstable_by_key(|(_, flight)| flight.place);
        let ids = released
            .into_iter()
            .filter_map(|(id, _)| PacketId::new(*id));
        // What an incomplete trace shows as received may have been too late for the client.
        let releases = ids
            .filter(|_| self.complete)
            .map(|id| (id, ReasonCode::Success))
            .collect();
        self.flights
            .values_mut()
            .for_each(|flight| flight.is_live = false);
        Window {
            releases,
            ..Window::new(limits)
        }
    }

    pub(super) fn publishes(
        &mut self,
        publish: &Publish<'_>,
        topic: &str,
        window: &mut Window,
    ) -> Checked {
        let Some(id) = publish.delivery.packet_id() else {
            return Ok(());
        };
        let detail = || Packet::Publish(*publish).to_string();
        let maximum = window.receive_maximum;
        ensure(
            window.used < maximum,
            "[MQTT-3.3.4-7] Receive Maximum",
            || format!("{} of {maximum} in flight: {}", window.used, detail()),
        )?;
        window.used += 1;
        let content = Content::of(publish, topic);
        if let Some(flight) = self.flights.get_mut(&id.get()) {
            let Some(before) = flight.publish.filter(|_| !flight.is_live) else {
                return ensure(
                    false,
                    "[MQTT-2.2.1-3] an identifier in flight isn't used again",
                    detail,
                );
            };

            ensure(
                !flight.is_released || !self.complete,
                "[MQTT-4.3.3-6] no PUBLISH after PUBREC",
                detail,
            )?;
            flight.is_released = false;
            ensure(
                publish.delivery.dup(),
                "[MQTT-3.3.1-1] a repetition has DUP",
                detail,
            )?;
            ensure(
                before == content,
                "[MQTT-4.4.0-1] a repetition says the same",
                detail,
            )?;
            let in_order = flight.place > window.last_repeated
                || !self.complete && flight.place == window.last_repeated;
            ensure(in_order, "[MQTT-4.6.0-1] in the original order", detail)?;
            window.last_repeated = flight.place;
            flight.is_live = true;
            flight.is_given_up = false;
            return Ok(());
        }
        if publish.delivery.dup() && !self.complete {
            // A repetition of what the trace lacks, or shows as acknowledged too late for the
            // client: nobody knows when it was first sent.
            let place = window.last_repeated;
            self.add(id.get(), Some(content));
            self.flights
                .entry(id.get())
                .and_modify(|flight| flight.place = place);
            return Ok(());
        }
        ensure(
            !publish.delivery.dup(),
            "[MQTT-3.3.1-1] a first one has no DUP",
            detail,
        )?;
        let waits = |flight: &Flight| {
            flight.publish.is_some()
                && !flight.is_released
                && !flight.is_live
                && !flight.is_given_up
        };
        let before = self
            .flights
            .iter()
            .find(|(_, flight)| waits(flight))
            .map(|(id, _)| *id);
        ensure(
            before.is_none(),
            "[MQTT-4.6.0-1] repetitions go before new messages",
            || format!("{before:?} before {}", detail()),
        )?;
        self.add(id.get(), Some(content));
        Ok(())
    }

    /// SUBSCRIBE or UNSUBSCRIBE.
    pub(super) fn requests(&mut self, id: u16) -> Checked {
        let is_free = !self.flights.contains_key(&id);
        ensure(
            is_free,
            "[MQTT-2.2.1-3] an identifier in flight isn't used again",
            || id.to_string(),
        )?;
        self.add(id, None);
        Ok(())
    }

    pub(super) fn releases(&mut self, ack: &Ack<'_>, window: &mut Window) -> Checked {
        let releases = &mut window.releases;
        if !self.complete && releases.iter().all(|(id, _)| *id != ack.packet_id) {
            return Ok(());
        }
        let due = releases.pop_front();
        let detail = || format!("{} where {due:?} was due", Packet::PubRel(*ack));
        ensure(
            due == Some((ack.packet_id, ack.reason_code)),
            "[MQTT-4.3.3-4] [MQTT-4.6.0-4] one PUBREL for each PUBREC below 0x80, in their order",
            detail,
        )?;
        if let Some(flight) = self.flights.get_mut(&ack.packet_id.get()) {
            window.used += usize::from(!std::mem::replace(&mut flight.is_live, true));
        }
        Ok(())
    }

    /// PUBREC came.
    pub(super) fn received(&mut self, ack: &Ack<'_>, window: &mut Window) {
        if ack.reason_code.is_error() {
            self.finished(ack.packet_id, window);
            return;
        }
        self.places += 1;
        let releases = &mut window.releases;
        match self.flights.get_mut(&ack.packet_id.get()) {
            Some(flight) => {
                flight.is_released = true;
                if self.complete {
                    flight.place = self.places;
                }
                releases.push_back((ack.packet_id, ReasonCode::Success));
            }
            None => releases.push_back((ack.packet_id, ReasonCode::PacketIdentifierNotFound)),
        }
    }

    /// The last acknowledgement came.
    pub(super) fn finished(&mut self, id: PacketId, window: &mut Window) {
        if self
            .flights
            .remove(&id.get())
            .is_some_and(|flight| flight.is_live && flight.publish.is_some())
        {
            window.used -= 1;
        }
    }

    fn add(&mut self, id: u16, publish: Option<Content>) {
        self.places += 1;
        let flight = Flight {
            publish,
            place: self.places,
            is_released: false,
            is_live: true,
            is_given_up: false,
        };
        self.flights.insert(id, flight);
    }
}
