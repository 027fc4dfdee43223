//! The limits of AWS IoT Core that every connection is held to, and the sandbox's own.

use std::time::Duration;

/// Largest packet that is taken, as AWS IoT announces it: 146 KiB.
pub(crate) const MAXIMUM_PACKET_SIZE: u32 = 149_504;
/// Largest payload.
pub(crate) const MAX_PAYLOAD: usize = 128 * 1024;
/// Unacknowledged QoS 1 messages, each way.
pub(crate) const RECEIVE_MAXIMUM: u16 = 100;
/// Keep alive in seconds: what is outside becomes the nearest, and 0 the largest.
pub(crate) const KEEP_ALIVE: core::ops::RangeInclusive<u16> = 30..=1200;
/// Longest client id in bytes.
pub(crate) const MAX_CLIENT_ID: usize = 128;
/// Longest topic name or filter in bytes.
pub(crate) const MAX_TOPIC: usize = 256;
/// Most slashes of a topic name or filter.
pub(crate) const MAX_SLASHES: usize = 7;
/// Most subscriptions of one SUBSCRIBE.
pub(crate) const MAX_SUBSCRIPTIONS_PER_REQUEST: usize = 8;
/// Most subscriptions of one connection.
pub(crate) const MAX_SUBSCRIPTIONS: usize = 50;
/// Message expiry in seconds: 0 becomes 1, and what is above becomes a week.
pub(crate) const MESSAGE_EXPIRY: core::ops::RangeInclusive<u32> = 1..=604_800;

/// The TLS handshake and the CONNECT must be done within this, each.
pub(crate) const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// A client may be so long silent about a server that is silent on purpose.
pub(crate) const MUTE_TIMEOUT: Duration = Duration::from_secs(30 * 60);
/// Connections at a time.
pub(crate) const MAX_CONNECTIONS: usize = 4096;
/// No more is written to a connection's buffer, nor read from it, while so many bytes wait to be sent.
pub(crate) const MAX_UNSENT: usize = 64 * 1024;
/// Messages that wait for one subscriber.
pub(crate) const MAX_QUEUED: usize = 1000;
/// Bytes of messages that wait for one subscriber.
pub(crate) const MAX_QUEUED_BYTES: usize = 4 * 1024 * 1024;
/// Bytes of messages that wait for all subscribers together, before each is left with [`SURE_QUEUED_BYTES`].
pub(crate) const MAX_QUEUED_BYTES_OF_ALL: usize = 64 * 1024 * 1024;
/// What one subscriber may have waiting however much waits for the others: one packet of any size.
pub(crate) const SURE_QUEUED_BYTES: usize = MAXIMUM_PACKET_SIZE as usize;
/// Retained messages.
pub(crate) const MAX_RETAINED: usize = 1000;
/// Bytes of retained messages.
pub(crate) const MAX_RETAINED_BYTES: usize = 16 * 1024 * 1024;
