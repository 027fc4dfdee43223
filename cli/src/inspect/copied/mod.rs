//! Hexadecimal text in the forms in which it is copied: plain digits, arrays of programming
//! languages, string literals, and the dumps of xxd, hexdump, od, tcpdump and Wireshark.

mod array;
mod dump;
mod literal;
mod tcp;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dunlin_codec::FixedHeader;

use super::hex;

/// Bytes of a copied text.
///
/// # Errors
/// A sentence that names the first character that is not understood and its position, or says
/// that the input is binary or a capture file.
pub(super) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    if is_capture(text) {
        return Err("this is a capture file: leave out --lines and --base64".to_owned());
    }
    // The usual case: nothing but digits.
    if let Some(bytes) = hex::decode(text.trim_ascii()) {
        return Ok(bytes);
    }
    let text = str::from_utf8(text)
        .ok()
        .map(|text| text.trim_start_matches('\u{feff}'))
        .filter(|text| !text.contains(|c: char| c.is_control() && !c.is_whitespace()))
        .ok_or("the input is binary; use --raw if it is the bytes of the packets themselves")?;

    // Dumps come before literals and arrays: their text column can hold anything.
    if let Some(dump) = dump::decode(text)? {
        let payload: Vec<u8> = dump
            .iter()
            .flat_map(|block| tcp::payload(block))
            .copied()
            .collect();
        if payload.is_empty() {
            return Err("the dump has headers of TCP/IP only; no segment carries data".to_owned());
        }
        return Ok(payload);
    }
    if literal::is_literal(text) {
        return Ok(literal::decode(text));
    }
    array::decode(text).map_err(|fault| {
        if is_base64(text) {
            "the input is not hexadecimal; it looks like base64: use --base64".to_owned()
        } else {
            fault
        }
    })
}

/// True if `text` is the base64 of bytes that begin like a packet.
fn is_base64(text: &str) -> bool {
    let joined: String = text.split_whitespace().collect();
    let decoded = STANDARD.decode(joined).unwrap_or_default();
    matches!(FixedHeader::peek(&decoded, u32::MAX), Ok(Some(_)))
}

/// True for the first bytes of a capture file, pcap or pcapng.
pub(super) fn is_capture(bytes: &[u8]) -> bool {
    CAPTURES.iter().any(|magic| bytes.starts_with(magic))
}

/// First bytes of pcap, in both byte orders and both resolutions, and of pcapng. No MQTT packet
/// begins like one of them.
const CAPTURES: [[u8; 4]; 5] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

#[cfg(test)]
mod tests;
