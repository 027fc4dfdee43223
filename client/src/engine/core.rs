//! The engine without the state of its connection: what every state works on.

use std::collections::VecDeque;
use std::time::Instant;

use dunlin_codec::{
    DecodeOptions, PacketType, ReasonCode, Repeated, Sender, UserProperty, Utf8String,
};

use super::engine_event::EngineEvent;
use super::inbound::receive_window::ReceiveWindow;
use super::inbound::unmatched::UnmatchedWait;
use super::outbound::flow::Flow;
use super::outbound::send_context::{SendContext, write_ack};
use super::output::Output;
use super::session::Session;
use super::statistics::Statistics;
use super::subscriptions::shared_identifiers::SharedIdentifiers;
use super::violation::protocol_error;
use crate::error::Violation;
use crate::options::ConnectOptions;

/// Everything that does not end with a connection.
#[derive(Debug)]
pub(super) struct Core {
    pub(super) options: ConnectOptions,
    /// Limits of received packets.
    pub(super) decode: DecodeOptions,
    pub(super) session: Session,
    pub(super) output: Output,
    pub(super) events: VecDeque<EngineEvent>,
    pub(super) statistics: Statistics,
    /// Time that the engine was told last; `None` before the first time.
    pub(super) now: Option<Instant>,
    pub(super) unmatched_wait: UnmatchedWait,
    pub(super) receive_window: ReceiveWindow,
    pub(super) shared_identifiers: SharedIdentifiers,
}

impl Core {
    pub(super) fn new(options: ConnectOptions, session: Session) -> Self {
        let decode = DecodeOptions::new()
            .with_max_packet_size(options.largest_packet())
            .with_sender(Sender::Server);
        Self {
            options,
            decode,
            session,
            output: Output::default(),
            events: VecDeque::new(),
            statistics: Statistics::default(),
            now: None,
            unmatched_wait: UnmatchedWait::new(),
            receive_window: ReceiveWindow::new(),
            shared_identifiers: SharedIdentifiers::default(),
        }
    }

    /// Splits off what requests are sent with. `flow` is that of the open connection; `None`
    /// without one.
    #[inline]
    pub(super) const fn split<'a>(
        &'a mut self,
        flow: Option<&'a mut Flow>,
    ) -> (
        &'a mut Session,
        &'a mut VecDeque<EngineEvent>,
        SendContext<'a>,
    ) {
        let cx = SendContext {
            flow,
            output: &mut self.output,
            statistics: &mut self.statistics,
            options: &self.options,
            now: self.now,
        };
        (&mut self.session, &mut self.events, cx)
    }

    /// Client identifier in use; empty while the server has not assigned one.
    pub(super) fn client_id(&self) -> &str {
        match self.options.client_id.as_str() {
            "" => self.session.client_id().unwrap_or_default(),
            chosen => chosen,
        }
    }

    /// Counts a packet that was taken from an input of `before` bytes, of which `after` are left.
    #[inline]
    pub(super) const fn count_received(&mut self, before: usize, after: usize) {
        self.statistics.packets_received += 1;
        self.statistics.bytes_received += before.saturating_sub(after) as u64;
    }

    /// Handles the time, as far as messages are concerned that wait for something: they expire.
    pub(super) fn pass_time(&mut self, now: Instant, is_open: bool) {
        self.now = Some(now);
        self.session.outbound.expire(now, &mut self.statistics);
        if self.unmatched_wait.is_over(self.now) && self.session.inbound.has_unmatched() {
            self.send_due_acks(is_open);
        }
    }

    /// Writes the acknowledgements that are due, if the connection is open, and refuses unmatched
    /// messages that can't wait any longer.
    #[inline]
    pub(super) fn send_due_acks(&mut self, is_open: bool) {
        loop {
            if is_open {
                while let Some(due) = self.session.inbound.next_due() {
                    write_ack(
                        &mut self.output,
                        &mut self.statistics,
                        due.ack_type,
                        due.packet_id,
                        due.reason_code,
                    );
                }
            }
            if !self.session.inbound.has_unmatched() || !self.refuse_unmatched() {
                break;
            }
        }
    }

    /// Refuses unmatched messages that can't wait any longer. Returns whether there were any.
    fn refuse_unmatched(&mut self) -> bool {
        let maximum = usize::from(self.receive_window.announced() / 2).max(1);
        let is_over = self.unmatched_wait.is_over(self.now);
        let inbound = &mut self.session.inbound;
        let mut has_refused = false;
        while let Some(id) = inbound.overdue_unmatched(is_over, maximum) {
            inbound.answer(id, ReasonCode::UnspecifiedError);
            self.events.push_back(EngineEvent::UnmatchedRefused(id));
            has_refused = true;
        }
        has_refused
    }

    /// Checks that the server sends no reason string and no user properties to a client that asked
    /// for none. [MQTT-3.1.2-29]
    #[inline]
    pub(super) fn check_explanation(
        &self,
        packet_type: PacketType,
        reason_string: &Option<Utf8String<'_>>,
        user_properties: &Repeated<'_, UserProperty<'_>>,
    ) -> Result<(), Violation> {
        let asked_for_none = self.options.request_problem_information == Some(false);
        if asked_for_none && (reason_string.is_some() || !user_properties.is_empty()) {
            return Err(protocol_error(
                packet_type,
                "problem information that nobody asked for",
                "MQTT-3.1.2-29",
            ));
        }
        Ok(())
    }
}
