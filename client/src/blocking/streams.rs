//! Messages, receipts and events of a blocking client, each with a timeout of the caller.

use std::sync::Arc;
use std::time::Duration;

use super::runtime::Runtime;
use crate::QoS;
use crate::client::Acknowledgement;
use crate::engine::{Answered, Published};
use crate::error::RequestError;
use crate::event::Event;
use crate::message::ReceivedMessage;

/// Stream of the messages of one subscription; see [`Subscription`](crate::Subscription).
#[derive(Debug)]
pub struct Subscription {
    pub(super) inner: crate::Subscription,
    pub(super) runtime: Arc<Runtime>,
}

/// Stream of the messages that match no subscription; see [`Unmatched`](crate::Unmatched).
#[derive(Debug)]
pub struct Unmatched {
    pub(super) inner: crate::Unmatched,
    pub(super) runtime: Arc<Runtime>,
}

/// Receipt of a published message; see [`Receipt`](crate::Receipt).
#[derive(Debug)]
#[must_use = "a receipt tells whether the message arrived; drop it explicitly if that doesn't matter"]
pub struct Receipt {
    pub(super) inner: crate::Receipt,
    pub(super) runtime: Arc<Runtime>,
    /// Outcome, once it is known.
    pub(super) outcome: Option<Result<Published, RequestError>>,
}

/// Stream of lifecycle events; see [`Events`](crate::Events).
///
/// ```
/// use std::time::Duration;
///
/// use dunlin_client::blocking::{Client, Events, Receipt, TimedOut};
/// use dunlin_client::{Message, QoS};
///
/// # fn example(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let message = Message::new("lamp/7", "on").qos(QoS::AtLeastOnce);
/// let mut receipt: Receipt = client.publish(message)?;
/// receipt.wait(Duration::from_secs(5))?;
///
/// let mut events: Events = client.events();
/// match events.next(Duration::from_secs(1)) {
///     Ok(Some(event)) => println!("{event:?}"),
///     Ok(None) => println!("the client has stopped"),
///     Err(TimedOut { after }) => println!("nothing happened within {after:?}"),
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Events {
    pub(super) inner: crate::Events,
    pub(super) runtime: Arc<Runtime>,
}

/// Timeout of a wait; the caller may wait again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("nothing came within {after:?}")]
pub struct TimedOut {
    /// Time that the caller waited.
    pub after: Duration,
}

impl Subscription {
    /// Topic Filter of the subscription.
    #[must_use]
    pub fn filter(&self) -> &str {
        self.inner.filter()
    }

    /// Maximum QoS that the server has granted.
    #[must_use]
    pub fn granted_qos(&self) -> QoS {
        self.inner.granted_qos()
    }

    /// Content of SUBACK.
    #[must_use]
    pub const fn answer(&self) -> Option<&Answered> {
        self.inner.answer()
    }

    /// Number of messages of QoS 0 that were dropped because this stream was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.inner.dropped()
    }

    /// Returns the next message and acknowledges it; `None` once the subscription has ended and all
    /// messages were read.
    ///
    /// # Errors
    /// [`TimedOut`] after `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<ReceivedMessage>, TimedOut> {
        self.runtime
            .wait_for(timeout, self.inner.next())
            .ok_or(TimedOut { after: timeout })
    }

    /// Returns the next message with its acknowledgement, which the application gives; see [`Subscription::next_unacknowledged`](crate::Subscription::next_unacknowledged).
    ///
    /// # Errors
    /// [`TimedOut`] after `timeout`.
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
    /// Returns the next message and acknowledges it; `None` once the client has stopped and all messages
    /// were read.
    ///
    /// # Errors
    /// [`TimedOut`] after `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<ReceivedMessage>, TimedOut> {
        self.runtime
            .wait_for(timeout, self.inner.next())
            .ok_or(TimedOut { after: timeout })
    }

    /// Returns the next message with its acknowledgement, which the application gives.
    ///
    /// # Errors
    /// [`TimedOut`] after `timeout`.
    pub fn next_unacknowledged(
        &mut self,
        timeout: Duration,
    ) -> Result<Option<(ReceivedMessage, Acknowledgement)>, TimedOut> {
        self.runtime
            .wait_for(timeout, self.inner.next_unacknowledged())
            .ok_or(TimedOut { after: timeout })
    }

    /// Number of messages of QoS 0 that were dropped because this stream was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.inner.dropped()
    }
}

impl Receipt {
    /// Waits for the outcome; once it is known, every call returns it.
    ///
    /// # Errors
    /// Like [`Receipt`](crate::Receipt); [`RequestError::Timeout`] after `timeout`, after which the caller
    /// may wait again.
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
    /// Returns the next event; `None` after [`Event::Stopped`].
    ///
    /// # Errors
    /// [`TimedOut`] after `timeout`.
    pub fn next(&mut self, timeout: Duration) -> Result<Option<Event>, TimedOut> {
        self.runtime
            .wait_for(timeout, self.inner.next())
            .ok_or(TimedOut { after: timeout })
    }
}
