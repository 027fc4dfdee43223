//! A network connection as both ends see it: bytes on their way in two directions, of which any
//! number arrives.

use std::collections::VecDeque;

use bytes::BytesMut;

/// Bytes between a client and the server. Nothing says when they arrive, or whether they do.
#[derive(Debug)]
pub(super) struct Network {
    /// From the client to the server.
    pub(super) up: Pipe,
    /// From the server to the client.
    pub(super) down: Pipe,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Pipe {
    bytes: VecDeque<u8>,
    /// Number of unread bytes that the network holds at most.
    room: usize,
    end: End,
}

/// State of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// Bytes arrive.
    None,
    /// The writer has closed: bytes on their way still arrive.
    Closed,
    /// The network is cut: bytes on their way are lost, and so is all that is written.
    Cut,
}

impl Network {
    pub(super) const fn new(room: usize) -> Self {
        Self {
            up: Pipe::new(room),
            down: Pipe::new(room),
        }
    }

    /// Cuts both directions. Both ends find their side broken.
    pub(super) fn cut(&mut self) {
        self.up.cut();
        self.down.cut();
    }
}

impl Pipe {
    const fn new(room: usize) -> Self {
        Self {
            bytes: VecDeque::new(),
            room,
            end: End::None,
        }
    }

    /// Takes up to `most` bytes off the front of `from`; how many.
    pub(super) fn write(&mut self, from: &mut BytesMut, most: usize) -> usize {
        let free = self.room.saturating_sub(self.bytes.len());
        let count = most.min(from.len());
        match self.end {
            End::None => {
                let count = count.min(free);
                self.bytes.extend(from.split_to(count));
                count
            }
            // Into the void.
            End::Closed | End::Cut => {
                drop(from.split_to(count));
                count
            }
        }
    }

    /// Appends up to `most` bytes to `into` and returns their number.
    pub(super) fn read(&mut self, into: &mut BytesMut, most: usize) -> usize {
        let count = most.min(self.bytes.len());
        into.extend(self.bytes.drain(..count));
        count
    }

    /// State as the reader sees it: closed only when everything has arrived.
    pub(super) fn end(&self) -> End {
        match self.end {
            End::Closed if !self.bytes.is_empty() => End::None,
            end => end,
        }
    }

    /// Closes the writer's side.
    pub(super) fn close(&mut self) {
        if self.end == End::None {
            self.end = End::Closed;
        }
    }

    fn cut(&mut self) {
        self.bytes.clear();
        self.end = End::Cut;
    }
}
