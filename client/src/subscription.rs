//! A stream of the messages of one subscription.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};

use dunlin_codec::ReasonCode;

use crate::QoS;
use crate::engine::{Answered, DeliveryId};
use crate::message::ReceivedMessage;
use crate::shared::Shared;

/// The messages of one subscription, in the order in which they came.
///
/// A message of QoS 1 or 2 is acknowledged when [`next`](Self::next) returns it, or by hand: see
/// [`next_unacknowledged`](Self::next_unacknowledged). What waits here is bounded by the client's Receive Maximum. Of messages of QoS 0 up to 10,000 or 16 MiB wait; newer ones are dropped and counted.
/// Dropping the stream ends the subscription, unless another stream has the same filter.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    key: usize,
    filter: String,
    answer: Option<Answered>,
}

impl Subscription {
    pub(crate) fn new(shared: &Arc<Shared>, key: usize, filter: &str) -> Self {
        Self { shared: Arc::clone(shared), key, filter: filter.to_owned(), answer: None }
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
        match self.answer.as_ref().and_then(|answer| answer.reason_codes.first()) {
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
        self.shared.with(|state| state.router.dropped(self.key))
    }

    /// The next message; `None` once the subscription has ended and everything was taken.
    ///
    /// Cancel safe: a message that wasn't returned comes next time.
    pub async fn next(&mut self) -> Option<ReceivedMessage> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// As [`next`](Self::next), for those who poll.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<ReceivedMessage>> {
        self.shared.with(|state| {
            let next = std::task::ready!(state.router.poll_next(self.key, cx));
            let Some((message, id)) = next else { return Poll::Ready(None) };
            if let Some(id) = id {
                state.engine.take(id);
            }
            Poll::Ready(Some(message))
        })
    }

    /// The next message, and the name under which it is to be acknowledged.
    pub(crate) fn poll_untaken(
        &self,
        cx: &Context<'_>,
    ) -> Poll<Option<(ReceivedMessage, Option<DeliveryId>)>> {
        self.shared.with(|state| state.router.poll_next(self.key, cx))
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.with(|state| {
            let last_of = state.router.close(self.key, &mut state.engine);
            if let Some(filter) = last_of.filter(|_| state.stopped.is_none()) {
                // Nobody is left to tell that the queue is full; the server then sends what nobody wants, for a while.
                if let Ok(operation) = state.engine.unsubscribe(&[&filter]) {
                    state.engine.forget(operation);
                }
            }
        });
    }
}
