//! From received messages to the streams that want them.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use dunlin_codec::{TopicFilter, TopicName};
use slab::Slab;

use crate::engine::{DeliveryId, Engine};
use crate::message::ReceivedMessage;

/// How much a stream holds of what needs no acknowledgement: messages of QoS 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StreamLimits {
    pub(crate) count: usize,
    pub(crate) bytes: usize,
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self { count: 10_000, bytes: 16 << 20 }
    }
}

/// All streams, and what waits in them.
#[derive(Debug, Default)]
pub(crate) struct Router {
    streams: Slab<Stream>,
    wakers: Vec<Waker>,
    unrouted: u64,
    ended: bool,
}

#[derive(Debug)]
struct Stream {
    filter: String,
    limits: StreamLimits,
    waiting: VecDeque<(ReceivedMessage, Option<DeliveryId>)>,
    bytes: usize,
    dropped: u64,
    ended: bool,
    waker: Option<Waker>,
}

impl Router {
    /// A stream of what `filter` matches; its key.
    pub(crate) fn open(&mut self, filter: &str) -> usize {
        self.streams.insert(Stream {
            filter: filter.to_owned(),
            limits: StreamLimits::default(),
            waiting: VecDeque::new(),
            bytes: 0,
            dropped: 0,
            ended: self.ended,
            waker: None,
        })
    }

    /// Closes a stream: what waits in it counts as taken. Returns its filter if no other stream has it.
    pub(crate) fn close(&mut self, key: usize, engine: &mut Engine) -> Option<String> {
        let stream = self.streams.try_remove(key)?;
        for id in stream.waiting.into_iter().filter_map(|(_, id)| id) {
            engine.take(id);
        }
        let shared = self.streams.iter().any(|(_, other)| other.filter == stream.filter);
        (!shared && !stream.ended).then_some(stream.filter)
    }

    /// Gives a message to every stream whose filter matches, once each.
    pub(crate) fn route(&mut self, message: &ReceivedMessage, id: Option<DeliveryId>, engine: &mut Engine) {
        let Ok(topic) = TopicName::new(message.topic()) else { return };
        let mut takers = 0;
        for (_, stream) in &mut self.streams {
            let matches = TopicFilter::new(&stream.filter).is_ok_and(|filter| filter.matches(&topic));
            if matches && !stream.ended && stream.push(message, id) {
                takers += 1;
                self.wakers.extend(stream.waker.take());
            }
        }
        let Some(id) = id else {
            self.unrouted += u64::from(takers == 0);
            return;
        };
        match takers {
            // It is acknowledged all the same. [MQTT-4.5.0-2]
            0 => {
                self.unrouted += 1;
                engine.take(id);
            }
            1 => {}
            _ => engine.share(id, takers),
        }
    }

    /// The next message of a stream; with it, the name under which it is taken.
    pub(crate) fn poll_next(
        &mut self,
        key: usize,
        cx: &Context<'_>,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        let Some(stream) = self.streams.get_mut(key) else { return Poll::Ready(None) };
        if let Some((message, id)) = stream.waiting.pop_front() {
            stream.bytes -= message.packet().as_bytes().len();
            return Poll::Ready(Some((message, id)));
        }
        if stream.ended {
            return Poll::Ready(None);
        }
        stream.waker = Some(cx.waker().clone());
        Poll::Pending
    }

    /// No more messages for streams of this filter; what waits in them can still be taken.
    pub(crate) fn end(&mut self, filter: &str) {
        self.end_where(|stream| stream.filter == filter);
    }

    /// No more messages for one stream.
    pub(crate) fn end_stream(&mut self, key: usize) {
        if let Some(stream) = self.streams.get_mut(key) {
            self.wakers.extend(stream.end());
        }
    }

    /// No more messages for anybody.
    pub(crate) fn end_all(&mut self) {
        self.ended = true;
        self.end_where(|_| true);
    }

    /// Messages of QoS 0 that a stream had no room for.
    pub(crate) fn dropped(&self, key: usize) -> u64 {
        self.streams.get(key).map_or(0, |stream| stream.dropped)
    }

    /// Messages that no stream wanted.
    pub(crate) const fn unrouted(&self) -> u64 {
        self.unrouted
    }

    pub(crate) fn take_wakers(&mut self, into: &mut Vec<Waker>) {
        into.append(&mut self.wakers);
    }

    fn end_where(&mut self, ends: impl Fn(&Stream) -> bool) {
        for (_, stream) in &mut self.streams {
            if ends(stream) {
                self.wakers.extend(stream.end());
            }
        }
    }
}

impl Stream {
    /// Takes nothing more; whoever waits for the next message is to be woken.
    fn end(&mut self) -> Option<Waker> {
        self.ended = true;
        self.waker.take()
    }

    /// Whether there was room. What is acknowledged always has room: Receive Maximum bounds it.
    fn push(&mut self, message: &ReceivedMessage, id: Option<DeliveryId>) -> bool {
        let size = message.packet().as_bytes().len();
        let full = self.waiting.len() >= self.limits.count || self.bytes + size > self.limits.bytes;
        if id.is_none() && full && !self.waiting.is_empty() {
            self.dropped += 1;
            return false;
        }
        self.bytes += size;
        self.waiting.push_back((message.clone(), id));
        true
    }
}
