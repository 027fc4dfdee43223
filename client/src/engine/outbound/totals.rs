//! Sums over all requests, and what requests leave for the next ones.

use std::task::Waker;

use super::accepted_request::Completion;
use super::outcome::CompactOutcome;
use super::request::Request;
use crate::engine::statistics::Statistics;

/// Sums over all requests, kept up to date with each change.
#[derive(Debug, Default)]
pub(super) struct Totals {
    /// Requests that are not complete.
    pub(super) unfinished: usize,
    /// Requests whose outcome is not known.
    pub(super) without_outcome: usize,
    /// Unfinished SUBSCRIBE requests of the application.
    pub(super) subscribes: usize,
    /// Bytes of all packets.
    pub(super) bytes: usize,
    /// Bytes of the server's texts in outcomes that were not taken.
    pub(super) copied: usize,
    /// Wakers of those whose outcome is known now.
    pub(super) wakers: Vec<Waker>,
    /// Buffers of small packets, for the next ones.
    pub(super) spare: Vec<Vec<u8>>,
}

/// Maximum number of spare buffers.
const SPARE: usize = 128;
/// Maximum capacity of a spare buffer in bytes.
const LARGEST_SPARE: usize = 256;

impl Totals {
    /// Drops a packet that is not sent again.
    #[inline(always)]
    pub(super) fn drop_packet(&mut self, request: &mut Request) {
        // Other requests are rare, and have more to drop.
        let Request::Publish(publish) = request else {
            self.bytes -= request.drop_packet();
            return;
        };
        let mut packet = std::mem::take(&mut publish.packet);
        self.bytes -= packet.len();
        // Small buffers are used again, which saves an allocation for each message.
        if (1..=LARGEST_SPARE).contains(&packet.capacity()) && self.spare.len() < SPARE {
            packet.clear();
            self.spare.push(packet);
        }
    }

    /// Sets the outcome; only the first one counts.
    #[inline]
    pub(super) fn set_outcome(
        &mut self,
        completion: &mut Completion,
        outcome: CompactOutcome,
        statistics: &mut Statistics,
    ) {
        match completion {
            // Somebody waits for it, or will ask.
            Completion::Pending(waker) => {
                self.wakers.extend(waker.take());
                self.copied += outcome.copied_bytes();
                statistics.count_outcome(&outcome);
                *completion = Completion::Ready(outcome);
            }
            Completion::Unattended => {
                statistics.count_outcome(&outcome);
                *completion = Completion::Taken;
            }
            Completion::Ready(_) | Completion::Taken => return,
        }
        self.without_outcome -= 1;
    }
}
