//! Acknowledgements that the application gives by hand.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use dunlin_codec::ReasonCode;

use super::subscription::{Reader, Subscription, Unmatched};
use crate::engine::{Change, DeliveryId};
use crate::error::RequestError;
use crate::message::ReceivedMessage;
use crate::runtime::manual_acks::DroppedAck;
use crate::runtime::shared::Shared;

impl Subscription {
    /// Returns the next message with its [`Acknowledgement`], by which the application acknowledges
    /// it; `None` as with [`next`](Self::next). Messages that aren't acknowledged count against the
    /// client's Receive Maximum.
    ///
    /// ```no_run
    /// # async fn example(mut lamps: dunlin_client::Subscription) -> Result<(), Box<dyn std::error::Error>> {
    /// use dunlin_client::codec::ReasonCode;
    ///
    /// while let Some((message, acknowledgement)) = lamps.next_unacknowledged().await {
    ///     match store(&message).await {
    ///         Ok(()) => acknowledgement.accept(),
    ///         Err(_) => acknowledgement.answer(ReasonCode::ImplementationSpecificError)?,
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// # async fn store(_: &dunlin_client::ReceivedMessage) -> std::io::Result<()> { Ok(()) }
    /// ```
    ///
    /// Cancel safe: a message that wasn't returned is returned by the next call.
    pub async fn next_unacknowledged(&mut self) -> Option<(ReceivedMessage, Acknowledgement)> {
        poll_fn(|cx| self.poll_next_unacknowledged(cx)).await
    }

    /// Polls for the next message, as [`next_unacknowledged`](Self::next_unacknowledged).
    pub fn poll_next_unacknowledged(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(ReceivedMessage, Acknowledgement)>> {
        poll_next(self.reader(), cx)
    }
}

impl Unmatched {
    /// Returns the next message with its [`Acknowledgement`], by which the application acknowledges
    /// it; `None` as with [`next`](Self::next).
    ///
    /// Cancel safe: a message that wasn't returned is returned by the next call.
    pub async fn next_unacknowledged(&mut self) -> Option<(ReceivedMessage, Acknowledgement)> {
        poll_fn(|cx| poll_next(self.reader(), cx)).await
    }
}

fn poll_next(
    reader: &Reader,
    cx: &Context<'_>,
) -> Poll<Option<(ReceivedMessage, Acknowledgement)>> {
    let next = ready!(reader.poll_unacknowledged(cx));
    Poll::Ready(next.map(|(message, id)| {
        let (shared, stream) = (Arc::clone(&reader.shared), reader.key());
        // At QoS 0 nothing is to be answered: the acknowledgement does nothing, and the topic isn't
        // copied.
        if let Some(id) = id {
            shared.lock_quietly(|state| {
                let filter = state.router.filter(stream);
                state.manual_acks.hold(id, stream, filter);
            });
        }
        let topic = if id.is_some() {
            message.topic().into()
        } else {
            Box::default()
        };
        let bytes = message.len();
        (
            message,
            Acknowledgement {
                shared,
                id,
                stream,
                topic,
                bytes,
            },
        )
    }))
}

/// Acknowledgement of a received message, to be given by the application.
///
/// Acknowledgements are sent in the order in which their messages arrived, whatever the order of
/// these calls (§4.6): a message that isn't answered holds back the acknowledgements after it. All
/// streams share the client's Receive Maximum; when it is used up, no stream gets messages of QoS 1
/// and 2.
///
/// If it is dropped without an answer,
/// [`ConnectOptions::on_dropped`](crate::ConnectOptions::on_dropped) decides: by default the
/// message is refused with reason code 0x80 after five seconds, or at once if the thread is
/// panicking, counted, and reported as [`Event::MessageDropped`](crate::Event::MessageDropped).
/// Once the client is being stopped or its runtime shuts down, nothing is answered, and the server
/// sends the message again.
///
/// At QoS 0, and once the session is lost, there is nothing to acknowledge, and answers do nothing.
/// If the connection was lost meanwhile, but not the session, the answer is given to the server's
/// repetition of the message, which isn't delivered again.
#[derive(Debug)]
#[must_use = "a message that isn't answered is refused, and holds back the acknowledgements behind it"]
pub struct Acknowledgement {
    shared: Arc<Shared>,
    /// Id of the message; `None` if there is nothing to answer.
    id: Option<DeliveryId>,
    /// Key of the stream that the message was read from.
    stream: usize,
    /// Topic Name; empty at QoS 0.
    topic: Box<str>,
    /// Size of the packet in bytes.
    bytes: usize,
}

impl Acknowledgement {
    /// Acknowledges the message with success.
    pub fn accept(mut self) {
        if let Some(id) = self.id.take() {
            self.shared.lock_and_notify(|state| {
                state.manual_acks.release(id, self.stream);
                state.engine.received().consume(id);
            });
        }
    }

    /// Accepts the message and changes records of the application's own in the client's store, in
    /// one commit; returns when both are persisted.
    ///
    /// A message of QoS 2 is so processed exactly once, whenever the process is killed: either the
    /// records and the fact that the message was received are both in the store, and the
    /// server's repetition isn't delivered, or neither is, and it is delivered again. The
    /// [documentation of the store](crate::store) explains the pattern. A message of QoS 1 may be
    /// delivered again after its records were written; at QoS 0 the records alone are written.
    ///
    /// If several streams got the message, the records are written with the last answer, whatever
    /// that is. If one of them drops its acknowledgement,
    /// [`ConnectOptions::on_dropped`](crate::ConnectOptions::on_dropped) gives its answer:
    /// * [`OnDropped::Reject`](crate::OnDropped::Reject): the message is refused with 0x80 and
    ///   doesn't come again; the records are written.
    /// * [`OnDropped::Accept`](crate::OnDropped::Accept): the message is accepted, and the records
    ///   are written.
    /// * [`OnDropped::Hold`](crate::OnDropped::Hold): the message comes again to all of them, and
    ///   the records are not written.
    ///
    /// Cancel safe once it was polled: the message is accepted then, and dropping the future only
    /// ends the wait.
    ///
    /// # Errors
    /// * [`RequestError::NoStore`]: the client wasn't started with a store. The message counts as
    ///   dropped unanswered.
    /// * [`RequestError::Stopped`]: the client stopped, or its store failed. The records may or may
    ///   not be persisted.
    pub async fn accept_with(mut self, records: Vec<Change>) -> Result<(), RequestError> {
        let shared = Arc::clone(&self.shared);
        let batch = shared.lock_and_notify(|state| {
            state.check_writable()?;
            // The records and the end of the delivery are one change of the session, so both are in
            // the same commit.
            match self.id.take() {
                Some(id) => {
                    state.manual_acks.release(id, self.stream);
                    state.engine.received().consume_with(id, records);
                }
                None => state.engine.recorder().write_records(records),
            }
            Ok::<_, RequestError>(state.current_batch())
        })?;
        shared.until_persisted(batch).await
    }

    /// Acknowledges the message with this reason code; the server won't send it again.
    ///
    /// 0x80 or above refuses the message; at QoS 2 that ends the exchange. If several streams got
    /// the message, the largest of their codes is sent.
    ///
    /// # Errors
    /// [`RequestError::Encode`] for a code that PUBACK and PUBREC don't have (§3.4.2.1); those that
    /// they have are 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97 and 0x99. The message counts as
    /// dropped unanswered.
    pub fn answer(mut self, reason_code: ReasonCode) -> Result<(), RequestError> {
        let Some(id) = self.id else { return Ok(()) };
        self.shared.lock_and_notify(|state| {
            // If the code isn't allowed here, the acknowledgement stays unanswered, and dropping it
            // applies the policy.
            state.engine.received().answer(id, reason_code)?;
            state.manual_acks.release(id, self.stream);
            Ok::<_, RequestError>(())
        })?;
        self.id = None;
        Ok(())
    }
}

impl Drop for Acknowledgement {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let is_panicking = std::thread::panicking();
        let dropped = DroppedAck {
            id,
            stream: self.stream,
            topic: std::mem::take(&mut self.topic),
            bytes: self.bytes,
        };
        let event = self
            .shared
            .lock_and_notify(|state| state.handle_dropped_ack(dropped, is_panicking));
        if let Some(event) = event {
            self.shared.emit(event);
        }
    }
}
