//! Encoded packets that wait for the transport, and the requests among them.
//!
//! Without a store, all of the output is handed out at once. With a store, only what was staged is:
//! the store has to have its requests first.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut, BytesMut};
use dunlin_codec::{Packet, PacketId};

use super::outbound::accepted_request::OperationId;
use super::statistics::Statistics;

/// Encoded packets that wait for the transport.
#[derive(Debug, Default)]
pub(super) struct Output {
    bytes: BytesMut,
    /// Requests in `bytes`, in order: the time for their answers starts when they are handed out.
    requests: Vec<RequestInOutput>,
    staged: Part,
    handed_out: HandedOut,
}

/// A request that was written at the end of the output.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrittenRequest {
    pub(super) id: OperationId,
    /// `true` if an earlier connection carried it.
    pub(super) is_repetition: bool,
    /// `true` if the time for its acknowledgement runs since an earlier connection.
    pub(super) has_deadline: bool,
}

/// A request in the output.
#[derive(Debug, Clone, Copy)]
pub(super) struct RequestInOutput {
    pub(super) request: WrittenRequest,
    /// `true` if the time that it may spend in the output is limited.
    pub(super) is_limited: bool,
    /// Offset of its end in the output.
    end: usize,
}

/// Front part of the output.
#[derive(Debug, Clone, Copy, Default)]
struct Part {
    bytes: usize,
    /// Number of requests that end in this part.
    requests: usize,
}

/// Part that the transport was given last.
#[derive(Debug, Default)]
struct HandedOut {
    bytes: usize,
    requests: Vec<RequestInOutput>,
}

/// Bits of the fixed header of a PUBLISH (§3.3.1.1).
const DUP: u8 = 0b1000;

impl Output {
    /// Number of bytes that wait.
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns `true` if nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Buffer that packets are appended to.
    #[inline]
    pub(super) const fn buffer(&mut self) -> &mut BytesMut {
        &mut self.bytes
    }

    /// The last `size` bytes.
    #[inline]
    pub(super) fn last(&self, size: usize) -> &[u8] {
        self.bytes
            .get(self.bytes.len() - size..)
            .unwrap_or_default()
    }

    /// Removes what was written after the first `len` bytes.
    pub(super) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(len);
    }

    /// Writes a small packet of the engine's own. It is valid by construction.
    pub(super) fn write_packet(&mut self, packet: &Packet<'_>, statistics: &mut Statistics) {
        statistics.packets_sent += 1;
        let encoded = packet.encode(&mut self.bytes);
        debug_assert_eq!(encoded, Ok(()), "{packet:?}");
    }

    /// Copies an encoded PUBLISH and writes its packet identifier at `offset`, and DUP into a
    /// repetition.
    pub(super) fn write_copy(
        &mut self,
        packet: &[u8],
        offset: usize,
        packet_id: PacketId,
        is_repetition: bool,
    ) {
        // The packet was encoded with a placeholder for its identifier.
        let start = self.bytes.len();
        self.bytes.extend_from_slice(packet);
        if let Some(place) = self.bytes.get_mut(start + offset..start + offset + 2) {
            place.copy_from_slice(&packet_id.get().to_be_bytes());
        }
        if let Some(first) = self.bytes.get_mut(start).filter(|_| is_repetition) {
            *first |= DUP;
        }
    }

    /// Notes that the bytes up to here end with this request.
    #[inline]
    pub(super) fn push_request(&mut self, request: WrittenRequest) {
        self.requests.push(RequestInOutput {
            request,
            is_limited: false,
            end: self.bytes.len(),
        });
    }

    /// Requests that were not handed out.
    pub(super) fn requests(&self) -> impl DoubleEndedIterator<Item = &WrittenRequest> {
        self.requests.iter().map(|each| &each.request)
    }

    /// The same, to limit the time that they spend here.
    pub(super) fn requests_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut RequestInOutput> {
        self.requests.iter_mut()
    }

    /// Stages all of the output. Returns `false` if there is none, or if something is staged
    /// already.
    pub(super) fn stage(&mut self) -> bool {
        if self.staged.bytes > 0 || self.bytes.is_empty() {
            return false;
        }
        self.staged = Part {
            bytes: self.bytes.len(),
            requests: self.requests.len(),
        };
        true
    }

    /// New requests in the output that are not staged: for a store they are not sent yet.
    pub(super) fn unstaged_new_requests(&self) -> BTreeSet<OperationId> {
        let unstaged = self
            .requests
            .get(self.staged.requests..)
            .unwrap_or_default();
        unstaged
            .iter()
            .filter(|each| !each.request.is_repetition)
            .map(|each| each.request.id)
            .collect()
    }

    /// Moves what may leave to the end of `into`: the staged part, or everything. Returns the
    /// number of bytes.
    pub(super) fn hand_out(&mut self, into: &mut BytesMut, is_staged_only: bool) -> usize {
        // With a store, only what the store knows may leave.
        let part = if is_staged_only {
            self.staged
        } else {
            Part {
                bytes: self.bytes.len(),
                requests: usize::MAX,
            }
        };
        if part.bytes == 0 {
            return 0;
        }
        self.staged = Part::default();

        // A swap costs nothing, and leaves the transport's buffer here to be filled again.
        if part.bytes < self.bytes.len() {
            into.put((&mut self.bytes).take(part.bytes));
        } else if into.is_empty() {
            std::mem::swap(&mut self.bytes, into);
        } else {
            into.unsplit(self.bytes.split());
        }
        // Kept until the transport says how much it has written.
        self.handed_out.replace(part, &mut self.requests);
        part.bytes
    }

    /// Requests in the part that was handed out last.
    pub(super) fn handed_out(&self) -> impl Iterator<Item = &WrittenRequest> {
        self.handed_out.requests.iter().map(|each| &each.request)
    }

    /// Takes back the requests of which at least the last byte is among the last `unwritten` bytes
    /// of the part that was handed out last.
    pub(super) fn take_back(&mut self, unwritten: usize) {
        // A request counts as sent only if its last byte was written.
        let written = self.handed_out.bytes.saturating_sub(unwritten);
        let requests = self.handed_out.requests.drain(..);
        self.requests
            .splice(..0, requests.filter(|each| each.end > written));
    }

    /// Drops the output. Returns the requests that were not handed out: no server has them.
    pub(super) fn clear(&mut self) -> Vec<WrittenRequest> {
        self.bytes.clear();
        self.staged = Part::default();
        self.handed_out.requests.clear();
        self.requests.drain(..).map(|each| each.request).collect()
    }

    /// Shrinks what a burst has left.
    pub(super) fn give_back_memory(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
        self.requests.shrink_to(2 * self.requests.len());
        self.handed_out
            .requests
            .shrink_to(2 * self.handed_out.requests.len());
    }
}

impl HandedOut {
    /// Takes over the front `part` of the output, with the first of its `requests`.
    fn replace(&mut self, part: Part, requests: &mut Vec<RequestInOutput>) {
        self.bytes = part.bytes;
        self.requests.clear();
        if part.requests >= requests.len() {
            // All requests leave: the lists change places.
            std::mem::swap(&mut self.requests, requests);
        } else {
            // Offsets of those that stay count from the new beginning.
            self.requests.extend(requests.drain(..part.requests));
            requests.iter_mut().for_each(|left| left.end -= part.bytes);
        }
    }
}
