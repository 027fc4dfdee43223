//! What a publisher holds until the server has the message.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::engine::{Accepted, OperationId, Outcome, Published};
use crate::error::RequestError;
use crate::runtime::shared::Shared;

/// Resolves when a message has reached its end: on its way into a connection at QoS 0, acknowledged
/// at QoS 1 and 2.
///
/// A dropped receipt doesn't take the message back. Polled again after it has resolved, it stays
/// pending.
#[derive(Debug)]
#[must_use = "a receipt tells whether the message arrived; drop it explicitly if that doesn't matter"]
pub struct Receipt(State);

#[derive(Debug)]
enum State {
    /// The outcome was there from the beginning.
    Sent,
    Pending(Arc<Shared>, OperationId),
    /// The outcome was taken.
    Resolved,
}

impl Receipt {
    pub(crate) fn new(shared: &Arc<Shared>, accepted: Accepted) -> Self {
        Self(match accepted {
            Accepted::Sent => State::Sent,
            Accepted::Pending(operation) => State::Pending(Arc::clone(shared), operation),
        })
    }

    /// The outcome of a request of any kind.
    pub(crate) async fn outcome(mut self) -> Result<Outcome, RequestError> {
        poll_fn(|cx| self.poll_outcome(cx)).await
    }

    #[inline]
    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<Outcome, RequestError>> {
        let outcome = match &self.0 {
            State::Sent => Ok(Outcome::Published(Published::unacknowledged())),
            State::Pending(shared, operation) => {
                let outcome = std::task::ready!(
                    shared.aside(|state| state.engine.poll_outcome(*operation, cx))
                );
                outcome.unwrap_or(Err(RequestError::SessionLost))
            }
            State::Resolved => return Poll::Pending,
        };
        self.0 = State::Resolved;
        Poll::Ready(outcome)
    }
}

impl Future for Receipt {
    type Output = Result<Published, RequestError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_outcome(cx).map_ok(|outcome| match outcome {
            Outcome::Published(published) => published,
            Outcome::Answered(_) | Outcome::Reauthenticated => Published::unacknowledged(),
        })
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let State::Pending(shared, operation) = &self.0 {
            shared.aside(|state| state.engine.forget(*operation));
        }
    }
}
