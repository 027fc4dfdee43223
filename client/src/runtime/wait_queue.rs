//! Those who wait for room in the queue: called a few at a time, each keeping its place until it is
//! in.

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

/// A line of waiting tasks.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: BTreeMap<Ticket, Waiting>,
    /// Those who were called and haven't come yet, with the time until which they have their turn.
    called: BTreeMap<Ticket, Instant>,
    last: Ticket,
}

/// Who waits to be called.
#[derive(Debug)]
struct Waiting {
    /// In bytes.
    wants: usize,
    waker: Waker,
}

/// How many are called at a time: one alone would often find that others came first.
const A_FEW: usize = 4;
/// Who doesn't come within this time, a future that a `select!` has left for a while, say, passes
/// the turn on.
const TURN: Duration = Duration::from_millis(50);

/// A place in a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Line {
    /// A place at the end.
    pub(crate) fn enter(&mut self) -> Ticket {
        self.last.0 += 1;
        self.last
    }

    /// The caller is called when there is room for what it wants, and then waits anew or leaves.
    pub(crate) fn wait(&mut self, ticket: Ticket, wants: usize, cx: &Context<'_>) {
        self.called.remove(&ticket);
        self.waiting.insert(
            ticket,
            Waiting {
                wants,
                waker: cx.waker().clone(),
            },
        );
    }

    pub(crate) fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
        self.called.remove(&ticket);
    }

    /// Calls the first few for whom there is space. Whoever has been called and doesn't come is not
    /// called again.
    pub(crate) fn call(
        &mut self,
        has_room: impl Fn(usize) -> bool,
        now: impl Fn() -> Instant,
        into: &mut Vec<Waker>,
    ) {
        let mut after = Unbounded;
        for _ in 0..A_FEW {
            let mut rest = self.waiting.range((after, Unbounded));
            let Some(ticket) = rest
                .find(|(_, waiting)| has_room(waiting.wants))
                .map(|(ticket, _)| *ticket)
            else {
                return;
            };
            into.extend(self.waiting.remove(&ticket).map(|waiting| waiting.waker));
            self.called.insert(ticket, now() + TURN);
            after = Excluded(ticket);
        }
    }

    /// When somebody who was called loses the turn, if others wait.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        if self.waiting.is_empty() {
            return None;
        }
        self.called.values().min().copied()
    }

    /// Forgets those who were called and haven't come in time; whether there were any.
    pub(crate) fn pass_turns_on(&mut self, now: Instant) -> bool {
        let before = self.called.len();
        self.called.retain(|_, until| *until > now);
        self.called.len() < before
    }

    pub(crate) fn call_all(&mut self, into: &mut Vec<Waker>) {
        into.extend(
            std::mem::take(&mut self.waiting)
                .into_values()
                .map(|waiting| waiting.waker),
        );
    }
}
