//! `Splitter`: packets in a stream of bytes, in bounded memory.

use dunlin_codec::{FixedHeader, PacketType};

/// Splits the bytes of one side into packets. Memory: [`LARGEST_WHOLE`].
#[derive(Debug, Default)]
pub(super) struct Splitter {
    /// Beginning of a packet that isn't there whole.
    buffer: Vec<u8>,
    /// Bytes of a large packet that are still to come.
    rest: usize,
    /// Type of that packet; `None` before the first one.
    rest_type: Option<PacketType>,
    /// True once bytes came that no packet begins with: what follows can't be split.
    is_lost: bool,
}

/// Part of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StreamPart<'a> {
    /// A whole packet, as its fixed header delimits it.
    Packet(&'a [u8]),
    /// The first [`LARGEST_WHOLE`] bytes of a packet that has `packet_len`.
    Front { bytes: &'a [u8], packet_len: usize },
    /// More bytes of that packet, whose type is the same.
    Rest {
        packet_type: PacketType,
        bytes: &'a [u8],
    },
    /// Bytes that no packet begins with, and all after them.
    NoPacket(&'a [u8]),
}

impl Splitter {
    /// Adds bytes, and passes on each piece that is complete.
    pub(super) fn push(&mut self, bytes: &[u8], each: &mut impl FnMut(StreamPart<'_>)) {
        if self.is_lost {
            each(StreamPart::NoPacket(bytes));
            return;
        }
        // The rest of a large packet is passed on as it comes.
        let (rest, bytes) = bytes.split_at(self.rest.min(bytes.len()));
        if let (false, Some(packet_type)) = (rest.is_empty(), self.rest_type) {
            self.rest -= rest.len();
            each(StreamPart::Rest {
                packet_type,
                bytes: rest,
            });
        }
        // Without an incomplete packet nothing is copied.
        if self.buffer.is_empty() {
            let left = self.split(bytes, each);
            self.buffer.extend_from_slice(left);
        } else {
            let mut buffer = std::mem::take(&mut self.buffer);
            buffer.extend_from_slice(bytes);
            let left = self.split(&buffer, each).len();
            buffer.drain(..buffer.len() - left);
            self.buffer = buffer;
        }
    }

    /// Forgets the packet that isn't there whole, because bytes are missing.
    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    /// True once bytes came that no packet begins with.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Number of bytes that wait for the rest of their packet.
    pub(super) fn waiting(&self) -> usize {
        self.buffer.len()
    }

    /// Passes on the pieces at the front of `bytes`, and returns the bytes after them.
    fn split<'a>(
        &mut self,
        mut bytes: &'a [u8],
        each: &mut impl FnMut(StreamPart<'_>),
    ) -> &'a [u8] {
        while !bytes.is_empty() {
            let (packet_type, len) = match FixedHeader::peek(bytes, u32::MAX) {
                Ok(Some(header)) => (header.packet_type, header.packet_len()),
                Ok(None) => return bytes,
                Err(_) => {
                    self.is_lost = true;
                    each(StreamPart::NoPacket(bytes));
                    return &[];
                }
            };
            if let Some((packet, rest)) = bytes.split_at_checked(len) {
                each(StreamPart::Packet(packet));
                bytes = rest;
            } else if bytes.len() >= LARGEST_WHOLE {
                self.rest = len - bytes.len();
                self.rest_type = Some(packet_type);
                each(StreamPart::Front {
                    bytes,
                    packet_len: len,
                });
                return &[];
            } else {
                return bytes;
            }
        }
        bytes
    }
}

/// Bytes up to which a packet is kept until it is there whole.
pub(super) const LARGEST_WHOLE: usize = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces as text: the length of each, with a letter for its kind.
    fn pieces(parts: &[&[u8]]) -> Vec<String> {
        let mut splitter = Splitter::default();
        let mut all = Vec::new();
        for part in parts {
            splitter.push(part, &mut |piece| {
                all.push(match piece {
                    StreamPart::Packet(bytes) => format!("p{}", bytes.len()),
                    StreamPart::Front { packet_len, .. } => format!("f{packet_len}"),
                    StreamPart::Rest { packet_type, bytes } => {
                        assert_eq!(packet_type, PacketType::Publish);
                        format!("r{}", bytes.len())
                    }
                    StreamPart::NoPacket(bytes) => format!("n{}", bytes.len()),
                });
            });
            assert!(splitter.waiting() <= LARGEST_WHOLE);
        }
        all
    }

    #[test]
    fn the_cuts_of_a_stream_change_nothing() {
        let stream = b"\xc0\x00\x30\x04\x00\x01a\x00\xd0\x00";
        for cut in 0..stream.len() {
            let (one, two) = stream.split_at(cut);
            assert_eq!(pieces(&[one, two]), ["p2", "p6", "p2"]);
        }
    }

    #[test]
    fn a_large_packet_is_passed_on_in_parts() {
        // PUBLISH with a Remaining Length of 2,097,152.
        let mut packet = b"\x30\x80\x80\x80\x01".to_vec();
        packet.resize(5 + 2_097_152, 0);
        let (one, two) = packet.split_at(LARGEST_WHOLE + 10);
        let after = [two, b"\xc0\x00"].concat();
        assert_eq!(
            pieces(&[one, &after]),
            [
                format!("f{}", packet.len()),
                format!("r{}", two.len()),
                "p2".to_owned()
            ]
        );
    }

    #[test]
    fn after_bytes_that_are_no_packet_nothing_is_split() {
        assert_eq!(pieces(&[b"\xc0\x00HTTP", b"\xc0\x00"]), ["p2", "n4", "n2"]);
    }
}
