//! What leaves: all of the output at once, or, with a journal, what was staged and has been kept since.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};

use super::connection::Sent;
use super::operation::OperationId;
use super::{Engine, State};

/// The part of the output that leaves next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Staged {
    bytes: usize,
    /// How many of the requests that haven't left the output are in it: the first ones.
    requests: usize,
}

impl Engine {
    /// With a journal ([`keep_journal`](Self::keep_journal)): what is in the output by now is what
    /// [`poll_transmit`](Self::poll_transmit) gives next. Its requests count as sent in the changes that are taken from
    /// now on; once those are kept, it may leave. If the connection ends before, they never were.
    ///
    /// Returns whether anything was staged: nothing is without a journal, or before that has left which was staged before.
    pub fn stage(&mut self) -> bool {
        if !self.keeps_journal() || self.staged.bytes > 0 || self.output.is_empty() {
            return false;
        }
        // Those that are in it for the first time were as new until now.
        self.unstaged().into_iter().for_each(|id| self.session.operations.note(id.key()));
        self.staged = Staged { bytes: self.output.len(), requests: self.unsent().len() };
        true
    }

    /// Moves the bytes that are to be written into `into`, which should be empty: with a journal those that were
    /// [staged](Self::stage), otherwise all. Acknowledgements are awaited from `now`.
    ///
    /// Returns whether there are any.
    pub fn poll_transmit(&mut self, into: &mut BytesMut, now: Instant) -> bool {
        let all = Staged { bytes: self.output.len(), requests: usize::MAX };
        let Staged { bytes, requests } = if self.keeps_journal() { self.staged } else { all };
        if bytes == 0 {
            return false;
        }
        self.counts().bytes_sent += bytes as u64;
        self.staged = Staged::default();
        if bytes < self.output.len() {
            into.put((&mut self.output).take(bytes));
        } else if into.is_empty() {
            std::mem::swap(&mut self.output, into);
        } else {
            into.unsplit(self.output.split());
        }
        match &mut self.state {
            State::Open(connection) => connection.transmitted(requests, self.options.ack_timeout, now),
            State::Closing { unsent, .. } => drop(unsent.drain(..requests.min(unsent.len()))),
            State::Connecting { .. } | State::Disconnected => {}
        }
        true
    }

    /// Whether there is something to write.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.output.is_empty()
    }

    /// Bytes to write.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.output.len()
    }

    /// What is in the output never leaves.
    pub(super) fn clear_output(&mut self) {
        self.output.clear();
        self.staged = Staged::default();
    }

    /// Requests that are in the output for the first time, and aren't staged.
    pub(super) fn unstaged(&self) -> BTreeSet<OperationId> {
        let unstaged = self.unsent().get(self.staged.requests..).unwrap_or_default();
        unstaged.iter().filter(|each| !each.repeated).map(|each| each.id).collect()
    }

    /// Requests in the output.
    fn unsent(&self) -> &[Sent] {
        match &self.state {
            State::Open(connection) => connection.unsent(),
            State::Closing { unsent, .. } => unsent,
            State::Connecting { .. } | State::Disconnected => &[],
        }
    }
}
