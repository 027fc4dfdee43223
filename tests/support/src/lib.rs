//! Support for the tests of several crates: packets, a scripted server, a certificate authority.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't be set up fails by panicking"
)]

pub mod authority;
pub mod packets;
pub mod server;
