//! Context of one step of a connection: the shared state, the connection's output, and the time.

use std::time::{Instant, SystemTime};

use dunlin_codec::Packet;

use crate::event::Event;
use crate::server::hub::Hub;
use crate::server::output::Output;
use crate::server::timestamp::Timestamp;

/// Everything that one step of a connection reads and changes besides the connection itself.
pub(crate) struct Turn<'a> {
    pub(crate) hub: &'a mut Hub,
    pub(crate) output: &'a mut Output,
    pub(crate) now: Instant,
    /// Same time as `now`, as policies have it.
    pub(crate) calendar: SystemTime,
}

impl<'a> Turn<'a> {
    pub(crate) const fn new(hub: &'a mut Hub, output: &'a mut Output, now: Timestamp) -> Self {
        Self {
            hub,
            output,
            now: now.instant,
            calendar: now.calendar,
        }
    }

    /// Sends a packet, unless it is larger than the client takes; returns `true` if it was sent.
    pub(crate) fn send(&mut self, packet: &Packet<'_>) -> bool {
        self.output.send(packet)
    }

    pub(crate) fn log(&mut self, event: Event) {
        self.output.log(event);
    }
}
