//! A server without TLS that answers with the bytes it is told to, a thread for each connection.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use dunlin_client::codec::{DecodeOptions, Packet, PacketBuf, Sender};

/// CONNACK with success and no property.
pub(crate) const CONNACK: [u8; 5] = [0x20, 3, 0, 0, 0];

/// Server's side of one connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    input: BytesMut,
}

/// Calls `serve` for each connection, and returns `--endpoint` for the server. A client that leaves
/// ends `serve` with an error, which is no failure.
pub(crate) fn raw(serve: impl Fn(&mut Peer) -> io::Result<()> + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let serve = Arc::clone(&serve);
            std::thread::spawn(move || {
                stream.set_read_timeout(Some(LONGEST)).unwrap();
                stream.set_nodelay(true).unwrap();
                let mut peer = Peer {
                    stream,
                    input: BytesMut::new(),
                };
                let _ = serve(&mut peer);
            });
        }
    });
    format!("--endpoint=mqtt://127.0.0.1:{port}")
}

/// Longest silence of a client.
const LONGEST: Duration = Duration::from_secs(60);

impl Peer {
    /// Next packet of the client.
    pub(crate) fn receive(&mut self) -> io::Result<PacketBuf> {
        let options = DecodeOptions::any_size().with_sender(Sender::Client);
        loop {
            let packet = PacketBuf::take(&mut self.input, &options).map_err(io::Error::other)?;
            if let Some(packet) = packet {
                return Ok(packet);
            }
            let mut bytes = [0; 4096];
            match self.stream.read(&mut bytes)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                len => self.input.extend_from_slice(&bytes[..len]),
            }
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Answers CONNECT with `connack`.
    pub(crate) fn accept(&mut self, connack: &[u8]) -> io::Result<()> {
        let connect = self.receive()?;
        assert!(matches!(connect.packet(), Packet::Connect(_)));
        self.send(connack)
    }

    /// Grants the next SUBSCRIBE.
    pub(crate) fn grant(&mut self) -> io::Result<()> {
        let packet = self.receive()?;
        let Packet::Subscribe(subscribe) = packet.packet() else {
            panic!("{packet:?}")
        };
        let [high, low] = subscribe.packet_id.get().to_be_bytes();
        self.send(&[0x90, 4, high, low, 0, 1])
    }
}
