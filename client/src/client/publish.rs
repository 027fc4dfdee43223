//! Publishing: a message is handed over, and a receipt tells how it went.

use std::future::poll_fn;
use std::task::Poll;

use crate::QoS;
use crate::client::Client;
use crate::client::receipt::Receipt;
use crate::error::RequestError;
use crate::message::Message;
use crate::runtime::shared::Shared;
use crate::runtime::wait_queue::Ticket;

/// A place in the line for room; given up when it is dropped.
struct Place<'a> {
    shared: &'a Shared,
    ticket: Ticket,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.with(|state| state.leave_line(self.ticket));
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
        // Who publishes without end gives the driver its turn, so that what is to be written stays
        // small; where acknowledgements come back, more of them then come at once.
        if message.qos != QoS::AtMostOnce {
            tokio::task::coop::consume_budget().await;
        } else if self.shared().makes_way() {
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
        let place = Place {
            shared: self.shared(),
            ticket: self.shared().aside(|state| state.line.enter()),
        };
        let accepted = poll_fn(|cx| {
            self.shared().with(|state| match state.publish(&message) {
                Err(RequestError::QueueFull { .. }) => {
                    state.wait_in_line(place.ticket, &message, cx);
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
