//! Streams of messages: one for each subscription, and one for messages that match none.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use dunlin_codec::ReasonCode;
use futures_core::Stream;

use crate::QoS;
use crate::engine::{Answered, DeliveryId};
use crate::message::ReceivedMessage;
use crate::runtime::shared::Shared;

/// Stream of the messages of one subscription, in order of arrival. It is a
/// [`futures_core::Stream`] as well.
///
/// A message of QoS 1 or 2 is acknowledged when [`next`](Self::next) returns it, or by the
/// application: see [`next_unacknowledged`](Self::next_unacknowledged). Unread messages of QoS 1
/// and 2 are bounded by the client's Receive Maximum, which all streams share: a stream that isn't
/// read keeps the others from getting such messages
/// ([`Event::WindowClosed`](crate::Event::WindowClosed)). Unread messages of QoS 0 are bounded by
/// [`StreamLimits`](crate::StreamLimits).
///
/// Dropping the stream ends the subscription, unless another stream has the same filter.
#[derive(Debug)]
#[must_use = "a subscription ends when its stream is dropped"]
pub struct Subscription {
    reader: Reader,
    filter: String,
    /// Content of SUBACK; `None` before it has arrived.
    answer: Option<Answered>,
}

/// Stream of the messages that match no subscription of this client, as a resumed session may bring
/// them.
///
/// Like those of a [`Subscription`], messages of QoS 1 and 2 are acknowledged when they are read, or by
/// the application. Once the stream is dropped, further messages wait for a stream again
/// ([`unmatched_wait`](crate::ConnectOptions::unmatched_wait)), or are acknowledged and counted
/// in sessions where nothing waits.
///
/// ```
/// use dunlin_client::{Client, StreamLimits, Unmatched};
///
/// # async fn example(client: Client) {
/// // `None` if there is such a stream already.
/// let stream: Option<Unmatched> = client.unmatched(StreamLimits::default());
/// if let Some(mut unmatched) = stream {
///     while let Some(message) = unmatched.next().await {
///         println!("of an earlier run: {}", message.topic());
///     }
/// }
/// # }
/// ```
#[derive(Debug)]
#[must_use = "unmatched messages come only while this stream exists"]
pub struct Unmatched(Reader);

/// Reading end of a stream; closes the stream when it is dropped.
#[derive(Debug)]
pub(super) struct Reader {
    pub(super) shared: Arc<Shared>,
    /// Key of the stream in the router.
    key: usize,
    /// True if the stream stays open without this reader.
    is_detached: bool,
}

impl Subscription {
    pub(super) fn new(shared: &Arc<Shared>, key: usize, filter: &str) -> Self {
        Self {
            reader: Reader::new(shared, key),
            filter: filter.to_owned(),
            answer: None,
        }
    }

    pub(super) fn set_granted(&mut self, answer: Answered) {
        self.answer = Some(answer);
    }

    /// Topic Filter of the subscription.
    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }

    /// Maximum QoS that the server has granted.
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

    /// Content of SUBACK.
    #[must_use]
    pub const fn answer(&self) -> Option<&Answered> {
        self.answer.as_ref()
    }

    /// Number of messages of QoS 0 that were dropped because this stream was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.reader.dropped()
    }

    /// Returns the next message; `None` once the subscription has ended and all messages were read.
    ///
    /// Cancel safe: a message that wasn't returned is returned by the next call.
    pub async fn next(&mut self) -> Option<ReceivedMessage> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next message, as [`next`](Self::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ReceivedMessage>> {
        self.reader.poll_next(cx)
    }

    /// Leaves the stream open and returns its key, by which the caller closes it.
    pub(super) fn detach(mut self) -> usize {
        self.reader.is_detached = true;
        self.reader.key
    }

    pub(super) const fn reader(&self) -> &Reader {
        &self.reader
    }
}

impl Unmatched {
    pub(super) fn new(shared: &Arc<Shared>, key: usize) -> Self {
        Self(Reader::new(shared, key))
    }

    /// Number of messages of QoS 0 that were dropped because this stream was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped()
    }

    /// Returns the next message; `None` once the client has stopped and all messages were read.
    ///
    /// Cancel safe: a message that wasn't returned is returned by the next call.
    pub async fn next(&mut self) -> Option<ReceivedMessage> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// Polls for the next message, as [`next`](Self::next).
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ReceivedMessage>> {
        self.0.poll_next(cx)
    }

    pub(super) const fn reader(&self) -> &Reader {
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

    /// Key of the stream in the router.
    pub(super) const fn key(&self) -> usize {
        self.key
    }

    fn dropped(&self) -> u64 {
        self.shared
            .lock_and_notify(|state| state.router.dropped(self.key))
    }

    /// Polls for the next message without acknowledging it; with the id to acknowledge it by, which
    /// messages of QoS 0 don't have.
    pub(super) fn poll_unacknowledged(
        &self,
        cx: &Context<'_>,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        self.shared
            .lock_and_notify(|state| state.router.poll_next(self.key, cx))
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Option<ReceivedMessage>> {
        // QoS 0 needs no acknowledgement, so the short lock suffices, without looking at output and
        // deadlines.
        if let Some(message) = self.shared.pop_qos0(self.key) {
            return Poll::Ready(Some(message));
        }
        self.shared.lock_and_notify(|state| {
            let next = ready!(state.router.poll_next(self.key, cx));
            let Some((message, id)) = next else {
                return Poll::Ready(None);
            };
            if let Some(id) = id {
                state.engine.received().consume(id);
            }
            Poll::Ready(Some(message))
        })
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if !self.is_detached {
            self.shared
                .lock_and_notify(|state| state.close_stream(self.key));
        }
    }
}
