//! PUBLISH from a client: judged, kept if it is to be retained, routed, acknowledged.

use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::{Ack, AckProperties, Packet, PacketId, Publish, QoS, ReasonCode, TopicName};

use crate::event::Event;
use crate::fault::Fault;
use crate::policy::{Action, Decision};
use crate::server::denied::Denied;
use crate::server::end::End;
use crate::server::hub::Hub;
use crate::server::limits::MAX_PAYLOAD;
use crate::server::message::Message;
use crate::server::open::Open;
use crate::server::output::Output;
use crate::server::topics;

impl Open {
    pub(crate) fn handle_publish(
        &self,
        publish: &Publish<'_>,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) -> Result<(), End> {
        if self.settings.faults.has(&Fault::DropOnPublish) {
            return Err(End::Dropped);
        }
        let topic = acceptable(publish)?;
        let message = Arc::new(Message::of_publish(publish, topic, &self.client_id, now)?);
        let outcome = self.injected_denial(publish).and_then(|()| self.publish(topic, &message, hub, now));
        output.log(self.publish_event(topic, outcome.clone()));
        let ending = outcome.as_ref().err().and_then(|denied| denied.ending(self.settings.denials.operation));
        if let Some(end) = ending {
            return Err(end);
        }
        let (reason_code, reason) = match outcome {
            Ok(_) => (ReasonCode::Success, None),
            Err(denied) => (denied.reason_code, Some(denied.reason)),
        };
        match publish.delivery.packet_id() {
            Some(packet_id) => self.acknowledge(packet_id, reason_code, reason.as_deref(), output),
            // Nothing else can tell the publisher of QoS 0.
            None => reason.map_or(Ok(()), |reason| Err(End::told(reason_code, reason)))?,
        }
        Ok(())
    }

    /// The will goes the way of every other message, and whoever it came from hears nothing of it any more.
    pub(crate) fn publish_will(&self, will: Message, output: &mut Output, hub: &mut Hub, now: Instant) {
        let will = Arc::new(will);
        let Some(topic) = will.publish().and_then(|publish| publish.topic) else { return };
        let outcome = self.publish(topic, &will, hub, now);
        output.log(self.publish_event(topic, outcome));
    }

    fn publish(
        &self,
        topic: TopicName<'_>,
        message: &Arc<Message>,
        hub: &mut Hub,
        now: Instant,
    ) -> Result<(usize, Decision), Denied> {
        topics::check(&topic).map_err(|limit| Denied::new(ReasonCode::TopicNameInvalid, limit))?;
        let decision = self.allowed(Action::Publish, topic)?;
        if message.retain {
            self.allowed(Action::RetainPublish, topic)?;
            hub.retain(topic, message, now).map_err(|full| Denied::new(ReasonCode::QuotaExceeded, full))?;
        }
        let receivers =
            if self.settings.faults.has(&Fault::NoDeliver) { 0 } else { hub.route(topic, message) };
        Ok((receivers, decision))
    }

    fn allowed(&self, action: Action, topic: TopicName<'_>) -> Result<Decision, Denied> {
        Denied::unless_allowed(self.decide(action, &topic))
    }

    fn injected_denial(&self, publish: &Publish<'_>) -> Result<(), Denied> {
        match self.settings.faults.puback() {
            Some(reason_code) if publish.delivery.qos() == QoS::AtLeastOnce => {
                Err(Denied::on_purpose(reason_code))
            }
            _ => Ok(()),
        }
    }

    /// Acknowledged at once, so that the Receive Maximum of the server is never reached by a client that obeys it.
    fn acknowledge(
        &self,
        packet_id: PacketId,
        reason_code: ReasonCode,
        reason: Option<&str>,
        output: &mut Output,
    ) {
        if self.settings.faults.has(&Fault::NoPubAck) {
            return;
        }
        output.send_explained(output.explaining(reason), |reason_string| {
            let properties = AckProperties { reason_string, ..AckProperties::default() };
            Packet::PubAck(Ack { packet_id, reason_code, properties })
        });
    }

    fn publish_event(&self, topic: TopicName<'_>, outcome: Result<(usize, Decision), Denied>) -> Event {
        Event::Publish {
            client_id: self.client_id.to_string(),
            topic: topic.as_str().into(),
            outcome: outcome.into(),
        }
    }
}

/// What the CONNACK has told the client not to send ends the connection.
fn acceptable<'a>(publish: &Publish<'a>) -> Result<TopicName<'a>, End> {
    if publish.delivery.qos() == QoS::ExactlyOnce {
        // [MQTT-3.2.2-11]
        return Err(End::told(ReasonCode::QoSNotSupported, "QoS 2 isn't available; the maximum is 1"));
    }
    let (Some(topic), None) = (publish.topic, publish.properties.topic_alias) else {
        // [MQTT-3.2.2-17]
        return Err(End::told(ReasonCode::TopicAliasInvalid, "there are no topic aliases; the maximum is 0"));
    };
    if publish.payload.len() > MAX_PAYLOAD {
        return Err(End::told(ReasonCode::QuotaExceeded, "the payload is larger than 128 KB"));
    }
    Ok(topic)
}
