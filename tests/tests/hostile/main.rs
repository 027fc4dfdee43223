//! Hostile servers and publishers: whatever they send, the client goes on, loses nothing in
//! silence, and its memory has a bound. Each attack prints the peak of the client's memory: `cargo
//! test -p dunlin-tests --test hostile -- --nocapture`.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod attack;
mod burst;
mod memory;
mod messages;
mod packets;
mod pauses;
mod server;
mod transports;
mod vectors;
mod violations;
