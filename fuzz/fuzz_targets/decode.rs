//! Any bytes from any sender: whatever they are, the laws hold.
#![no_main]

#[path = "../../codec/tests/laws/any_bytes.rs"]
mod any_bytes;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| any_bytes::hold(input));
