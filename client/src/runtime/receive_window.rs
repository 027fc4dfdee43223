//! Whether one message keeps the server from sending others: the Receive Maximum is used up, and
//! the message isn't answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::DeliveryId;
use crate::event::Event;
use crate::runtime::clock::now;
use crate::runtime::state::State;

/// How long the same message must block the others before that is reported.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is known of the receive window.
#[derive(Debug, Default)]
pub(crate) struct Window {
    /// Messages whose `Acknowledgement` the application holds, each with the key and the topic
    /// filter of its stream.
    pub(crate) given_out: BTreeMap<(DeliveryId, usize), Option<Box<str>>>,
    closed: Option<Closed>,
}

/// One message blocks all others.
#[derive(Debug)]
struct Closed {
    by: DeliveryId,
    /// When that is reported; `None` once it was.
    report_at: Option<Instant>,
}

impl Window {
    /// When to look again.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.closed.as_ref().and_then(|closed| closed.report_at)
    }

    /// The connection has ended, and the next one has a window of its own.
    pub(crate) fn handle_closed(&mut self) {
        self.closed = None;
    }
}

impl State {
    /// Looks whether one message blocks all others, and reports it after a while.
    pub(crate) fn check_window(&mut self) {
        let Some(by) = self.engine.blocking_message() else {
            self.window.closed = None;
            return;
        };
        match &mut self.window.closed {
            Some(closed) if closed.by == by => {
                if closed.report_at.is_some_and(|at| at <= now()) {
                    closed.report_at = None;
                    let given_out = self
                        .window
                        .given_out
                        .range((by, 0)..=(by, usize::MAX))
                        .next();
                    let is_taken = given_out.is_some();
                    let filter = match given_out {
                        Some((_, filter)) => filter.as_deref().map(str::to_owned),
                        None => self.router.filter_of_waiting(by),
                    };
                    self.late_events
                        .push(Event::WindowClosed { filter, is_taken });
                }
            }
            closed => {
                *closed = Some(Closed {
                    by,
                    report_at: now().checked_add(PATIENCE),
                });
            }
        }
    }
}
