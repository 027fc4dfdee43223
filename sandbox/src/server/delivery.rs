//! Messages on their way to a client: asked of the policy one by one, in order, as fast as the
//! client takes them.

use std::time::Instant;

use dunlin_codec::{Ack, Delivery, Packet, PacketId, QoS, ReasonCode};

use crate::event::{Event, Outcome};
use crate::policy::{Action, Decision};
use crate::server::close_reason::CloseReason;
use crate::server::hub::Hub;
use crate::server::limit::Limit;
use crate::server::limits::WORK_PER_TURN;
use crate::server::open::Open;
use crate::server::outgoing::{NextDelivery, Queued};
use crate::server::output::Output;

impl Open {
    pub(crate) fn deliver(
        &mut self,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) -> Result<(), CloseReason> {
        while output.work < WORK_PER_TURN {
            if let Some(eviction) = hub.eviction(self.attached.connection) {
                return Err(CloseReason::told(
                    ReasonCode::QuotaExceeded,
                    eviction.reason(),
                ));
            }
            let Some(session) = hub.session(&self.client_id, self.attached.connection) else {
                // [MQTT-3.1.4-3]
                return Err(CloseReason::told(
                    ReasonCode::SessionTakenOver,
                    "another client has the same client id",
                ));
            };
            if output.is_full() || self.is_throttled() {
                return Ok(());
            }
            let Some((qos, is_stored)) = session.outgoing.peek() else {
                return Ok(());
            };
            if self.must_wait(qos, is_stored, now) {
                return Ok(());
            }
            let Some(next) = session.outgoing.pop() else {
                return Ok(());
            };
            output.work += 1;
            let sent_before = output.bytes.len();
            match next {
                NextDelivery::New(queued) => self.deliver_new(&queued, output, hub, now),
                NextDelivery::Again {
                    packet_id,
                    queued,
                    first_sent,
                } => {
                    self.deliver_again(packet_id, &queued, first_sent, output, hub, now);
                }
                NextDelivery::Release(packet_id) => {
                    output.send(&Packet::PubRel(Ack::success(packet_id)));
                }
            }
            self.count(output.bytes.len() - sent_before, output, now);
        }
        Ok(())
    }

    /// Stored messages come slowly; and what is above the messages of a second waits, but for QoS
    /// 0.
    fn must_wait(&mut self, qos: QoS, is_stored: bool, now: Instant) -> bool {
        let throttle = &mut self.throttle;
        let stored = throttle.stored.as_mut().filter(|_| is_stored);
        let messages = throttle.messages.as_mut().filter(|_| qos > QoS::AtMostOnce);
        let closed = [stored, messages].into_iter().flatten().find_map(|window| {
            let is_open = window.is_open(now);
            (!is_open).then(|| window.ends())
        });
        if let Some(window) = throttle
            .stored
            .as_mut()
            .filter(|_| is_stored && closed.is_none())
        {
            window.take(1);
        }
        throttle.deliver_at = closed;
        closed.is_some()
    }

    fn deliver_new(&mut self, queued: &Queued, output: &mut Output, hub: &mut Hub, now: Instant) {
        let topic = queued.message.topic();
        let decision = self.decide_receive(queued, &topic);
        if !decision.is_allowed() {
            return output.log(self.denied(topic, decision));
        }
        if queued.message.has_expired(now) {
            // [MQTT-3.3.2-5]
            return output.log(self.undelivered(topic, "expired".into()));
        }
        let is_over = self
            .throttle
            .messages
            .as_mut()
            .is_some_and(|window| !window.try_take(now));
        if is_over && queued.qos == QoS::AtMostOnce {
            let most = self
                .settings
                .rules()
                .max_messages_per_second
                .unwrap_or_default();
            return output.log(self.undelivered(topic, Limit::Messages(most).to_string()));
        }
        let Some(session) = hub.session(&self.client_id, self.attached.connection) else {
            return;
        };
        let delivery = session.outgoing.begin(queued, now);
        self.send_message(queued, delivery, decision, topic, output, hub, now);
    }

    /// Whether it has expired meanwhile doesn't matter: it was sent. [MQTT-4.3.3-7]
    fn deliver_again(
        &mut self,
        packet_id: PacketId,
        queued: &Queued,
        first_sent: Instant,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) {
        let topic = queued.message.topic();
        let rules = self.settings.rules();
        let limit = rules
            .redelivery_limit
            .filter(|limit| now >= first_sent + self.settings.scaled(*limit));
        let decision = self.decide_receive(queued, &topic);
        if limit.is_some() || !decision.is_allowed() {
            if let Some(session) = hub.session(&self.client_id, self.attached.connection) {
                session.outgoing.give_up(packet_id);
            }
            return output.log(match limit {
                Some(limit) => {
                    self.undelivered(topic, Limit::Redelivery(limit.as_secs()).to_string())
                }
                None => self.denied(topic, decision),
            });
        }
        if let Some(window) = &mut self.throttle.messages {
            window.take(1);
        }
        // [MQTT-3.3.1-1]
        let delivery = Delivery::new(queued.qos, packet_id, rules.marks_duplicates);
        self.send_message(queued, delivery, decision, topic, output, hub, now);
    }

    /// Asks the policy about iot:Receive: on the topic, and for a message of a shared subscription
    /// also on the topic behind `$share/<name>/`, as AWS's samples grant both and its documents
    /// say for neither that it is the one.
    fn decide_receive(&self, queued: &Queued, topic: &str) -> Decision {
        let decision = self.decide(Action::Receive, topic);
        let name = queued
            .share
            .as_deref()
            .and_then(|filter| filter.split('/').nth(1));
        match name {
            // An explicit deny beats every allow.
            Some(name) if matches!(decision, Decision::ImplicitDeny(_)) => {
                let prefixed = self.decide(Action::Receive, &format!("$share/{name}/{topic}"));
                if prefixed.is_allowed() {
                    prefixed
                } else {
                    decision
                }
            }
            _ => decision,
        }
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one message, one decision, and what every step is given"
    )]
    fn send_message(
        &mut self,
        queued: &Queued,
        delivery: Delivery,
        decision: Decision,
        topic: String,
        output: &mut Output,
        hub: &mut Hub,
        now: Instant,
    ) {
        let message = &queued.message;
        let publish = message.delivered(delivery, queued.retain, &queued.identifiers, now);
        let sent = publish.is_some_and(|mut publish| {
            self.server_aliases.shorten(&mut publish);
            let sent = output.send(&Packet::Publish(publish));
            if sent {
                self.server_aliases.sent(&publish);
            }
            sent
        });
        if sent {
            return output.log(self.receive_event(topic, Outcome::Allowed(decision)));
        }
        // Larger than the client takes: to the sender it counts as delivered. [MQTT-3.1.2-25]
        if let Some(packet_id) = delivery.packet_id()
            && let Some(session) = hub.session(&self.client_id, self.attached.connection)
        {
            session.outgoing.give_up(packet_id);
        }
        output.log(self.undelivered(topic, "larger than the client takes".into()));
    }

    fn denied(&self, topic: String, decision: Decision) -> Event {
        let (reason, decision) = (decision.to_string(), Some(Box::new(decision)));
        self.receive_event(
            topic,
            Outcome::Refused {
                reason_code: None,
                reason,
                decision,
            },
        )
    }

    fn undelivered(&self, topic: String, reason: String) -> Event {
        self.receive_event(
            topic,
            Outcome::Refused {
                reason_code: None,
                reason,
                decision: None,
            },
        )
    }

    fn receive_event(&self, topic: String, outcome: Outcome<Decision>) -> Event {
        Event::Receive {
            client_id: self.client_id.to_string(),
            topic,
            outcome,
        }
    }
}
