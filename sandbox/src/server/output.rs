//! Output of a connection: bytes to send, events for the log, and the order to close.

use std::collections::VecDeque;

use bytes::BytesMut;
use dunlin_codec::{Packet, Utf8String};

use crate::event::Event;
use crate::server::limits::MAX_UNSENT;

/// Output of a connection, emptied by the owner of the socket.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) bytes: BytesMut,
    pub(crate) events: VecDeque<Event>,
    /// Way to close the socket; `None` while the connection goes on.
    pub(crate) close: Option<Close>,
    pub(crate) client: ClientLimits,
    /// Work of this turn so far: packets handled, receivers found, messages delivered.
    pub(crate) work: usize,
}

/// Way to close the socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// Sends all output, then shuts the connection down.
    Gracefully,
    /// Discards output that isn't sent, and resets the connection.
    Reset,
}

/// Limits of the client's CONNECT for packets of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLimits {
    /// Maximum bytes of a packet.
    pub(crate) maximum_packet_size: usize,
    /// `true` if acknowledgements may have a reason string.
    pub(crate) problem_information: bool,
}

impl Output {
    /// Sends a packet, unless it is larger than the client takes; returns `true` if it was sent.
    pub(crate) fn send(&mut self, packet: &Packet<'_>) -> bool {
        let fits = packet
            .encoded_len()
            .is_ok_and(|length| length <= self.client.maximum_packet_size);
        fits && packet.encode(&mut self.bytes).is_ok()
    }

    /// Sends a packet with a reason string, or without it if the packet would be too large.
    /// [MQTT-3.2.2-19]
    pub(crate) fn send_explained<'a>(
        &mut self,
        reason: Option<&'a str>,
        packet: impl Fn(Option<Utf8String<'a>>) -> Packet<'a>,
    ) {
        let reason_string = reason.and_then(|reason| Utf8String::new(reason).ok());
        if reason_string.is_none() || !self.send(&packet(reason_string)) {
            self.send(&packet(None));
        }
    }

    /// Reason of an acknowledgement; `None` if the client wants none. [MQTT-3.1.2-29]
    pub(crate) fn explaining<'a>(&self, reason: Option<&'a str>) -> Option<&'a str> {
        reason.filter(|_| self.client.problem_information)
    }

    /// `true` if so much waits to be sent that no more is written.
    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= MAX_UNSENT
    }

    pub(crate) fn log(&mut self, event: Event) {
        self.events.push_back(event);
    }
}

impl Default for ClientLimits {
    fn default() -> Self {
        Self {
            maximum_packet_size: usize::MAX,
            problem_information: true,
        }
    }
}
