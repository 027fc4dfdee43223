//! The fixed header of any bytes: five bytes decide, a verdict stands, and decoding says the same.
#![no_main]

use dunlin_codec::{
    DecodeError, DecodeErrorKind, DecodeOptions, FixedHeader, Packet, PacketType, ReasonCode,
    Sender,
};
use libfuzzer_sys::fuzz_target;

const LONGEST: usize = 5;

fuzz_target!(|input: &[u8]| {
    let peeked = FixedHeader::peek(input, u32::MAX);
    a_verdict_stands(input, peeked);
    if let Ok(Some(header)) = peeked {
        it_says_what_is_written(input, header);
        the_limit_is_judged_by_it(input, header);
    }
    for sender in [Sender::Any, Sender::Client, Sender::Server] {
        decoding_agrees(input, sender, peeked);
    }
});

type Peeked = Result<Option<FixedHeader>, DecodeError>;

/// "Need more", then a header or an error for ever: more bytes never change either, and no error
/// asks for more.
fn a_verdict_stands(input: &[u8], peeked: Peeked) {
    let mut verdict = Ok(None);
    for len in 0..=input.len().min(LONGEST + 1) {
        let now = FixedHeader::peek(&input[..len], u32::MAX);
        assert!(
            verdict == Ok(None) || now == verdict,
            "{len} bytes: {verdict:?}, then {now:?}"
        );
        verdict = now;
    }
    assert_eq!(peeked, verdict);
    assert!(
        peeked != Ok(None) || input.len() < LONGEST,
        "five bytes are enough for every verdict"
    );
    if let Err(error) = peeked {
        assert_eq!(
            (error.kind, error.reason_code),
            (DecodeErrorKind::Malformed, ReasonCode::MalformedPacket)
        );
        assert!(error.offset < 2 && (error.offset as usize) < input.len());
    }
}

fn it_says_what_is_written(input: &[u8], header: FixedHeader) {
    let header_len = usize::from(header.header_len);
    assert!((2..=LONGEST).contains(&header_len));
    assert_eq!((header.packet_type as u8) << 4 | header.flags, input[0]);
    assert!(header.packet_type == PacketType::Publish || [0, 2].contains(&header.flags));
    assert_eq!(
        header.packet_len(),
        header_len + header.remaining_length as usize
    );

    // The length in the fewest bytes is the one that stands there.
    let (mut rest, mut written) = (header.remaining_length, Vec::new());
    loop {
        let more = rest > 0x7f;
        written.push(rest as u8 & 0x7f | u8::from(more) << 7);
        rest >>= 7;
        if !more {
            break;
        }
    }
    assert_eq!(written, &input[1..header_len]);
}

/// A packet as large as the limit is let in; one byte less, and the header alone is refused:
/// nothing more is asked for.
fn the_limit_is_judged_by_it(input: &[u8], header: FixedHeader) {
    let len = u32::try_from(header.packet_len()).expect("a packet's length");
    let front = &input[..usize::from(header.header_len)];
    assert_eq!(FixedHeader::peek(front, len), Ok(Some(header)));
    for limit in [0, len / 2, len - 1] {
        let error = FixedHeader::peek(front, limit).expect_err("a packet above the limit");
        assert_eq!(
            (error.kind, error.reason_code),
            (DecodeErrorKind::TooLarge, ReasonCode::PacketTooLarge)
        );
        let options = DecodeOptions::new().with_max_packet_size(limit);
        assert_eq!(Packet::decode_with(front, &options), Err(error));
        assert_eq!(Packet::decode_with(input, &options), Err(error));
    }
}

fn decoding_agrees(input: &[u8], sender: Sender, peeked: Peeked) {
    let decoded = Packet::decode_with(input, &DecodeOptions::any_size().with_sender(sender));
    let may_send = |by: Sender| sender == Sender::Any || by == Sender::Any || by == sender;
    let header = match peeked {
        Ok(Some(header)) => header,
        Ok(None) => return assert_eq!(decoded, Ok(None)),
        Err(error) => {
            // The direction is judged before flags and length, if the first byte has a known type.
            let packet_type = input.first().map(|first| PacketType::try_from(first >> 4));
            let Some(Ok(packet_type)) = packet_type else {
                return assert_eq!(decoded, Err(error));
            };
            if may_send(packet_type.sender()) {
                return assert_eq!(decoded, Err(error));
            }
            let refused = decoded.expect_err("a packet that its sender may not send");
            return assert_eq!(refused.kind, DecodeErrorKind::WrongDirection);
        }
    };
    match decoded {
        Ok(Some((packet, len))) => {
            assert_eq!(
                (packet.packet_type(), len),
                (header.packet_type, header.packet_len())
            );
            assert!(may_send(header.packet_type.sender()));
        }
        Ok(None) => {
            assert!(input.len() < header.packet_len() && may_send(header.packet_type.sender()))
        }
        Err(error) => {
            // The direction shows in the header; what is inside is judged once all of it is there.
            let wrong_direction = error.kind == DecodeErrorKind::WrongDirection;
            assert_eq!(wrong_direction, !may_send(header.packet_type.sender()));
            assert!(wrong_direction || input.len() >= header.packet_len());
            assert!(error.offset as usize <= header.packet_len());
        }
    }
}
