use super::*;

const CLIENT: &str = "10.0.0.1:50000";
const SERVER: &str = "10.0.0.2:1883";

fn segment(sequence: u32, data: &'static [u8]) -> Segment<'static> {
    Segment {
        from: CLIENT.parse().unwrap(),
        to: SERVER.parse().unwrap(),
        sequence,
        acknowledged: Some(0),
        is_syn: false,
        is_fin: false,
        is_reset: false,
        data,
    }
}

fn syn(sequence: u32) -> Segment<'static> {
    Segment {
        is_syn: true,
        acknowledged: None,
        ..segment(sequence, b"")
    }
}

/// Answer without data that acknowledges everything up to `sequence`.
fn acknowledgement(sequence: u32) -> Segment<'static> {
    Segment {
        from: SERVER.parse().unwrap(),
        to: CLIENT.parse().unwrap(),
        acknowledged: Some(sequence),
        ..segment(0, b"")
    }
}

/// Events as text: data as it is, a gap as `<n>`, the rest as one character.
fn events(segments: &[Segment<'_>]) -> (String, TcpStreams) {
    let mut streams = TcpStreams::default();
    let mut text = String::new();
    let mut each = |event: StreamEvent<'_>| match event.kind {
        StreamEventKind::Opened { .. } => text.push('('),
        StreamEventKind::Data(_, bytes) => text.push_str(&String::from_utf8_lossy(bytes)),
        StreamEventKind::Gap(_, len) => text.push_str(&format!("<{}>", len)),
        StreamEventKind::Closed => text.push(')'),
    };
    for segment in segments {
        streams.add(segment, Duration::ZERO, &mut each);
    }
    streams.finish(&mut each);
    (text, streams)
}

#[test]
fn segments_are_put_in_order_and_repetitions_left_out() {
    let (text, streams) = events(&[
        syn(9),
        segment(13, b"de"),
        segment(10, b"abc"),
        segment(10, b"abc"),
        // Its beginning is known.
        segment(14, b"ef"),
    ]);
    assert_eq!(text, "(abcdef)");
    assert_eq!((streams.reordered, streams.repeated), (1, 1));
    assert_eq!(streams.pending, 0);
}

#[test]
fn sequence_numbers_begin_again_after_their_largest() {
    let (text, _) = events(&[
        syn(u32::MAX - 2),
        segment(1, b"de"),
        segment(u32::MAX - 1, b"abc"),
    ]);
    assert_eq!(text, "(abcde)");
}

#[test]
fn bytes_that_the_file_lacks_are_a_gap_as_soon_as_they_are_acknowledged() {
    let lost = [syn(9), segment(10, b"a"), segment(15, b"f")];
    assert_eq!(events(&lost).0, "(a<4>f)");
    let (text, _) = events(&[&lost[..], &[acknowledgement(16), segment(16, b"g")]].concat());
    assert_eq!(text, "(a<4>fg)");
    // An acknowledgement below the missing bytes proves nothing.
    let (text, _) = events(&[&lost[..], &[acknowledgement(11), segment(11, b"bcde")]].concat());
    assert_eq!(text, "(abcdef)");
}

#[test]
fn a_connection_without_its_beginning_starts_with_the_first_segment() {
    assert_eq!(events(&[segment(77, b"a"), segment(78, b"b")]).0, "(ab)");
    // The end of a connection that was not seen is none.
    assert_eq!(events(&[acknowledgement(5)]).0, "");
}

#[test]
fn ports_that_are_used_again_are_a_new_connection() {
    let reset = Segment {
        is_reset: true,
        ..segment(11, b"")
    };
    let (text, streams) = events(&[
        syn(9),
        segment(10, b"a"),
        reset,
        syn(99),
        segment(100, b"b"),
    ]);
    assert_eq!((text.as_str(), streams.count), ("(a)(b)", 2));
}

#[test]
fn early_segments_and_connections_are_bounded() {
    let data: &'static [u8] = vec![b'x'; 60_000].leak();
    // Every other segment is missing.
    let segments: Vec<_> = (0..2_000)
        .map(|n| segment(1_000_000 + n * 120_000, data))
        .collect();
    let mut streams = TcpStreams::default();
    streams.add(&syn(9), Duration::ZERO, &mut |_| {});
    for segment in &segments {
        streams.add(segment, Duration::ZERO, &mut |_| {});
        assert!(streams.pending <= MOST_PENDING + data.len());
    }
    let mut streams = TcpStreams::default();
    for port in 1..5_000 {
        let mut segment = segment(1, b"a");
        segment.from.set_port(port);
        streams.add(&segment, Duration::ZERO, &mut |_| {});
        assert!(streams.flows.len() <= MOST_CONNECTIONS);
    }
}

#[test]
fn large_early_segments_in_place_of_small_ones_are_bounded() {
    let data: &'static [u8] = vec![b'x'; 60_000].leak();
    let mut streams = TcpStreams::default();
    for port in 1..100 {
        // Many small segments that aren't next, and then large ones in their place.
        for data in [&b"x"[..], data] {
            for n in 0..200 {
                let mut segment = segment(1_000_000 + n * 120_000, data);
                segment.from.set_port(port);
                if n == 0 && data.len() == 1 {
                    segment.sequence = 9;
                }
                streams.add(&segment, Duration::ZERO, &mut |_| {});
                assert!(streams.pending <= MOST_PENDING, "{}", streams.pending);
            }
        }
    }
}
