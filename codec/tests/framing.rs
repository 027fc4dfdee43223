//! `PacketCodec` on byte streams.

use bytes::BytesMut;
use dunlin_codec::{
    DecodeErrorKind, DecodeOptions, EncodeErrorKind, FramingError, Packet, PacketBuf, PacketCodec,
    PacketId, Sender, SubAck, SubAckProperties, owned,
};
use proptest::collection::vec;
use proptest::prelude::*;
use tokio_util::codec::{Decoder, Encoder};

proptest! {
    #[test]
    fn encoded_packets_are_decoded_however_the_stream_is_split(packets in vec(any::<owned::Packet>(), 1..6), piece in 1usize..40) {
        let (mut codec, mut stream) = (PacketCodec::default(), BytesMut::new());
        for packet in &packets {
            codec.encode(packet.packet(), &mut stream).unwrap();
        }
        let (mut input, mut received) = (BytesMut::new(), Vec::new());
        for piece in stream.chunks(piece) {
            input.extend_from_slice(piece);
            while let Some(packet) = codec.decode(&mut input).unwrap() {
                received.push(packet);
            }
        }
        prop_assert!(codec.decode_eof(&mut input).unwrap().is_none());
        prop_assert!(received.iter().map(PacketBuf::packet).eq(packets.iter().map(owned::Packet::packet)));
        // And on to the next, byte by byte.
        let mut onwards = BytesMut::new();
        for packet in received {
            codec.encode(packet, &mut onwards).unwrap();
        }
        prop_assert_eq!(onwards, stream);
    }
}

#[test]
fn decode_options_apply() {
    let mut codec = PacketCodec::new(
        DecodeOptions::new()
            .with_max_packet_size(8)
            .with_sender(Sender::Client),
    );
    for (input, kind) in [
        (&[0xd0, 0x00][..], DecodeErrorKind::WrongDirection),
        (&[0x30, 0x07], DecodeErrorKind::TooLarge),
        (&[0x36], DecodeErrorKind::Malformed),
    ] {
        let refused = codec.decode(&mut BytesMut::from(input));
        let Err(FramingError::Decode(error)) = refused else {
            panic!("{refused:?}")
        };
        assert_eq!(error.kind, kind);
    }
}

#[test]
fn a_codec_encodes_as_the_side_opposite_to_the_one_it_decodes() {
    let codec = |sender| PacketCodec::new(DecodeOptions::any_size().with_sender(sender));
    let mut out = BytesMut::new();
    let mut client = codec(Sender::Server);
    client.encode(Packet::PingReq, &mut out).unwrap();
    assert!(matches!(
        client.encode(Packet::PingResp, &mut out),
        Err(FramingError::Encode(error)) if error.kind == EncodeErrorKind::WrongDirection
    ));
    let answer = PacketBuf::new(&Packet::PingResp).unwrap();
    client.encode(answer.clone(), &mut out).unwrap_err();
    codec(Sender::Client)
        .encode(answer.clone(), &mut out)
        .unwrap();
    PacketCodec::default().encode(answer, &mut out).unwrap();
    assert_eq!(out.as_ref(), [0xc0, 0x00, 0xd0, 0x00, 0xd0, 0x00]);
}

#[test]
fn a_packet_that_is_only_announced_reserves_nothing_and_a_stream_that_ends_in_one_has_failed() {
    let mut input = BytesMut::with_capacity(16);
    input.extend_from_slice(&[0x30, 0xff, 0xff, 0xff, 0x7f, 0x00]);
    let mut codec = PacketCodec::new(DecodeOptions::any_size());
    assert!(codec.decode(&mut input).unwrap().is_none());
    assert_eq!((input.len(), input.capacity()), (6, 16));
    let ended = codec.decode_eof(&mut input);
    assert!(matches!(ended, Err(FramingError::Io(_))), "{ended:?}");
}

#[test]
fn a_packet_that_cannot_be_encoded_leaves_the_stream_unchanged() {
    let packet = Packet::SubAck(SubAck {
        packet_id: PacketId::new(1).unwrap(),
        properties: SubAckProperties::default(),
        reason_codes: (&[]).into(),
    });
    let mut stream = BytesMut::from(&b"before"[..]);
    let Err(FramingError::Encode(error)) = PacketCodec::default().encode(&packet, &mut stream)
    else {
        panic!()
    };
    assert_eq!(
        (error.kind, &*stream),
        (EncodeErrorKind::Missing, &b"before"[..])
    );
}
