//! `FrameEncoder`: output of masked frames, which waits until the transport takes it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::AsyncWrite;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Output of frames that isn't written yet: at most one frame of data, and small control frames.
#[derive(Debug, Default)]
pub(super) struct FrameEncoder {
    output: Vec<u8>,
    /// Number of bytes of `output` that are written.
    written: usize,
    needs_flush: bool,
}

impl FrameEncoder {
    /// Largest payload of one frame in bytes: the largest message of AWS IoT Core fits, and with it
    /// all small ones that are sent at once.
    pub(super) const LARGEST_PAYLOAD: usize = 256 * 1024;

    /// Number of bytes that wait.
    pub(super) const fn len(&self) -> usize {
        self.output.len() - self.written
    }

    /// Adds a binary frame with the bytes of `slices`, cut at [`LARGEST_PAYLOAD`](Self::LARGEST_PAYLOAD).
    /// Returns the number of bytes that it took.
    pub(super) fn push_binary(&mut self, slices: &[IoSlice<'_>]) -> usize {
        let total = slices.iter().map(|slice| slice.len()).sum::<usize>();
        let taken = total.min(Self::LARGEST_PAYLOAD);
        self.push_frame(OpCode::Data(Data::Binary), taken, |output| {
            let mut missing = taken;
            for slice in slices {
                let part = slice.get(..missing.min(slice.len())).unwrap_or_default();
                output.extend_from_slice(part);
                missing -= part.len();
            }
        });
        taken
    }

    /// Adds a control frame; `payload` has 125 bytes at most.
    pub(super) fn push_control(&mut self, kind: Control, payload: &[u8]) {
        self.push_frame(OpCode::Control(kind), payload.len(), |output| {
            output.extend_from_slice(payload);
        });
    }

    fn push_frame(&mut self, opcode: OpCode, len: usize, push_payload: impl FnOnce(&mut Vec<u8>)) {
        // A new mask for each frame, from a source that nobody can predict (RFC 6455, section 5.3).
        let mask: [u8; 4] = rand::random();
        let header = FrameHeader {
            opcode,
            mask: Some(mask),
            ..FrameHeader::default()
        };
        self.output.reserve(LONGEST_HEADER + len);
        let written = header.format(len as u64, &mut self.output);
        debug_assert!(written.is_ok(), "a vector takes all bytes");
        let begin = self.output.len();
        push_payload(&mut self.output);
        apply_mask(self.output.get_mut(begin..).unwrap_or_default(), mask);
    }

    /// Writes what waits; ready when nothing is left.
    ///
    /// # Errors
    /// The error of the transport.
    pub(super) fn poll_write(
        &mut self,
        transport: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some(rest) = self
            .output
            .get(self.written..)
            .filter(|rest| !rest.is_empty())
        {
            let written = ready!(Pin::new(&mut *transport).poll_write(cx, rest))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += written;
            self.needs_flush = true;
        }
        // The memory stays for the next frame; an idle connection releases it.
        self.output.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Writes and flushes what waits; ready when nothing is left.
    ///
    /// # Errors
    /// The error of the transport.
    pub(super) fn poll_flush(
        &mut self,
        transport: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_write(transport, cx))?;
        if self.needs_flush {
            ready!(Pin::new(transport).poll_flush(cx))?;
            self.needs_flush = false;
        }
        Poll::Ready(Ok(()))
    }

    /// True if there is memory that isn't used.
    pub(super) const fn has_spare(&self) -> bool {
        self.output.is_empty() && self.output.capacity() > 0
    }

    /// Releases memory that isn't used.
    pub(super) fn release_spare(&mut self) {
        if self.has_spare() {
            self.output = Vec::new();
        }
    }
}

/// XORs each byte with one of the mask's, beginning with the first (RFC 6455, section 5.3).
fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    // Eight bytes at once; the rest begins at a multiple of four, with the first byte of the mask.
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Longest header in bytes, with its mask.
const LONGEST_HEADER: usize = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mask_applies_to_each_byte_and_undoes_itself() {
        for len in 0..40_usize {
            let payload: Vec<u8> = (0..len).map(|n| u8::try_from(n).unwrap()).collect();
            let mask = [0x12, 0x34, 0x56, 0x78];
            let mut masked = payload.clone();
            apply_mask(&mut masked, mask);
            let expected = payload.iter().enumerate();
            let expected: Vec<u8> = expected.map(|(at, byte)| byte ^ mask[at % 4]).collect();
            assert_eq!(masked, expected);
            apply_mask(&mut masked, mask);
            assert_eq!(masked, payload);
        }
    }

    #[test]
    fn slices_become_one_frame_up_to_its_largest_payload() {
        let mut encoder = FrameEncoder::default();
        let slices = [IoSlice::new(b"ab"), IoSlice::new(b""), IoSlice::new(b"cde")];

        assert_eq!(encoder.push_binary(&slices), 5);

        // FIN and binary, then the length with the mask's bit.
        assert_eq!(encoder.output[..2], [0x82, 0x85]);
        let mask = encoder.output[2..6].try_into().unwrap();
        let mut payload = encoder.output[6..].to_vec();
        apply_mask(&mut payload, mask);
        assert_eq!(payload, b"abcde");

        let large = vec![0; FrameEncoder::LARGEST_PAYLOAD];
        let taken = encoder.push_binary(&[IoSlice::new(b"x"), IoSlice::new(&large)]);
        assert_eq!(taken, FrameEncoder::LARGEST_PAYLOAD);
    }
}
