//! A byte stream in random pieces: the packets of one piece come out, and nothing is held for what
//! is only announced.
#![no_main]

#[path = "../../bench/src/allocations.rs"]
mod allocations;

use bytes::{Bytes, BytesMut};
use dunlin_codec::{DecodeError, DecodeOptions, FixedHeader, Packet, PacketBuf, Sender, owned};
use libfuzzer_sys::arbitrary::{self, Arbitrary};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Stream {
    sender: Whose,
    max_packet_size: Option<u16>,
    /// The bytes of each piece that arrives; what is left arrives in one.
    pieces: Vec<u8>,
    parts: Vec<Part>,
}

#[derive(Arbitrary, Debug)]
enum Whose {
    Anybody,
    Client,
    Server,
}

#[derive(Arbitrary, Debug)]
enum Part {
    Packet(owned::Packet),
    /// The head of a PUBLISH of 256 MiB: what follows is its body.
    Announcement,
    Bytes(Vec<u8>),
}

fuzz_target!(|stream: Stream| {
    let options = stream.options();
    let bytes = stream.bytes();
    let whole = in_one_piece(&bytes, &options);
    assert_eq!(in_pieces(&bytes, &stream.pieces, &options), whole);
    assert_eq!(shared(&bytes, &options), whole);
});

/// The packets, the bytes after the last one, and the error if there is one.
type Outcome = (Vec<PacketBuf>, usize, Option<DecodeError>);

impl Stream {
    fn options(&self) -> DecodeOptions {
        let sender = match self.sender {
            Whose::Anybody => Sender::Any,
            Whose::Client => Sender::Client,
            Whose::Server => Sender::Server,
        };
        let max_packet_size = self.max_packet_size.map_or(u32::MAX, u32::from);
        DecodeOptions::new()
            .with_sender(sender)
            .with_max_packet_size(max_packet_size)
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for part in &self.parts {
            match part {
                Part::Packet(owned) => owned
                    .packet()
                    .encode(&mut bytes)
                    .expect("a packet that can be encoded"),
                Part::Announcement => bytes.extend([0x30, 0xff, 0xff, 0xff, 0x7f]),
                Part::Bytes(any) => bytes.extend(any),
            }
        }
        bytes
    }
}

fn in_one_piece(bytes: &[u8], options: &DecodeOptions) -> Outcome {
    let (mut packets, mut rest) = (Vec::new(), bytes);
    loop {
        let mut decoded = Ok(None);
        let asked = allocations::count(|| decoded = Packet::decode_with(rest, options));
        assert_eq!(
            (asked.calls, asked.peak),
            (0, 0),
            "decoding asks for no memory"
        );
        match decoded {
            Ok(Some((packet, len))) => {
                assert!(len as u64 <= u64::from(options.max_packet_size));
                packets.push(PacketBuf::new(&packet).expect("what decodes encodes"));
                rest = &rest[len..];
            }
            Ok(None) => return (packets, rest.len(), None),
            Err(error) => return (packets, rest.len(), Some(error)),
        }
    }
}

fn in_pieces(mut bytes: &[u8], pieces: &[u8], options: &DecodeOptions) -> Outcome {
    let (mut packets, mut input) = (Vec::new(), BytesMut::new());
    let mut pieces = pieces.iter().copied().map(usize::from);
    loop {
        let (piece, rest) = bytes.split_at(pieces.next().unwrap_or(bytes.len()).min(bytes.len()));
        input.extend_from_slice(piece);
        bytes = rest;
        loop {
            match take(&mut input, options) {
                Ok(Some(packet)) => packets.push(packet),
                Ok(None) => break what_waits_is_the_front_of_one_packet(&input, options),
                Err(error) => return (packets, input.len() + bytes.len(), Some(error)),
            }
        }
        if bytes.is_empty() {
            return (packets, input.len(), None);
        }
    }
}

/// Takes a packet, for the price of a counter of the buffer's shares at the most.
fn take(input: &mut BytesMut, options: &DecodeOptions) -> Result<Option<PacketBuf>, DecodeError> {
    let (mut taken, capacity) = (Ok(None), input.capacity());
    let asked = allocations::count(|| taken = PacketBuf::take(input, options));
    assert!(
        asked.calls <= 1 && asked.peak <= 64,
        "{} bytes for one packet",
        asked.peak
    );
    assert!(
        input.capacity() <= capacity,
        "nothing is reserved for what may come"
    );
    taken
}

fn what_waits_is_the_front_of_one_packet(input: &[u8], options: &DecodeOptions) {
    match FixedHeader::peek(input, options.max_packet_size).expect("what is refused doesn't wait") {
        Some(header) => {
            assert!(input.len() < header.packet_len());
            assert!(header.packet_len() as u64 <= u64::from(options.max_packet_size));
        }
        None => assert!(input.len() < 5),
    }
}

fn shared(bytes: &[u8], options: &DecodeOptions) -> Outcome {
    let (mut packets, mut input) = (Vec::new(), Bytes::copy_from_slice(bytes));
    loop {
        match PacketBuf::take_shared(&mut input, options) {
            Ok(Some(packet)) => packets.push(packet),
            Ok(None) => return (packets, input.len(), None),
            Err(error) => return (packets, input.len(), Some(error)),
        }
    }
}
