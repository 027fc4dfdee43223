//! `Client::publish`: hands a message to the engine, or waits for space in the queue.

use std::future::poll_fn;
use std::task::Poll;

use super::{Client, Receipt};
use crate::QoS;
use crate::error::RequestError;
use crate::message::Message;
use crate::runtime::shared::Shared;
use crate::runtime::wait_queue::WaiterId;

/// Drop guard: removes a publisher from the wait queue.
struct WaitingPublisher<'a> {
    shared: &'a Shared,
    id: WaiterId,
}

impl Drop for WaitingPublisher<'_> {
    fn drop(&mut self) {
        self.shared
            .lock_and_notify(|state| state.leave_wait_queue(self.id));
    }
}

impl Client {
    /// Publishes a message: returns its receipt once the client has accepted it.
    ///
    /// Waits while the queue is full ([`ConnectOptions::queue`](crate::ConnectOptions::queue)), for
    /// [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout) at most. When space
    /// becomes free, the publishers that have waited longest are woken first, unless their messages
    /// don't fit.
    ///
    /// At QoS 0 it also waits, for the same time at most, while more than 256 KiB of output are
    /// unwritten, and is woken when there are 128 KiB or less: so a publisher that is faster than
    /// the server doesn't fill the queue. A message may be larger than that.
    ///
    /// After every 512 messages or 32 KiB of output the future yields once, so that a loop that
    /// publishes without waiting lets the client write.
    ///
    /// Cancel safe: if the future is dropped, the message wasn't accepted.
    ///
    /// # Errors
    /// * [`RequestError::Topic`], [`RequestError::ResponseTopic`], [`RequestError::Text`],
    ///   [`RequestError::Encode`]: the message can't be encoded.
    /// * [`RequestError::Limit`]: the message exceeds
    ///   [`ConnectOptions::limits`](crate::ConnectOptions::limits).
    /// * [`RequestError::TooLarge`], [`RequestError::QoSNotSupported`],
    ///   [`RequestError::RetainNotSupported`], [`RequestError::TopicAlias`]: the server doesn't
    ///   accept such messages.
    /// * [`RequestError::QueueFull`]: the queue stayed full.
    /// * [`RequestError::Offline`]: there is no connection, and
    ///   [`ConnectOptions::offline`](crate::ConnectOptions::offline) keeps no such message.
    /// * [`RequestError::Stopped`]: the client has stopped.
    ///
    /// # Panics
    /// If it has to wait outside a tokio runtime.
    pub async fn publish(&self, message: Message<'_>) -> Result<Receipt, RequestError> {
        // A loop that publishes without end yields now and then, so that the driver can write. At
        // QoS 1 and 2 tokio's budget is enough: such a loop waits for acknowledgements anyway.
        if message.qos != QoS::AtMostOnce {
            tokio::task::coop::consume_budget().await;
        } else if self.shared().should_yield() {
            tokio::task::yield_now().await;
        }
        match self.shared().publish_below_mark(&message) {
            Err(RequestError::QueueFull { .. }) => self.publish_when_space_is_free(message).await,
            accepted => Ok(Receipt::new(self.shared(), accepted?)),
        }
    }

    /// A function of its own, because a timer costs more than a message of QoS 0.
    async fn publish_when_space_is_free(
        &self,
        message: Message<'_>,
    ) -> Result<Receipt, RequestError> {
        // The guard leaves the queue in any case: when this future is done, times out, or is
        // dropped.
        let waiting = WaitingPublisher {
            shared: self.shared(),
            id: self.shared().lock_quietly(|state| state.wait_queue.enter()),
        };
        let accepted = poll_fn(|cx| {
            self.shared()
                .lock_and_notify(|state| match state.publish_below_mark(&message) {
                    Err(RequestError::QueueFull { .. }) => {
                        state.wait_for_space(waiting.id, &message, cx);
                        Poll::Pending
                    }
                    done => Poll::Ready(done),
                })
        });
        // After the time-out one last attempt decides, so the error says why the message doesn't
        // fit now.
        match tokio::time::timeout(self.ack_timeout(), accepted).await {
            Ok(accepted) => Ok(Receipt::new(self.shared(), accepted?)),
            Err(_) => self.try_publish(message),
        }
    }

    /// Publishes a message if the queue has space for it now.
    ///
    /// # Errors
    /// Like [`publish`](Self::publish); [`RequestError::QueueFull`] without waiting.
    pub fn try_publish(&self, message: Message<'_>) -> Result<Receipt, RequestError> {
        let accepted = self.shared().publish(&message)?;
        Ok(Receipt::new(self.shared(), accepted))
    }
}
