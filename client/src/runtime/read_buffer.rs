//! Buffer that a connection reads into.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, BytesMut};
use dunlin_codec::FixedHeader;
use tokio::io::AsyncReadExt;

use crate::transport::Transport;

/// Size of the first read in bytes: enough for most CONNACKs, and little memory for thousands of
/// connections that only connect.
const FIRST_READ: usize = 128;
/// Smallest and largest size of further reads; a read that was filled doubles the next one.
const SMALLEST_READ: usize = 2 * 1024;
const LARGEST_READ: usize = 64 * 1024;

/// Bytes after which small messages that still wait get buffers of their own: a waiting message
/// keeps all bytes in memory that were read with it.
const DETACH_AFTER: usize = 4 << 20;

/// Bytes that were read and not handled yet.
#[derive(Debug)]
pub(crate) struct ReadBuffer {
    pub(crate) input: BytesMut,
    /// Size of the next read.
    read_size: usize,
    /// Bytes read since small messages last got buffers of their own.
    read_since_detached: usize,
}

impl ReadBuffer {
    pub(crate) const fn new(input: BytesMut) -> Self {
        Self {
            input,
            read_size: FIRST_READ,
            read_since_detached: 0,
        }
    }

    /// Reads once and returns the number of bytes; 0 if the server has closed its side.
    ///
    /// # Errors
    /// The error of the transport.
    pub(crate) fn poll_read(
        &mut self,
        transport: &mut Transport,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        let size = self.make_space();
        let mut input = (&mut self.input).limit(size);
        let read = ready!(pin!(transport.read_buf(&mut input)).poll(cx))?;
        // A read that fills the buffer is a sign of more, so the next one may be twice as large.
        if read >= self.read_size {
            self.read_size = (self.read_size * 2).clamp(SMALLEST_READ, LARGEST_READ);
        }
        self.read_since_detached += read;
        Poll::Ready(Ok(read))
    }

    /// Makes space for the next read and returns its size.
    ///
    /// A large packet of which a quarter has arrived gets a buffer of its own size. Until then the
    /// buffer doubles, so that a server can't make the client allocate by announcing a packet.
    fn make_space(&mut self) -> usize {
        // A packet larger than the reads: once a quarter of it is here, memory for all of it is
        // reserved at once. Before that its Remaining Length is only a promise, and a hostile one
        // would cost memory.
        let spare = self.input.capacity() - self.input.len();
        if spare < self.read_size
            && self.input.len() >= LARGEST_READ
            && let Ok(Some(header)) = FixedHeader::peek(&self.input, u32::MAX)
            && let Some(missing) = header
                .packet_len()
                .checked_sub(self.input.len())
                .filter(|missing| *missing > 0)
        {
            if spare >= missing {
                return missing.min(self.read_size);
            }
            if self.input.len() >= header.packet_len() / 4 {
                let mut whole = BytesMut::with_capacity(header.packet_len());
                whole.extend_from_slice(&self.input);
                self.input = whole;
                return missing.min(self.read_size);
            }
        }
        // Messages that wait keep the buffer that they were read into. The next read goes after
        // them while a quarter of its size is free there: otherwise each small read would hold a
        // buffer of its own.
        let fits = spare >= self.read_size / 4;
        if spare < self.read_size && fits && !self.input.try_reclaim(self.read_size) {
            return spare;
        }
        self.input.reserve(self.read_size);
        self.read_size
    }

    /// True if small messages that still wait should get buffers of their own. True once for each
    /// 4 MiB.
    pub(crate) const fn takes_turn_to_detach(&mut self) -> bool {
        let is_due = self.read_since_detached >= DETACH_AFTER;
        if is_due {
            self.read_since_detached = 0;
        }
        is_due
    }

    /// True if the buffer is larger than its content.
    pub(crate) fn has_spare(&self) -> bool {
        has_spare(&self.input)
    }

    /// Releases spare memory; the next read is small again.
    pub(crate) fn release_spare(&mut self) {
        self.read_size = FIRST_READ;
        release_spare(&mut self.input);
    }
}

/// True if a buffer is larger than its content.
pub(crate) fn has_spare(buffer: &BytesMut) -> bool {
    buffer.capacity() > buffer.len()
}

/// Releases the memory of a buffer beyond its content.
pub(crate) fn release_spare(buffer: &mut BytesMut) {
    if has_spare(buffer) {
        *buffer = BytesMut::from(&buffer[..]);
    }
}
