//! Messages that the application acknowledges by hand: which ones it holds, what becomes of those
//! that it drops, and whether one of them blocks all others.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

use dunlin_codec::ReasonCode;

use crate::engine::{DeliveryId, Engine};
use crate::event::{DropCause, Event};
use crate::policy::OnDropped;

/// Time between the drop of an `Acknowledgement` and the refusal of its message: if the client or
/// its runtime ends meanwhile, the server repeats the message.
const REFUSE_AFTER: Duration = Duration::from_secs(5);

/// Time for which the same message must block the others before that is reported.
const REPORT_BLOCKED_AFTER: Duration = Duration::from_secs(1);

/// State of the messages that are acknowledged by hand.
#[derive(Debug, Default)]
pub(crate) struct ManualAcks {
    /// Messages whose `Acknowledgement` the application holds, by id and key of their stream, with
    /// the topic filter of the stream (`None` for the stream of unmatched messages).
    held: BTreeMap<(DeliveryId, usize), Option<Box<str>>>,
    /// Messages whose `Acknowledgement` was dropped without an answer, in that order, each with
    /// the time at which the policy is applied.
    dropped: VecDeque<(Instant, DroppedAck)>,
    /// Message that keeps the server from sending others, if there is one.
    blocking: Option<Blocking>,
}

/// A message whose `Acknowledgement` was dropped without an answer.
#[derive(Debug)]
pub(crate) struct DroppedAck {
    pub(crate) id: DeliveryId,
    /// Key of the stream that the message was read from.
    pub(crate) stream: usize,
    pub(crate) topic: Box<str>,
    /// Size of the packet in bytes.
    pub(crate) bytes: usize,
}

/// A message that keeps the server from sending others: the Receive Maximum is used up, and no
/// message after this one can be acknowledged.
#[derive(Debug)]
struct Blocking {
    id: DeliveryId,
    /// Time of the report; `None` once it was made.
    report_at: Option<Instant>,
}

impl ManualAcks {
    /// Records that the application holds the `Acknowledgement` of a message.
    pub(crate) fn hold(&mut self, id: DeliveryId, stream: usize, filter: Option<&str>) {
        self.held.insert((id, stream), filter.map(Into::into));
    }

    /// Records that the application has answered a message.
    pub(crate) fn release(&mut self, id: DeliveryId, stream: usize) {
        self.held.remove(&(id, stream));
    }

    /// Handles an `Acknowledgement` that was dropped without an answer, by a thread that was
    /// panicking or not.
    ///
    /// Returns the event for the application, if the message is refused at once.
    pub(crate) fn handle_dropped(
        &mut self,
        dropped: DroppedAck,
        is_panicking: bool,
        engine: &mut Engine,
        now: Instant,
    ) -> Option<Event> {
        // The policy `Hold` leaves the message unacknowledged until the next connection.
        if engine.options().on_dropped == OnDropped::Hold {
            engine.received().abandon(dropped.id);
            self.release(dropped.id, dropped.stream);
            return None;
        }
        // A panic won't bring an answer, so there is nothing to wait for.
        if is_panicking {
            return self.apply_policy(dropped, DropCause::Panicked, engine);
        }
        // All wait equally long, so the queue is in order of the deadlines.
        self.dropped.push_back((now + REFUSE_AFTER, dropped));
        None
    }

    /// Applies the policy to messages that were dropped long enough ago, and adds events for the
    /// application.
    pub(crate) fn handle_deadline(
        &mut self,
        now: Instant,
        engine: &mut Engine,
        events: &mut Vec<Event>,
    ) {
        while self.dropped.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, dropped)) = self.dropped.pop_front()
        {
            events.extend(self.apply_policy(dropped, DropCause::Unanswered, engine));
        }
    }

    /// Discards the messages that were dropped: the server repeats what a client that stops hasn't
    /// acknowledged.
    pub(crate) fn discard_dropped(&mut self) {
        self.dropped.clear();
    }

    fn apply_policy(
        &mut self,
        dropped: DroppedAck,
        cause: DropCause,
        engine: &mut Engine,
    ) -> Option<Event> {
        let DroppedAck {
            id,
            stream,
            topic,
            bytes,
        } = dropped;
        self.release(id, stream);
        // If the session is lost, there is nothing to refuse.
        if engine.options().on_dropped == OnDropped::Accept || !engine.received().may_answer(id) {
            engine.received().consume(id);
            return None;
        }
        engine.dropped_messages().unanswered.add(bytes);
        // PUBACK and PUBREC have this code, so it can't fail.
        let _: Result<_, _> = engine.received().answer(id, ReasonCode::UnspecifiedError);
        Some(Event::MessageDropped {
            topic: topic.into(),
            cause,
            count: 1,
            bytes: bytes as u64,
        })
    }

    /// Checks whether one message blocks all others. Returns the event for the application once it
    /// has done so for a second. `filter_of_unread` finds the stream of a message that wasn't read.
    pub(crate) fn check_blocking<'a>(
        &mut self,
        blocking: Option<DeliveryId>,
        now: impl Fn() -> Instant,
        filter_of_unread: impl FnOnce(DeliveryId) -> Option<&'a str>,
    ) -> Option<Event> {
        // Nothing blocks, or another message than before: the time starts from zero.
        let Some(id) = blocking else {
            self.blocking = None;
            return None;
        };
        let Some(known) = self.blocking.as_mut().filter(|known| known.id == id) else {
            self.blocking = Some(Blocking {
                id,
                report_at: now().checked_add(REPORT_BLOCKED_AFTER),
            });
            return None;
        };
        // Each message is reported once, when it has blocked for long enough.
        if known.report_at.is_none_or(|at| at > now()) {
            return None;
        }
        known.report_at = None;
        // Either the application holds the message, or it lies unread in a stream; the report names
        // the filter of that stream.
        let held = self.held.range((id, 0)..=(id, usize::MAX)).next();
        let filter = match held {
            Some((_, filter)) => filter.as_deref(),
            None => filter_of_unread(id),
        };
        Some(Event::WindowClosed {
            filter: filter.map(str::to_owned),
            is_taken: held.is_some(),
        })
    }

    /// Forgets which message blocks the others: the next connection has a window of its own.
    pub(crate) const fn handle_connection_closed(&mut self) {
        self.blocking = None;
    }

    /// Time of the next call to [`handle_deadline`](Self::handle_deadline).
    pub(crate) fn drop_deadline(&self) -> Option<Instant> {
        self.dropped.front().map(|(at, _)| *at)
    }

    /// Time of the next report of a blocking message.
    pub(crate) fn report_deadline(&self) -> Option<Instant> {
        self.blocking
            .as_ref()
            .and_then(|blocking| blocking.report_at)
    }
}
