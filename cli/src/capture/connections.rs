//! The TCP connections in a capture file.

use std::io::{self, Read};

use super::reader::{self, CaptureFault};
use super::segment::Segment;
use super::streams::{StreamEvent, TcpStreams};

/// Counts of a capture file that was read.
#[derive(Debug, Default)]
pub(crate) struct CaptureTotals {
    /// Frames of any protocol.
    pub(crate) frames: u64,
    /// Frames with a TCP segment.
    pub(crate) segments: u64,
    /// Segments that were there before.
    pub(crate) repeated: u64,
    /// Segments that came before earlier ones.
    pub(crate) reordered: u64,
    /// Fault at which the reading ended; `None` if the file was read to its end.
    pub(crate) fault: Option<CaptureFault>,
}

/// Reads a file of pcap or pcapng, and passes on what happens on its TCP connections, in the order of
/// the file.
///
/// # Errors
/// The first error of `each`, which ends the reading. A fault of the file is in the totals.
pub(crate) fn read_connections(
    input: impl Read + Send,
    mut each: impl FnMut(StreamEvent<'_>) -> io::Result<()>,
) -> io::Result<CaptureTotals> {
    let mut totals = CaptureTotals::default();
    let mut streams = TcpStreams::default();
    let outcome = reader::read(input, |frame| {
        totals.frames += 1;
        let Some(segment) = Segment::read(frame.linktype, frame.bytes) else {
            return Ok(());
        };
        totals.segments += 1;
        let mut outcome = Ok(());
        streams.add(&segment, frame.at, &mut |event| {
            if outcome.is_ok() {
                outcome = each(event);
            }
        });
        outcome
    });
    match outcome {
        Ok(outcome) => outcome?,
        Err(fault) => totals.fault = Some(fault),
    }
    // What is incomplete at the end of the file is passed on as far as it goes.
    let mut outcome = Ok(());
    streams.finish(&mut |event| {
        if outcome.is_ok() {
            outcome = each(event);
        }
    });
    outcome?;
    (totals.repeated, totals.reordered) = (streams.repeated, streams.reordered);
    Ok(totals)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use dunlin_client::Direction;

    use super::super::pcapng;
    use super::super::streams::StreamEventKind;
    use super::super::tcp::TcpConnection;
    use super::*;

    /// Capture of one connection with these bytes.
    fn capture(data: &[(Direction, &[u8])]) -> Vec<u8> {
        let mut file = pcapng::header();
        let mut tcp = TcpConnection::new(1);
        let mut packets = tcp.open();
        for (direction, bytes) in data {
            packets.extend(
                tcp.data(*direction, bytes)
                    .map(|packet| (*direction, packet)),
            );
        }
        packets.extend(tcp.close());
        for (index, (_, packet)) in packets.iter().enumerate() {
            let at = Duration::from_nanos(1_700_000_000_000_000_001 + index as u64);
            pcapng::packet(&mut file, at, packet, "comment");
        }
        file
    }

    fn events(file: &[u8]) -> (Vec<String>, CaptureTotals) {
        let mut events = Vec::new();
        let totals = read_connections(file, |event| {
            let text = match event.kind {
                StreamEventKind::Opened { client, server, .. } => format!("{client} {server}"),
                StreamEventKind::Data(direction, bytes) => {
                    format!("{direction:?} {} {:?}", bytes.len(), event.at)
                }
                StreamEventKind::Gap(_, len) => format!("gap {len}"),
                StreamEventKind::Closed => "closed".to_owned(),
            };
            events.push(text);
            Ok(())
        });
        (events, totals.unwrap())
    }

    #[test]
    fn what_was_written_is_read_back() {
        let large = vec![7; 100_000];
        let file = capture(&[(Direction::Sent, &large), (Direction::Received, b"ok")]);
        let (events, totals) = events(&file);
        assert_eq!(
            events,
            [
                "192.0.2.1:49152 192.0.2.2:1883",
                "Sent 61440 1700000000.000000004s",
                "Sent 38560 1700000000.000000005s",
                "Received 2 1700000000.000000006s",
                "closed"
            ]
        );
        assert_eq!((totals.frames, totals.segments), (9, 9));
        assert!(totals.fault.is_none());
    }

    #[test]
    fn a_cut_file_is_read_as_far_as_it_goes() {
        let file = capture(&[(Direction::Sent, b"abc")]);
        for len in 0..file.len() {
            // Never a panic; the fault of a cut block is told.
            let (_, totals) = events(&file[..len]);
            let is_between_blocks = totals.fault.is_none();
            assert!(is_between_blocks || totals.frames < 7, "{len}");
        }
    }

    #[test]
    fn no_changed_byte_makes_it_panic_or_hang() {
        let file = capture(&[(Direction::Sent, b"abc"), (Direction::Received, b"def")]);
        for at in 0..file.len() {
            for byte in [0x00, 0x01, 0x0a, 0x7f, 0x80, 0xff] {
                let mut changed = file.clone();
                changed[at] = byte;
                events(&changed);
            }
        }
    }

    #[test]
    fn a_file_of_the_other_format_is_read_in_both_byte_orders() {
        let mut tcp = TcpConnection::new(1);
        let packets = tcp.open();
        for is_big_endian in [false, true] {
            let word = |value: u32| match is_big_endian {
                true => value.to_be_bytes(),
                false => value.to_le_bytes(),
            };
            // Magic number, version 2.4, zone, accuracy, snapshot length, link type 101.
            let mut file = word(0xa1b2_c3d4).to_vec();
            file.extend(match is_big_endian {
                true => [0, 2, 0, 4],
                false => [2, 0, 4, 0],
            });
            for value in [0, 0, 65_535, 101] {
                file.extend(word(value));
            }
            for (_, packet) in &packets {
                let len = u32::try_from(packet.len()).unwrap();
                for value in [1_700_000_000, 5, len, len] {
                    file.extend(word(value));
                }
                file.extend(packet);
            }
            let (events, totals) = events(&file);
            assert_eq!(events, ["192.0.2.1:49152 192.0.2.2:1883", "closed"]);
            assert_eq!(totals.segments, 3);
        }
    }
}
