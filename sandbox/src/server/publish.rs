//! PUBLISH from a client: judged, kept if it is to be retained, routed, acknowledged.

use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{
    Ack, AckProperties, AckType, Packet, PacketId, PayloadFormat, Publish, QoS, ReasonCode,
};

use crate::event::Event;
use crate::fault::Fault;
use crate::policy::{Action, Decision};
use crate::profile::Profile;
use crate::server::close_reason::CloseReason;
use crate::server::denied::Denied;
use crate::server::hub::Hub;
use crate::server::limit::{Limit, at_most};
use crate::server::message::Message;
use crate::server::open::Open;
use crate::server::outgoing::AckOutcome;
use crate::server::output::Output;
use crate::server::topics;

impl Open {
    pub(crate) fn handle_publish(
        &mut self,
        publish: &Publish<'_>,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) -> Result<(), CloseReason> {
        if self.settings.faults.has(&Fault::DropOnPublish) {
            return Err(CloseReason::Dropped);
        }
        let rules = self.settings.rules();
        let qos = publish.delivery.qos();
        if qos > rules.maximum_qos {
            // [MQTT-3.2.2-11]
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
            &hub.weight(),
            now,
        )?;
        let topic = topic.as_str().to_owned();
        if let Some(packet_id) = publish.delivery.packet_id()
            && let Some(again) = self.accept(packet_id, qos, hub)?
        {
            self.acknowledge(qos, packet_id, again, None, output);
            return Ok(());
        }
        let outcome = self.discard(now).and_then(|()| self.injected_denial(qos));
        let outcome = outcome.and_then(|()| self.check_payload(publish));
        let outcome = outcome.and_then(|()| self.publish(&Arc::new(message), hub, now));
        output.work += outcome.as_ref().map_or(0, |(receivers, _)| *receivers);
        output.log(self.publish_event(topic, outcome.clone()));
        let ending = outcome
            .as_ref()
            .err()
            .and_then(|denied| denied.ending(self.settings.denials));
        if let Some(end) = ending {
            return Err(end);
        }
        self.answer(publish, outcome.err(), output, hub)
    }

    fn answer(
        &mut self,
        publish: &Publish<'_>,
        denied: Option<Denied>,
        output: &mut Output,
        hub: &mut Hub,
    ) -> Result<(), CloseReason> {
        let Some(packet_id) = publish.delivery.packet_id() else {
            // Nothing but the end of the connection can tell the publisher of QoS 0.
            let told = denied.filter(|denied| !denied.is_discarded);
            return told.map_or(Ok(()), |denied| {
                Err(CloseReason::told(denied.reason_code, denied.reason))
            });
        };
        let qos = publish.delivery.qos();
        if self.settings.faults.has(&Fault::NoPubAck) {
            self.unacknowledged += 1;
            return Ok(());
        }
        let session = hub.session(&self.client_id, self.attached.connection);
        if let Some(session) = session.filter(|_| qos == QoS::ExactlyOnce && denied.is_none()) {
            // Until its PUBREL the same identifier is the same message. [MQTT-4.3.3-10]
            session.received.insert(packet_id);
        }
        let (reason_code, reason) = match &denied {
            None => (ReasonCode::Success, None),
            Some(denied) => (denied.reason_code, Some(denied.reason.as_str())),
        };
        self.acknowledge(qos, packet_id, reason_code, reason, output);
        Ok(())
    }

    /// Whether a PUBLISH with this identifier may come now; a code where it needs no more than an
    /// answer.
    fn accept(
        &self,
        packet_id: PacketId,
        qos: QoS,
        hub: &mut Hub,
    ) -> Result<Option<ReasonCode>, CloseReason> {
        let Some(session) = hub.session(&self.client_id, self.attached.connection) else {
            return Ok(None);
        };
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

    /// PUBACK, PUBREC, PUBREL and PUBCOMP.
    pub(crate) fn handle_ack(
        &self,
        packet: &Packet<'_>,
        output: &mut Output,
        hub: &mut Hub,
    ) -> Result<(), CloseReason> {
        let Some(session) = hub.session(&self.client_id, self.attached.connection) else {
            return Ok(());
        };
        let outgoing = &mut session.outgoing;
        let acknowledged = match packet {
            Packet::PubAck(ack) => outgoing.finish(ack.packet_id, |qos, _| qos == QoS::AtLeastOnce),
            Packet::PubRec(ack) if ack.reason_code.is_error() => {
                outgoing.finish(ack.packet_id, |qos, _| qos == QoS::ExactlyOnce)
            }
            Packet::PubRec(ack) => {
                let received = outgoing.received(ack.packet_id);
                let reason_code = match received {
                    AckOutcome::Yes => ReasonCode::Success,
                    AckOutcome::Unknown => ReasonCode::PacketIdentifierNotFound,
                    AckOutcome::Wrong => return Err(wrong_ack()),
                };
                send_ack(AckType::PubRel, ack.packet_id, reason_code, None, output);
                return Ok(());
            }
            Packet::PubRel(ack) => {
                // [MQTT-4.3.3-11]
                let reason_code = match session.received.remove(&ack.packet_id) {
                    true => ReasonCode::Success,
                    false => ReasonCode::PacketIdentifierNotFound,
                };
                send_ack(AckType::PubComp, ack.packet_id, reason_code, None, output);
                return Ok(());
            }
            Packet::PubComp(ack) => outgoing.finish(ack.packet_id, |qos, is_released| {
                qos == QoS::ExactlyOnce && is_released
            }),
            _ => return Ok(()),
        };
        if acknowledged == AckOutcome::Wrong {
            Err(wrong_ack())
        } else {
            Ok(())
        }
    }

    /// The limits and the policy; for the will, which is judged when its connection ends, that is
    /// all there is to say.
    pub(crate) fn authorize_publish(&self, message: &Message) -> Result<Decision, Denied> {
        let Some(topic) = message.publish().and_then(|publish| publish.topic) else {
            return Err(Denied::new(ReasonCode::TopicNameInvalid, "no topic"));
        };
        topics::check_name(topic, self.settings.rules())?;
        let decision = Denied::unless_allowed(self.decide(Action::Publish, &topic))?;
        if message.retain {
            Denied::unless_allowed(self.decide(Action::RetainPublish, &topic))?;
        }
        Ok(decision)
    }

    pub(crate) fn publish(
        &self,
        message: &Arc<Message>,
        hub: &mut Hub,
        now: Instant,
    ) -> Result<(usize, Decision), Denied> {
        let decision = self.authorize_publish(message)?;
        let receivers = hub.publish(message, now);
        let receivers = receivers.map_err(|full| Denied::new(ReasonCode::QuotaExceeded, full))?;
        Ok((receivers, decision))
    }

    fn injected_denial(&self, qos: QoS) -> Result<(), Denied> {
        match self.settings.faults.puback() {
            Some(reason_code) if qos > QoS::AtMostOnce => Err(Denied::on_purpose(reason_code)),
            _ => Ok(()),
        }
    }

    /// More messages than a second holds are thrown away; only at QoS 1 can the client be told.
    fn discard(&mut self, now: Instant) -> Result<(), Denied> {
        let most = self
            .settings
            .rules()
            .max_messages_per_second
            .unwrap_or_default();
        let is_over = self
            .throttle
            .messages
            .as_mut()
            .is_some_and(|window| !window.try_take(now));
        if is_over {
            Err(Denied {
                is_discarded: true,
                ..Limit::Messages(most).into()
            })
        } else {
            Ok(())
        }
    }

    /// What calls itself text must be. AWS IoT has no code to say that it isn't.
    fn check_payload(&self, publish: &Publish<'_>) -> Result<(), Denied> {
        let is_text = publish.properties.payload_format_indicator == Some(PayloadFormat::Utf8);
        let is_checked = is_text && self.settings.profile == Profile::Mqtt5;
        if is_checked && core::str::from_utf8(publish.payload).is_err() {
            let reason = "the payload isn't the UTF-8 that its format indicator says";
            return Err(Denied::new(ReasonCode::PayloadFormatInvalid, reason));
        }
        Ok(())
    }

    /// At once, so that the Receive Maximum of the server is never reached by a client that obeys
    /// it. [MQTT-3.3.4-1]
    fn acknowledge(
        &self,
        qos: QoS,
        packet_id: PacketId,
        reason_code: ReasonCode,
        reason: Option<&str>,
        output: &mut Output,
    ) {
        let ack_type = match qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => AckType::PubAck,
            QoS::ExactlyOnce => AckType::PubRec,
        };
        if !self.settings.faults.has(&Fault::NoPubAck) {
            send_ack(ack_type, packet_id, reason_code, reason, output);
        }
    }

    pub(crate) fn publish_event(
        &self,
        topic: String,
        outcome: Result<(usize, Decision), Denied>,
    ) -> Event {
        Event::Publish {
            is_will: false,
            client_id: self.client_id.to_string(),
            topic,
            outcome: outcome.into(),
        }
    }
}

/// [MQTT-3.4.2-2] [MQTT-3.5.2-2] [MQTT-3.6.2-2] [MQTT-3.7.2-2]
fn send_ack(
    ack_type: AckType,
    packet_id: PacketId,
    reason_code: ReasonCode,
    reason: Option<&str>,
    output: &mut Output,
) {
    output.send_explained(output.explaining(reason), |reason_string| {
        let properties = AckProperties {
            reason_string,
            ..AckProperties::default()
        };
        Ack {
            packet_id,
            reason_code,
            properties,
        }
        .into_packet(ack_type)
    });
}

fn wrong_ack() -> CloseReason {
    CloseReason::told(
        ReasonCode::ProtocolError,
        "an acknowledgement that doesn't belong to the message's QoS",
    )
}
