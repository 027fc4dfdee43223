//! Observer of packets: sees each one that is sent or received.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use dunlin_codec::FixedHeader;
use tracing::{Level, enabled};

use crate::runtime::log;

/// Callback that sees each packet on a client's connections, both ways, in order; CONNECT with its
/// password as well. A packet that is sent is seen when the transport has taken all of it.
///
/// The client's task calls it without holding any lock. It may use the client, but nothing is read
/// or written until it returns. An observer that holds a [`Client`](crate::Client) keeps that
/// client from ending.
///
/// ```
/// use dunlin_client::{Direction, Observer};
/// use dunlin_client::codec::{DecodeOptions, Packet};
///
/// let observer = Observer::new(|seen| {
///     let arrow = if seen.direction == Direction::Sent { "->" } else { "<-" };
///     if let Ok(Some((packet, _))) = Packet::decode_with(seen.bytes, &DecodeOptions::any_size()) {
///         println!("{arrow} {packet}");
///     }
/// });
/// ```
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(ObservedPacket<'_>) + Send + Sync>);

/// A packet on the wire. `Debug` prints its length alone: CONNECT has the password in it.
///
/// ```
/// use dunlin_client::{Direction, ObservedPacket, Observer};
///
/// /// Counts what a metered network is paid for.
/// fn count(seen: ObservedPacket<'_>) {
///     match seen.direction {
///         Direction::Sent => println!("{} bytes sent", seen.bytes.len()),
///         Direction::Received => println!("{} bytes received", seen.bytes.len()),
///     }
/// }
///
/// let observer = Observer::new(count);
/// ```
#[derive(Clone, Copy)]
pub struct ObservedPacket<'a> {
    /// Direction of the packet.
    pub direction: Direction,
    /// Bytes of the whole packet, as its fixed header delimits it; the rest of it may be
    /// malformed. Bytes that no packet begins with are passed as they were read: a server may
    /// speak another protocol.
    pub bytes: &'a [u8],
    /// Time at which its last byte was read, or was handed to the transport.
    pub at: Instant,
}

/// Direction of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the server.
    Sent,
    /// From the server.
    Received,
}

impl Observer {
    /// Observer that calls `look` for every packet.
    pub fn new(look: impl Fn(ObservedPacket<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }
}

/// Observation of one connection, for an [`Observer`], the log, or both.
pub(crate) struct PacketObserver {
    observer: Option<Observer>,
    /// True if packets are written into the log.
    logs: bool,
    /// Beginning of a packet that isn't written whole yet.
    written: BytesMut,
}

impl PacketObserver {
    /// Observation for `observer` and the log; `None` if neither wants to see packets.
    pub(crate) fn new(observer: Option<Observer>) -> Option<Box<Self>> {
        let logs = enabled!(target: log::PACKETS, Level::TRACE);
        let is_wanted = logs || observer.is_some();
        is_wanted.then(|| {
            Box::new(Self {
                observer,
                logs,
                written: BytesMut::new(),
            })
        })
    }

    /// Shows every whole packet at the front of `bytes`. Returns the bytes after them.
    fn show<'a>(&self, direction: Direction, mut bytes: &'a [u8], at: Instant) -> &'a [u8] {
        loop {
            let (packet, rest) = match FixedHeader::peek(bytes, u32::MAX) {
                Ok(Some(header)) => match bytes.split_at_checked(header.packet_len()) {
                    Some(split) => split,
                    None => return bytes,
                },
                Ok(None) => return bytes,
                // No packet begins like this, so there is no end to split at: all of it is shown.
                Err(_) => (bytes, &[][..]),
            };
            let seen = ObservedPacket {
                direction,
                bytes: packet,
                at,
            };
            if self.logs {
                log::write_packet(&seen);
            }
            if let Some(observer) = &self.observer {
                (observer.0)(seen);
            }
            bytes = rest;
        }
    }

    /// Handles bytes that were written.
    pub(crate) fn handle_written(&mut self, bytes: &[u8], at: Instant) {
        // A write may end within a packet. The part is kept until the rest of it is written.
        self.written.extend_from_slice(bytes);
        let left = self.show(Direction::Sent, &self.written, at).len();
        self.written.advance(self.written.len() - left);
    }

    /// Handles the whole input that was read and not handled by the engine yet.
    pub(crate) fn handle_read(&self, input: &[u8], at: Instant) {
        self.show(Direction::Received, input, at);
    }
}

impl fmt::Debug for ObservedPacket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ObservedPacket")
            .field("direction", &self.direction)
            .field("bytes", &self.bytes.len())
            .field("at", &self.at)
            .finish()
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer(..)")
    }
}
