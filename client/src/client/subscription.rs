//! Streams of messages: one for each subscription, and one for what comes for none of them.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use dunlin_codec::ReasonCode;
use futures_core::Stream;

use crate::QoS;
use crate::engine::{Answered, DeliveryId};
use crate::message::ReceivedMessage;
use crate::runtime::shared::Shared;

/// The messages of one subscription, in the order in which they came.
///
/// A message of QoS 1 or 2 is acknowledged when [`next`](Self::next) returns it, or by hand: see
/// [`next_unacknowledged`](Self::next_unacknowledged). What waits here is bounded by the client's
/// Receive Maximum, which all streams share: one that isn't read keeps the others from getting
/// messages of QoS 1 and 2 ([`Event::WindowClosed`](crate::Event::WindowClosed)). It is a
/// [`futures_core::Stream`] as well. How much waits of QoS 0 is said by
/// [`StreamLimits`](crate::StreamLimits). Dropping the stream ends the subscription, unless another
/// stream has the same filter.
#[derive(Debug)]
#[must_use = "a subscription ends when its stream is dropped"]
pub struct Subscription {
    reader: Reader,
    filter: String,
    answer: Option<Answered>,
}

/// Stream of the messages that match no subscription of this client, as a resumed session may bring
/// them.
///
/// As with a [`Subscription`], messages of QoS 1 and 2 are acknowledged when they are taken, or by
/// hand. Once the stream is dropped, further messages wait for a stream again
/// ([`unmatched_wait`](crate::ConnectOptions::unmatched_wait)), or are acknowledged and counted
/// where nothing waits.
#[derive(Debug)]
#[must_use = "unmatched messages come only while this stream exists"]
pub struct Unmatched(Reader);

/// A stream's end that messages are taken from.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) shared: Arc<Shared>,
    key: usize,
    /// Whether the stream goes on without it.
    is_detached: bool,
}

impl Subscription {
    pub(crate) fn new(shared: &Arc<Shared>, key: usize, filter: &str) -> Self {
        Self {
            reader: Reader::new(shared, key),
            filter: filter.to_owned(),
            answer: None,
        }
    }

    pub(crate) fn granted(&mut self, answer: Answered) {
        self.answer = Some(answer);
    }

    /// The topic filter.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// The highest QoS that the server delivers with.
    #[must_use]
    pub fn granted_qos(&self) -> QoS {
        match self
            .answer
            .as_ref()
            .and_then(|answer| answer.reason_codes.first())
        {
            Some(ReasonCode::GrantedQoS1) => QoS::AtLeastOnce,
            Some(ReasonCode::GrantedQoS2) => QoS::ExactlyOnce,
            _ => QoS::AtMostOnce,
        }
    }

    /// What SUBACK said.
    #[must_use]
    pub const fn answer(&self) -> Option<&Answered> {
        self.answer.as_ref()
    }

    /// Messages of QoS 0 that were dropped because this stream was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.reader.dropped()
    }

    /// The next message; `None` once the subscription has ended and everything was taken.
    ///
    /// Cancel safe: a message that wasn't returned comes next time.
    pub async fn next(&mut self) -> Option<ReceivedMessage> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next), for those who poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ReceivedMessage>> {
        self.reader.poll_next(cx)
    }

    /// The stream alone, to be closed by whoever holds its key.
    pub(crate) fn detach(mut self) -> usize {
        self.reader.is_detached = true;
        self.reader.key
    }

    pub(crate) const fn reader(&self) -> &Reader {
        &self.reader
    }
}

impl Unmatched {
    pub(crate) fn new(shared: &Arc<Shared>, key: usize) -> Self {
        Self(Reader::new(shared, key))
    }

    /// Messages of QoS 0 that were dropped because this stream was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    /// The next message; `None` once the client has stopped and everything was taken.
    ///
    /// Cancel safe: a message that wasn't returned comes next time.
    pub async fn next(&mut self) -> Option<ReceivedMessage> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next), for those who poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ReceivedMessage>> {
        self.0.poll_next(cx)
    }

    pub(crate) const fn reader(&self) -> &Reader {
        &self.0
    }
}

impl Stream for Subscription {
    type Item = ReceivedMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ReceivedMessage>> {
        Self::poll_next(&mut self, cx)
    }
}

impl Stream for Unmatched {
    type Item = ReceivedMessage;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ReceivedMessage>> {
        Self::poll_next(&mut self, cx)
    }
}

impl Reader {
    fn new(shared: &Arc<Shared>, key: usize) -> Self {
        Self {
            shared: Arc::clone(shared),
            key,
            is_detached: false,
        }
    }

    /// The key of its stream in the router.
    pub(crate) const fn key(&self) -> usize {
        self.key
    }

    fn dropped(&self) -> u64 {
        self.shared.with(|state| state.router.dropped(self.key))
    }

    /// The next message, and the name under which it is to be acknowledged.
    pub(crate) fn poll_untaken(
        &self,
        cx: &Context<'_>,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        self.shared
            .with(|state| state.router.poll_next(self.key, cx))
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<ReceivedMessage>> {
        if let Some(message) = self.shared.next_unowed(self.key) {
            return Poll::Ready(Some(message));
        }
        self.shared.with(|state| {
            let next = std::task::ready!(state.router.poll_next(self.key, cx));
            let Some((message, id)) = next else {
                return Poll::Ready(None);
            };
            if let Some(id) = id {
                state.engine.take(id);
            }
            Poll::Ready(Some(message))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.is_detached {
            self.shared.with(|state| state.close_stream(self.key));
        }
    }
}
