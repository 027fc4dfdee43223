//! A server that sends whatever bytes it is told to.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::BytesMut;
use dunlin_client::codec::{DecodeOptions, Packet, PacketBuf, Sender};

use crate::packets::{connack, suback};

/// The server's side of one connection.
pub(crate) struct Peer {
    stream: TcpStream,
    input: BytesMut,
}

/// A server on a thread of its own, which ends with the test's process. Dropped, it passes on what
/// failed in it.
pub(crate) struct HostileServer {
    pub(crate) address: SocketAddr,
    has_failed: Arc<AtomicBool>,
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert!(
                !self.has_failed.load(Ordering::Relaxed),
                "an assertion of the server failed"
            );
        }
    }
}

/// Calls `serve` for each connection, one after another, with its number from 1 on.
pub(crate) fn serve(
    serve: impl Fn(u32, &mut Peer) -> io::Result<()> + Send + 'static,
) -> HostileServer {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let has_failed = Arc::new(AtomicBool::new(false));
    let server = HostileServer {
        address,
        has_failed: Arc::clone(&has_failed),
    };
    std::thread::spawn(move || {
        for number in 1.. {
            let Ok((stream, _)) = listener.accept() else {
                return;
            };
            stream.set_nodelay(true).unwrap();
            stream.set_read_timeout(Some(LONGEST)).unwrap();
            stream.set_write_timeout(Some(LONGEST)).unwrap();
            let mut peer = Peer {
                stream,
                input: BytesMut::new(),
            };
            // A client that leaves is no failure.
            let served = panic::catch_unwind(AssertUnwindSafe(|| drop(serve(number, &mut peer))));
            has_failed.fetch_or(served.is_err(), Ordering::Relaxed);
        }
    });
    server
}

const LONGEST: Duration = Duration::from_secs(60);

impl Peer {
    /// Receives the client's next packet.
    pub(crate) fn receive(&mut self) -> io::Result<PacketBuf> {
        let options = DecodeOptions::any_size().with_sender(Sender::Client);
        loop {
            if let Some(packet) =
                PacketBuf::take(&mut self.input, &options).map_err(io::Error::other)?
            {
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

    /// Answers CONNECT, and SUBSCRIBE if this is a new session.
    pub(crate) fn accept_client(&mut self, session_present: bool) -> io::Result<()> {
        let connect = self.receive()?;
        assert!(matches!(connect.packet(), Packet::Connect(_)));
        self.send(&connack(session_present))?;
        if !session_present {
            let subscribe = self.receive()?;
            let Packet::Subscribe(subscribe) = subscribe.packet() else {
                panic!("{subscribe:?}")
            };
            self.send(&suback(subscribe.packet_id))?;
        }
        Ok(())
    }

    /// Receives the packets that a stopped client has written.
    #[cfg(unix)]
    pub(crate) fn receive_pending(&mut self) -> Vec<PacketBuf> {
        self.stream
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let written = self.receive_until_end();
        self.stream.set_read_timeout(Some(LONGEST)).unwrap();
        written
    }

    /// Receives all packets until the client closes the connection.
    pub(crate) fn receive_until_end(&mut self) -> Vec<PacketBuf> {
        std::iter::from_fn(|| self.receive().ok()).collect()
    }
}
