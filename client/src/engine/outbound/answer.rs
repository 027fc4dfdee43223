//! What the server answers to requests, and what becomes of them: PUBACK to UNSUBACK.

use dunlin_codec::{
    Ack, AckProperties, AckType, PacketId, PacketType, ReasonCode, Repeated, SubAckProperties,
};

use crate::engine::link::conduct;
use crate::engine::outbound::compact_outcome::Conclusion;
use crate::engine::outbound::operation::{Answered, Kind, OperationId, Outcome, Phase, Published};
use crate::engine::outbound::request::{requested, requested_identifier};
use crate::engine::subscriptions::granted::ActiveSubscription;
use crate::engine::{Engine, EngineEvent, State};
use crate::error::{Explanation, RequestError, ServerReason, Violation};
use crate::event::RefusedRequest;

/// Bytes of one SUBACK's texts that are copied into [`EngineEvent::SubscriptionLost`].
const LOST_EXPLANATIONS: usize = 64 << 10;

impl Engine {
    /// PUBACK and PUBCOMP end an exchange. One that nobody waits for is ignored.
    pub(in crate::engine) fn handle_ack(
        &mut self,
        ack_type: AckType,
        ack: &Ack<'_>,
    ) -> Result<(), Violation> {
        self.check_explanation(ack_type.packet_type(), &ack.properties)?;
        let Some(key) = self.session.ids.owner(ack.packet_id) else {
            return Ok(());
        };
        let Some(operation) = self.session.operations.get(key) else {
            return Ok(());
        };
        match (ack_type, operation.kind, operation.phase) {
            (AckType::PubAck, Kind::PublishAtLeastOnce, Phase::Sent(_) | Phase::Repeat(_))
            | (AckType::PubComp, Kind::PublishExactlyOnce, Phase::Released(_)) => {}
            _ => {
                return Err(conduct(
                    ack_type.packet_type(),
                    "for a request of another kind",
                    "MQTT-2.2.1-5",
                ));
            }
        }
        let counted = operation.holds_quota();
        let conclusion = if ack.reason_code.is_error() && ack_type == AckType::PubAck {
            self.report_refusal(ack_type, ack);
            refused(ack_type, ack, self.copy_allowance())
        } else {
            published(ack, operation.is_anew, self.copy_allowance())
        };
        self.end_publish(key, ack.packet_id, counted, conclusion);
        Ok(())
    }

    /// PUBREC below 0x80 is answered by PUBREL, whatever happened before; above, it ends the
    /// exchange. [MQTT-4.3.3-4]
    pub(in crate::engine) fn handle_pubrec(&mut self, ack: &Ack<'_>) -> Result<(), Violation> {
        self.check_explanation(PacketType::PubRec, &ack.properties)?;
        let order = self.session.next_order();
        let session = &mut self.session;
        let owner = session.ids.owner(ack.packet_id);
        let Some((key, operation)) =
            owner.and_then(|key| Some((key, session.operations.get_mut(key)?)))
        else {
            if !ack.reason_code.is_error() {
                self.send_ack(
                    AckType::PubRel,
                    ack.packet_id,
                    ReasonCode::PacketIdentifierNotFound,
                );
            }
            return Ok(());
        };
        if operation.kind != Kind::PublishExactlyOnce {
            return Err(conduct(
                PacketType::PubRec,
                "for a request of another kind",
                "MQTT-2.2.1-5",
            ));
        }
        if ack.reason_code.is_error() {
            let counted = operation.holds_quota();
            let allowance = self.copy_allowance();
            self.report_refusal(AckType::PubRec, ack);
            self.end_publish(
                key,
                ack.packet_id,
                counted,
                refused(AckType::PubRec, ack, allowance),
            );
            return Ok(());
        }
        // A repetition that the server didn't wait for counts from here on.
        let counts = !operation.holds_quota();
        if !matches!(operation.phase, Phase::Released(_)) {
            operation.order = order;
        }
        operation.phase = Phase::Released(ack.packet_id);
        session.operations.drop_packet(key);
        if let State::Open(connection) = &mut self.state
            && counts
        {
            connection.quota.take();
        }
        self.send_pubrel(ack.packet_id);
        Ok(())
    }

    pub(in crate::engine) fn handle_pubrel(&mut self, ack: &Ack<'_>) -> Result<(), Violation> {
        self.check_explanation(PacketType::PubRel, &ack.properties)?;
        let known = self.session.inbound.release(ack.packet_id);
        let reason_code = if known {
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdentifierNotFound
        };
        self.send_ack(AckType::PubComp, ack.packet_id, reason_code);
        Ok(())
    }

    /// Repeats the PUBREL of a resumed exchange. Servers count its message until PUBCOMP, so it is
    /// counted here.
    pub(in crate::engine) fn repeat_pubrel(&mut self, id: OperationId) {
        let State::Open(connection) = &mut self.state else {
            return;
        };
        let Some(operation) = self.session.operations.get_by(id) else {
            return;
        };
        let is_timed = operation.is_timed;
        if let Phase::Released(packet_id) = operation.phase {
            connection.quota.take();
            self.send_pubrel(packet_id);
            self.awaits(id, true, is_timed);
        }
    }

    /// The server is done with a message, which `counted` against its Receive Maximum.
    fn end_publish(
        &mut self,
        key: u32,
        packet_id: PacketId,
        counted: bool,
        conclusion: Conclusion,
    ) {
        self.session.ids.release(packet_id);
        self.session.ack_deadlines.acknowledge(self.now);
        self.session.operations.finish(key, conclusion);
        if let State::Open(connection) = &mut self.state
            && counted
        {
            connection.quota.give_back();
        }
        self.pump();
    }

    /// SUBACK or UNSUBACK: one code for each filter, or the server has lost count. [MQTT-3.8.4-6]
    /// [MQTT-3.11.3-1]
    pub(in crate::engine) fn handle_answer(
        &mut self,
        packet_type: PacketType,
        packet_id: PacketId,
        properties: &SubAckProperties<'_>,
        reason_codes: Repeated<'_, ReasonCode>,
    ) -> Result<(), Violation> {
        let &SubAckProperties {
            reason_string,
            user_properties,
        } = properties;
        self.check_explanation(
            packet_type,
            &AckProperties {
                reason_string,
                user_properties,
            },
        )?;
        let Some(key) = self.session.ids.owner(packet_id) else {
            return Ok(());
        };
        let Some(operation) = self.session.operations.get(key) else {
            return Ok(());
        };
        let (kind, packet, order) = (operation.kind, operation.packet.clone(), operation.order);
        let (reissued, is_given_up) = (operation.is_anew, operation.is_settled());
        let expected = match kind {
            Kind::Subscribe | Kind::Resubscribe => PacketType::SubAck,
            Kind::Unsubscribe => PacketType::UnsubAck,
            Kind::PublishAtMostOnce
            | Kind::PublishAtLeastOnce
            | Kind::PublishExactlyOnce
            | Kind::Reauthenticate => PacketType::PubAck,
        };
        if packet_type != expected {
            return Err(conduct(
                packet_type,
                "for a request of another kind",
                "MQTT-2.2.1-6",
            ));
        }
        let filters = requested(&packet);
        if filters.len() != reason_codes.len() {
            return Err(conduct(
                packet_type,
                "not one reason code for each filter",
                "MQTT-3.8.4-6",
            ));
        }
        let identifier = requested_identifier(&packet);
        // One packet may answer for thousands of filters.
        let mut allowance = LOST_EXPLANATIONS;
        let mut explain = |code| {
            let explanation = Explanation::within(allowance, reason_string, user_properties);
            let reason = ServerReason::from_explanation(packet_type, code, explanation);
            allowance = allowance.saturating_sub(reason.copied_bytes());
            RequestError::Refused(reason)
        };
        for ((filter, options), code) in filters.into_iter().zip(reason_codes) {
            // A renewal that is refused is told as a lost subscription.
            if code.is_error() && kind != Kind::Resubscribe {
                let refused =
                    RefusedRequest::new(packet_type, packet_id, code, Some(filter), reason_string);
                self.events
                    .push_back(EngineEvent::RequestRefused(Box::new(refused)));
            }
            match kind {
                Kind::Resubscribe if !code.is_error() && !is_given_up => {
                    self.session.subscriptions.renew(filter, order);
                }
                Kind::Subscribe if !code.is_error() => {
                    let filter = filter.to_owned();
                    let is_current = true;
                    let granted = ActiveSubscription {
                        filter,
                        options,
                        identifier,
                        order,
                        is_current,
                    };
                    self.session.subscriptions.grant(granted);
                }
                Kind::Resubscribe if !is_given_up => {
                    self.lose_subscription(filter, order, explain(code));
                }
                Kind::Subscribe if code.is_error() && !is_given_up => {
                    self.lose_unrenewed(filter, order, || explain(code));
                }
                Kind::Unsubscribe => self.session.subscriptions.end(filter, order),
                Kind::Subscribe
                | Kind::PublishAtMostOnce
                | Kind::PublishAtLeastOnce
                | Kind::PublishExactlyOnce
                | Kind::Resubscribe
                | Kind::Reauthenticate => {}
            }
        }
        if self.session.ids.is_full() {
            self.session.ack_deadlines.acknowledge(self.now);
        }
        self.session.ids.release(packet_id);
        let explanation =
            Explanation::within(self.copy_allowance(), reason_string, user_properties);
        let outcome = Answered {
            packet_id,
            reason_codes: reason_codes.iter().collect(),
            reason_string: explanation.reason_string,
            user_properties: explanation.user_properties,
            omitted: explanation.omitted,
            reissued,
        };
        self.session
            .operations
            .finish(key, Ok(Outcome::Answered(outcome)));
        self.pump();
        Ok(())
    }

    /// The server refused a message.
    fn report_refusal(&mut self, ack_type: AckType, ack: &Ack<'_>) {
        let reason_string = ack.properties.reason_string;
        let refused = RefusedRequest::new(
            ack_type.packet_type(),
            ack.packet_id,
            ack.reason_code,
            None,
            reason_string,
        );
        self.events
            .push_back(EngineEvent::RequestRefused(Box::new(refused)));
    }

    /// Bytes of the server's texts that may still be copied into outcomes.
    const fn copy_allowance(&self) -> usize {
        (self.options.memory_budget / 8).saturating_sub(self.session.operations.copied())
    }

    /// A client that asked for no explanations gets none. [MQTT-3.1.2-29]
    pub(in crate::engine) fn check_explanation(
        &self,
        packet_type: PacketType,
        properties: &AckProperties<'_>,
    ) -> Result<(), Violation> {
        let asked_for_none = self.options.request_problem_information == Some(false);
        if asked_for_none
            && (properties.reason_string.is_some() || !properties.user_properties.is_empty())
        {
            return Err(conduct(
                packet_type,
                "problem information that nobody asked for",
                "MQTT-3.1.2-29",
            ));
        }
        Ok(())
    }
}

fn refused(ack_type: AckType, ack: &Ack<'_>, allowance: usize) -> Conclusion {
    let AckProperties {
        reason_string,
        user_properties,
    } = ack.properties;
    let explanation = Explanation::within(allowance, reason_string, user_properties);
    let reason =
        ServerReason::from_explanation(ack_type.packet_type(), ack.reason_code, explanation);
    Err(RequestError::Refused(reason)).into()
}

fn published(ack: &Ack<'_>, republished: bool, allowance: usize) -> Conclusion {
    let (packet_id, reason_code) = (ack.packet_id, ack.reason_code);
    let AckProperties {
        reason_string,
        user_properties,
    } = ack.properties;
    if reason_string.is_none() && user_properties.is_empty() {
        return Conclusion::Acknowledged {
            packet_id,
            reason_code,
            republished,
        };
    }
    let Explanation {
        reason_string,
        user_properties,
        omitted,
    } = Explanation::within(allowance, reason_string, user_properties);
    let packet_id = Some(packet_id);
    let published = Published {
        packet_id,
        reason_code,
        reason_string,
        user_properties,
        omitted,
        republished,
    };
    Ok(Outcome::Published(published)).into()
}
