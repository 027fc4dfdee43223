//! Publishing, and publishers that wait for space in the queue.

use std::task::{Context, Waker};

use super::ClientState;
use crate::QoS;
use crate::engine::Accepted;
use crate::error::RequestError;
use crate::message::Message;
use crate::runtime::clock::now;
use crate::runtime::wait_queue::{Need, OUTPUT_MARK, WaiterId};

impl ClientState {
    /// Publishes a message, unless the queue is full.
    ///
    /// # Errors
    /// [`RequestError::QueueFull`], [`RequestError::Stopped`], and those of a message that can't be
    /// sent.
    pub(crate) fn publish(&mut self, message: &Message<'_>) -> Result<Accepted, RequestError> {
        if let Some(cause) = self.lifecycle.stop_cause() {
            return Err(RequestError::Stopped(cause.clone()));
        }
        // Reading the clock costs more than the rest of a publish at QoS 0, so the engine says
        // whether this message needs the time.
        let now = self.engine.time_for(message).unwrap_or_else(now);
        let before = self.engine.output_len();
        let accepted = self.engine.publish(message, now);
        let bytes = self.engine.output_len().saturating_sub(before);
        self.yield_counter.add(bytes);
        accepted
    }

    /// Like [`publish`](Self::publish), for a publisher that can wait: at QoS 0 it has to, as if the
    /// queue were full, while more than [`OUTPUT_MARK`] bytes of output are unwritten.
    ///
    /// # Errors
    /// Like [`publish`](Self::publish).
    pub(crate) fn publish_below_mark(
        &mut self,
        message: &Message<'_>,
    ) -> Result<Accepted, RequestError> {
        // The output that the connection writes has left the engine: there is as much again.
        if message.qos == QoS::AtMostOnce
            && self.engine.output_len() > OUTPUT_MARK
            && self.lifecycle.is_running()
        {
            let (count, bytes) = self.engine.load();
            return Err(RequestError::QueueFull { count, bytes });
        }
        self.publish(message)
    }

    /// Removes a publisher from the wait queue: the next one may have waited for just that.
    pub(crate) fn leave_wait_queue(&mut self, id: WaiterId) {
        self.wait_queue.leave(id);
        self.wake_publishers();
    }

    /// Lets a publisher wait for space. If it was woken and came too late, the space may still be
    /// enough for others.
    pub(crate) fn wait_for_space(&mut self, id: WaiterId, message: &Message<'_>, cx: &Context<'_>) {
        self.wait_queue.wait(id, Need::of(message), cx);
        self.wake_publishers();
    }

    pub(super) fn wake_publishers(&mut self) {
        let mut wakers = std::mem::take(&mut self.wakers);
        self.wake_publishers_into(&mut wakers);
        self.wakers = wakers;
    }

    /// Wakes publishers for which there is space, and the driver if the deadline of the wait queue
    /// has changed.
    pub(super) fn wake_publishers_into(&mut self, wakers: &mut Vec<Waker>) {
        // Waking may set a deadline that is sooner than what the driver sleeps until.
        let before = self.wait_queue.deadline();
        self.wait_queue.wake_next(&self.engine, now, wakers);
        let deadline = self.wait_queue.deadline();
        if deadline.is_some() && deadline != before {
            wakers.extend(self.driver.take());
        }
    }
}
