//! The fixed header (§2.1): every first byte, every length, and what a packet costs to hand around.

use dunlin_codec::{Ack, DecodeErrorKind, FixedHeader, Packet, PacketType, Publish, TopicName};

/// The first bytes that there are (Table 2-2): all flags of PUBLISH but QoS 3, one value for the
/// others.
fn packet_type(first: u8) -> Option<PacketType> {
    Some(match first {
        0x10 => PacketType::Connect,
        0x20 => PacketType::ConnAck,
        0x36 | 0x37 | 0x3e | 0x3f => return None,
        0x30..=0x3f => PacketType::Publish,
        0x40 => PacketType::PubAck,
        0x50 => PacketType::PubRec,
        0x62 => PacketType::PubRel,
        0x70 => PacketType::PubComp,
        0x82 => PacketType::Subscribe,
        0x90 => PacketType::SubAck,
        0xa2 => PacketType::Unsubscribe,
        0xb0 => PacketType::UnsubAck,
        0xc0 => PacketType::PingReq,
        0xd0 => PacketType::PingResp,
        0xe0 => PacketType::Disconnect,
        0xf0 => PacketType::Auth,
        _ => return None,
    })
}

/// The least and the most of each length of a Variable Byte Integer.
const LENGTHS: [(&[u8], u32); 8] = [
    (&[0x00], 0),
    (&[0x7f], 127),
    (&[0x80, 0x01], 128),
    (&[0xff, 0x7f], 16_383),
    (&[0x80, 0x80, 0x01], 16_384),
    (&[0xff, 0xff, 0x7f], 2_097_151),
    (&[0x80, 0x80, 0x80, 0x01], 2_097_152),
    (&[0xff, 0xff, 0xff, 0x7f], 268_435_455),
];

/// [MQTT-2.1.3-1] [MQTT-3.3.1-4]
#[test]
fn of_256_first_bytes_26_begin_a_packet() {
    let mut good = 0;
    for first in 0..=u8::MAX {
        // One byte is enough to refuse, never enough to take.
        match (packet_type(first), FixedHeader::peek(&[first], u32::MAX)) {
            (Some(expected), Ok(None)) => {
                good += 1;
                let header = FixedHeader::peek(&[first, 0], u32::MAX).unwrap().unwrap();
                assert_eq!((header.packet_type, header.flags), (expected, first & 0x0f));
                assert_eq!(
                    (
                        header.remaining_length,
                        header.header_len,
                        header.packet_len()
                    ),
                    (0, 2, 2)
                );
            }
            (None, Err(error)) => {
                assert_eq!((error.kind, error.offset), (DecodeErrorKind::Malformed, 0));
            }
            (expected, peeked) => panic!("{first:#04x}: {expected:?}, {peeked:?}"),
        }
    }
    assert_eq!(good, 26);
}

/// [MQTT-1.5.5-1]
#[test]
fn a_length_is_read_as_soon_as_it_is_whole() {
    for (bytes, remaining_length) in LENGTHS {
        let input = [&[0x30], bytes].concat();
        for len in 0..input.len() {
            assert_eq!(FixedHeader::peek(&input[..len], u32::MAX), Ok(None));
        }
        let header = FixedHeader::peek(&input, u32::MAX).unwrap().unwrap();
        assert_eq!(
            (header.remaining_length, usize::from(header.header_len)),
            (remaining_length, input.len())
        );
    }
}

/// [MQTT-1.5.5-1]
#[test]
fn a_length_is_written_in_the_fewest_bytes() {
    let payload = vec![0; 2_097_152];
    for (bytes, remaining_length) in LENGTHS {
        // Without its payload this PUBLISH has 4 bytes after the header. The largest takes 256
        // MiB: `encoding` has it.
        let room = usize::try_from(remaining_length).unwrap().checked_sub(4);
        let Some(payload) = room.and_then(|room| payload.get(..room)) else {
            continue;
        };
        let publish = Publish::new(TopicName::new("a").unwrap(), payload);
        let mut head = Vec::new();
        publish.encode_head(&mut head).unwrap();
        assert_eq!(head, [&[0x30], bytes, &[0, 1, b'a', 0]].concat());
        assert_eq!(publish.encoded_len(), Ok(head.len() + payload.len()));
    }
}

#[test]
fn a_packet_is_no_larger_than_a_publish() {
    // Packets are moved by value, so their size counts. PUBLISH sets that of the enum: of CONNECT and
    // CONNACK, which have more fields, a packet keeps the bytes.
    let (packet, publish, ack) = if cfg!(target_pointer_width = "64") {
        (152, 152, 48)
    } else {
        (92, 92, 28)
    };
    assert_eq!(size_of::<Packet<'_>>(), packet);
    assert_eq!(size_of::<Publish<'_>>(), publish);
    assert_eq!(size_of::<Ack<'_>>(), ack);
}

#[test]
fn a_packet_can_stand_where_one_of_a_shorter_lifetime_is_wanted() {
    /// Compiles only if the lifetime of a packet can be shortened.
    fn either<'a>(_: &'a [u8], packet: Packet<'static>) -> Packet<'a> {
        packet
    }
    assert_eq!(either(&[0], Packet::PingReq), Packet::PingReq);
}
