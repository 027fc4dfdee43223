//! Acknowledging by hand: a message comes with the duty to say what became of it.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use dunlin_codec::ReasonCode;

use crate::client::subscription::{Reader, Subscription, Unmatched};
use crate::engine::{Change, DeliveryId};
use crate::error::RequestError;
use crate::message::ReceivedMessage;
use crate::runtime::shared::Shared;
use crate::runtime::store_task::until_kept;
use crate::runtime::unanswered::Unanswered;

impl Subscription {
    /// As [`next`](Self::next), but the message isn't acknowledged before the application says so:
    /// what it has in hand counts against the client's Receive Maximum.
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
    /// Cancel safe: a message that wasn't returned comes next time.
    pub async fn next_unacknowledged(&mut self) -> Option<(ReceivedMessage, Acknowledgement)> {
        poll_fn(|cx| self.poll_next_unacknowledged(cx)).await
    }

    /// As [`next_unacknowledged`](Self::next_unacknowledged), for those who poll.
    pub fn poll_next_unacknowledged(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(ReceivedMessage, Acknowledgement)>> {
        poll_next(self.reader(), cx)
    }
}

impl Unmatched {
    /// As [`next`](Self::next), but the message isn't acknowledged before the application says so.
    ///
    /// Cancel safe: a message that wasn't returned comes next time.
    pub async fn next_unacknowledged(&mut self) -> Option<(ReceivedMessage, Acknowledgement)> {
        poll_fn(|cx| poll_next(self.reader(), cx)).await
    }
}

fn poll_next(
    reader: &Reader,
    cx: &Context<'_>,
) -> Poll<Option<(ReceivedMessage, Acknowledgement)>> {
    let next = ready!(reader.poll_untaken(cx));
    Poll::Ready(next.map(|(message, id)| {
        let (shared, stream) = (Arc::clone(&reader.shared), reader.key());
        if let Some(id) = id {
            shared.aside(|state| {
                let filter = state.router.filter(stream).map(Into::into);
                state.window.given_out.insert((id, stream), filter);
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

/// What a message is owed. Acknowledgements leave in the order in which their messages came,
/// whatever the order of these calls (§4.6): one that isn't given holds back those behind it.
///
/// If it is dropped without an answer,
/// [`ConnectOptions::on_dropped`](crate::ConnectOptions::on_dropped) decides: by default the
/// message is refused with reason code 0x80 after five seconds, or at once if the thread is
/// panicking, counted, and reported as [`Event::MessageDropped`](crate::Event::MessageDropped).
/// Once the client is being stopped or its runtime shuts down, nothing is answered, and the server
/// sends the message again. All streams share the client's Receive Maximum: while one message isn't
/// answered, nothing behind it is acknowledged, and when the Receive Maximum is used up, no stream
/// gets messages of QoS 1 and 2.
///
/// At QoS 0, and once the session is lost, there is nothing to acknowledge: then both answers do
/// nothing. On a later connection of the same session the answer counts for the server's
/// repetition, which isn't delivered again.
#[derive(Debug)]
#[must_use = "a message that isn't answered is refused, and holds back the acknowledgements behind it"]
pub struct Acknowledgement {
    shared: Arc<Shared>,
    /// `None` when there is nothing to answer.
    id: Option<DeliveryId>,
    /// Key of the stream that gave the message out.
    stream: usize,
    /// Topic Name, and the size of the packet in bytes.
    topic: Box<str>,
    bytes: usize,
}

impl Acknowledgement {
    /// The message is the application's now: success.
    pub fn accept(mut self) {
        if let Some(id) = self.id.take() {
            self.shared.with(|state| {
                state.window.given_out.remove(&(id, self.stream));
                state.engine.take(id);
            });
        }
    }

    /// Accepts the message and changes records of the application's own in the client's store, in
    /// one commit; returns when the store has it.
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
    /// Cancel safe once it was polled: the message is accepted then, and what is dropped is the
    /// wait for the store.
    ///
    /// # Errors
    /// * [`RequestError::NoStore`]: the client wasn't started with a store. The message counts as
    ///   dropped unanswered.
    /// * [`RequestError::Stopped`]: the client stopped, or its store failed. The records may or may
    ///   not be there.
    pub async fn accept_with(mut self, records: Vec<Change>) -> Result<(), RequestError> {
        let shared = Arc::clone(&self.shared);
        let number = shared.with(|state| {
            state.check_writable()?;
            match self.id.take() {
                Some(id) => {
                    state.window.given_out.remove(&(id, self.stream));
                    state.engine.take_with(id, records);
                }
                None => state.engine.write_records(records),
            }
            Ok::<_, RequestError>(state.changes_so_far())
        })?;
        until_kept(&shared, number).await
    }

    /// Says with this code what became of the message; the server won't send it again. At 0x80 or
    /// above it was refused, and at QoS 2 the exchange is over. Of the answers of several
    /// streams that had the message the gravest counts.
    ///
    /// # Errors
    /// A code that a client can't say (§3.4.2.1: 0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97 and
    /// 0x99 are those that it can). The message stays owed, as if this had been dropped.
    pub fn answer(mut self, reason_code: ReasonCode) -> Result<(), RequestError> {
        let Some(id) = self.id else { return Ok(()) };
        self.shared.with(|state| {
            state.engine.answer(id, reason_code)?;
            state.window.given_out.remove(&(id, self.stream));
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
        let unanswered = Unanswered {
            id,
            stream: self.stream,
            topic: std::mem::take(&mut self.topic),
            bytes: self.bytes,
        };
        let event = self
            .shared
            .with(|state| state.acknowledgement_dropped(unanswered, is_panicking));
        if let Some(event) = event {
            self.shared.tell(event);
        }
    }
}
