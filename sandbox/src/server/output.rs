//! What a connection has for the outside: bytes to send, events to log, and whether to close.

use std::collections::VecDeque;

use bytes::BytesMut;
use dunlin_codec::{Packet, Utf8String};

use crate::event::Event;
use crate::server::close_reason::Close;
use crate::server::limits::MAX_UNSENT;

/// Filled by the connection, emptied by whoever owns the socket.
#[derive(Debug, Default)]
pub(crate) struct Output {
    pub(crate) bytes: BytesMut,
    pub(crate) events: VecDeque<Event>,
    pub(crate) close: Option<Close>,
    pub(crate) client: ClientLimits,
    /// What this turn has done so far: packets handled, receivers found, messages delivered.
    pub(crate) work: usize,
}

/// What the client's CONNECT allows the server to send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ClientLimits {
    /// Bytes of a packet.
    pub(crate) maximum_packet_size: usize,
    /// Whether acknowledgements may say why.
    pub(crate) problem_information: bool,
}

impl Output {
    /// Sends a packet, unless the client doesn't take one as large; says whether it did.
    pub(crate) fn send(&mut self, packet: &Packet<'_>) -> bool {
        let fits = packet
            .encoded_len()
            .is_ok_and(|length| length <= self.client.maximum_packet_size);
        fits && packet.encode(&mut self.bytes).is_ok()
    }

    /// Sends a packet with a reason string, or without one where that makes it too large.
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

    /// The reason, where acknowledgements of this connection may have one. [MQTT-3.1.2-29]
    pub(crate) fn explaining<'a>(&self, reason: Option<&'a str>) -> Option<&'a str> {
        reason.filter(|_| self.client.problem_information)
    }

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
