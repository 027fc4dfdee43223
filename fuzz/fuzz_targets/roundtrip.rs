//! Any packet that can be encoded: it decodes equal, its bytes are canonical and obey the laws of
//! any bytes.
#![no_main]

#[path = "../../codec/tests/laws/any_bytes.rs"]
mod any_bytes;
#[path = "../../codec/tests/laws/sections.rs"]
mod sections;

use dunlin_codec::{DecodeOptions, EncodeErrorKind, Packet, PacketBuf, owned};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: ([u32; 8], owned::Packet)| {
    let (order, owned) = input;
    let packet = owned.packet();
    let bytes = any_bytes::encoded(&packet);
    encoded_packets_decode_equal_and_are_canonical(&packet, &bytes);
    encoded_packets_have_the_announced_length(&packet, &bytes);
    properties_read_the_same_in_any_order(&packet, &sections::shuffled(&bytes, &order));
    any_bytes::hold(&bytes);
});

fn encoded_packets_decode_equal_and_are_canonical(packet: &Packet<'_>, bytes: &[u8]) {
    let (decoded, len) = Packet::decode_with(bytes, &DecodeOptions::any_size())
        .expect("a valid packet")
        .expect("a whole packet");
    assert_eq!((decoded, len), (*packet, bytes.len()));
    assert_eq!(any_bytes::encoded(&decoded), bytes);
    let kept = PacketBuf::new(packet).expect("a packet that can be encoded");
    assert_eq!((kept.packet(), &kept.as_bytes()[..]), (*packet, bytes));
}

fn encoded_packets_have_the_announced_length(packet: &Packet<'_>, bytes: &[u8]) {
    assert_eq!(packet.encoded_len(), Ok(bytes.len()));
    let mut room = vec![0xAA; bytes.len()];
    let error = packet
        .encode(&mut &mut room[1..])
        .expect_err("one byte is missing");
    assert_eq!(error.kind, EncodeErrorKind::NoRoom);
    assert!(
        room.iter().all(|byte| *byte == 0xAA),
        "nothing is written where not all fits"
    );
    packet.encode(&mut &mut room[..]).expect("there is room");
    assert_eq!(room, bytes);
}

fn properties_read_the_same_in_any_order(packet: &Packet<'_>, shuffled: &[u8]) {
    assert_eq!(
        Packet::decode_with(shuffled, &DecodeOptions::any_size()),
        Ok(Some((*packet, shuffled.len())))
    );
}
