//! Laws over arbitrary packets and arbitrary bytes.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test fails by panicking"
)]

mod any_bytes;
mod sections;

use bytes::BytesMut;
use dunlin_codec::{
    AckType, DecodeOptions, Disconnect, EncodeErrorKind, EncodeOptions, Packet, PacketBuf,
    PacketId, PacketType, Publish, ReasonCode, Sender, owned,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use any_bytes::encoded;

proptest! {
    /// A server's Maximum Packet Size counts the whole packet. [MQTT-3.2.2-15]
    #[test]
    fn encoded_packets_decode_equal(owned: owned::Packet) {
        let packet = owned.packet();
        let bytes = encoded(&packet);
        prop_assert_eq!(packet.encoded_len(), Ok(bytes.len()));
        prop_assert_eq!(Packet::decode(&bytes), Ok(Some((packet, bytes.len()))));
        any_bytes::hold(&bytes);
    }

    /// [MQTT-3.15.2-1]
    #[test]
    fn each_side_encodes_exactly_what_the_other_accepts(owned: owned::Packet) {
        let (packet, mut out) = (owned.packet(), Vec::new());
        let bytes = encoded(&packet);
        for sender in [Sender::Any, Sender::Client, Sender::Server] {
            let options = DecodeOptions::any_size().with_sender(sender);
            let accepted = Packet::decode_with(&bytes, &options);
            let encoded = packet.encode_with(&mut out, &EncodeOptions::from_sender(sender));
            prop_assert_eq!(encoded.is_ok(), accepted.is_ok(), "{:?} {:?} {:?}", sender, encoded, accepted);
            if let (Err(error), Err(refusal)) = (encoded, accepted) {
                prop_assert_eq!(error.kind, EncodeErrorKind::WrongDirection);
                prop_assert_eq!(error.field, refusal.field);
            }
        }
    }

    #[test]
    fn changed_bytes_satisfy_every_law(owned: owned::Packet, at: Index, to: u8) {
        let mut bytes = encoded(&owned.packet());
        *at.get_mut(&mut bytes) = to;
        any_bytes::hold(&bytes);
    }

    #[test]
    fn arbitrary_bytes_satisfy_every_law(first: u8, body in vec(any::<u8>(), 0..40)) {
        let mut bytes = vec![first, u8::try_from(body.len()).unwrap()];
        bytes.extend(body);
        any_bytes::hold(&bytes);
    }

    /// [MQTT-6.0.0-2] [MQTT-4.2-1]
    #[test]
    fn splitting_the_input_anywhere_changes_nothing(packets in vec(any::<owned::Packet>(), 1..6), cuts in vec(any::<Index>(), 0..12)) {
        let stream: Vec<u8> = packets.iter().flat_map(|owned| encoded(&owned.packet())).collect();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();

        let (mut input, mut taken) = (BytesMut::new(), Vec::new());
        for cut in cuts.windows(2) {
            input.extend_from_slice(&stream[cut[0]..cut[1]]);
            while let Some(packet) = PacketBuf::take(&mut input, &DecodeOptions::default()).unwrap() {
                taken.push(packet);
            }
        }
        prop_assert!(input.is_empty());
        prop_assert_eq!(taken.len(), packets.len());
        for (taken, owned) in taken.iter().zip(&packets) {
            prop_assert_eq!(taken.packet(), owned.packet());
        }
    }

    /// [U-2.2.2-2]
    #[test]
    fn properties_in_any_order_decode_equal(owned: owned::Packet, keys in vec(any::<u32>(), 32)) {
        let packet = owned.packet();
        let shuffled = sections::shuffled(&encoded(&packet), &keys);
        let (decoded, len) = Packet::decode(&shuffled).unwrap().unwrap();
        prop_assert_eq!((decoded, len), (packet, shuffled.len()));
        // Whatever order they came in, they leave in ours.
        prop_assert_eq!(encoded(&decoded), encoded(&packet));
    }

    #[test]
    fn a_head_and_its_payload_are_the_packet(publish: owned::Publish) {
        let publish = publish.as_borrowed();
        prop_assume!(publish.encoded_len().is_ok());
        let mut bytes = Vec::new();
        publish.encode_head(&mut bytes).unwrap();
        bytes.extend_from_slice(publish.payload);
        prop_assert_eq!(bytes, encoded(&publish.into()));
    }

    /// [MQTT-3.1.2-24]
    #[test]
    fn a_packet_as_large_as_the_limit_is_taken_and_a_larger_one_refused_by_its_header(owned: owned::Packet) {
        let bytes = encoded(&owned.packet());
        let limit = |max_packet_size| DecodeOptions::new().with_max_packet_size(max_packet_size);
        let len = u32::try_from(bytes.len()).unwrap();
        prop_assert!(Packet::decode_with(&bytes, &limit(len)).unwrap().is_some());
        let error = Packet::decode_with(&bytes[..bytes.len().min(5)], &limit(len - 1)).unwrap_err();
        prop_assert_eq!(error.reason_code, ReasonCode::PacketTooLarge);
    }

    #[test]
    fn a_buffer_without_space_is_left_unchanged(owned: owned::Packet, missing: Index) {
        let packet = owned.packet();
        let len = packet.encoded_len().unwrap();
        let mut bytes = vec![0xAA; len];
        let room = missing.index(len);
        prop_assert!(packet.encode(&mut &mut bytes[..room]).is_err());
        prop_assert!(bytes.iter().all(|byte| *byte == 0xAA));
        prop_assert!(packet.encode(&mut &mut bytes[..]).is_ok());
    }

    #[test]
    fn a_slice_takes_the_same_bytes_as_a_buffer(owned: owned::Packet, missing: Index) {
        let packet = owned.packet();
        let bytes = encoded(&packet);

        // A slice that is too short is left unchanged.
        let mut slice = vec![0xAA; bytes.len() + 3];
        let short = &mut slice[..missing.index(bytes.len())];
        let error = packet.encode_to_slice(short).unwrap_err();
        prop_assert_eq!(error.kind, EncodeErrorKind::NoRoom);
        prop_assert!(slice.iter().all(|byte| *byte == 0xAA));

        // Bytes after the packet are left unchanged.
        prop_assert_eq!(packet.encode_to_slice(&mut slice), Ok(bytes.len()));
        let (written, rest) = slice.split_at(bytes.len());
        prop_assert_eq!(written, &bytes[..]);
        prop_assert_eq!(rest, [0xAA; 3]);
    }

    #[test]
    fn a_buffer_of_its_own_is_equal_and_shares_its_parts(publish: owned::Publish) {
        let publish: Publish<'_> = publish.as_borrowed();
        prop_assume!(publish.encoded_len().is_ok());
        let owned = PacketBuf::new(&publish.into()).unwrap();
        prop_assert_eq!(owned.packet(), Packet::Publish(publish));
        let Packet::Publish(inside) = owned.packet() else { unreachable!() };
        let payload = owned.share(inside.payload);
        prop_assert_eq!(&payload, inside.payload);
        prop_assert!(payload.is_empty() || payload.as_ptr() == inside.payload.as_ptr());
    }
}

/// [U-3.4-1]
#[test]
fn short_and_long_forms_decode_equal_and_the_shortest_is_written() {
    let id = PacketId::new(0x1234).unwrap();
    for code in ReasonCode::ALL.iter().copied() {
        for ack_type in [
            AckType::PubAck,
            AckType::PubRec,
            AckType::PubRel,
            AckType::PubComp,
        ] {
            if code.is_legal_in(ack_type.packet_type(), Sender::Any) {
                let ack = dunlin_codec::Ack {
                    reason_code: code,
                    ..dunlin_codec::Ack::success(id)
                };
                forms_are_equal(&ack.into_packet(ack_type), &[0x12, 0x34], code);
            }
        }
        if code.is_legal_in(PacketType::Disconnect, Sender::Any) {
            forms_are_equal(
                &Disconnect {
                    reason_code: code,
                    ..Disconnect::default()
                }
                .into(),
                &[],
                code,
            );
        }
    }
}

fn forms_are_equal(packet: &Packet<'_>, front: &[u8], code: ReasonCode) {
    let whole = [front, &[code.code(), 0]].concat();
    let shortest = front.len() + usize::from(code != ReasonCode::Success);
    for len in shortest..=whole.len() {
        let canonical = encoded(packet);
        assert_eq!(canonical[2..], whole[..shortest]);
        let form = [&[canonical[0], u8::try_from(len).unwrap()], &whole[..len]].concat();
        assert_eq!(Packet::decode(&form), Ok(Some((*packet, form.len()))));
    }
}
