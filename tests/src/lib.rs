//! What the tests that need two crates or a real server have in common.

#![expect(clippy::expect_used, clippy::panic, reason = "a test that can't be set up fails")]

mod binary;
mod cutter;
mod mosquitto;
mod tool;

pub use cutter::Cutter;
pub use mosquitto::Mosquitto;
pub use tool::{Finished, Tool, dunlin};
