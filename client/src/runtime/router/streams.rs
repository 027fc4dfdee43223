//! All streams of a client, and what their messages take of its memory budget.

use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::stream::{StreamLimits, StreamQueue};
use crate::engine::{DeliveryId, Dropped};
use crate::event::{DropCause, Event};
use crate::message::ReceivedMessage;

/// Streams by their keys.
#[derive(Debug, Default)]
pub(super) struct Streams {
    streams: Slab<StreamQueue>,
    /// True if all streams have ended.
    ended: bool,
    /// Number of full streams that pause reading.
    pausing: usize,
    /// Bytes of memory that the messages in all streams take; a message in several streams counts
    /// in each.
    charge: usize,
    /// Messages of QoS 1 and 2 in all streams.
    need_ack: usize,
    /// Messages of QoS 0 that full streams dropped.
    stream_full: Dropped,
    /// Dropped messages that the application is to be told of.
    events: Vec<Event>,
    wakers: Vec<Waker>,
}

impl Streams {
    /// Adds a stream of a route; `None` for the stream of unmatched messages. Returns its key.
    pub(super) fn open(&mut self, route: Option<usize>, limits: StreamLimits) -> usize {
        let queue = StreamQueue::new(route, limits, self.ended);
        self.streams.insert(queue)
    }

    /// Removes a stream with the messages that are left in it.
    pub(super) fn remove(&mut self, key: usize) -> Option<StreamQueue> {
        let stream = self.streams.try_remove(key)?;
        self.charge -= stream.charge();
        self.need_ack -= stream.need_ack_len();
        self.pausing -= usize::from(stream.pauses_reading());
        Some(stream)
    }

    pub(super) fn get(&self, key: usize) -> Option<&StreamQueue> {
        self.streams.get(key)
    }

    /// Takes the route off a stream, which then gets no further messages.
    pub(super) fn take_route(&mut self, key: usize) -> Option<usize> {
        self.streams.get_mut(key)?.route.take()
    }

    /// Marks the subscription of a stream as granted by the server.
    pub(super) fn set_granted(&mut self, key: usize) {
        if let Some(stream) = self.streams.get_mut(key) {
            stream.is_granted = true;
        }
    }

    /// Ends a stream: it takes no further messages, and ends when it is read to its end.
    pub(super) fn end(&mut self, key: usize) {
        if let Some(stream) = self.streams.get_mut(key) {
            self.pausing -= usize::from(stream.pauses_reading());
            self.wakers.extend(stream.end());
        }
    }

    /// Ends all streams, also those that are opened later.
    pub(super) fn end_all(&mut self) {
        self.ended = true;
        self.pausing = 0;
        for (_, stream) in &mut self.streams {
            self.wakers.extend(stream.end());
        }
    }

    pub(super) const fn have_ended(&self) -> bool {
        self.ended
    }

    /// Adds a message to a stream; one of QoS 0 may take `free` bytes of memory.
    pub(super) fn push(
        &mut self,
        key: usize,
        message: ReceivedMessage,
        id: Option<DeliveryId>,
        free: usize,
    ) {
        let waker = self.update(key, |stream| stream.push(message, id, free));
        self.wakers.extend(waker.flatten());
    }

    /// Polls for the next message of a stream. `has_drained`: see
    /// [`pop_qos0`](StreamQueue::pop_qos0).
    pub(super) fn poll_next(
        &mut self,
        key: usize,
        cx: &Context<'_>,
        has_drained: bool,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        self.update(key, |stream| stream.poll_next(cx, has_drained))
            .unwrap_or(Poll::Ready(None))
    }

    /// Removes the next message of a stream if it is of QoS 0.
    pub(super) fn pop_qos0(&mut self, key: usize, has_drained: bool) -> Option<ReceivedMessage> {
        self.update(key, |stream| stream.pop_qos0(has_drained))?
    }

    /// Removes the next message of a stream.
    pub(super) fn pop(
        &mut self,
        key: usize,
        has_drained: bool,
    ) -> Option<(ReceivedMessage, Option<DeliveryId>)> {
        self.update(key, |stream| stream.pop(has_drained))?
    }

    /// Changes a stream and updates the sums over all streams.
    fn update<T>(&mut self, key: usize, act: impl FnOnce(&mut StreamQueue) -> T) -> Option<T> {
        let stream = self.streams.get_mut(key)?;
        // Subtract the old values and add the new ones: the sums stay right whatever `act` does.
        let before = (
            stream.pauses_reading(),
            stream.charge(),
            stream.need_ack_len(),
        );
        let dropped = stream.dropped();
        let result = act(stream);
        self.pausing = self.pausing + usize::from(stream.pauses_reading()) - usize::from(before.0);
        self.charge = self.charge + stream.charge() - before.1;
        self.need_ack = self.need_ack + stream.need_ack_len() - before.2;

        // Messages that the stream dropped are counted and reported.
        let count = stream.dropped().count - dropped.count;
        if count > 0 {
            let bytes = stream.dropped().bytes - dropped.bytes;
            self.stream_full.count += count;
            self.stream_full.bytes += bytes;
            let topic = stream.take_dropped_topic().unwrap_or_default().into();
            self.report(Event::MessageDropped {
                topic,
                cause: DropCause::StreamFull,
                count,
                bytes,
            });
        }
        Some(result)
    }

    /// Removes the messages of QoS 1 and 2 from all streams: the server sends them again.
    pub(super) fn discard_unacknowledged(&mut self) {
        for (_, stream) in &mut self.streams {
            stream.discard_unacknowledged();
        }
        // Added up again, since every stream has changed.
        self.charge = self.streams.iter().map(|(_, stream)| stream.charge()).sum();
        self.need_ack = 0;
    }

    /// Key of the stream whose first message of QoS 1 or 2 is this one.
    pub(super) fn key_of_first(&self, id: DeliveryId) -> Option<usize> {
        let mut streams = self.streams.iter();
        streams
            .find(|(_, stream)| stream.first_needing_ack() == Some(id))
            .map(|(key, _)| key)
    }

    /// Adds an event for the application.
    pub(super) fn report(&mut self, event: Event) {
        if !self
            .events
            .last_mut()
            .is_some_and(|last| last.merge(&event))
        {
            self.events.push(event);
        }
    }

    /// True if there are events for the application.
    pub(super) const fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Removes the events for the application; no memory for events stays here.
    pub(super) fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// Tasks to be woken.
    pub(super) const fn wakers_mut(&mut self) -> &mut Vec<Waker> {
        &mut self.wakers
    }

    /// Messages of QoS 0 that full streams dropped.
    pub(super) const fn stream_full(&self) -> Dropped {
        self.stream_full
    }

    /// True if a full stream wants reading to pause.
    pub(super) const fn pause_reading(&self) -> bool {
        self.pausing > 0
    }

    /// Bytes of memory that the messages in all streams take.
    pub(super) const fn charge(&self) -> usize {
        self.charge
    }

    /// Messages of QoS 1 and 2 in all streams.
    pub(super) const fn need_ack_len(&self) -> usize {
        self.need_ack
    }

    /// Releases memory that a burst has left, and the large read buffers of small messages.
    pub(super) fn give_back_memory(&mut self) {
        for (_, stream) in &mut self.streams {
            stream.give_back_memory();
        }
    }
}
