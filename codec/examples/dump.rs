//! Reads a capture and prints its packets: JSON lines `{"dir": "c2s" | "s2c", "hex": ".."}`, one
//! piece of a stream each.
//!
//! `cargo run -p dunlin-codec --example dump [FILE]`; without a file, a capture of its own.

use std::error::Error;

use bytes::BytesMut;
use dunlin_codec::{DecodeOptions, PacketBuf, Sender};
use serde::Deserialize;

/// One line: what one side sent at once.
#[derive(Deserialize)]
struct Piece {
    dir: Direction,
    hex: String,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    C2s,
    S2c,
}

/// One direction of the connection: whose packets they are, and what came of the next one.
struct Stream {
    arrow: &'static str,
    options: DecodeOptions,
    input: BytesMut,
}

/// A PUBLISH cut in two, and two packets in one piece.
const OWN: &str = r#"
{"v":1,"dir":"c2s","hex":"101300044d5154540502003c0000066c616d702d37"}
{"v":1,"dir":"s2c","hex":"2003000000"}
{"v":1,"dir":"c2s","hex":"320d00066c616d"}
{"v":1,"dir":"c2s","hex":"702f370001006f6ec000"}
{"v":1,"dir":"s2c","hex":"40020001d000"}
{"v":1,"dir":"c2s","hex":"e000"}
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let text = match std::env::args_os().nth(1) {
        Some(file) => std::fs::read_to_string(file)?,
        None => OWN.to_owned(),
    };
    let mut client = Stream::new("->", Sender::Client);
    let mut server = Stream::new("<-", Sender::Server);
    for line in text.lines().filter(|line| !line.is_empty()) {
        let piece: Piece = serde_json::from_str(line)?;
        let stream = match piece.dir {
            Direction::C2s => &mut client,
            Direction::S2c => &mut server,
        };
        stream.receive(&bytes_of(&piece.hex)?)?;
    }
    Ok(())
}

impl Stream {
    fn new(arrow: &'static str, sender: Sender) -> Self {
        let options = DecodeOptions::new().with_sender(sender);
        Self {
            arrow,
            options,
            input: BytesMut::new(),
        }
    }

    fn receive(&mut self, piece: &[u8]) -> Result<(), Box<dyn Error>> {
        self.input.extend_from_slice(piece);
        while let Some(packet) = PacketBuf::take(&mut self.input, &self.options)? {
            println!("{} {}", self.arrow, packet.packet());
        }
        Ok(())
    }
}

fn bytes_of(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err("an odd number of hex digits".into());
    }
    pairs
        .iter()
        .map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?))
        .collect()
}
