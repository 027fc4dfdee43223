//! A scripted WebSocket server: it answers the handshake and sends frames byte by byte as a test says,
//! also wrong ones.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::peer::soon;

/// First byte of a binary frame that is the last of its message.
pub const BINARY: u8 = 0x82;
/// First byte of a Close frame.
pub const CLOSE: u8 = 0x88;
/// First byte of a Ping frame.
pub const PING: u8 = 0x89;
/// First byte of a Pong frame.
pub const PONG: u8 = 0x8a;

/// WebSocket server that sends and expects what the test says.
#[derive(Debug)]
pub struct WebSocketServer(TcpListener);

/// Server's end of a connection.
#[derive(Debug)]
pub struct WebSocketPeer {
    /// Bytes of the connection.
    pub stream: TcpStream,
    /// Head of the client's request.
    pub request: String,
}

impl WebSocketServer {
    /// Starts a server on a free port.
    pub async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// Address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// Accepts a connection within 20 s and reads the request.
    pub async fn accepts_request(&self) -> WebSocketPeer {
        let (mut stream, _) = soon(self.0.accept()).await.unwrap();
        stream.set_nodelay(true).unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            // Byte by byte: frames that follow stay in the socket.
            request.push(soon(stream.read_u8()).await.unwrap());
        }
        let request = String::from_utf8(request).unwrap();
        WebSocketPeer { stream, request }
    }

    /// Accepts a connection and answers its request with the subprotocol `mqtt`.
    pub async fn accepts(&self) -> WebSocketPeer {
        let mut peer = self.accepts_request().await;
        let answer = peer.answer("Sec-WebSocket-Protocol: mqtt\r\n");
        peer.sends_bytes(answer.as_bytes()).await;
        peer
    }
}

impl WebSocketPeer {
    /// Head of an answer that opens the connection, with more headers.
    pub fn answer(&self, headers: &str) -> String {
        let key = self.header("Sec-WebSocket-Key").unwrap();
        let accept = derive_accept_key(key.as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{headers}\r\n"
        )
    }

    /// Value of a header of the request, with its name in any case; `None` if there is none.
    pub fn header(&self, name: &str) -> Option<&str> {
        header(&self.request, name)
    }

    /// Sends bytes.
    pub async fn sends_bytes(&mut self, bytes: &[u8]) {
        soon(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Sends a frame.
    pub async fn sends(&mut self, first: u8, payload: &[u8]) {
        self.sends_bytes(&frame(first, payload)).await;
    }

    /// Reads a frame within 20 s: its first byte and its payload. It has to be masked.
    pub async fn receives(&mut self) -> (u8, Vec<u8>) {
        soon(self.receives_or_end()).await.unwrap()
    }

    /// Reads a frame without a time limit; `None` at the end of the connection.
    pub async fn receives_or_end(&mut self) -> Option<(u8, Vec<u8>)> {
        let first = self.stream.read_u8().await.ok()?;
        let second = self.stream.read_u8().await.unwrap();
        assert!(second & 0x80 != 0, "a client has to mask its frames");
        let len = match second & 0x7f {
            126 => u64::from(self.stream.read_u16().await.unwrap()),
            127 => self.stream.read_u64().await.unwrap(),
            len => u64::from(len),
        };
        let mut mask = [0; 4];
        self.stream.read_exact(&mut mask).await.unwrap();
        let mut payload = vec![0; usize::try_from(len).unwrap()];
        self.stream.read_exact(&mut payload).await.unwrap();
        for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
            *byte ^= mask;
        }
        Some((first, payload))
    }
}

/// Value of a header of a request, with its name in any case; `None` if there is none.
pub fn header<'a>(request: &'a str, name: &str) -> Option<&'a str> {
    request.lines().find_map(|line| {
        let (key, value) = line.split_once(": ")?;
        key.eq_ignore_ascii_case(name).then_some(value)
    })
}

/// A frame as servers send it, without a mask. `first`: its first byte.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(u8::try_from(len).unwrap()),
        len @ 126..=65_535 => {
            bytes.push(126);
            bytes.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            bytes.push(127);
            bytes.extend(u64::try_from(len).unwrap().to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}
