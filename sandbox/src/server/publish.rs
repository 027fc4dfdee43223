//! PUBLISH from a client: checked, decided by the policy, routed, acknowledged.

use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{PacketId, PayloadFormat, Publish, QoS, ReasonCode};

use crate::event::Event;
use crate::fault::Fault;
use crate::policy::{Action, Decision};
use crate::profile::{Profile, Rules};
use crate::server::close_reason::CloseReason;
use crate::server::limit::{Limit, at_most};
use crate::server::message::Message;
use crate::server::open::Open;
use crate::server::request_refusal::RequestRefusal;
use crate::server::settings::Settings;
use crate::server::topics;
use crate::server::turn::Turn;

impl Open {
    /// Handles a PUBLISH: routes its message, or refuses it in the way that its QoS allows.
    ///
    /// # Errors
    /// The end of the connection: the PUBLISH breaks a limit of the connection, or the setting closes
    /// the connection for its refusal.
    pub(super) fn handle_publish(
        &mut self,
        publish: &Publish<'_>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CloseReason> {
        if self.settings.faults.has(&Fault::DropOnPublish) {
            return Err(CloseReason::Dropped);
        }

        // Limits that the CONNACK has announced: breaking them ends the connection.
        let rules = self.settings.rules();
        let qos = publish.delivery.qos();
        if qos > rules.maximum_qos {
            return Err(Limit::QoS(qos.level(), rules.maximum_qos.level()).into());
        }
        at_most(publish.payload.len(), rules.max_payload, |has, most| {
            Limit::Payload { has, most }
        })?;
        let topic = self.client_aliases.topic(publish)?;
        let message = Message::of_publish(
            publish,
            topic,
            &self.client_id,
            &self.settings,
            &turn.hub.memory_counter(),
            turn.now,
        )?;
        let topic = topic.as_str().to_owned();

        // A packet identifier in use is answered without a second publication.
        if let Some(packet_id) = publish.delivery.packet_id()
            && let Some(reason_code) = self.check_packet_id(packet_id, qos, turn)?
        {
            self.acknowledge(qos, packet_id, reason_code, None, turn.output);
            return Ok(());
        }

        // Everything that may refuse this one message.
        let outcome = self
            .check_rate(turn.now)
            .and_then(|()| self.check_fault(qos))
            .and_then(|()| check_payload_format(publish, &self.settings))
            .and_then(|()| self.publish(&Arc::new(message), turn));
        turn.output.work += outcome.as_ref().map_or(0, |(receivers, _)| *receivers);
        turn.log(self.publish_event(topic, outcome.clone()));
        let refusal = outcome.err();
        let denials = self.settings.denials;
        match refusal
            .as_ref()
            .and_then(|refusal| CloseReason::for_operation(refusal, denials))
        {
            Some(reason) => Err(reason),
            None => self.answer(publish, refusal, turn),
        }
    }

    /// Acknowledges the message with its outcome.
    ///
    /// # Errors
    /// The end of the connection for a refused message of QoS 0, which has no acknowledgement.
    fn answer(
        &mut self,
        publish: &Publish<'_>,
        refusal: Option<RequestRefusal>,
        turn: &mut Turn<'_>,
    ) -> Result<(), CloseReason> {
        let Some(packet_id) = publish.delivery.packet_id() else {
            return match refusal.filter(|refusal| !refusal.is_discarded()) {
                Some(refusal) => Err(CloseReason::Refused(refusal)),
                None => Ok(()),
            };
        };

        // A fault on demand leaves the message unacknowledged.
        let qos = publish.delivery.qos();
        if self.settings.faults.has(&Fault::NoPubAck) {
            self.unacknowledged += 1;
            return Ok(());
        }
        if qos == QoS::ExactlyOnce
            && refusal.is_none()
            && let Some(session) = self.session(turn)
        {
            // Until its PUBREL the same identifier is the same message. [MQTT-4.3.3-10]
            session.received.insert(packet_id);
        }

        // The acknowledgement has the reason code of a refusal, and the connection goes on.
        let (reason_code, reason) = match &refusal {
            None => (ReasonCode::Success, None),
            Some(refusal) => (refusal.reason_code(), Some(refusal.reason())),
        };
        self.acknowledge(qos, packet_id, reason_code, reason.as_deref(), turn.output);
        Ok(())
    }

    /// Checks that a PUBLISH may use this packet identifier; `Some` is the reason code of its
    /// answer, if it is one that needs no more.
    ///
    /// # Errors
    /// The end of the connection for more unacknowledged messages than the Receive Maximum.
    fn check_packet_id(
        &self,
        packet_id: PacketId,
        qos: QoS,
        turn: &mut Turn<'_>,
    ) -> Result<Option<ReasonCode>, CloseReason> {
        let Some(session) = self.session(turn) else {
            return Ok(None);
        };
        // A repetition at QoS 2 gets its PUBREC again, and the message isn't published twice.
        // [MQTT-4.3.3-10]
        if session.received.contains(&packet_id) {
            return Ok(Some(match qos {
                QoS::ExactlyOnce => ReasonCode::Success,
                QoS::AtMostOnce | QoS::AtLeastOnce => ReasonCode::PacketIdentifierInUse,
            }));
        }
        let most = self.settings.rules().receive_maximum;
        if session.received.len() + self.unacknowledged >= usize::from(most) {
            // [MQTT-3.3.4-9]
            return Err(Limit::ReceiveMaximum(most).into());
        }
        Ok(None)
    }

    /// Decides about a message by the limits of its topic and by the policy. A will is decided about
    /// when its connection ends.
    pub(super) fn authorize_publish(
        &self,
        message: &Message,
        turn: &Turn<'_>,
    ) -> Result<Decision, RequestRefusal> {
        authorize_message(message, self.settings.rules(), |action, name| {
            self.decide(action, name, turn)
        })
    }

    /// Routes a message that the policy allows; returns the number of receivers.
    pub(super) fn publish(
        &self,
        message: &Arc<Message>,
        turn: &mut Turn<'_>,
    ) -> Result<(usize, Decision), RequestRefusal> {
        let decision = self.authorize_publish(message, turn)?;
        // Allowed; only the queues of others or the store of retained messages can refuse now.
        let receivers = turn.hub.publish(message, turn.now)?;
        Ok((receivers, decision))
    }

    fn check_fault(&self, qos: QoS) -> Result<(), RequestRefusal> {
        match self.settings.faults.puback() {
            Some(reason_code) if qos > QoS::AtMostOnce => Err(RequestRefusal::Fault(reason_code)),
            _ => Ok(()),
        }
    }

    /// Discards messages beyond the rate of the profile; from QoS 1 on the acknowledgement says so.
    fn check_rate(&mut self, now: Instant) -> Result<(), RequestRefusal> {
        if self.throttle.try_take_message(now) {
            return Ok(());
        }
        let most = self.settings.rules().max_messages_per_second;
        Err(Limit::Messages(most.unwrap_or_default()).into())
    }

    fn publish_event(
        &self,
        topic: String,
        outcome: Result<(usize, Decision), RequestRefusal>,
    ) -> Event {
        Event::Publish {
            is_will: false,
            client_id: self.client_id.to_string(),
            topic,
            outcome: outcome.into(),
        }
    }
}

/// Checks that a payload with the format indicator 1 is UTF-8. AWS IoT has no code to refuse it.
///
/// # Errors
/// [`RequestRefusal::PayloadFormat`]
pub(super) fn check_payload_format(
    publish: &Publish<'_>,
    settings: &Settings,
) -> Result<(), RequestRefusal> {
    // The standard lets a server check it, and AWS IoT doesn't (§3.3.2.3.2).
    let is_text = publish.properties.payload_format_indicator == Some(PayloadFormat::Utf8);
    let is_checked = is_text && settings.profile == Profile::Mqtt5;
    if is_checked && core::str::from_utf8(publish.payload).is_err() {
        return Err(RequestRefusal::PayloadFormat);
    }
    Ok(())
}

/// Decides about a message by the limits of its topic, and by the policy, which `decide` asks.
///
/// # Errors
/// [`RequestRefusal::Limit`] for a topic beyond the limits, [`RequestRefusal::Policy`] for a message
/// that the policy doesn't allow.
pub(super) fn authorize_message(
    message: &Message,
    rules: &Rules,
    decide: impl Fn(Action, &str) -> Decision,
) -> Result<Decision, RequestRefusal> {
    let Some(topic) = message.publish().and_then(|publish| publish.topic) else {
        return Err(RequestRefusal::NoTopic);
    };
    // Limits of the topic first: a reserved one isn't a question of the policy.
    topics::check_name(topic, rules)?;
    let decision = RequestRefusal::unless_allowed(decide(Action::Publish, &topic))?;
    // A retained message needs both actions.
    if message.retain {
        RequestRefusal::unless_allowed(decide(Action::RetainPublish, &topic))?;
    }
    Ok(decision)
}
