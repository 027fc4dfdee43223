//! Accepted messages that a subscriber won't get: counted, and reported in the log.

use core::fmt;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::event::Event;
use crate::server::limits::{MAX_QUEUED, MAX_QUEUED_BYTES};

/// Reason why a subscriber won't get a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LossReason {
    /// The queue of the client was full.
    QueueFull,
    /// The session was ended because its queue was full.
    SessionOverflowed,
    /// The sandbox was short of memory, and this session held most of it.
    OutOfMemory,
    /// The session's time was over, or it ended with its connection.
    SessionEnded,
    /// The client asked for a new session.
    CleanStart,
    /// There were more sessions than there may be.
    TooManySessions,
}

/// Losses since the last report.
#[derive(Debug, Default)]
pub(super) struct Losses {
    counts: HashMap<(Arc<str>, Arc<str>, LossReason), usize>,
    /// Losses beyond the clients and topics that are counted one by one.
    others: usize,
    /// Time of the next report; `None` while nothing was lost.
    report_at: Option<Instant>,
}

impl Losses {
    /// Counts a message; returns `true` if [`Self::report_at`] has changed.
    pub(super) fn add(
        &mut self,
        client_id: &Arc<str>,
        topic: Arc<str>,
        reason: LossReason,
        now: Instant,
    ) -> bool {
        // The map is bounded: clients choose their ids and topics themselves.
        let is_full = self.counts.len() >= MAX_LINES;
        let key = (Arc::clone(client_id), topic, reason);
        match self.counts.get_mut(&key) {
            Some(count) => *count += 1,
            None if is_full => self.others += 1,
            None => {
                self.counts.insert(key, 1);
            }
        }
        // A loss doesn't move the report that is due, or steady losses would never be reported.
        let is_first = self.report_at.is_none();
        self.report_at.get_or_insert(now + REPORT_INTERVAL);
        is_first
    }

    /// Time of the next [`Self::report`]; `None` while nothing was lost.
    pub(super) const fn report_at(&self) -> Option<Instant> {
        self.report_at
    }

    /// Events since the last report: one for each client, topic and reason.
    pub(super) fn report(&mut self) -> Vec<Event> {
        self.report_at = None;
        let event =
            |client_id: &str, topic: &str, count, reason: &dyn fmt::Display| Event::Dropped {
                client_id: client_id.into(),
                topic: topic.into(),
                count,
                reason: reason.to_string(),
            };

        // In the order of clients and topics, as the map has none.
        let mut counts: Vec<_> = self.counts.drain().collect();
        counts.sort_unstable_by(|((a, a_topic, _), _), ((b, b_topic, _), _)| {
            (a, a_topic).cmp(&(b, b_topic))
        });
        let counted = counts
            .iter()
            .map(|((client_id, topic, reason), count)| event(client_id, topic, *count, reason));

        // One line for everything that wasn't counted by client and topic.
        let others = core::mem::take(&mut self.others);
        let several = (others > 0).then(|| {
            event(
                "(several)",
                "(several)",
                others,
                &"more than can be told one by one",
            )
        });
        counted.chain(several).collect()
    }
}

impl fmt::Display for LossReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mebibytes = MAX_QUEUED_BYTES / (1024 * 1024);
        match self {
            Self::QueueFull => write!(
                f,
                "the queue of this client is full: {MAX_QUEUED} messages or {mebibytes} MiB wait for it"
            ),
            Self::SessionOverflowed => write!(
                f,
                "its session was ended: more than {MAX_QUEUED} messages or {mebibytes} MiB waited for it"
            ),
            Self::OutOfMemory => {
                f.write_str("the sandbox is short of memory, and this client held most of it")
            }
            Self::SessionEnded => f.write_str("its session ended before it acknowledged them"),
            Self::CleanStart => f.write_str("it began a new session before it acknowledged them"),
            Self::TooManySessions => {
                f.write_str("its session was given up for a new one: there are too many")
            }
        }
    }
}

/// Time between two reports.
const REPORT_INTERVAL: Duration = Duration::from_millis(100);
/// Maximum lines of one report.
const MAX_LINES: usize = 1024;
