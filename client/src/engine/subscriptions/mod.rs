//! Subscriptions: granted by the server, requested again after a lost session, dropped.

mod batches;
#[cfg(feature = "tokio")]
mod dropped;
pub(in crate::engine) mod granted;
pub(in crate::engine) mod renewal;
