//! Support for the tests that need two crates or a real server, and the simulator.
#![cfg_attr(
    feature = "servers",
    expect(
        clippy::expect_used,
        clippy::panic,
        reason = "a test that can't be set up fails"
    )
)]
#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

#[cfg(feature = "servers")]
mod binary;
#[cfg(feature = "servers")]
mod cutter;
#[cfg(feature = "servers")]
mod mosquitto;
#[cfg(feature = "servers")]
mod program;
#[cfg(feature = "servers")]
mod proxy;
#[cfg(all(feature = "servers", unix))]
mod signal;
pub mod simulate;
#[cfg(feature = "servers")]
mod tool;
#[cfg(feature = "servers")]
mod vectors;

#[cfg(feature = "servers")]
pub use binary::path as tool_path;
#[cfg(feature = "servers")]
pub use cutter::Cutter;
#[cfg(feature = "servers")]
pub use mosquitto::Mosquitto;
#[cfg(feature = "servers")]
pub use program::{Program, system_program};
#[cfg(feature = "servers")]
pub use proxy::LocalProxy;
#[cfg(all(feature = "servers", unix))]
pub use signal::{Signal, send_signal};
#[cfg(feature = "servers")]
pub use tool::{Finished, Tool, dunlin};
#[cfg(feature = "servers")]
pub use vectors::{hex_bytes, shared_vectors};
