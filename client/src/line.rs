//! Those who wait for room in the queue: woken a few at a time, each keeping its place until it is in.

use std::collections::BTreeMap;
use std::task::{Context, Waker};

/// A line of waiting tasks.
#[derive(Debug, Default)]
pub(crate) struct Line {
    waiting: BTreeMap<Ticket, Waker>,
    last: Ticket,
}

/// How many have their turn at a time. One alone would hold up all others if nobody polled it: a future that a `select!`
/// has left for a while, say.
const A_FEW: usize = 4;

/// A place in a line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(u64);

impl Line {
    /// A place at the end.
    pub(crate) fn enter(&mut self) -> Ticket {
        self.last.0 += 1;
        self.last
    }

    /// Wakes the caller when its turn comes.
    pub(crate) fn wait(&mut self, ticket: Ticket, cx: &Context<'_>) {
        self.waiting.insert(ticket, cx.waker().clone());
    }

    pub(crate) fn leave(&mut self, ticket: Ticket) {
        self.waiting.remove(&ticket);
    }

    /// Whose turn it is.
    pub(crate) fn first_few(&self) -> impl Iterator<Item = Waker> {
        self.waiting.values().take(A_FEW).cloned()
    }

    pub(crate) fn take_all(&mut self, into: &mut Vec<Waker>) {
        into.extend(std::mem::take(&mut self.waiting).into_values());
    }
}
