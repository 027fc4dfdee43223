//! The laws that hold for whatever bytes come in, from whomever; the fuzz target asserts the same.

use bytes::BytesMut;
use dunlin_codec::{
    Ack, AckType, DecodeError, DecodeErrorKind, DecodeOptions, Decoded, FixedHeader, Leniency,
    Packet, PacketBuf, PacketType, Publish, Repeated, Sender, UserProperty,
};

/// Asserts every law for the packet, or what isn't one, at the front of `input`.
pub(crate) fn hold(input: &[u8]) {
    leniently_decoded_packets_encode_strictly(input);
    for sender in [Sender::Any, Sender::Client, Sender::Server] {
        let options = DecodeOptions::any_size().with_sender(sender);
        let decoded = Packet::decode_with(input, &options);
        the_header_agrees(input, &decoded);
        the_other_decoders_agree(input, &options, &decoded);
        if let Ok(Some((packet, len))) = decoded {
            assert_eq!(
                Packet::decode(input),
                decoded,
                "a known sender refuses more, and changes nothing"
            );
            bytes_after_the_packet_are_not_read(input, &options, &decoded, len);
            every_strict_prefix_needs_more(&input[..len], &options);
            each_part_lies_inside(&input[..len], &packet);
            decoded_packets_encode_canonically(&packet, len);
        }
    }
}

/// Whatever a lenient receiver accepts, the bytes that it passes on are accepted by a strict one.
fn leniently_decoded_packets_encode_strictly(input: &[u8]) {
    let options = DecodeOptions::any_size().with_leniency(Leniency::ALL);
    if let Ok(Some(taken)) = PacketBuf::take(&mut input.into(), &options) {
        let decoded = Packet::decode_with(taken.as_bytes(), &DecodeOptions::any_size());
        assert_eq!(decoded, Ok(Some((taken.packet(), taken.as_bytes().len()))));
    }
}

/// Result of the decoder of all packet types.
type Front<'a> = Result<Option<(Packet<'a>, usize)>, DecodeError>;

fn the_header_agrees(input: &[u8], decoded: &Front<'_>) {
    let peeked = FixedHeader::peek(input, u32::MAX);
    match decoded {
        Ok(Some((packet, len))) => {
            let header = peeked.expect("a good header").expect("a whole header");
            assert_eq!(
                (header.packet_type, header.packet_len()),
                (packet.packet_type(), *len)
            );
        }
        Ok(None) => {
            let header = peeked.expect("a good header");
            assert!(header.is_none_or(|header| header.packet_len() > input.len()));
        }
        Err(error) => match peeked {
            Ok(header) => {
                assert!(error.offset as usize <= header.expect("a whole header").packet_len());
            }
            // A header doesn't know its sender; the wrong one is told nothing else.
            Err(_) if error.kind == DecodeErrorKind::WrongDirection => {
                assert_eq!((error.offset, error.field), (0, "packet_type"));
            }
            Err(header_error) => assert_eq!(*error, header_error),
        },
    }
}

fn the_other_decoders_agree(input: &[u8], options: &DecodeOptions, decoded: &Front<'_>) {
    let packet_type = FixedHeader::peek(input, u32::MAX)
        .ok()
        .flatten()
        .map(|header| header.packet_type);
    let publish = Publish::decode_with(input, options).map(|found| found.map(Packet::from));
    let is_publish = |packet_type| packet_type == PacketType::Publish;
    assert_eq!(publish, of_one_type(decoded, packet_type, is_publish));
    let ack =
        Ack::decode_with(input, options).map(|found| found.map(|(of, ack)| ack.into_packet(of)));
    let acks = [
        AckType::PubAck,
        AckType::PubRec,
        AckType::PubRel,
        AckType::PubComp,
    ]
    .map(AckType::packet_type);
    let is_ack = |packet_type| acks.contains(&packet_type);
    assert_eq!(ack, of_one_type(decoded, packet_type, is_ack));

    let mut rest = BytesMut::from(input);
    match (PacketBuf::take(&mut rest, options), decoded) {
        (Ok(Some(owned)), Ok(Some((packet, len)))) => {
            assert_eq!(owned.packet(), *packet);
            assert_eq!(
                (&owned.as_bytes()[..], &rest[..]),
                (&input[..*len], &input[*len..])
            );
        }
        (taken, decoded) => {
            assert_eq!(
                taken.map(|taken| taken.is_some()),
                decoded.map(|decoded| decoded.is_some())
            );
            assert_eq!(rest, input);
        }
    }
}

/// Answer of a decoder that wants some types, from the result of the decoder of all. Errors of other
/// packets show only once a whole one is there, and the answer is then that it is another packet.
fn of_one_type<'a>(
    decoded: &Front<'a>,
    packet_type: Option<PacketType>,
    is_wanted: impl Fn(PacketType) -> bool,
) -> Result<Decoded<Packet<'a>>, DecodeError> {
    match (packet_type, *decoded) {
        // The fixed header and the direction are judged before the type.
        (_, Err(error)) if error.kind == DecodeErrorKind::WrongDirection => Err(error),
        (_, Err(error)) if error.kind == DecodeErrorKind::TooLarge => Err(error),
        (Some(found), _) if !is_wanted(found) => Ok(Decoded::Other(found)),
        (_, Ok(Some((packet, len)))) => Ok(Decoded::Packet(packet, len)),
        (_, Ok(None)) => Ok(Decoded::Incomplete),
        (_, Err(error)) => Err(error),
    }
}

fn bytes_after_the_packet_are_not_read(
    input: &[u8],
    options: &DecodeOptions,
    decoded: &Front<'_>,
    len: usize,
) {
    let mut other: Vec<u8> = input.iter().map(|byte| !byte).collect();
    other[..len].copy_from_slice(&input[..len]);
    assert_eq!(Packet::decode_with(&other, options), *decoded);
    assert_eq!(Packet::decode_with(&input[..len], options), *decoded);
}

fn every_strict_prefix_needs_more(packet: &[u8], options: &DecodeOptions) {
    for len in 0..packet.len() {
        assert_eq!(
            Packet::decode_with(&packet[..len], options),
            Ok(None),
            "the first {len} bytes"
        );
    }
}

fn decoded_packets_encode_canonically(packet: &Packet<'_>, len: usize) {
    let encoded = encoded(packet);
    assert_eq!(packet.encoded_len(), Ok(encoded.len()));
    assert!(encoded.len() <= len, "the canonical form is the shortest");
    let again = Packet::decode(&encoded)
        .expect("a valid packet")
        .expect("a whole packet");
    assert_eq!(again, (*packet, encoded.len()));
    assert_eq!(self::encoded(&again.0), encoded);
}

/// The packet's bytes.
pub(crate) fn encoded(packet: &Packet<'_>) -> Vec<u8> {
    let mut bytes = Vec::new();
    packet
        .encode(&mut bytes)
        .expect("a packet that can be encoded");
    bytes
}

fn each_part_lies_inside(whole: &[u8], packet: &Packet<'_>) {
    let whole = whole.as_ptr_range();
    for part in parts(packet) {
        let part = part.as_ptr_range();
        assert!(part.is_empty() || (whole.start <= part.start && part.end <= whole.end));
    }
}

/// The text and data that a packet borrows: all that is large, and each kind of what repeats.
fn parts<'a>(packet: &Packet<'a>) -> Vec<&'a [u8]> {
    fn halves<'a>(properties: Repeated<'a, UserProperty<'a>>) -> Vec<&'a [u8]> {
        assert_eq!(properties.iter().count(), properties.len());
        properties
            .iter()
            .flat_map(|each| [each.name.as_bytes(), each.value.as_bytes()])
            .collect()
    }
    match packet {
        Packet::Connect(connect) => {
            let connect = connect.read();
            let mut parts = halves(connect.properties.user_properties);
            parts.push(connect.client_id.as_bytes());
            parts.extend(connect.username.map(|username| username.as_bytes()));
            parts.extend(connect.password.map(|password| password.as_bytes()));
            parts.extend(
                connect
                    .will
                    .iter()
                    .flat_map(|will| [will.topic.as_bytes(), will.payload.as_bytes()]),
            );
            parts
        }
        Packet::ConnAck(connack) => halves(connack.read().properties.user_properties),
        Packet::Publish(publish) => {
            assert_eq!(
                publish.properties.subscription_identifiers.iter().count(),
                publish.properties.subscription_identifiers.len()
            );
            let mut parts = halves(publish.properties.user_properties);
            parts.push(publish.payload);
            parts.extend(publish.topic.map(|topic| topic.as_bytes()));
            parts
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            halves(ack.properties.user_properties)
        }
        Packet::Subscribe(subscribe) => {
            assert_eq!(
                subscribe.subscriptions.iter().count(),
                subscribe.subscriptions.len()
            );
            subscribe
                .subscriptions
                .iter()
                .map(|each| each.filter.as_bytes())
                .collect()
        }
        Packet::Unsubscribe(unsubscribe) => {
            assert_eq!(
                unsubscribe.filters.iter().count(),
                unsubscribe.filters.len()
            );
            unsubscribe
                .filters
                .iter()
                .map(|filter| filter.as_bytes())
                .collect()
        }
        Packet::SubAck(answer) => halves(answer.properties.user_properties),
        Packet::UnsubAck(answer) => halves(answer.properties.user_properties),
        Packet::Disconnect(disconnect) => halves(disconnect.properties.user_properties),
        Packet::Auth(auth) => halves(auth.properties.user_properties),
        Packet::PingReq | Packet::PingResp => Vec::new(),
    }
}
