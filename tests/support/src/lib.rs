//! Support for the tests of several crates: packets, a scripted server and client, WebSocket
//! servers, a certificate authority.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't be set up fails by panicking"
)]

pub mod authority;
pub mod client;
pub mod packets;
pub mod peer;
pub mod server;
pub mod values;
pub mod websocket;
pub mod websocket_front;
