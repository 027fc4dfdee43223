//! Deadlines of a connected client.

use std::time::{Duration, Instant};

use crate::fault::TimedFault;

/// Times at which a connection ends, or something happens to it, without a packet.
#[derive(Debug)]
pub(crate) struct Deadlines {
    /// Longest silence of the client: one and a half times the keep alive; `None` without one.
    pub(crate) silence: Option<Duration>,
    pub(crate) last_packet: Instant,
    /// End of `disconnectAfterInSeconds`.
    pub(crate) disconnect_at: Instant,
    /// End of `refreshAfterInSeconds`; `None` if the answer has none, or while the authorizer
    /// decides again.
    pub(crate) refresh_at: Option<Instant>,
    /// Next fault on demand; `None` without one.
    pub(crate) fault_at: Option<(Instant, TimedFault)>,
}
