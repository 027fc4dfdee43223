//! Handle of an accepted request, which resolves with the outcome of its kind.

use std::future::poll_fn;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use crate::engine::{Answered, OperationId, Outcome, Published};
use crate::error::RequestError;
use crate::runtime::shared::Shared;

/// Outcome of one kind of request.
pub(super) trait OutcomeOf: Sized {
    /// The outcome, if it is one of this kind of request.
    fn from_outcome(outcome: Outcome) -> Option<Self>;
}

impl OutcomeOf for Published {
    #[inline]
    fn from_outcome(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Published(published) => Some(published),
            Outcome::Answered(_) | Outcome::Reauthenticated => None,
        }
    }
}

impl OutcomeOf for Answered {
    #[inline]
    fn from_outcome(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Answered(answered) => Some(answered),
            Outcome::Published(_) | Outcome::Reauthenticated => None,
        }
    }
}

/// Outcome of a successful re-authentication.
#[derive(Debug)]
pub(super) struct Reauthenticated;

impl OutcomeOf for Reauthenticated {
    #[inline]
    fn from_outcome(outcome: Outcome) -> Option<Self> {
        match outcome {
            Outcome::Reauthenticated => Some(Self),
            Outcome::Published(_) | Outcome::Answered(_) => None,
        }
    }
}

/// Handle of a request whose outcome is a `T`.
///
/// If it is dropped before, nobody learns the outcome; the request itself goes on.
#[derive(Debug)]
pub(super) struct RequestHandle<T> {
    shared: Arc<Shared>,
    /// Id of the request in the engine; `None` once it has resolved.
    id: Option<OperationId>,
    outcome: PhantomData<fn() -> T>,
}

impl<T: OutcomeOf> RequestHandle<T> {
    /// Handle of the request with this id, whose kind must be that of `T`.
    pub(super) fn new(shared: &Arc<Shared>, id: OperationId) -> Self {
        Self {
            shared: Arc::clone(shared),
            id: Some(id),
            outcome: PhantomData,
        }
    }

    /// Waits for the outcome.
    ///
    /// # Errors
    /// The error with which the request ended.
    pub(super) async fn outcome(mut self) -> Result<T, RequestError> {
        poll_fn(|cx| self.poll(cx)).await
    }

    /// Polls for the outcome; pending forever after it was ready once.
    #[inline]
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<T, RequestError>> {
        let Some(id) = self.id else {
            return Poll::Pending;
        };
        let outcome = ready!(
            self.shared
                .lock_quietly(|state| state.engine.poll_outcome(id, cx))
        );
        self.id = None;
        // The engine ends each request with an error or an outcome of its kind, once; anything else
        // is no outcome of this request.
        match outcome {
            Some(Err(error)) => Poll::Ready(Err(error)),
            Some(Ok(outcome)) => {
                T::from_outcome(outcome).map_or(Poll::Pending, |outcome| Poll::Ready(Ok(outcome)))
            }
            None => Poll::Pending,
        }
    }
}

impl<T> Drop for RequestHandle<T> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.shared.lock_quietly(|state| state.engine.forget(id));
        }
    }
}
