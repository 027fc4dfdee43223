//! Publishing: a message is handed over, and a receipt tells how it went.

use std::future::poll_fn;
use std::task::Poll;

use crate::QoS;
use crate::client::Client;
use crate::client::receipt::Receipt;
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
        self.shared.with(|state| state.leave_wait_queue(self.id));
    }
}

impl Client {
    /// Hands a message over. Waits while the queue is full, for
    /// [`ConnectOptions::ack_timeout`](crate::ConnectOptions::ack_timeout) at most. Of those who
    /// wait, the ones who have waited longest for what there is now room for are woken first.
    ///
    /// Cancel safe: a dropped future hasn't handed it over.
    ///
    /// # Errors
    /// A topic that isn't one; what the server doesn't take; a queue that stays full; a client that
    /// has stopped.
    ///
    /// # Panics
    /// Outside a tokio runtime, where it has to wait.
    pub async fn publish(&self, message: Message<'_>) -> Result<Receipt, RequestError> {
        // A loop that publishes without end yields now and then, so that the driver can write. At
        // QoS 1 and 2 tokio's budget is enough: such a loop waits for acknowledgements anyway.
        if message.qos != QoS::AtMostOnce {
            tokio::task::coop::consume_budget().await;
        } else if self.shared().should_yield() {
            tokio::task::yield_now().await;
        }
        match self.shared().publish(&message) {
            Err(RequestError::QueueFull { .. }) => self.publish_when_there_is_room(message).await,
            accepted => Ok(Receipt::new(self.shared(), accepted?)),
        }
    }

    /// Apart, because a timer costs more than a message of QoS 0.
    async fn publish_when_there_is_room(
        &self,
        message: Message<'_>,
    ) -> Result<Receipt, RequestError> {
        let waiting = WaitingPublisher {
            shared: self.shared(),
            id: self.shared().aside(|state| state.wait_queue.enter()),
        };
        let accepted = poll_fn(|cx| {
            self.shared().with(|state| match state.publish(&message).0 {
                Err(RequestError::QueueFull { .. }) => {
                    state.wait_for_space(waiting.id, &message, cx);
                    Poll::Pending
                }
                done => Poll::Ready(done),
            })
        });
        match tokio::time::timeout(self.ack_timeout(), accepted).await {
            Ok(accepted) => Ok(Receipt::new(self.shared(), accepted?)),
            Err(_) => self.try_publish(message),
        }
    }

    /// Hands a message over, or says at once that there is no room.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn try_publish(&self, message: Message<'_>) -> Result<Receipt, RequestError> {
        let accepted = self.shared().publish(&message)?;
        Ok(Receipt::new(self.shared(), accepted))
    }
}
