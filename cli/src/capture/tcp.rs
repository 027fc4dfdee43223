//! `TcpConnection`: the IP and TCP headers of a connection whose bytes are known and whose segments
//! aren't.

use dunlin_client::Direction;
use etherparse::PacketBuilder;

/// TCP connection that is made up: a handshake, segments in order, and its end.
#[derive(Debug)]
pub(super) struct TcpConnection {
    /// Port of the client; the server's is [`SERVER_PORT`].
    client_port: u16,
    /// Sequence number of the next byte of the client.
    client_next: u32,
    /// Sequence number of the next byte of the server.
    server_next: u32,
}

/// Flags of a segment, besides ACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flag {
    Syn,
    Push,
    Fin,
    /// Nothing but ACK.
    None,
}

impl TcpConnection {
    /// Connection with this number, counted from 1; the number chooses the client's port.
    pub(super) fn new(number: u32) -> Self {
        // The ports from 49152 on are for clients (RFC 6335).
        let offset = number.saturating_sub(1) % u32::from(u16::MAX - FIRST_CLIENT_PORT);
        Self {
            client_port: FIRST_CLIENT_PORT + u16::try_from(offset).unwrap_or_default(),
            client_next: 0,
            server_next: 0,
        }
    }

    /// The three packets of the handshake.
    pub(super) fn open(&mut self) -> Vec<(Direction, Vec<u8>)> {
        vec![
            self.packet(Direction::Sent, Flag::Syn, &[]),
            self.packet(Direction::Received, Flag::Syn, &[]),
            self.packet(Direction::Sent, Flag::None, &[]),
        ]
    }

    /// Packets for these bytes; each carries [`LARGEST_SEGMENT`] at most.
    pub(super) fn data(
        &mut self,
        direction: Direction,
        bytes: &[u8],
    ) -> impl Iterator<Item = Vec<u8>> {
        bytes
            .chunks(LARGEST_SEGMENT)
            .map(move |part| self.packet(direction, Flag::Push, part).1)
    }

    /// The packets of the end: FIN of both sides, and the last ACK.
    pub(super) fn close(&mut self) -> Vec<(Direction, Vec<u8>)> {
        vec![
            self.packet(Direction::Sent, Flag::Fin, &[]),
            self.packet(Direction::Received, Flag::Fin, &[]),
            self.packet(Direction::Sent, Flag::None, &[]),
        ]
    }

    /// IP packet with one segment. Everything that the other side has sent is acknowledged.
    fn packet(&mut self, direction: Direction, flag: Flag, data: &[u8]) -> (Direction, Vec<u8>) {
        let is_sent = direction == Direction::Sent;
        let (from, to, from_port, to_port) = if is_sent {
            (CLIENT, SERVER, self.client_port, SERVER_PORT)
        } else {
            (SERVER, CLIENT, SERVER_PORT, self.client_port)
        };
        let (next, acknowledged) = if is_sent {
            (&mut self.client_next, self.server_next)
        } else {
            (&mut self.server_next, self.client_next)
        };
        let tcp = PacketBuilder::ipv4(from, to, HOP_LIMIT).tcp(from_port, to_port, *next, u16::MAX);
        // SYN and FIN count as one byte of the sequence (RFC 9293, section 3.4).
        let (tcp, length) = match flag {
            Flag::Syn => (tcp.syn(), 1),
            Flag::Fin => (tcp.fin(), 1),
            Flag::Push => (tcp.psh(), u32::try_from(data.len()).unwrap_or_default()),
            Flag::None => (tcp, 0),
        };
        *next = next.wrapping_add(length);
        // Only the first SYN acknowledges nothing.
        let is_first = is_sent && flag == Flag::Syn;
        let tcp = if is_first { tcp } else { tcp.ack(acknowledged) };
        let mut packet = Vec::with_capacity(tcp.size(data.len()));
        // It fails for data above 64 KiB alone, which LARGEST_SEGMENT excludes.
        let _ = tcp.write_to_vec(&mut packet, data);
        (direction, packet)
    }
}

/// Addresses for documentation (RFC 5737), which no real computer has.
const CLIENT: [u8; 4] = [192, 0, 2, 1];
const SERVER: [u8; 4] = [192, 0, 2, 2];
/// Port by which Wireshark knows MQTT.
pub(super) const SERVER_PORT: u16 = 1883;
const FIRST_CLIENT_PORT: u16 = 49_152;
const HOP_LIMIT: u8 = 64;
/// Bytes of one segment: IPv4 allows 65,535 with the headers.
pub(super) const LARGEST_SEGMENT: usize = 60 * 1024;
