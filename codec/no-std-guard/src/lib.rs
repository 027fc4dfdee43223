//! Doesn't compile once the codec needs std.
//!
//! A program has one panic handler. This library has its own, as firmware has; std brings another. So if the codec,
//! or anything below it, links std while its default features are off, the compiler stops at
//! `error[E0152]: found duplicate lang item panic_impl`. It is a staticlib so that everything is really linked, and
//! it brings the allocator that `alloc` needs. It is built for the host: no other target has to be installed.
//!
//! `cargo build --manifest-path codec/no-std-guard/Cargo.toml`
#![no_std]

use core::panic::PanicInfo;

use dunlin_codec::Packet;
use embedded_alloc::LlffHeap;

#[global_allocator]
static HEAP: LlffHeap = LlffHeap::empty();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// The length of the packet at the front of `input`; keeps the codec from being left out.
pub fn packet_len(input: &[u8]) -> Option<usize> {
    Packet::decode(input).ok().flatten().map(|(_, len)| len)
}
