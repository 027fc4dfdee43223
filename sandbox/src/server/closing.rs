//! End of a connected client: its session, its will, and the log line.

use std::sync::Arc;

use crate::event::Event;
use crate::policy::Decision;
use crate::server::close_reason::CloseReason;
use crate::server::hub::DetachOutcome;
use crate::server::open::Open;
use crate::server::request_refusal::RequestRefusal;
use crate::server::session::DelayedWill;
use crate::server::timestamp::Timestamp;
use crate::server::turn::Turn;
use crate::server::will::ConnectionWill;

impl Open {
    /// Ends the connection: detaches the session, publishes the will and writes the log line.
    pub(crate) fn close(mut self, reason: &CloseReason, turn: &mut Turn<'_>) {
        let (attached, expiry) = (self.attached, self.session_expiry);
        // The session first: the will waits only if the session goes on.
        let outcome = turn.hub.detach(&self.client_id, attached, expiry, turn.now);
        let now = Timestamp {
            instant: turn.now,
            calendar: turn.calendar,
        };
        turn.hub.record_end(
            &self.client_id,
            attached.connection,
            reason.lifecycle_reason(),
            now,
        );
        // [MQTT-3.1.2-8] [MQTT-3.1.2-10]
        if let Some(will) = self.will.take().filter(|_| reason.publishes_will()) {
            self.publish_will(will, &outcome, turn);
        }
        turn.log(Event::Disconnect {
            client_id: self.client_id.to_string(),
            reason: reason.log_reason(),
        });
    }

    /// Publishes the will, or leaves it to the session: a delay holds for as long as the session
    /// goes on.
    fn publish_will(&self, will: ConnectionWill, outcome: &DetachOutcome, turn: &mut Turn<'_>) {
        let ConnectionWill {
            mut message,
            expiry,
            delay,
        } = will;
        let is_delayed = !delay.is_zero();
        // The Message Expiry Interval begins when the will is published (§3.1.3.2.4).
        let publish_at = match outcome {
            DetachOutcome::Kept => turn.now + delay,
            DetachOutcome::TakenOver | DetachOutcome::Ended => turn.now,
        };
        message.begin_expiry(expiry, publish_at);
        let message = Arc::new(message);

        match outcome {
            // The client is back already. [MQTT-3.1.3-9]
            DetachOutcome::TakenOver if is_delayed => {}
            // The policy of this connection decides now: it is gone when the delay is over.
            DetachOutcome::Kept if is_delayed => match self.authorize_publish(&message, turn) {
                Ok(decision) => {
                    let will = DelayedWill {
                        at: publish_at,
                        message,
                        decision,
                    };
                    turn.hub.delay_will(&self.client_id, will);
                }
                Err(refusal) => turn.log(self.will_event(message.topic(), Err(refusal))),
            },
            DetachOutcome::TakenOver | DetachOutcome::Kept | DetachOutcome::Ended => {
                let outcome = self.publish(&message, turn);
                turn.log(self.will_event(message.topic(), outcome));
            }
        }
    }

    fn will_event(
        &self,
        topic: String,
        outcome: Result<(usize, Decision), RequestRefusal>,
    ) -> Event {
        Event::Publish {
            is_will: true,
            client_id: self.client_id.to_string(),
            topic,
            outcome: outcome.into(),
        }
    }
}
