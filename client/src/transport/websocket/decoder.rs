//! `FrameDecoder`: removes the headers of frames, without a buffer of its own.

use std::io::Cursor;

use tungstenite::Error;
use tungstenite::error::ProtocolError;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use crate::error::{CloseReason, FrameFault, WebSocketError};

/// Decoder of the frames that a server sends.
///
/// Frames may be cut anywhere and have any size; only headers and the payload of control frames are
/// kept until they are complete.
#[derive(Debug)]
pub(super) struct FrameDecoder {
    state: DecoderState,
    /// Bytes of a header that isn't complete, or payload of a control frame.
    partial: [u8; LONGEST_CONTROL],
    partial_len: usize,
    /// True between the first fragment of a message and its last.
    is_within_message: bool,
    /// Payload of the last ping that isn't answered. One is enough: an answer to the last one
    /// answers all (RFC 6455, section 5.5.3).
    ping: Option<ControlPayload>,
    /// End of the connection: a Close frame, or a fault of the server.
    end: Option<WebSocketError>,
}

#[derive(Debug, Clone, Copy)]
enum DecoderState {
    /// A header comes next.
    Header,
    /// Payload of MQTT.
    Payload { remaining: u64 },
    /// Payload of a control frame.
    Control { kind: Control, remaining: usize },
    /// Nothing is decoded any more.
    Ended,
}

/// Payload of a ping and of its pong.
#[derive(Debug, Clone, Copy)]
pub(super) struct ControlPayload {
    bytes: [u8; LONGEST_CONTROL],
    len: usize,
}

impl ControlPayload {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

impl FrameDecoder {
    pub(super) const fn new() -> Self {
        Self {
            state: DecoderState::Header,
            partial: [0; LONGEST_CONTROL],
            partial_len: 0,
            is_within_message: false,
            ping: None,
            end: None,
        }
    }

    /// Decodes `raw` in place: moves the bytes of MQTT to its beginning, and returns their number.
    ///
    /// Decoding stops at a Close frame and at a fault; see [`take_end`](Self::take_end).
    pub(super) fn decode(&mut self, raw: &mut [u8]) -> usize {
        // `read` is the next byte to look at, and `kept` the end of the bytes of MQTT. A header takes
        // at least two bytes, so `kept` never overtakes `read`.
        let (mut read, mut kept) = (0, 0);
        while read < raw.len() {
            let rest = raw.get(read..).unwrap_or_default();
            match self.state {
                DecoderState::Ended => break,
                DecoderState::Header => {
                    read += self.take_header(rest).unwrap_or_else(|fault| {
                        self.finish(WebSocketError::Frame(fault));
                        rest.len()
                    });
                }
                DecoderState::Control { kind, remaining } => {
                    let taken = remaining.min(rest.len());
                    self.keep(rest.get(..taken).unwrap_or_default());
                    self.advance_control(kind, remaining - taken);
                    read += taken;
                }
                DecoderState::Payload { remaining } => {
                    let taken = usize::try_from(remaining)
                        .map_or(rest.len(), |remaining| remaining.min(rest.len()));
                    raw.copy_within(read..read + taken, kept);
                    kept += taken;
                    read += taken;
                    self.state = match remaining - taken as u64 {
                        0 => DecoderState::Header,
                        remaining => DecoderState::Payload { remaining },
                    };
                }
            }
        }
        kept
    }

    /// Returns the payload of a ping that is to be answered; `None` if there is none.
    pub(super) fn take_ping(&mut self) -> Option<ControlPayload> {
        self.ping.take()
    }

    pub(super) const fn has_ping(&self) -> bool {
        self.ping.is_some()
    }

    /// Returns the end of the connection once; `None` if it hasn't ended, or was returned before.
    pub(super) fn take_end(&mut self) -> Option<WebSocketError> {
        self.end.take()
    }

    /// True if nothing more is decoded.
    pub(super) const fn has_ended(&self) -> bool {
        matches!(self.state, DecoderState::Ended)
    }

    /// Reads a header, or keeps what is there of it. Returns the number of bytes that it took.
    ///
    /// # Errors
    /// The fault of the header.
    fn take_header(&mut self, rest: &[u8]) -> Result<usize, FrameFault> {
        // The part that came before and what follows it, as far as a header goes.
        let before = self.partial_len;
        let taken = rest.len().min(LONGEST_HEADER - before);
        self.keep(rest.get(..taken).unwrap_or_default());
        let header = self.partial.get(..self.partial_len).unwrap_or_default();
        let mut cursor = Cursor::new(header);
        let parsed = FrameHeader::parse(&mut cursor).map_err(|error| match error {
            Error::Protocol(ProtocolError::InvalidOpcode(_)) => FrameFault::Opcode,
            _ => FrameFault::Length,
        })?;
        let Some((header, length)) = parsed else {
            return Ok(taken);
        };
        let header_len = usize::try_from(cursor.position()).unwrap_or(taken);
        self.partial_len = 0;
        self.begin_frame(&header, length)?;
        // The rest is payload.
        Ok(header_len.saturating_sub(before))
    }

    /// Checks a header and begins its frame.
    ///
    /// # Errors
    /// The fault of the header.
    fn begin_frame(&mut self, header: &FrameHeader, length: u64) -> Result<(), FrameFault> {
        // Rules of all frames (RFC 6455, section 5.2).
        if header.rsv1 || header.rsv2 || header.rsv3 {
            return Err(FrameFault::ReservedBits);
        }
        if header.mask.is_some() {
            return Err(FrameFault::Masked);
        }
        if length > u64::MAX / 2 {
            return Err(FrameFault::Length);
        }
        match header.opcode {
            OpCode::Control(kind) => {
                // Section 5.5. A control frame may stand between the fragments of a message.
                let remaining = usize::try_from(length).unwrap_or(usize::MAX);
                if !header.is_final || remaining > LONGEST_CONTROL {
                    return Err(FrameFault::ControlFrame);
                }
                self.advance_control(kind, remaining);
                return Ok(());
            }
            // [MQTT-6.0.0-1]
            OpCode::Data(Data::Text) => return Err(FrameFault::Text),
            OpCode::Data(Data::Reserved(_)) => return Err(FrameFault::Opcode),
            // Section 5.4: a message begins outside of another, and goes on inside.
            OpCode::Data(Data::Binary) if self.is_within_message => {
                return Err(FrameFault::Fragmentation);
            }
            OpCode::Data(Data::Continue) if !self.is_within_message => {
                return Err(FrameFault::Fragmentation);
            }
            OpCode::Data(Data::Binary | Data::Continue) => {}
        }
        // Frames aren't packets: a packet may have several, and a frame several packets.
        // [MQTT-6.0.0-2]
        self.is_within_message = !header.is_final;
        if length > 0 {
            self.state = DecoderState::Payload { remaining: length };
        }
        Ok(())
    }

    /// Goes on with a control frame of which `remaining` bytes are missing.
    fn advance_control(&mut self, kind: Control, remaining: usize) {
        if remaining > 0 {
            self.state = DecoderState::Control { kind, remaining };
            return;
        }
        self.state = DecoderState::Header;
        let len = std::mem::take(&mut self.partial_len);
        match kind {
            Control::Ping => {
                let bytes = self.partial;
                self.ping = Some(ControlPayload { bytes, len });
            }
            Control::Close => {
                let payload = self.partial.get(..len).unwrap_or_default();
                let reason = close_reason(payload);
                self.finish(WebSocketError::Closed(reason));
            }
            // Pongs answer pings, which this client never sends; the standard allows them
            // without one.
            Control::Pong | Control::Reserved(_) => {}
        }
    }

    fn finish(&mut self, end: WebSocketError) {
        self.state = DecoderState::Ended;
        self.end = Some(end);
    }

    /// Adds bytes of a header or a control frame. There are never more than fit.
    fn keep(&mut self, bytes: &[u8]) {
        let free = self.partial.iter_mut().skip(self.partial_len);
        for (slot, byte) in free.zip(bytes) {
            *slot = *byte;
            self.partial_len += 1;
        }
    }
}

/// Code and reason of a Close frame (RFC 6455, section 5.5.1).
fn close_reason(payload: &[u8]) -> CloseReason {
    let (code, reason) = match payload {
        [high, low, reason @ ..] => (Some(u16::from_be_bytes([*high, *low])), reason),
        // One byte is against the rules. The connection ends in any case.
        [] | [_] => (None, &[][..]),
    };
    let reason = String::from_utf8_lossy(reason).into_owned();
    CloseReason { code, reason }
}

/// Longest header in bytes, with a mask.
const LONGEST_HEADER: usize = 14;
/// Longest payload of a control frame in bytes.
const LONGEST_CONTROL: usize = 125;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A frame as servers send it.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            len @ 0..=125 => bytes.push(u8::try_from(len).unwrap()),
            len @ 126..=65_535 => {
                bytes.push(126);
                bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
            }
            len => {
                bytes.push(127);
                bytes.extend((len as u64).to_be_bytes());
            }
        }
        bytes.extend(payload);
        bytes
    }

    /// Decodes pieces of `sizes`, one after the other.
    fn decoded(decoder: &mut FrameDecoder, bytes: &[u8], sizes: &[usize]) -> Vec<u8> {
        let (mut out, mut rest) = (Vec::new(), bytes);
        for size in sizes.iter().chain([&bytes.len()]) {
            let (piece, later) = rest.split_at((*size).min(rest.len()));
            let mut piece = piece.to_vec();
            let kept = decoder.decode(&mut piece);
            out.extend(&piece[..kept]);
            rest = later;
        }
        out
    }

    #[test]
    fn each_broken_rule_has_its_fault() {
        for (bytes, fault) in [
            (frame(0x81, b"text"), FrameFault::Text),
            (frame(0xc2, b"x"), FrameFault::ReservedBits),
            (frame(0x83, b"x"), FrameFault::Opcode),
            (frame(0x8b, b"x"), FrameFault::Opcode),
            (frame(0x80, b"x"), FrameFault::Fragmentation),
            (
                [frame(0x02, b"x"), frame(0x82, b"y")].concat(),
                FrameFault::Fragmentation,
            ),
            (frame(0x09, b"x"), FrameFault::ControlFrame),
            (frame(0x89, &[0; 126]), FrameFault::ControlFrame),
            (vec![0x82, 0x81, 0, 0, 0, 0, 9], FrameFault::Masked),
            (
                vec![0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0],
                FrameFault::Length,
            ),
        ] {
            // Whole, and byte by byte.
            for sizes in [vec![], vec![1; bytes.len()]] {
                let mut decoder = FrameDecoder::new();
                decoded(&mut decoder, &bytes, &sizes);
                let end = decoder.take_end();
                assert_eq!(end, Some(WebSocketError::Frame(fault)), "{bytes:?}");
                assert!(decoder.has_ended());
            }
        }
    }

    #[test]
    fn a_giant_frame_is_taken_as_it_comes() {
        let mut bytes = vec![0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        bytes.extend([7; 1_000]);
        let mut decoder = FrameDecoder::new();
        assert_eq!(decoded(&mut decoder, &bytes, &[]), [7; 1_000]);
        assert_eq!(decoder.take_end(), None);
    }

    #[test]
    fn a_close_frame_ends_decoding_with_its_reason() {
        let bytes = [
            frame(0x82, b"before"),
            frame(0x88, b"\x03\xf0no"),
            frame(0x82, b"after"),
        ]
        .concat();
        let mut decoder = FrameDecoder::new();
        assert_eq!(decoded(&mut decoder, &bytes, &[3, 4]), b"before");
        let reason = CloseReason {
            code: Some(1008),
            reason: "no".into(),
        };
        assert_eq!(decoder.take_end(), Some(WebSocketError::Closed(reason)));
    }

    proptest! {
        /// The bytes of MQTT are those of the frames, however they are framed and cut.
        #[test]
        fn cutting_frames_anywhere_changes_nothing(
            messages in prop::collection::vec(
                prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..4), 0..4),
            pings in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..=125), 0..3),
            sizes in prop::collection::vec(0..40_usize, 0..60),
        ) {
            let (mut bytes, mut expected, mut pings) = (Vec::new(), Vec::<u8>::new(), pings.into_iter());
            let mut last_ping = None;
            for fragments in &messages {
                let last = fragments.len() - 1;
                for (index, payload) in fragments.iter().enumerate() {
                    let opcode = if index == 0 { 0x02 } else { 0x00 };
                    let fin = if index == last { 0x80 } else { 0 };
                    bytes.extend(frame(fin | opcode, payload));
                    expected.extend(payload);
                    // A control frame may stand between any two.
                    if let Some(ping) = pings.next() {
                        bytes.extend(frame(0x89, &ping));
                        last_ping = Some(ping);
                    }
                }
            }

            let mut decoder = FrameDecoder::new();
            prop_assert_eq!(decoded(&mut decoder, &bytes, &sizes), expected);
            let ping = decoder.take_ping().map(|ping| ping.as_bytes().to_vec());
            prop_assert_eq!(ping, last_ping);
            prop_assert_eq!(decoder.take_end(), None);
        }

        #[test]
        fn any_bytes_are_decoded_without_a_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..400),
            sizes in prop::collection::vec(0..40_usize, 0..20),
        ) {
            let mut decoder = FrameDecoder::new();
            let out = decoded(&mut decoder, &bytes, &sizes);
            prop_assert!(out.len() <= bytes.len());
        }
    }
}
