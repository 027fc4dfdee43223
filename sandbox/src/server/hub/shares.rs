//! Shared subscriptions: the client that gets a message (§4.8.2).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use dunlin_codec::QoS;

use crate::server::hub::Hub;
use crate::server::message::Message;
use crate::server::session::DeliveryOptions;

impl Hub {
    /// Queues a message for one client of a shared subscription; returns `false` if it is lost. If
    /// no client has space, the queue of the client whose turn it is overflows.
    pub(super) fn queue_for_share(
        &mut self,
        filter: &Arc<str>,
        message: &Arc<Message>,
        max_bytes: usize,
        now: Instant,
    ) -> bool {
        let picked = self
            .next_share_member(filter, message, &HashMap::new(), max_bytes)
            .or_else(|| self.share_member_in_turn(filter));
        let Some(picked) = picked.map(Arc::clone) else {
            return false;
        };
        // The next message begins with the client after this one.
        if let Some(subscribers) = self.subscribers.get_mut(filter) {
            subscribers.last = Some(Arc::clone(&picked));
        }
        let session = self.sessions.get(&picked);
        // [MQTT-4.8.2-3]
        let wanted = session
            .and_then(|session| session.subscriptions.get(filter))
            .map(DeliveryOptions::by);
        wanted.is_some_and(|wanted| {
            self.queue(&picked, message, wanted, Some(filter), max_bytes, now)
        })
    }

    /// Next client of a shared subscription that has space for a message: one that is connected, or
    /// else one whose session keeps the message until it is back. `None` if there is none.
    ///
    /// `copies` is the number of copies for each client that aren't queued yet.
    pub(super) fn next_share_member(
        &self,
        filter: &Arc<str>,
        message: &Message,
        copies: &HashMap<&str, usize>,
        max_bytes: usize,
    ) -> Option<&Arc<str>> {
        let subscribers = self.subscribers.get(filter)?;

        // A member takes the message if its session keeps it and its queue has space.
        let takes = |member: &Arc<str>, is_away: bool| {
            let session = self
                .sessions
                .get(member)
                .filter(|session| session.is_away() == is_away);
            session.is_some_and(|session| {
                // A new session of a client has not the subscriptions of the one before.
                let Some(wanted) = session.subscriptions.get(filter) else {
                    return false;
                };
                // No message of QoS 0 is kept for a client that is away. [MQTT-3.8.4-8]
                let is_kept = !is_away || message.qos.min(wanted.options.qos) > QoS::AtMostOnce;
                let copies = copies.get(&**member).copied().unwrap_or_default();
                is_kept && session.outgoing.fits(message, copies + 1, max_bytes)
            })
        };

        // Connected members first: a message doesn't wait while one could handle it.
        let find = |is_away| subscribers.in_turn().find(|member| takes(member, is_away));
        find(false).or_else(|| find(true))
    }

    /// Client of a shared subscription whose turn it is: one that is connected, or else any.
    fn share_member_in_turn(&self, filter: &Arc<str>) -> Option<&Arc<str>> {
        let subscribers = self.subscribers.get(filter)?;
        // Asked only if no client has space: a connected one may free some soonest.
        let has_session = |member: &Arc<str>, may_be_away: bool| {
            self.sessions.get(member).is_some_and(|session| {
                (may_be_away || !session.is_away()) && session.subscriptions.contains_key(filter)
            })
        };
        let find = |may_be_away| {
            subscribers
                .in_turn()
                .find(|member| has_session(member, may_be_away))
        };
        find(false).or_else(|| find(true))
    }

    /// QoS of a message for the client of a shared subscription whose turn it is.
    pub(super) fn share_qos(&self, filter: &Arc<str>, message: &Message) -> QoS {
        let first = self.share_member_in_turn(filter);
        let session = first.and_then(|client_id| self.sessions.get(client_id));
        session
            .and_then(|session| session.subscriptions.get(filter))
            .map_or(QoS::AtMostOnce, |subscription| {
                message.qos.min(subscription.options.qos)
            })
    }
}
