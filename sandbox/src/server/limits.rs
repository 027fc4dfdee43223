//! Limits of the sandbox itself in every profile: memory, numbers and times.

use std::time::Duration;

/// Timeout of the body of an HTTP request.
pub(crate) const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// Timeout of the client to take some of the answers to its HTTP requests.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Maximum bytes of the body of an HTTP request; the profile's limit of a payload is smaller.
pub(crate) const MAX_HTTP_BODY: usize = 1024 * 1024;
/// Maximum bytes of the bodies of all HTTP requests together, by their announced lengths.
pub(crate) const MAX_HTTP_BODIES: usize = 64 * MAX_HTTP_BODY;
/// Maximum number of HTTP requests that are handled at a time.
pub(crate) const MAX_HTTP_REQUESTS: usize = 64;
/// Maximum number of direct messages that wait for their delivery or their PUBACK at a time.
pub(crate) const MAX_DIRECT_MESSAGES: usize = 256;
/// Timeout of the TLS handshake, and of the CONNECT after it.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// Lifetime of a connection that a fault on demand leaves without an answer.
pub(crate) const SILENT_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Maximum bytes of a CONNECT, in every profile: the client isn't authorized yet.
pub(crate) const MAX_CONNECT_SIZE: u32 = 149_504;
/// Default for the maximum number of connections at a time.
pub(crate) const MAX_CONNECTIONS: usize = 4096;
/// Maximum number of connections that aren't authorized yet; beyond it the oldest of them is given
/// up.
pub(crate) const MAX_HANDSHAKES: usize = 512;
/// Maximum number of sessions, connected or not, for each connection that there may be; beyond it
/// the session that has been away for longest ends.
pub(crate) const SESSIONS_PER_CONNECTION: usize = 2;
/// Maximum number of subscriptions of all sessions.
pub(crate) const MAX_SUBSCRIPTIONS_OF_ALL: usize = 100_000;
/// Maximum bytes of all filters.
pub(crate) const MAX_FILTER_BYTES: usize = 16 * 1024 * 1024;
/// Bytes in a connection's output at which no more is written, and no more read from the client.
pub(crate) const MAX_UNSENT: usize = 64 * 1024;
/// Bytes in a connection's buffers up to which they don't count for [`MAX_BUFFERED_BYTES`].
pub(crate) const UNCOUNTED_BUFFER: usize = 8 * 1024;
/// Maximum bytes in the buffers of all connections; beyond it the connection that has held most for
/// longest is given up.
pub(crate) const MAX_BUFFERED_BYTES: usize = 128 * 1024 * 1024;
/// Maximum number of messages that wait for one subscriber.
pub(crate) const MAX_QUEUED: usize = 1000;
/// Maximum bytes of messages that wait for one subscriber.
pub(crate) const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of messages that wait for all subscribers together, each counted once, from which on each
/// subscriber has [`GUARANTEED_QUEUED_BYTES`].
pub(crate) const MAX_MESSAGE_BYTES: usize = 64 * 1024 * 1024;
/// Maximum bytes of messages that wait for all subscribers; beyond it the session with most of them
/// ends.
pub(crate) const HARD_MESSAGE_BYTES: usize = 128 * 1024 * 1024;
/// Bytes that may wait for one subscriber even if much waits for others: one packet of AWS IoT.
pub(crate) const GUARANTEED_QUEUED_BYTES: usize = 149_504;
/// Approximate bytes of a message in a queue beyond its own.
pub(crate) const QUEUED_OVERHEAD: usize = 128;
/// Maximum number of retained messages.
pub(crate) const MAX_RETAINED: usize = 1000;
/// Maximum bytes of retained messages.
pub(crate) const MAX_RETAINED_BYTES: usize = 16 * 1024 * 1024;
/// Packets handled, receivers found and messages delivered for one connection, or filters and messages
/// of ended sessions that the timers handle, before others get the lock.
pub(crate) const WORK_PER_TURN: usize = 256;
