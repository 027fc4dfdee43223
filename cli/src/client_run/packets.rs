//! Packets on standard error, for `--packets`.

use std::io::Write as _;

use dunlin_client::{Direction, ObservedPacket};

use crate::args::PacketPrint;
use crate::inspect;

/// Prints one packet with one call, so that lines of several tasks don't mix.
pub(super) fn print(seen: &ObservedPacket<'_>, print: PacketPrint) {
    let (arrow, is_sent) = match seen.direction {
        Direction::Sent => ("->", true),
        Direction::Received => ("<-", false),
    };
    let text = inspect::packet_text(seen.bytes, is_sent, print);
    let _ = anstream::stderr()
        .lock()
        .write_all(format!("{arrow} {text}\n").as_bytes());
}
