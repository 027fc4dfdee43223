//! One packet in one shared buffer, and what a receiver may forgive.

use bytes::{Bytes, BytesMut};
use dunlin_codec::{
    ConnAck, DecodeErrorKind, DecodeOptions, Decoded, Leniency, Packet, PacketBuf, PacketType,
    Publish, ReasonCode, TopicName,
};

const PUBLISH: &[u8] = b"\x30\x06\x00\x01a\x00hi";

#[test]
fn a_packet_buf_is_as_small_as_its_bytes() {
    assert_eq!(size_of::<PacketBuf>(), size_of::<Bytes>());
}

#[test]
fn a_packet_takes_its_bytes_and_leaves_the_rest() {
    let options = DecodeOptions::default();
    let stream = [PUBLISH, &[0xc0, 0x00, 0xd0]].concat();
    let (mut input, mut shared) = (BytesMut::from(&*stream), Bytes::from(stream));
    for expected in [
        Packet::Publish(Publish::new(TopicName::new("a").unwrap(), b"hi")),
        Packet::PingReq,
    ] {
        assert_eq!(
            PacketBuf::take(&mut input, &options)
                .unwrap()
                .unwrap()
                .packet(),
            expected
        );
        assert_eq!(
            PacketBuf::take_shared(&mut shared, &options)
                .unwrap()
                .unwrap()
                .packet(),
            expected
        );
    }
    assert_eq!(PacketBuf::take(&mut input, &options), Ok(None));
    assert_eq!(PacketBuf::take_shared(&mut shared, &options), Ok(None));
    assert_eq!((&*input, &*shared), (&[0xd0][..], &[0xd0][..]));
}

#[test]
fn a_publish_is_looked_at_once_and_other_packets_stay() {
    let mut input = BytesMut::from(PUBLISH);
    input.extend_from_slice(&[0xd0, 0x00]);
    let options = DecodeOptions::default();
    let taken = PacketBuf::take_publish(&mut input, &options, |publish| publish.payload.len());
    let ((owned, payload_len), len) = taken.unwrap().packet().unwrap();
    assert_eq!(len, PUBLISH.len());
    let Packet::Publish(publish) = owned.packet() else {
        panic!("a PUBLISH")
    };
    assert_eq!(publish.payload.len(), payload_len);
    assert_eq!(
        PacketBuf::take_publish(&mut input, &options, |_| ()),
        Ok(Decoded::Other(PacketType::PingResp))
    );
    assert_eq!(input.as_ref(), [0xd0, 0x00]);
}

#[test]
fn nothing_is_reserved_for_a_packet_that_is_only_announced() {
    let mut input = BytesMut::with_capacity(64);
    input.extend_from_slice(&[0x30, 0xff, 0xff, 0xff, 0x7f, 0, 1, b'a', 0, b'h']);
    assert_eq!(
        PacketBuf::take(&mut input, &DecodeOptions::any_size()),
        Ok(None)
    );
    assert_eq!((input.len(), input.capacity()), (10, 64));
}

#[test]
fn parts_of_the_buffer_are_shared_and_other_slices_copied() {
    let owned = PacketBuf::take_shared(&mut Bytes::from_static(PUBLISH), &DecodeOptions::default());
    let owned = owned.unwrap().unwrap();
    let Packet::Publish(publish) = owned.packet() else {
        panic!("a PUBLISH")
    };
    let payload = owned.share(publish.payload);
    assert_eq!(
        (&*payload, payload.as_ptr()),
        (&b"hi"[..], publish.payload.as_ptr())
    );

    let elsewhere = *b"hi";
    let copied = owned.share(&elsewhere);
    assert_eq!(copied, payload);
    assert_ne!(copied.as_ptr(), payload.as_ptr());

    let own = owned.to_owned_buffer();
    assert_eq!(own, owned);
    assert_ne!(own.as_bytes().as_ptr(), owned.as_bytes().as_ptr());
}

#[test]
fn short_and_long_forms_are_equal() {
    let take = |bytes: &'static [u8]| {
        PacketBuf::take_shared(&mut Bytes::from_static(bytes), &DecodeOptions::default())
            .unwrap()
            .unwrap()
    };
    assert_eq!(take(&[0x40, 2, 0, 1]), take(&[0x40, 4, 0, 1, 0, 0]));
    assert_ne!(take(&[0x40, 2, 0, 1]), take(&[0x50, 2, 0, 1]));
    assert_eq!(take(&[0x40, 2, 0, 1]).header().packet_len(), 4);
}

#[test]
fn a_packet_above_the_default_limit_is_read_once_it_was_encoded_or_taken() {
    let payload = vec![0; 2 * 1024 * 1024];
    let publish = Publish::new(TopicName::new("a").unwrap(), &payload).into();
    let encoded = PacketBuf::new(&publish).unwrap();
    assert_eq!(encoded.packet(), publish);

    let mut input = encoded.into_bytes();
    let taken = PacketBuf::take_shared(&mut input, &DecodeOptions::any_size()).unwrap();
    assert_eq!(taken.unwrap().packet(), publish);
}

#[test]
fn lenient_decoding_drops_only_the_documented_errors() {
    let dup = &[0x38, 4, 0, 1, b'a', 0][..];
    let refusal = &[0x20, 3, 1, 0x87, 0][..];
    let mut dup_at_qos_0 = Leniency::default();
    dup_at_qos_0.dup_at_qos_0 = true;
    let mut session_present_on_refusal = Leniency::default();
    session_present_on_refusal.session_present_on_refusal = true;
    let plain = Packet::Publish(Publish::new(TopicName::new("a").unwrap(), b""));
    let refused = ConnAck {
        reason_code: ReasonCode::NotAuthorized,
        ..ConnAck::default()
    };
    for (bytes, leniency, expected) in [
        (dup, dup_at_qos_0, plain),
        (refusal, session_present_on_refusal, Packet::from(&refused)),
    ] {
        for other in [
            Leniency::default(),
            dup_at_qos_0,
            session_present_on_refusal,
        ] {
            let options = DecodeOptions::any_size().with_leniency(other);
            let decoded = Packet::decode_with(bytes, &options);
            if other == leniency {
                assert_eq!(decoded, Ok(Some((expected, bytes.len()))));
            } else {
                assert_eq!(decoded.unwrap_err().kind, DecodeErrorKind::ProtocolError);
            }
        }
        // Taken once, it is read as often as it is asked for.
        let options = DecodeOptions::any_size().with_leniency(leniency);
        let owned = PacketBuf::take(&mut BytesMut::from(bytes), &options)
            .unwrap()
            .unwrap();
        assert_eq!(owned.packet(), expected);
    }
}

/// The bytes that a lenient receiver passes on are accepted by a strict one.
#[test]
fn a_packet_taken_leniently_has_strict_bytes() {
    const OPTIONS: DecodeOptions = DecodeOptions::any_size().with_leniency(Leniency::ALL);
    let options = OPTIONS;
    for (lenient, strict) in [
        (
            &b"\x38\x06\x00\x01a\x00hi"[..],
            &b"\x30\x06\x00\x01a\x00hi"[..],
        ),
        (b"\x39\x04\x00\x01a\x00", b"\x31\x04\x00\x01a\x00"),
        (b"\x20\x03\x01\x87\x00", b"\x20\x03\x00\x87\x00"),
        // What the standard allows stays as it is.
        (
            b"\x3a\x06\x00\x01a\x00\x01\x00",
            b"\x3a\x06\x00\x01a\x00\x01\x00",
        ),
        (b"\x20\x03\x01\x00\x00", b"\x20\x03\x01\x00\x00"),
    ] {
        let mut input = BytesMut::from(lenient);
        let taken = PacketBuf::take(&mut input, &options).unwrap().unwrap();
        let shared = PacketBuf::take_shared(&mut Bytes::from(lenient), &options);
        for packet in [taken, shared.unwrap().unwrap()] {
            assert_eq!(packet.as_bytes(), strict);
            let decoded = Packet::decode(packet.as_bytes());
            assert_eq!(decoded, Ok(Some((packet.packet(), strict.len()))));
        }
    }
    // The message that the client takes most often has a function of its own.
    let mut input = BytesMut::from(&b"\x38\x04\x00\x01a\x00"[..]);
    let taken = PacketBuf::take_publish(&mut input, &options, |_| ()).unwrap();
    let ((packet, ()), _) = taken.packet().unwrap();
    assert_eq!(packet.as_bytes(), &b"\x30\x04\x00\x01a\x00"[..]);
}
