//! Watching the wire: every packet that comes or goes, as it is.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BytesMut};
use dunlin_codec::FixedHeader;
use tracing::{Level, enabled};

use crate::runtime::log;

/// Sees each packet on a client's connections, both ways, in order: CONNECT with its password as
/// well. What this client sends is seen when the transport has taken all of it, so what was never
/// written isn't seen.
///
/// It is called by the task that moves the bytes, without any lock: it may use the client, but as
/// long as it works nothing is read or written; one that holds a client keeps it from ending.
/// Without an observer nothing is looked at.
///
/// ```
/// use dunlin_client::{Direction, Observer};
/// use dunlin_client::codec::Packet;
///
/// let observer = Observer::new(|seen| {
///     let arrow = if seen.direction == Direction::Sent { "->" } else { "<-" };
///     if let Ok(Some((packet, _))) = Packet::decode(seen.bytes) {
///         println!("{arrow} {packet}");
///     }
/// });
/// ```
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn(ObservedPacket<'_>) + Send + Sync>);

/// A packet on the wire. `Debug` prints its length alone: CONNECT has the password in it.
#[derive(Clone, Copy)]
pub struct ObservedPacket<'a> {
    /// Which way it goes.
    pub direction: Direction,
    /// The whole packet, split off by its fixed header; the rest of it may be malformed. Bytes
    /// that no packet begins with are passed as they were read: a server may speak another
    /// protocol.
    pub bytes: &'a [u8],
    /// When its last byte was read, or was handed to the transport.
    pub at: Instant,
}

/// Which way a packet goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// To the server.
    Sent,
    /// From the server.
    Received,
}

impl Observer {
    /// `look` at every packet.
    pub fn new(look: impl Fn(ObservedPacket<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(look))
    }
}

/// An observer of one connection, the log, or both.
pub(crate) struct Watch {
    observer: Option<Observer>,
    /// Whether packets are written into the log.
    logs: bool,
    /// What was written of a packet that isn't written whole.
    written: BytesMut,
}

impl Watch {
    /// `None` if nobody wants to see packets.
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

    /// Shows every whole packet at the front of `bytes`, and says what is left behind them.
    fn see<'a>(&self, direction: Direction, mut bytes: &'a [u8], at: Instant) -> &'a [u8] {
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

    /// These bytes were written.
    pub(crate) fn wrote(&mut self, bytes: &[u8], at: Instant) {
        self.written.extend_from_slice(bytes);
        let left = self.see(Direction::Sent, &self.written, at).len();
        self.written.advance(self.written.len() - left);
    }

    /// This was read, and isn't taken yet.
    pub(crate) fn read(&self, input: &[u8], at: Instant) {
        self.see(Direction::Received, input, at);
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
