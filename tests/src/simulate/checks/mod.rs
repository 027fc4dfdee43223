//! Checks at every step: the packets of both sides, and the outcome and delivery of each message.

mod content;
mod deliveries;
mod exchange;
mod inbound;
mod incoming;
mod limits;
mod outbound;
mod request_clock;
mod waiting_acks;
mod wire;

pub(super) use deliveries::{Deliveries, NewMessage};
pub(super) use request_clock::AcceptedAt;
pub(super) use waiting_acks::WaitingAcks;
pub use wire::Wire;

pub use super::violation::Violation;
