//! Acknowledgements of published messages: PUBACK, PUBREC and PUBCOMP.

use std::collections::VecDeque;

use dunlin_codec::{Ack, AckProperties, AckType, PacketId, PacketType, QoS, ReasonCode};

use super::Outbound;
use super::accepted_request::RequestStage;
use super::outcome::{CompactOutcome, Outcome, Published};
use super::request::Request;
use super::send_context::SendContext;
use crate::engine::engine_event::EngineEvent;
use crate::engine::violation::protocol_error;
use crate::error::{Explanation, RequestError, ServerReason, Violation};
use crate::event::RefusedRequest;

impl Outbound {
    /// Handles PUBACK and PUBCOMP, which end an exchange. One for an unknown identifier is ignored.
    ///
    /// # Errors
    /// A protocol error, if the identifier belongs to a request of another kind.
    pub(in crate::engine) fn handle_ack(
        &mut self,
        ack_type: AckType,
        ack: &Ack<'_>,
        events: &mut VecDeque<EngineEvent>,
        cx: &mut SendContext<'_>,
    ) -> Result<(), Violation> {
        // A late acknowledgement of a request that was given up is harmless.
        let Some(key) = self.packet_ids.owner(ack.packet_id) else {
            return Ok(());
        };
        let Some(operation) = self.operations.get(key) else {
            return Ok(());
        };
        let Request::Publish(publish) = &operation.request else {
            return Err(wrong_kind(ack_type.packet_type()));
        };
        // PUBACK ends QoS 1, PUBCOMP ends QoS 2 after PUBREC.
        match (ack_type, publish.qos, operation.stage) {
            (
                AckType::PubAck,
                QoS::AtLeastOnce,
                RequestStage::Sent(_) | RequestStage::Resend(_),
            )
            | (AckType::PubComp, QoS::ExactlyOnce, RequestStage::Released(_)) => {}
            _ => return Err(wrong_kind(ack_type.packet_type())),
        }
        // A repetition that was not sent yet is not counted.
        let holds_quota = !matches!(operation.stage, RequestStage::Resend(_));
        let is_reissued = operation.is_reissued;
        let AckProperties {
            reason_string,
            user_properties,
        } = &ack.properties;
        let outcome = if ack.reason_code.is_error() && ack_type == AckType::PubAck {
            // The application hears of refusals even if nobody waits for the outcome.
            events.push_back(refused_event(ack_type, ack));
            refused(ack_type, ack, self.copy_allowance(cx))
        } else if reason_string.is_none() && user_properties.is_empty() {
            // Most acknowledgements have no texts.
            CompactOutcome::Acknowledged {
                packet_id: ack.packet_id,
                reason_code: ack.reason_code,
                republished: is_reissued,
            }
        } else {
            explained(ack, is_reissued, self.copy_allowance(cx))
        };
        self.end_publish(key, ack.packet_id, holds_quota, outcome, cx);
        Ok(())
    }

    /// Handles PUBREC: one below 0x80 is answered with PUBREL, whatever happened before; one above
    /// ends the exchange. [MQTT-4.3.3-4]
    ///
    /// # Errors
    /// A protocol error, if the identifier belongs to a request of another kind.
    pub(in crate::engine) fn handle_pubrec(
        &mut self,
        ack: &Ack<'_>,
        events: &mut VecDeque<EngineEvent>,
        cx: &mut SendContext<'_>,
    ) -> Result<(), Violation> {
        // PUBRELs are repeated in the order of the PUBRECs.
        let order = self.next_order();
        let key = self.packet_ids.owner(ack.packet_id);
        let Some((key, operation)) = key.and_then(|key| Some((key, self.operations.get(key)?)))
        else {
            // The exchange is over here; the server still has to end it.
            if !ack.reason_code.is_error() {
                let not_found = ReasonCode::PacketIdentifierNotFound;
                cx.write_ack(AckType::PubRel, ack.packet_id, not_found);
            }
            return Ok(());
        };
        if operation.request.message_qos() != Some(QoS::ExactlyOnce) {
            return Err(wrong_kind(PacketType::PubRec));
        }
        // A refusal ends the exchange without PUBREL.
        if ack.reason_code.is_error() {
            events.push_back(refused_event(AckType::PubRec, ack));
            let holds_quota = operation.holds_quota();
            let outcome = refused(AckType::PubRec, ack, self.copy_allowance(cx));
            self.end_publish(key, ack.packet_id, holds_quota, outcome, cx);
            return Ok(());
        }

        // The message itself is not needed any more, only the identifier is.
        let held_quota = self.operations.set_released(key, ack.packet_id, order);
        // A repetition that this client had not sent yet counts from here on.
        if let Some(flow) = &mut cx.flow
            && !held_quota
        {
            flow.quota.take();
        }
        cx.write_ack(AckType::PubRel, ack.packet_id, ReasonCode::Success);
        Ok(())
    }

    /// Completes a message that the server is done with. `held_quota` says that it counted against
    /// the server's Receive Maximum.
    fn end_publish(
        &mut self,
        key: u32,
        packet_id: PacketId,
        held_quota: bool,
        outcome: CompactOutcome,
        cx: &mut SendContext<'_>,
    ) {
        // The identifier can be used again.
        self.packet_ids.release(packet_id);
        // The server makes progress: requests that wait get more time.
        self.ack_deadlines.acknowledge(cx.now);
        self.operations.complete(key, outcome, cx.statistics);
        // The window has space for another message.
        if let Some(flow) = &mut cx.flow
            && held_quota
        {
            flow.quota.give_back();
        }
        self.send_queued(cx);
    }

    /// The request that SUBACK or UNSUBACK answers; `None` for an unknown identifier.
    ///
    /// # Errors
    /// A protocol error, if the identifier belongs to a request of another kind, or if there is not
    /// one reason code for each filter. [MQTT-3.8.4-6] [MQTT-3.11.3-1]
    pub(in crate::engine) fn answered_request(
        &self,
        packet_type: PacketType,
        packet_id: PacketId,
        reason_codes: usize,
    ) -> Result<Option<AnsweredRequest>, Violation> {
        let Some(key) = self.packet_ids.owner(packet_id) else {
            return Ok(None);
        };
        let Some(operation) = self.operations.get(key) else {
            return Ok(None);
        };
        // SUBACK answers SUBSCRIBE, UNSUBACK answers UNSUBSCRIBE.
        let filters = match (&operation.request, packet_type) {
            (Request::Subscribe(subscribe), PacketType::SubAck) => subscribe.subscriptions.len(),
            (Request::Unsubscribe(unsubscribe), PacketType::UnsubAck) => unsubscribe.filters.len(),
            _ => {
                return Err(protocol_error(
                    packet_type,
                    "for a request of another kind",
                    "MQTT-2.2.1-6",
                ));
            }
        };
        // The codes belong to the filters by their order alone.
        if filters != reason_codes {
            return Err(protocol_error(
                packet_type,
                "not one reason code for each filter",
                "MQTT-3.8.4-6",
            ));
        }
        Ok(Some(AnsweredRequest {
            key,
            request: operation.request.clone(),
            order: operation.order,
            is_reissued: operation.is_reissued,
            has_outcome: operation.has_outcome(),
        }))
    }

    /// Completes a SUBSCRIBE or UNSUBSCRIBE that was answered.
    pub(in crate::engine) fn end_answered(
        &mut self,
        key: u32,
        packet_id: PacketId,
        outcome: Outcome,
        cx: &mut SendContext<'_>,
    ) {
        // Requests may have waited for an identifier: this answer is progress for them.
        if self.packet_ids.is_full() {
            self.ack_deadlines.acknowledge(cx.now);
        }
        self.packet_ids.release(packet_id);
        self.operations.complete(key, Ok(outcome), cx.statistics);
        self.send_queued(cx);
    }

    /// Bytes of the server's texts that may still be copied into outcomes.
    pub(in crate::engine) const fn copy_allowance(&self, cx: &SendContext<'_>) -> usize {
        (cx.options.memory_budget / 8).saturating_sub(self.operations.copied())
    }
}

/// A SUBSCRIBE or UNSUBSCRIBE whose answer was received.
#[derive(Debug)]
pub(in crate::engine) struct AnsweredRequest {
    /// Slot in the table of operations.
    pub(in crate::engine) key: u32,
    pub(in crate::engine) request: Request,
    /// Number of its send.
    pub(in crate::engine) order: u64,
    pub(in crate::engine) is_reissued: bool,
    /// `true` if it timed out before.
    pub(in crate::engine) has_outcome: bool,
}

/// Violation of an acknowledgement that does not fit the request with its identifier.
const fn wrong_kind(packet_type: PacketType) -> Violation {
    protocol_error(packet_type, "for a request of another kind", "MQTT-2.2.1-5")
}

fn refused_event(ack_type: AckType, ack: &Ack<'_>) -> EngineEvent {
    EngineEvent::RequestRefused(Box::new(RefusedRequest::new(
        ack_type.packet_type(),
        ack.packet_id,
        ack.reason_code,
        None,
        ack.properties.reason_string,
    )))
}

/// Outcome of a message that the server refused; copies at most `allowance` bytes of texts.
fn refused(ack_type: AckType, ack: &Ack<'_>, allowance: usize) -> CompactOutcome {
    let AckProperties {
        reason_string,
        user_properties,
    } = ack.properties;
    let explanation = Explanation::within(allowance, reason_string, user_properties);
    let reason =
        ServerReason::from_explanation(ack_type.packet_type(), ack.reason_code, explanation);
    Err(RequestError::Refused(reason)).into()
}

/// Outcome of a message that the server acknowledged with texts; copies at most `allowance` bytes
/// of them.
#[cold]
fn explained(ack: &Ack<'_>, republished: bool, allowance: usize) -> CompactOutcome {
    let AckProperties {
        reason_string,
        user_properties,
    } = ack.properties;
    let Explanation {
        reason_string,
        user_properties,
        omitted,
    } = Explanation::within(allowance, reason_string, user_properties);
    Ok(Outcome::Published(Published {
        packet_id: Some(ack.packet_id),
        reason_code: ack.reason_code,
        reason_string,
        user_properties,
        omitted,
        republished,
    }))
    .into()
}
