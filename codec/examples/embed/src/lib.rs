//! A device and a server, built on the codec's public API.
//!
//! `cargo run` in this folder lets them talk to each other, and `cargo test` tries the rest of the API. With
//! `--no-default-features` only the device is left, and the codec has no dependency and no allocator.
#![cfg_attr(not(feature = "server"), no_std)]

pub mod device;
#[cfg(feature = "server")]
pub mod server;
