//! Delivery of received messages: from the engine through the router into the streams.

use dunlin_codec::{TopicFilter, TopicName};

use crate::engine::{DeliveryId, Engine};
use crate::event::DropCause;
use crate::message::ReceivedMessage;
use crate::runtime::router::{Recipients, Router, StreamLimits};

/// Engine and router, borrowed for one step. The router decides where a message goes; the engine is
/// told here what became of it.
#[derive(Debug)]
pub(crate) struct Delivery<'a> {
    pub(crate) engine: &'a mut Engine,
    pub(crate) router: &'a mut Router,
}

impl Delivery<'_> {
    /// Gives a message to every stream that it is for. Messages of QoS 1 and 2 have an id.
    #[inline]
    pub(crate) fn deliver(&mut self, message: ReceivedMessage, id: Option<DeliveryId>) {
        match self.router.find(&message) {
            Recipients::Streams(streams) => {
                // A message in several streams is acknowledged when the last of them has taken it.
                if let (Some(id), 2..) = (id, streams) {
                    self.engine.received().set_consumers(id, streams);
                }
                self.router.push_to_found(message, id);
            }
            Recipients::Nobody { is_expected } => self.keep_or_drop(message, id, is_expected),
        }
    }

    /// Opens a stream for a filter and moves the waiting messages that match into it. Returns its
    /// key.
    pub(crate) fn open(&mut self, filter: TopicFilter<'_>, limits: StreamLimits) -> usize {
        let key = self.router.open(filter, limits);
        self.move_unmatched(Some(filter), key);
        key
    }

    /// Opens the stream of unmatched messages and moves all waiting messages into it. Returns its
    /// key; `None` if there is such a stream already.
    pub(crate) fn open_unmatched(&mut self, limits: StreamLimits) -> Option<usize> {
        let key = self.router.open_unmatched(limits)?;
        self.move_unmatched(None, key);
        Some(key)
    }

    /// Closes a stream. Messages that are left in it count as consumed, unless the server never
    /// granted the subscription: then they may be for a later stream.
    ///
    /// Returns the filter if no other stream has it.
    pub(crate) fn close(&mut self, key: usize) -> Option<String> {
        let closed = self.router.close(key)?;
        for (message, id) in closed.messages {
            // A subscription that was refused never had messages of its own: what its filter
            // matched is for other streams.
            if !closed.was_granted {
                self.reroute(message, id);
                continue;
            }
            // The application has closed the stream and won't read them, so they are acknowledged
            // and counted.
            let dropped = self.engine.dropped_messages();
            dropped.unconsumed.add(message.len());
            self.acknowledge(id);
        }
        closed.filter
    }

    /// Acknowledges the waiting messages, and all further ones that no stream matches.
    pub(crate) fn discard_unmatched(&mut self) {
        self.router.expect_unmatched();
        for (message, id) in self.take_unmatched(None) {
            let dropped = self.engine.dropped_messages();
            dropped.unmatched.add(message.len());
            self.acknowledge(id);
        }
    }

    /// Drops a waiting message that the engine has refused: no stream came in time.
    pub(crate) fn handle_unmatched_refused(&mut self, id: DeliveryId) {
        if let Some(message) = self.router.remove_unmatched(id) {
            self.drop_unmatched(&message, false);
        }
    }

    /// Delivers a message of a stream that was never granted: it waits for another stream, unless
    /// other streams have it as well.
    fn reroute(&mut self, message: ReceivedMessage, id: Option<DeliveryId>) {
        match self.router.find_subscribed(&message) {
            Recipients::Streams(_) => self.acknowledge(id),
            Recipients::Nobody { is_expected } => self.keep_or_drop(message, id, is_expected),
        }
    }

    /// Handles a message that no stream matches: in a resumed session it waits for a stream, in
    /// others it is dropped.
    fn keep_or_drop(
        &mut self,
        message: ReceivedMessage,
        id: Option<DeliveryId>,
        is_expected: bool,
    ) {
        // Only messages of a resumed session wait, and only until the engine's deadline for them.
        let deadline = if is_expected || self.router.has_ended() {
            None
        } else {
            self.engine.unmatched_until()
        };
        let message = match (deadline, id) {
            // At QoS 1 and 2 the engine refuses the message at the deadline.
            (Some(_), Some(id)) if self.engine.received().keep_unmatched(id) => {
                self.router.queue_unmatched(message, id);
                return;
            }
            // At QoS 0 it is dropped with the next one, or when a stream is opened.
            (Some(deadline), None) if self.engine.now().is_some_and(|now| now < deadline) => {
                self.drop_expired_unmatched();
                match self.router.queue_unmatched_qos0(message, deadline) {
                    Ok(()) => return,
                    Err(message) => message,
                }
            }
            _ => message,
        };
        self.drop_unmatched(&message, is_expected);
        // It is acknowledged all the same. [MQTT-4.5.0-2]
        self.acknowledge(id);
    }

    /// Moves the waiting messages that match `filter`, or all of them, to a new stream.
    fn move_unmatched(&mut self, filter: Option<TopicFilter<'_>>, key: usize) {
        if !self.router.has_unmatched() {
            return;
        }
        self.drop_expired_unmatched();
        for (message, id) in self.take_unmatched(filter) {
            self.router.push(key, message, id);
        }
    }

    /// Removes the waiting messages that match `filter`, or all of them. One that the engine has
    /// refused meanwhile stays until its event is handled.
    fn take_unmatched(
        &mut self,
        filter: Option<TopicFilter<'_>>,
    ) -> Vec<(ReceivedMessage, Option<DeliveryId>)> {
        // A message that the engine has refused at its deadline isn't taken: its acknowledgement is
        // decided.
        let engine = &mut *self.engine;
        let taken = self.router.take_unmatched(|each| {
            let matches = filter.is_none_or(|filter| {
                TopicName::new(each.message.topic()).is_ok_and(|topic| filter.matches(&topic))
            });
            matches
                && each
                    .id
                    .is_none_or(|id| engine.received().match_unmatched(id))
        });
        taken
            .into_iter()
            .map(|each| (each.message, each.id))
            .collect()
    }

    /// Drops the waiting messages of QoS 0 whose time is over.
    fn drop_expired_unmatched(&mut self) {
        let Some(now) = self.engine.now() else { return };
        for message in self.router.take_expired_unmatched(now) {
            self.drop_unmatched(&message, false);
        }
    }

    /// Counts a message that no stream matched, and reports it unless that was expected.
    fn drop_unmatched(&mut self, message: &ReceivedMessage, is_expected: bool) {
        let dropped = self.engine.dropped_messages();
        dropped.unmatched.add(message.len());
        if !is_expected {
            self.router.report_dropped(message, DropCause::Unmatched);
        }
    }

    /// Acknowledges a message of QoS 1 or 2.
    fn acknowledge(&mut self, id: Option<DeliveryId>) {
        if let Some(id) = id {
            self.engine.received().consume(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineEvent;
    use crate::event::Event;
    use crate::runtime::clock;

    #[test]
    fn a_message_that_was_refused_is_reported_though_the_others_are_discarded_then() {
        let (mut router, mut now) = (Router::new(1), clock::now());
        let mut options = crate::ConnectOptions::new("lamp");
        options.clean_start = crate::CleanStart::Never;
        let mut engine = Engine::new(options);
        engine.open(now).unwrap();
        let input = b"\x20\x03\x01\x00\x00\x32\x07\x00\x01a\x00\x01\x00x";
        engine.handle_input(&mut bytes::BytesMut::from(&input[..]), now);
        while let Some(event) = engine.poll_event() {
            if let EngineEvent::Message(message, id) = event {
                let (engine, router) = (&mut engine, &mut router);
                Delivery { engine, router }.deliver(message, id);
            }
        }
        now += engine.options().unmatched_wait;
        engine.handle_timeout(now);
        let mut delivery = Delivery {
            engine: &mut engine,
            router: &mut router,
        };
        delivery.discard_unmatched();
        let Some(EngineEvent::UnmatchedRefused(id)) = delivery.engine.poll_event() else {
            panic!()
        };
        delivery.handle_unmatched_refused(id);
        let events = router.take_events();
        let [
            Event::MessageDropped {
                topic,
                cause: DropCause::Unmatched,
                count: 1,
                ..
            },
        ] = &events[..]
        else {
            panic!("{events:?}")
        };
        assert_eq!(
            (topic.as_str(), engine.dropped_messages().unmatched.count),
            ("a", 1)
        );
    }
}
