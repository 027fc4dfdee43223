//! Messages on their way to a client: asked of the policy one by one, in order, as fast as the client takes them.

use std::time::Instant;

use dunlin_codec::{Packet, ReasonCode, TopicName};

use crate::event::{Event, Outcome};
use crate::policy::{Action, Decision};
use crate::server::end::End;
use crate::server::hub::Hub;
use crate::server::open::Open;
use crate::server::outgoing::Queued;
use crate::server::output::Output;

impl Open {
    pub(crate) fn deliver(&self, output: &mut Output, hub: &mut Hub, now: Instant) -> Result<(), End> {
        loop {
            let Some(session) = hub.session(&self.client_id, self.connection) else {
                // [MQTT-3.1.4-3]
                return Err(End::told(ReasonCode::SessionTakenOver, "another client has the same client id"));
            };
            if output.is_full() {
                return Ok(());
            }
            let Some(queued) = session.outgoing.pop() else { return Ok(()) };
            self.deliver_one(&queued, output, hub, now);
        }
    }

    fn deliver_one(&self, queued: &Queued, output: &mut Output, hub: &mut Hub, now: Instant) {
        let Some(topic) = queued.message.publish().and_then(|publish| publish.topic) else { return };
        let decision = self.decide(Action::Receive, &topic);
        if !decision.is_allowed() {
            let reason = decision.to_string();
            let decision = Some(Box::new(decision));
            let refused = Outcome::Refused { reason_code: None, reason, decision };
            return output.log(self.receive_event(topic, refused));
        }
        let Some(session) = hub.session(&self.client_id, self.connection) else { return };
        let delivery = session.outgoing.begin(queued.qos);
        let publish = queued.message.delivered(delivery, queued.retain, now);
        let sent = publish.is_some_and(|publish| output.send(&Packet::Publish(publish)));
        if sent {
            return output.log(self.receive_event(topic, Outcome::Allowed(decision)));
        }
        // Expired, or larger than the client takes: to the sender it counts as delivered. [MQTT-3.1.2-25]
        if let Some(packet_id) = delivery.packet_id() {
            session.outgoing.acknowledge(packet_id);
        }
        let reason = if publish.is_some() { "larger than the client takes" } else { "expired" };
        let reason = reason.to_owned();
        output.log(self.receive_event(topic, Outcome::Refused { reason_code: None, reason, decision: None }));
    }

    fn receive_event(&self, topic: TopicName<'_>, outcome: Outcome<Decision>) -> Event {
        Event::Receive { client_id: self.client_id.to_string(), topic: topic.as_str().into(), outcome }
    }
}
