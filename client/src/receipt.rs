//! What a publisher holds until the server has the message.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::engine::{Accepted, OperationId, Outcome, Published};
use crate::error::RequestError;
use crate::shared::Shared;

/// Resolves when a message has reached its end: on its way into a connection at QoS 0, acknowledged at QoS 1 and 2.
///
/// A dropped receipt doesn't take the message back.
#[derive(Debug)]
#[must_use = "a receipt tells whether the message arrived; drop it explicitly if that doesn't matter"]
pub struct Receipt {
    shared: Arc<Shared>,
    /// `None` when the outcome was taken, or was there from the beginning.
    operation: Option<OperationId>,
}

impl Receipt {
    pub(crate) fn new(shared: &Arc<Shared>, accepted: Accepted) -> Self {
        let operation = match accepted {
            Accepted::Sent => None,
            Accepted::Pending(operation) => Some(operation),
        };
        Self { shared: Arc::clone(shared), operation }
    }

    /// The outcome of a request of any kind.
    pub(crate) async fn outcome(mut self) -> Result<Outcome, RequestError> {
        poll_fn(|cx| self.poll_outcome(cx)).await
    }

    fn poll_outcome(&mut self, cx: &mut Context<'_>) -> Poll<Result<Outcome, RequestError>> {
        let Some(operation) = self.operation else {
            return Poll::Ready(Ok(Outcome::Published(Published::unacknowledged())));
        };
        let outcome = std::task::ready!(self.shared.with(|state| state.engine.poll_outcome(operation, cx)));
        self.operation = None;
        Poll::Ready(outcome.unwrap_or(Err(RequestError::SessionLost)))
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
        if let Some(operation) = self.operation {
            self.shared.with(|state| state.engine.forget(operation));
        }
    }
}
