//! Requests on their way to the server: accepted, queued, sent, acknowledged.

pub(in crate::engine) mod ack_deadlines;
mod admission;
mod answer;
pub(in crate::engine) mod compact_outcome;
mod direct;
pub(in crate::engine) mod expiry;
pub(in crate::engine) mod operation;
pub(in crate::engine) mod operations;
pub(in crate::engine) mod outbound_aliases;
pub(in crate::engine) mod pace;
pub(in crate::engine) mod packet_ids;
mod poison;
pub(in crate::engine) mod queue;
pub(in crate::engine) mod quota;
pub(in crate::engine) mod request;
mod send;
mod timeouts;
