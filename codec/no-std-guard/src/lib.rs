//! Library that doesn't compile once the codec needs std, or without its feature `alloc` an allocator.
//!
//! A program has one panic handler. This library has its own, as firmware has; std brings another. So if the codec,
//! or anything below it, links std while its default features are off, the compiler stops at
//! `error[E0152]: found duplicate lang item panic_impl`. Without the feature `alloc` this library has no allocator
//! either: if anything links alloc, the compiler stops at `error: no global memory allocator found`. The library is a
//! staticlib so that everything is really linked. It is built for the host: no other target has to be installed.
//!
//! `cargo build --manifest-path codec/no-std-guard/Cargo.toml`, and again with `--features alloc`
#![no_std]

use core::panic::PanicInfo;

use dunlin_codec::{Ack, AckType, Packet, PacketId};

#[cfg(feature = "alloc")]
#[global_allocator]
static HEAP: embedded_alloc::LlffHeap = embedded_alloc::LlffHeap::empty();

#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    loop {}
}

/// Decodes the packet at the front of `input` and returns its length in bytes, so that the decoder is linked.
pub fn packet_len(input: &[u8]) -> Option<usize> {
    Packet::decode(input).ok().flatten().map(|(_, len)| len)
}

/// Writes a PUBACK to the front of `out` and returns its length in bytes, so that the encoder is linked.
pub fn acknowledge(packet_id: PacketId, out: &mut [u8]) -> Option<usize> {
    let ack = Ack::success(packet_id).into_packet(AckType::PubAck);
    ack.encode_to_slice(out).ok()
}

/// Copies a packet into a buffer of its own, so that the owned packets are linked.
#[cfg(feature = "alloc")]
pub fn to_buffer(packet: &Packet<'_>) -> Option<dunlin_codec::PacketBuf> {
    dunlin_codec::PacketBuf::new(packet).ok()
}
