//! What leaves: all of the output at once, or, with a journal, what was staged and has been kept
//! since.

use std::collections::BTreeSet;
use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};

use crate::engine::open::Sent;
use crate::engine::outbound::operation::OperationId;
use crate::engine::{Engine, State};

/// The part of the output that leaves next.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Staged {
    bytes: usize,
    /// How many of the requests that haven't left the output are in it: the first ones.
    requests: usize,
}

/// What the driver was given last.
#[derive(Debug, Default)]
pub(super) struct Handed {
    bytes: usize,
    requests: Vec<Sent>,
}

impl Handed {
    /// The first of the output, with the first of the requests that are in it.
    fn take(&mut self, leaves: Staged, requests: &mut Vec<Sent>) {
        self.bytes = leaves.bytes;
        self.requests.clear();
        if leaves.requests >= requests.len() {
            std::mem::swap(&mut self.requests, requests);
        } else {
            self.requests.extend(requests.drain(..leaves.requests));
            requests
                .iter_mut()
                .for_each(|left| left.end -= leaves.bytes);
        }
    }

    /// Those of which at least the last byte is among the last `unwritten`.
    fn take_unwritten(&mut self, unwritten: usize) -> impl Iterator<Item = Sent> {
        let written = self.bytes.saturating_sub(unwritten);
        self.requests
            .drain(..)
            .filter(move |each| each.end > written)
    }

    /// Gives back memory that a burst has left.
    pub(super) fn give_back_memory(&mut self) {
        self.requests.shrink_to(2 * self.requests.len());
    }
}

impl Engine {
    /// With a journal ([`keep_journal`](Self::keep_journal)): what is in the output by now is what
    /// [`poll_transmit`](Self::poll_transmit) gives next. Its requests count as sent in the changes
    /// that are taken from now on; once those are kept, it may leave. If the connection ends
    /// before, they never were.
    ///
    /// Returns whether anything was staged: nothing is without a journal, or before that has left
    /// which was staged before.
    pub fn stage(&mut self) -> bool {
        if !self.keeps_journal() || self.staged.bytes > 0 || self.output.is_empty() {
            return false;
        }
        // Those that are in it for the first time were as new until now.
        self.unstaged()
            .into_iter()
            .for_each(|id| self.session.operations.note(id.key()));
        self.staged = Staged {
            bytes: self.output.len(),
            requests: self.unsent().len(),
        };
        true
    }

    /// Moves the bytes that are to be written into `into`, which should be empty: with a journal
    /// those that were [staged](Self::stage), otherwise all. Acknowledgements are awaited from
    /// `now`.
    ///
    /// Returns whether there are any.
    pub fn poll_transmit(&mut self, into: &mut BytesMut, now: Instant) -> bool {
        let all = Staged {
            bytes: self.output.len(),
            requests: usize::MAX,
        };
        let leaves = if self.keeps_journal() {
            self.staged
        } else {
            all
        };
        let bytes = leaves.bytes;
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
            State::Open(connection) => {
                self.handed.take(leaves, &mut connection.unsent);
                connection.transmitted(now);
                let untimed = self
                    .handed
                    .requests
                    .iter()
                    .filter(|each| !each.is_timed)
                    .map(|each| each.id);
                self.session
                    .ack_deadlines
                    .add(untimed, self.options.ack_timeout, now);
            }
            State::Closing { unsent, .. } => self.handed.take(leaves, unsent),
            State::Connecting { .. } | State::Disconnected => {}
        }
        true
    }

    /// The transport has failed, and the last `bytes` of what
    /// [`poll_transmit`](Self::poll_transmit) gave last weren't written: no server has what
    /// isn't whole. [`handle_closed`](Self::handle_closed) follows.
    pub fn handle_unwritten(&mut self, bytes: usize) {
        let unsent = match &mut self.state {
            State::Open(connection) => &mut connection.unsent,
            State::Closing { unsent, .. } => unsent,
            State::Connecting { .. } | State::Disconnected => return,
        };
        unsent.splice(..0, self.handed.take_unwritten(bytes));
    }

    /// A request is in the output, up to its end. Its answer is awaited from when that is taken.
    pub(super) fn awaits(&mut self, id: OperationId, repeated: bool, is_timed: bool) {
        if let State::Open(connection) = &mut self.state {
            connection.unsent.push(Sent {
                id,
                repeated,
                is_timed,
                is_limited: false,
                end: self.output.len(),
            });
        }
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
        self.handed.requests.clear();
    }

    /// Requests that are in the output for the first time, and aren't staged.
    pub(super) fn unstaged(&self) -> BTreeSet<OperationId> {
        let unstaged = self
            .unsent()
            .get(self.staged.requests..)
            .unwrap_or_default();
        unstaged
            .iter()
            .filter(|each| !each.repeated)
            .map(|each| each.id)
            .collect()
    }

    /// Requests in the output.
    pub(super) fn unsent(&self) -> &[Sent] {
        match &self.state {
            State::Open(connection) => &connection.unsent,
            State::Closing { unsent, .. } => unsent,
            State::Connecting { .. } | State::Disconnected => &[],
        }
    }
}
