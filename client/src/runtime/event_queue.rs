//! Queue of lifecycle events that the application has not read yet.

use std::collections::VecDeque;

use crate::event::Event;

/// Maximum number of unread events.
const MAX_EVENTS: usize = 1024;

/// Share of the memory budget that unread events may take.
const BUDGET_SHARE: usize = 8;

/// Unread events; the oldest are dropped beyond 1,024, and beyond an eighth of the memory budget.
#[derive(Debug, Default)]
pub(crate) struct EventQueue {
    events: VecDeque<Event>,
    /// Bytes of memory that the events take.
    charge: usize,
}

impl EventQueue {
    /// Adds an event, merged into the last one if both report the same loss. `budget` is the
    /// client's memory budget in bytes.
    pub(crate) fn push(&mut self, event: Event, budget: usize) {
        if self
            .events
            .back_mut()
            .is_some_and(|last| last.merge(&event))
        {
            return;
        }
        self.charge += event.charge();
        self.events.push_back(event);
        // The oldest go first. One event is always kept, however large: the last one says why the
        // client stopped.
        let limit = budget / BUDGET_SHARE;
        while self.events.len() > MAX_EVENTS || self.charge > limit && self.events.len() > 1 {
            self.pop();
        }
    }

    /// Removes the oldest event.
    pub(crate) fn pop(&mut self) -> Option<Event> {
        let event = self.events.pop_front()?;
        self.charge -= event.charge();
        Some(event)
    }

    /// Bytes of memory that the events take.
    pub(crate) const fn charge(&self) -> usize {
        self.charge
    }
}
