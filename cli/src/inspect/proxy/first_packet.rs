//! The first packet of a client, which decides what becomes of the connection.

use std::io;
use std::time::Duration;

use dunlin_codec::{FixedHeader, PacketType};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

/// Beginning of a client's bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FirstPacket {
    /// CONNECT of any version, and the bytes after it.
    Connect { packet: Vec<u8>, rest: Vec<u8> },
    /// Bytes of another protocol, or of a CONNECT above [`LARGEST`].
    Other(Vec<u8>),
    /// Nothing, or part of a CONNECT, before the client closed the connection or the wait was
    /// over.
    Nothing(Vec<u8>),
}

/// Reads until the first packet is there whole, or can't be CONNECT, or `wait` is over.
///
/// # Errors
/// The error of the connection.
pub(super) async fn read(
    client: &mut (impl AsyncRead + Unpin),
    wait: Duration,
) -> io::Result<FirstPacket> {
    let mut bytes = Vec::new();
    let reading = async {
        loop {
            match FixedHeader::peek(&bytes, u32::MAX) {
                Ok(Some(header)) if header.packet_type == PacketType::Connect => {
                    let len = header.packet_len();
                    if len > LARGEST {
                        return Ok(true);
                    }
                    if bytes.len() >= len {
                        return Ok(true);
                    }
                }
                Ok(None) => {}
                Ok(Some(_)) | Err(_) => return Ok(true),
            }
            if client.read_buf(&mut bytes).await? == 0 {
                return Ok(false);
            }
        }
    };
    // A client that connects and says nothing counts against the number of clients.
    let is_complete = timeout(wait, reading).await;
    let is_complete: io::Result<bool> = is_complete.unwrap_or(Ok(false));
    if !is_complete? {
        return Ok(FirstPacket::Nothing(bytes));
    }
    let len = match FixedHeader::peek(&bytes, u32::MAX) {
        Ok(Some(header)) if header.packet_type == PacketType::Connect => header.packet_len(),
        _ => return Ok(FirstPacket::Other(bytes)),
    };
    if bytes.len() < len {
        return Ok(FirstPacket::Other(bytes));
    }
    let rest = bytes.split_off(len);
    Ok(FirstPacket::Connect {
        packet: bytes,
        rest,
    })
}

/// Largest CONNECT that is kept to change its credentials.
const LARGEST: usize = 1 << 20;
/// Longest wait for the first packet.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    const CONNECT: &[u8] = b"\x10\x0d\x00\x04MQTT\x05\x02\x00\x00\x00\x00\x00";

    #[tokio::test]
    async fn a_connect_is_read_whole_and_no_further() {
        let stream = [CONNECT, b"\xc0\x00"].concat();
        for cut in 0..stream.len() {
            let (one, two) = stream.split_at(cut);
            let mut reader = in_two_parts(one, two);
            let FirstPacket::Connect { packet, rest } =
                read(&mut reader, LONGEST_WAIT).await.unwrap()
            else {
                panic!("cut at {cut}");
            };
            assert_eq!(packet, CONNECT);
            assert!(rest.len() <= 2);
        }
    }

    #[tokio::test]
    async fn another_protocol_is_told_at_once() {
        let mut reader: &[u8] = b"GET / HTTP/1.1\r\n";
        let first = read(&mut reader, LONGEST_WAIT).await.unwrap();
        assert_eq!(first, FirstPacket::Other(b"GET / HTTP/1.1\r\n".to_vec()));
        let mut reader: &[u8] = b"\x10\x0d\x00";
        let first = read(&mut reader, LONGEST_WAIT).await.unwrap();
        assert_eq!(first, FirstPacket::Nothing(b"\x10\x0d\x00".to_vec()));
    }

    #[tokio::test]
    async fn a_silent_client_is_not_waited_for_without_end() {
        let (mut reader, _writer) = tokio::io::duplex(1);
        let first = read(&mut reader, Duration::ZERO).await.unwrap();
        assert_eq!(first, FirstPacket::Nothing(Vec::new()));
    }

    /// Reader that brings two parts.
    fn in_two_parts<'a>(one: &'a [u8], two: &'a [u8]) -> impl AsyncRead + Unpin + 'a {
        one.chain(two)
    }
}
