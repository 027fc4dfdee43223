//! Delivery of messages to a client: in order, each decided by the policy, as fast as the client
//! takes them.

use std::time::Instant;

use dunlin_codec::{Ack, Delivery, Packet, PacketId, QoS};

use crate::event::{Event, Outcome};
use crate::policy::{Action, Decision};
use crate::server::close_reason::CloseReason;
use crate::server::direct_message::DirectProgress;
use crate::server::limit::Limit;
use crate::server::limits::WORK_PER_TURN;
use crate::server::open::Open;
use crate::server::outgoing::{NextDelivery, Queued};
use crate::server::turn::Turn;

/// A message that the policy allows this client to receive.
struct Allowed<'a> {
    queued: &'a Queued,
    topic: String,
    decision: Decision,
}

impl Open {
    /// Moves messages from the queue into the output, until one of them is empty or full.
    ///
    /// # Errors
    /// The end of the connection: another connection has the session, or the session was given up
    /// for its memory.
    pub(crate) fn deliver(&mut self, turn: &mut Turn<'_>) -> Result<(), CloseReason> {
        while turn.output.work < WORK_PER_TURN {
            // Evicted and taken over are checked even if the output is full: a client that doesn't
            // read must end as well.
            if let Some(eviction) = turn.hub.eviction(self.attached.connection) {
                return Err(eviction.into());
            }
            let (is_full, now) = (turn.output.is_full() || self.is_throttled(), turn.now);
            let Some(session) = self.session(turn) else {
                return Err(CloseReason::TakenOver);
            };
            if is_full {
                return Ok(());
            }

            // Look first: a message that must wait stays in the queue.
            let Some((qos, is_stored)) = session.outgoing.peek() else {
                return Ok(());
            };
            if self.must_wait(qos, is_stored, now) {
                return Ok(());
            }
            let Some(next) = session.outgoing.pop() else {
                return Ok(());
            };

            turn.output.work += 1;
            // Bytes out count with the bytes in, as AWS IoT limits both together.
            let sent_before = turn.output.bytes.len();
            self.deliver_one(next, turn);
            self.count_bytes(turn.output.bytes.len() - sent_before, turn);
        }
        Ok(())
    }

    fn deliver_one(&mut self, next: NextDelivery, turn: &mut Turn<'_>) {
        match next {
            NextDelivery::New(queued) => self.deliver_new(&queued, turn),
            NextDelivery::Again {
                packet_id,
                queued,
                first_sent,
            } => self.deliver_again(packet_id, &queued, first_sent, turn),
            NextDelivery::Release(packet_id) => {
                turn.send(&Packet::PubRel(Ack::success(packet_id)));
            }
        }
    }

    /// `true` if the next message must wait for the next second: a stored message beyond the rate
    /// of stored ones, or one of QoS 1 or 2 beyond the rate of all.
    fn must_wait(&mut self, qos: QoS, is_stored: bool, now: Instant) -> bool {
        let throttle = &mut self.throttle;
        // QoS 0 doesn't wait for its rate: it is dropped when its turn comes.
        let stored = throttle.stored.as_mut().filter(|_| is_stored);
        let messages = throttle.messages.as_mut().filter(|_| qos > QoS::AtMostOnce);

        // The first window that is used up decides when to look again.
        let closed = [stored, messages].into_iter().flatten().find_map(|window| {
            let is_open = window.is_open(now);
            (!is_open).then(|| window.ends())
        });
        if let Some(window) = throttle.stored.as_mut()
            && is_stored
            && closed.is_none()
        {
            window.take(1);
        }
        throttle.deliver_at = closed;
        closed.is_some()
    }

    /// Sends a message for the first time, unless policy, expiry or rate forbid it.
    fn deliver_new(&mut self, queued: &Queued, turn: &mut Turn<'_>) {
        // The policy is evaluated for each message, as AWS does, not once for each subscription.
        let topic = queued.message.topic();
        let decision = self.decide_receive(queued, &topic, turn);
        if !decision.is_allowed() {
            queued.report(DirectProgress::Denied);
            return turn.log(self.denied(topic, decision));
        }

        // An expired message must not be sent. [MQTT-3.3.2-5]
        if queued.message.has_expired(turn.now) {
            return turn.log(self.undelivered(topic, "expired".into()));
        }

        // QoS 0 isn't kept for later: above the rate it is dropped, and the log says so.
        let is_over = !self.throttle.try_take_message(turn.now);
        if is_over && queued.qos == QoS::AtMostOnce {
            let most = self.settings.rules().max_messages_per_second;
            let limit = Limit::Messages(most.unwrap_or_default());
            queued.report(DirectProgress::RateExceeded);
            return turn.log(self.undelivered(topic, limit.to_string()));
        }

        let now = turn.now;
        let Some(session) = self.session(turn) else {
            return;
        };
        // From here on the message is in flight and must be given up if it can't be sent.
        let delivery = session.outgoing.begin(queued, now);
        let allowed = Allowed {
            queued,
            topic,
            decision,
        };
        self.send_message(allowed, delivery, turn);
    }

    /// Sends a message again that an earlier connection didn't acknowledge, unless the policy or
    /// the redelivery limit of the profile forbids it. A message that has expired meanwhile is sent
    /// all the same. [MQTT-4.3.3-7]
    fn deliver_again(
        &mut self,
        packet_id: PacketId,
        queued: &Queued,
        first_sent: Instant,
        turn: &mut Turn<'_>,
    ) {
        let topic = queued.message.topic();
        let rules = self.settings.rules();
        // AWS IoT sends an unacknowledged message again for an hour at most.
        let limit = rules
            .redelivery_limit
            .filter(|limit| turn.now >= first_sent + self.settings.scaled(*limit));
        let decision = self.decide_receive(queued, &topic, turn);
        if limit.is_some() || !decision.is_allowed() {
            // Removed, so that its identifier and its quota are free again.
            queued.report(DirectProgress::Denied);
            self.give_up(packet_id, turn);
            return turn.log(match limit {
                Some(limit) => {
                    self.undelivered(topic, Limit::Redelivery(limit.as_secs()).to_string())
                }
                None => self.denied(topic, decision),
            });
        }

        // It counts for the rate, and isn't held up by it.
        if let Some(window) = &mut self.throttle.messages {
            window.take(1);
        }
        // [MQTT-3.3.1-1]
        let delivery = Delivery::new(queued.qos, packet_id, rules.marks_duplicates);
        let allowed = Allowed {
            queued,
            topic,
            decision,
        };
        self.send_message(allowed, delivery, turn);
    }

    /// Evaluates `iot:Receive` on the topic, and for a message of a shared subscription also on
    /// `$share/<name>/<topic>`: AWS's samples grant both, and its documents don't say which counts.
    fn decide_receive(&self, queued: &Queued, topic: &str, turn: &Turn<'_>) -> Decision {
        let decision = self.decide(Action::Receive, topic, turn);
        let name = queued
            .share
            .as_deref()
            .and_then(|filter| filter.split('/').nth(1));
        match name {
            // An explicit deny beats every allow.
            Some(name) if matches!(decision, Decision::ImplicitDeny(_)) => {
                let prefixed = format!("$share/{name}/{topic}");
                let prefixed = self.decide(Action::Receive, &prefixed, turn);
                if prefixed.is_allowed() {
                    prefixed
                } else {
                    decision
                }
            }
            _ => decision,
        }
    }

    fn send_message(&mut self, allowed: Allowed<'_>, delivery: Delivery, turn: &mut Turn<'_>) {
        let Allowed {
            queued,
            topic,
            decision,
        } = allowed;
        let message = &queued.message;

        // The alias counts only if the packet that sets it is sent.
        let publish = message.delivered(delivery, queued.retain, &queued.identifiers, turn.now);
        let is_sent = publish.is_some_and(|mut publish| {
            self.server_aliases.shorten(&mut publish);
            let is_sent = turn.send(&Packet::Publish(publish));
            if is_sent {
                self.server_aliases.sent(&publish);
            }
            is_sent
        });
        if is_sent {
            queued.report(DirectProgress::Sent);
            return turn.log(self.receive_event(topic, Outcome::Allowed(decision)));
        }

        queued.report(DirectProgress::TooLarge);
        // Larger than the client takes: to the sender it counts as delivered. [MQTT-3.1.2-25]
        if let Some(packet_id) = delivery.packet_id() {
            self.give_up(packet_id, turn);
        }
        turn.log(self.undelivered(topic, "larger than the client takes".into()));
    }

    fn give_up(&self, packet_id: PacketId, turn: &mut Turn<'_>) {
        if let Some(session) = self.session(turn) {
            session.outgoing.give_up(packet_id);
        }
    }

    fn denied(&self, topic: String, decision: Decision) -> Event {
        let outcome = Outcome::Refused {
            reason_code: None,
            reason: decision.to_string(),
            decision: Some(Box::new(decision)),
        };
        self.receive_event(topic, outcome)
    }

    fn undelivered(&self, topic: String, reason: String) -> Event {
        let outcome = Outcome::Refused {
            reason_code: None,
            reason,
            decision: None,
        };
        self.receive_event(topic, outcome)
    }

    fn receive_event(&self, topic: String, outcome: Outcome<Decision>) -> Event {
        Event::Receive {
            client_id: self.client_id.to_string(),
            topic,
            outcome,
        }
    }
}
