//! Server's side of WebSocket for the null server: a blocking stream whose content is the payload of
//! binary frames.

use std::io::{self, Read, Write};

use tungstenite::handshake::derive_accept_key;

/// Connection with an open WebSocket; reads and writes payload.
pub struct WebSocket<S> {
    stream: S,
    /// Bytes of the connection that aren't read yet, from `position` to `filled`.
    input: Vec<u8>,
    position: usize,
    filled: usize,
    /// Frame whose payload is being read; `None` before its header.
    frame: Option<Frame>,
    /// Header and payload of the frame that is being written.
    output: Vec<u8>,
}

/// Masked frame of a client, of which some payload may have been read.
#[derive(Clone, Copy)]
struct Frame {
    mask: [u8; 4],
    /// Index of the mask's byte for the next byte of payload.
    mask_at: usize,
    /// Bytes of payload that aren't read yet.
    left: usize,
}

impl<S: Read + Write> WebSocket<S> {
    /// Reads the request of a client and accepts it with the subprotocol `mqtt`.
    ///
    /// # Errors
    /// The error of the connection, or `InvalidData` for a request without a key.
    pub fn accept(mut stream: S) -> io::Result<Self> {
        // A client of MQTT sends nothing before the answer, so nothing follows the head.
        let mut request = Vec::new();
        let mut buffer = [0; 1024];
        while !request.ends_with(b"\r\n\r\n") {
            let read = stream.read(&mut buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            request.extend_from_slice(&buffer[..read]);
        }
        let request = String::from_utf8_lossy(&request);
        let key = request
            .lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-key"))
            .map(|(_, key)| key.trim())
            .ok_or(io::ErrorKind::InvalidData)?;
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
            derive_accept_key(key.as_bytes())
        );
        stream.write_all(answer.as_bytes())?;
        stream.flush()?;
        Ok(Self {
            stream,
            input: vec![0; 4096],
            position: 0,
            filled: 0,
            frame: None,
            output: Vec::new(),
        })
    }

    /// Reads more bytes of the connection; false at its end.
    fn fill(&mut self) -> io::Result<bool> {
        self.input.copy_within(self.position..self.filled, 0);
        self.filled -= self.position;
        self.position = 0;
        let read = self.stream.read(&mut self.input[self.filled..])?;
        self.filled += read;
        // A fast publisher gets a larger buffer, as without WebSocket.
        if read > self.input.len() / 2 && self.input.len() < LARGEST_READ {
            self.input.resize(self.input.len() * 4, 0);
        }
        Ok(read > 0)
    }

    /// Next frame, whose header is read; `None` until the header is complete.
    fn header(&mut self) -> io::Result<Option<Frame>> {
        let Some((length, header, is_data)) = length(&self.input[self.position..self.filled])
        else {
            return Ok(None);
        };
        // No measured client sends Ping before its connection ends; Close is the end.
        if !is_data {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mask = &self.input[self.position + header - 4..self.position + header];
        let mask = [mask[0], mask[1], mask[2], mask[3]];
        self.position += header;
        Ok(Some(Frame {
            mask,
            mask_at: 0,
            left: length,
        }))
    }
}

impl<S: Read + Write> Read for WebSocket<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut read = 0;
        // Payload of all frames that have arrived, or of the first that arrives.
        loop {
            let Some(frame) = &mut self.frame else {
                self.frame = self.header()?;
                if self.frame.is_none() {
                    if read > 0 {
                        return Ok(read);
                    }
                    if !self.fill()? {
                        return Ok(0);
                    }
                }
                continue;
            };
            let available = self.filled - self.position;
            let len = frame.left.min(available).min(buffer.len() - read);
            let payload = &self.input[self.position..self.position + len];
            frame.unmask(payload, &mut buffer[read..read + len]);
            self.position += len;
            read += len;
            if frame.left == 0 {
                self.frame = None;
            } else if read > 0 || buffer.is_empty() {
                // The buffer is full, or the rest of the frame hasn't arrived.
                return Ok(read);
            } else if !self.fill()? {
                return Ok(0);
            }
        }
    }
}

impl Frame {
    /// Copies `masked` payload to `payload` without the mask.
    fn unmask(&mut self, masked: &[u8], payload: &mut [u8]) {
        // Rotated, so that the mask begins at this byte: then whole groups of four are fast.
        let mut mask = self.mask;
        mask.rotate_left(self.mask_at);
        for (to, from) in payload.chunks_mut(4).zip(masked.chunks(4)) {
            for ((to, from), mask) in to.iter_mut().zip(from).zip(mask) {
                *to = from ^ mask;
            }
        }
        self.mask_at = (self.mask_at + masked.len()) % 4;
        self.left -= masked.len();
    }
}

impl<S: Read + Write> Write for WebSocket<S> {
    /// Writes all of `payload` in one frame.
    fn write(&mut self, payload: &[u8]) -> io::Result<usize> {
        self.output.clear();
        self.output.push(BINARY);
        match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
            (Ok(len @ 0..126), _) => self.output.push(len),
            (_, Ok(len)) => {
                self.output.push(126);
                self.output.extend_from_slice(&len.to_be_bytes());
            }
            _ => {
                self.output.push(127);
                self.output
                    .extend_from_slice(&(payload.len() as u64).to_be_bytes());
            }
        }
        self.output.extend_from_slice(payload);
        self.stream.write_all(&self.output)?;
        Ok(payload.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Length of the payload and of the masked header in bytes, and whether the frame has data; `None`
/// until the header is complete.
fn length(input: &[u8]) -> Option<(usize, usize, bool)> {
    let is_data = matches!(input.first()? & 15, 0..3);
    let (length, header) = match input.get(1)? & 0x7f {
        126 => {
            let length = u16::from_be_bytes([*input.get(2)?, *input.get(3)?]);
            (usize::from(length), 8)
        }
        127 => {
            let length = input.get(2..10)?.try_into().ok()?;
            (usize::try_from(u64::from_be_bytes(length)).ok()?, 14)
        }
        length => (usize::from(length), 6),
    };
    (input.len() >= header).then_some((length, header, is_data))
}

/// First byte of a binary frame that is the last of its message.
const BINARY: u8 = 0x82;
/// Largest buffer in bytes.
const LARGEST_READ: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Stream that gives `pieces` one at a time, and keeps what is written.
    struct Pieces(VecDeque<Vec<u8>>, Vec<u8>);

    impl Read for Pieces {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let piece = self.0.pop_front().unwrap_or_default();
            buffer[..piece.len()].copy_from_slice(&piece);
            Ok(piece.len())
        }
    }

    impl Write for Pieces {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn masked(payload: &[u8]) -> Vec<u8> {
        let mask = [1, 2, 3, 4];
        let mut frame = vec![BINARY];
        match u8::try_from(payload.len()) {
            Ok(len @ 0..126) => frame.push(0x80 | len),
            _ => {
                let len = u16::try_from(payload.len()).unwrap();
                frame.push(0x80 | 126);
                frame.extend(len.to_be_bytes());
            }
        }
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(b, m)| b ^ m));
        frame
    }

    #[test]
    fn payload_arrives_whole_wherever_the_bytes_are_cut() {
        let payload: Vec<u8> = (0..300).map(|number| (number % 251) as u8).collect();
        let frames = [masked(&payload[..7]), masked(&payload[7..])].concat();
        for size in [1, 3, 5, 64, 1000] {
            let request = b"GET / HTTP/1.1\r\nSec-WebSocket-Key: a\r\n\r\n".to_vec();
            let mut pieces = VecDeque::from([request]);
            pieces.extend(frames.chunks(size).map(<[u8]>::to_vec));
            let mut stream = WebSocket::accept(Pieces(pieces, Vec::new())).unwrap();
            let mut received = Vec::new();
            stream.read_to_end(&mut received).unwrap();
            assert!(received == payload, "{size}");
        }
    }

    #[test]
    fn what_is_written_leaves_in_one_frame() {
        let request = b"GET / HTTP/1.1\r\nsec-websocket-key: a\r\n\r\n".to_vec();
        let mut stream = WebSocket::accept(Pieces(VecDeque::from([request]), Vec::new())).unwrap();
        stream.stream.1.clear();
        stream.write_all(&[b'x'; 126]).unwrap();
        assert_eq!(stream.stream.1[..4], [BINARY, 126, 0, 126]);
        assert_eq!(stream.stream.1.len(), 130);
    }
}
