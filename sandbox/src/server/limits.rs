//! The sandbox's own limits, whatever the profile: what it holds at the most, and how long it
//! waits.

use std::time::Duration;

/// The TLS handshake and the CONNECT must be done within this, each.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client may be so long silent about a server that is silent on purpose.
pub(crate) const SILENT_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Bytes of a CONNECT: nobody has been let in yet.
pub(crate) const MAX_CONNECT_SIZE: u32 = 149_504;
/// Connections at a time, unless the sandbox is told another number.
pub(crate) const MAX_CONNECTIONS: usize = 4096;
/// Connections that aren't authorized yet; beyond it the oldest of them is given up.
pub(crate) const MAX_HANDSHAKES: usize = 512;
/// Sessions, connected or not, for each connection; beyond it the one that has been away for
/// longest is given up.
pub(crate) const SESSIONS_PER_CONNECTION: usize = 2;
/// Subscriptions of all sessions.
pub(crate) const MAX_SUBSCRIPTIONS_OF_ALL: usize = 100_000;
/// Bytes of all filters.
pub(crate) const MAX_FILTER_BYTES: usize = 16 * 1024 * 1024;
/// No more is written to a connection's buffer, nor read from it, while so many bytes wait to be
/// sent.
pub(crate) const MAX_UNSENT: usize = 64 * 1024;
/// Bytes that a connection may hold in its buffers without counting towards [`MAX_BUFFERED_BYTES`].
pub(crate) const UNCOUNTED_BUFFER: usize = 8 * 1024;
/// Bytes in the buffers of all connections; beyond it the one that has held most for longest is
/// ended.
pub(crate) const MAX_BUFFERED_BYTES: usize = 128 * 1024 * 1024;
/// Messages that wait for one subscriber.
pub(crate) const MAX_QUEUED: usize = 1000;
/// Bytes of messages that wait for one subscriber.
pub(crate) const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of messages that wait for all subscribers together, each counted once, before each
/// subscriber is left with [`SURE_QUEUED_BYTES`].
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
/// Beyond it nothing is taken any more but for subscribers who have nothing waiting.
pub(crate) const HARD_MESSAGE_BYTES: usize = 128 * 1024 * 1024;
/// What one subscriber may have waiting when much waits for the others: one packet of AWS IoT.
pub(crate) const GUARANTEED_QUEUED_BYTES: usize = 149_504;
/// About what a message in a queue takes beyond its bytes.
pub(crate) const QUEUED_OVERHEAD: usize = 128;
/// Retained messages.
pub(crate) const MAX_RETAINED: usize = 1000;
/// Bytes of retained messages.
pub(crate) const MAX_RETAINED_BYTES: usize = 16 * 1024 * 1024;
/// Packets handled, receivers found and messages delivered for one connection before the others
/// have their turn.
pub(crate) const WORK_PER_TURN: usize = 256;
