//! Blocks of a pcapng file: one section with one interface, whose packets begin with an IP header.
//!
//! The format: <https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng-05.html>. Only three kinds of
//! blocks are written, so they are written here; crates that write pcapng are release candidates, or
//! bring an executor of futures along.

use std::time::Duration;

/// Beginning of a file: the Section Header Block and the Interface Description Block.
pub(super) fn header() -> Vec<u8> {
    let mut out = Vec::new();
    block(&mut out, SECTION_HEADER, |body| {
        body.extend(BYTE_ORDER_MAGIC.to_le_bytes());
        // Version 1.0, and a section without a stated length.
        body.extend(1_u16.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        body.extend((-1_i64).to_le_bytes());
        let program = concat!("dunlin ", env!("CARGO_PKG_VERSION"));
        option(body, PROGRAM, program.as_bytes());
        end_of_options(body);
    });
    block(&mut out, INTERFACE_DESCRIPTION, |body| {
        body.extend(LINKTYPE_RAW.to_le_bytes());
        body.extend(0_u16.to_le_bytes());
        // A snapshot length of 0 means that packets are never cut.
        body.extend(0_u32.to_le_bytes());
        option(body, INTERFACE_NAME, b"mqtt");
        let about = "MQTT without TLS; the IP and TCP headers are made up";
        option(body, INTERFACE_DESCRIPTION_TEXT, about.as_bytes());
        // Times are in units of 10^-9 s.
        option(body, TIME_RESOLUTION, &[9]);
        end_of_options(body);
    });
    out
}

/// Appends an Enhanced Packet Block. `at` is the time since 1970-01-01 in UTC.
pub(super) fn packet(out: &mut Vec<u8>, at: Duration, packet: &[u8], comment: &str) {
    block(out, ENHANCED_PACKET, |body| {
        // The number of the interface, then the time: the upper half comes first.
        body.extend(0_u32.to_le_bytes());
        let nanoseconds = u64::try_from(at.as_nanos()).unwrap_or(u64::MAX);
        let (high, low) = (nanoseconds >> 32, nanoseconds & u64::from(u32::MAX));
        for half in [high, low] {
            body.extend(u32::try_from(half).unwrap_or_default().to_le_bytes());
        }
        // The captured length, and the length on the wire: nothing is cut.
        let len = u32::try_from(packet.len()).unwrap_or_default();
        body.extend(len.to_le_bytes());
        body.extend(len.to_le_bytes());
        body.extend(packet);
        pad(body);
        option(body, COMMENT, comment.as_bytes());
        end_of_options(body);
    });
}

/// Appends a block of this type; `write` appends its body.
fn block(out: &mut Vec<u8>, block_type: u32, write: impl FnOnce(&mut Vec<u8>)) {
    let mut body = Vec::new();
    write(&mut body);
    // The length of the whole block stands before and after the body.
    let len = u32::try_from(body.len() + 12).unwrap_or_default();
    out.extend(block_type.to_le_bytes());
    out.extend(len.to_le_bytes());
    out.extend(body);
    out.extend(len.to_le_bytes());
}

/// Appends an option. A value is 65,535 bytes at most.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = value.get(..usize::from(u16::MAX)).unwrap_or(value);
    body.extend(code.to_le_bytes());
    let len = u16::try_from(value.len()).unwrap_or_default();
    body.extend(len.to_le_bytes());
    body.extend(value);
    pad(body);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// Fills up to the next multiple of four bytes, at which each part of a block begins.
fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}

/// Types of blocks.
const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
/// Value by which a reader knows the byte order.
const BYTE_ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Link type of packets that begin with an IP header.
const LINKTYPE_RAW: u16 = 101;
/// Codes of options.
const COMMENT: u16 = 1;
const INTERFACE_NAME: u16 = 2;
const INTERFACE_DESCRIPTION_TEXT: u16 = 3;
const PROGRAM: u16 = 4;
const TIME_RESOLUTION: u16 = 9;
