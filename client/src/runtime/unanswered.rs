//! Messages whose `Acknowledgement` was dropped without an answer, and what becomes of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use dunlin_codec::ReasonCode;

use crate::engine::DeliveryId;
use crate::event::{DropCause, Event};
use crate::policy::OnDropped;
use crate::runtime::clock::now;
use crate::runtime::state::State;

/// How long a dropped acknowledgement waits: if the client or its runtime ends meanwhile, the
/// server repeats the message.
const WAIT: Duration = Duration::from_secs(5);

/// A message whose `Acknowledgement` was dropped without an answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) id: DeliveryId,
    /// Key of the stream that gave it out.
    pub(crate) stream: usize,
    pub(crate) topic: Box<str>,
    /// Size of its packet.
    pub(crate) bytes: usize,
}

/// Unanswered messages in the order in which they were dropped, each with the time at which the
/// policy is applied.
#[derive(Debug, Default)]
pub(crate) struct UnansweredQueue(VecDeque<(Instant, Unanswered)>);

impl UnansweredQueue {
    /// When the policy is applied next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.0.front().map(|(deadline, _)| *deadline)
    }
}

impl State {
    /// An `Acknowledgement` was dropped without an answer; what the application is to be told at
    /// once.
    pub(crate) fn acknowledgement_dropped(
        &mut self,
        unanswered: Unanswered,
        is_panicking: bool,
    ) -> Option<Event> {
        // The server repeats what a client that ends hasn't acknowledged.
        if self.stop.is_some() || self.stopped.is_some() {
            return None;
        }
        if self.engine.options().on_dropped == OnDropped::Hold {
            self.engine.abandon(unanswered.id);
            self.window
                .given_out
                .remove(&(unanswered.id, unanswered.stream));
            return None;
        }
        if is_panicking {
            return self.answer_dropped(unanswered, DropCause::Panicked);
        }
        let deadline = now() + WAIT;
        self.unanswered.0.push_back((deadline, unanswered));
        self.call_driver();
        None
    }

    /// Applies the policy to what was dropped long enough ago.
    pub(crate) fn answer_overdue(&mut self, now: Instant) {
        while self
            .unanswered
            .deadline()
            .is_some_and(|deadline| deadline <= now)
            && let Some((_, unanswered)) = self.unanswered.0.pop_front()
        {
            if self.stop.is_some() || self.stopped.is_some() {
                continue;
            }
            let event = self.answer_dropped(unanswered, DropCause::Unanswered);
            self.late_events.extend(event);
        }
    }

    fn answer_dropped(&mut self, unanswered: Unanswered, cause: DropCause) -> Option<Event> {
        let Unanswered {
            id,
            stream,
            topic,
            bytes,
        } = unanswered;
        self.window.given_out.remove(&(id, stream));
        if self.engine.options().on_dropped == OnDropped::Accept {
            self.engine.take(id);
            return None;
        }
        if !self.engine.may_answer(id) {
            // The session is lost: there is nothing to refuse.
            self.engine.take(id);
            return None;
        }
        self.engine.dropped_messages().unanswered.add(bytes);
        // The code is one that PUBACK and PUBREC have.
        let _: Result<_, _> = self.engine.answer(id, ReasonCode::UnspecifiedError);
        Some(Event::MessageDropped {
            topic: topic.into(),
            cause,
            count: 1,
            bytes: bytes as u64,
        })
    }
}
