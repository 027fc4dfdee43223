//! Any packet that can be encoded: it decodes equal, and its bytes obey the laws of any bytes.
#![no_main]

#[path = "../../codec/tests/laws/any_bytes.rs"]
mod any_bytes;

use dunlin_codec::{Packet, owned};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|owned: owned::Packet| {
    let packet = owned.packet();
    let bytes = any_bytes::encoded(&packet);
    assert_eq!(Packet::decode(&bytes), Ok(Some((packet, bytes.len()))));
    any_bytes::hold(&bytes);
});
