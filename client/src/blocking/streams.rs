//! What a blocking client brings: messages, outcomes, events, each waited for as long as the caller
//! likes.

use std::sync::Arc;
use std::time::Duration;

use super::runtime::Runtime;
use crate::QoS;
use crate::client::Acknowledgement;
use crate::engine::{Answered, Published};
use crate::error::RequestError;
use crate::event::Event;
use crate::message::ReceivedMessage;

/// The messages of one subscription; see [`Subscription`](crate::Subscription).
#[derive(Debug)]
pub struct Subscription {
    pub(super) inner: crate::Subscription,
    pub(super) runtime: Arc<Runtime>,
}

/// The messages that come for no subscription; see [`Unmatched`](crate::Unmatched).
#[derive(Debug)]
pub struct Unmatched {
    pub(super) inner: crate::Unmatched,
    pub(super) runtime: Arc<Runtime>,
}

/// What became of a message; see [`Receipt`](crate::Receipt).
#[derive(Debug)]
#[must_use = "a receipt tells whether the message arrived; drop it explicitly if that doesn't matter"]
pub struct Receipt {
    pub(super) inner: crate::Receipt,
    pub(super) runtime: Arc<Runtime>,
    /// Once it is known.
    pub(super) outcome: Option<Result<Published, RequestError>>,
}

/// The steps in a client's life; see [`Events`](crate::Events).
#[derive(Debug)]
pub struct Events {
    pub(super) inner: crate::Events,
    pub(super) runtime: Arc<Runtime>,
}

/// Nothing came in the time that there was for it. Asking again is fine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing came within {after:?}")]
pub struct TimedOut {
    /// How long was waited.
    pub after: Duration,
}

impl Subscription {
    /// The topic filter.
    #[must_use]
    pub fn filter(&self) -> &str {
        self.inner.filter()
    }

    /// The highest QoS that the server delivers with.
    #[must_use]
    pub fn granted_qos(&self) -> QoS {
        self.inner.granted_qos()
    }

    /// What SUBACK said.
    #[must_use]
    pub const fn answer(&self) -> Option<&Answered> {
        self.inner.answer()
    }

    /// Messages of QoS 0 that were dropped because this stream was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.inner.dropped()
    }

    /// The next message, acknowledged by being returned; `None` once the subscription has ended and
    /// everything was taken.
    ///
    /// # Errors
    /// None came within `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<ReceivedMessage>, TimedOut> {
        self.runtime
            .wait_for(timeout, self.inner.next())
            .ok_or(TimedOut { after: timeout })
    }

    /// Like [`next`](Self::next), but the message isn't acknowledged before the application says so;
    /// see [`Subscription::next_unacknowledged`](crate::Subscription::next_unacknowledged).
    ///
    /// # Errors
    /// None came within `timeout`.
    pub fn next_unacknowledged(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<(ReceivedMessage, Acknowledgement)>, TimedOut> {
        self.runtime
            .wait_for(timeout, self.inner.next_unacknowledged())
            .ok_or(TimedOut { after: timeout })
    }
}

impl Unmatched {
    /// The next message; `None` once the client has stopped and everything was taken.
    ///
    /// # Errors
    /// None came within `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<ReceivedMessage>, TimedOut> {
        self.runtime
            .wait_for(timeout, self.inner.next())
            .ok_or(TimedOut { after: timeout })
    }

    /// Like [`next`](Self::next), but the message isn't acknowledged before the application says so.
    ///
    /// # Errors
    /// None came within `timeout`.
    pub fn next_unacknowledged(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<(ReceivedMessage, Acknowledgement)>, TimedOut> {
        self.runtime
            .wait_for(timeout, self.inner.next_unacknowledged())
            .ok_or(TimedOut { after: timeout })
    }

    /// Messages of QoS 0 that were dropped because this stream was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.inner.dropped()
    }
}

impl Receipt {
    /// What became of the message; once it is known, it is told as often as it is asked for.
    ///
    /// # Errors
    /// Like [`Receipt`](crate::Receipt); [`RequestError::Timeout`] after `timeout`, and asking again
    /// is fine then.
    pub fn wait(&mut self, timeout: Duration) -> Result<Published, RequestError> {
        if self.outcome.is_none() {
            self.outcome = self.runtime.wait_for(timeout, &mut self.inner);
        }
        self.outcome
            .clone()
            .unwrap_or(Err(RequestError::Timeout { after: timeout }))
    }
}

impl Events {
    /// The next step; `None` after [`Event::Stopped`].
    ///
    /// # Errors
    /// None came within `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Event>, TimedOut> {
        self.runtime
            .wait_for(timeout, self.inner.next())
            .ok_or(TimedOut { after: timeout })
    }
}
