//! Limits of one connection that a second holds: messages, bytes, stored messages.

use std::time::{Duration, Instant};

use crate::server::rate::RateWindow;
use crate::server::settings::Settings;

/// Counters of one connection; a limit of `None` is none.
#[derive(Debug)]
pub(crate) struct Throttle {
    /// Messages in and out.
    pub(crate) messages: Option<RateWindow>,
    /// Bytes in and out.
    bytes: Option<RateWindow>,
    /// Messages that waited for the client to come back.
    pub(crate) stored: Option<RateWindow>,
    /// End of the time in which nothing is read and nothing delivered; `None` if the bytes of this
    /// second aren't used up.
    pub(crate) paused_until: Option<Instant>,
    /// Time to deliver messages again that had to wait for the next second; `None` if none had to.
    pub(crate) deliver_at: Option<Instant>,
}

impl Throttle {
    pub(crate) fn new(settings: &Settings, now: Instant) -> Self {
        let (rules, second) = (settings.rules(), settings.scaled(Duration::from_secs(1)));
        let window = |most: Option<u32>| most.map(|most| RateWindow::new(most, second, now));
        Self {
            messages: window(rules.max_messages_per_second),
            bytes: window(rules.max_bytes_per_second),
            stored: window(rules.max_stored_per_second),
            paused_until: None,
            deliver_at: None,
        }
    }

    /// Counts bytes; returns `true` if with them the connection pauses until the next second.
    pub(crate) fn count_bytes(&mut self, bytes: usize, now: Instant) -> bool {
        let Some(window) = &mut self.bytes else {
            return false;
        };
        // Taken even beyond the limit: the bytes were read or sent already. What is over is paid by
        // the next seconds.
        window.take(u64::try_from(bytes).unwrap_or(u64::MAX));
        let is_over = !window.is_open(now);
        // Only the first time, so the log has one line for each pause.
        let begins = is_over && self.paused_until.is_none();
        self.paused_until = is_over.then(|| window.ends());
        begins
    }

    /// Counts a message; returns `false` if the messages of this second are used up.
    pub(crate) fn try_take_message(&mut self, now: Instant) -> bool {
        self.messages
            .as_mut()
            .is_none_or(|window| window.try_take(now))
    }

    /// Ends the pauses whose time is over.
    pub(crate) fn refill(&mut self, now: Instant) {
        if self.paused_until.is_some_and(|until| until <= now) {
            // A large packet may use up more than one second.
            self.paused_until = self.bytes.as_mut().and_then(|window| {
                let is_open = window.is_open(now);
                (!is_open).then(|| window.ends())
            });
        }
        self.deliver_at = self.deliver_at.filter(|at| *at > now);
    }
}
