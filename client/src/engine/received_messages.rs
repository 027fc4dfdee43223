//! `ReceivedMessages`: the answers of the application to received messages.

use std::time::Duration;

use dunlin_codec::{Ack, AckType, ReasonCode};

#[cfg(doc)]
use super::EngineEvent;
use super::connection_state::ConnectionState;
use super::core::Core;
use super::inbound::DeliveryId;
use super::outbound::request::PLACEHOLDER;
use super::persistence::change::Change;
use crate::error::RequestError;

/// Time in which a connection that can't take messages any more stays open for acknowledgements of
/// requests.
const DECLINE_GRACE: Duration = Duration::from_secs(1);

/// Received messages of QoS 1 and 2, for the application's answers to them. Returned by
/// [`Engine::received`](super::Engine::received).
#[derive(Debug)]
pub struct ReceivedMessages<'a> {
    pub(super) state: &'a mut ConnectionState,
    pub(super) core: &'a mut Core,
}

impl ReceivedMessages<'_> {
    /// Sets the number of consumers of a message: each of them will [`consume`](Self::consume) it.
    /// The default is one.
    pub fn set_consumers(&mut self, id: DeliveryId, consumers: usize) {
        self.core.session.inbound.set_consumers(id, consumers);
    }

    /// Notes that the application has taken a message: its acknowledgement is sent as soon as those
    /// before it are.
    pub fn consume(&mut self, id: DeliveryId) {
        let Self { state, core } = self;
        core.session.inbound.answer(id, ReasonCode::Success);
        core.session.records.release(id, &mut core.session.inbound);
        core.send_due_acks(state.is_open());
    }

    /// Takes a message as [`consume`](Self::consume) does, and changes records of the application:
    /// they are stored in one commit with the fact that the message was taken, or not at all. The
    /// records of several consumers are all stored with the last answer. Without a store, and if a
    /// consumer has abandoned the message, they are dropped.
    pub fn consume_with(&mut self, id: DeliveryId, records: Vec<Change>) {
        let session = &mut self.core.session;
        if session.is_recording() && !session.inbound.is_abandoned(id) {
            session.records.wait_for(id, records);
        }
        self.consume(id);
    }

    /// Answers a message as [`consume`](Self::consume) does, with a reason code: one of 0x80 or
    /// above refuses the message, which is over then, at QoS 2 without PUBREL. Of several
    /// consumers' codes the highest counts. A message that was answered before, or that belongs to
    /// a lost session, is left alone. [MQTT-4.6.0-2] [MQTT-4.6.0-3]
    ///
    /// # Errors
    /// [`RequestError::Encode`] for a code that PUBACK doesn't have (§3.4.2.1). Nothing is answered
    /// then.
    pub fn answer(&mut self, id: DeliveryId, reason_code: ReasonCode) -> Result<(), RequestError> {
        // The code is checked now, not when its turn comes.
        let ack = Ack {
            reason_code,
            ..Ack::success(PLACEHOLDER)
        };
        ack.into_packet(AckType::PubAck).encoded_len()?;
        let Self { state, core } = self;
        core.session.inbound.answer(id, reason_code);
        core.session.records.release(id, &mut core.session.inbound);
        core.send_due_acks(state.is_open());
        Ok(())
    }

    /// Returns `true` if an answer to a message would reach the server: not if it was answered, nor
    /// if its session is lost.
    #[cfg(feature = "tokio")]
    pub(crate) fn may_answer(&mut self, id: DeliveryId) -> bool {
        self.core.session.inbound.may_answer(id)
    }

    /// Notes that the application won't answer a message. It isn't acknowledged on this connection,
    /// nor are the messages after it; when the server repeats it on the next connection, it is
    /// delivered again.
    pub fn abandon(&mut self, id: DeliveryId) {
        self.core.session.inbound.abandon(id);
        self.core.session.records.drop_waiting(id);
    }

    /// Declines a message of QoS 1 or 2 that the application has no memory for ([`memory_budget`]):
    /// it isn't acknowledged, and the server sends it again on the next connection.
    ///
    /// Acknowledgements are sent in order (§4.6): nothing after the message can be acknowledged
    /// on this connection, so later messages have to be declined as well:
    /// [`declines_messages`](super::Engine::declines_messages) is `true` from now on. The
    /// engine acknowledges what was taken and disconnects with reason code 0x97: at once if no
    /// request waits for its acknowledgement, and otherwise after a second or when
    /// [`leave_declined`](Self::leave_declined) is called. The next CONNECT announces half of
    /// the messages that were outstanding as Receive Maximum; each connection that ends for another
    /// reason doubles it again, up to the configured one.
    ///
    /// [`memory_budget`]: crate::ConnectOptions::memory_budget
    pub fn decline(&mut self, id: DeliveryId) {
        let core = &mut *self.core;
        // The message will come again with the next connection.
        let outstanding = core.session.inbound.outstanding();
        core.session.inbound.abandon(id);
        let ConnectionState::Open(open) = &mut *self.state else {
            return;
        };
        // The connection is leaving already, with its window reduced.
        if open.leaves_at.is_some() {
            return;
        }
        open.leaves_at = core.now.and_then(|now| now.checked_add(DECLINE_GRACE));
        core.receive_window.reduce(outstanding, &core.options);
        // Nobody waits for an acknowledgement: leave at once.
        if core.session.outbound.operations.all_have_outcomes() {
            self.leave_declined();
        }
    }

    /// Leaves a connection on which messages were [declined](Self::decline), because there is
    /// memory for them again.
    pub fn leave_declined(&mut self) {
        if let ConnectionState::Open(open) = &*self.state
            && open.leaves_at.is_some()
        {
            let exit = open.leave(self.core);
            self.state.exit(exit, self.core);
        }
    }

    /// Keeps a message unacknowledged that matches no stream of the application, so that a later
    /// stream can get it.
    ///
    /// Returns `false` and does nothing if no stream is to be waited for: the session began with
    /// this engine ([`may_receive_unmatched`](super::Engine::may_receive_unmatched)), or
    /// [`unmatched_wait`](crate::ConnectOptions::unmatched_wait) is zero. Then the caller answers
    /// the message at once.
    ///
    /// Otherwise the message waits until [`match_unmatched`](Self::match_unmatched),
    /// [`consume`](Self::consume) or [`answer`](Self::answer), but only while fewer
    /// acknowledgements than half of this client's Receive Maximum wait behind it (acknowledgements
    /// are sent in order, §4.6), and no longer than until `unmatched_wait` after the first CONNACK
    /// that resumed the session: outages included, and the same for all messages, so that those of
    /// a forgotten subscription don't hold up all others for one wait after another. After that the
    /// engine refuses it with reason code 0x80 and reports [`EngineEvent::UnmatchedRefused`]; a
    /// message that arrives later is refused at once.
    pub fn keep_unmatched(&mut self, id: DeliveryId) -> bool {
        let Self { state, core } = self;
        if core
            .unmatched_wait
            .until(core.options.unmatched_wait)
            .is_none()
        {
            return false;
        }
        core.session.inbound.keep_unmatched(id);
        // The wait may be over, or so many acknowledgements may be waiting already.
        core.send_due_acks(state.is_open());
        true
    }

    /// Ends the wait of a message that was [kept](Self::keep_unmatched), because a stream has got
    /// it. Returns `false` if the message was refused before.
    pub fn match_unmatched(&mut self, id: DeliveryId) -> bool {
        self.core.session.inbound.match_unmatched(id)
    }
}
